// SPDX-License-Identifier: Apache-2.0
// Batches of a pool: { { statement, parameters }, ... }. They are looked at as a whole before anything is sent; what is
// wrong with one of them is told with its number. Texts with parameters are prepared first, by lua/moonpool/batch.lua,
// and come back here as the statements that they have become.
#include <lauxlib.h>

#include "cluster/profile.h"
#include "script/core.h"
#include "script/pool/execute.h"
#include "script/pool/op.h"
#include "script/pool/options.h"
#include "script/values/bind.h"

#define STATEMENTS 2 // where they stand on the stack
#define OPTIONS    3
#define KNOWN      4 // texts that were prepared: statement by text

// One of them. Its two values are on the stack: what it is, and its parameters.
struct entry {
	int number;
	struct mp_lua_statement *statement; // NULL: a text
	struct mp_str cql;
};

// What the batch takes over from those of its statements that were prepared with it.
struct agreed {
	struct mp_lua_options *options;
	int by_consistency, by_serial; // numbers of statements; 0: none says it
};

// ---- reading ----------------------------------------------------------------------------------------------

static int wrong_entry(lua_State *L, int number)
{
	return mp_lua_raise(
		L, "statement %d: a text, a prepared statement, or { one of them, parameters } expected", number);
}

static void read_entry(lua_State *L, const struct mp_lua_pool *pool, int number, struct entry *entry)
{
	*entry = (struct entry){.number = number};
	lua_rawgeti(L, STATEMENTS, number);
	if (lua_type(L, -1) == LUA_TTABLE) {
		lua_rawgeti(L, -1, 1);
		lua_rawgeti(L, -2, 2);
		lua_remove(L, -3);
	} else {
		lua_pushnil(L);
	}
	int parameters = lua_type(L, -1);
	if (parameters != LUA_TTABLE && parameters != LUA_TNIL)
		mp_lua_raise(L, "statement %d: parameters: a table expected, got %s", number, luaL_typename(L, -1));
	if (lua_type(L, -2) == LUA_TSTRING) {
		entry->cql.data = lua_tolstring(L, -2, &entry->cql.len);
		return;
	}
	entry->statement = lua_isuserdata(L, -2) ? mp_lua_test_statement(L, lua_gettop(L) - 1) : NULL;
	if (entry->statement == NULL)
		wrong_entry(L, number);
	else if (entry->statement->pool != pool && pool->state != MP_POOL_CLOSED)
		mp_lua_raise(L, "statement %d was prepared by another pool", number);
}

// What stands beside the statement and its parameters would be lost in silence.
static void check_shape(lua_State *L, int number)
{
	lua_rawgeti(L, STATEMENTS, number);
	if (lua_type(L, -1) == LUA_TTABLE) {
		lua_pushnil(L);
		while (lua_next(L, -2) != 0) {
			lua_pop(L, 1);
			bool known =
				lua_type(L, -1) == LUA_TNUMBER && (lua_tonumber(L, -1) == 1 || lua_tonumber(L, -1) == 2);
			if (!known)
				wrong_entry(L, number);
		}
	}
	lua_pop(L, 1);
}

static int check_list(lua_State *L, const char *method)
{
	if (lua_type(L, STATEMENTS) != LUA_TTABLE)
		mp_lua_bad_argument(L, method, STATEMENTS, "statements", "a table");
	if (lua_type(L, OPTIONS) != LUA_TTABLE && !lua_isnil(L, OPTIONS))
		mp_lua_bad_argument(L, method, OPTIONS, "options", "a table");
	size_t count = lua_objlen(L, STATEMENTS), keys = 0;
	lua_pushnil(L);
	for (; lua_next(L, STATEMENTS) != 0; keys++)
		lua_pop(L, 1);
	if (count == 0)
		mp_lua_raise(L, "a batch of at least one statement expected");
	if (count > MP_BATCH_STATEMENTS_MAX)
		mp_lua_raise(L, "a batch has %d statements at most, %d were given", (int)MP_BATCH_STATEMENTS_MAX,
		             (int)count);
	if (keys != count)
		mp_lua_raise(L, "a list of statements without holes expected: %d places, %d values", (int)count,
		             (int)keys);
	return (int)count;
}

// ---- what they agree on -----------------------------------------------------------------------------------

