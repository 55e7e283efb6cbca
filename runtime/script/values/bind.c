// SPDX-License-Identifier: Apache-2.0
// A parameter that was forgotten never becomes a null: what stores a null says so, by moonpool.null, or by a nil that a
// later parameter follows, or by being { nil }, the one parameter of a statement that has one.
#include "script/values/bind.h"

#include <lauxlib.h>
#include <stdio.h>

#include "cluster/request/words.h"
#include "wire/value.h"

#define NAMED_MAX 110 // bytes of a message that names parameters

enum shape {
	SHAPE_NOTHING, // no table
	SHAPE_EMPTY,   // {}, which { nil } is, too
	SHAPE_LIST,    // { 1, "ana" }
	SHAPE_NAMED,   // { id = 1, name = "ana" }
};

static enum shape shape_of(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TTABLE)
		return SHAPE_NOTHING;
	if (MP_LIKELY(lua_objlen(L, index) > 0))
		return SHAPE_LIST;
	lua_pushnil(L);
	if (lua_next(L, index) == 0)
		return SHAPE_EMPTY;
	bool list = lua_type(L, -2) == LUA_TNUMBER; // { nil, 2 }
	lua_pop(L, 2);
	return list ? SHAPE_LIST : SHAPE_NAMED;
}

static int bad_parameter(struct mp_codec *codec, int rc, const struct mp_column *column, size_t i)
{
	int len = (int)(column->name.len < 40 ? column->name.len : 40);
	return mp_codec_within(codec, rc, "parameter %zu (%.*s, %s)", i + 1, len, column->name.data,
	                       mp_type_id_name(column->type->id));
}

static int mixed(struct mp_codec *codec)
{
	return mp_codec_fail(codec, MP_EINVAL,
	                     "a list of parameters or a table of named ones expected, not both");
}

static int too_many(lua_State *L, int index, const char *has, uint32_t most, double place,
                    struct mp_codec *codec)
{
	size_t given = lua_objlen(L, index);
	if (given > most)
		return mp_codec_fail(codec, MP_EINVAL, "%s %u parameters, %zu were given", has, most, given);
	return mp_codec_fail(codec, MP_EINVAL, "%s %u parameters, one was given at place %.14g", has, most,
	                     place);
}

// What stands in a list besides the places 1 to `most` would be lost in silence. `has` says whose places they are. The
// highest place that is not nil.
static int check_places(lua_State *L, int index, const char *has, uint32_t most, struct mp_codec *codec,
                        uint32_t *last)
{
	*last = 0;
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TNUMBER) {
			lua_pop(L, 1);
			return mixed(codec);
		}
		double place = lua_tonumber(L, -1);
		if (!(place >= 1 && place <= (double)most && place == (double)(uint32_t)place)) {
			lua_pop(L, 1);
			return too_many(L, index, has, most, place, codec);
		}
		*last = (uint32_t)place > *last ? (uint32_t)place : *last;
	}
	return 0;
}

// ---- parameters that are missing --------------------------------------------------------------------------

static bool is_missing(lua_State *L, int index, const struct mp_str *name)
{
	lua_pushlstring(L, name->data, name->len);
	lua_rawget(L, index);
	bool missing = lua_isnil(L, -1);
	lua_pop(L, 1);
	return missing;
}

// ", and 'nmae' is no parameter": what somebody may have meant by it.
static void add_stranger(lua_State *L, int index, const struct mp_metadata *params, struct mp_codec *codec)
{
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		lua_pop(L, 1);
		struct mp_str name = {NULL, 0};
		if (lua_type(L, -1) == LUA_TSTRING)
			name.data = lua_tolstring(L, -1, &name.len);
		if (name.data != NULL && mp_metadata_find(params, name) >= 0)
			continue;
		if (name.data != NULL)
			mp_codec_add(codec, ", and there is no parameter '%.40s'", name.data);
		else
			mp_codec_add(codec, ", and a %s is no name", luaL_typename(L, -1));
		lua_pop(L, 1);
		return;
	}
}

// Names the parameters from `given` on, or those whose names are not in the table.
static int missing(lua_State *L, int index, const struct mp_metadata *params, enum shape shape,
                   uint32_t given, struct mp_codec *codec)
{
	char names[NAMED_MAX + 4];
	size_t used = 0;
	uint32_t count = 0;
	for (uint32_t i = given; i < params->column_count; i++) {
		const struct mp_str *name = &params->columns[i].name;
		if (shape == SHAPE_NAMED && !is_missing(L, index, name))
			continue;
		count++;
		if (used >= NAMED_MAX)
			continue;
		int len = snprintf(names + used, NAMED_MAX - used, "%s%u (%.*s)", count > 1 ? ", " : "", i + 1,
		                   (int)(name->len < 40 ? name->len : 40), name->data);
		used += (size_t)len;
		if (used >= NAMED_MAX)
			snprintf(names + NAMED_MAX - 1, 4, "...");
	}
	mp_codec_fail(codec, MP_EINVAL, "parameter%s %s %s missing", count == 1 ? "" : "s", names,
	              count == 1 ? "is" : "are");
	if (shape == SHAPE_NAMED)
		add_stranger(L, index, params, codec);
	mp_codec_add(codec, ": moonpool.null stores a null, moonpool.unset leaves what is there");
	return MP_EINVAL;
}

