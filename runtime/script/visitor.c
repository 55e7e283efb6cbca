// SPDX-License-Identifier: Apache-2.0
// Coroutines of the host's that wait (host.h):
//
//   free --expect--> expected --enter--> waits --answer--> answered --take / reap--> free
//                                          +------ nobody waits at the bell --------> free
//
// A seat is never freed while the runtime lives; its number is new with each visit. A coroutine that was ended while it
// slept leaves one that is taken when none is free, or when its time comes.
#include <lauxlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "script/core.h"
#include "script/runtime_internal.h"

#define SEATS_MAX 1048576u // a number holds a seat below it, and above it the visit

static const char parked = 'p';

void mp_runtime_set_host(struct mp_runtime *runtime, const struct mp_host *host)
{
	runtime->host = host;
	host->made(runtime->scratch);
}

bool mp_visitor_is_from_host(const struct mp_runtime *runtime)
{
	return runtime->host != NULL && runtime->current == NULL;
}

// ---- seats ------------------------------------------------------------------------------------------------

static bool make_room(struct mp_runtime *runtime)
{
	if (runtime->seat_count < runtime->seat_capacity)
		return true;
	uint32_t capacity = runtime->seat_capacity == 0 ? 64 : runtime->seat_capacity * 2;
	struct mp_waiter **seats = NULL;
	if (runtime->seat_count < SEATS_MAX)
		seats = mp_realloc(runtime->seats, capacity * sizeof(struct mp_waiter *));
	if (seats == NULL)
		return false;
	runtime->seats = seats;
	runtime->seat_capacity = capacity;
	return true;
}

// NULL: no memory for one.
static struct mp_waiter *make_seat(struct mp_runtime *runtime, lua_State *L)
{
	struct mp_waiter *visitor = make_room(runtime) ? mp_waiter_make(runtime, L) : NULL;
	if (visitor == NULL)
		return NULL;
	visitor->bell = runtime->host->open();
	if (visitor->bell == NULL) {
		mp_waiter_destroy(visitor);
		return NULL;
	}
	visitor->seat = runtime->seat_count;
	runtime->seats[runtime->seat_count++] = visitor;
	return visitor;
}

#define LOOKS 16u // at seats, before another one is made

// Ends the sleep of those whom the host has ended.
static void clear_some(struct mp_runtime *runtime)
{
	uint32_t looks = runtime->seat_count < LOOKS ? runtime->seat_count : LOOKS;
	for (; looks > 0; looks--) {
		runtime->seat_looked_at = (runtime->seat_looked_at + 1) % runtime->seat_count;
		struct mp_waiter *visitor = runtime->seats[runtime->seat_looked_at];
		if (!mp_timer_active(&visitor->timer) || runtime->host->waits(visitor->bell))
			continue;
		mp_timer_stop(&visitor->timer);
		mp_waiter_resume(visitor, 0);
	}
}

static void leave_seat(struct mp_waiter *visitor)
{
	lua_settop(visitor->co, 0);
	visitor->answered = false;
	visitor->visits++;
	mp_list_push_front(&visitor->runtime->free_seats, &visitor->node);
}

// ---- waiting ----------------------------------------------------------------------------------------------

int mp_visitor_expect(struct mp_runtime *runtime, lua_State *L)
{
	const char *why = runtime->host->refuse(L);
	if (MP_UNLIKELY(why != NULL || mp_lua_is_refused(L)))
		mp_lua_refuse_visit(L, why != NULL ? why : "");
	runtime->visiting = L;
	if (runtime->expected != NULL) // the last one that was expected did not wait after all
		return 0;
	if (MP_UNLIKELY(runtime->free_seats.count == 0))
		clear_some(runtime);
	if (runtime->free_seats.count > 0)
		runtime->expected = MP_CONTAINER_OF(mp_list_pop_front(&runtime->free_seats), struct mp_waiter, node);
	else
		runtime->expected = make_seat(runtime, L);
	return runtime->expected != NULL ? 0 : MP_ENOMEM;
}

int mp_visitor_part(struct mp_runtime *runtime)
{
	struct mp_waiter *visitor = runtime->expected;
	lua_State *L = runtime->visiting;
	runtime->expected = NULL;
	runtime->host->wait(visitor->bell, L);
	lua_pushnumber(L, (double)visitor->visits * SEATS_MAX + visitor->seat);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&parked);
	return 2;
}

void mp_visitor_answer(struct mp_waiter *visitor)
{
	struct mp_runtime *runtime = visitor->runtime;
	if (runtime->ending || !runtime->host->ring(visitor->bell)) {
		leave_seat(visitor);
		return;
	}
	visitor->answered = true;
	mp_list_push_back(&runtime->answered, &visitor->node);
}

static struct mp_waiter *visitor_of(const struct mp_runtime *runtime, double number)
{
	if (!(number >= 0 && number < (double)UINT32_MAX * SEATS_MAX))
		return NULL;
	uint64_t whole = (uint64_t)number;
	uint64_t seat = whole % SEATS_MAX;
	if (seat >= runtime->seat_count)
		return NULL;
	struct mp_waiter *visitor = runtime->seats[seat];
	return visitor->answered && visitor->visits == whole / SEATS_MAX ? visitor : NULL;
}

// take(number): what the visit was for.
int mp_core_take(lua_State *L)
{
	struct mp_runtime *runtime = mp_runtime_of(L);
	struct mp_waiter *visitor = visitor_of(runtime, luaL_checknumber(L, 1));
	if (MP_UNLIKELY(visitor == NULL))
		mp_lua_raise(L, "the coroutine was resumed by somebody else while it waited");
	int count = lua_gettop(visitor->co);
	luaL_checkstack(L, count, "too many results");
	lua_xmove(visitor->co, L, count);
	mp_list_remove(&runtime->answered, &visitor->node);
	leave_seat(visitor);
	return count;
}

size_t mp_runtime_reap(struct mp_runtime *runtime)
{
	size_t count = runtime->answered.count;
	while (runtime->answered.count > 0)
		leave_seat(MP_CONTAINER_OF(mp_list_pop_front(&runtime->answered), struct mp_waiter, node));
	return count;
}

// ---- looking on -------------------------------------------------------------------------------------------

size_t mp_runtime_requests(const struct mp_runtime *runtime)
{
	size_t count = 0;
	struct mp_list_node *node = mp_list_first(&runtime->guests);
	for (; node != NULL; node = mp_list_next(&runtime->guests, node)) {
		struct mp_runtime_guest *guest = MP_CONTAINER_OF(node, struct mp_runtime_guest, node);
		if (guest->requests != NULL)
			count += guest->requests(guest);
	}
	return count;
}

void mp_runtime_seats(const struct mp_runtime *runtime, struct mp_seats *out)
{
	out->all = runtime->seat_count;
	out->answered = runtime->answered.count;
	out->waiting = runtime->seat_count - runtime->free_seats.count - runtime->answered.count -
	               (runtime->expected != NULL ? 1 : 0);
}

void mp_lua_add_visitor(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&parked);
	lua_setfield(L, -2, "parked");
}
