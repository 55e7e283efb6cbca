// SPDX-License-Identifier: Apache-2.0
// Coroutines on a loop.
//
//   IDLE --start--> READY --the RUN phase--> RUNNING --wait--> WAITING --resume--> RUNNING
//     ^                ^                        |  \                ^
//     |                +---- coroutine.yield ---+   +-- wake: READY-+
//     +------------------- returned ------------+   (an error ends the coroutine for good)
//
// Invariants: user code runs only inside lua_resume(), called by resume() from the loop, never nested in another
// coroutine of the same runtime; `current` is that coroutine. A coroutine that returned is used again, so a task costs
// no garbage. The Lua stack of a suspended coroutine is touched by nobody but its waiter's owner.
#include "script/runtime.h"

#include <lauxlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "script/lua_core.h"
#include "script/runtime_internal.h"

#define IDLE_MAX 4096  // coroutines kept for reuse
#define END_MS   10000 // how long guests may take to close at the end

enum state { IDLE, READY, RUNNING, WAITING };

// What mp_runtime_run() waits for, on its stack.
struct frame {
	bool done;
	int rc;
};

struct mp_waiter {
	struct mp_runtime *runtime;
	lua_State *co;
	int ref; // keeps co alive
	enum state state;
	bool serves;
	int nargs; // READY: values on co's stack to go on with
	struct frame *frame;
	struct mp_timer timer;    // of sleep
	struct mp_list_node node; // in idle or ready; while it waits, its owner's
	struct mp_list_node all;
};

// ---- coroutines -------------------------------------------------------------------------------------------------

static void woken(void *data)
{
	mp_waiter_resume(data, 0);
}

static struct mp_waiter *make(struct mp_runtime *runtime, lua_State *L)
{
	struct mp_waiter *waiter = mp_calloc(1, sizeof(*waiter));
	if (waiter == NULL)
		luaL_error(L, "not enough memory");
	mp_list_node_init(&waiter->node);
	mp_list_node_init(&waiter->all);
	mp_timer_init(&waiter->timer, runtime->loop, woken, waiter);
	waiter->runtime = runtime;
	waiter->ref = LUA_NOREF;
	// In the list first: an error in Lua then leaves a coroutine without a state, which is never used.
	mp_list_push_back(&runtime->all, &waiter->all);
	waiter->co = lua_newthread(L);
	waiter->ref = luaL_ref(L, LUA_REGISTRYINDEX);
	return waiter;
}

static void destroy(struct mp_waiter *waiter)
{
	luaL_unref(waiter->runtime->scratch, LUA_REGISTRYINDEX, waiter->ref);
	mp_list_remove(&waiter->runtime->all, &waiter->all);
	mp_free(waiter);
}

static void make_ready(struct mp_waiter *waiter, int nargs)
{
	struct mp_runtime *runtime = waiter->runtime;
	waiter->state = READY;
	waiter->nargs = nargs;
	mp_list_push_back(&runtime->ready, &waiter->node);
	mp_task_post(runtime->loop, &runtime->drain, MP_PHASE_RUN);
}

// Moves the function and its arguments from L into a coroutine that is ready.
static struct mp_waiter *begin(struct mp_runtime *runtime, lua_State *L, int nargs)
{
	struct mp_waiter *waiter;
	if (runtime->idle.count > 0)
		waiter = MP_CONTAINER_OF(mp_list_pop_front(&runtime->idle), struct mp_waiter, node);
	else
		waiter = make(runtime, L);
	if (!lua_checkstack(waiter->co, nargs + 1)) {
		mp_list_push_front(&runtime->idle, &waiter->node);
		luaL_error(L, "too many arguments");
	}
	waiter->serves = false;
	waiter->frame = NULL;
	lua_xmove(L, waiter->co, nargs + 1);
	runtime->live++;
	make_ready(waiter, nargs);
	return waiter;
}

static int log_failure(lua_State *L)
{
	struct mp_waiter *waiter = lua_touserdata(L, 1);
	lua_xmove(waiter->co, L, 1);
	if (!luaL_callmeta(L, -1, "__tostring") && !lua_isstring(L, -1))
		lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, -1));
	const char *text = lua_tostring(L, -1);
	luaL_traceback(L, waiter->co, text != NULL ? text : "(error object with a wrong __tostring)", 0);
	mp_log_write(mp_loop_log(waiter->runtime->loop), MP_LOG_ERROR, "error in a coroutine: %s",
	             lua_tostring(L, -1));
	return 0;
}

