// SPDX-License-Identifier: Apache-2.0
#include "script/lua_options.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "script/lua_core.h"
#include "wire/murmur3.h"

#define NOT_GIVEN  UINT16_MAX
#define FETCH_SIZE 5000 // rows of a page unless fetchSize says otherwise

#define OPTIONS(X)       \
	X(consistency)       \
	X(serialConsistency) \
	X(timeout)           \
	X(isIdempotent)      \
	X(fetchSize) X(pageState) X(keyspace) X(routingKey) X(timestamp) X(traceQuery) X(host) X(tag) X(prepare)
enum option {
#define X(name) OPTION_##name,
	OPTIONS(X)
#undef X
		OPTION_COUNT
};
static const char *const names[] = {
#define X(name) #name,
	OPTIONS(X)
#undef X
};

static enum option option_of(const char *name)
{
	int i = 0;
	while (i < OPTION_COUNT && strcmp(names[i], name) != 0)
		i++;
	return (enum option)i;
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

static uint16_t consistency(lua_State *L, const char *name)
{
	struct mp_str value = text(L, name);
	int code = mp_consistency_parse(value);
	if (code < 0)
		mp_lua_raise(L, "option '%s': a consistency like \"LOCAL_QUORUM\" expected, got \"%s\"", name,
		             value.data);
	return (uint16_t)code;
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
	return value;
}

static struct mp_bytes page_state(lua_State *L, const char *name)
{
	struct mp_str state = text(L, name);
	if (state.len > INT32_MAX)
		wrong(L, name, "a pageState of a result");
	return (struct mp_bytes){(const uint8_t *)state.data, (int32_t)state.len};
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
	case OPTION_fetchSize: request->page_size = (int32_t)number(L, name, 1, INT32_MAX); break;
	case OPTION_pageState: options->page_state = page_state(L, name); break;
	case OPTION_keyspace: options->keyspace = text(L, name); break;
	case OPTION_routingKey: options->routing_key = text(L, name); break;
	case OPTION_timestamp:
		request->has_timestamp = true;
		request->timestamp_us = timestamp(L, name);
		break;
	case OPTION_traceQuery: request->trace = flag(L, name); break;
	case OPTION_host: options->host = text(L, name); break;
	case OPTION_tag: options->tag = text(L, name); break;
	case OPTION_prepare: options->prepare = flag(L, name) ? 1 : 0; break;
	case OPTION_COUNT: break;
	}
}

void mp_lua_options_read(lua_State *L, int index, struct mp_lua_options *options)
{
	memset(options, 0, sizeof(*options));
	options->prepare = -1;
	options->request.consistency = NOT_GIVEN;
	options->request.page_size = FETCH_SIZE;
	if (lua_type(L, index) != LUA_TTABLE)
		return;
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		if (lua_type(L, -2) != LUA_TSTRING)
			mp_lua_raise(L, "options: names expected as keys, got a %s", luaL_typename(L, -2));
		enum option option = option_of(lua_tostring(L, -2));
		if (option == OPTION_COUNT)
			mp_lua_raise(L, "unknown option '%s'", lua_tostring(L, -2));
		read_one(L, option, options);
		lua_pop(L, 1);
	}
}

int mp_lua_options_apply(const struct mp_lua_options *options, struct mp_session *session,
                         struct mp_request *request)
{
	struct mp_request_options *to = &request->options;
	uint16_t consistency_default = to->consistency;
	uint16_t any_host = to->pinned_host;
	*to = options->request;
	to->pinned_host = any_host;
	if (to->consistency == NOT_GIVEN)
		to->consistency = consistency_default;
	if (options->routing_key.data != NULL) {
		to->has_token = true;
		to->token = mp_murmur3_token(options->routing_key.data, options->routing_key.len);
	}
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
