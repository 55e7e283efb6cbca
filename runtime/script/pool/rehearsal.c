// SPDX-License-Identifier: Apache-2.0
// A policy without a session: asked about hosts and a request that a table describes, as a record of the decision log
// does (docs/decision-log.md). It runs as it would in service, with its fuel and the default behind it.
//
// Invariant: an answer follows from the table, and from what the policy keeps between calls; nothing is left of the
// hosts of the call before but their names.
#include <lauxlib.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/plan/marks.h"
#include "cluster/plan/names.h"
#include "policy/policies.h"
#include "script/core.h"
#include "script/runtime.h"
#include "script/values/value.h"
#include "wire/message.h"

#define REHEARSAL    "moonpool.rehearsal"
#define REPLICAS_MAX 64
#define HOSTS_LISTED 16
#define NAMES_MAX    65535u
#define PATHS_MOST   64

struct rehearsal {
	struct mp_runtime *runtime;
	struct mp_runtime_guest guest;
	struct mp_policies *policies; // NULL: it has ended
	struct mp_loop *loop;
	struct mp_view view;
	struct mp_names tags, keyspaces;
	struct mp_ring *ring;           // of one token: every row has the replicas of the table
	struct mp_placement *placement; // borrowed memory below
	uint16_t replicas[REPLICAS_MAX];
	struct mp_placement row;
	bool has_view;
};

// ---- reading the table ------------------------------------------------------------------------------------

// The field of the table at `index`, or "".
static struct mp_str text_of(lua_State *L, int index, const char *key)
{
	struct mp_str text = {"", 0};
	lua_getfield(L, index, key);
	if (lua_type(L, -1) == LUA_TSTRING)
		text.data = lua_tolstring(L, -1, &text.len);
	lua_pop(L, 1); // the table keeps it
	return text;
}

static double number_of(lua_State *L, int index, const char *key, double otherwise)
{
	lua_getfield(L, index, key);
	double number = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : otherwise;
	lua_pop(L, 1);
	return number == number ? number : otherwise;
}

static uint32_t u32_of(lua_State *L, int index, const char *key)
{
	double number = number_of(L, index, key, 0);
	return number >= 0 && number <= UINT32_MAX ? (uint32_t)number : 0;
}

static bool flag_of(lua_State *L, int index, const char *key)
{
	lua_getfield(L, index, key);
	bool set = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return set;
}

static uint64_t digits_of(struct mp_str text)
{
	uint64_t number = 0;
	for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
		number = number * 10 + (uint64_t)(text.data[i] - '0');
	return number;
}

// ---- hosts ------------------------------------------------------------------------------------------------

static void forget_hosts(struct rehearsal *self)
{
	for (uint32_t i = 0; i < self->view.host_count; i++) {
		struct mp_host_view *host = &self->view.hosts[i];
		*host = (struct mp_host_view){.index = i, .generation = host->generation, .weight = 1};
	}
	self->view.host_count = 0;
	for (uint16_t i = 0; i < REPLICAS_MAX; i++)
		self->replicas[i] = MP_NO_HOST;
	self->placement = NULL;
}

// The table of tags at the top of the stack. 0 or an error.
static int take_tags(lua_State *L, struct rehearsal *self, uint16_t slot)
{
	const char *tags[MP_MARKS_MAX];
	size_t count = 0;
	size_t given = lua_type(L, -1) == LUA_TTABLE ? lua_objlen(L, -1) : 0;
	for (size_t i = 0; i < given && count < MP_MARKS_MAX; i++) {
		lua_rawgeti(L, -1, (int)i + 1);
		if (lua_type(L, -1) == LUA_TSTRING)
			tags[count++] = lua_tostring(L, -1);
		lua_pop(L, 1); // the table keeps it
	}
	return count == 0 ? 0 : mp_view_set_tags(&self->view, slot, tags, count);
}

static int take_place(lua_State *L, struct rehearsal *self, struct mp_host_view *host, int at)
{
	int dc = mp_view_dc_id(&self->view, text_of(L, at, "datacenter").data);
	int rack =
		dc < 0 ? dc
			   : mp_view_rack_id(&self->view, text_of(L, at, "datacenter").data, text_of(L, at, "rack").data);
	if (rack < 0)
		return rack;
	host->dcId = (uint16_t)dc;
	host->rackId = (uint16_t)rack;
	return 0;
}

