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
//
// Lua can get hold of a coroutine (coroutine.running) and resume it by hand. So each suspension leaves a ticket on the
// coroutine's stack: only one that still holds the ticket of its last wait is given what it waited for; any other is
// forgotten, for it belongs to whoever took it. One that somebody got hold of is not used again: it would be another's.
#include <lauxlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "script/core.h"
#include "script/label.h"
#include "script/runtime_internal.h"

#define IDLE_MAX 4096 // coroutines kept for reuse

enum state { IDLE, READY, RUNNING, WAITING };

// ---- coroutines -------------------------------------------------------------------------------------------

static void woken(void *data)
{
	mp_waiter_resume(data, 0);
}

struct mp_waiter *mp_waiter_make(struct mp_runtime *runtime, lua_State *L)
{
	struct mp_waiter *waiter = mp_alloc_lines(sizeof(*waiter));
	if (waiter == NULL)
		return NULL;
	*waiter = (struct mp_waiter){.runtime = runtime, .ref = LUA_NOREF, .future_ref = LUA_NOREF};
	mp_list_node_init(&waiter->node);
	mp_list_node_init(&waiter->all);
	mp_timer_init(&waiter->timer, runtime->loop, woken, waiter);
	if (mp_timer_reserve(&waiter->timer) != 0) {
		mp_free(waiter);
		return NULL;
	}
	// In the list first: an error in Lua then leaves a coroutine without a state, which is never used.
	mp_list_push_back(&runtime->all, &waiter->all);
	waiter->co = lua_newthread(L);
	waiter->ref = luaL_ref(L, LUA_REGISTRYINDEX);
	if (runtime->host != NULL)
		runtime->host->made(waiter->co);
	return waiter;
}

static void leave_owner(struct mp_waiter *waiter)
{
	mp_owner_leave(waiter->owner);
	waiter->owner = NULL;
}

void mp_waiter_destroy(struct mp_waiter *waiter)
{
	if (waiter->frame != NULL)
		waiter->frame->waiter = NULL;
	luaL_unref(waiter->runtime->scratch, LUA_REGISTRYINDEX, waiter->ref);
	luaL_unref(waiter->runtime->scratch, LUA_REGISTRYINDEX, waiter->future_ref);
	mp_label_unref(waiter->label);
	leave_owner(waiter);
	mp_timer_release(&waiter->timer);
	if (waiter->bell != NULL)
		waiter->runtime->host->close(waiter->bell);
	mp_list_remove(&waiter->runtime->all, &waiter->all);
	mp_free(waiter);
}

// It is not waited for any more.
static void count_out(struct mp_waiter *waiter)
{
	struct mp_runtime *runtime = waiter->runtime;
	if (waiter->serves)
		return;
	runtime->live--;
	runtime->handling -= waiter->label != NULL ? 1 : 0;
}

// It does not come back: somebody took it, or the runtime ends.
static void forget(struct mp_waiter *waiter)
{
	struct mp_runtime *runtime = waiter->runtime;
	count_out(waiter);
	if (waiter->frame != NULL)
		mp_loop_stop(runtime->loop); // nobody else will
	mp_waiter_destroy(waiter);
}

static void make_ready(struct mp_waiter *waiter)
{
	struct mp_runtime *runtime = waiter->runtime;
	waiter->state = READY;
	mp_list_push_back(&runtime->ready, &waiter->node);
	mp_task_post(runtime->loop, &runtime->drain, MP_PHASE_RUN);
}

struct mp_waiter *mp_waiter_try(struct mp_runtime *runtime, lua_State *L, struct mp_owner *owner, int nargs)
{
	struct mp_waiter *waiter;
	if (runtime->idle.count > 0)
		waiter = MP_CONTAINER_OF(mp_list_pop_front(&runtime->idle), struct mp_waiter, node);
	else
		waiter = mp_waiter_make(runtime, L);
	if (waiter == NULL) {
		mp_lua_push_no_memory(L);
		return NULL;
	}
	if (!lua_checkstack(waiter->co, nargs + 1)) {
		mp_list_push_front(&runtime->idle, &waiter->node);
		lua_pushliteral(L, "too many arguments");
		return NULL;
	}
	waiter->begun = waiter->known = waiter->serves = false;
	waiter->turn_ms = runtime->current != NULL ? runtime->current->turn_ms : 0;
	waiter->nargs = nargs;
	waiter->label = runtime->current != NULL ? mp_label_ref(runtime->current->label) : NULL;
	waiter->owner = mp_owner_enter(owner);
	waiter->frame = NULL;
	lua_xmove(L, waiter->co, nargs + 1);
	runtime->live++;
	runtime->handling += waiter->label != NULL ? 1 : 0;
	make_ready(waiter);
	return waiter;
}

