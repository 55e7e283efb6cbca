// SPDX-License-Identifier: Apache-2.0
// What runtime.c, runtime_world.c and waiter.c share.
#pragma once

#include "script/runtime.h"

struct mp_runtime {
	struct mp_loop *loop;
	bool owns_loop;
	bool settling;      // inside of mp_runtime_settle()
	bool stopped;       // by mp_runtime_stop()
	bool ending;        // nothing of the user's runs any more
	lua_State *scratch; // for protected calls from the loop; its stack is empty between them
	int scratch_ref;
	struct mp_beat *beat;      // of the loop's thread
	struct mp_waiter *current; // whose Lua code runs now
	uint64_t tickets;          // given so far
	size_t waiting;
	size_t live;           // coroutines that have not ended and do not serve
	size_t handling;       // those of them that handlers are, or have begun
	struct mp_timer grace; // settling: of those, when only they are left
	struct mp_list all, idle, ready;
	struct mp_list guests;
	struct mp_runtime *next_left; // of those that a child of fork() has left
	struct mp_task drain;
	uint64_t uuid_last; // of the last timeuuid, in 100 ns since 1970
	uint16_t uuid_clock;
	uint8_t uuid_node[6];
};

// runtime_world.c. In a child of fork(): the coroutine began before it, and goes on in the parent as well.
bool mp_runtime_left(lua_State *co);

// Settling: a coroutine has ended.
void mp_runtime_look_at_rest(struct mp_runtime *runtime);

// What mp_runtime_run() waits for, on its stack.
struct mp_frame {
	struct mp_waiter *waiter; // NULL: it was forgotten
	bool done;
	int rc;
};

// ---- waiter.c ---------------------------------------------------------------------------------------------
bool mp_runtime_is_current(const struct mp_runtime *runtime, lua_State *co); // its Lua code runs now
// Moves the function and its arguments from L into a coroutine that is ready.
struct mp_waiter *mp_waiter_begin(struct mp_runtime *runtime, lua_State *L, int nargs);
void mp_waiter_set_frame(struct mp_waiter *waiter, struct mp_frame *frame);
lua_State *mp_waiter_thread(struct mp_waiter *waiter);
void mp_waiter_rest(struct mp_waiter *waiter); // it has returned and its results were taken: for others
void mp_waiter_destroy(struct mp_waiter *waiter);
void mp_waiter_stop_timer(struct mp_waiter *waiter);
struct mp_waiter *mp_waiter_of_all(struct mp_list_node *node); // of runtime->all
void mp_waiter_run_ready(void *runtime);                       // the task `drain`