// The host that the table at the top describes. 0 or an error.
static int take_host(lua_State *L, struct rehearsal *self, uint16_t otherwise)
{
	int at = lua_gettop(L);
	double number = number_of(L, at, "slot", otherwise);
	if (number < 0 || number >= MP_HOSTS_MAX)
		return MP_EINVAL;
	uint16_t slot = (uint16_t)number;
	struct mp_host_view *host = &self->view.hosts[slot];
	double now_ms = (double)mp_loop_now_ms(self->loop);
	for (uint32_t i = self->view.host_count; i <= slot; i++)
		self->view.hosts[i] = (struct mp_host_view){.index = i, .weight = 1};
	if (slot >= self->view.host_count)
		self->view.host_count = slot + 1U;
	int rc = take_place(L, self, host, at);
	if (rc != 0)
		return rc;
	struct mp_str state = text_of(L, at, "state");
	uint32_t replica = u32_of(L, at, "replica");
	host->isUp = state.len == 0 || mp_str_is(state, "up") || mp_str_is(state, "halfOpen");
	host->breakerHalfOpen = mp_str_is(state, "halfOpen");
	host->isShut = mp_str_is(state, "shut");
	host->isLocal = flag_of(L, at, "isLocal");
	host->isLocalRack = flag_of(L, at, "isLocalRack");
	host->isNewlyUp = flag_of(L, at, "isNewlyUp");
	host->inFlight = u32_of(L, at, "inFlight");
	host->latencyUs = u32_of(L, at, "latencyUs");
	host->latencyAtMs = host->latencyUs > 0 ? now_ms - number_of(L, at, "latencyAgeMs", 0) : 0;
	host->weight = number_of(L, at, "weight", 1);
	if (replica > 0 && replica <= REPLICAS_MAX) {
		self->replicas[replica - 1] = slot;
		self->placement = &self->row;
	}
	mp_view_name_host(&self->view, slot, text_of(L, at, "host").data, "");
	lua_getfield(L, at, "tags");
	rc = take_tags(L, self, slot);
	lua_pop(L, 1);
	return rc;
}

// Replicas that are missing leave no hole: a row ends at its first one.
static void close_row(struct rehearsal *self)
{
	uint16_t kept = 0;
	for (uint16_t i = 0; i < REPLICAS_MAX; i++)
		if (self->replicas[i] != MP_NO_HOST)
			self->replicas[kept++] = self->replicas[i];
	while (kept < REPLICAS_MAX)
		self->replicas[kept++] = MP_NO_HOST;
}