struct mp_waiter *mp_waiter_begin(struct mp_runtime *runtime, lua_State *L, struct mp_owner *owner, int nargs)
{
	struct mp_waiter *waiter = mp_waiter_try(runtime, L, owner, nargs);
	if (MP_UNLIKELY(waiter == NULL))
		lua_error(L);
	return waiter;
}

void mp_waiter_rest(struct mp_waiter *waiter)
{
	waiter->frame = NULL;
	if (waiter->known || waiter->runtime->idle.count >= IDLE_MAX) {
		mp_waiter_destroy(waiter);
		return;
	}
	mp_label_unref(waiter->label);
	waiter->label = NULL;
	leave_owner(waiter);
	lua_settop(waiter->co, 0);
	mp_list_push_front(&waiter->runtime->idle, &waiter->node);
}

static int log_failure(lua_State *L)
{
	struct mp_waiter *waiter = lua_touserdata(L, 1);
	lua_xmove(waiter->co, L, 1);
	if (lua_type(L, -1) != LUA_TSTRING)
		mp_lua_push_error_text(L, -1);
	mp_lua_push_traceback(L, waiter->co);
	mp_log_write(mp_loop_log(waiter->runtime->loop), MP_LOG_ERROR, "error in a coroutine: %s",
	             lua_tostring(L, -1));
	return 0;
}

static int settle_future(lua_State *L)
{
	struct mp_waiter *waiter = lua_touserdata(L, 1);
	lua_rawgeti(L, LUA_REGISTRYINDEX, waiter->future_ref);
	int count = waiter->failed ? 1 : lua_gettop(waiter->co);
	luaL_checkstack(L, count + 1, "too many results");
	if (waiter->failed)
		lua_pushnil(L);
	lua_xmove(waiter->co, L, count);
	if (waiter->failed && lua_type(L, -1) == LUA_TSTRING)
		mp_lua_push_traceback(L, waiter->co);
	mp_lua_future_settle(L, 2, waiter->failed ? 2 : count);
	return 0;
}

static void ended(struct mp_waiter *waiter, int rc)
{
	struct mp_runtime *runtime = waiter->runtime;
	count_out(waiter);
	waiter->state = IDLE;
	if (waiter->frame != NULL) {
		waiter->frame->done = true; // the results stay on the coroutine until mp_runtime_run() has taken them
		waiter->frame->rc = rc;
		mp_loop_stop(runtime->loop);
		return;
	}
	waiter->failed = rc != 0;
	if (waiter->future_ref != LUA_NOREF) {
		if (MP_UNLIKELY(mp_runtime_protect(runtime, settle_future, waiter, 0) == NULL))
			mp_lua_future_starve(runtime, waiter->future_ref);
		luaL_unref(runtime->scratch, LUA_REGISTRYINDEX, waiter->future_ref);
		waiter->future_ref = LUA_NOREF;
	} else if (rc != 0) {
		mp_runtime_protect(runtime, log_failure, waiter, 0);
	}
	if (runtime->settling)
		mp_runtime_look_at_rest(runtime);
	if (rc != 0)
		mp_waiter_destroy(waiter);
	else
		mp_waiter_rest(waiter);
}

// Only on top of its ticket stands what it is to be resumed with.
static bool is_there(const struct mp_waiter *waiter, int nresults)
{
	lua_State *co = waiter->co;
	if (!waiter->begun)
		return lua_status(co) == 0 && lua_gettop(co) == waiter->nargs + 1;
	return lua_status(co) == LUA_YIELD && lua_gettop(co) == 1 + nresults && lua_type(co, 1) == LUA_TNUMBER &&
	       lua_tonumber(co, 1) == waiter->ticket;
}

static void leave_ticket(struct mp_waiter *waiter)
{
	waiter->ticket = (double)++waiter->runtime->tickets;
	lua_pushnumber(waiter->co, waiter->ticket);
}

// ---- running ----------------------------------------------------------------------------------------------

