// SPDX-License-Identifier: Apache-2.0
#include "script/values/result.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "script/core.h"

#define PRESIZE_MAX 65536 // rows of a table made at once; more grow with what really comes
#define RESULT      "moonpool.result"
#define TRACE       "moonpool.trace" // the method, of lua/moonpool/trace.lua
#define HOSTS \
	"moonpool.hosts" // { "127.0.0.1:9042", ..., ["127.0.0.1:9042"] = 1 }: every host that ever answered
enum { KEY_ROWS = 1, KEY_COST, KEYS = KEY_COST };

// What a result says about its answer in one number: microseconds, the host's number, attempts.
#define COST_HOST     8
#define COST_TIME     24
#define COST_TIME_MAX ((UINT64_C(1) << (53 - COST_TIME)) - 1)

// In Lua's registry under `ref`: { [0] = the result's metatable, [1] .. [n] = names of the columns, then KEYS }
// Keys are taken from there because making a Lua string of a C string costs more than storing the value.
struct shape {
	lua_State *L; // for the end
	int ref;
	struct mp_metadata *metadata;
	uint32_t count;
	mp_value_push *push[];
};

// ---- the metatable of results -----------------------------------------------------------------------------

static int result_first(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_getfield(L, 1, "rows");
	if (lua_istable(L, -1))
		lua_rawgeti(L, -1, 1);
	return 1;
}

// A statement with a condition answers with a column "[applied]"; every other one was applied when it has an answer.
static void push_applied(lua_State *L)
{
	lua_pushboolean(L, 1);
	int answer = lua_gettop(L);
	lua_getfield(L, 1, "rows");
	if (lua_istable(L, -1))
		lua_rawgeti(L, -1, 1);
	if (lua_istable(L, -1)) {
		lua_pushliteral(L, "[applied]");
		lua_rawget(L, -2);
		if (lua_isboolean(L, -1))
			lua_replace(L, answer);
	}
	lua_settop(L, answer);
}

static void push_info(lua_State *L)
{
	lua_createtable(L, 0, 4);
	lua_pushliteral(L, "_cost");
	lua_rawget(L, 1);
	uint64_t cost = (uint64_t)lua_tonumber(L, -1);
	lua_pop(L, 1);
	mp_lua_push_host_text(L, (uint32_t)(cost >> COST_HOST & MP_LUA_HOST_NUMBERS));
	lua_setfield(L, -2, "host");
	lua_pushnumber(L, (double)(cost & 255));
	lua_setfield(L, -2, "attempts");
	lua_pushnumber(L, (double)(cost >> COST_TIME) / 1000);
	lua_setfield(L, -2, "latencyMs");
	lua_newtable(L);
	lua_setfield(L, -2, "warnings");
}

// __index(result, key); upvalues: the methods, the list of columns or nil. What is computed is kept in the result.
static int result_index(lua_State *L)
{
	lua_settop(L, 2);
	struct mp_str key = {NULL, 0};
	if (lua_type(L, 2) == LUA_TSTRING)
		key.data = lua_tolstring(L, 2, &key.len);
	if (mp_str_is(key, "first")) {
		lua_pushvalue(L, lua_upvalueindex(1));
		return 1;
	}
	if (mp_str_is(key, "trace")) {
		lua_getfield(L, LUA_REGISTRYINDEX, TRACE);
		return 1;
	}
	if (mp_str_is(key, "columns"))
		lua_pushvalue(L, lua_upvalueindex(2));
	else if (mp_str_is(key, "rows"))
		lua_newtable(L);
	else if (mp_str_is(key, "wasApplied"))
		push_applied(L);
	else if (mp_str_is(key, "info"))
		push_info(L);
	else
		return 0;
	lua_pushvalue(L, 2);
	lua_pushvalue(L, 3);
	lua_rawset(L, 1);
	return 1;
}

// onTrace(fn): what result:trace() is.
int mp_core_on_trace(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, TRACE);
	return 0;
}

void mp_lua_push_columns(lua_State *L, const struct mp_metadata *metadata)
{
	struct mp_buf text;
	mp_buf_init(&text);
	lua_createtable(L, (int)metadata->column_count, 0);
	for (uint32_t i = 0; i < metadata->column_count; i++) {
		const struct mp_column *column = &metadata->columns[i];
		lua_createtable(L, 0, 4);
		lua_pushlstring(L, column->name.data, column->name.len);
		lua_setfield(L, -2, "name");
		mp_buf_clear(&text);
		mp_type_format(&text, column->type);
		lua_pushlstring(L, (const char *)text.data, text.len);
		lua_setfield(L, -2, "type");
		lua_pushlstring(L, column->keyspace.data, column->keyspace.len);
		lua_setfield(L, -2, "keyspace");
		lua_pushlstring(L, column->table.data, column->table.len);
		lua_setfield(L, -2, "table");
		lua_rawseti(L, -2, (int)i + 1);
	}
	mp_buf_deinit(&text);
}

