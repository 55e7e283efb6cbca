// SPDX-License-Identifier: Apache-2.0
#include "script/pool/options.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cluster/profile.h"
#include "script/core.h"
#include "script/values/value.h"

#define NOT_GIVEN  UINT16_MAX
#define FETCH_SIZE 5000 // rows of a page unless fetchSize says otherwise

#define TEXT      MP_LUA_CALL_TEXT
#define STATEMENT MP_LUA_CALL_STATEMENT
#define REQUEST   (TEXT | STATEMENT)
#define PREPARE   MP_LUA_CALL_PREPARE
#define BATCH     MP_LUA_CALL_BATCH
#define PAYLOAD   "moonpool.payload" // in the registry: the table that was given last
#define EACH      (REQUEST | PREPARE | BATCH)

// X(name, the calls that honour it)
// clang-format off
#define OPTIONS(X)                                                                                     \
	X(consistency, EACH) X(serialConsistency, EACH) X(timeout, EACH) X(isIdempotent, EACH)             \
	X(fetchSize, REQUEST | PREPARE) X(pageState, REQUEST) X(keyspace, TEXT | PREPARE | BATCH)          \
	X(routingKey, REQUEST | BATCH) X(timestamp, REQUEST | BATCH) X(traceQuery, EACH)                   \
	X(host, REQUEST | BATCH) X(tag, EACH) X(prepare, TEXT | BATCH) X(type, BATCH)              \
	X(profile, REQUEST | BATCH) X(payload, REQUEST | BATCH)
// clang-format on
enum option {
#define X(name, calls) OPTION_##name,
	OPTIONS(X)
#undef X
		OPTION_COUNT
};
static const char *const names[] = {
#define X(name, calls) #name,
	OPTIONS(X)
#undef X
};
static const uint8_t honoured[] = {
#define X(name, calls) (calls),
	OPTIONS(X)
#undef X
};

const struct mp_lua_options mp_lua_options_none = {
	.prepare = -1,
	.request = {.consistency = NOT_GIVEN, .page_size = FETCH_SIZE},
};

static enum option option_of(struct mp_str name)
{
	int i = 0;
	while (i < OPTION_COUNT && !mp_str_is(name, names[i]))
		i++;
	return (enum option)i;
}

// The name is none, or it means nothing to this call.
static int refuse(lua_State *L, struct mp_str name, enum option option, enum mp_lua_call call)
{
	const char *taken[OPTION_COUNT];
	size_t count = 0;
	for (int i = 0; i < OPTION_COUNT; i++)
		if (honoured[i] & call)
			taken[count++] = names[i];
	if (option == OPTION_COUNT)
		return mp_lua_raise_unknown(L, name, taken, count, "unknown option '%.60s'", name.data);
	if (call == PREPARE)
		return mp_lua_raise(L, "option '%s' means nothing to prepare(): give it with each %s", name.data,
		                    option == OPTION_type ? "batch" : "request");
	if (call == BATCH)
		return mp_lua_raise(L, "option '%s' means nothing to a batch: it has no rows", name.data);
	if (option == OPTION_type)
		return mp_lua_raise(L, "option 'type' means nothing to %s: it is the kind of a batch",
		                    call == TEXT ? "one statement" : "a prepared statement");
	return mp_lua_raise(L, "option '%s' means nothing to a prepared statement%s", name.data,
	                    option == OPTION_keyspace ? ": give it to prepare()" : "");
}

static int wrong(lua_State *L, const char *name, const char *expected)
{
	const char *got = luaL_typename(L, -1);
	return mp_lua_raise(L, "option '%s': %s expected, got %s", name, expected, got);
}

static double number(lua_State *L, const char *name, double least, double most)
{
	if (lua_type(L, -1) != LUA_TNUMBER)
		wrong(L, name, "a number");
	double value = lua_tonumber(L, -1);
	if (!(value >= least && value <= most && value == floor(value)))
		mp_lua_raise(L, "option '%s': a whole number from %d to %d expected", name, (int)least, (int)most);
	return value;
}

static bool flag(lua_State *L, const char *name)
{
	if (lua_type(L, -1) != LUA_TBOOLEAN)
		wrong(L, name, "a boolean");
	return lua_toboolean(L, -1);
}

static struct mp_str text(lua_State *L, const char *name)
{
	if (lua_type(L, -1) != LUA_TSTRING)
		wrong(L, name, "a string");
	struct mp_str value;
	value.data = lua_tolstring(L, -1, &value.len);
	return value;
}

uint16_t mp_lua_consistency(lua_State *L, const char *what, struct mp_str name)
{
	static const char *const levels[] = {
#define X(level, value) #level,
		MP_CONSISTENCIES(X)
#undef X
	};
	int code = mp_consistency_parse(name);
	if (code < 0)
		mp_lua_raise_unknown(L, name, levels, MP_ARRAY_LEN(levels),
		                     "%s: a consistency expected, got \"%.60s\"", what, name.data);
	return (uint16_t)code;
}