static void resume(struct mp_waiter *waiter, int nargs)
{
	struct mp_runtime *runtime = waiter->runtime;
	if (mp_loop_is_forked(runtime->loop)) // it goes on in the parent
		return;
	struct mp_waiter *outer = runtime->current;
	runtime->current = waiter;
	waiter->state = RUNNING;
	bool goes_on = waiter->begun;
	waiter->begun = true;
	mp_runtime_collect(runtime->scratch);
	struct mp_watched *around = runtime->beat->handler;
	uint64_t outer_ns = runtime->handler_ns;
	runtime->beat->handler = mp_label_resumed(waiter->label);
	runtime->handler_ns = MP_UNLIKELY(waiter->label != NULL) ? mp_loop_clock_ns(runtime->loop) : 0;
	bool is_watched = mp_turn_begin(waiter, goes_on);
	int rc = lua_resume(waiter->co, nargs);
	if (MP_UNLIKELY(is_watched))
		lua_sethook(waiter->co, NULL, 0, 0);
	runtime->beat->handler = around;
	if (MP_UNLIKELY(runtime->handler_ns != 0))
		mp_blocks_note(&runtime->blocks, runtime->loop, waiter->label->text, runtime->handler_ns);
	runtime->handler_ns = outer_ns;
	mp_runtime_collect(runtime->scratch);
	runtime->current = outer;
	if (rc != LUA_YIELD) {
		ended(waiter, rc);
		return;
	}
	if (waiter->state == WAITING)
		return;
	if (MP_UNLIKELY(goes_on && mp_owner_is_over(waiter->owner))) { // it was told, and goes on
		forget(waiter);
		return;
	}
	// A bare coroutine.yield(): the others first, then this one again.
	lua_settop(waiter->co, 0);
	leave_ticket(waiter);
	make_ready(waiter);
}

void mp_waiter_run_ready(void *data)
{
	struct mp_runtime *runtime = data;
	// Only those that are ready now: what they make ready comes after the loop's other work.
	for (size_t left = runtime->ready.count; left > 0 && runtime->ready.count > 0; left--) {
		struct mp_waiter *waiter =
			MP_CONTAINER_OF(mp_list_pop_front(&runtime->ready), struct mp_waiter, node);
		if (MP_UNLIKELY(runtime->ending || !is_there(waiter, 0) || mp_owner_refuses(waiter)))
			forget(waiter);
		else
			resume(waiter, waiter->begun ? 0 : waiter->nargs);
	}
	if (runtime->ready.count > 0)
		mp_task_post(runtime->loop, &runtime->drain, MP_PHASE_RUN);
}

// ---- waiting ----------------------------------------------------------------------------------------------

void mp_runtime_raise_forked(lua_State *L)
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

static bool can_wait(const struct mp_runtime *runtime, lua_State *L)
{
	return mp_runtime_is_current(runtime, L) && lua_isyieldable(L);
}

int mp_runtime_check(const struct mp_runtime *runtime, lua_State *L)
{
	if (mp_loop_is_forked(runtime->loop) || (runtime->current == NULL && mp_runtime_left(L)))
		mp_runtime_raise_forked(L);
	if (MP_LIKELY(can_wait(runtime, L))) {
		if (MP_UNLIKELY(mp_owner_is_over(runtime->current->owner)))
			mp_owner_raise(L, runtime->current->owner);
		return 0;
	}
	if (mp_visitor_is_from_host(runtime))
		return mp_visitor_expect((struct mp_runtime *)(uintptr_t)runtime, L);
	return mp_lua_refuse_waiting(L, runtime->current != NULL ? runtime->current->co : NULL);
}

// Who passed mp_runtime_check().
static struct mp_waiter *checked(struct mp_runtime *runtime)
{
	return MP_LIKELY(runtime->current != NULL) ? runtime->current : runtime->expected;
}

struct mp_waiter *mp_runtime_register(struct mp_runtime *runtime)
{
	struct mp_waiter *waiter = checked(runtime);
	waiter->state = WAITING;
	runtime->waiting++;
	return waiter;
}

void mp_runtime_queue(struct mp_runtime *runtime, struct mp_list *queue)
{
	struct mp_waiter *waiter = mp_runtime_register(runtime);
	waiter->queue = queue;
	mp_list_push_back(queue, &waiter->node);
}

struct mp_waiter *mp_runtime_unqueue(struct mp_list *queue)
{
	struct mp_list_node *first = mp_list_pop_front(queue);
	struct mp_waiter *waiter = first != NULL ? MP_CONTAINER_OF(first, struct mp_waiter, node) : NULL;
	if (waiter != NULL)
		waiter->queue = NULL;
	return waiter;
}

