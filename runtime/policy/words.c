// SPDX-License-Identifier: Apache-2.0
// The words of all policies are C functions called from machine code that LuaJIT made: they check every argument, never
// fail in another way than by their result, and never come back into Lua. Where the fields of structs lie is told to
// Lua, too, so that the declarations of lua/moonpool/policy are checked against the compiler.
#include "policy/words.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cluster/plan/marks.h"
#include "policy/state.h"
#include "wire/message.h"

// The session never forgets a name, so one policy may not ask for all that there can be.
#define NAMES_ASKED_MAX 1024
#define NAME_BYTES_MAX  256

#define SET_TEXT_MAX ((size_t)1 << 20)

static uint16_t find_dc(const struct mp_view *view, const char *name)
{
	for (uint16_t i = 0; i < view->dc_count; i++)
		if (strcmp(view->dc_names[i], name) == 0)
			return i;
	return MP_NO_HOST;
}

int mp_words_scope(struct mp_policy_context *context, uint32_t *scope, uint32_t *arg, bool *known)
{
	*arg = 0;
	*known = true;
	uint32_t plain = *scope - MP_WORD_SCOPE;
	if (plain < MP_SCOPE_DC) {
		*scope = plain;
		return 0;
	}
	uint32_t name = *scope - MP_WORD_DC;
	if (name >= context->dc_name_count)
		return MP_WORDS_BAD_SCOPE;
	// Numbers of datacentres are given once for each view; the sample views of the contract check have their own.
	*arg = find_dc(context->plan->view, context->dc_names[name]);
	*scope = MP_SCOPE_DC;
	*known = *arg != MP_NO_HOST;
	return 0;
}

// ---- looking at hosts -------------------------------------------------------------------------------------

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
	if (!has_slots(context) || position < 0 || mp_words_scope(context, &where, &arg, &known) != 0 || !known)
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
	    mp_words_scope(context, &where, &arg, &known) != 0 || !known)
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
	if (mp_words_scope(context, &where, &arg, &known) != 0 || !known)
		return 0;
	switch (where) {
	case MP_SCOPE_LOCAL_DC: return (int)view->local.count;
	case MP_SCOPE_SAME_RACK: return (int)view->rack.count;
	case MP_SCOPE_REMOTE_DCS: return (int)(view->all.count - view->local.count);
	case MP_SCOPE_DC: return (int)view->dcs[arg].count;
	default: return (int)view->all.count;
	}
}

// Connected, but kept from by their circuit breakers.
static int call_count_shut(struct mp_policy_context *context, int scope)
{
	const struct mp_view *view = context->plan->view;
	uint32_t where = (uint32_t)scope;
	uint32_t arg;
	bool known;
	int count = 0;
	if (!has_slots(context) || mp_words_scope(context, &where, &arg, &known) != 0 || !known)
		return 0;
	for (uint32_t i = 0; i < view->host_count; i++)
		count += context->slots[i].isShut && in_scope(&context->slots[i], where, arg) ? 1 : 0;
	return count;
}

// ---- names and chance -------------------------------------------------------------------------------------

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

// ---- sets of hosts ----------------------------------------------------------------------------------------

// By which a policy filters and asks. A set (a tag, a list) is a number of this policy state; which bit of the hosts'
// marks it is, is found for each view and found again when the bit went to another list (cluster/plan/marks.h).

void mp_words_free_sets(struct mp_policy_context *context)
{
	for (uint32_t i = 0; i < context->set_count; i++)
		mp_free(context->sets[i].text);
	context->set_count = 0;
}

// The number of a tag's or a list's set in this state, or -1: too many, too long, out of memory.
static int call_set(struct mp_policy_context *context, const char *text, size_t len, int is_tag)
{
	if (len == 0 || len > SET_TEXT_MAX || memchr(text, 0, len) != NULL ||
	    context->set_count == MP_POLICY_SETS)
		return -1;
	struct mp_policy_set *set = &context->sets[context->set_count];
	char *copy = mp_alloc(len + 1);
	if (copy == NULL)
		return -1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*set = (struct mp_policy_set){.text = copy, .len = len, .is_tag = is_tag != 0};
	return (int)context->set_count++;
}