// Whether there are as many as the shape can say. { nil } is one null.
static int check_count(enum shape shape, uint32_t count, struct mp_codec *codec)
{
	if (shape == SHAPE_NOTHING && count > 0)
		return mp_codec_fail(codec, MP_EINVAL, "the statement has %u parameter%s, none were given", count,
		                     count == 1 ? "" : "s");
	if (shape == SHAPE_EMPTY && count > 1)
		return mp_codec_fail(
			codec, MP_EINVAL,
			"the statement has %u parameters, all are missing or nil: moonpool.null stores a null", count);
	if (shape == SHAPE_NAMED && count == 0)
		return mp_codec_fail(codec, MP_EINVAL, "the statement has no parameters, some were given");
	return 0;
}

// ---- with types -------------------------------------------------------------------------------------------

typedef int write_value(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                        struct mp_buf *out);

// A list that is walked in its order, as most are: one walk checks its places and writes. False: it is another one, or
// a value was refused; nothing was written.
MP_INLINE bool bind_in_order(lua_State *L, int index, const struct mp_metadata *params,
                             struct mp_codec *codec, struct mp_buf *out, write_value *write)
{
	int top = lua_gettop(L);
	size_t begin = out->len;
	bool fits = true;
	lua_pushnil(L);
	for (uint32_t i = 0; i < params->column_count && fits; i++) {
		fits = lua_next(L, index) != 0 && lua_type(L, top + 1) == LUA_TNUMBER &&
		       lua_tonumber(L, top + 1) == i + 1 &&
		       write(L, top + 2, params->columns[i].type, codec, out) == 0;
		if (MP_LIKELY(fits))
			lua_settop(L, top + 1);
	}
	if (MP_LIKELY(fits && lua_next(L, index) == 0))
		return true;
	lua_settop(L, top);
	if (!out->failed)
		out->len = begin;
	return false;
}

bool mp_lua_bind_plain_list(lua_State *L, int index, const struct mp_metadata *params, struct mp_codec *codec,
                            struct mp_buf *out)
{
	return bind_in_order(L, index, params, codec, out, mp_value_write_plain) && !out->failed;
}

bool mp_lua_bind_plain(lua_State *L, int first, const struct mp_metadata *params, struct mp_codec *codec,
                       struct mp_buf *out)
{
	for (int i = 0; params != NULL && i < (int)params->column_count; i++)
		if (MP_UNLIKELY(mp_value_write_plain(L, first + i, params->columns[i].type, codec, out) != 0))
			return false;
	return !out->failed;
}

static int bind_list(lua_State *L, int index, const struct mp_metadata *params, struct mp_codec *codec,
                     struct mp_buf *out)
{
	if (MP_LIKELY(bind_in_order(L, index, params, codec, out, mp_value_write)))
		return 0;
	uint32_t last;
	int rc = check_places(L, index, "the statement has", params->column_count, codec, &last);
	if (rc == 0 && MP_UNLIKELY(last < params->column_count))
		rc = missing(L, index, params, SHAPE_LIST, last, codec);
	for (uint32_t i = 0; i < params->column_count && rc == 0; i++) {
		const struct mp_column *column = &params->columns[i];
		lua_rawgeti(L, index, (int)i + 1);
		rc = mp_value_write(L, lua_gettop(L), column->type, codec, out);
		lua_pop(L, 1);
		if (MP_UNLIKELY(rc != 0))
			rc = bad_parameter(codec, rc, column, i);
	}
	return rc;
}

// A table with more names than the statement has parameters will do: it may be a whole record.
static int bind_named(lua_State *L, int index, const struct mp_metadata *params, struct mp_codec *codec,
                      struct mp_buf *out)
{
	int rc = 0;
	for (uint32_t i = 0; i < params->column_count && rc == 0; i++) {
		const struct mp_column *column = &params->columns[i];
		lua_pushlstring(L, column->name.data, column->name.len);
		lua_rawget(L, index);
		if (MP_UNLIKELY(lua_isnil(L, -1))) {
			lua_pop(L, 1);
			return missing(L, index, params, SHAPE_NAMED, i, codec);
		}
		rc = mp_value_write(L, lua_gettop(L), column->type, codec, out);
		lua_pop(L, 1);
		if (MP_UNLIKELY(rc != 0))
			rc = bad_parameter(codec, rc, column, i);
	}
	return rc;
}

