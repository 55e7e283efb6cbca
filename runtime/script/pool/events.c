// SPDX-License-Identifier: Apache-2.0
// Events of a pool on their way to Lua: copied into a queue by the listener, taken out by the pool's dispatcher, a
// coroutine of lua/moonpool/pool.lua that starts another one for each handler. So a handler may wait, fail, or
// close the pool, and traffic never notices. Only what somebody handles is queued, and at most EVENTS_MAX; what is
// dropped is counted, and told by an event that stands where it would have stood.
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "script/core.h"
#include "script/pool/pool.h"

#define EVENTS_MAX 16384

// X(symbol, "name", fields in the order of `text`; the first is the handler's first argument when it is "host"; those
// with a # in front are numbers)
#define EVENTS(X)                                                       \
	X(HOST_UP, "hostUp", "host")                                        \
	X(HOST_DOWN, "hostDown", "host", "reason")                          \
	X(HOST_ADDED, "hostAdded", "host")                                  \
	X(HOST_REMOVED, "hostRemoved", "host")                              \
	X(CONNECTION_ADDED, "connectionAdded", "host")                      \
	X(CONNECTION_REMOVED, "connectionRemoved", "host", "reason")        \
	X(CONNECTION_LOST, "connectionLost", "host", "reason")              \
	X(FAILOVER, "failover", "from", "to", "reason", "level")            \
	X(BREAKER_OPEN, "breakerOpen", "host", "reason")                    \
	X(BREAKER_HALF_OPEN, "breakerHalfOpen", "host", "reason")           \
	X(BREAKER_CLOSE, "breakerClose", "host", "reason")                  \
	X(SCHEMA_CHANGED, "schemaChange", "keyspace", "table", "change")    \
	X(EVENTS_DROPPED, "eventsDropped", "count")                         \
	X(POOL_RESIZED, "poolResize", "#from", "#to", "host", "reason")     \
	X(POLICY_RELOADED, "policyReload", "policy", "name", "file")        \
	X(POLICY_ERROR, "policyError", "policy", "name", "file", "message") \
	X(POLICY_CANARY, "policyCanary", "policy")                          \
	X(CONFIG_RELOADED, "configReload", "file")                          \
	X(CONFIG_ERROR, "configError", "file", "message")                   \
	X(HANDLERS_RELOADED, "handlersReload", "file")                      \
	X(HANDLERS_ERROR, "handlersError", "file", "message")               \
	X(PLAYBOOK_RUN, "playbookRun", "name")                              \
	X(PLAYBOOK_RELOADED, "playbookReload", "file")                      \
	X(PLAYBOOK_ERROR, "playbookError", "file", "message")               \
	X(METRICS, "metrics", "metrics")
enum kind {
#define X(symbol, ...) EVENT_##symbol,
	EVENTS(X)
#undef X
		EVENT_COUNT
};
#define FIELDS 4
static const struct {
	const char *name;
	const char *fields[FIELDS];
} kinds[] = {
#define X(symbol, title, ...) {title, {__VA_ARGS__}},
	EVENTS(X)
#undef X
};

struct event {
	struct mp_list_node node;
	enum kind kind;
	uint32_t generation;           // of a policy
	uint32_t missed;               // that were dropped in front of it
	struct mp_canary_info *canary; // POLICY_CANARY
	char *text[FIELDS];            // into what follows
	char bytes[];
};

static void wake(struct mp_lua_pool *pool)
{
	struct mp_waiter *dispatcher = pool->dispatcher;
	pool->dispatcher = NULL;
	if (dispatcher != NULL)
		mp_waiter_wake(dispatcher);
}

// NULL: nobody wants it, or there is no room for it, which is counted.
static struct event *queue(struct mp_lua_pool *pool, enum kind kind, uint32_t generation,
                           const char *const text[FIELDS])
{
	if ((pool->wanted >> kind & 1) == 0)
		return NULL;
	size_t size = 0;
	for (int i = 0; i < FIELDS; i++)
		size += text[i] != NULL ? strlen(text[i]) + 1 : 0;
	struct event *event = pool->events.count < EVENTS_MAX ? mp_calloc(1, sizeof(*event) + size) : NULL;
	if (event == NULL) {
		mp_session_count_dropped(pool->engine.session, 1);
		pool->events_missed++;
		return NULL;
	}
	event->kind = kind;
	event->missed = pool->events_missed;
	pool->events_missed = 0;
	event->generation = generation;
	char *at = event->bytes;
	for (int i = 0; i < FIELDS; i++) {
		if (text[i] == NULL)
			continue;
		size_t len = strlen(text[i]) + 1;
		event->text[i] = memcpy(at, text[i], len);
		at += len;
	}
	mp_list_node_init(&event->node);
	mp_list_push_back(&pool->events, &event->node);
	wake(pool);
	return event;
}

