// SPDX-License-Identifier: Apache-2.0
// A Lua value as the bytes of a parameter, by the parameter's type. What would lose anything is refused with
// MP_ETYPE, and codec->why says what was given, never the value itself: it may be a secret and ends in logs.
#include <float.h>
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/uuid.h"
#include "script/date.h"
#include "script/lua_core.h"
#include "script/lua_value.h"
#include "wire/value.h"

#define CDATA 10 // LUA_TCDATA, which LuaJIT's headers keep to themselves

static int got(lua_State *L, int index, struct mp_codec *codec)
{
	return mp_codec_fail(codec, MP_ETYPE, "got %s", luaL_typename(L, index));
}

static int write_integer(lua_State *L, int index, struct mp_codec *codec, struct mp_buf *out, int64_t limit,
                         int bytes)
{
	int64_t value;
	if (lua_type(L, index) == LUA_TSTRING && bytes < 8)
		return got(L, index, codec);
	int rc = mp_int64_read(L, index, codec, &value);
	if (rc != 0)
		return rc;
	if (value > limit || value < -limit - 1)
		return mp_codec_fail(codec, MP_ETYPE, "out of range");
	mp_buf_i32(out, bytes);
	switch (bytes) {
	case 1: mp_buf_u8(out, (uint8_t)value); break;
	case 2: mp_buf_u16(out, (uint16_t)value); break;
	case 4: mp_buf_i32(out, (int32_t)value); break;
	default: mp_buf_i64(out, value); break;
	}
	return 0;
}

static int write_float(lua_State *L, int index, struct mp_codec *codec, struct mp_buf *out, bool single)
{
	if (lua_type(L, index) != LUA_TNUMBER)
		return got(L, index, codec);
	double value = lua_tonumber(L, index);
	if (!single) {
		mp_buf_i32(out, 8);
		mp_write_f64(out, value);
		return 0;
	}
	if (isfinite(value) && fabs(value) > (double)FLT_MAX)
		return mp_codec_fail(codec, MP_ETYPE, "out of range");
	mp_buf_i32(out, 4);
	mp_write_f32(out, (float)value);
	return 0;
}

static int write_boolean(lua_State *L, int index, struct mp_codec *codec, struct mp_buf *out)
{
	if (lua_type(L, index) != LUA_TBOOLEAN)
		return got(L, index, codec);
	mp_buf_i32(out, 1);
	mp_buf_u8(out, lua_toboolean(L, index) ? 1 : 0);
	return 0;
}

static int write_bytes(struct mp_codec *codec, struct mp_buf *out, const void *data, size_t len)
{
	if (len > INT32_MAX)
		return mp_codec_fail(codec, MP_ETYPE, "longer than 2 GiB");
	mp_buf_i32(out, (int32_t)len);
	mp_buf_bytes(out, data, len);
	return 0;
}

// Types that are written as text in Lua.
static int write_text(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                      struct mp_buf *out)
{
	if (lua_type(L, index) != LUA_TSTRING)
		return got(L, index, codec);
	struct mp_str text;
	text.data = lua_tolstring(L, index, &text.len);
	struct mp_uuid uuid;
	struct mp_addr addr;
	uint32_t date;
	switch (type->id) {
	case MP_TYPE_UUID:
	case MP_TYPE_TIMEUUID:
		if (mp_uuid_parse(text.data, text.len, &uuid) != 0)
			return mp_codec_fail(codec, MP_ETYPE, "got a string that is no UUID");
		return write_bytes(codec, out, uuid.bytes, sizeof(uuid.bytes));
	case MP_TYPE_INET:
		if (mp_addr_parse_ip(text.data, 0, &addr) != 0)
			return mp_codec_fail(codec, MP_ETYPE, "got a string that is no IP address");
		return write_bytes(codec, out, addr.ip, addr.ip_len);
	case MP_TYPE_DATE:
		if (mp_date_parse(text.data, text.len, &date) != 0)
			return mp_codec_fail(codec, MP_ETYPE, "got a string that is no date like 2024-02-29");
		mp_buf_i32(out, 4);
		mp_buf_u32(out, date);
		return 0;
	default: return write_bytes(codec, out, text.data, text.len);
	}
}

