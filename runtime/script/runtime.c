// SPDX-License-Identifier: Apache-2.0
// A runtime: its life, running its loop for the coroutines of waiter.c, and calls from the loop into Lua.
//
// Lua may begin anything at any allocation: a collection, and with it finalizers of the user's. So nothing that the
// collector owns is touched after Lua ran unless it is held (script/pool/pool.h), on a Lua stack, or in the registry;
// and a state that is closed from inside of its own loop, by os.exit(n, true), leaves the loop alone: the process ends.
#include "script/runtime.h"

#include <lauxlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "script/core.h"
#include "script/runtime_internal.h"

#define END_MS   10000 // how long guests may take to close at the end
#define GRACE_MS 2000  // for handlers when the program has ended otherwise
#define ENTER    "moonpool.enter"
#define LEAVE    "moonpool.leave"

// ---- calls from the loop ----------------------------------------------------------------------------------

struct closure {
	lua_CFunction fn;
	int table, place;
};

// Protected.
static int make_closure(lua_State *L)
{
	const struct closure *made = lua_touserdata(L, 1);
	lua_rawgeti(L, LUA_REGISTRYINDEX, made->table);
	lua_pushcfunction(L, made->fn);
	lua_rawseti(L, -2, made->place);
	return 0;
}

// On the scratch state, which has the closures at index 1 by their places in `called`: else they would be garbage.
// False: out of memory, nothing is pushed.
static bool push_closure(struct mp_runtime *runtime, lua_CFunction fn)
{
	lua_State *L = runtime->scratch;
	uint32_t i = 0;
	while (i < runtime->called_count && runtime->called[i] != fn)
		i++;
	if (MP_UNLIKELY(i == runtime->called_count)) {
		i = i < MP_ARRAY_LEN(runtime->called) ? i : i - 1; // the last place is shared
		struct closure made = {fn, runtime->closures_ref, (int)i + 1};
		if (lua_cpcall(L, make_closure, &made) != 0) {
			lua_pop(L, 1);
			return false;
		}
		runtime->called[i] = fn;
		runtime->called_count = i + 1;
	}
	lua_rawgeti(L, 1, (int)i + 1);
	return true;
}

lua_State *mp_runtime_protect(struct mp_runtime *runtime, lua_CFunction fn, void *data, int nresults)
{
	lua_State *L = runtime->scratch;
	int top = lua_gettop(L);
	const char *text = "not enough memory";
	mp_runtime_collect(L);
	// The scratch state's stack has room for this: every use of it is balanced.
	if (MP_LIKELY(push_closure(runtime, fn))) {
		lua_pushlightuserdata(L, data);
		int rc = lua_pcall(L, 1, nresults, 0);
		mp_runtime_collect(L);
		if (MP_LIKELY(rc == 0))
			return L;
		text = lua_tostring(L, -1);
	}
	mp_log_write(mp_loop_log(runtime->loop), MP_LOG_ERROR, "error in the runtime: %s",
	             text != NULL ? text : "?");
	lua_settop(L, top);
	return NULL;
}

void mp_waiter_hand(struct mp_waiter *waiter, lua_CFunction push, void *data)
{
	lua_State *from = mp_runtime_protect(waiter->runtime, push, data, 2);
	lua_State *co = mp_waiter_state(waiter);
	if (from != NULL) {
		lua_xmove(from, co, 2);
	} else {
		lua_pushnil(co);
		mp_lua_push_no_memory(co);
	}
}

#ifdef MP_HARD
// At every place for as long as a spec usually takes, then at some: a collection takes a millisecond, and more when
// much has been kept.
#define COLLECT_ALL   200
#define COLLECT_EVERY 101
#define COLLECT_KIB   32768u             // of memory for each further place that is passed by
static _Thread_local uint32_t collected; // since the newest runtime was made

void mp_runtime_collect(lua_State *L)
{
	uint32_t every = (collected < COLLECT_ALL ? 1 : COLLECT_EVERY) *
	                 (1 + (uint32_t)lua_gc(L, LUA_GCCOUNT, 0) / COLLECT_KIB);
	if (++collected % every == 0)
		lua_gc(L, LUA_GCCOLLECT, 0);
}
#endif

lua_State *mp_runtime_state(struct mp_runtime *runtime)
{
	return runtime->scratch;
}

