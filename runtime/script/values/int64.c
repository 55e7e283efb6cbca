// SPDX-License-Identifier: Apache-2.0
// 64-bit integers in Lua: a number as far as doubles are exact, LuaJIT's int64_t beyond. LuaJIT's C API knows no
// cdata, so two functions of lua/moonpool/int64.lua, kept in the registry, make and split them from halves of 32
// bits.
#include <lauxlib.h>
#include <math.h>

#include "base/err.h"
#include "script/core.h"
#include "script/values/value.h"

#define EXACT (INT64_C(1) << 53)
#define CDATA 10 // LUA_TCDATA, which LuaJIT's headers keep to themselves

void mp_int64_push(lua_State *L, int64_t value)
{
	if (MP_LIKELY(value >= -EXACT && value <= EXACT)) {
		lua_pushnumber(L, (double)value);
		return;
	}
	luaL_checkstack(L, 4, "nested too deep");
	lua_getfield(L, LUA_REGISTRYINDEX, "moonpool.int64.make");
	lua_pushnumber(L, (double)(int32_t)((uint64_t)value >> 32));
	lua_pushnumber(L, (double)(uint32_t)value);
	lua_call(L, 2, 1);
}

int mp_int64_parse(const char *text, size_t len, int64_t *value)
{
	size_t i = len > 0 && text[0] == '-' ? 1 : 0;
	bool negative = i == 1;
	uint64_t limit = negative ? UINT64_C(1) << 63 : INT64_MAX;
	uint64_t sum = 0;
	if (i == len)
		return MP_ETYPE;
	for (; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return MP_ETYPE;
		uint64_t digit = (uint64_t)(text[i] - '0');
		if (sum > (limit - digit) / 10)
			return MP_ETYPE;
		sum = sum * 10 + digit;
	}
	*value = (int64_t)(negative ? ~sum + 1 : sum);
	return 0;
}

static int read_cdata(lua_State *L, int index, struct mp_codec *codec, int64_t *value)
{
	luaL_checkstack(L, 4, "nested too deep");
	lua_pushvalue(L, index);
	lua_getfield(L, LUA_REGISTRYINDEX, "moonpool.int64.split");
	lua_insert(L, -2);
	lua_call(L, 1, 2);
	bool ok = lua_type(L, -1) == LUA_TNUMBER;
	if (ok)
		*value = (int64_t)((uint64_t)(int64_t)lua_tonumber(L, -2) << 32 | (uint64_t)lua_tonumber(L, -1));
	bool over = lua_type(L, -2) == LUA_TBOOLEAN;
	lua_pop(L, 2);
	if (ok)
		return 0;
	return over ? mp_codec_fail(codec, MP_ETYPE, "out of range")
	            : mp_codec_fail(codec, MP_ETYPE, "got a cdata that is no 64-bit integer");
}

int mp_int64_of_number(double number, struct mp_codec *codec, int64_t *value)
{
	if (MP_LIKELY(number >= -(double)EXACT && number <= (double)EXACT && number == floor(number))) {
		*value = (int64_t)number;
		return 0;
	}
	return fabs(number) > (double)EXACT
	           ? mp_codec_fail(codec, MP_ETYPE,
	                           "a Lua number is not exact above 2^53: give 123LL or a string of digits")
	           : mp_codec_fail(codec, MP_ETYPE, "got a number that is not whole");
}

int mp_int64_read(lua_State *L, int index, struct mp_codec *codec, int64_t *value)
{
	int type = lua_type(L, index);
	if (MP_LIKELY(type == LUA_TNUMBER))
		return mp_int64_of_number(lua_tonumber(L, index), codec, value);
	if (type == LUA_TSTRING) {
		size_t len;
		const char *text = lua_tolstring(L, index, &len);
		if (mp_int64_parse(text, len, value) == 0)
			return 0;
		return mp_codec_fail(codec, MP_ETYPE, "got a string that is no integer of 64 bits");
	}
	if (type == CDATA)
		return read_cdata(L, index, codec, value);
	return mp_codec_fail(codec, MP_ETYPE, "got %s", lua_typename(L, type));
}

// int64(make, split): the two functions of lua/moonpool/int64.lua.
int mp_core_int64(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	lua_setfield(L, LUA_REGISTRYINDEX, "moonpool.int64.split");
	lua_setfield(L, LUA_REGISTRYINDEX, "moonpool.int64.make");
	return 0;
}

void mp_lua_add_int64(lua_State *L)
{
	luaL_newmetatable(L, "moonpool.duration");
	lua_setfield(L, -2, "durationMetatable");
}
