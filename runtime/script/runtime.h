// SPDX-License-Identifier: Apache-2.0
// The script state's half of the world: one lua_State bound to one loop, and the coroutines that run on it. A call that
// waits (execute, sleep, future:wait) yields its coroutine; its completion resumes it from the loop. Waiting outside a
// coroutine that moonpool started is an error that says so.
//
// The current runtime stands in the registry; sim worlds enter theirs for the time of world:run(), so the same Lua code
// runs in real and in virtual time.
#pragma once

#include <lua.h>

#include "base/list.h"
#include "base/uuid.h"
#include "loop/loop.h"

struct mp_runtime;

// Bind `L` (any of its threads) to a loop. `owns_loop`: free it with the runtime. NULL: out of memory, also
// of Lua's.
struct mp_runtime *mp_runtime_new(lua_State *L, struct mp_loop *loop, bool owns_loop) MP_MUST_CHECK;
// Asserts that no coroutine waits (mp_runtime_waiting() == 0) and no guest is left.
void mp_runtime_free(struct mp_runtime *runtime);
void mp_runtime_enter(struct mp_runtime *runtime); // make it current; calls nest
void mp_runtime_leave(struct mp_runtime *runtime);
// The current one of this state; made on demand over a libuv loop of its own when there is none yet.
struct mp_runtime *mp_runtime_of(lua_State *L);
struct mp_runtime *mp_runtime_peek(lua_State *L); // NULL: there is none yet
struct mp_runtime *mp_runtime_try(lua_State *L);  // as mp_runtime_of(); NULL: its loop could not be made
#define MP_RUNTIME_NONE "the event loop could not be made: no descriptor is free (ulimit -n), or no memory"
struct mp_loop *mp_runtime_loop(struct mp_runtime *runtime);
size_t mp_runtime_waiting(const struct mp_runtime *runtime); // coroutines that wait, whatever for

// Call the function at index -(nargs + 1) with nargs arguments in a coroutine of this runtime and run the loop until it
// has returned (or nothing can happen any more). Pushes its results and returns their number; a Lua error is raised
// again in L, with the coroutine's traceback. Raises when the loop runs already or has ended, in finalizers and hooks.
int mp_runtime_run(struct mp_runtime *runtime, lua_State *L, int nargs);
// Pops two functions: called around each run of coroutines of this Lua state, and after it.
void mp_runtime_set_around(lua_State *L);
// The same without running: the function begins in the RUN phase of this turn. An error that it raises is logged. When
// the runtime ends nothing begins.
void mp_runtime_start(struct mp_runtime *runtime, lua_State *L,
                      int nargs); // it belongs to nobody (script/owner.h)
// Run the loop until every coroutine has ended but those that serve pools (mp_runtime_serve), or mp_runtime_stop().
// When only coroutines of event handlers are left, they have two seconds.
void mp_runtime_settle(struct mp_runtime *runtime);
// Lua got hold of L, in which it runs.
void mp_runtime_know(struct mp_runtime *runtime, lua_State *L);
// From a callback: mp_runtime_run() and mp_runtime_settle() return at the end of this turn (run: with an error).
void mp_runtime_stop(struct mp_runtime *runtime);
// Inside of a coroutine of the runtime: what it and those that it starts are at, for whoever looks on at the loop
// (base/beat.h). Without memory it keeps the name that it has.
void mp_runtime_label(struct mp_runtime *runtime, const char *text);
struct mp_blocks;
const struct mp_blocks *mp_runtime_blocks(const struct mp_runtime *runtime); // handlers that held the loop up
// Inside of a coroutine of the runtime: it serves others, so that nobody waits for its end.
void mp_runtime_serve(struct mp_runtime *runtime);