static uint16_t consistency(lua_State *L, const char *name)
{
	char what[64];
	snprintf(what, sizeof(what), "option '%s'", name);
	return mp_lua_consistency(L, what, text(L, name));
}

static uint16_t serial(lua_State *L, const char *name)
{
	uint16_t code = consistency(L, name);
	if (code != MP_CL_SERIAL && code != MP_CL_LOCAL_SERIAL)
		mp_lua_raise(L, "option '%s': \"SERIAL\" or \"LOCAL_SERIAL\" expected, got \"%s\"", name,
		             mp_consistency_name(code));
	return code;
}

static int64_t timestamp(lua_State *L, const char *name)
{
	struct mp_codec codec;
	int64_t value = 0;
	if (mp_int64_read(L, lua_gettop(L), &codec, &value) != 0)
		mp_lua_raise(L, "option '%s': microseconds since 1970 expected: %s", name, codec.why);
	if (value == INT64_MIN) // servers take it for none
		mp_lua_raise(L, "option '%s': microseconds since 1970 expected, -9223372036854775807 or more", name);
	return value;
}

static struct mp_str keyspace(lua_State *L, const char *name)
{
	struct mp_str value = text(L, name);
	if (value.len > UINT16_MAX)
		mp_lua_raise(L, "option '%s': the name of a keyspace has at most 65535 bytes", name);
	return value;
}

static enum mp_batch_type batch_type(lua_State *L, const char *name)
{
	static const char *const types[MP_BATCH_TYPES] = {"logged", "unlogged", "counter"};
	struct mp_str given = text(L, name);
	for (int i = 0; i < MP_BATCH_TYPES; i++)
		if (mp_str_is_nocase(given, types[i]))
			return (enum mp_batch_type)i;
	mp_lua_raise_unknown(L, given, types, MP_BATCH_TYPES, "option '%s': no batch is \"%.40s\"", name,
	                     given.data);
	return MP_BATCH_LOGGED;
}

// A name that ends at a NUL is another one.
static struct mp_str host(lua_State *L, const char *name)
{
	struct mp_str value = text(L, name);
	if (strlen(value.data) != value.len)
		mp_lua_raise(L, "option '%s': an address like \"127.0.0.1:9042\" expected", name);
	return value;
}

static struct mp_bytes page_state(lua_State *L, const char *name)
{
	struct mp_str state = text(L, name);
	if (state.len > INT32_MAX)
		wrong(L, name, "a pageState of a result");
	return (struct mp_bytes){(const uint8_t *)state.data, (int32_t)state.len};
}

// A table of texts by name, judged; its place. It is read when the request is made, in the same call.
static bool payload(lua_State *L, const char *name)
{
	if (lua_type(L, -1) != LUA_TTABLE)
		wrong(L, name, "a table of strings by name");
	int at = lua_gettop(L);
	size_t count = 0;
	lua_pushnil(L);
	while (lua_next(L, at) != 0) {
		if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
			mp_lua_raise(L, "option '%s': strings by name expected, got a %s under a %s", name,
			             luaL_typename(L, -1), luaL_typename(L, -2));
		if (lua_objlen(L, -2) > UINT16_MAX || lua_objlen(L, -1) > INT32_MAX || ++count > UINT16_MAX)
			mp_lua_raise(L, "option '%s': at most 65535 entries, with names of at most 65535 bytes", name);
		lua_pop(L, 1);
	}
	lua_pushvalue(L, at);
	lua_setfield(L, LUA_REGISTRYINDEX, PAYLOAD);
	return count > 0;
}

int mp_lua_options_add_payload(lua_State *L, struct mp_request *request)
{
	int rc = 0;
	lua_getfield(L, LUA_REGISTRYINDEX, PAYLOAD);
	lua_pushnil(L);
	while (rc == 0 && lua_next(L, -2) != 0) {
		struct mp_str name, bytes;
		name.data = lua_tolstring(L, -2, &name.len);
		bytes.data = lua_tolstring(L, -1, &bytes.len);
		rc = mp_request_add_payload(request, name, bytes);
		lua_pop(L, 1);
	}
	if (rc != 0)
		lua_pop(L, 1);
	lua_pop(L, 1);
	return rc;
}

