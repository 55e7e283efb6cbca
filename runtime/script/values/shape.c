// SPDX-License-Identifier: Apache-2.0
#include "script/values/shape.h"

#include <lauxlib.h>
#include <stdio.h>

#include "base/mem.h"
#include "script/core.h"
#include "script/values/fits.h"
#include "script/values/result.h"

#define EMPTY   "moonpool.result"       // the table of the shape without columns
#define INDEX   "moonpool.result.index" // the function of lua/moonpool/result.lua
#define OWNER   "moonpool.shape"
#define MAKER   "moonpool.result.maker"   // the other function, which makes constructors
#define RESULTS "moonpool.result.results" // the third, which makes makers of results
#define COLUMNS 1                         // in the metatable of results: the list of them

#define VALUES_AT_ONCE 48u // of several rows that one call makes
#define ROWS_AT_ONCE   8u

static void unref(struct mp_shape *shape)
{
	if (--shape->refs > 0)
		return;
	mp_metadata_unref(shape->metadata);
	mp_free(shape);
}

// The statement is gone, or has other columns.
static void leave_statement(void *data)
{
	struct mp_shape *shape = data;
	luaL_unref(shape->L, LUA_REGISTRYINDEX, shape->ref);
	luaL_unref(shape->L, LUA_REGISTRYINDEX, shape->maker);
	shape->ref = shape->maker = LUA_NOREF;
	unref(shape);
}

static int owner_gc(lua_State *L)
{
	struct mp_shape **owner = lua_touserdata(L, 1);
	if (*owner != NULL)
		unref(*owner);
	*owner = NULL;
	return 0;
}

// ---- making one -------------------------------------------------------------------------------------------

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

// The keys of a result into the shape's table on top, behind the names of `count` columns.
static void add_keys(lua_State *L, uint32_t count)
{
	static const char *const keys[MP_SHAPE_KEYS] = {"rows", "_cost", "_page"};
	for (int i = 0; i < MP_SHAPE_KEYS; i++) {
		lua_pushstring(L, keys[i]);
		lua_rawseti(L, -2, (int)count + 1 + i);
	}
}

// The metatable of results into the shape's table on top; the list of columns, or nil, is below it. It knows the
// shape's table under "names", for lua/moonpool/result.lua, which keeps there what reads rows.
static void add_metatable(lua_State *L)
{
	lua_createtable(L, 1, 3);
	lua_pushvalue(L, -2);
	lua_setfield(L, -2, "names");
	lua_getfield(L, LUA_REGISTRYINDEX, INDEX);
	lua_setfield(L, -2, "__index");
	lua_pushvalue(L, -3);
	lua_rawseti(L, -2, COLUMNS);
	lua_rawseti(L, -2, 0);
}

// Leaves the shape's table on the stack. All that may raise comes first: nobody would free the shape. NULL: no memory.
static struct mp_shape *make(lua_State *L, struct mp_codec *codec, struct mp_metadata *metadata, bool kept)
{
	uint32_t count = metadata->column_count;
	mp_lua_push_columns(L, metadata, &codec->scratch);
	lua_createtable(L, (int)count + MP_SHAPE_KEYS, 0);
	add_names(L, metadata);
	add_keys(L, count);
	add_metatable(L);
	lua_remove(L, -2);
	int ref = LUA_NOREF;
	if (kept) {
		lua_pushvalue(L, -1);
		ref = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	struct mp_shape *shape = mp_calloc(1, sizeof(*shape) + (size_t)count * sizeof(shape->columns[0]));
	if (shape == NULL) {
		luaL_unref(L, LUA_REGISTRYINDEX, ref);
		lua_pop(L, 1);
		return NULL;
	}
	shape->refs = 1;
	shape->L = codec->L; // L is a coroutine, whose end nobody tells
	shape->ref = ref;
	shape->maker = LUA_NOREF;
	shape->metadata = mp_metadata_ref(metadata);
	shape->count = count;
	for (uint32_t i = 0; i < count; i++) {
		const struct mp_type *type = metadata->columns[i].type;
		shape->columns[i] = (struct mp_shape_column){mp_value_pusher(type), mp_fits_width(type)};
	}
	return shape;
}

// The statement's shape from now on.
static void enter_statement(struct mp_shape *shape, struct mp_prepared *prepared)
{
	shape->refs++;
	if (prepared->user != NULL)
		leave_statement(prepared->user);
	prepared->user = shape;
	prepared->user_free = leave_statement;
}

struct mp_shape *mp_shape_for(lua_State *L, struct mp_codec *codec, struct mp_prepared *prepared,
                              struct mp_metadata *metadata)
{
	mp_shape_release(codec);
	struct mp_shape *shape = prepared != NULL ? prepared->user : NULL;
	if (MP_LIKELY(shape != NULL && shape->metadata == metadata)) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, shape->ref);
		shape->refs++;
	} else {
		bool kept = prepared != NULL && prepared->result == metadata;
		shape = make(L, codec, metadata, kept);
		if (shape != NULL && kept)
			enter_statement(shape, prepared);
	}
	codec->shape = shape;
	return shape;
}

