// SPDX-License-Identifier: Apache-2.0
// Whether bytes are text. Both look at eight bytes at a time, because most text is ASCII.
#pragma once

#include "base/defs.h"

bool mp_ascii_is_valid(const char *text, size_t len); // no byte above 127
// RFC 3629: the shortest form of each code point, none above U+10FFFF, no surrogates.
bool mp_utf8_is_valid(const char *text, size_t len);