static void drop(struct event *event)
{
	mp_free(event->canary);
	mp_free(event);
}

static const char *host_text(const struct mp_host *host)
{
	return host != NULL ? host->addr_text : "";
}

static void on_event(void *data, const struct mp_session_event *event)
{
	struct mp_lua_pool *pool = data;
	const char *text[FIELDS] = {host_text(event->host), event->reason};
	char from[16], to[16];
	enum kind kind;
	switch (event->kind) {
	case MP_EVENT_HOST_UP: kind = EVENT_HOST_UP; break;
	case MP_EVENT_HOST_DOWN: kind = EVENT_HOST_DOWN; break;
	case MP_EVENT_HOST_ADDED: kind = EVENT_HOST_ADDED; break;
	case MP_EVENT_HOST_REMOVED: kind = EVENT_HOST_REMOVED; break;
	case MP_EVENT_CONNECTION_ADDED: kind = EVENT_CONNECTION_ADDED; break;
	case MP_EVENT_CONNECTION_REMOVED: kind = EVENT_CONNECTION_REMOVED; break;
	case MP_EVENT_CONNECTION_LOST: kind = EVENT_CONNECTION_LOST; break;
	case MP_EVENT_BREAKER_OPEN: kind = EVENT_BREAKER_OPEN; break;
	case MP_EVENT_BREAKER_HALF_OPEN: kind = EVENT_BREAKER_HALF_OPEN; break;
	case MP_EVENT_BREAKER_CLOSE: kind = EVENT_BREAKER_CLOSE; break;
	case MP_EVENT_FAILOVER:
		kind = EVENT_FAILOVER;
		text[1] = host_text(event->to);
		text[2] = event->reason;
		text[3] = "host";
		break;
	case MP_EVENT_DC_FAILOVER:
		kind = EVENT_FAILOVER;
		text[0] = event->from_dc;
		text[1] = event->to_dc;
		text[2] = event->reason;
		text[3] = "datacenter";
		break;
	case MP_EVENT_POOL_RESIZED:
		kind = EVENT_POOL_RESIZED;
		snprintf(from, sizeof(from), "%u", event->from_size);
		snprintf(to, sizeof(to), "%u", event->to_size);
		text[2] = text[0];
		text[3] = text[1];
		text[0] = from;
		text[1] = to;
		break;
	case MP_EVENT_SCHEMA_CHANGED:
		kind = EVENT_SCHEMA_CHANGED;
		text[0] = event->keyspace;
		text[1] = event->table;
		text[2] = event->change;
		break;
	case MP_EVENT_METRICS:
		kind = EVENT_METRICS;
		text[0] = text[1] = NULL;
		break;
	case MP_EVENT_EVENTS_DROPPED: // counted already
		pool->events_missed += event->count;
		wake(pool);
		return;
	default: return;
	}
	(void)queue(pool, kind, 0, text);
}

static void on_canary(struct mp_lua_pool *pool, const struct mp_policy_event *event)
{
	const char *text[FIELDS] = {mp_policy_kind_name(event->policy)};
	struct event *queued = event->canary != NULL ? queue(pool, EVENT_POLICY_CANARY, 0, text) : NULL;
	if (queued == NULL)
		return;
	queued->canary = mp_alloc(sizeof(*queued->canary));
	if (queued->canary != NULL) // otherwise it is told without its figures
		*queued->canary = *event->canary;
}

static void on_policy_event(void *data, const struct mp_policy_event *event)
{
	const char *text[FIELDS] = {mp_policy_kind_name(event->policy), event->name, event->file, event->message};
	enum kind kind = event->kind == MP_POLICY_RELOADED ? EVENT_POLICY_RELOADED : EVENT_POLICY_ERROR;
	if (event->kind == MP_POLICY_CANARY)
		on_canary(data, event);
	else
		(void)queue(data, kind, event->generation, text);
}

void mp_lua_pool_listen(struct mp_lua_pool *pool)
{
	mp_session_set_listener(pool->engine.session, on_event, pool);
	mp_policies_listen(pool->engine.policies, on_policy_event, pool);
}

void mp_lua_pool_events_end(struct mp_lua_pool *pool)
{
	wake(pool);
}

void mp_lua_pool_events_free(struct mp_lua_pool *pool)
{
	while (pool->events.count > 0)
		drop(MP_CONTAINER_OF(mp_list_pop_front(&pool->events), struct event, node));
}

// ---- for lua/moonpool/pool.lua ----------------------------------------------------------------------------

