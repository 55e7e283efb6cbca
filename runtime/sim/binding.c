// SPDX-License-Identifier: Apache-2.0
// A cluster as a Lua userdata: made on a runtime's loop, closed with it at the latest.
#include "sim/binding.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "script/runtime.h"
#include "sim/cluster.h"

#define CLUSTER "moonpool.sim.cluster"

struct handle {
	struct mp_sim_cluster *cluster; // NULL: closed
	struct mp_runtime *runtime;
	struct mp_runtime_guest guest;
};

static void close_handle(struct handle *handle)
{
	if (handle->cluster == NULL)
		return;
	mp_sim_cluster_free(handle->cluster);
	handle->cluster = NULL;
	mp_runtime_remove_guest(handle->runtime, &handle->guest);
}

static void end_guest(struct mp_runtime_guest *guest)
{
	close_handle(MP_CONTAINER_OF(guest, struct handle, guest));
}

struct mp_sim_cluster *mp_lua_sim_check_cluster(lua_State *L, int index)
{
	struct handle *handle = luaL_checkudata(L, index, CLUSTER);
	if (handle->cluster == NULL)
		luaL_error(L, "the simulated cluster is closed");
	return handle->cluster;
}

void mp_lua_sim_close_cluster(lua_State *L, int index)
{
	close_handle(luaL_checkudata(L, index, CLUSTER));
}

uint16_t mp_lua_sim_check_node(lua_State *L, int index, const struct mp_sim_cluster *cluster)
{
	double number = luaL_checknumber(L, index);
	if (number < 1 || number > (double)mp_sim_cluster_size(cluster) || number != (double)(int)number)
		luaL_argerror(L, index, "no such node");
	return (uint16_t)((int)number - 1);
}

struct mp_addr mp_lua_sim_check_addr(lua_State *L, int index, uint16_t port)
{
	const char *text = luaL_checkstring(L, index), *colon = strchr(text, ':');
	char ip[MP_ADDR_TEXT];
	struct mp_addr addr;
	snprintf(ip, sizeof(ip), "%s", text);
	if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		port = (uint16_t)strtoul(colon + 1, NULL, 10);
		ip[colon - text < (ptrdiff_t)sizeof(ip) ? colon - text : (ptrdiff_t)sizeof(ip) - 1] = '\0';
	}
	if (mp_addr_parse_ip(ip, port, &addr) < 0)
		luaL_argerror(L, index, "not an IP address");
	return addr;
}

// ---- making -----------------------------------------------------------------------------------------------

static void read_datacenters(lua_State *L, int index, struct mp_sim_options *o)
{
	lua_getfield(L, index, "datacenters");
	if (lua_istable(L, -1)) {
		size_t count = lua_objlen(L, -1);
		if (count == 0 || count > MP_ARRAY_LEN(o->dc_names))
			luaL_error(L, "datacenters: 1 to 16 of them");
		o->dcs = (uint16_t)count;
		o->nodes = 0;
		for (size_t i = 0; i < count; i++) {
			lua_rawgeti(L, -1, (int)i + 1);
			lua_rawgeti(L, -1, 1);
			lua_rawgeti(L, -2, 2);
			lua_Integer nodes = luaL_checkinteger(L, -1);
			if (nodes < 1 || nodes > 255)
				luaL_error(L, "datacenters: 1 to 255 nodes each");
			if (lua_type(L, -2) != LUA_TSTRING)
				luaL_error(L, "datacenters: a name expected, got %s", luaL_typename(L, -2));
			o->dc_names[i] = lua_tostring(L, -2); // the caller's table keeps it
			o->nodes_of_dc[i] = (uint16_t)nodes;
			o->nodes = (uint16_t)(o->nodes + nodes);
			lua_pop(L, 3);
		}
	}
	lua_pop(L, 1);
}