static void ended(struct mp_waiter *waiter, int rc)
{
	struct mp_runtime *runtime = waiter->runtime;
	if (!waiter->serves)
		runtime->live--;
	waiter->state = IDLE;
	if (waiter->frame != NULL) {
		waiter->frame->done = true; // the results stay on the coroutine until mp_runtime_run() has taken them
		waiter->frame->rc = rc;
		mp_loop_stop(runtime->loop);
		return;
	}
	if (rc != 0)
		mp_runtime_protect(runtime, log_failure, waiter, 0);
	if (runtime->settling && runtime->live == 0)
		mp_loop_stop(runtime->loop);
	if (rc != 0 || runtime->idle.count >= IDLE_MAX) {
		destroy(waiter);
		return;
	}
	lua_settop(waiter->co, 0);
	mp_list_push_front(&runtime->idle, &waiter->node);
}

static void resume(struct mp_waiter *waiter, int nargs)
{
	struct mp_runtime *runtime = waiter->runtime;
	if (mp_loop_is_forked(runtime->loop)) // it goes on in the parent
		return;
	struct mp_waiter *outer = runtime->current;
	runtime->current = waiter;
	waiter->state = RUNNING;
	int rc = lua_resume(waiter->co, nargs);
	runtime->current = outer;
	if (rc != LUA_YIELD) {
		ended(waiter, rc);
		return;
	}
	if (waiter->state == WAITING)
		return;
	// A bare coroutine.yield(): the others first, then this one again.
	lua_settop(waiter->co, 0);
	make_ready(waiter, 0);
}

// Somebody resumed the coroutine by hand while it waited: what it waited for finds it ended or elsewhere.
static bool is_stolen(const struct mp_waiter *waiter)
{
	return lua_status(waiter->co) != LUA_YIELD;
}

static void run_ready(void *data)
{
	struct mp_runtime *runtime = data;
	// Only those that are ready now: what they make ready comes after the loop's other work.
	for (size_t left = runtime->ready.count; left > 0 && runtime->ready.count > 0; left--) {
		struct mp_waiter *waiter =
			MP_CONTAINER_OF(mp_list_pop_front(&runtime->ready), struct mp_waiter, node);
		resume(waiter, waiter->nargs);
	}
	if (runtime->ready.count > 0)
		mp_task_post(runtime->loop, &runtime->drain, MP_PHASE_RUN);
}

// ---- waiting ----------------------------------------------------------------------------------------------------

static void raise_forked(lua_State *L)
{
	mp_lua_fail(L, MP_EFORKED,
	            "this call waits for what was begun before fork(): in a child use "
	            "moonpool.run(function() ... end) and pools of its own");
	lua_error(L);
}

bool mp_runtime_is_current(const struct mp_runtime *runtime, lua_State *co)
{
	return runtime->current != NULL && runtime->current->co == co;
}

void mp_runtime_check(struct mp_runtime *runtime, lua_State *L)
{
	if (mp_loop_is_forked(runtime->loop) || (runtime->current == NULL && mp_runtime_left(L)))
		raise_forked(L);
	if (MP_LIKELY(runtime->current != NULL && runtime->current->co == L))
		return;
	if (runtime->current == NULL)
		luaL_error(L, "this call waits, so it works only in a coroutine of moonpool: "
		              "moonpool.run(function() ... end), or 'moonpool run FILE'");
	luaL_error(L, "this call waits, but it was made in a coroutine that moonpool did not start: "
	              "use moonpool.spawn instead of coroutine.create");
}

struct mp_waiter *mp_runtime_register(struct mp_runtime *runtime)
{
	struct mp_waiter *waiter = runtime->current;
	waiter->state = WAITING;
	runtime->waiting++;
	return waiter;
}

int mp_runtime_sleep(struct mp_runtime *runtime, lua_State *L, uint64_t ms)
{
	mp_runtime_check(runtime, L);
	if (mp_timer_start_ms(&runtime->current->timer, ms) != 0)
		return luaL_error(L, "not enough memory");
	mp_runtime_register(runtime);
	return lua_yield(L, 0);
}

struct mp_waiter *mp_runtime_wait(lua_State *L)
{
	struct mp_runtime *runtime = mp_runtime_of(L);
	mp_runtime_check(runtime, L);
	return mp_runtime_register(runtime);
}