// For functions that wait: a waiter is one suspended coroutine. A C function that Lua called passes check() before it
// submits or registers anything, then register(), and ends with `return mp_runtime_yield(...)`.
struct mp_waiter;
// Raises a Lua error that names the place and the cure where Lua cannot wait: outside of a coroutine of this runtime,
// and below a C function (sort, gsub, ...), a finalizer, a hook.
// 0, or MP_ENOMEM: a coroutine of a host's found no seat.
int mp_runtime_check(const struct mp_runtime *runtime, lua_State *L) MP_MUST_CHECK;
void mp_runtime_raise_forked(lua_State *L);                        // MP_EFORKED
struct mp_waiter *mp_runtime_register(struct mp_runtime *runtime); // cannot fail
// Instead of register(): in a queue of its owner's, who takes the first one out (NULL: nobody waits there) and resumes
// it. One that is ended with its owner leaves the queue by itself.
void mp_runtime_queue(struct mp_runtime *runtime, struct mp_list *queue);
struct mp_waiter *mp_runtime_unqueue(struct mp_list *queue);
int mp_runtime_yield(struct mp_runtime *runtime);
int mp_runtime_sleep(struct mp_runtime *runtime, lua_State *L, uint64_t ms); // all of it
// From the loop: push the results with lua_* on mp_waiter_state(), without allocating, then resume. The waiter is gone
// afterwards, and anything that Lua owns may be. A coroutine that somebody resumed by hand is forgotten.
lua_State *mp_waiter_state(struct mp_waiter *waiter);
void mp_waiter_resume(struct mp_waiter *waiter, int nresults);
// Puts two results on its state, for mp_waiter_resume(waiter, 2): those that `push` pushes, as mp_runtime_protect()
// says, or without memory nil and the error that says so.
void mp_waiter_hand(struct mp_waiter *waiter, lua_CFunction push, void *data);
// Without results, later in this turn: also from inside of Lua.
void mp_waiter_wake(struct mp_waiter *waiter);
// A coroutine of the host's: it does not run inside of mp_waiter_resume(), so what it gets must be there before.
bool mp_waiter_is_visitor(const struct mp_waiter *waiter);

// From the loop: call a C function protected on a state of the runtime's own, with `data` as light userdata at index 1.
// It pushes exactly `nresults` values, which are left on the returned state for lua_xmove; NULL: it raised an error
// (out of memory), which was logged, and nothing is left. Finalizers may run meanwhile: see runtime.c.
lua_State *mp_runtime_protect(struct mp_runtime *runtime, lua_CFunction fn, void *data, int nresults);

// A thread of the Lua state that lives as long as the runtime.
lua_State *mp_runtime_state(struct mp_runtime *runtime);

// Before and after Lua runs, where C goes on afterwards: the hard build collects everything there.
#ifdef MP_HARD
void mp_runtime_collect(lua_State *L);
#else
static inline void mp_runtime_collect(lua_State *L)
{
	(void)L;
}
#endif

// What must be closed before the loop ends (sessions, simulated clusters), in its owner's storage. `end` is called when
// the runtime ends with its lua_State; it begins to close, and removes the guest at once or from the loop.
struct mp_runtime_guest {
	struct mp_list_node node;
	void (*end)(struct mp_runtime_guest *guest);
	// Or this, when the Lua state is closed from inside of the running loop (os.exit(n, true)): what must not be touched
	// by the loop's callers stays, for the process ends. May be NULL.
	void (*leave)(struct mp_runtime_guest *guest);
	// How many requests of the application's it has in flight. May be NULL.
	size_t (*requests)(struct mp_runtime_guest *guest);
};
void mp_runtime_add_guest(struct mp_runtime *runtime, struct mp_runtime_guest *guest);
void mp_runtime_remove_guest(struct mp_runtime *runtime, struct mp_runtime_guest *guest);
// End all guests now and run the loop until they are gone (bounded by ten seconds). Coroutines that wait are forgotten;
// the runtime starts no others any more. False: some are left, and the runtime must not be freed; at once when the loop
// is running, that is, when its Lua state is closed from inside of it; then the guests are left.
bool mp_runtime_end(struct mp_runtime *runtime);

// Random (version 4) and time based (version 1, strictly increasing) UUIDs of this world.
void mp_runtime_uuid(struct mp_runtime *runtime, struct mp_uuid *uuid);
void mp_runtime_timeuuid(struct mp_runtime *runtime, struct mp_uuid *uuid);
