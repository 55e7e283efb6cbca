// SPDX-License-Identifier: Apache-2.0
// A program that has Lua coroutines of its own and resumes them itself, as an nginx worker does: what the runtime asks
// of it. One of its coroutines that calls something that waits is a *visitor*: it takes a seat, which has a bell of the
// host's; the call returns the seat's number and core.parked to its Lua wrapper (lua/moonpool/nginx.lua), which yields
// to the host. The answer is put down at the seat, the host rings the bell and resumes its coroutine when it likes, and
// that fetches the answer by the number: core.take().
//
// The host may end a coroutine at any time. So a seat's number has the count of its visits in it, and what nobody came
// for is thrown away: by the bell, when nobody waits at it, or by mp_runtime_reap().
#pragma once

#include <lua.h>

#include "base/defs.h"

struct mp_runtime;

struct mp_host {
	// NULL: L, which runs, may wait. Otherwise why it cannot, in words; "": the runtime knows why (a function of C).
	const char *(*refuse)(lua_State *L);
	void *(*open)(void); // a bell, or NULL: no memory
	void (*close)(void *bell);
	void (*wait)(void *bell, lua_State *L); // L begins to wait; it has passed refuse()
	bool (*ring)(void *bell);               // L goes on, soon; false: nobody waits any more
	bool (*waits)(void *bell);              // whether somebody does
	void (*made)(lua_State *co);            // a coroutine of the runtime's was made
};

// At once after it was made; `host` outlives it.
void mp_runtime_set_host(struct mp_runtime *runtime, const struct mp_host *host);
// Whoever was rung for has had the time to come: the answers that are left are thrown away. Returns their number.
size_t mp_runtime_reap(struct mp_runtime *runtime);
// Requests in flight, of whomever they are.
size_t mp_runtime_requests(const struct mp_runtime *runtime);

struct mp_seats {
	size_t all;      // made so far
	size_t waiting;  // with somebody who waits
	size_t answered; // with an answer that nobody has fetched yet
};
void mp_runtime_seats(const struct mp_runtime *runtime, struct mp_seats *out);

// What makes the runtime of this Lua state on demand, in place of a loop that moonpool.run() turns.
struct mp_home {
	void (*check)(lua_State *L);                        // raises where it must not be made
	int (*made)(lua_State *L, struct mp_runtime *made); // 0, or MP_E*: then it is freed
};
void mp_runtime_set_home(lua_State *L, const struct mp_home *home);
// The end of that runtime, before the end of the state: nothing can be begun in it any more.
void mp_runtime_close(lua_State *L);