// ---- running ----------------------------------------------------------------------------------------------

void mp_runtime_start(struct mp_runtime *runtime, lua_State *L, int nargs)
{
	if (runtime->ending)
		lua_pop(L, nargs + 1);
	else
		(void)mp_waiter_begin(runtime, L, mp_owner_given(runtime), nargs);
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

// Whether L is inside of a finalizer or a debug hook: no other hook is called there. A coroutine that is resumed there
// cannot yield, whatever lua_isyieldable says.
static void probe(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	lua_sethook(L, NULL, 0, 0);
}

static bool is_in_hook(lua_State *L)
{
	lua_Hook hook = lua_gethook(L);
	int mask = lua_gethookmask(L), count = lua_gethookcount(L);
	lua_sethook(L, probe, LUA_MASKCALL, 0);
	note_state(L);
	bool untouched = lua_gethook(L) == probe;
	lua_sethook(L, hook, mask, count);
	return untouched;
}

static void check_run(struct mp_runtime *runtime, lua_State *L)
{
	if (runtime->ending)
		luaL_error(L, "the event loop has ended: nothing can be run any more");
	if (runtime->current != NULL || mp_loop_is_running(runtime->loop))
		luaL_error(L, "run is at work already: use moonpool.spawn inside of it");
	if (is_in_hook(L))
		luaL_error(L,
		           "nothing can be run inside of a finalizer (__gc) or a debug hook: Lua cannot wait there");
}

// What lua/moonpool/modules.lua does before and after coroutines run.
static void call_around(lua_State *L, const char *which)
{
	lua_getfield(L, LUA_REGISTRYINDEX, which);
	if (lua_isfunction(L, -1))
		lua_call(L, 0, 0);
	else
		lua_pop(L, 1);
}

void mp_runtime_set_around(lua_State *L)
{
	lua_setfield(L, LUA_REGISTRYINDEX, LEAVE);
	lua_setfield(L, LUA_REGISTRYINDEX, ENTER);
}

static int raise_again(lua_State *L, struct mp_waiter *waiter)
{
	lua_State *co = mp_waiter_thread(waiter);
	lua_pushvalue(co, -1);
	lua_xmove(co, L, 1);
	if (lua_type(L, -1) == LUA_TSTRING)
		mp_lua_push_traceback(L, co);
	mp_waiter_destroy(waiter);
	return lua_error(L);
}

static const char *why_not_done(const struct mp_runtime *runtime, const struct mp_frame *frame)
{
	if (frame->waiter == NULL)
		return "the coroutine was resumed by somebody else while it waited";
	return runtime->stopped ? "interrupted"
	                        : "the coroutine waits, but nothing is left that could ever wake it";
}

int mp_runtime_run(struct mp_runtime *runtime, lua_State *L, int nargs)
{
	check_run(runtime, L);
	struct mp_frame frame = {.waiter = mp_waiter_begin(runtime, L, NULL, nargs)};
	call_around(L, ENTER);
	mp_waiter_set_frame(frame.waiter, &frame);
	runtime->stopped = false;
	mp_loop_run(runtime->loop);
	note_state(L);
	call_around(L, LEAVE);
	if (!frame.done) {
		const char *why = why_not_done(runtime, &frame);
		if (frame.waiter != NULL)
			mp_waiter_set_frame(frame.waiter, NULL);
		if (mp_loop_is_forked(runtime->loop))
			mp_runtime_raise_forked(L);
		return luaL_error(L, "%s", why);
	}
	if (frame.rc != 0)
		return raise_again(L, frame.waiter);
	lua_State *co = mp_waiter_thread(frame.waiter);
	int count = lua_gettop(co);
	luaL_checkstack(L, count, "too many results");
	lua_xmove(co, L, count);
	mp_waiter_rest(frame.waiter);
	return count;
}

static void on_grace(void *data)
{
	struct mp_runtime *runtime = data;
	mp_log_write(mp_loop_log(runtime->loop), MP_LOG_WARN,
	             "%zu coroutines of event handlers have not ended: they are not waited for",
	             runtime->handling);
	mp_runtime_stop(runtime);
}

// Handlers are not what the program is about: when only they are left they have a while to end.
void mp_runtime_look_at_rest(struct mp_runtime *runtime)
{
	if (runtime->live == 0)
		mp_loop_stop(runtime->loop);
	else if (runtime->live == runtime->handling && !mp_timer_active(&runtime->grace) &&
	         mp_timer_start_ms(&runtime->grace, GRACE_MS) != 0)
		mp_runtime_stop(runtime);
}

void mp_runtime_settle(struct mp_runtime *runtime)
{
	runtime->stopped = false;
	while (runtime->live > 0 && !runtime->stopped && !mp_loop_is_running(runtime->loop) &&
	       !mp_loop_is_forked(runtime->loop)) {
		runtime->settling = true;
		mp_runtime_look_at_rest(runtime);
		mp_loop_run(runtime->loop);
		runtime->settling = false;
		mp_timer_stop(&runtime->grace);
		if (runtime->live > 0 && runtime->ready.count == 0)
			return; // those that are left wait for what cannot happen
	}
}

void mp_runtime_stop(struct mp_runtime *runtime)
{
	runtime->stopped = true;
	mp_loop_stop(runtime->loop);
}

// ---- life -------------------------------------------------------------------------------------------------

// Protected: the runtime's own state and table are Lua's, who may have no memory for them.
static int make_states(lua_State *L)
{
	struct mp_runtime *runtime = lua_touserdata(L, 1);
	runtime->scratch = lua_newthread(L);
	runtime->scratch_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	runtime->closures_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_xmove(L, runtime->scratch, 1);
	return 0;
}

struct mp_runtime *mp_runtime_new(lua_State *L, struct mp_loop *loop, bool owns_loop)
{
	struct mp_runtime *runtime = mp_calloc(1, sizeof(*runtime));
	if (runtime == NULL)
		return NULL;
#ifdef MP_HARD
	collected = 0;
#endif
	runtime->loop = loop;
	runtime->beat = mp_loop_beat(loop);
	runtime->owns_loop = owns_loop;
	mp_list_init(&runtime->all);
	mp_list_init(&runtime->idle);
	mp_list_init(&runtime->ready);
	mp_list_init(&runtime->guests);
	mp_list_init(&runtime->free_seats);
	mp_list_init(&runtime->answered);
	mp_task_init(&runtime->drain, mp_waiter_run_ready, runtime);
	mp_timer_init(&runtime->grace, loop, on_grace, runtime);
	runtime->scratch_ref = runtime->closures_ref = LUA_NOREF;
	if (lua_cpcall(L, make_states, runtime) != 0) {
		lua_pop(L, 1);
		luaL_unref(L, LUA_REGISTRYINDEX, runtime->scratch_ref);
		luaL_unref(L, LUA_REGISTRYINDEX, runtime->closures_ref);
		mp_free(runtime);
		return NULL;
	}
	mp_uuid_clock_init(&runtime->uuids, mp_loop_rand(loop));
	return runtime;
}

static void leave_guests(struct mp_runtime *runtime)
{
	struct mp_list_node *node = mp_list_first(&runtime->guests);
	for (; node != NULL; node = mp_list_next(&runtime->guests, node)) {
		struct mp_runtime_guest *guest = MP_CONTAINER_OF(node, struct mp_runtime_guest, node);
		if (guest->leave != NULL)
			guest->leave(guest);
	}
}

bool mp_runtime_end(struct mp_runtime *runtime)
{
	if (mp_loop_is_forked(runtime->loop))
		return false;
	if (mp_loop_is_running(runtime->loop)) {
		leave_guests(runtime);
		return false;
	}
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
	for (node = mp_list_first(&runtime->all); node != NULL; node = mp_list_next(&runtime->all, node))
		mp_waiter_stop_timer(mp_waiter_of_all(node));
	runtime->waiting = 0;
	return runtime->guests.count == 0;
}

void mp_runtime_free(struct mp_runtime *runtime)
{
	mp_assert(runtime->waiting == 0 && runtime->guests.count == 0);
	mp_task_cancel(runtime->loop, &runtime->drain);
	while (runtime->all.count > 0)
		mp_waiter_destroy(mp_waiter_of_all(mp_list_first(&runtime->all)));
	mp_free(runtime->seats);
	luaL_unref(runtime->scratch, LUA_REGISTRYINDEX, runtime->closures_ref);
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
