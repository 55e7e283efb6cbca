// SPDX-License-Identifier: Apache-2.0
// Targets whose code is written in Lua. Their state has the whole of moonpool, and libFuzzer hears of each line that
// runs in it as it does of the edges of C.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Calls the function that spec/fuzz/<name>.lua returns with the input as a text. What it raises is a finding.
void fuzz_lua(const char *name, const uint8_t *data, size_t size);