static void read_options(lua_State *L, int index, struct mp_sim_options *o)
{
	memset(o, 0, sizeof(*o));
	o->seed = (uint64_t)mp_lua_sim_number(L, index, "seed", 9e15);
	o->nodes = (uint16_t)mp_lua_sim_number(L, index, "nodes", MP_SIM_CLUSTER_NODES_MAX);
	o->dcs = (uint16_t)mp_lua_sim_number(L, index, "dcs", 16);
	read_datacenters(L, index, o);
	o->racks = (uint16_t)mp_lua_sim_number(L, index, "racks", 64);
	o->vnodes = (uint16_t)mp_lua_sim_number(L, index, "vnodes", 1024);
	o->port = (uint16_t)mp_lua_sim_number(L, index, "port", 65535);
	o->max_version = (uint8_t)mp_lua_sim_number(L, index, "maxVersion", 5);
	o->read_timeout_ms = (uint32_t)mp_lua_sim_number(L, index, "readTimeout", 1e9);
	o->write_timeout_ms = (uint32_t)mp_lua_sim_number(L, index, "writeTimeout", 1e9);
	o->detect_ms = (uint32_t)mp_lua_sim_number(L, index, "detectTime", 1e9);
	o->up_ms = (uint32_t)mp_lua_sim_number(L, index, "upTime", 1e9);
	o->prepared_limit = (uint32_t)mp_lua_sim_number(L, index, "preparedLimit", 1e9);
	o->output_limit = (uint32_t)mp_lua_sim_number(L, index, "outputLimit", 1e9);
	o->cluster_name = mp_lua_sim_text(L, index, "clusterName");
	o->user = mp_lua_sim_text(L, index, "user");
	o->password = mp_lua_sim_text(L, index, "password");
	o->auth_rounds = (uint32_t)mp_lua_sim_number(L, index, "authRounds", 100);
	o->op_prefix = mp_lua_sim_text(L, index, "opPrefix");
	o->tls_cert = mp_lua_sim_text(L, index, "tlsCert");
	o->tls_key = mp_lua_sim_text(L, index, "tlsKey");
	o->tls_ca = mp_lua_sim_text(L, index, "tlsCa");
	lua_getfield(L, index, "firstAddress");
	if (!lua_isnil(L, -1))
		o->first = mp_lua_sim_check_addr(L, lua_gettop(L), 0);
	lua_pop(L, 1);
}

struct mp_sim_cluster *mp_lua_sim_push_cluster(lua_State *L, int index, struct mp_runtime *runtime)
{
	struct mp_sim_options options;
	int err;
	read_options(L, index, &options);
	struct handle *handle = lua_newuserdata(L, sizeof(*handle));
	memset(handle, 0, sizeof(*handle));
	luaL_getmetatable(L, CLUSTER);
	lua_setmetatable(L, -2);
	handle->runtime = runtime;
	handle->guest.end = end_guest;
	mp_list_node_init(&handle->guest.node);
	handle->cluster = mp_sim_cluster_new(mp_runtime_loop(runtime), &options, &err);
	if (handle->cluster == NULL)
		luaL_error(L,
		           err == MP_EINVAL
		               ? "the simulated cluster cannot be made: these options do not fit together"
		               : "the simulated cluster cannot listen on its addresses (%s)",
		           mp_err_text(err));
	mp_runtime_add_guest(runtime, &handle->guest);
	return handle->cluster;
}

static int new_cluster(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	mp_lua_sim_push_cluster(L, 1, mp_runtime_of(L));
	return 1;
}

static int cluster_close(lua_State *L)
{
	mp_lua_sim_close_cluster(L, 1);
	return 0;
}

// ---- nodes ------------------------------------------------------------------------------------------------

static int on_node(lua_State *L, int (*fn)(struct mp_sim_cluster *cluster, uint16_t node), const char *what)
{
	struct mp_sim_cluster *cluster = mp_lua_sim_check_cluster(L, 1);
	uint16_t node = mp_lua_sim_check_node(L, 2, cluster);
	int rc = fn(cluster, node);
	if (rc < 0)
		return luaL_error(L, "node %d cannot be %s now (%s)", node + 1, what, mp_err_text(rc));
	return 0;
}

static int cluster_kill(lua_State *L)
{
	return on_node(L, mp_sim_node_kill, "killed");
}

static int cluster_start(lua_State *L)
{
	return on_node(L, mp_sim_node_start, "started");
}

static int cluster_pause(lua_State *L)
{
	return on_node(L, mp_sim_node_pause, "paused");
}

static int cluster_resume(lua_State *L)
{
	return on_node(L, mp_sim_node_resume, "resumed");
}

static int cluster_drain(lua_State *L)
{
	return on_node(L, mp_sim_node_drain, "drained");
}

static int cluster_remove_node(lua_State *L)
{
	return on_node(L, mp_sim_remove_node, "removed");
}

static int cluster_forget_prepared(lua_State *L)
{
	return on_node(L, mp_sim_forget_prepared, "made to forget");
}

