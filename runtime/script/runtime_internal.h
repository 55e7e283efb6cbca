// SPDX-License-Identifier: Apache-2.0
// What runtime.c, runtime_world.c, waiter.c, turn.c and owner.c share.
#pragma once

#include "script/blocks.h"
#include "script/host.h"
#include "script/owner.h"
#include "script/runtime.h"

struct mp_runtime {
	struct mp_loop *loop;
	bool owns_loop;
	bool settling;      // inside of mp_runtime_settle()
	bool stopped;       // by mp_runtime_stop()
	bool ending;        // nothing of the user's runs any more
	lua_State *scratch; // for protected calls from the loop; its stack is empty between them
	int scratch_ref;
	int closures_ref;         // of the functions that were called from the loop, in the order of `called`
	lua_CFunction called[16]; // found faster than by a table of Lua's
	uint32_t called_count;
	struct mp_beat *beat;      // of the loop's thread
	uint64_t handler_ns;       // since when it runs, 0: what runs is none
	struct mp_blocks blocks;   // handlers that held the loop up
	struct mp_waiter *current; // whose Lua code runs now
	bool is_given;             // what current begins now belongs to that owner (within)
	struct mp_owner *given;
	struct mp_waiter *given_by;
	uint64_t tickets;       // given so far
	uint32_t turn_errors;   // that it got for it
	uint64_t turn_until_ns; // processor time at which the turn of a limited coroutine ends
	size_t waiting;
	size_t live;           // coroutines that have not ended and do not serve
	size_t handling;       // those of them that handlers are, or have begun
	struct mp_timer grace; // settling: of those, when only they are left
	struct mp_list all, idle, ready;
	struct mp_list guests;
	struct mp_runtime *next_left; // of those that a child of fork() has left
	struct mp_task drain;
	const struct mp_host *host; // NULL: there are no coroutines but ours
	struct mp_waiter **seats;   // of visitors, by their number
	uint32_t seat_count, seat_capacity, seat_looked_at;
	struct mp_list free_seats, answered;
	struct mp_waiter *expected; // the seat of the one that is about to wait,
	lua_State *visiting;        // and its coroutine
	struct mp_uuid_clock uuids; // of time
};

// runtime_world.c. In a child of fork(): the coroutine began before it, and goes on in the parent as well.
bool mp_runtime_left(lua_State *co);

// Settling: a coroutine has ended.
void mp_runtime_look_at_rest(struct mp_runtime *runtime);

// One suspended coroutine: one of ours (waiter.c), or one of the host's, a visitor (visitor.c), for which `co` only
// keeps what it waited for.
struct mp_waiter {
	// One cache line of what a wait and the answer touch: thousands may wait in between.
	struct mp_runtime *runtime;
	lua_State *co;
	double ticket;          // of its last suspension, alone on its stack meanwhile
	void *bell;             // of a visitor: the host's, where its coroutine waits; NULL: no visitor
	struct mp_label *label; // what it is at, NULL: nobody asks
	struct mp_owner *owner; // what it belongs to
	uint32_t turn_ms;       // what it may compute without waiting, 0: as long as it likes
	int nargs;              // until it has begun: values above its function
	uint8_t state;          // of waiter.c
	bool begun;
	bool known; // Lua has it
	bool serves;
	bool failed; // it has ended with an error
	bool answered;
	// The rest.
	int ref;        // keeps co alive
	int future_ref; // gets its results or its error, LUA_NOREF: nobody does
	struct mp_frame *frame;
	struct mp_timer timer;    // of sleep
	struct mp_list_node node; // in idle, ready or queue
	struct mp_list *queue;    // its owner's, while it waits there
	struct mp_list_node all;
	uint32_t seat, visits; // of a visitor
};

// What mp_runtime_run() waits for, on its stack.
struct mp_frame {
	struct mp_waiter *waiter; // NULL: it was forgotten
	bool done;
	int rc;
};

// ---- visitor.c --------------------------------------------------------------------------------------------
bool mp_visitor_is_from_host(const struct mp_runtime *runtime); // Lua runs in a coroutine of the host's
int mp_visitor_expect(struct mp_runtime *runtime, lua_State *L) MP_MUST_CHECK; // as mp_runtime_check()
int mp_visitor_part(struct mp_runtime *runtime);   // it waits from now on; the results of the call
void mp_visitor_answer(struct mp_waiter *visitor); // what it waited for is on `co`

// ---- waiter.c ---------------------------------------------------------------------------------------------
bool mp_runtime_is_current(const struct mp_runtime *runtime, lua_State *co); // its Lua code runs now
struct mp_waiter *mp_waiter_make(struct mp_runtime *runtime, lua_State *L);  // NULL: no memory
// Moves the function and its arguments from L into a coroutine that is ready. NULL: they stay, the error is above them.
struct mp_waiter *mp_waiter_try(struct mp_runtime *runtime, lua_State *L, struct mp_owner *owner, int nargs);
struct mp_waiter *mp_waiter_begin(struct mp_runtime *runtime, lua_State *L, struct mp_owner *owner,
                                  int nargs); // raises it
void mp_waiter_recall(
	struct mp_waiter *waiter); // of an owner that is over: it waits no longer, if that can be
void mp_waiter_set_frame(struct mp_waiter *waiter, struct mp_frame *frame);
lua_State *mp_waiter_thread(struct mp_waiter *waiter);
void mp_waiter_rest(struct mp_waiter *waiter); // it has returned and its results were taken: for others
void mp_waiter_destroy(struct mp_waiter *waiter);
void mp_waiter_stop_timer(struct mp_waiter *waiter);
struct mp_waiter *mp_waiter_of_all(struct mp_list_node *node); // of runtime->all
void mp_waiter_run_ready(void *runtime);                       // the task `drain`

// ---- turn.c -----------------------------------------------------------------------------------------------
// It is about to run, for the first time or after a wait (goes_on). True: under a hook, which its caller takes off.
bool mp_turn_begin(struct mp_waiter *waiter, bool goes_on);