static void agree(lua_State *L, struct agreed *agreed, const struct entry *entry)
{
	if (entry->statement == NULL)
		return;
	const struct mp_lua_options *own = &entry->statement->defaults;
	struct mp_request_options *to = &agreed->options->request;
	uint32_t says = own->given & ~agreed->options->given;
	if (says & MP_PROFILE_CONSISTENCY) {
		if (agreed->by_consistency > 0 && to->consistency != own->request.consistency)
			mp_lua_raise(
				L, "statements %d and %d were prepared with different consistencies: give the batch one",
				agreed->by_consistency, entry->number);
		to->consistency = own->request.consistency;
		agreed->by_consistency = entry->number;
	}
	if (says & MP_PROFILE_SERIAL) {
		if (agreed->by_serial > 0 && to->serial_consistency != own->request.serial_consistency)
			mp_lua_raise(L,
			             "statements %d and %d were prepared with different serial consistencies: give the "
			             "batch one",
			             agreed->by_serial, entry->number);
		to->serial_consistency = own->request.serial_consistency;
		agreed->by_serial = entry->number;
	}
}

static void read_options(lua_State *L, const struct mp_lua_pool *pool, struct mp_lua_options *options)
{
	*options = mp_lua_options_none;
	mp_lua_options_read(L, OPTIONS, MP_LUA_CALL_BATCH, pool->engine.session, options);
	options->request.page_size = 0;
}

// ---- preparing --------------------------------------------------------------------------------------------

static bool is_prepared_first(lua_State *L, const struct entry *entry, const struct mp_lua_options *options)
{
	if (entry->statement != NULL)
		return false;
	return options->prepare >= 0 ? options->prepare > 0 : mp_lua_has_parameters(L, lua_gettop(L), entry->cql);
}

// { cql = ..., keyspace = ..., number = ... } behind the others in the table below the entry's two values, once for
// each text.
static void ask_for(lua_State *L, int asked, struct mp_str cql, struct mp_str keyspace, int number)
{
	lua_pushlstring(L, cql.data, cql.len);
	lua_pushvalue(L, -1);
	lua_rawget(L, asked);
	bool known = !lua_isnil(L, -1);
	lua_pop(L, 1);
	if (known) {
		lua_pop(L, 1);
		return;
	}
	lua_createtable(L, 0, 3);
	lua_pushvalue(L, -2);
	lua_setfield(L, -2, "cql");
	if (keyspace.len > 0) {
		lua_pushlstring(L, keyspace.data, keyspace.len);
		lua_setfield(L, -2, "keyspace");
	}
	lua_pushnumber(L, number);
	lua_setfield(L, -2, "number");
	lua_pushvalue(L, -1);
	lua_rawseti(L, asked, (int)lua_objlen(L, asked) + 1);
	lua_rawset(L, asked);
}

// checkBatch(pool, statements, options, method): raises what is wrong with them; those that are to be prepared first,
// in a list, or nothing.
int mp_core_check_batch(lua_State *L)
{
	lua_settop(L, 4);
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	int count = check_list(L, luaL_checkstring(L, 4));
	struct mp_lua_options options;
	read_options(L, pool, &options);
	struct agreed agreed = {.options = &options};
	lua_settop(L, OPTIONS);
	lua_newtable(L);
	int asked = lua_gettop(L);
	for (int i = 1; i <= count; i++) {
		struct entry entry;
		check_shape(L, i);
		read_entry(L, pool, i, &entry);
		agree(L, &agreed, &entry);
		const struct mp_prepared *known = entry.statement != NULL ? entry.statement->prepared : NULL;
		if (known != NULL && mp_prepared_is_doubted(known))
			ask_for(L, asked, known->cql, known->keyspace, i);
		else if (is_prepared_first(L, &entry, &options))
			ask_for(L, asked, entry.cql, options.keyspace, i);
		lua_settop(L, asked);
	}
	return lua_objlen(L, asked) > 0 ? 1 : 0;
}

// ---- sending ----------------------------------------------------------------------------------------------

// The statement that a text has become, on top. NULL: it was another text when it was asked for.
static struct mp_lua_statement *find_known(lua_State *L, int text)
{
	if (lua_type(L, KNOWN) != LUA_TTABLE)
		return NULL;
	lua_pushvalue(L, text);
	lua_rawget(L, KNOWN);
	return lua_isuserdata(L, -1) ? mp_lua_test_statement(L, lua_gettop(L)) : NULL;
}

