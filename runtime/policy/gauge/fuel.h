// SPDX-License-Identifier: Apache-2.0
// The fuel gauge of a policy: where its text may run for ever, or for long, a tick is put into it.
//
//   while x do TICK ... end      repeat TICK ... until x      function(a) TICK ... end      ::again:: TICK ...
//
// A tick pays for MP_FUEL_WORK operations at most: after so many of them in a row the next statement begins with
// another one, and one that has more of them itself pays for them together, before they are done. A text that is put
// together (a .. b) goes through __mp_fit, which refuses one that is too long, so that no single operation takes long.
// A key under which something is stored (t[k] = x, { [k] = x }) goes through __mp_key, which refuses NaN: compiled code
// of LuaJIT may store it, or end the process.
//
// Ticks stand on the lines of what they follow, and only between whole statements, so the text means what it meant.
// The reader knows Lua's grammar and is given what LuaJIT took for good Lua: what else there may be is refused.
#pragma once

#include "base/buf.h"

#define MP_FUEL_STRING_MAX    4096u // a text that a policy writes down or puts together
#define MP_FUEL_NUMBER_MAX    15u   // letters of a text that LuaJIT turns into a number in no time
#define MP_FUEL_WORK          16u
#define MP_FUEL_STATEMENT_MAX 256u // operations of one statement inside of a function

struct mp_fuel_text {
	struct mp_buf text;   // with the ticks
	bool has_long_number; // a text that is a number, or may become one, and takes long to be read as such
	uint32_t loop_line;   // of its first loop, 0: there is none
	uint32_t return_line; // of its end, 0: it returns nothing
	uint32_t wrong_line;  // of what is refused
	char why[128];
};

void mp_fuel_init(struct mp_fuel_text *fuel);
void mp_fuel_deinit(struct mp_fuel_text *fuel);
// 0, MP_EINVAL with wrong_line and why, or MP_ENOMEM.
int mp_fuel_inject(struct mp_fuel_text *fuel, const char *text, size_t len) MP_MUST_CHECK;