static int cluster_add_node(lua_State *L)
{
	struct mp_sim_cluster *cluster = mp_lua_sim_check_cluster(L, 1);
	struct mp_addr addr = {.ip_len = 0};
	uint16_t node;
	if (!lua_isnoneornil(L, 4))
		addr = mp_lua_sim_check_addr(L, 4, 0);
	int rc = mp_sim_add_node(cluster, (uint16_t)luaL_checkinteger(L, 2), (uint16_t)luaL_checkinteger(L, 3),
	                         &addr, &node);
	if (rc < 0)
		return luaL_error(L, "the node cannot be added (%s)", mp_err_text(rc));
	lua_pushinteger(L, node + 1);
	return 1;
}

static int cluster_set_address(lua_State *L)
{
	struct mp_sim_cluster *cluster = mp_lua_sim_check_cluster(L, 1);
	uint16_t node = mp_lua_sim_check_node(L, 2, cluster);
	struct mp_addr addr = mp_lua_sim_check_addr(L, 3, 0);
	int rc = mp_sim_set_address(cluster, node, &addr);
	return rc < 0 ? luaL_error(L, "node %d cannot move there (%s)", node + 1, mp_err_text(rc)) : 0;
}

static int cluster_advertise(lua_State *L)
{
	struct mp_sim_cluster *cluster = mp_lua_sim_check_cluster(L, 1);
	uint16_t node = mp_lua_sim_check_node(L, 2, cluster);
	struct mp_addr addr = {.ip_len = 0};
	if (!lua_isnoneornil(L, 3))
		addr = mp_lua_sim_check_addr(L, 3, 0);
	int rc = mp_sim_advertise(cluster, node, &addr);
	return rc < 0 ? luaL_error(L, "%s", mp_err_text(rc)) : 0;
}

static int cluster_set_max_version(lua_State *L)
{
	struct mp_sim_cluster *cluster = mp_lua_sim_check_cluster(L, 1);
	uint16_t node = mp_lua_sim_check_node(L, 2, cluster);
	int rc = mp_sim_set_max_version(cluster, node, (uint8_t)luaL_checkinteger(L, 3));
	return rc < 0 ? luaL_argerror(L, 3, "a version from 3 to 5 expected") : 0;
}

static int cluster_set_prepared_limit(lua_State *L)
{
	struct mp_sim_cluster *cluster = mp_lua_sim_check_cluster(L, 1);
	int rc = mp_sim_set_prepared_limit(cluster, (uint32_t)luaL_checkinteger(L, 2));
	return rc < 0 ? luaL_argerror(L, 2, "at least 1 expected") : 0;
}

static int cluster_set_password(lua_State *L)
{
	int rc = mp_sim_set_password(mp_lua_sim_check_cluster(L, 1), luaL_checkstring(L, 2));
	return rc < 0 ? luaL_error(L, "not enough memory") : 0;
}

static int cluster_send_event(lua_State *L)
{
	struct mp_sim_cluster *cluster = mp_lua_sim_check_cluster(L, 1);
	uint16_t node = mp_lua_sim_check_node(L, 2, cluster);
	struct mp_sim_node_info info;
	mp_assert(mp_sim_node_info(cluster, node, &info) == 0);
	struct mp_addr addr = mp_lua_sim_check_addr(L, 5, info.addr.port);
	mp_assert(mp_sim_send_event(cluster, node, luaL_checkstring(L, 3), luaL_checkstring(L, 4), &addr) == 0);
	return 0;
}

// ---- looking ----------------------------------------------------------------------------------------------

static void set_number(lua_State *L, const char *name, uint64_t value)
{
	lua_pushnumber(L, (double)value);
	lua_setfield(L, -2, name);
}

