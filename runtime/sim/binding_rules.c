// SPDX-License-Identifier: Apache-2.0
// Rules that spoil answers, out of Lua tables; and the fields of tables, read with a complaint.
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "sim/binding.h"
#include "sim/cluster.h"
#include "wire/frame.h"
#include "wire/message.h"

// ---- fields -----------------------------------------------------------------------------------------------

double mp_lua_sim_number(lua_State *L, int index, const char *name, double most)
{
	lua_getfield(L, index, name);
	double value = 0;
	if (!lua_isnil(L, -1)) {
		if (lua_type(L, -1) != LUA_TNUMBER)
			luaL_error(L, "%s: a number expected, got %s", name, luaL_typename(L, -1));
		value = lua_tonumber(L, -1);
		if (value < 0 || value > most || value != (double)(uint64_t)value)
			luaL_error(L, "%s: a whole number from 0 to %f expected", name, most);
	}
	lua_pop(L, 1);
	return value;
}

// Not one that a metamethod makes.
const char *mp_lua_sim_text(lua_State *L, int index, const char *name)
{
	lua_pushstring(L, name);
	lua_rawget(L, index);
	if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "%s: a string expected, got %s", name, luaL_typename(L, -1));
	const char *text = lua_tostring(L, -1);
	lua_pop(L, 1);
	return text;
}

// datacenters = { { "east", 3 }, ... }: in the place of dcs and nodes.
// ---- rules ------------------------------------------------------------------------------------------------

static const char *const action_names[] = {"delay", "late",   "drop", "swallow",   "error",  "close",
                                           "reset", "cut",    "raw",  "duplicate", "stream", "corrupt",
                                           "deaf",  "damage", "warn", NULL};

static void read_error(lua_State *L, int index, struct mp_sim_error *error)
{
	struct mp_error_body *body = &error->body;
	body->code = (int32_t)mp_lua_sim_number(L, index, "code", 65535);
	body->consistency = (uint16_t)mp_lua_sim_number(L, index, "consistency", 10);
	body->required = (int32_t)mp_lua_sim_number(L, index, "required", 1000);
	body->received = (int32_t)mp_lua_sim_number(L, index, "received", 1000);
	body->failures = (int32_t)mp_lua_sim_number(L, index, "failures", 1000);
	body->data_present = mp_lua_sim_number(L, index, "dataPresent", 1) != 0;
	const char *type = mp_lua_sim_text(L, index, "writeType"),
			   *message = mp_lua_sim_text(L, index, "message");
	body->write_type = type == NULL ? MP_WRITE_SIMPLE : mp_write_type_parse(mp_str_of(type));
	snprintf(error->text, sizeof(error->text), "%s", message == NULL ? "by rule" : message);
	error->set = true;
}

static int cluster_add_rule(lua_State *L)
{
	struct mp_sim_cluster *cluster = mp_lua_sim_check_cluster(L, 1);
	struct mp_sim_rule_spec spec;
	luaL_checktype(L, 2, LUA_TTABLE);
	memset(&spec, 0, sizeof(spec));
	lua_getfield(L, 2, "action");
	spec.action = (enum mp_sim_action)luaL_checkoption(L, -1, NULL, action_names);
	lua_pop(L, 1);
	const char *statement = mp_lua_sim_text(L, 2, "statement");
	spec.node = (int32_t)mp_lua_sim_number(L, 2, "node", MP_SIM_CLUSTER_NODES_MAX) - 1;
	spec.opcode = (int32_t)mp_lua_sim_number(L, 2, "opcode", 16) - 1;
	spec.statement = mp_str_of(statement == NULL ? "" : statement);
	spec.connection = (int64_t)mp_lua_sim_number(L, 2, "connection", 1e9);
	spec.skip = (uint64_t)mp_lua_sim_number(L, 2, "skip", 1e15);
	spec.times = (uint64_t)mp_lua_sim_number(L, 2, "times", 1e15);
	spec.delay_ms = (uint32_t)mp_lua_sim_number(L, 2, "delay", 1e9);
	spec.at = (uint64_t)mp_lua_sim_number(L, 2, "at", 1e15);
	spec.stream = (int16_t)mp_lua_sim_number(L, 2, "stream", 32767);
	spec.apply = mp_lua_sim_number(L, 2, "apply", 1) != 0;
	lua_getfield(L, 2, "probability");
	spec.probability = luaL_optnumber(L, -1, 0);
	lua_getfield(L, 2, "raw");
	spec.raw.data = luaL_optlstring(L, -1, "", &spec.raw.len);
	lua_getfield(L, 2, "error");
	if (lua_istable(L, -1))
		read_error(L, lua_gettop(L), &spec.error);
	uint32_t rule = mp_sim_add_rule(cluster, &spec);
	if (rule == 0)
		return luaL_error(L, "not enough memory");
	lua_pushnumber(L, rule);
	return 1;
}

static int cluster_remove_rule(lua_State *L)
{
	mp_sim_remove_rule(mp_lua_sim_check_cluster(L, 1), (uint32_t)luaL_checknumber(L, 2));
	return 0;
}

static int cluster_clear_rules(lua_State *L)
{
	mp_sim_clear_rules(mp_lua_sim_check_cluster(L, 1));
	return 0;
}

static int cluster_rule_hits(lua_State *L)
{
	lua_pushnumber(
		L, (double)mp_sim_rule_hits(mp_lua_sim_check_cluster(L, 1), (uint32_t)luaL_checknumber(L, 2)));
	return 1;
}

void mp_lua_sim_add_rules(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"addRule", cluster_add_rule},
		{"removeRule", cluster_remove_rule},
		{"clearRules", cluster_clear_rules},
		{"ruleHits", cluster_rule_hits},
		{NULL, NULL},
	};
	luaL_register(L, NULL, methods);
}

// The numbers of the protocol by their names: opcodes of requests, server errors, consistencies.
void mp_lua_sim_add_numbers(lua_State *L)
{
	lua_newtable(L);
	for (int opcode = 0; opcode <= MP_OP_AUTH_SUCCESS; opcode++)
		if (mp_opcode_is_request((uint8_t)opcode)) {
			lua_pushinteger(L, opcode);
			lua_setfield(L, -2, mp_opcode_name((uint8_t)opcode));
		}
	lua_setfield(L, -2, "opcodes");
#define X(name, value) lua_pushinteger(L, value), lua_setfield(L, -2, #name);
	lua_newtable(L);
	MP_SERVER_ERRORS(X)
	lua_setfield(L, -2, "serverErrors");
	lua_newtable(L);
	MP_CONSISTENCIES(X)
	lua_setfield(L, -2, "consistencies");
#undef X
}
