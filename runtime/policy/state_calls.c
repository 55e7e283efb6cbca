// SPDX-License-Identifier: Apache-2.0
// The primitives of a policy, called from machine code that LuaJIT made: they check every argument, never fail in
// another way than by their result, and never come back into Lua.
#include <string.h>

#include "base/err.h"
#include "policy/state.h"

// The numbers of lua/moonpool/policy/objects.lua.
#define BASE_SCOPE   0x100u
#define BASE_DC      0x180u
#define BASE_ORDER   0x200u
#define BASE_VERDICT 0x300u

#define DELAY_MAX_MS 3600000.0

// The session never forgets a name, so one policy may not ask for all that there can be.
#define NAMES_ASKED_MAX 1024
#define NAME_BYTES_MAX  256

enum { BAD_SCOPE = 1, BAD_ORDER, BAD_LIMIT };

static uint16_t find_dc(const struct mp_view *view, const char *name)
{
	for (uint16_t i = 0; i < view->dc_count; i++)
		if (strcmp(view->dc_names[i], name) == 0)
			return i;
	return MP_NO_HOST;
}

// A scope that is not one of the plain ones. 0: *scope and *arg are set; *known false: its datacentre has no hosts.
static int resolve_scope(struct mp_policy_context *context, uint32_t *scope, uint32_t *arg, bool *known)
{
	*arg = 0;
	*known = true;
	uint32_t plain = *scope - BASE_SCOPE;
	if (plain < MP_SCOPE_DC) {
		*scope = plain;
		return 0;
	}
	uint32_t name = *scope - BASE_DC;
	if (name >= context->dc_name_count)
		return BAD_SCOPE;
	// Numbers of datacentres are given once for each view; the sample views of the contract check have their own.
	*arg = find_dc(context->plan->view, context->dc_names[name]);
	*scope = MP_SCOPE_DC;
	*known = *arg != MP_NO_HOST;
	return 0;
}

typedef void (*add_fn)(struct mp_plan *plan, uint32_t scope, uint32_t order, uint32_t limit, uint32_t arg);

static __attribute__((noinline)) int add_slow(struct mp_policy_context *context, add_fn add, int scope,
                                              int order, int limit)
{
	uint32_t where = (uint32_t)scope;
	uint32_t arg;
	bool known;
	if (resolve_scope(context, &where, &arg, &known) != 0)
		return BAD_SCOPE;
	if ((uint32_t)order - BASE_ORDER >= MP_ORDER_COUNT)
		return BAD_ORDER;
	if (limit < 0)
		return BAD_LIMIT;
	if (known)
		add(context->plan, where, (uint32_t)order - BASE_ORDER, (uint32_t)limit, arg);
	return 0;
}

static __attribute__((flatten)) int call_replicas(struct mp_policy_context *context, int scope, int order,
                                                  int limit)
{
	uint32_t where = (uint32_t)scope - BASE_SCOPE;
	uint32_t how = (uint32_t)order - BASE_ORDER;
	if (MP_UNLIKELY(where >= MP_SCOPE_DC || how >= MP_ORDER_COUNT || limit < 0))
		return add_slow(context, mp_plan_replicas, scope, order, limit);
	mp_plan_replicas(context->plan, where, how, (uint32_t)limit, 0);
	return 0;
}

static __attribute__((flatten)) int call_hosts(struct mp_policy_context *context, int scope, int order,
                                               int limit)
{
	uint32_t where = (uint32_t)scope - BASE_SCOPE;
	uint32_t how = (uint32_t)order - BASE_ORDER;
	if (MP_UNLIKELY(where >= MP_SCOPE_DC || how >= MP_ORDER_COUNT || limit < 0))
		return add_slow(context, mp_plan_hosts, scope, order, limit);
	mp_plan_hosts(context->plan, where, how, (uint32_t)limit, 0);
	return 0;
}

static int call_host(struct mp_policy_context *context, uint32_t index)
{
	mp_plan_host(context->plan, index);
	return 0;
}

// ---- looking at hosts ---------------------------------------------------------------------------------------------

static bool has_slots(const struct mp_policy_context *context)
{
	return context->plan->view->hosts == context->slots;
}

static uint32_t nth_of(const struct mp_group *group, uint32_t n)
{
	return n < group->count ? group->hosts[n] : MP_NO_HOST;
}

static uint32_t nth_remote(const struct mp_view *view, uint32_t n)
{
	for (uint16_t i = 0; i < view->remote_count; i++) {
		const struct mp_group *group = &view->dcs[view->remote_order[i]];
		if (n < group->count)
			return group->hosts[n];
		n -= group->count;
	}
	return MP_NO_HOST;
}

static uint32_t call_nth_host(struct mp_policy_context *context, int scope, int position)
{
	const struct mp_view *view = context->plan->view;
	uint32_t where = (uint32_t)scope;
	uint32_t arg;
	bool known;
	if (!has_slots(context) || position < 0 || resolve_scope(context, &where, &arg, &known) != 0 || !known)
		return MP_NO_HOST;
	uint32_t n = (uint32_t)position;
	switch (where) {
	case MP_SCOPE_LOCAL_DC: return nth_of(&view->local, n);
	case MP_SCOPE_SAME_RACK: return nth_of(&view->rack, n);
	case MP_SCOPE_REMOTE_DCS: return nth_remote(view, n);
	case MP_SCOPE_DC: return nth_of(&view->dcs[arg], n);
	default: return nth_of(&view->all, n);
	}
}

