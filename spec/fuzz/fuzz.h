// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share. A target takes its choices (version, flags, ...) from the first bytes of the input; the
// input is copied by libFuzzer into memory of exactly its size, so every read too far is seen.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/defs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The next byte of choice, 0 when there is none.
static inline uint8_t fuzz_choice(const uint8_t **data, size_t *size)
{
	if (*size == 0)
		return 0;
	(*size)--;
	return *(*data)++;
}
