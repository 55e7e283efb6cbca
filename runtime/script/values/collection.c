// SPDX-License-Identifier: Apache-2.0
// Lua tables as lists, sets and maps. All that is in a table is written, at every depth, or the table is refused: what
// stands behind a hole, beside the places 1 .. n, or under a key that is another key's twin would be lost in silence.
#include <lauxlib.h>
#include <math.h>

#include "base/err.h"
#include "script/core.h"
#include "script/values/value.h"
#include "wire/scalar.h"
#include "wire/value.h"

static int write_element(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                         struct mp_buf *out)
{
	if (MP_UNLIKELY(lua_type(L, index) == LUA_TLIGHTUSERDATA)) {
		bool is_unset = mp_lua_is_unset(L, index);
		if (is_unset || mp_lua_is_null(L, index))
			return mp_codec_fail(codec, MP_ETYPE, "a collection cannot hold %s", is_unset ? "unset" : "null");
	}
	return mp_value_write(L, index, type, codec, out);
}

// What is behind a hole or beside the places would be lost.
int mp_table_no_list(lua_State *L, int index, uint32_t entries, struct mp_codec *codec)
{
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		lua_pop(L, 1);
		double place = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
		if (place >= 1 && place == floor(place))
			continue;
		int rc = lua_type(L, -1) == LUA_TNUMBER
		             ? mp_codec_fail(codec, MP_ETYPE, "got a table that is no list: it has a place %.14g",
		                             lua_tonumber(L, -1))
		             : mp_codec_fail(codec, MP_ETYPE, "got a table that is no list: it has a key of type %s",
		                             luaL_typename(L, -1));
		lua_pop(L, 1);
		return rc;
	}
	for (uint32_t place = 1; place <= entries; place++) {
		lua_rawgeti(L, index, (int)place);
		bool hole = lua_isnil(L, -1);
		lua_pop(L, 1);
		if (hole)
			return mp_codec_fail(codec, MP_ETYPE, "got a table that is no list: there is nothing at %u",
			                     place);
	}
	return 0;
}

// Code that LuaJIT has compiled can store NaN as a key (it should raise an error), and nobody can go on behind it.
static bool is_nan(lua_State *L, int key)
{
	return lua_type(L, key) == LUA_TNUMBER && isnan(lua_tonumber(L, key));
}

uint32_t mp_table_count(lua_State *L, int index)
{
	uint32_t count = 0;
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		lua_pop(L, 1);
		count++;
		if (MP_UNLIKELY(is_nan(L, -1))) {
			lua_pop(L, 1);
			return UINT32_MAX;
		}
	}
	return count;
}

// The element on top of the stack, which is popped.
static int write_place(lua_State *L, uint32_t place, const struct mp_type *type, struct mp_codec *codec,
                       struct mp_buf *out)
{
	int rc = write_element(L, lua_gettop(L), type->children[0], codec, out);
	lua_pop(L, 1);
	return MP_LIKELY(rc == 0) ? 0 : mp_codec_within(codec, rc, "element %u", place);
}

// A list whose places do not come in order, as those of the hash part of a table; or no list.
static int write_out_of_order(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                              struct mp_buf *out, uint32_t *count)
{
	*count = mp_table_count(L, index);
	int rc = mp_table_no_list(L, index, *count, codec);
	for (uint32_t place = 1; place <= *count && rc == 0; place++) {
		lua_rawgeti(L, index, (int)place);
		rc = write_place(L, place, type, codec, out);
	}
	return rc;
}

// One walk over the table: it meets the places of its array part in order, and then whatever else there is.
static int write_list(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                      struct mp_buf *out)
{
	size_t begin = mp_write_value_begin(out);
	size_t count_at = out->len;
	uint32_t count = 0;
	int rc = 0;
	mp_buf_i32(out, 0);
	size_t elements_at = out->len;
	lua_pushnil(L);
	while (rc == 0 && lua_next(L, index) != 0) {
		if (MP_UNLIKELY(lua_type(L, -2) != LUA_TNUMBER || lua_tonumber(L, -2) != (double)(count + 1))) {
			lua_pop(L, 2);
			out->len = out->failed ? out->len : elements_at;
			rc = write_out_of_order(L, index, type, codec, out, &count);
			break;
		}
		rc = write_place(L, ++count, type, codec, out);
		if (MP_UNLIKELY(rc != 0))
			lua_pop(L, 1);
	}
	if (rc == 0 && mp_buf_status(out) == 0)
		mp_buf_patch_u32(out, count_at, count);
	mp_write_value_end(out, begin);
	return rc;
}

