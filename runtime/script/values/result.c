// SPDX-License-Identifier: Apache-2.0
#include "script/values/result.h"

#include <lauxlib.h>
#include <string.h>

#include "script/core.h"
#include "script/values/page.h"

// What a result says about its answer in one number: microseconds, the host's number, attempts.
#define COST_HOST     8
#define COST_TIME     24
#define COST_TIME_MAX ((UINT64_C(1) << (53 - COST_TIME)) - 1)

#define PRESIZE_MAX 65536 // rows of a table made at once; more grow with what really comes

// ---- what a result makes when it is asked for -------------------------------------------------------------
// The result is at 1.

// The row of that number (from 1), or nil. The first is one table, however it is asked for.
static void push_row(lua_State *L, uint32_t row)
{
	uint32_t count;
	lua_pushliteral(L, "rows");
	lua_rawget(L, 1);
	if (lua_istable(L, -1)) {
		lua_rawgeti(L, -1, (int)row);
		lua_remove(L, -2);
		return;
	}
	lua_pop(L, 1);
	if (row == 1) {
		lua_pushliteral(L, "_first");
		lua_rawget(L, 1);
		if (!lua_isnil(L, -1))
			return;
		lua_pop(L, 1);
	}
	if (!mp_page_of(L, 1, &count)) {
		lua_pushnil(L);
		return;
	}
	mp_page_push_row(L, lua_gettop(L), row);
	lua_remove(L, -2);
	if (row == 1) {
		lua_pushliteral(L, "_first");
		lua_pushvalue(L, -2);
		lua_rawset(L, 1);
	}
}

static void push_count(lua_State *L)
{
	int top = lua_gettop(L);
	uint32_t count = 0;
	lua_pushliteral(L, "rows");
	lua_rawget(L, 1);
	if (lua_istable(L, -1)) {
		count = (uint32_t)lua_objlen(L, -1);
	} else if (!mp_page_of(L, 1, &count)) {
		lua_pushliteral(L, "_first"); // one that is held without a list
		lua_rawget(L, 1);
		count = lua_isnil(L, -1) ? 0 : 1;
	}
	lua_settop(L, top);
	lua_pushnumber(L, count);
}

// Of a page, or none: the list of the one that is held without it is lua/moonpool/result.lua's to make. From now on
// they are what the result has: its bytes are given up.
static void push_rows(lua_State *L)
{
	uint32_t count;
	if (!mp_page_of(L, 1, &count)) {
		lua_newtable(L);
		return;
	}
	int page = lua_gettop(L);
	lua_pushliteral(L, "_first");
	lua_rawget(L, 1);
	mp_page_push_rows(L, page, page + 1);
	static const char *const gone[] = {"_page", "_first"};
	for (size_t i = 0; i < MP_ARRAY_LEN(gone); i++) {
		lua_pushstring(L, gone[i]);
		lua_pushnil(L);
		lua_rawset(L, 1);
	}
}