int mp_lua_bind(lua_State *L, int index, struct mp_codec *codec, struct mp_request *request)
{
	const struct mp_metadata *params = request->prepared->params;
	uint32_t count = params != NULL ? params->column_count : 0;
	enum shape shape = shape_of(L, index);
	int rc = check_count(shape, count, codec);
	request->value_count = count;
	if (rc != 0)
		return rc;
	if (MP_LIKELY(shape == SHAPE_LIST && params != NULL))
		return bind_list(L, index, params, codec, &request->values);
	if (shape == SHAPE_NAMED)
		return bind_named(L, index, params, codec, &request->values);
	if (shape == SHAPE_EMPTY && count == 1)
		mp_write_null(&request->values);
	return 0;
}

// ---- without types ----------------------------------------------------------------------------------------

static int bind_untyped_list(lua_State *L, int index, uint32_t count, struct mp_codec *codec,
                             struct mp_request *request)
{
	int rc = 0;
	for (uint32_t i = 1; i <= count && rc == 0; i++) {
		lua_rawgeti(L, index, (int)i);
		rc = mp_value_write_untyped(L, lua_gettop(L), codec, &request->values);
		lua_pop(L, 1);
		if (MP_UNLIKELY(rc != 0))
			rc = mp_codec_within(codec, rc, "parameter %u", i);
	}
	request->value_count = count;
	return rc;
}

static int bind_untyped_named(lua_State *L, int index, struct mp_codec *codec, struct mp_request *request)
{
	int rc = 0;
	request->named_values = true;
	lua_pushnil(L);
	while (rc == 0 && lua_next(L, index) != 0) {
		if (lua_type(L, -2) != LUA_TSTRING)
			return mixed(codec);
		struct mp_str name;
		name.data = lua_tolstring(L, -2, &name.len);
		if (name.len > UINT16_MAX)
			return mp_codec_fail(codec, MP_EINVAL, "a parameter's name has %zu bytes, 65535 are the most",
			                     name.len);
		mp_buf_u16(&request->values, (uint16_t)name.len);
		mp_buf_bytes(&request->values, name.data, name.len);
		rc = mp_value_write_untyped(L, lua_gettop(L), codec, &request->values);
		lua_pop(L, 1);
		if (MP_UNLIKELY(rc != 0))
			rc = mp_codec_within(codec, rc, "parameter '%.40s'", name.data);
		if (++request->value_count > UINT16_MAX)
			return mp_codec_fail(codec, MP_EINVAL, "more than 65535 parameters were given");
	}
	return rc;
}

// How many there are is read off the statement: what PREPARE says otherwise.
static int bind_untyped_places(lua_State *L, int index, struct mp_str cql, enum shape shape,
                               struct mp_codec *codec, struct mp_request *request)
{
	uint32_t last = 0;
	struct mp_marker_count markers = mp_words_count_markers(cql.data, cql.len);
	int rc = check_count(shape, markers.places + markers.names, codec);
	if (rc == 0 && shape == SHAPE_LIST)
		rc = check_places(L, index, "a request has room for", UINT16_MAX, codec, &last);
	if (rc != 0)
		return rc;
	if (shape == SHAPE_LIST && markers.names == 0 && last < markers.places)
		return mp_codec_fail(
			codec, MP_EINVAL,
			"the statement has %u parameters, the last one given is %u: moonpool.null stores a "
			"null, moonpool.unset leaves what is there",
			markers.places, last);
	if (shape == SHAPE_EMPTY)
		last = markers.places + markers.names; // one at most
	return bind_untyped_list(L, index, last, codec, request);
}

int mp_lua_bind_untyped(lua_State *L, int index, struct mp_str cql, struct mp_codec *codec,
                        struct mp_request *request)
{
	enum shape shape = shape_of(L, index);
	if (shape == SHAPE_NOTHING)
		return 0;
	if (shape == SHAPE_NAMED)
		return bind_untyped_named(L, index, codec, request);
	return bind_untyped_places(L, index, cql, shape, codec, request);
}

bool mp_lua_has_parameters(lua_State *L, int index, struct mp_str cql)
{
	enum shape shape = shape_of(L, index);
	if (shape != SHAPE_EMPTY)
		return shape != SHAPE_NOTHING;
	struct mp_marker_count markers = mp_words_count_markers(cql.data, cql.len);
	return markers.places + markers.names > 0;
}