void mp_shape_release(struct mp_codec *codec)
{
	struct mp_shape *shape = codec->shape;
	codec->shape = NULL;
	if (shape != NULL)
		unref(shape);
}

void mp_shape_keep(lua_State *L, struct mp_shape *shape, int names)
{
	lua_rawgeti(L, names, MP_SHAPE_OWNER);
	bool kept = !lua_isnil(L, -1);
	lua_pop(L, 1);
	if (MP_LIKELY(kept))
		return;
	struct mp_shape **owner = lua_newuserdata(L, sizeof(*owner));
	*owner = NULL;
	luaL_getmetatable(L, OWNER);
	lua_setmetatable(L, -2);
	lua_rawseti(L, names, MP_SHAPE_OWNER);
	*owner = shape;
	shape->refs++;
}

void mp_shape_push_empty(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, EMPTY);
}

void mp_shape_push_columns(lua_State *L, int result)
{
	if (lua_getmetatable(L, result)) {
		lua_rawgeti(L, -1, COLUMNS);
		lua_remove(L, -2);
	} else {
		lua_pushnil(L);
	}
}

// What MAKER gives for so many rows at once, 0: for one; kept under `key` in the shape's table. It may be nil.
static void push_made(lua_State *L, const struct mp_shape *shape, int names, int key, uint32_t at_once)
{
	luaL_checkstack(L, 8, "too little of it is left");
	lua_rawgeti(L, names, key);
	if (MP_LIKELY(!lua_isnil(L, -1)))
		return;
	lua_pop(L, 1);
	lua_getfield(L, LUA_REGISTRYINDEX, MAKER);
	lua_pushvalue(L, names);
	lua_pushnumber(L, shape->count);
	if (at_once > 0)
		lua_pushnumber(L, at_once);
	lua_call(L, at_once > 0 ? 3 : 2, 1);
	lua_pushvalue(L, -1);
	lua_rawseti(L, names, key);
}

void mp_shape_push_constructor(lua_State *L, const struct mp_shape *shape, int names)
{
	push_made(L, shape, names, MP_SHAPE_CONSTRUCTOR, 0);
	if (!lua_isnil(L, -1)) // of rows that are made one by one the stack has no more than of one value
		luaL_checkstack(L, (int)shape->count + 8, "too many columns");
}

uint32_t mp_shape_push_rows_maker(lua_State *L, const struct mp_shape *shape, int names)
{
	uint32_t at_once =
		ROWS_AT_ONCE < VALUES_AT_ONCE / shape->count ? ROWS_AT_ONCE : VALUES_AT_ONCE / shape->count;
	if (at_once < 2) {
		lua_pushnil(L);
		return 0;
	}
	push_made(L, shape, names, MP_SHAPE_ROWS_MAKER, at_once);
	if (lua_isnil(L, -1))
		return 0;
	luaL_checkstack(L, VALUES_AT_ONCE + 8, "too little of it is left");
	return at_once;
}