// The columns (or nil) are on top; leaves a metatable in their place.
static void make_metatable(lua_State *L)
{
	lua_pushcfunction(L, result_first);
	lua_insert(L, -2);
	lua_pushcclosure(L, result_index, 2);
	lua_createtable(L, 0, 1);
	lua_insert(L, -2);
	lua_setfield(L, -2, "__index");
}

// The keys of a result into the shape's table on top, behind the names of `count` columns.
static void add_keys(lua_State *L, uint32_t count)
{
	static const char *const keys[] = {"rows", "_cost"};
	for (int i = 0; i < KEYS; i++) {
		lua_pushstring(L, keys[i]);
		lua_rawseti(L, -2, (int)count + 1 + i);
	}
}

// ---- shapes -----------------------------------------------------------------------------------------------

static void free_shape(void *data)
{
	struct shape *shape = data;
	luaL_unref(shape->L, LUA_REGISTRYINDEX, shape->ref);
	mp_metadata_unref(shape->metadata);
	mp_free(shape);
}

// Into the shape's table on top: the name of each column. Of columns with one name (SELECT a AS x, b AS x) the first
// has it, the others stand in a row under their places.
static void add_names(lua_State *L, const struct mp_metadata *metadata)
{
	int table = lua_gettop(L);
	lua_newtable(L); // names so far
	for (uint32_t i = 0; i < metadata->column_count; i++) {
		const struct mp_str *name = &metadata->columns[i].name;
		lua_pushlstring(L, name->data, name->len);
		lua_pushvalue(L, -1);
		lua_rawget(L, table + 1);
		bool taken = !lua_isnil(L, -1);
		lua_pop(L, 1);
		if (taken) {
			lua_pop(L, 1);
			lua_pushnumber(L, i + 1);
		} else {
			lua_pushvalue(L, -1);
			lua_pushboolean(L, 1);
			lua_rawset(L, table + 1);
		}
		lua_rawseti(L, table, (int)i + 1);
	}
	lua_settop(L, table);
}

// Leaves the shape's table on the stack. NULL: out of memory.
static struct shape *make_shape(lua_State *L, const struct mp_codec *codec, struct mp_metadata *metadata)
{
	struct shape *shape =
		mp_calloc(1, sizeof(*shape) + (size_t)metadata->column_count * sizeof(mp_value_push *));
	if (shape == NULL)
		luaL_error(L, "not enough memory");
	shape->L = codec->L; // L is a coroutine, whose end nobody tells
	shape->ref = LUA_NOREF;
	shape->metadata = mp_metadata_ref(metadata);
	shape->count = metadata->column_count;
	lua_createtable(L, (int)shape->count + KEYS, 0);
	for (uint32_t i = 0; i < shape->count; i++) {
		const struct mp_column *column = &metadata->columns[i];
		shape->push[i] = mp_value_pusher(column->type);
	}
	add_names(L, metadata);
	add_keys(L, shape->count);
	mp_lua_push_columns(L, metadata);
	make_metatable(L);
	lua_rawseti(L, -2, 0);
	return shape;
}