// What it waits for does not come to it any more; what a request brings comes still, and is not looked at.
void mp_waiter_recall(struct mp_waiter *waiter)
{
	if (waiter->state != WAITING || waiter->bell != NULL)
		return;
	if (waiter->queue != NULL)
		mp_list_remove(waiter->queue, &waiter->node);
	else if (mp_timer_active(&waiter->timer))
		mp_timer_stop(&waiter->timer);
	else
		return;
	waiter->queue = NULL;
	mp_waiter_wake(waiter);
}

int mp_runtime_yield(struct mp_runtime *runtime)
{
	struct mp_waiter *waiter = runtime->current;
	if (MP_UNLIKELY(waiter == NULL))
		return mp_visitor_part(runtime);
	mp_assert(waiter->state == WAITING);
	leave_ticket(waiter);
	return lua_yield(waiter->co, 1);
}

int mp_runtime_sleep(struct mp_runtime *runtime, lua_State *L, uint64_t ms)
{
	if (mp_runtime_check(runtime, L) != 0)
		return mp_lua_raise_no_memory(L);
	int rc = mp_timer_start_ms(&checked(runtime)->timer, ms);
	mp_assert(rc == 0); // reserved
	mp_runtime_register(runtime);
	return mp_runtime_yield(runtime);
}

lua_State *mp_waiter_state(struct mp_waiter *waiter)
{
	mp_assert(waiter->state == WAITING);
	return waiter->bell != NULL || is_there(waiter, 0) ? waiter->co : waiter->runtime->scratch;
}

void mp_waiter_resume(struct mp_waiter *waiter, int nresults)
{
	struct mp_runtime *runtime = waiter->runtime;
	mp_assert(waiter->state == WAITING);
	runtime->waiting--;
	if (MP_UNLIKELY(waiter->bell != NULL)) {
		waiter->state = IDLE;
		mp_visitor_answer(waiter);
		return;
	}
	bool there = is_there(waiter, nresults);
	if (MP_LIKELY(there && !runtime->ending)) {
		resume(waiter, nresults);
		return;
	}
	if (!there)
		lua_pop(runtime->scratch, nresults);
	forget(waiter);
}

void mp_waiter_wake(struct mp_waiter *waiter)
{
	mp_assert(waiter->state == WAITING);
	if (MP_UNLIKELY(waiter->bell != NULL)) {
		mp_waiter_resume(waiter, 0);
		return;
	}
	waiter->runtime->waiting--;
	make_ready(waiter);
}

bool mp_waiter_is_visitor(const struct mp_waiter *waiter)
{
	return waiter->bell != NULL;
}

void mp_runtime_know(struct mp_runtime *runtime, lua_State *L)
{
	if (mp_runtime_is_current(runtime, L))
		runtime->current->known = true;
}

void mp_runtime_label(struct mp_runtime *runtime, const char *text)
{
	struct mp_waiter *waiter = runtime->current;
	mp_assert(waiter != NULL);
	struct mp_label *label = mp_label_new(text);
	if (label == NULL)
		return;
	runtime->beat->handler = mp_label_resumed(label);
	runtime->handler_ns = mp_loop_clock_ns(runtime->loop);
	runtime->handling += waiter->label == NULL && !waiter->serves ? 1 : 0;
	mp_label_unref(waiter->label);
	waiter->label = label;
}

const struct mp_blocks *mp_runtime_blocks(const struct mp_runtime *runtime)
{
	return &runtime->blocks;
}

void mp_runtime_serve(struct mp_runtime *runtime)
{
	mp_assert(runtime->current != NULL);
	struct mp_waiter *waiter = runtime->current;
	count_out(waiter);
	waiter->serves = true;
	mp_label_unref(waiter->label); // of who happened to begin it
	waiter->label = NULL;
	runtime->beat->handler = NULL;
	runtime->handler_ns = 0;
}

// ---- for runtime.c ----------------------------------------------------------------------------------------

void mp_waiter_stop_timer(struct mp_waiter *waiter)
{
	mp_timer_stop(&waiter->timer);
}

lua_State *mp_waiter_thread(struct mp_waiter *waiter)
{
	return waiter->co;
}

void mp_waiter_set_frame(struct mp_waiter *waiter, struct mp_frame *frame)
{
	waiter->frame = frame;
}

struct mp_waiter *mp_waiter_of_all(struct mp_list_node *node)
{
	return MP_CONTAINER_OF(node, struct mp_waiter, all);
}