// Whatever Lua runs meanwhile, the statement keeps the shape: only another answer could bring it a new one.
static void make_maker(lua_State *L, struct mp_shape *shape)
{
	lua_getfield(L, LUA_REGISTRYINDEX, RESULTS);
	lua_rawgeti(L, LUA_REGISTRYINDEX, shape->ref);
	lua_pushnumber(L, shape->count);
	lua_call(L, 2, 1);
	shape->maker = luaL_ref(L, LUA_REGISTRYINDEX);
}

bool mp_shape_push_maker(lua_State *L, struct mp_shape *shape)
{
	if (MP_UNLIKELY(shape->maker == LUA_NOREF))
		make_maker(L, shape);
	if (MP_UNLIKELY(shape->maker == LUA_REFNIL))
		return false;
	lua_rawgeti(L, LUA_REGISTRYINDEX, shape->maker);
	return true;
}

static const char empty_maker;

void mp_shape_push_empty_maker(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&empty_maker);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

// The shape's table of no columns is on top.
static void add_empty_maker(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&empty_maker);
	lua_getfield(L, LUA_REGISTRYINDEX, RESULTS);
	lua_pushvalue(L, -3);
	lua_pushnumber(L, 0);
	lua_call(L, 2, 1);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

// onResult(index, maker, results): how a result finds what it does not hold; what makes a function that makes rows with
// `count` columns of these names, one or so many `at_once`, or nil; and the same of results of one such row. Before the
// first result.
int mp_core_on_result(lua_State *L)
{
	for (int i = 1; i <= 3; i++)
		luaL_checktype(L, i, LUA_TFUNCTION);
	lua_settop(L, 3);
	lua_setfield(L, LUA_REGISTRYINDEX, RESULTS);
	lua_setfield(L, LUA_REGISTRYINDEX, MAKER);
	lua_setfield(L, LUA_REGISTRYINDEX, INDEX);
	lua_pushnil(L); // no columns
	lua_createtable(L, MP_SHAPE_KEYS, 0);
	add_keys(L, 0);
	add_metatable(L);
	add_empty_maker(L);
	lua_setfield(L, LUA_REGISTRYINDEX, EMPTY);
	return 0;
}

void mp_shape_add(lua_State *L)
{
	luaL_newmetatable(L, OWNER);
	lua_pushcfunction(L, owner_gc);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
}

// ---- rows -------------------------------------------------------------------------------------------------

static int tell_column(struct mp_codec *codec, int rc, const struct mp_column *column)
{
	char why[sizeof(codec->why)];
	snprintf(why, sizeof(why), "%s", codec->why);
	return mp_codec_fail(codec, rc == MP_ETYPE ? MP_EPROTO : rc, "column %.*s: %.90s",
	                     (int)(column->name.len < 48 ? column->name.len : 48), column->name.data, why);
}

int mp_shape_push_row(lua_State *L, struct mp_codec *codec, const struct mp_shape *shape, int names,
                      struct mp_cursor *cursor, uint32_t row)
{
	const struct mp_column *columns = shape->metadata->columns;
	int top = lua_gettop(L);
	lua_createtable(L, 0, (int)shape->count);
	for (uint32_t i = 0; i < shape->count; i++) {
		struct mp_bytes value = mp_cursor_bytes(cursor);
		if (MP_UNLIKELY(cursor->failed)) {
			lua_settop(L, top);
			return mp_codec_fail(codec, MP_EPROTO, "the answer ends inside of row %u", row);
		}
		if (value.len < 0)
			continue;
		lua_rawgeti(L, names, (int)i + 1);
		int rc = shape->columns[i].push(L, codec, columns[i].type, value);
		if (MP_UNLIKELY(rc != 0)) {
			lua_settop(L, top);
			return tell_column(codec, rc, &columns[i]);
		}
		lua_rawset(L, -3);
	}
	return 0;
}