lua_State *mp_waiter_state(struct mp_waiter *waiter)
{
	return waiter->co;
}

void mp_waiter_resume(struct mp_waiter *waiter, int nresults)
{
	struct mp_runtime *runtime = waiter->runtime;
	mp_assert(waiter->state == WAITING);
	runtime->waiting--;
	if (MP_UNLIKELY(runtime->ending || is_stolen(waiter))) {
		waiter->state = IDLE;
		if (!waiter->serves)
			runtime->live--;
		destroy(waiter);
		return;
	}
	resume(waiter, nresults);
}

void mp_waiter_wake(struct mp_waiter *waiter)
{
	struct mp_runtime *runtime = waiter->runtime;
	mp_assert(waiter->state == WAITING);
	if (MP_UNLIKELY(runtime->ending || is_stolen(waiter))) {
		mp_waiter_resume(waiter, 0);
		return;
	}
	runtime->waiting--;
	make_ready(waiter, 0);
}

// The scratch state keeps at index 1 a table from C functions to their closures, which would be garbage otherwise.
static void push_function(lua_State *L, lua_CFunction fn)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)fn);
	lua_rawget(L, 1);
	if (MP_LIKELY(!lua_isnil(L, -1)))
		return;
	lua_pop(L, 1);
	lua_pushcfunction(L, fn);
	lua_pushlightuserdata(L, (void *)(uintptr_t)fn);
	lua_pushvalue(L, -2);
	lua_rawset(L, 1);
}

lua_State *mp_runtime_protect(struct mp_runtime *runtime, lua_CFunction fn, void *data, int nresults)
{
	lua_State *L = runtime->scratch;
	int top = lua_gettop(L);
	// The scratch state's stack has room for this: every use of it is balanced.
	push_function(L, fn);
	lua_pushlightuserdata(L, data);
	if (MP_LIKELY(lua_pcall(L, 1, nresults, 0) == 0))
		return L;
	const char *text = lua_tostring(L, -1);
	mp_log_write(mp_loop_log(runtime->loop), MP_LOG_ERROR, "error in the runtime: %s",
	             text != NULL ? text : "?");
	lua_settop(L, top);
	return NULL;
}

// ---- running ----------------------------------------------------------------------------------------------------

void mp_runtime_start(struct mp_runtime *runtime, lua_State *L, int nargs)
{
	begin(runtime, L, nargs);
}

static int do_nothing(lua_State *L)
{
	(void)L;
	return 0;
}

// LuaJIT notes which state runs whenever one is entered and whenever a C function returns, but not when one raises an
// error: machine code would then go on in L with the state of a coroutine that is over. Entering L notes it.
static void note_state(lua_State *L)
{
	lua_pushcfunction(L, do_nothing);
	lua_call(L, 0, 0);
}

static int raise_again(lua_State *L, struct mp_waiter *waiter)
{
	lua_State *co = waiter->co;
	lua_pushvalue(co, -1);
	lua_xmove(co, L, 1);
	if (lua_type(L, -1) == LUA_TSTRING)
		luaL_traceback(L, co, lua_tostring(L, -1), 0);
	destroy(waiter);
	return lua_error(L);
}

int mp_runtime_run(struct mp_runtime *runtime, lua_State *L, int nargs)
{
	if (runtime->running || runtime->current != NULL)
		return luaL_error(L, "run is at work already: use moonpool.spawn inside of it");
	struct frame frame = {false, 0};
	struct mp_waiter *waiter = begin(runtime, L, nargs);
	waiter->frame = &frame;
	runtime->running = true;
	runtime->stopped = false;
	mp_loop_run(runtime->loop);
	runtime->running = false;
	note_state(L);
	if (!frame.done) {
		waiter->frame = NULL;
		if (mp_loop_is_forked(runtime->loop))
			raise_forked(L);
		return luaL_error(L, runtime->stopped
		                         ? "interrupted"
		                         : "the coroutine waits, but nothing is left that could ever wake it");
	}
	if (frame.rc != 0)
		return raise_again(L, waiter);
	int count = lua_gettop(waiter->co);
	luaL_checkstack(L, count, "too many results");
	lua_xmove(waiter->co, L, count);
	waiter->frame = NULL;
	mp_list_push_front(&runtime->idle, &waiter->node);
	return count;
}

