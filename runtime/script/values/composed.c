// SPDX-License-Identifier: Apache-2.0
// Lua tables as tuples, users' types and vectors, and back. Their types say how many parts there are, so a table that
// has others is refused; a value that has more than its type says (the type has grown since) keeps them, as bytes under
// their places: they may be what somebody looks for.
//
//   a user's type   a field that is null is not in the table, and the other way round
//   tuple           a place that is null is moonpool.null; a nil that a later place follows will do. What has not come
//                   behind the last that has is null, too, unless it is much: a node would send four bytes, and
//                   the table took a megabyte
//   vector          no place is null
#include <lauxlib.h>
#include <math.h>

#include "base/err.h"
#include "script/core.h"
#include "script/values/value.h"
#include "wire/value.h"
#include "wire/vector.h"

#define PRESIZE_MAX 4096 // a table made at once; a larger one grows with what really comes

#define MISSING_MAX 16 // places of a tuple that have not come, and are told

#define FIELD(type, i) (int)((type)->fields[i].len < 40 ? (type)->fields[i].len : 40), (type)->fields[i].data

// Those from `place` (from 0) on have not come.
static bool tells_missing(const struct mp_type *type, uint32_t place)
{
	return type->id == MP_TYPE_TUPLE && place + MISSING_MAX >= type->child_count;
}

// The parts that a table is made for: no more than so many bytes can be and than are told without any.
static int parts_of(const struct mp_type *type, struct mp_bytes value)
{
	uint32_t most = (uint32_t)value.len / 4;
	return type->child_count <= most || tells_missing(type, most) ? type->child_count : (int)most;
}

static int presize(int32_t count)
{
	return count < PRESIZE_MAX ? (int)count : PRESIZE_MAX;
}

// ---- to Lua -----------------------------------------------------------------------------------------------

// The parts of a tuple or a user's type that its type does not know. The table is on top.
static int push_more(lua_State *L, struct mp_codec *codec, uint32_t place, struct mp_cursor *parts)
{
	while (mp_cursor_left(parts) > 0) {
		struct mp_bytes value = mp_cursor_bytes(parts);
		if (parts->failed)
			return mp_codec_fail(codec, MP_ETYPE, "ends inside of part %u", place);
		if (value.len >= 0) {
			lua_pushlstring(L, value.len > 0 ? (const char *)value.data : "", (size_t)value.len);
			lua_rawseti(L, -2, (int)place);
		}
		place++;
	}
	return 0;
}

// One part at `*place` (from 0) to the top; nothing is pushed for a null one of a user's type.
static int push_part(lua_State *L, struct mp_codec *codec, const struct mp_type *type, uint32_t place,
                     struct mp_cursor *parts, bool *pushed)
{
	bool is_udt = type->id == MP_TYPE_UDT;
	struct mp_bytes value = {NULL, -1};
	if (mp_cursor_left(parts) > 0) // missing ones behind the last are null
		value = mp_cursor_bytes(parts);
	*pushed = false;
	if (parts->failed)
		return mp_codec_fail(codec, MP_ETYPE, "ends inside of part %u", place + 1);
	if (is_udt && value.len < 0)
		return 0;
	int rc = mp_value_push_part(L, codec, type->children[place], value);
	*pushed = rc == 0;
	if (rc == 0)
		return 0;
	if (is_udt)
		return mp_codec_within(codec, rc, "field %.*s", FIELD(type, place));
	return mp_codec_within(codec, rc, "part %u", place + 1);
}

static int push_parts(lua_State *L, struct mp_codec *codec, const struct mp_type *type, struct mp_bytes value)
{
	struct mp_cursor parts = mp_cursor_on(value.data, (size_t)value.len);
	int table = lua_gettop(L), rc = 0;
	for (uint32_t i = 0; i < type->child_count && rc == 0; i++) {
		bool pushed;
		if (mp_cursor_left(&parts) == 0 && !tells_missing(type, i))
			break;
		rc = push_part(L, codec, type, i, &parts, &pushed);
		if (!pushed)
			continue;
		if (type->id == MP_TYPE_TUPLE) {
			lua_rawseti(L, table, (int)i + 1);
		} else if (mp_lua_is_null(L, -1)) {
			lua_pop(L, 1); // an empty value of a type that has none
		} else {
			lua_pushlstring(L, type->fields[i].data, type->fields[i].len);
			lua_insert(L, -2);
			lua_rawset(L, table);
		}
	}
	return rc == 0 ? push_more(L, codec, type->child_count + 1u, &parts) : rc;
}