static bool in_scope(const struct mp_host_view *host, uint32_t scope, uint32_t arg)
{
	switch (scope) {
	case MP_SCOPE_LOCAL_DC: return host->isLocal;
	case MP_SCOPE_SAME_RACK: return host->isLocal && host->isLocalRack;
	case MP_SCOPE_REMOTE_DCS: return !host->isLocal;
	case MP_SCOPE_DC: return host->dcId == arg;
	default: return true;
	}
}

static uint32_t call_nth_replica(struct mp_policy_context *context, int scope, int position)
{
	const struct mp_plan *plan = context->plan;
	uint32_t where = (uint32_t)scope;
	uint32_t arg;
	bool known;
	if (!has_slots(context) || position < 0 || !plan->has_token || plan->placement == NULL ||
	    resolve_scope(context, &where, &arg, &known) != 0 || !known)
		return MP_NO_HOST;
	uint32_t count;
	const uint16_t *replicas = mp_placement_find(plan->placement, plan->token, &count);
	for (uint32_t i = 0; replicas != NULL && i < count; i++) {
		uint16_t slot = replicas[i];
		if (slot < MP_HOSTS_MAX && context->slots[slot].isUp && in_scope(&context->slots[slot], where, arg) &&
		    position-- == 0)
			return slot;
	}
	return MP_NO_HOST;
}

static int call_count_hosts(struct mp_policy_context *context, int scope)
{
	const struct mp_view *view = context->plan->view;
	uint32_t where = (uint32_t)scope;
	uint32_t arg;
	bool known;
	if (resolve_scope(context, &where, &arg, &known) != 0 || !known)
		return 0;
	switch (where) {
	case MP_SCOPE_LOCAL_DC: return (int)view->local.count;
	case MP_SCOPE_SAME_RACK: return (int)view->rack.count;
	case MP_SCOPE_REMOTE_DCS: return (int)(view->all.count - view->local.count);
	case MP_SCOPE_DC: return (int)view->dcs[arg].count;
	default: return (int)view->all.count;
	}
}

// ---- names and chance ---------------------------------------------------------------------------------------------

static uint32_t call_dc(struct mp_policy_context *context, const char *name)
{
	return find_dc(context->plan->view, name);
}

// The number of a datacentre's name in this state, or -1. The datacentre itself may be seen later.
static int call_name_dc(struct mp_policy_context *context, const char *name, size_t len)
{
	if (len >= MP_POLICY_NAME_MAX || memchr(name, 0, len) != NULL)
		return -1;
	for (uint32_t i = 0; i < context->dc_name_count; i++)
		if (strcmp(context->dc_names[i], name) == 0)
			return (int)i;
	if (context->dc_name_count == MP_POLICY_NAMES)
		return -1;
	memcpy(context->dc_names[context->dc_name_count], name, len + 1);
	return (int)context->dc_name_count++;
}

static bool may_ask_name(struct mp_policy_context *context, size_t len)
{
	return context->names != NULL && len <= NAME_BYTES_MAX && context->names_asked++ < NAMES_ASKED_MAX;
}

static uint32_t call_tag(struct mp_policy_context *context, const char *text, size_t len)
{
	return may_ask_name(context, len) ? context->names->tag_id(context->names->data, text, len) : 0;
}

static uint32_t call_keyspace(struct mp_policy_context *context, const char *text, size_t len)
{
	return may_ask_name(context, len) ? context->names->keyspace_id(context->names->data, text, len) : 0;
}

static double call_random(struct mp_policy_context *context)
{
	struct mp_plan *plan = context->plan;
	plan->chance = plan->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(plan->chance >> 11) / 9007199254740992.0;
}

static int call_verdict(struct mp_policy_context *context, int verdict, double delay_ms)
{
	uint32_t number = (uint32_t)verdict - BASE_VERDICT;
	if (number > MP_NEXT_HOST || !(delay_ms >= 0 && delay_ms <= DELAY_MAX_MS))
		return MP_EINVAL;
	context->verdict = number;
	context->delay_ms = (uint32_t)delay_ms;
	return 0;
}

// ---- the bridge ---------------------------------------------------------------------------------------------------

static void set_address(lua_State *L, const char *key, const void *address)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)address);
	lua_setfield(L, -2, key);
}

void mp_policy_set_call(lua_State *L, const char *key, uintptr_t address)
{
	lua_pushlightuserdata(L, (void *)address);
	lua_setfield(L, -2, key);
}

void mp_policy_push_calls(lua_State *L, struct mp_policy_state *state)
{
	set_address(L, "context", &state->context);
	set_address(L, "req", &state->req);
	set_address(L, "slots", state->context.slots);
	mp_policy_set_call(L, "replicas", (uintptr_t)call_replicas);
	mp_policy_set_call(L, "hosts", (uintptr_t)call_hosts);
	mp_policy_set_call(L, "host", (uintptr_t)call_host);
	mp_policy_set_call(L, "nthHost", (uintptr_t)call_nth_host);
	mp_policy_set_call(L, "nthReplica", (uintptr_t)call_nth_replica);
	mp_policy_set_call(L, "countHosts", (uintptr_t)call_count_hosts);
	mp_policy_set_call(L, "dc", (uintptr_t)call_dc);
	mp_policy_set_call(L, "nameDc", (uintptr_t)call_name_dc);
	mp_policy_set_call(L, "tag", (uintptr_t)call_tag);
	mp_policy_set_call(L, "keyspace", (uintptr_t)call_keyspace);
	mp_policy_set_call(L, "random", (uintptr_t)call_random);
	mp_policy_set_call(L, "verdict", (uintptr_t)call_verdict);
	mp_policy_push_fuel(L);
	mp_policy_push_sets(L);
	mp_policy_push_words(L);
}