void mp_runtime_settle(struct mp_runtime *runtime)
{
	runtime->stopped = false;
	while (runtime->live > 0 && !runtime->stopped && !mp_loop_is_forked(runtime->loop)) {
		runtime->running = runtime->settling = true;
		mp_loop_run(runtime->loop);
		runtime->running = runtime->settling = false;
		if (runtime->live > 0 && runtime->ready.count == 0)
			return; // those that are left wait for what cannot happen
	}
}

void mp_runtime_stop(struct mp_runtime *runtime)
{
	runtime->stopped = true;
	mp_loop_stop(runtime->loop);
}

void mp_runtime_serve(struct mp_runtime *runtime)
{
	mp_assert(runtime->current != NULL);
	if (runtime->current->serves)
		return;
	runtime->current->serves = true;
	runtime->live--;
}

// ---- life -------------------------------------------------------------------------------------------------------

struct mp_runtime *mp_runtime_new(lua_State *L, struct mp_loop *loop, bool owns_loop)
{
	struct mp_runtime *runtime = mp_calloc(1, sizeof(*runtime));
	if (runtime == NULL)
		return NULL;
	runtime->loop = loop;
	runtime->owns_loop = owns_loop;
	mp_list_init(&runtime->all);
	mp_list_init(&runtime->idle);
	mp_list_init(&runtime->ready);
	mp_list_init(&runtime->guests);
	mp_task_init(&runtime->drain, run_ready, runtime);
	runtime->scratch = lua_newthread(L);
	runtime->scratch_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_newtable(L);
	lua_xmove(L, runtime->scratch, 1);
	uint64_t chance = mp_rand_u64(mp_loop_rand(loop));
	memcpy(runtime->uuid_node, &chance, sizeof(runtime->uuid_node));
	runtime->uuid_node[0] |= 1; // a multicast address: no network card has it
	runtime->uuid_clock = (uint16_t)(chance >> 48);
	return runtime;
}

void mp_runtime_end(struct mp_runtime *runtime)
{
	if (mp_loop_is_forked(runtime->loop))
		return;
	uint64_t until = mp_loop_clock_ns(runtime->loop) + END_MS * UINT64_C(1000000);
	runtime->ending = true;
	struct mp_list_node *node = mp_list_first(&runtime->guests);
	while (node != NULL) {
		struct mp_list_node *next = mp_list_next(&runtime->guests, node);
		struct mp_runtime_guest *guest = MP_CONTAINER_OF(node, struct mp_runtime_guest, node);
		guest->end(guest);
		node = next;
	}
	while (runtime->guests.count > 0 && mp_loop_clock_ns(runtime->loop) < until)
		mp_loop_turn(runtime->loop, 10);
	for (node = mp_list_first(&runtime->all); node != NULL; node = mp_list_next(&runtime->all, node)) {
		struct mp_waiter *waiter = MP_CONTAINER_OF(node, struct mp_waiter, all);
		mp_timer_stop(&waiter->timer);
	}
	runtime->waiting = 0;
}

void mp_runtime_free(struct mp_runtime *runtime)
{
	mp_assert(runtime->waiting == 0 && runtime->guests.count == 0);
	mp_task_cancel(runtime->loop, &runtime->drain);
	while (runtime->all.count > 0)
		destroy(MP_CONTAINER_OF(mp_list_first(&runtime->all), struct mp_waiter, all));
	luaL_unref(runtime->scratch, LUA_REGISTRYINDEX, runtime->scratch_ref);
	if (runtime->owns_loop)
		mp_loop_free(runtime->loop);
	mp_free(runtime);
}

struct mp_loop *mp_runtime_loop(struct mp_runtime *runtime)
{
	return runtime->loop;
}

size_t mp_runtime_waiting(const struct mp_runtime *runtime)
{
	return runtime->waiting;
}

void mp_runtime_add_guest(struct mp_runtime *runtime, struct mp_runtime_guest *guest)
{
	mp_list_node_init(&guest->node);
	mp_list_push_back(&runtime->guests, &guest->node);
}

void mp_runtime_remove_guest(struct mp_runtime *runtime, struct mp_runtime_guest *guest)
{
	mp_list_remove(&runtime->guests, &guest->node);
}

struct mp_list_node *mp_waiter_node(struct mp_waiter *waiter)
{
	return &waiter->node;
}

struct mp_waiter *mp_waiter_at(struct mp_list_node *node)
{
	return MP_CONTAINER_OF(node, struct mp_waiter, node);
}