int mp_words_set_bit(struct mp_policy_context *context, uint32_t number)
{
	struct mp_policy_set *set = &context->sets[number];
	struct mp_view *view = context->plan->view;
	if (MP_LIKELY(set->marks == view->marks && mp_view_mark_holds(view, set->bit, set->stamp)))
		return (int)set->bit;
	int bit = set->is_tag ? mp_view_tag(view, set->text, set->len) : mp_view_list(view, set->text, set->len);
	if (bit < 0)
		return bit;
	set->marks = view->marks;
	set->bit = (uint32_t)bit;
	set->stamp = view->marks->of[bit].stamp;
	return bit;
}

// 1: the host in that slot is in the set.
static int call_in_set(struct mp_policy_context *context, uint32_t slot, int number)
{
	if (slot >= MP_HOSTS_MAX || context->plan->view->marks == NULL || number < 0 ||
	    (uint32_t)number >= context->set_count)
		return 0;
	int bit = mp_words_set_bit(context, (uint32_t)number);
	return bit < 0 ? 0 : (int)(context->plan->view->hosts[slot].marks >> bit & 1);
}

// ---- the log ----------------------------------------------------------------------------------------------

// At most a line in a second, so that a policy cannot flood the log.
static int call_log(struct mp_policy_context *context, const char *text, size_t len)
{
	uint64_t held;
	if (context->fuel.limit_ns != MP_POLICY_SERVE_NS) // it is only being tried
		return 0;
	if (!mp_log_gate_open(&context->log_gate, mp_loop_now_ms(context->loop), 1000, &held))
		return 0;
	char line[256];
	size_t count = len < sizeof(line) - 1 ? len : sizeof(line) - 1;
	memcpy(line, text, count);
	line[count] = '\0';
	for (size_t i = 0; i < count; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	mp_log_write(context->log, MP_LOG_WARN, "policy %s: %s (%llu more since the last line)",
	             context->policy_name != NULL ? context->policy_name : "?", line, (unsigned long long)held);
	return 0;
}

// ---- the bridge -------------------------------------------------------------------------------------------

void mp_policy_push_number(lua_State *L, const char *key, double number)
{
	lua_pushnumber(L, number);
	lua_setfield(L, -2, key);
}

void mp_policy_push_layout(lua_State *L, const char *name, size_t size, const struct mp_word_field *fields,
                           size_t count)
{
	lua_getfield(L, -1, "layout");
	lua_createtable(L, 0, (int)count + 1);
	mp_policy_push_number(L, "sizeof", (double)size);
	for (size_t i = 0; i < count; i++)
		mp_policy_push_number(L, fields[i].name, (double)fields[i].offset);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

void mp_policy_push_code(lua_State *L, const char *key, double number)
{
	lua_getfield(L, -1, "codes");
	mp_policy_push_number(L, key, number);
	lua_pop(L, 1);
}

void mp_policy_push_constant(lua_State *L, const char *key, double number)
{
	lua_getfield(L, -1, "constants");
	mp_policy_push_number(L, key, number);
	lua_pop(L, 1);
}

// clang-format off
#define FIELD(type, field) {#field, offsetof(struct type, field)}
// clang-format on

static void push_layout_of_host(lua_State *L)
{
	static const struct mp_word_field fields[] = {
		FIELD(mp_host_view, index),
		FIELD(mp_host_view, generation),
		FIELD(mp_host_view, inFlight),
		FIELD(mp_host_view, latencyUs),
		FIELD(mp_host_view, weight),
		FIELD(mp_host_view, upSinceMs),
		FIELD(mp_host_view, latencyAtMs),
		FIELD(mp_host_view, marks),
		FIELD(mp_host_view, dcId),
		FIELD(mp_host_view, rackId),
		FIELD(mp_host_view, isUp),
		FIELD(mp_host_view, isLocal),
		FIELD(mp_host_view, isLocalRack),
		FIELD(mp_host_view, isNewlyUp),
		FIELD(mp_host_view, breakerHalfOpen),
		FIELD(mp_host_view, isShut),
	};
	mp_policy_push_layout(L, "host", sizeof(struct mp_host_view), fields, MP_ARRAY_LEN(fields));
}

static void push_layout_of_req(lua_State *L)
{
	static const struct mp_word_field fields[] = {
		FIELD(mp_request_view, hasToken),
		FIELD(mp_request_view, isLwt),
		FIELD(mp_request_view, isRead),
		FIELD(mp_request_view, idempotent),
		FIELD(mp_request_view, isLocalConsistency),
		FIELD(mp_request_view, consistency),
		FIELD(mp_request_view, keyspaceId),
		FIELD(mp_request_view, attempt),
		FIELD(mp_request_view, tag),
		FIELD(mp_request_view, token),
	};
	mp_policy_push_layout(L, "req", sizeof(struct mp_request_view), fields, MP_ARRAY_LEN(fields));
}

// The scopes and orders, so far apart that one in the place of the other is noticed; and the codes of this file.
static void push_numbers(lua_State *L)
{
#define X(name, word, phrase) mp_policy_push_constant(L, #word, MP_WORD_SCOPE + MP_SCOPE_##name);
	MP_SCOPES(X)
#undef X
	mp_policy_push_constant(L, "all", MP_WORD_SCOPE + MP_SCOPE_ALL);
#define X(name, word, phrase) mp_policy_push_constant(L, #word, MP_WORD_ORDER + MP_ORDER_##name);
	MP_ORDERS(X)
#undef X
#define X(name, value) mp_policy_push_constant(L, #name, value);
	MP_CONSISTENCIES(X)
#undef X
#define X(name, word, phrase) #word ", "
	lua_pushliteral(L, MP_SCOPES(X) "dc(name)");
	lua_setfield(L, -2, "scopes");
	static const char orders[] = MP_ORDERS(X);
	lua_pushlstring(L, orders, sizeof(orders) - sizeof(", "));
	lua_setfield(L, -2, "orders");
#undef X
	mp_policy_push_code(L, "NO_HOST", MP_NO_HOST);
	mp_policy_push_code(L, "SCOPE", MP_WORD_SCOPE);
	mp_policy_push_code(L, "DC", MP_WORD_DC);
	mp_policy_push_code(L, "ORDER", MP_WORD_ORDER);
	mp_policy_push_code(L, "SET", MP_WORD_SET);
}

static void set_address(lua_State *L, const char *key, const void *address)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)address);
	lua_setfield(L, -2, key);
}

