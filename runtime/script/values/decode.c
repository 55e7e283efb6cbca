// SPDX-License-Identifier: Apache-2.0
// Bytes of a column to a Lua value: one function per kind of type, chosen once per column.
// The bytes are a node's: every function checks the length before it reads.
#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/uuid.h"
#include "script/values/value.h"
#include "wire/date.h"
#include "wire/value.h"

#define PRESIZE_MAX 65536 // a table made at once; a larger one grows with what really comes

#define PUSH(name) \
	static int name(lua_State *L, struct mp_codec *codec, const struct mp_type *type, struct mp_bytes value)

int mp_codec_fail(struct mp_codec *codec, int err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(codec->why, sizeof(codec->why), format, args);
	va_end(args);
	return err;
}

void mp_codec_add(struct mp_codec *codec, const char *format, ...)
{
	size_t used = strlen(codec->why);
	va_list args;
	va_start(args, format);
	vsnprintf(codec->why + used, sizeof(codec->why) - used, format, args);
	va_end(args);
}

int mp_codec_within(struct mp_codec *codec, int err, const char *format, ...)
{
	char why[sizeof(codec->why)], where[96];
	va_list args;
	va_start(args, format);
	vsnprintf(where, sizeof(where), format, args);
	va_end(args);
	snprintf(why, sizeof(why), "%s", codec->why);
	return mp_codec_fail(codec, err, "%s: %.150s", where, why);
}

// Empty bytes of a type that has no empty value: what old clients could store; read as null.
static bool is_null(lua_State *L, struct mp_bytes value)
{
	if (MP_LIKELY(value.len > 0))
		return false;
	lua_pushnil(L);
	return true;
}

int mp_codec_wrong(struct mp_codec *codec, const struct mp_type *type, struct mp_bytes value)
{
	return mp_codec_fail(codec, MP_ETYPE, "%d bytes are no %s", value.len, mp_type_id_name(type->id));
}

PUSH(push_string)
{
	(void)codec;
	(void)type;
	if (value.len < 0)
		lua_pushnil(L);
	else
		lua_pushlstring(L, value.len > 0 ? (const char *)value.data : "", (size_t)value.len);
	return 0;
}

// A scalar: `take` reads all of its bytes into `scalar`, `push` gives that to Lua.
#define PUSH_SCALAR(name, ctype, take, push)           \
	PUSH(name)                                         \
	{                                                  \
		ctype scalar;                                  \
		if (is_null(L, value))                         \
			return 0;                                  \
		if (take(value, &scalar) != 0)                 \
			return mp_codec_wrong(codec, type, value); \
		push;                                          \
		return 0;                                      \
	}

PUSH_SCALAR(push_tinyint, int8_t, mp_value_i8, lua_pushnumber(L, scalar))
PUSH_SCALAR(push_smallint, int16_t, mp_value_i16, lua_pushnumber(L, scalar))
PUSH_SCALAR(push_int, int32_t, mp_value_i32, lua_pushnumber(L, scalar))
PUSH_SCALAR(push_bigint, int64_t, mp_value_i64, mp_int64_push(L, scalar))
// A NaN of the wire may carry any bits; LuaJIT keeps its own tags in some of them.
PUSH_SCALAR(push_float, float, mp_value_f32, lua_pushnumber(L, isnan(scalar) ? (double)NAN : (double)scalar))
PUSH_SCALAR(push_double, double, mp_value_f64, lua_pushnumber(L, isnan(scalar) ? (double)NAN : scalar))
PUSH_SCALAR(push_boolean, bool, mp_value_bool, lua_pushboolean(L, scalar))

PUSH(push_uuid)
{
	if (is_null(L, value))
		return 0;
	if (value.len != 16)
		return mp_codec_wrong(codec, type, value);
	struct mp_uuid uuid;
	char text[MP_UUID_TEXT];
	for (int i = 0; i < 16; i++)
		uuid.bytes[i] = value.data[i];
	mp_uuid_format(&uuid, text);
	lua_pushlstring(L, text, MP_UUID_TEXT - 1);
	return 0;
}

PUSH(push_inet)
{
	struct mp_addr addr = {.port = 0};
	size_t len;
	char text[MP_ADDR_TEXT];
	if (is_null(L, value))
		return 0;
	if (mp_value_inet(value, addr.ip, &len) != 0)
		return mp_codec_wrong(codec, type, value);
	addr.ip_len = (uint8_t)len;
	mp_addr_format_ip(&addr, text);
	lua_pushstring(L, text);
	return 0;
}

PUSH(push_date)
{
	uint32_t date;
	char text[MP_DATE_TEXT];
	if (is_null(L, value))
		return 0;
	if (mp_value_date(value, &date) != 0)
		return mp_codec_wrong(codec, type, value);
	mp_date_format(date, text);
	lua_pushstring(L, text);
	return 0;
}

PUSH(push_digits)
{
	if (is_null(L, value))
		return 0;
	mp_buf_clear(&codec->scratch);
	int rc = type->id == MP_TYPE_VARINT ? mp_value_varint_text(value, &codec->scratch)
	                                    : mp_value_decimal_text(value, &codec->scratch);
	if (rc != 0)
		return mp_codec_wrong(codec, type, value);
	if (mp_buf_status(&codec->scratch) != 0)
		return mp_codec_fail(codec, MP_ENOMEM, "%s", mp_err_text(MP_ENOMEM));
	lua_pushlstring(L, (const char *)codec->scratch.data, codec->scratch.len);
	return 0;
}

