// SPDX-License-Identifier: Apache-2.0
// A prepared statement as Lua holds it: what PREPARE said about it, and the options that its requests have unless they
// say otherwise. The latter are this value's own: another one of the same text has others.
#include <lauxlib.h>
#include <string.h>

#include "script/core.h"
#include "script/pool/pool.h"
#include "script/values/result.h"

static const char mark[] = MP_LUA_STATEMENT;

struct mp_lua_statement *mp_lua_test_statement(lua_State *L, int index)
{
	return mp_lua_marked(L, index, sizeof(struct mp_lua_statement), mark);
}

void mp_lua_push_statement(lua_State *L, struct mp_lua_pool *pool, struct mp_prepared *prepared)
{
	struct mp_lua_statement *statement = lua_newuserdata(L, sizeof(*statement));
	statement->mark = mark;
	statement->pool = pool;
	statement->prepared = mp_prepared_ref(prepared);
	statement->defaults = mp_lua_options_none;
	mp_list_node_init(&statement->node);
	mp_list_push_back(&pool->statements, &statement->node);
	luaL_getmetatable(L, MP_LUA_STATEMENT);
	lua_setmetatable(L, -2);
}

static int statement_gc(lua_State *L)
{
	struct mp_lua_statement *statement = lua_touserdata(L, 1);
	if (statement->prepared == NULL)
		return 0;
	mp_list_remove(&statement->pool->statements, &statement->node);
	mp_prepared_unref(statement->prepared);
	statement->prepared = NULL;
	return 0;
}

// statement.cql, statement.parameters, statement.columns
static int statement_index(lua_State *L)
{
	struct mp_lua_statement *statement = luaL_checkudata(L, 1, MP_LUA_STATEMENT);
	const char *key = luaL_checkstring(L, 2);
	const struct mp_prepared *prepared = statement->prepared;
	if (prepared == NULL)
		return 0;
	if (strcmp(key, "cql") == 0)
		lua_pushlstring(L, prepared->cql.data, prepared->cql.len);
	else if (strcmp(key, "parameters") == 0 && prepared->params != NULL)
		mp_lua_push_columns(L, prepared->params, &statement->pool->codec.scratch);
	else if (strcmp(key, "columns") == 0 && prepared->result != NULL)
		mp_lua_push_columns(L, prepared->result, &statement->pool->codec.scratch);
	else
		return 0;
	return 1;
}

// "moonpool statement (2 parameters)": not its text, which may hold secrets.
static int statement_tostring(lua_State *L)
{
	const struct mp_lua_statement *statement = luaL_checkudata(L, 1, MP_LUA_STATEMENT);
	const struct mp_metadata *params = statement->prepared != NULL ? statement->prepared->params : NULL;
	int count = params != NULL ? (int)params->column_count : 0;
	if (statement->prepared == NULL)
		lua_pushliteral(L, "moonpool statement (closed)");
	else
		lua_pushfstring(L, "moonpool statement (%d parameter%s)", count, count == 1 ? "" : "s");
	return 1;
}

// statementDefaults(statement, options): what was given to prepare() is every request's.
int mp_core_statement_defaults(lua_State *L)
{
	struct mp_lua_statement *statement = luaL_checkudata(L, 1, MP_LUA_STATEMENT);
	struct mp_lua_options defaults = mp_lua_options_none;
	mp_lua_options_read(L, 2, MP_LUA_CALL_PREPARE, NULL, &defaults);
	if (statement->prepared == NULL)
		return 0;
	if (defaults.tag.data != NULL)
		defaults.request.tag = mp_session_tag_id(statement->pool->engine.session, defaults.tag);
	// Texts are the table's; the keyspace is in the statement.
	defaults.tag = defaults.keyspace = (struct mp_str){NULL, 0};
	statement->defaults = defaults;
	return 0;
}

static void push_prepared(void *data, const struct mp_prepared *prepared)
{
	lua_State *L = data;
	lua_createtable(L, 2, 0);
	lua_pushlstring(L, prepared->cql.data, prepared->cql.len);
	lua_rawseti(L, -2, 1);
	if (prepared->sent_keyspace.len > 0) {
		lua_pushlstring(L, prepared->sent_keyspace.data, prepared->sent_keyspace.len);
		lua_rawseti(L, -2, 2);
	}
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
}

// preparedTexts(pool): { { text, keyspace if it is not the pool's }, ... }, the least recently used first.
int mp_core_prepared_texts(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	lua_newtable(L);
	if (pool->state != MP_POOL_CLOSED)
		mp_session_each_prepared(pool->engine.session, push_prepared, L);
	return 1;
}

void mp_lua_add_statement(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"__gc", statement_gc},
		{"__index", statement_index},
		{"__tostring", statement_tostring},
		{NULL, NULL},
	};
	luaL_newmetatable(L, MP_LUA_STATEMENT);
	luaL_setfuncs(L, methods, 0);
	lua_pop(L, 1);
}
