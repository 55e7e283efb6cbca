// SPDX-License-Identifier: Apache-2.0
// CRC-32 as zlib counts it, at the speed of memory where the processor multiplies without carries.
#pragma once

#include "base/defs.h"

// Go on from `crc` (0: from the start) over `len` bytes.
uint32_t mp_crc32(uint32_t crc, const void *bytes, size_t len);
