// SPDX-License-Identifier: Apache-2.0
// A Lua value as the bytes of a parameter, by the parameter's type. What would lose anything is refused with
// MP_ETYPE, and codec->why says what was given, never the value itself: it may be a secret and ends in logs.
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "script/core.h"
#include "script/values/value.h"
#include "wire/scalar.h"
#include "wire/value.h"

#define CDATA 10 // LUA_TCDATA, which LuaJIT's headers keep to themselves

static int got(lua_State *L, int index, struct mp_codec *codec)
{
	return mp_codec_fail(codec, MP_ETYPE, "got %s", luaL_typename(L, index));
}

// NULL: it was written.
static int result(struct mp_codec *codec, const char *given)
{
	return MP_LIKELY(given == NULL) ? 0 : mp_codec_fail(codec, MP_ETYPE, "got %s", given);
}

static int write_whole(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                       struct mp_buf *out)
{
	int64_t value;
	int given = lua_type(L, index);
	bool is_wide = type->id != MP_TYPE_INT && type->id != MP_TYPE_SMALLINT && type->id != MP_TYPE_TINYINT;
	if (MP_UNLIKELY(given == LUA_TSTRING && !is_wide))
		return got(L, index, codec);
	int rc = MP_LIKELY(given == LUA_TNUMBER) ? mp_int64_of_number(lua_tonumber(L, index), codec, &value)
	                                         : mp_int64_read(L, index, codec, &value);
	return MP_UNLIKELY(rc != 0) ? rc : result(codec, mp_scalar_put_whole(out, type->id, value));
}

static int write_real(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                      struct mp_buf *out)
{
	if (lua_type(L, index) != LUA_TNUMBER)
		return got(L, index, codec);
	return result(codec, mp_scalar_put_real(out, type->id, lua_tonumber(L, index)));
}

static int write_boolean(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                         struct mp_buf *out)
{
	if (lua_type(L, index) != LUA_TBOOLEAN)
		return got(L, index, codec);
	return result(codec, mp_scalar_put_boolean(out, type->id, lua_toboolean(L, index)));
}

// Types that are written as text in Lua.
static int write_text(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                      struct mp_buf *out)
{
	if (lua_type(L, index) != LUA_TSTRING)
		return got(L, index, codec);
	struct mp_str text;
	text.data = lua_tolstring(L, index, &text.len);
	return result(codec, mp_scalar_put_text(out, type->id, text));
}

// The shortest text that reads back as the same double, with a point in any locale.
static void number_text(double value, char text[32])
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, 32, "%.*g", digits, value);
		double back;
		if (sscanf(text, "%lf", &back) == 1 && back == value)
			break;
	}
	char *comma = strchr(text, ',');
	if (comma != NULL)
		*comma = '.';
}

// varint and decimal
static int write_digits(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                        struct mp_buf *out)
{
	char number[32];
	int given = lua_type(L, index);
	if (given == LUA_TSTRING)
		return write_text(L, index, type, codec, out);
	if (given != LUA_TNUMBER || type->id != MP_TYPE_DECIMAL)
		return write_whole(L, index, type, codec, out);
	double value = lua_tonumber(L, index);
	if (!isfinite(value))
		return mp_codec_fail(codec, MP_ETYPE, "got a number that is not finite");
	number_text(value, number);
	return result(codec, mp_scalar_put_text(out, type->id, mp_str_of(number)));
}

// ---- durations --------------------------------------------------------------------------------------------

static int duration_part(lua_State *L, int index, const char *name, struct mp_codec *codec, int64_t *part)
{
	lua_pushstring(L, name);
	lua_rawget(L, index);
	*part = 0;
	int rc = lua_isnil(L, -1) ? 0 : mp_int64_read(L, lua_gettop(L), codec, part);
	lua_pop(L, 1);
	return rc != 0 ? mp_codec_within(codec, rc, "%s", name) : 0;
}

// A duration has three parts; a fourth would be dropped, and one of another name is a mistake.
static int check_parts(lua_State *L, int index, struct mp_codec *codec)
{
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		lua_pop(L, 1);
		struct mp_str name = {"", 0};
		if (lua_type(L, -1) == LUA_TSTRING)
			name.data = lua_tolstring(L, -1, &name.len);
		if (!mp_str_is(name, "months") && !mp_str_is(name, "days") && !mp_str_is(name, "nanoseconds")) {
			lua_pop(L, 1);
			return mp_codec_fail(codec, MP_ETYPE,
			                     "got a table with other keys than months, days and nanoseconds");
		}
	}
	return 0;
}