// Two Lua keys that are one key of the map: 1 and "1" of a bigint, a uuid in capitals and in small letters, two tables
// with the same elements. One of the two values would be lost.
static bool may_repeat(lua_State *L, int key, const struct mp_type *type)
{
	switch (type->id) {
	case MP_TYPE_BIGINT:
	case MP_TYPE_COUNTER:
	case MP_TYPE_TIMESTAMP:
	case MP_TYPE_TIME:
	case MP_TYPE_TINYINT:
	case MP_TYPE_SMALLINT:
	case MP_TYPE_INT: return lua_type(L, key) != LUA_TNUMBER;
	case MP_TYPE_DOUBLE:
	case MP_TYPE_BOOLEAN:
	case MP_TYPE_ASCII:
	case MP_TYPE_VARCHAR:
	case MP_TYPE_BLOB: return false;
	default: return true;
	}
}

// Every key of the map that was written is another one. Its elements begin at `at`.
static int check_keys(lua_State *L, const struct mp_buf *out, size_t at, uint32_t count,
                      struct mp_codec *codec)
{
	struct mp_cursor elements = mp_cursor_on(out->data + at, out->len - at);
	int rc = 0;
	lua_newtable(L);
	for (uint32_t i = 0; i < count && rc == 0; i++) {
		struct mp_bytes key = mp_cursor_bytes(&elements);
		mp_cursor_bytes(&elements);
		lua_pushlstring(L, key.len > 0 ? (const char *)key.data : "", (size_t)key.len);
		lua_pushvalue(L, -1);
		lua_rawget(L, -3);
		if (!lua_isnil(L, -1))
			rc = mp_codec_fail(codec, MP_ETYPE, "got a table with two keys that are the same key of a map");
		lua_pop(L, 1);
		lua_pushboolean(L, true);
		lua_rawset(L, -3);
	}
	lua_pop(L, 1);
	return rc;
}

// A key that no Lua table can have as a number stands there as a text: "NaN" and "-0".
static int write_key(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                     struct mp_buf *out)
{
	if ((type->id != MP_TYPE_DOUBLE && type->id != MP_TYPE_FLOAT) || lua_type(L, index) != LUA_TSTRING)
		return write_element(L, index, type, codec, out);
	struct mp_str text;
	text.data = lua_tolstring(L, index, &text.len);
	if (!mp_str_is(text, "NaN") && !mp_str_is(text, "-0"))
		return write_element(L, index, type, codec, out);
	const char *why = mp_scalar_put_real(out, type->id, mp_str_is(text, "NaN") ? (double)NAN : -0.0);
	return why == NULL ? 0 : mp_codec_fail(codec, MP_ETYPE, "got %s", why);
}

static int write_map(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                     struct mp_buf *out)
{
	size_t begin = mp_write_value_begin(out);
	size_t count_at = out->len;
	uint32_t count = 0;
	bool repeats = false;
	mp_buf_i32(out, 0);
	size_t elements_at = out->len;
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		int top = lua_gettop(L);
		repeats = repeats || may_repeat(L, top - 1, type->children[0]);
		int rc = MP_UNLIKELY(is_nan(L, top - 1)) ? mp_codec_fail(codec, MP_ETYPE, "got NaN")
		                                         : write_key(L, top - 1, type->children[0], codec, out);
		if (rc != 0)
			rc = mp_codec_within(codec, rc, "a key");
		else if ((rc = write_element(L, top, type->children[1], codec, out)) != 0)
			rc = mp_codec_within(codec, rc, "the value of a key");
		if (rc != 0) {
			lua_settop(L, top - 2);
			return rc;
		}
		count++;
		lua_settop(L, top - 1);
	}
	if (mp_buf_status(out) != 0)
		return 0;
	mp_buf_patch_u32(out, count_at, count);
	mp_write_value_end(out, begin);
	return repeats && count > 1 ? check_keys(L, out, elements_at, count, codec) : 0;
}

int mp_collection_write(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                        struct mp_buf *out)
{
	if (lua_type(L, index) != LUA_TTABLE)
		return mp_codec_fail(codec, MP_ETYPE, "got %s", luaL_typename(L, index));
	luaL_checkstack(L, 8, "nested too deep");
	return type->id == MP_TYPE_MAP ? write_map(L, index, type, codec, out)
	                               : write_list(L, index, type, codec, out);
}
