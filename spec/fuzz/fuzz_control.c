// SPDX-License-Identifier: Apache-2.0
// Lines of the control socket, as a process with a pool answers them. spec/fuzz/control.lua says what must hold.
#include "fuzz.h"
#include "lua_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_lua("control", data, size);
	return 0;
}
