// SPDX-License-Identifier: Apache-2.0
// Bytes that are written as pairs of hexadecimal digits.
#pragma once

#include "base/defs.h"

// `count` bytes from the digits at `text`, large or small ones. False: something else stands there. Nothing behind that
// is looked at, so a text that ends by NUL may be too short.
bool mp_hex_read(const char *text, uint8_t *bytes, size_t count) MP_MUST_CHECK;