PUSH(push_duration)
{
	int32_t months, days;
	int64_t nanos;
	if (is_null(L, value))
		return 0;
	if (mp_value_duration(value, &months, &days, &nanos) != 0)
		return mp_codec_wrong(codec, type, value);
	luaL_checkstack(L, 4, "nested too deep");
	lua_createtable(L, 0, 3);
	lua_pushnumber(L, months);
	lua_setfield(L, -2, "months");
	lua_pushnumber(L, days);
	lua_setfield(L, -2, "days");
	mp_int64_push(L, nanos);
	lua_setfield(L, -2, "nanoseconds");
	luaL_getmetatable(L, "moonpool.duration");
	lua_setmetatable(L, -2);
	return 0;
}

// ---- collections ------------------------------------------------------------------------------------------

int mp_value_push_part(lua_State *L, struct mp_codec *codec, const struct mp_type *type,
                       struct mp_bytes value)
{
	int rc = mp_value_pusher(type)(L, codec, type, value);
	if (rc == 0 && lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_pushlightuserdata(L, NULL); // moonpool.null
	}
	return rc;
}

static int push_element(lua_State *L, struct mp_codec *codec, const struct mp_type *type,
                        struct mp_cursor *elements)
{
	struct mp_bytes value = mp_cursor_bytes(elements);
	return elements->failed ? mp_codec_fail(codec, MP_ETYPE, "a collection that ends too early")
	                        : mp_value_push_part(L, codec, type, value);
}

// Bytes behind the last element would be lost.
static int check_end(struct mp_codec *codec, const struct mp_cursor *elements)
{
	if (MP_LIKELY(mp_cursor_left(elements) == 0))
		return 0;
	return mp_codec_fail(codec, MP_ETYPE, "a collection with bytes behind its last element");
}

PUSH(push_list)
{
	struct mp_cursor elements;
	uint32_t count;
	if (is_null(L, value))
		return 0;
	if (mp_value_elements(value, &elements, &count) != 0)
		return mp_codec_wrong(codec, type, value);
	luaL_checkstack(L, 6, "nested too deep");
	lua_createtable(L, count < PRESIZE_MAX ? (int)count : PRESIZE_MAX, 0);
	for (uint32_t i = 1; i <= count; i++) {
		int rc = push_element(L, codec, type->children[0], &elements);
		if (rc != 0) {
			lua_pop(L, 1);
			return rc;
		}
		lua_rawseti(L, -2, (int)i);
	}
	int rc = check_end(codec, &elements);
	if (rc != 0)
		lua_pop(L, 1);
	return rc;
}

// Two numbers are no keys of a Lua table: NaN is none, and -0 is 0. They stand there as texts, which no other key of a
// map of numbers is.
static void replace_key(lua_State *L)
{
	double key = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 1;
	if (!isnan(key) && !(key == 0 && signbit(key)))
		return;
	lua_pop(L, 1);
	lua_pushstring(L, isnan(key) ? "NaN" : "-0");
}

PUSH(push_map)
{
	struct mp_cursor elements;
	uint32_t count;
	if (is_null(L, value))
		return 0;
	if (mp_value_elements(value, &elements, &count) != 0)
		return mp_codec_wrong(codec, type, value);
	luaL_checkstack(L, 6, "nested too deep");
	lua_createtable(L, 0, count < PRESIZE_MAX ? (int)count : PRESIZE_MAX);
	int table = lua_gettop(L);
	for (uint32_t i = 0; i < count; i++) {
		int rc = push_element(L, codec, type->children[0], &elements);
		if (rc == 0) {
			replace_key(L);
			rc = push_element(L, codec, type->children[1], &elements);
		}
		if (rc != 0) {
			lua_settop(L, table - 1);
			return rc;
		}
		lua_rawset(L, table);
	}
	int rc = check_end(codec, &elements);
	if (rc != 0)
		lua_settop(L, table - 1);
	return rc;
}

mp_value_push *mp_value_pusher(const struct mp_type *type)
{
	switch (type->id) {
	case MP_TYPE_ASCII:
	case MP_TYPE_VARCHAR:
	case MP_TYPE_BLOB: return push_string;
	case MP_TYPE_INT: return push_int;
	case MP_TYPE_SMALLINT: return push_smallint;
	case MP_TYPE_TINYINT: return push_tinyint;
	case MP_TYPE_BIGINT:
	case MP_TYPE_COUNTER:
	case MP_TYPE_TIMESTAMP:
	case MP_TYPE_TIME: return push_bigint;
	case MP_TYPE_FLOAT: return push_float;
	case MP_TYPE_DOUBLE: return push_double;
	case MP_TYPE_BOOLEAN: return push_boolean;
	case MP_TYPE_UUID:
	case MP_TYPE_TIMEUUID: return push_uuid;
	case MP_TYPE_INET: return push_inet;
	case MP_TYPE_DATE: return push_date;
	case MP_TYPE_VARINT:
	case MP_TYPE_DECIMAL: return push_digits;
	case MP_TYPE_DURATION: return push_duration;
	case MP_TYPE_LIST:
	case MP_TYPE_SET: return push_list;
	case MP_TYPE_MAP: return push_map;
	case MP_TYPE_TUPLE: return mp_tuple_push;
	case MP_TYPE_UDT: return mp_udt_push;
	case MP_TYPE_VECTOR: return mp_vector_push;
	default: return push_string; // of a type that is not known: its bytes
	}
}