void mp_policy_push_call(lua_State *L, const char *key, uintptr_t address)
{
	lua_pushlightuserdata(L, (void *)address);
	lua_setfield(L, -2, key);
}

void mp_words_push(lua_State *L, struct mp_policy_state *state)
{
	static const char *const tables[] = {"layout", "constants", "codes"};
	for (size_t i = 0; i < MP_ARRAY_LEN(tables); i++) {
		lua_newtable(L);
		lua_setfield(L, -2, tables[i]);
	}
	push_layout_of_host(L);
	push_layout_of_req(L);
	push_numbers(L);
	set_address(L, "context", &state->context);
	set_address(L, "req", &state->req);
	set_address(L, "slots", state->context.slots);
	mp_policy_push_call(L, "nthHost", (uintptr_t)call_nth_host);
	mp_policy_push_call(L, "nthReplica", (uintptr_t)call_nth_replica);
	mp_policy_push_call(L, "countHosts", (uintptr_t)call_count_hosts);
	mp_policy_push_call(L, "countShut", (uintptr_t)call_count_shut);
	mp_policy_push_call(L, "dc", (uintptr_t)call_dc);
	mp_policy_push_call(L, "nameDc", (uintptr_t)call_name_dc);
	mp_policy_push_call(L, "tag", (uintptr_t)call_tag);
	mp_policy_push_call(L, "keyspace", (uintptr_t)call_keyspace);
	mp_policy_push_call(L, "random", (uintptr_t)call_random);
	mp_policy_push_call(L, "log", (uintptr_t)call_log);
	mp_policy_push_fuel(L);
	mp_policy_push_call(L, "set", (uintptr_t)call_set);
	mp_policy_push_call(L, "inSet", (uintptr_t)call_in_set);
}