// A statement with a condition answers with a column "[applied]"; every other one was applied when it has an answer.
static void push_applied(lua_State *L)
{
	lua_pushboolean(L, 1);
	int answer = lua_gettop(L);
	push_row(L, 1);
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

// resultField(result, key): what is worked out when it is asked for. All but the count is kept in the result.
int mp_core_result_field(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	struct mp_str key = {NULL, 0};
	if (lua_type(L, 2) == LUA_TSTRING)
		key.data = lua_tolstring(L, 2, &key.len);
	if (mp_str_is(key, "rows"))
		push_rows(L);
	else if (mp_str_is(key, "columns"))
		mp_shape_push_columns(L, 1);
	else if (mp_str_is(key, "wasApplied"))
		push_applied(L);
	else if (mp_str_is(key, "info"))
		push_info(L);
	else if (mp_str_is(key, "count"))
		push_count(L);
	else
		return 0;
	if (mp_str_is(key, "count"))
		return 1;
	lua_pushvalue(L, 2);
	lua_pushvalue(L, -2);
	lua_rawset(L, 1);
	return 1;
}

// resultRow(result, i): a row, as a table of its own unless all of them were made already; nil: there is none.
int mp_core_result_row(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	double row = luaL_checknumber(L, 2);
	lua_settop(L, 2);
	if (row >= 1 && row <= INT32_MAX && row == (double)(uint32_t)row)
		push_row(L, (uint32_t)row);
	else
		lua_pushnil(L);
	return 1;
}

void mp_lua_push_columns(lua_State *L, const struct mp_metadata *metadata, struct mp_buf *scratch)
{
	lua_createtable(L, (int)metadata->column_count, 0);
	for (uint32_t i = 0; i < metadata->column_count; i++) {
		const struct mp_column *column = &metadata->columns[i];
		lua_createtable(L, 0, 4);
		lua_pushlstring(L, column->name.data, column->name.len);
		lua_setfield(L, -2, "name");
		mp_buf_clear(scratch);
		mp_type_format(scratch, column->type);
		lua_pushlstring(L, (const char *)scratch->data, scratch->len);
		lua_setfield(L, -2, "type");
		lua_pushlstring(L, column->keyspace.data, column->keyspace.len);
		lua_setfield(L, -2, "keyspace");
		lua_pushlstring(L, column->table.data, column->table.len);
		lua_setfield(L, -2, "table");
		lua_rawseti(L, -2, (int)i + 1);
	}
}

// ---- answers ----------------------------------------------------------------------------------------------

// The shape's table is at `names`. Pushes the list of rows; or MP_E* with codec->why and nothing pushed.
static int make_rows(lua_State *L, struct mp_codec *codec, const struct mp_shape *shape, int names,
                     const struct mp_result_body *body)
{
	struct mp_cursor cursor = body->rows;
	int top = lua_gettop(L);
	lua_createtable(L, body->row_count < PRESIZE_MAX ? (int)body->row_count : PRESIZE_MAX, 0);
	for (uint32_t row = 1; row <= body->row_count; row++) {
		int rc = mp_shape_push_row(L, codec, shape, names, &cursor, row);
		if (MP_UNLIKELY(rc != 0)) {
			lua_settop(L, top);
			return rc;
		}
		lua_rawseti(L, -2, (int)row);
	}
	return 0;
}

// Into the info on top: { name = bytes }.
static void push_payload(lua_State *L, const struct mp_response_prefix *prefix)
{
	struct mp_cursor cursor = prefix->payload;
	lua_createtable(L, 0, prefix->payload_count);
	for (int i = 1; i <= prefix->payload_count; i++) {
		struct mp_str name = mp_cursor_string(&cursor);
		struct mp_bytes bytes = mp_cursor_bytes(&cursor);
		if (cursor.failed)
			break;
		lua_pushlstring(L, name.data != NULL ? name.data : "", name.len);
		lua_pushlstring(L, bytes.len > 0 ? (const char *)bytes.data : "",
		                bytes.len > 0 ? (size_t)bytes.len : 0);
		lua_rawset(L, -3);
	}
	lua_setfield(L, -2, "payload");
}

// Tracing, warnings, payloads and hosts that disagree are rare: then info is made at once.
static bool is_rare(const struct mp_outcome *outcome)
{
	const struct mp_response_prefix *prefix = outcome->prefix;
	return prefix->has_trace_id || (prefix->warning_count | prefix->payload_count) > 0 ||
	       outcome->schema_disagrees;
}

static void push_rare_info(lua_State *L, int result, const struct mp_outcome *outcome)
{
	const struct mp_response_prefix *prefix = outcome->prefix;
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
	if (prefix->payload_count > 0)
		push_payload(L, prefix);
	if (outcome->schema_disagrees) {
		lua_pushboolean(L, true);
		lua_setfield(L, -2, "schemaDisagrees");
	}
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
	lua_rawgeti(L, names, (int)count + MP_SHAPE_COST);
	lua_pushnumber(L, cost_of(L, codec, outcome));
	lua_rawset(L, result);
	if (MP_UNLIKELY(is_rare(outcome)))
		push_rare_info(L, result, outcome);
	const struct mp_bytes *state = &outcome->result->paging_state;
	if (outcome->result->kind == MP_RESULT_ROWS && outcome->result->has_more_pages && state->data != NULL) {
		lua_pushlstring(L, (const char *)state->data, (size_t)state->len);
		lua_setfield(L, result, "pageState");
	}
}

static void push_rows_result(lua_State *L, struct mp_codec *codec, struct mp_prepared *prepared,
                             const struct mp_outcome *outcome)
{
	int top = lua_gettop(L), names = top + 1;
	// Only its count of references changes.
	struct mp_metadata *metadata = (struct mp_metadata *)(uintptr_t)outcome->metadata;
	struct mp_shape *shape = mp_shape_for(L, codec, prepared, metadata);
	if (MP_UNLIKELY(shape == NULL)) {
		lua_pushnil(L);
		mp_lua_push_no_memory(L);
		return;
	}
	lua_createtable(L, 0, 2);
	int key = MP_SHAPE_PAGE;
	int rc = 0;
	if (MP_LIKELY(outcome->result->row_count < MP_PAGE_ROWS) ||
	    !mp_page_push(L, shape, names, outcome->result)) {
		key = MP_SHAPE_ROWS;
		rc = make_rows(L, codec, shape, names, outcome->result);
	}
	uint32_t count = shape->count;
	mp_shape_release(codec);
	if (MP_UNLIKELY(rc != 0)) {
		lua_settop(L, top);
		mp_lua_fail(L, rc, "%s", codec->why);
		return;
	}
	lua_rawgeti(L, names, (int)count + key);
	lua_insert(L, -2);
	lua_rawset(L, names + 1);
	finish_result(L, codec, names, count, outcome);
	lua_remove(L, names);
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
		mp_shape_push_empty(L);
		lua_createtable(L, 0, 1);
		finish_result(L, codec, lua_gettop(L) - 1, 0, outcome);
		lua_remove(L, -2);
		lua_pushnil(L);
	}
}

