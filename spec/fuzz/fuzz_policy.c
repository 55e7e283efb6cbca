// SPDX-License-Identifier: Apache-2.0
// What policies of every kind call and give. spec/fuzz/policy.lua says what must hold.
#include "fuzz.h"
#include "lua_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_lua("policy", data, size);
	return 0;
}