static int write_duration(lua_State *L, int index, struct mp_codec *codec, struct mp_buf *out)
{
	if (lua_type(L, index) != LUA_TTABLE)
		return got(L, index, codec);
	luaL_checkstack(L, 4, "nested too deep");
	int64_t months, days, nanos;
	int rc = check_parts(L, index, codec);
	if (rc == 0)
		rc = duration_part(L, index, "months", codec, &months);
	if (rc == 0)
		rc = duration_part(L, index, "days", codec, &days);
	if (rc == 0)
		rc = duration_part(L, index, "nanoseconds", codec, &nanos);
	return rc != 0 ? rc : result(codec, mp_scalar_put_duration(out, months, days, nanos));
}

// ---- any value --------------------------------------------------------------------------------------------

static int write_by_type(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                         struct mp_buf *out)
{
	switch (type->id) {
	case MP_TYPE_INT:
	case MP_TYPE_BIGINT:
	case MP_TYPE_COUNTER:
	case MP_TYPE_TIMESTAMP:
	case MP_TYPE_TIME:
	case MP_TYPE_SMALLINT:
	case MP_TYPE_TINYINT: return write_whole(L, index, type, codec, out);
	case MP_TYPE_DOUBLE:
	case MP_TYPE_FLOAT: return write_real(L, index, type, codec, out);
	case MP_TYPE_BOOLEAN: return write_boolean(L, index, type, codec, out);
	case MP_TYPE_VARINT:
	case MP_TYPE_DECIMAL: return write_digits(L, index, type, codec, out);
	case MP_TYPE_DURATION: return write_duration(L, index, codec, out);
	case MP_TYPE_LIST:
	case MP_TYPE_SET:
	case MP_TYPE_MAP: return mp_collection_write(L, index, type, codec, out);
	case MP_TYPE_ASCII:
	case MP_TYPE_VARCHAR:
	case MP_TYPE_BLOB:
	case MP_TYPE_UUID:
	case MP_TYPE_TIMEUUID:
	case MP_TYPE_INET:
	case MP_TYPE_DATE: return write_text(L, index, type, codec, out);
	case MP_TYPE_TUPLE:
	case MP_TYPE_UDT:
	case MP_TYPE_VECTOR: return mp_composed_write(L, index, type, codec, out);
	default: return write_text(L, index, type, codec, out); // of a type that is not known: its bytes
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

#define WHOLE(id) (1u << MP_TYPE_##id)

static bool is_whole(uint16_t id)
{
	const uint32_t wholes = WHOLE(INT) | WHOLE(BIGINT) | WHOLE(COUNTER) | WHOLE(TIMESTAMP) | WHOLE(TIME) |
	                        WHOLE(SMALLINT) | WHOLE(TINYINT);
	return id < 32 && wholes >> id & 1;
}

int mp_value_write_plain(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                         struct mp_buf *out)
{
	const double exact = 9007199254740992.0; // 2^53
	switch (lua_type(L, index)) {
	case LUA_TNUMBER:
		if (MP_LIKELY(is_whole(type->id))) { // most keys: write_whole() at a third of its price
			double number = lua_tonumber(L, index);
			if (MP_LIKELY(number >= -exact && number <= exact && number == (double)(int64_t)number))
				return result(codec, mp_scalar_put_whole(out, type->id, (int64_t)number));
		}
		return write_by_type(L, index, type, codec, out);
	case LUA_TSTRING:
	case LUA_TBOOLEAN: return write_by_type(L, index, type, codec, out);
	case LUA_TLIGHTUSERDATA: return mp_value_write(L, index, type, codec, out);
	default: return MP_ETYPE;
	}
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
	case LUA_TSTRING: type.id = MP_TYPE_BLOB; break; // of whatever type: its bytes
	case LUA_TBOOLEAN: type.id = MP_TYPE_BOOLEAN; break;
	case CDATA:
	case LUA_TNIL:
	case LUA_TLIGHTUSERDATA: break;
	default: return got(L, index, codec);
	}
	return mp_value_write(L, index, &type, codec, out);
}