// A value of no bytes has all of its parts missing, which is not null.
static int push_table(lua_State *L, struct mp_codec *codec, const struct mp_type *type, struct mp_bytes value)
{
	if (value.len < 0) {
		lua_pushnil(L);
		return 0;
	}
	luaL_checkstack(L, 6, "nested too deep");
	bool is_tuple = type->id == MP_TYPE_TUPLE;
	int count = presize(parts_of(type, value));
	lua_createtable(L, is_tuple ? count : 0, is_tuple ? 0 : count);
	int top = lua_gettop(L);
	int rc = push_parts(L, codec, type, value);
	lua_settop(L, rc == 0 ? top : top - 1);
	return rc;
}

int mp_udt_push(lua_State *L, struct mp_codec *codec, const struct mp_type *type, struct mp_bytes value)
{
	return push_table(L, codec, type, value);
}

int mp_tuple_push(lua_State *L, struct mp_codec *codec, const struct mp_type *type, struct mp_bytes value)
{
	return push_table(L, codec, type, value);
}

int mp_vector_push(lua_State *L, struct mp_codec *codec, const struct mp_type *type, struct mp_bytes value)
{
	struct mp_cursor elements;
	if (value.len <= 0) { // an empty one is none, as of every type without an empty value
		lua_pushnil(L);
		return 0;
	}
	if (mp_vector_elements(type, value, &elements) != 0)
		return mp_codec_wrong(codec, type, value);
	luaL_checkstack(L, 6, "nested too deep");
	lua_createtable(L, presize(type->dimension), 0);
	int top = lua_gettop(L), rc = 0;
	for (int32_t i = 1; i <= type->dimension && rc == 0; i++) {
		struct mp_bytes element = mp_vector_next(&elements, type);
		rc = elements.failed ? mp_codec_fail(codec, MP_ETYPE, "a vector that ends too early")
		                     : mp_value_push_part(L, codec, type->children[0], element);
		if (rc == 0)
			lua_rawseti(L, top, (int)i);
	}
	if (rc == 0 && mp_cursor_left(&elements) > 0)
		rc = mp_codec_fail(codec, MP_ETYPE, "a vector with bytes behind its last element");
	lua_settop(L, rc == 0 ? top : top - 1);
	return rc;
}

// ---- from Lua ---------------------------------------------------------------------------------------------

// The value on top, which is popped, as a part, which may be null.
static int write_part(lua_State *L, const struct mp_type *type, struct mp_codec *codec, struct mp_buf *out)
{
	int index = lua_gettop(L);
	int rc = mp_lua_is_unset(L, index)
	             ? mp_codec_fail(codec, MP_ETYPE, "got unset, which only a whole parameter can be")
	             : mp_value_write(L, index, type, codec, out);
	lua_pop(L, 1);
	return rc;
}

// A key of the table that is no field. The type's name, as a message ends there.
static int strange_field(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec)
{
	int name_len = (int)(type->name.len < 40 ? type->name.len : 40);
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		lua_pop(L, 1);
		struct mp_str key = {"", 0};
		bool known = false;
		if (lua_type(L, -1) == LUA_TSTRING)
			key.data = lua_tolstring(L, -1, &key.len);
		for (uint16_t i = 0; i < type->child_count && !known; i++)
			known = lua_type(L, -1) == LUA_TSTRING && mp_str_eq(type->fields[i], key);
		if (known)
			continue;
		int rc =
			lua_type(L, -1) == LUA_TSTRING
				? mp_codec_fail(codec, MP_ETYPE, "got a table with a field '%.40s', which type %.*s has not",
		                        key.data, name_len, type->name.data)
				: mp_codec_fail(codec, MP_ETYPE,
		                        "got a table with a key of type %s, where type %.*s has fields",
		                        luaL_typename(L, -1), name_len, type->name.data);
		lua_pop(L, 1);
		return rc;
	}
	return 0;
}