// The value is on top.
static void read_one(lua_State *L, enum option option, struct mp_lua_options *options)
{
	struct mp_request_options *request = &options->request;
	const char *name = option < OPTION_COUNT ? names[option] : NULL;
	switch (option) {
	case OPTION_consistency: request->consistency = consistency(L, name); break;
	case OPTION_serialConsistency: request->serial_consistency = serial(L, name); break;
	case OPTION_timeout: request->timeout_ms = (uint32_t)number(L, name, 1, INT32_MAX); break;
	case OPTION_isIdempotent: request->idempotent = flag(L, name); break;
	case OPTION_fetchSize: request->page_size = (int32_t)number(L, name, 0, INT32_MAX); break;
	case OPTION_pageState: options->page_state = page_state(L, name); break;
	case OPTION_keyspace: options->keyspace = keyspace(L, name); break;
	case OPTION_routingKey: options->routing_key = text(L, name); break;
	case OPTION_timestamp:
		request->has_timestamp = true;
		request->timestamp_us = timestamp(L, name);
		break;
	case OPTION_traceQuery: request->trace = flag(L, name); break;
	case OPTION_host: options->host = host(L, name); break;
	case OPTION_tag: options->tag = text(L, name); break;
	case OPTION_prepare: options->prepare = flag(L, name) ? 1 : 0; break;
	case OPTION_type: options->batch_type = batch_type(L, name); break;
	case OPTION_profile: options->profile = text(L, name); break;
	case OPTION_payload: options->payload = payload(L, name); break;
	case OPTION_COUNT: break;
	}
}

// Those that profiles give, too.
static const uint8_t profile_bits[OPTION_COUNT] = {
	[OPTION_consistency] = MP_PROFILE_CONSISTENCY,
	[OPTION_serialConsistency] = MP_PROFILE_SERIAL,
	[OPTION_timeout] = MP_PROFILE_TIMEOUT,
	[OPTION_isIdempotent] = MP_PROFILE_IDEMPOTENT,
	[OPTION_fetchSize] = MP_PROFILE_PAGE_SIZE,
	[OPTION_traceQuery] = MP_PROFILE_TRACE,
	[OPTION_tag] = MP_PROFILE_TAG,
};

static int no_profile(lua_State *L, const struct mp_session *session, struct mp_str name)
{
	const char *known[64];
	size_t count = 0;
	const char *one;
	for (size_t i = 0; count < MP_ARRAY_LEN(known) && (one = mp_profile_name(session, i)) != NULL; i++)
		if (one[0] != '\0')
			known[count++] = one;
	return mp_lua_raise_unknown(L, name, known, count,
	                            "option 'profile': the configuration has no profile \"%.40s\"", name.data);
}

// What the table said goes before the profile that it names, that before what the statement was prepared with.
static void use_profile(lua_State *L, struct mp_session *session, uint32_t own,
                        struct mp_lua_options *options)
{
	struct mp_str name = options->profile;
	const struct mp_profile *profile = name.len > 0 ? mp_profile_find(session, name) : NULL;
	if (profile == NULL)
		no_profile(L, session, name);
	else {
		mp_profile_apply(profile, session, own, &options->request);
		options->given |= profile->given;
	}
}

static uint32_t read_table(lua_State *L, int index, enum mp_lua_call call, struct mp_lua_options *options)
{
	uint32_t own = 0;
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		if (lua_type(L, -2) != LUA_TSTRING)
			mp_lua_raise(L, "options: names expected as keys, got a %s", luaL_typename(L, -2));
		struct mp_str name;
		name.data = lua_tolstring(L, -2, &name.len);
		enum option option = option_of(name);
		if (MP_UNLIKELY(option == OPTION_COUNT || (honoured[option] & call) == 0))
			refuse(L, name, option, call);
		read_one(L, option, options);
		own |= profile_bits[option];
		lua_pop(L, 1);
	}
	return own;
}

void mp_lua_options_read(lua_State *L, int index, enum mp_lua_call call, struct mp_session *session,
                         struct mp_lua_options *options)
{
	if (lua_type(L, index) == LUA_TTABLE) {
		uint32_t own = read_table(L, index, call, options);
		options->given |= own;
		if (MP_UNLIKELY(options->profile.data != NULL && session != NULL))
			use_profile(L, session, own, options);
	}
	const struct mp_profile *defaults = session != NULL ? mp_session_defaults(session) : NULL;
	if (MP_UNLIKELY(defaults != NULL))
		mp_profile_apply(defaults, session, options->given, &options->request);
}

void mp_lua_options_apply_own(const struct mp_lua_options *options, struct mp_request *request)
{
	struct mp_request_options *to = &request->options;
	uint16_t consistency_default = to->consistency;
	uint16_t any_host = to->pinned_host;
	*to = options->request;
	to->pinned_host = any_host;
	if (to->consistency == NOT_GIVEN)
		to->consistency = consistency_default;
}

int mp_lua_options_apply(const struct mp_lua_options *options, struct mp_session *session,
                         struct mp_request *request)
{
	struct mp_request_options *to = &request->options;
	mp_lua_options_apply_own(options, request);
	if (options->routing_key.data != NULL)
		mp_request_options_route(to, options->routing_key);
	if (options->tag.data != NULL)
		to->tag = mp_session_tag_id(session, options->tag);
	if (options->host.data != NULL) {
		const struct mp_host *host = mp_session_host_find(session, options->host.data);
		if (host == NULL)
			return MP_ENOTFOUND;
		to->pinned_host = host->index;
	}
	return 0;
}
