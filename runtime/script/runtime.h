// SPDX-License-Identifier: Apache-2.0
// The script state's half of the world: one lua_State bound to one loop, and the coroutines that run on it. A call that
// waits (execute, sleep, future:wait) yields its coroutine; its completion resumes it from the loop. Waiting outside a
// coroutine that moonpool started is an error that says so.
//
// The current runtime stands in the registry; sim worlds enter theirs for the time of world:run(), so the same Lua code
// runs in real and in virtual time.
#pragma once

#include <lua.h>

#include "loop/loop.h"

struct mp_runtime;

// Bind `L` (its main thread) to a loop. `owns_loop`: free it with the runtime. NULL: out of memory.
struct mp_runtime *mp_runtime_new(lua_State *L, struct mp_loop *loop, bool owns_loop) MP_MUST_CHECK;
// Asserts that no coroutine waits (mp_runtime_waiting() == 0).
void mp_runtime_free(struct mp_runtime *runtime);
void mp_runtime_enter(struct mp_runtime *runtime); // make it current; calls nest
void mp_runtime_leave(struct mp_runtime *runtime);
// The current one of this state; made on demand over a libuv loop of its own when there is none yet.
struct mp_runtime *mp_runtime_of(lua_State *L);
struct mp_loop *mp_runtime_loop(struct mp_runtime *runtime);
size_t mp_runtime_waiting(const struct mp_runtime *runtime); // coroutines and futures that wait

// Call the function at index -(nargs + 1) with nargs arguments in a coroutine of this runtime and run the loop until it
// has returned (or nothing can happen any more). Pushes its results and returns their number; a Lua error is raised
// again in L, with the coroutine's traceback.
int mp_runtime_run(struct mp_runtime *runtime, lua_State *L, int nargs);

// For functions that wait: a waiter is one suspended coroutine.
struct mp_waiter;
// Inside a C function called by Lua: register the running coroutine as waiting and get its waiter; the function must
// then `return lua_yield(L, 0)`. Raises a Lua error outside a runtime's coroutine.
struct mp_waiter *mp_runtime_wait(lua_State *L);
// From the loop: push the results with lua_* on mp_waiter_state(), then resume. The waiter is gone afterwards.
lua_State *mp_waiter_state(struct mp_waiter *waiter);
void mp_waiter_resume(struct mp_waiter *waiter, int nresults);