// Values of the one row; false: they are not what they should be.
static bool push_row_values(lua_State *L, struct mp_codec *codec, const struct mp_shape *shape,
                            const struct mp_result_body *body)
{
	struct mp_cursor cursor = body->rows;
	for (uint32_t i = 0; i < shape->count; i++) {
		struct mp_bytes value = mp_cursor_bytes(&cursor);
		if (MP_UNLIKELY(cursor.failed))
			return false;
		if (MP_UNLIKELY(value.len < 0))
			lua_pushnil(L);
		else if (MP_UNLIKELY(shape->columns[i].push(L, codec, shape->metadata->columns[i].type, value) != 0))
			return false;
	}
	return true;
}

int mp_lua_push_parts(lua_State *L, struct mp_codec *codec, struct mp_prepared *prepared,
                      const struct mp_outcome *outcome)
{
	if (MP_UNLIKELY(outcome->error != NULL))
		return 0;
	const struct mp_result_body *body = outcome->result;
	if (MP_UNLIKELY(is_rare(outcome)))
		return 0;
	if (body->kind != MP_RESULT_ROWS) {
		mp_shape_push_empty_maker(L);
		lua_pushnumber(L, cost_of(L, codec, outcome));
		return 2;
	}
	struct mp_shape *shape = prepared != NULL ? prepared->user : NULL;
	if (body->row_count != 1 || shape == NULL || shape->metadata != outcome->metadata ||
	    body->has_more_pages || shape->count > MP_RESULT_PARTS || !mp_shape_push_maker(L, shape))
		return 0;
	int top = lua_gettop(L) - 1;
	lua_pushnumber(L, cost_of(L, codec, outcome));
	if (MP_LIKELY(push_row_values(L, codec, shape, body)))
		return 2 + (int)shape->count;
	lua_settop(L, top);
	return 0;
}

void mp_lua_add_result(lua_State *L)
{
	mp_lua_add_host_numbers(L);
	mp_shape_add(L);
	mp_page_add(L);
}