static int bind(lua_State *L, struct mp_codec *codec, const struct entry *entry,
                const struct mp_lua_options *options, struct mp_request *member)
{
	int parameters = lua_gettop(L);
	const struct mp_lua_statement *statement = entry->statement;
	if (is_prepared_first(L, entry, options) && (statement = find_known(L, parameters - 1)) == NULL)
		mp_lua_raise(L, "statement %d was changed while the batch waited", entry->number);
	if (statement != NULL && statement->prepared == NULL)
		return MP_ECLOSED;
	if (statement == NULL) {
		member->cql = entry->cql;
		if (entry->cql.len == 0)
			return mp_codec_fail(codec, MP_EINVAL, "it is an empty text");
		int rc = mp_lua_bind_untyped(L, parameters, entry->cql, codec, member);
		return rc == 0 && member->named_values
		           ? mp_codec_fail(codec, MP_EINVAL,
		                           "names of parameters need a prepared statement: without one, a batch "
		                           "has them by their places")
		           : rc;
	}
	member->options.idempotent = statement->defaults.request.idempotent;
	mp_request_use(member, statement->prepared);
	int rc = mp_lua_bind(L, parameters, codec, member);
	if (rc == MP_ETYPE)
		mp_prepared_misfit(statement->prepared);
	return rc;
}

static int too_big(struct mp_codec *codec)
{
	return mp_codec_fail(codec, MP_ETOOBIG, "the batch has no room for it: a request is at most %d MiB",
	                     MP_REQUEST_PART_MAX >> 20);
}

static int add(lua_State *L, struct mp_lua_op *op, struct mp_lua_pool *pool, int number,
               struct agreed *agreed)
{
	struct mp_codec *codec = &pool->codec;
	struct mp_request *member = mp_lua_op_member(op);
	struct entry entry;
	if (member == NULL)
		return MP_ENOMEM;
	int top = lua_gettop(L);
	read_entry(L, pool, number, &entry);
	agree(L, agreed, &entry);
	mp_request_clear(member);
	mp_runtime_collect(L);
	codec->why[0] = '\0';
	int rc = bind(L, codec, &entry, agreed->options, member);
	if (rc == 0)
		rc = mp_batch_add(mp_lua_op_request(op), member);
	if (rc == MP_ETOOBIG)
		rc = too_big(codec);
	if (rc != 0 && codec->why[0] == '\0')
		rc = mp_codec_fail(codec, rc, "%s", mp_err_text(rc));
	if (rc != 0)
		rc = mp_codec_within(codec, rc, "statement %d", number);
	lua_settop(L, top);
	return rc;
}

static int fill(lua_State *L, struct mp_lua_op *op, struct mp_lua_pool *pool, struct mp_lua_options *options,
                const char **why)
{
	struct mp_request *request = mp_lua_op_request(op);
	struct agreed agreed = {.options = options};
	int count = (int)lua_objlen(L, STATEMENTS);
	int rc = mp_request_batch(request, options->batch_type);
	for (int i = 1; i <= count && rc == 0; i++) {
		rc = add(L, op, pool, i, &agreed);
		if (rc != 0)
			*why = pool->codec.why;
	}
	if (rc == 0 && options->payload)
		rc = mp_lua_options_add_payload(L, mp_lua_op_request(op));
	return rc == 0 ? mp_lua_op_fill(op, (struct mp_str){NULL, 0}, options, why) : rc;
}

// False: `nil, err` is pushed.
static bool submit(lua_State *L, struct mp_lua_pool *pool, int future)
{
	struct mp_lua_options options;
	read_options(L, pool, &options);
	if (mp_lua_pool_is_forked(pool) || pool->state != MP_POOL_OPEN) {
		if (mp_lua_pool_is_forked(pool))
			mp_lua_forked(L);
		else
			mp_lua_pool_not_open(L, pool);
		return false;
	}
	if (lua_type(L, 5) == LUA_TNUMBER)
		mp_lua_pool_shorten(pool, &options.request, lua_tonumber(L, 5));
	struct mp_lua_op *op = mp_lua_op_begin(L, pool);
	if (op == NULL)
		return false;
	const char *why = NULL;
	int rc = fill(L, op, pool, &options, &why);
	return mp_lua_op_send(L, op, rc, why != NULL && why[0] != '\0' ? why : NULL, future);
}

// submitBatch(pool, statements, options, known, spent, future): like submit() and submitAsync(). `known` are the texts
// that checkBatch() named, prepared.
int mp_core_submit_batch(lua_State *L)
{
	lua_settop(L, 6);
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	bool waits = lua_isnil(L, 6);
	if (waits && !mp_lua_pool_is_forked(pool) && mp_lua_pool_check_wait(pool, L) != 0)
		return mp_lua_fail_no_memory(L);
	(void)check_list(L, "batch");
	bool submitted = submit(L, pool, waits ? 0 : 6);
	if (submitted)
		return waits ? mp_runtime_yield(pool->runtime) : 0;
	if (waits)
		return 2;
	mp_lua_future_settle(L, 6, 2);
	return 0;
}