// wantEvent(pool, name, only check): from now on it is queued. Raises for a name that is none. Those of configurations
// and handlers are handed out where they are made, in lua/moonpool/reload.lua.
int mp_core_want_event(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	const char *names[EVENT_COUNT];
	struct mp_str name = {"", 0};
	if (lua_type(L, 2) == LUA_TSTRING)
		name.data = lua_tolstring(L, 2, &name.len);
	int kind = EVENT_COUNT;
	for (int i = 0; i < EVENT_COUNT; i++) {
		names[i] = kinds[i].name;
		kind = mp_str_is(name, names[i]) ? i : kind;
	}
	if (kind == EVENT_COUNT)
		return mp_lua_raise_unknown(L, name, names, EVENT_COUNT, "unknown event '%.60s'", name.data);
	if (!lua_toboolean(L, 3))
		pool->wanted |= UINT32_C(1) << kind;
	return 0;
}

// eventNames(): a list of them.
int mp_core_event_names(lua_State *L)
{
	lua_createtable(L, EVENT_COUNT, 0);
	for (int i = 0; i < EVENT_COUNT; i++) {
		lua_pushstring(L, kinds[i].name);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

// Pushes what the handler gets: the host and the reason, or a table. Figures are of the time when it gets them.
static int push_arguments(lua_State *L, const struct mp_lua_pool *pool, const struct event *event)
{
	if (event->kind == EVENT_METRICS) {
		mp_lua_push_metrics(L, pool);
		return 1;
	}
	if (event->canary != NULL) {
		mp_lua_push_canary(L, event->text[0], event->canary);
		return 1;
	}
	const char *const *fields = kinds[event->kind].fields;
	if (strcmp(fields[0], "host") == 0) {
		lua_pushstring(L, event->text[0]);
		if (fields[1] == NULL)
			return 1;
		lua_pushstring(L, event->text[1]);
		return 2;
	}
	lua_createtable(L, 0, FIELDS + 1);
	for (int i = 0; i < FIELDS && fields[i] != NULL; i++) {
		bool is_number = fields[i][0] == '#';
		if (is_number)
			lua_pushnumber(L, strtod(event->text[i], NULL));
		else
			lua_pushstring(L, event->text[i]);
		lua_setfield(L, -2, fields[i] + is_number);
	}
	if (event->generation > 0) {
		lua_pushnumber(L, event->generation);
		lua_setfield(L, -2, "generation");
	}
	return 1;
}

// Those that were dropped at this point: in front of the first one that waits, or behind the last.
static uint32_t take_missed(struct mp_lua_pool *pool, struct event *next)
{
	uint32_t *missed = next != NULL ? &next->missed : &pool->events_missed;
	uint32_t count = *missed;
	*missed = 0;
	return (pool->wanted >> EVENT_EVENTS_DROPPED & 1) != 0 ? count : 0;
}

static int push_missed(lua_State *L, uint32_t count)
{
	lua_pushstring(L, kinds[EVENT_EVENTS_DROPPED].name);
	lua_createtable(L, 0, 1);
	lua_pushnumber(L, count);
	lua_setfield(L, -2, "count");
	return 2;
}

// missedEvent(pool, name): a handler of the event was not called. That of `eventsDropped` is not told of itself: it
// could not be called again, and so on without an end.
int mp_core_missed_event(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	if (pool->state == MP_POOL_CLOSED)
		return 0;
	mp_session_count_dropped(pool->engine.session, 1);
	if (strcmp(luaL_checkstring(L, 2), kinds[EVENT_EVENTS_DROPPED].name) != 0)
		pool->events_missed++;
	return 0;
}

// nextEvent(pool): name, arguments...; nothing after having waited; false when no more will come.
int mp_core_next_event(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	struct mp_list_node *first = mp_list_first(&pool->events);
	struct event *event = first != NULL ? MP_CONTAINER_OF(first, struct event, node) : NULL;
	uint32_t missed = take_missed(pool, event);
	if (missed > 0)
		return push_missed(L, missed);
	if (event != NULL) {
		lua_pushstring(L, kinds[event->kind].name);
		int count = push_arguments(L, pool, event);
		mp_list_remove(&pool->events, &event->node);
		drop(event);
		return count + 1;
	}
	if (pool->state == MP_POOL_CLOSED) {
		lua_pushboolean(L, 0);
		return 1;
	}
	if (mp_runtime_check(pool->runtime, L) != 0)
		return mp_lua_raise_no_memory(L);
	pool->dispatcher = mp_runtime_register(pool->runtime);
	return mp_runtime_yield(pool->runtime);
}

// handles(event, function): from now on the running coroutine is called a handler of this event.
int mp_core_handles(lua_State *L)
{
	lua_Debug info;
	char text[256];
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushvalue(L, 2);
	lua_getinfo(L, ">S", &info);
	snprintf(text, sizeof(text), "a handler of '%s' (%s:%d)", luaL_checkstring(L, 1), info.short_src,
	         info.linedefined);
	mp_runtime_label(mp_runtime_of(L), text);
	return 0;
}
