// SPDX-License-Identifier: Apache-2.0
#include "script/lua_bind.h"

#include <lauxlib.h>

static int bad_parameter(struct mp_codec *codec, int rc, const struct mp_column *column, size_t i)
{
	int len = (int)(column->name.len < 40 ? column->name.len : 40);
	return mp_codec_within(codec, rc, "parameter %zu (%.*s, %s)", i + 1, len, column->name.data,
	                       mp_type_id_name(column->type->id));
}

// Lua cannot see a nil at the end of a list, so a shorter list ends in nulls; a longer one is a mistake.
static int check_length(size_t given, uint32_t count, struct mp_codec *codec)
{
	if (given <= count)
		return 0;
	return mp_codec_fail(codec, MP_EINVAL, "the statement has %u parameters, %zu were given", count, given);
}

// What stands in a list besides its places, a name or a number too high, would be lost in silence.
static int check_strays(lua_State *L, int index, uint32_t count, struct mp_codec *codec)
{
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TNUMBER) {
			lua_pop(L, 1);
			return mp_codec_fail(codec, MP_EINVAL,
			                     "a list of parameters or a table of named ones expected, not both");
		}
		double place = lua_tonumber(L, -1);
		if (!(place >= 1 && place <= (double)count && place == (double)(uint32_t)place)) {
			lua_pop(L, 1);
			return mp_codec_fail(codec, MP_EINVAL,
			                     "the statement has %u parameters, one was given at place %.14g", count,
			                     place);
		}
	}
	return 0;
}

// A name that is no parameter: only looked for when a parameter was missing, so that a record with more fields will do.
static int check_names(lua_State *L, int index, const struct mp_metadata *params, struct mp_codec *codec)
{
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		struct mp_str name = {NULL, 0};
		if (lua_type(L, -2) == LUA_TSTRING)
			name.data = lua_tolstring(L, -2, &name.len);
		if (name.data == NULL || mp_metadata_find(params, name) < 0) {
			lua_pop(L, 2);
			return mp_codec_fail(codec, MP_EINVAL, "the statement has no parameter '%.60s'",
			                     name.data != NULL ? name.data : "(not a name)");
		}
		lua_pop(L, 1);
	}
	return 0;
}

static bool is_list(lua_State *L, int index, size_t *len)
{
	*len = lua_objlen(L, index);
	if (*len > 0)
		return true;
	lua_pushnil(L);
	if (lua_next(L, index) == 0)
		return true;
	bool list = lua_type(L, -2) == LUA_TNUMBER; // { nil, 2 }
	lua_pop(L, 2);
	return list;
}

int mp_lua_bind(lua_State *L, int index, struct mp_codec *codec, struct mp_request *request)
{
	const struct mp_metadata *params = request->prepared->params;
	uint32_t count = params != NULL ? params->column_count : 0;
	bool table = lua_type(L, index) == LUA_TTABLE;
	size_t len = 0;
	bool list = !table || is_list(L, index, &len);
	bool missing = false;
	int rc = 0;
	if (list && table) {
		rc = check_length(len, count, codec);
		if (rc == 0)
			rc = check_strays(L, index, count, codec);
	}
	if (!table && count > 0)
		rc = mp_codec_fail(codec, MP_EINVAL, "the statement has %u parameters, none were given", count);
	for (uint32_t i = 0; i < count && rc == 0; i++) {
		const struct mp_column *column = &params->columns[i];
		if (list) {
			lua_rawgeti(L, index, (int)i + 1);
		} else {
			lua_pushlstring(L, column->name.data, column->name.len);
			lua_rawget(L, index);
			missing = missing || lua_isnil(L, -1);
		}
		rc = mp_value_write(L, lua_gettop(L), column->type, codec, &request->values);
		lua_pop(L, 1);
		if (MP_UNLIKELY(rc != 0))
			rc = bad_parameter(codec, rc, column, i);
	}
	if (rc == 0 && missing)
		rc = check_names(L, index, params, codec);
	request->value_count = (uint16_t)count;
	return rc;
}

int mp_lua_bind_untyped(lua_State *L, int index, struct mp_codec *codec, struct mp_request *request)
{
	int rc = 0;
	if (lua_type(L, index) != LUA_TTABLE)
		return 0;
	size_t count;
	if (is_list(L, index, &count)) {
		for (size_t i = 1; i <= count && i <= UINT16_MAX && rc == 0; i++) {
			lua_rawgeti(L, index, (int)i);
			rc = mp_value_write_untyped(L, lua_gettop(L), codec, &request->values);
			lua_pop(L, 1);
			request->value_count++;
		}
		return rc;
	}
	request->named_values = true;
	lua_pushnil(L);
	while (rc == 0 && lua_next(L, index) != 0) {
		size_t len;
		if (lua_type(L, -2) != LUA_TSTRING)
			return mp_codec_fail(codec, MP_EINVAL,
			                     "a list of parameters or a table of named ones expected, not both");
		const char *name = lua_tolstring(L, -2, &len);
		mp_buf_u16(&request->values, (uint16_t)len);
		mp_buf_bytes(&request->values, name, len & UINT16_MAX);
		rc = mp_value_write_untyped(L, lua_gettop(L), codec, &request->values);
		lua_pop(L, 1);
		request->value_count++;
	}
	return rc;
}