static int take_hosts(lua_State *L, struct rehearsal *self)
{
	forget_hosts(self);
	struct mp_str local = text_of(L, 2, "localDatacenter");
	int dc = local.len > 0 ? mp_view_dc_id(&self->view, local.data) : MP_NO_HOST;
	if (dc < 0)
		return dc;
	self->view.local_dc = (uint16_t)dc;
	self->view.turn = u32_of(L, 2, "turn");
	self->view.best_at_ms = 0;
	lua_getfield(L, 2, "hosts");
	size_t count = lua_type(L, -1) == LUA_TTABLE ? lua_objlen(L, -1) : 0;
	int rc = count > MP_HOSTS_MAX ? MP_ETOOBIG : 0;
	for (size_t i = 0; i < count && rc == 0; i++) {
		lua_rawgeti(L, -1, (int)i + 1);
		rc = lua_type(L, -1) == LUA_TTABLE ? take_host(L, self, (uint16_t)i) : MP_EINVAL;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	close_row(self);
	return rc != 0 ? rc : mp_view_rebuild(&self->view);
}

// ---- the request ------------------------------------------------------------------------------------------

// false: there is none, or its consistency is unknown.
static bool take_request(lua_State *L, struct rehearsal *self, struct mp_request_view *req, int64_t *token)
{
	memset(req, 0, sizeof(*req));
	lua_getfield(L, 2, "request");
	int at = lua_gettop(L);
	bool ok = lua_type(L, at) == LUA_TTABLE;
	struct mp_str level = {"LOCAL_ONE", 9};
	if (ok && text_of(L, at, "consistency").len > 0)
		level = text_of(L, at, "consistency");
	int consistency = mp_consistency_parse(level);
	if (ok && consistency >= 0) {
		struct mp_str kind = text_of(L, at, "kind");
		struct mp_str digits = text_of(L, at, "token");
		req->consistency = (uint16_t)consistency;
		req->isLocalConsistency = flag_of(L, at, "isLocal");
		req->isLwt = mp_str_is(kind, "lwt");
		req->isRead = mp_str_is(kind, "read");
		req->idempotent = flag_of(L, at, "idempotent");
		req->attempt = 1;
		req->hasToken = digits.len > 0 && mp_int64_parse(digits.data, digits.len, token) == 0;
		req->token = (double)*token;
		req->tag = mp_names_id(&self->tags, text_of(L, at, "tag"));
		req->keyspaceId = (uint16_t)mp_names_id(&self->keyspaces, text_of(L, at, "keyspace"));
	}
	lua_settop(L, at - 1);
	return ok && consistency >= 0;
}

// ---- asking -----------------------------------------------------------------------------------------------

// The kind whose policies plan.
static enum mp_policy_kind planning(void)
{
	int kind = 0;
	while (kind < MP_POLICY_KINDS - 1 &&
	       strcmp(mp_policy_kind_name((enum mp_policy_kind)kind), "balance") != 0)
		kind++;
	return (enum mp_policy_kind)kind;
}

static struct rehearsal *check(lua_State *L)
{
	struct rehearsal *self = luaL_checkudata(L, 1, REHEARSAL);
	luaL_argcheck(L, self->policies != NULL, 1, "it has ended with its runtime");
	return self;
}

static void push_plan(lua_State *L, struct mp_plan *plan)
{
	char text[256];
	lua_createtable(L, plan->step_count, 0);
	for (uint8_t i = 0; i < plan->step_count; i++) {
		lua_pushstring(L, mp_plan_step_text(plan, i, text, sizeof(text)));
		lua_rawseti(L, -2, i + 1);
	}
	lua_setfield(L, -2, "steps");
	lua_createtable(L, HOSTS_LISTED, 0);
	uint8_t step = 0;
	int place = 0;
	for (uint16_t slot; (slot = mp_plan_next(plan, &step)) != MP_NO_HOST;) {
		lua_createtable(L, 0, 3);
		lua_pushstring(L, plan->view->names[slot].address);
		lua_setfield(L, -2, "host");
		lua_pushinteger(L, slot);
		lua_setfield(L, -2, "slot");
		lua_pushinteger(L, step + 1);
		lua_setfield(L, -2, "step");
		lua_rawseti(L, -2, ++place);
	}
	lua_setfield(L, -2, "plan");
}

// askRehearsal(rehearsal, record): { steps, plan = { { host, slot, step }, ... }, fallback, refused, error }, or nil
// and what is wrong with the record.
int mp_core_ask_rehearsal(lua_State *L)
{
	struct rehearsal *self = check(L);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	luaL_checkstack(L, 24, NULL);
	struct mp_request_view req;
	struct mp_plan plan;
	int64_t token = 0;
	enum mp_policy_kind kind = planning();
	int rc = take_hosts(L, self);
	if (rc == 0 && !take_request(L, self, &req, &token))
		rc = MP_EINVAL;
	if (rc != 0)
		return mp_lua_fail(L, rc, "the record has no hosts or no request that can be asked about");
	uint64_t chance = digits_of(text_of(L, 2, "chance"));
	const struct mp_balance_policy *policy = &mp_policies_get(self->policies)->balance;
	struct mp_policy_info before = {0}, after = {0};
	(void)mp_policies_info(self->policies, kind, &before);
	mp_plan_init(&plan, &self->view, self->placement, req.hasToken, token, chance);
	bool ok = policy->plan(policy->self, &req, &plan);
	(void)mp_policies_info(self->policies, kind, &after);
	if (!ok) {
		mp_plan_init(&plan, &self->view, self->placement, req.hasToken, token, chance);
		mp_default_plan(NULL, &req, &plan);
	}
	lua_createtable(L, 0, 5);
	push_plan(L, &plan);
	lua_pushboolean(L, !ok);
	lua_setfield(L, -2, "fallback");
	lua_pushboolean(L, plan.refused);
	lua_setfield(L, -2, "refused");
	if (after.errors > before.errors) {
		lua_pushstring(L, after.last_error);
		lua_setfield(L, -2, "error");
	}
	return 1;
}

// ---- life -------------------------------------------------------------------------------------------------

static uint32_t tag_id(void *data, const char *text, size_t len)
{
	return mp_names_id(&((struct rehearsal *)data)->tags, (struct mp_str){text, len});
}

static uint32_t keyspace_id(void *data, const char *text, size_t len)
{
	return mp_names_id(&((struct rehearsal *)data)->keyspaces, (struct mp_str){text, len});
}

static void end_policies(struct rehearsal *self)
{
	if (self->policies == NULL)
		return;
	mp_policies_free(self->policies);
	self->policies = NULL;
	mp_runtime_remove_guest(self->runtime, &self->guest);
}

static void end_guest(struct mp_runtime_guest *guest)
{
	end_policies(MP_CONTAINER_OF(guest, struct rehearsal, guest));
}

static int on_collect(lua_State *L)
{
	struct rehearsal *self = lua_touserdata(L, 1);
	end_policies(self);
	if (self->has_view)
		mp_view_deinit(&self->view);
	self->has_view = false;
	mp_names_deinit(&self->tags);
	mp_names_deinit(&self->keyspaces);
	mp_ring_unref(self->ring);
	self->ring = NULL;
	return 0;
}

static int make_world(struct rehearsal *self)
{
	int rc = mp_view_init(&self->view);
	self->has_view = rc == 0;
	const struct mp_ring_token token = {.token = 0, .owner = 0};
	self->ring = rc == 0 ? mp_ring_new(&token, 1) : NULL;
	if (self->ring == NULL)
		return MP_ENOMEM;
	self->row = (struct mp_placement){
		.ring = self->ring,
		.stride = REPLICAS_MAX,
		.hosts = self->replicas,
		.done = 1,
		.refs = 1,
	};
	return 0;
}

// The list of folders at `index`, into `paths`; how many.
static size_t take_paths(lua_State *L, int index, const char **paths)
{
	size_t count = lua_type(L, index) == LUA_TTABLE ? lua_objlen(L, index) : 0;
	size_t kept = 0;
	for (size_t i = 0; i < count && kept < PATHS_MOST; i++) {
		lua_rawgeti(L, index, (int)i + 1);
		if (lua_type(L, -1) == LUA_TSTRING)
			paths[kept++] = lua_tostring(L, -1);
		lua_pop(L, 1); // the list keeps it
	}
	return kept;
}

// rehearse(policy, options, paths): a policy by name or path, with a text of its options or nil, looked for in these
// folders, too; and its name. Or nil and "FILE:LINE: why".
int mp_core_rehearse(lua_State *L)
{
	char message[512] = "";
	const char *paths[PATHS_MOST];
	enum mp_policy_kind kind = planning();
	struct mp_policies_config config;
	memset(&config, 0, sizeof(config));
	config.choices[kind].policy = luaL_checkstring(L, 1);
	config.choices[kind].options = luaL_optstring(L, 2, NULL);
	lua_settop(L, 3);
	config.paths = paths;
	config.path_count = take_paths(L, 3, paths);
	struct mp_runtime *runtime = mp_runtime_of(L);
	struct rehearsal *self = mp_lua_push_held(L, REHEARSAL, sizeof(*self), on_collect);
	mp_names_init(&self->tags, NAMES_MAX);
	mp_names_init(&self->keyspaces, NAMES_MAX);
	self->runtime = runtime;
	self->loop = mp_runtime_loop(self->runtime);
	int rc = make_world(self);
	if (rc == 0)
		self->policies = mp_policies_new(self->loop, &config, message, sizeof(message), NULL);
	const struct mp_policy_names names = {.data = self, .tag_id = tag_id, .keyspace_id = keyspace_id};
	if (self->policies != NULL) {
		self->guest.end = end_guest;
		mp_runtime_add_guest(self->runtime, &self->guest);
		rc = mp_policies_bind(self->policies, &self->view, &names, message, sizeof(message));
	}
	if (rc != 0 || self->policies == NULL) {
		lua_pushnil(L);
		mp_lua_push_redacted(L, message[0] != '\0' ? message : mp_err_text(rc),
		                     strlen(message[0] != '\0' ? message : mp_err_text(rc)));
		return 2;
	}
	struct mp_policy_info info;
	(void)mp_policies_info(self->policies, kind, &info);
	lua_pushstring(L, info.name);
	return 2;
}