// The shortest text that reads back as the same double.
static void number_text(double value, char text[32])
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, 32, "%.*g", digits, value);
		double back;
		if (sscanf(text, "%lf", &back) == 1 && back == value)
			return;
	}
}

static int write_digits(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                        struct mp_buf *out)
{
	char number[32];
	struct mp_str text;
	int lua_type_id = lua_type(L, index);
	if (lua_type_id == LUA_TSTRING) {
		text.data = lua_tolstring(L, index, &text.len);
	} else if (lua_type_id == LUA_TNUMBER && type->id == MP_TYPE_DECIMAL) {
		double value = lua_tonumber(L, index);
		if (!isfinite(value))
			return mp_codec_fail(codec, MP_ETYPE, "got a number that is not finite");
		number_text(value, number);
		text = mp_str_of(number);
	} else {
		int64_t value;
		int rc = mp_int64_read(L, index, codec, &value);
		if (rc != 0)
			return rc;
		snprintf(number, sizeof(number), "%lld", (long long)value);
		text = mp_str_of(number);
	}
	size_t begin = mp_write_value_begin(out);
	int rc = type->id == MP_TYPE_VARINT ? mp_write_varint_text(out, text) : mp_write_decimal_text(out, text);
	if (rc != 0)
		return mp_codec_fail(codec, rc, "got a string that is no %s", mp_type_id_name(type->id));
	mp_write_value_end(out, begin);
	return 0;
}

static int duration_part(lua_State *L, int index, const char *name, struct mp_codec *codec, int64_t limit,
                         int64_t *part)
{
	lua_pushstring(L, name);
	lua_rawget(L, index);
	*part = 0;
	int rc = lua_isnil(L, -1) ? 0 : mp_int64_read(L, -1, codec, part);
	lua_pop(L, 1);
	if (rc == 0 && (*part > limit || *part < -limit - 1))
		rc = mp_codec_fail(codec, MP_ETYPE, "%s out of range", name);
	return rc;
}

static int write_duration(lua_State *L, int index, struct mp_codec *codec, struct mp_buf *out)
{
	if (lua_type(L, index) != LUA_TTABLE)
		return got(L, index, codec);
	luaL_checkstack(L, 4, "nested too deep");
	int64_t months, days, nanos;
	int rc = duration_part(L, index, "months", codec, INT32_MAX, &months);
	if (rc == 0)
		rc = duration_part(L, index, "days", codec, INT32_MAX, &days);
	if (rc == 0)
		rc = duration_part(L, index, "nanoseconds", codec, INT64_MAX, &nanos);
	if (rc != 0)
		return rc;
	if ((months > 0 || days > 0 || nanos > 0) && (months < 0 || days < 0 || nanos < 0))
		return mp_codec_fail(codec, MP_ETYPE, "the parts of a duration have the same sign");
	size_t begin = mp_write_value_begin(out);
	mp_write_duration(out, (int32_t)months, (int32_t)days, nanos);
	mp_write_value_end(out, begin);
	return 0;
}

// ---- collections ------------------------------------------------------------------------------------------------

static int write_element(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                         struct mp_buf *out)
{
	if (mp_lua_is_null(L, index) || mp_lua_is_unset(L, index))
		return mp_codec_fail(codec, MP_ETYPE, "a collection cannot hold null");
	return mp_value_write(L, index, type, codec, out);
}

static int write_list(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                      struct mp_buf *out)
{
	size_t count = lua_objlen(L, index);
	if (count == 0) {
		lua_pushnil(L);
		if (lua_next(L, index) != 0) {
			lua_pop(L, 2);
			return mp_codec_fail(codec, MP_ETYPE, "got a table that is no list");
		}
	}
	if (count > INT32_MAX)
		return mp_codec_fail(codec, MP_ETYPE, "too many elements");
	size_t begin = mp_write_value_begin(out);
	mp_buf_i32(out, (int32_t)count);
	for (size_t i = 1; i <= count; i++) {
		lua_rawgeti(L, index, (int)i);
		int rc = write_element(L, lua_gettop(L), type->children[0], codec, out);
		lua_pop(L, 1);
		if (rc != 0)
			return rc;
	}
	mp_write_value_end(out, begin);
	return 0;
}