// Leaves the shape's table on the stack. A shape that is not kept by its statement is freed by the caller.
static struct shape *shape_for(lua_State *L, const struct mp_codec *codec, struct mp_prepared *prepared,
                               struct mp_metadata *metadata, bool *kept)
{
	*kept = prepared != NULL && prepared->result == metadata;
	struct shape *shape = prepared != NULL ? prepared->user : NULL;
	if (MP_LIKELY(shape != NULL && shape->metadata == metadata)) {
		*kept = true;
		lua_rawgeti(L, LUA_REGISTRYINDEX, shape->ref);
		return shape;
	}
	struct shape *fresh = make_shape(L, codec, metadata);
	if (*kept) {
		if (shape != NULL)
			free_shape(shape);
		prepared->user = fresh;
		prepared->user_free = free_shape;
		lua_pushvalue(L, -1);
		fresh->ref = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	return fresh;
}

// ---- rows -------------------------------------------------------------------------------------------------

// The shape's table is at `names`. Pushes the list of rows; or MP_E* with codec->why and nothing pushed.
static int push_rows(lua_State *L, struct mp_codec *codec, const struct shape *shape, int names,
                     const struct mp_result_body *body)
{
	struct mp_cursor cursor = body->rows;
	const struct mp_column *columns = shape->metadata->columns;
	int top = lua_gettop(L);
	lua_createtable(L, body->row_count < PRESIZE_MAX ? (int)body->row_count : PRESIZE_MAX, 0);
	for (uint32_t row = 1; row <= body->row_count; row++) {
		lua_createtable(L, 0, (int)shape->count);
		for (uint32_t i = 0; i < shape->count; i++) {
			struct mp_bytes value = mp_cursor_bytes(&cursor);
			if (MP_UNLIKELY(cursor.failed)) {
				lua_settop(L, top);
				return mp_codec_fail(codec, MP_EPROTO, "the answer ends inside of row %u", row);
			}
			if (value.len < 0)
				continue;
			lua_rawgeti(L, names, (int)i + 1);
			int rc = shape->push[i](L, codec, columns[i].type, value);
			if (MP_UNLIKELY(rc != 0)) {
				char why[sizeof(codec->why)];
				snprintf(why, sizeof(why), "%s", codec->why);
				lua_settop(L, top);
				return mp_codec_fail(codec, rc == MP_ETYPE ? MP_EPROTO : rc, "column %.*s: %.90s",
				                     (int)(columns[i].name.len < 48 ? columns[i].name.len : 48),
				                     columns[i].name.data, why);
			}
			lua_rawset(L, -3);
		}
		lua_rawseti(L, -2, (int)row);
	}
	return 0;
}

// Tracing and warnings are rare: then info is made at once.
static void push_rare_info(lua_State *L, int result, const struct mp_response_prefix *prefix)
{
	lua_pushvalue(L, result);
	lua_insert(L, 1);
	push_info(L);
	lua_remove(L, 1);
	if (prefix->has_trace_id) {
		char text[MP_UUID_TEXT];
		mp_uuid_format(&prefix->trace_id, text);
		lua_pushstring(L, text);
		lua_setfield(L, -2, "traceId");
	}
	struct mp_cursor cursor = prefix->warnings;
	lua_createtable(L, prefix->warning_count, 0);
	for (int i = 1; i <= prefix->warning_count; i++) {
		struct mp_str text = mp_cursor_string(&cursor);
		if (cursor.failed)
			break;
		lua_pushlstring(L, text.data != NULL ? text.data : "", text.len);
		lua_rawseti(L, -2, i);
	}
	lua_setfield(L, -2, "warnings");
	lua_setfield(L, result, "info");
}

static double cost_of(lua_State *L, struct mp_codec *codec, const struct mp_outcome *outcome)
{
	uint64_t us = outcome->latency_ns / 1000;
	uint64_t attempts = outcome->attempts < 255 ? outcome->attempts : 255;
	return (double)((us < COST_TIME_MAX ? us : COST_TIME_MAX) << COST_TIME |
	                (uint64_t)mp_lua_host_number(L, codec, outcome->host) << COST_HOST | attempts);
}

// The result is on top, the shape's table of `count` columns at `names`.
static void finish_result(lua_State *L, struct mp_codec *codec, int names, uint32_t count,
                          const struct mp_outcome *outcome)
{
	int result = lua_gettop(L);
	lua_rawgeti(L, names, 0);
	lua_setmetatable(L, result);
	lua_rawgeti(L, names, (int)count + KEY_COST);
	lua_pushnumber(L, cost_of(L, codec, outcome));
	lua_rawset(L, result);
	const struct mp_response_prefix *prefix = outcome->prefix;
	if (MP_UNLIKELY(prefix->has_trace_id || prefix->warning_count > 0))
		push_rare_info(L, result, prefix);
	const struct mp_bytes *state = &outcome->result->paging_state;
	if (outcome->result->kind == MP_RESULT_ROWS && outcome->result->has_more_pages && state->data != NULL) {
		lua_pushlstring(L, (const char *)state->data, (size_t)state->len);
		lua_setfield(L, result, "pageState");
	}
}

static void push_rows_result(lua_State *L, struct mp_codec *codec, struct mp_prepared *prepared,
                             const struct mp_outcome *outcome)
{
	bool kept;
	int top = lua_gettop(L);
	// Only its count of references changes.
	struct mp_metadata *metadata = (struct mp_metadata *)(uintptr_t)outcome->metadata;
	struct shape *shape = shape_for(L, codec, prepared, metadata, &kept);
	uint32_t count = shape->count;
	lua_createtable(L, 0, KEYS);
	lua_rawgeti(L, top + 1, (int)count + KEY_ROWS);
	int rc = push_rows(L, codec, shape, top + 1, outcome->result);
	if (!kept)
		free_shape(shape);
	if (MP_UNLIKELY(rc != 0)) {
		lua_settop(L, top);
		mp_lua_fail(L, rc, "%s", codec->why);
		return;
	}
	lua_rawset(L, top + 2);
	finish_result(L, codec, top + 1, count, outcome);
	lua_remove(L, top + 1);
	lua_pushnil(L);
}

void mp_lua_push_outcome(lua_State *L, struct mp_codec *codec, struct mp_prepared *prepared,
                         const struct mp_outcome *outcome)
{
	if (MP_UNLIKELY(outcome->error != NULL)) {
		lua_pushnil(L);
		mp_lua_push_error(L, outcome->error);
	} else if (outcome->result->kind == MP_RESULT_ROWS && outcome->metadata != NULL) {
		push_rows_result(L, codec, prepared, outcome);
	} else {
		lua_getfield(L, LUA_REGISTRYINDEX, RESULT);
		lua_createtable(L, 0, KEYS - 1);
		finish_result(L, codec, lua_gettop(L) - 1, 0, outcome);
		lua_remove(L, -2);
		lua_pushnil(L);
	}
}

void mp_lua_add_result(lua_State *L)
{
	mp_lua_add_host_numbers(L);
	lua_createtable(L, KEYS, 0); // the shape of a result without columns
	add_keys(L, 0);
	lua_pushnil(L);
	make_metatable(L);
	lua_rawseti(L, -2, 0);
	lua_setfield(L, LUA_REGISTRYINDEX, RESULT);
}
