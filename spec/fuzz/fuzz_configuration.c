// SPDX-License-Identifier: Apache-2.0
// Configurations, put together by the input. spec/fuzz/configuration.lua says what must hold.
#include "fuzz.h"
#include "lua_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_lua("configuration", data, size);
	return 0;
}