static int write_map(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                     struct mp_buf *out)
{
	size_t begin = mp_write_value_begin(out);
	size_t count_at = out->len;
	uint32_t count = 0;
	mp_buf_i32(out, 0);
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		int top = lua_gettop(L);
		int rc = write_element(L, top - 1, type->children[0], codec, out);
		if (rc == 0)
			rc = write_element(L, top, type->children[1], codec, out);
		if (rc != 0) {
			lua_settop(L, top - 2);
			return rc;
		}
		count++;
		lua_settop(L, top - 1);
	}
	if (mp_buf_status(out) == 0)
		mp_buf_patch_u32(out, count_at, count);
	mp_write_value_end(out, begin);
	return 0;
}

static int write_collection(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                            struct mp_buf *out)
{
	if (lua_type(L, index) != LUA_TTABLE)
		return got(L, index, codec);
	luaL_checkstack(L, 8, "nested too deep");
	return type->id == MP_TYPE_MAP ? write_map(L, index, type, codec, out)
	                               : write_list(L, index, type, codec, out);
}

// ---- any value --------------------------------------------------------------------------------------------------

static int write_by_type(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                         struct mp_buf *out)
{
	switch (type->id) {
	case MP_TYPE_INT: return write_integer(L, index, codec, out, INT32_MAX, 4);
	case MP_TYPE_BIGINT:
	case MP_TYPE_COUNTER:
	case MP_TYPE_TIMESTAMP:
	case MP_TYPE_TIME: return write_integer(L, index, codec, out, INT64_MAX, 8);
	case MP_TYPE_SMALLINT: return write_integer(L, index, codec, out, INT16_MAX, 2);
	case MP_TYPE_TINYINT: return write_integer(L, index, codec, out, INT8_MAX, 1);
	case MP_TYPE_DOUBLE: return write_float(L, index, codec, out, false);
	case MP_TYPE_FLOAT: return write_float(L, index, codec, out, true);
	case MP_TYPE_BOOLEAN: return write_boolean(L, index, codec, out);
	case MP_TYPE_VARINT:
	case MP_TYPE_DECIMAL: return write_digits(L, index, type, codec, out);
	case MP_TYPE_DURATION: return write_duration(L, index, codec, out);
	case MP_TYPE_LIST:
	case MP_TYPE_SET:
	case MP_TYPE_MAP: return write_collection(L, index, type, codec, out);
	case MP_TYPE_ASCII:
	case MP_TYPE_VARCHAR:
	case MP_TYPE_BLOB:
	case MP_TYPE_UUID:
	case MP_TYPE_TIMEUUID:
	case MP_TYPE_INET:
	case MP_TYPE_DATE: return write_text(L, index, type, codec, out);
	default: return mp_codec_no_form(codec, type);
	}
}

int mp_value_write(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                   struct mp_buf *out)
{
	int given = lua_type(L, index);
	if (given == LUA_TNIL || (given == LUA_TLIGHTUSERDATA && mp_lua_is_null(L, index))) {
		mp_write_null(out);
		return 0;
	}
	if (MP_UNLIKELY(given == LUA_TLIGHTUSERDATA && mp_lua_is_unset(L, index))) {
		mp_write_unset(out);
		return 0;
	}
	return write_by_type(L, index, type, codec, out);
}

int mp_value_write_untyped(lua_State *L, int index, struct mp_codec *codec, struct mp_buf *out)
{
	struct mp_type type = {.id = MP_TYPE_BIGINT};
	switch (lua_type(L, index)) {
	case LUA_TNUMBER: {
		double value = lua_tonumber(L, index);
		if (value != floor(value) || !isfinite(value))
			type.id = MP_TYPE_DOUBLE;
		else if (value >= INT32_MIN && value <= INT32_MAX)
			type.id = MP_TYPE_INT;
		break;
	}
	case LUA_TSTRING: type.id = MP_TYPE_VARCHAR; break;
	case LUA_TBOOLEAN: type.id = MP_TYPE_BOOLEAN; break;
	case CDATA:
	case LUA_TNIL:
	case LUA_TLIGHTUSERDATA: break;
	default: return got(L, index, codec);
	}
	return mp_value_write(L, index, &type, codec, out);
}