static int write_udt(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                     struct mp_buf *out)
{
	size_t begin = mp_write_value_begin(out);
	uint32_t found = 0;
	for (uint16_t i = 0; i < type->child_count; i++) {
		lua_pushlstring(L, type->fields[i].data, type->fields[i].len);
		lua_rawget(L, index);
		found += !lua_isnil(L, -1);
		int rc = write_part(L, type->children[i], codec, out);
		if (rc != 0)
			return mp_codec_within(codec, rc, "field %.*s", FIELD(type, i));
	}
	mp_write_value_end(out, begin);
	return found == mp_table_count(L, index) ? 0 : strange_field(L, index, type, codec);
}

// The highest place that is given; MP_ETYPE: there is something beside the places of the type.
static int last_place(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                      uint32_t *last)
{
	*last = 0;
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		lua_pop(L, 1);
		double place = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
		if (place < 1 || place > type->child_count || place != floor(place)) {
			int rc = lua_type(L, -1) == LUA_TNUMBER
			             ? mp_codec_fail(codec, MP_ETYPE, "got a table with a place %.14g, the tuple has %u",
			                             lua_tonumber(L, -1), type->child_count)
			             : mp_codec_fail(codec, MP_ETYPE,
			                             "got a table with a key of type %s, the tuple has places",
			                             luaL_typename(L, -1));
			lua_pop(L, 1);
			return rc;
		}
		*last = place > *last ? (uint32_t)place : *last;
	}
	return 0;
}

static int write_tuple(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                       struct mp_buf *out)
{
	uint32_t last;
	int rc = last_place(L, index, type, codec, &last);
	if (rc == 0 && last < type->child_count)
		rc = mp_codec_fail(codec, MP_ETYPE,
		                   "got a table whose last place is %u, the tuple has %u: moonpool.null is a null",
		                   last, type->child_count);
	size_t begin = mp_write_value_begin(out);
	for (uint32_t i = 0; i < type->child_count && rc == 0; i++) {
		lua_rawgeti(L, index, (int)i + 1);
		rc = write_part(L, type->children[i], codec, out);
		if (rc != 0)
			rc = mp_codec_within(codec, rc, "part %u", i + 1);
	}
	mp_write_value_end(out, begin);
	return rc;
}

static int write_vector(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                        struct mp_buf *out)
{
	uint32_t count = mp_table_count(L, index);
	int rc = mp_table_no_list(L, index, count, codec);
	if (rc == 0 && count != (uint32_t)type->dimension)
		rc =
			mp_codec_fail(codec, MP_ETYPE, "got %u elements, the vector has %d", count, (int)type->dimension);
	size_t begin = mp_write_value_begin(out);
	for (uint32_t i = 1; i <= count && rc == 0; i++) {
		size_t element = out->len;
		lua_rawgeti(L, index, (int)i);
		rc = write_part(L, type->children[0], codec, out);
		if (rc == 0 && mp_vector_close(out, element, type) != 0)
			rc = mp_codec_fail(codec, MP_ETYPE, "a vector cannot hold null");
		if (rc != 0)
			rc = mp_codec_within(codec, rc, "element %u", i);
	}
	mp_write_value_end(out, begin);
	return rc;
}

int mp_composed_write(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                      struct mp_buf *out)
{
	if (lua_type(L, index) != LUA_TTABLE)
		return mp_codec_fail(codec, MP_ETYPE, "got %s", luaL_typename(L, index));
	luaL_checkstack(L, 8, "nested too deep");
	switch (type->id) {
	case MP_TYPE_UDT: return write_udt(L, index, type, codec, out);
	case MP_TYPE_TUPLE: return write_tuple(L, index, type, codec, out);
	default: return write_vector(L, index, type, codec, out);
	}
}