static void set_bool(lua_State *L, const char *name, bool value)
{
	lua_pushboolean(L, value);
	lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

static int cluster_node(lua_State *L)
{
	const struct mp_sim_cluster *cluster = mp_lua_sim_check_cluster(L, 1);
	struct mp_sim_node_info info;
	char text[MP_ADDR_TEXT], host_id[MP_UUID_TEXT], token[24];
	uint16_t node = mp_lua_sim_check_node(L, 2, cluster);
	mp_assert(mp_sim_node_info(cluster, node, &info) == 0);
	mp_addr_format_ip(&info.addr, text);
	mp_uuid_format(&info.host_id, host_id);
	snprintf(token, sizeof(token), "%lld", (long long)info.first_token);
	lua_createtable(L, 0, 20);
	set_number(L, "number", node + 1u);
	set_text(L, "address", text);
	set_number(L, "port", info.addr.port);
	set_text(L, "hostId", host_id);
	set_text(L, "dc", info.dc);
	set_text(L, "rack", info.rack);
	set_text(L, "token", token);
	set_bool(L, "member", info.member);
	set_bool(L, "running", info.running);
	set_bool(L, "paused", info.paused);
	set_bool(L, "serving", info.serving);
	set_bool(L, "believedUp", info.believed_up);
	set_number(L, "connections", info.connections);
	set_number(L, "connectionsTotal", info.connections_total);
	set_number(L, "requests", info.requests);
	set_number(L, "queries", info.by_opcode[0x07]);
	set_number(L, "prepares", info.by_opcode[0x09]);
	set_number(L, "executes", info.by_opcode[0x0a]);
	set_number(L, "options", info.by_opcode[0x05]);
	set_number(L, "startups", info.by_opcode[0x01]);
	set_number(L, "answers", info.answers);
	set_number(L, "streamsReused", info.streams_reused);
	set_number(L, "hints", info.hints);
	set_number(L, "prepared", info.prepared);
	set_number(L, "bytesIn", info.bytes_in);
	set_number(L, "bytesOut", info.bytes_out);
	return 1;
}

static int cluster_size(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)mp_sim_cluster_size(mp_lua_sim_check_cluster(L, 1)));
	return 1;
}

static int cluster_received(lua_State *L)
{
	const struct mp_sim_cluster *cluster = mp_lua_sim_check_cluster(L, 1);
	struct mp_str text;
	text.data = luaL_checklstring(L, 2, &text.len);
	int32_t node = lua_isnoneornil(L, 3) ? -1 : mp_lua_sim_check_node(L, 3, cluster);
	lua_pushnumber(L, (double)mp_sim_received(cluster, node, text, false));
	lua_pushnumber(L, (double)mp_sim_received(cluster, node, text, true));
	return 2;
}

static int cluster_replicas(lua_State *L)
{
	struct mp_sim_cluster *cluster = mp_lua_sim_check_cluster(L, 1);
	uint16_t nodes[32];
	struct mp_str keyspace, key;
	keyspace.data = luaL_checklstring(L, 2, &keyspace.len);
	key.data = luaL_checklstring(L, 3, &key.len);
	struct mp_bytes bytes = {(const uint8_t *)key.data, (int32_t)key.len};
	size_t count = mp_sim_replicas_of(cluster, keyspace, bytes, nodes, MP_ARRAY_LEN(nodes));
	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		lua_pushinteger(L, nodes[i] + 1);
		lua_rawseti(L, -2, (int)i + 1);
	}
	return 1;
}

static int cluster_schema(lua_State *L)
{
	struct mp_sim_cluster *cluster = mp_lua_sim_check_cluster(L, 1);
	struct mp_str cql;
	char why[512];
	cql.data = luaL_checklstring(L, 2, &cql.len);
	if (mp_sim_schema_change(cluster, cql, why) < 0)
		return luaL_error(L, "%s", why);
	return 0;
}

static const luaL_Reg methods[] = {
	{"close", cluster_close},
	{"kill", cluster_kill},
	{"start", cluster_start},
	{"pause", cluster_pause},
	{"resume", cluster_resume},
	{"drain", cluster_drain},
	{"addNode", cluster_add_node},
	{"removeNode", cluster_remove_node},
	{"setAddress", cluster_set_address},
	{"advertise", cluster_advertise},
	{"setMaxVersion", cluster_set_max_version},
	{"sendEvent", cluster_send_event},
	{"forgetPrepared", cluster_forget_prepared},
	{"setPreparedLimit", cluster_set_prepared_limit},
	{"setPassword", cluster_set_password},
	{"node", cluster_node},
	{"size", cluster_size},
	{"received", cluster_received},
	{"replicas", cluster_replicas},
	{"schema", cluster_schema},
	{NULL, NULL},
};

int luaopen_moonpool_simcore(lua_State *L)
{
	luaL_newmetatable(L, CLUSTER);
	lua_newtable(L);
	luaL_register(L, NULL, methods);
	mp_lua_sim_add_rules(L);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, cluster_close);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
	lua_createtable(L, 0, 5);
	lua_pushcfunction(L, new_cluster);
	lua_setfield(L, -2, "cluster");
	mp_lua_sim_add_world(L);
	mp_lua_sim_add_numbers(L);
	return 1;
}
