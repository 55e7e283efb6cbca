// SPDX-License-Identifier: Apache-2.0
// What runtime.c and runtime_world.c share.
#pragma once

#include "script/runtime.h"

struct mp_runtime {
	struct mp_loop *loop;
	bool owns_loop;
	bool running; // inside of mp_runtime_run() or mp_runtime_settle()
	bool settling;
	bool stopped;       // by mp_runtime_stop()
	bool ending;        // nothing of the user's runs any more
	lua_State *scratch; // for protected calls from the loop; its stack is empty between them
	int scratch_ref;
	struct mp_waiter *current; // whose Lua code runs now
	size_t waiting;
	size_t live; // coroutines that have not ended and do not serve
	struct mp_list all, idle, ready;
	struct mp_list guests;
	struct mp_runtime *next_left; // of those that a child of fork() has left
	struct mp_task drain;
	uint64_t uuid_last; // of the last timeuuid, in 100 ns since 1970
	uint16_t uuid_clock;
	uint8_t uuid_node[6];
};

// runtime.c
bool mp_runtime_is_current(const struct mp_runtime *runtime, lua_State *co); // its Lua code runs now

// runtime_world.c. In a child of fork(): the coroutine began before it, and goes on in the parent as well.
bool mp_runtime_left(lua_State *co);
