// SPDX-License-Identifier: Apache-2.0
// A world: a loop in virtual time, a runtime on it, a cluster in it. While world:run() is at work, its runtime is the
// current one of the Lua state, so that the same Lua code lives in virtual time without knowing it.
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "script/runtime.h"
#include "sim/binding.h"
#include "sim/cluster.h"
#include "sim/net/loop_sim.h"

#define WORLD         "moonpool.sim.world"
#define BEGIN_MOST_MS 18000000000000.0 // 14 years before 2^64 ns

struct world {
	struct mp_loop *loop; // NULL: closed
	struct mp_runtime *runtime;
	struct mp_buf trace;
	bool running;
	uint64_t hash; // of all that happened
};

static struct world *check_world(lua_State *L)
{
	struct world *world = luaL_checkudata(L, 1, WORLD);
	if (world->loop == NULL)
		luaL_error(L, "the world is closed");
	return world;
}

// Ends everything, whatever is left.
static void end_world(struct world *world)
{
	if (world->loop == NULL)
		return;
	if (!mp_runtime_end(world->runtime))
		return; // the Lua state is closed from inside of the world: leaking is safer
	mp_runtime_free(world->runtime);
	mp_loop_sim_trace(world->loop, NULL);
	mp_loop_free(world->loop);
	mp_buf_deinit(&world->trace);
	world->loop = NULL;
}

static int new_world(lua_State *L)
{
	double seed = luaL_checknumber(L, 1);
	struct world *world = lua_newuserdata(L, sizeof(*world));
	memset(world, 0, sizeof(*world));
	lua_newtable(L); // its environment keeps its clusters: they live as long as it does
	lua_setfenv(L, -2);
	luaL_getmetatable(L, WORLD);
	lua_setmetatable(L, -2);
	mp_buf_init(&world->trace);
	struct mp_loop *loop = mp_loop_sim_new((uint64_t)seed);
	if (loop == NULL)
		return luaL_error(L, "not enough memory");
	world->runtime = mp_runtime_new(L, loop, false);
	if (world->runtime == NULL) {
		mp_loop_free(loop);
		return luaL_error(L, "not enough memory");
	}
	world->loop = loop;
	mp_loop_sim_hash(loop, &world->hash);
	if (lua_toboolean(L, 2))
		mp_loop_sim_trace(loop, &world->trace);
	// What breaks in a world is broken by intention: warnings only on request.
	int level;
	luaL_argcheck(L, mp_log_level_from(luaL_optstring(L, 3, "error"), &level) == 0, 3, "not a log level");
	mp_loop_log(loop)->level = level;
	double began_ms = luaL_optnumber(L, 4, 0);
	luaL_argcheck(L, began_ms >= 0 && began_ms <= BEGIN_MOST_MS, 4, "not a time");
	if (began_ms > 0)
		mp_loop_sim_set_now(loop, (uint64_t)began_ms * 1000000u);
	return 1;
}

static int world_cluster(lua_State *L)
{
	struct world *world = check_world(L);
	luaL_checktype(L, 2, LUA_TTABLE);
	mp_lua_sim_push_cluster(L, 2, world->runtime);
	lua_getfenv(L, 1);
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
	lua_pop(L, 1);
	return 1;
}

// ---- running ----------------------------------------------------------------------------------------------

static int run_inside(lua_State *L)
{
	struct world *world = lua_touserdata(L, lua_upvalueindex(1));
	return mp_runtime_run(world->runtime, L, lua_gettop(L) - 1);
}

static int world_run(lua_State *L)
{
	struct world *world = check_world(L);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	if (world->running)
		return luaL_error(L, "the world runs already");
	lua_pushvalue(L, 1);
	lua_pushcclosure(L, run_inside, 1);
	lua_insert(L, 2);
	world->running = true;
	mp_runtime_enter(world->runtime);
	int rc = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
	mp_runtime_leave(world->runtime);
	world->running = false;
	if (rc != 0)
		return lua_error(L);
	return lua_gettop(L) - 1;
}

// Things that are open in the loop, as "2 sockets, 1 timer"; nothing: no text.
static bool describe_census(struct mp_loop *loop, char text[256])
{
	struct mp_loop_census census;
	mp_loop_census(loop, &census);
	const struct {
		const char *name;
		size_t count;
	} kinds[] = {{"sockets", census.sockets},
	             {"listeners", census.listeners},
	             {"timers", census.timers},
	             {"resolves", census.resolves},
	             {"watches", census.watches}};
	size_t len = 0;
	text[0] = '\0';
	for (size_t i = 0; i < MP_ARRAY_LEN(kinds); i++) {
		if (kinds[i].count > 0)
			len += (size_t)snprintf(text + len, 256 - len, "%s%zu %s", len > 0 ? ", " : "", kinds[i].count,
			                        kinds[i].name);
	}
	return len > 0;
}

// (world, cluster): the hash of all events, and what was left open, or nil.
static int world_close(lua_State *L)
{
	struct world *world = check_world(L);
	char left[256];
	if (world->running)
		return luaL_error(L, "the world cannot be closed from inside of world:run()");
	if (!lua_isnoneornil(L, 2))
		mp_lua_sim_close_cluster(L, 2);
	mp_runtime_enter(world->runtime); // coroutines that are left may still have their turn
	mp_loop_sim_run_for(world->loop, UINT64_C(1000000000)); // what was closing may end
	mp_runtime_leave(world->runtime);
	bool leaks = describe_census(world->loop, left);
	char hash[20];
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)world->hash);
	end_world(world);
	lua_pushstring(L, hash);
	if (!leaks)
		return 1;
	lua_pushstring(L, left);
	return 2;
}

static int gc_world(lua_State *L)
{
	end_world(luaL_checkudata(L, 1, WORLD));
	return 0;
}

static int world_trace(lua_State *L)
{
	const struct world *world = check_world(L);
	lua_pushlstring(L, (const char *)world->trace.data, world->trace.len);
	return 1;
}

static int world_now(lua_State *L)
{
	lua_pushnumber(L, (double)mp_loop_now_ns(check_world(L)->loop) / 1e6);
	return 1;
}

// ---- the network and the clock ----------------------------------------------------------------------------

static int fault(lua_State *L, int (*fn)(struct mp_loop *loop, const struct mp_addr *addr, bool on))
{
	struct world *world = check_world(L);
	struct mp_addr addr = mp_lua_sim_check_addr(L, 2, 0);
	if (fn(world->loop, &addr, lua_toboolean(L, 3)) < 0)
		return luaL_error(L, "not enough memory");
	return 0;
}

static int world_blackhole(lua_State *L)
{
	return fault(L, mp_loop_sim_blackhole);
}

static int world_partition(lua_State *L)
{
	return fault(L, mp_loop_sim_partition);
}

static int world_stall(lua_State *L)
{
	return fault(L, mp_loop_sim_stall);
}

static int world_fail_local(lua_State *L)
{
	return fault(L, mp_loop_sim_fail_local);
}

static int world_cut(lua_State *L)
{
	struct world *world = check_world(L);
	struct mp_addr addr = mp_lua_sim_check_addr(L, 2, 0);
	lua_pushnumber(L, (double)mp_loop_sim_cut(world->loop, &addr));
	return 1;
}

static int world_latency(lua_State *L)
{
	struct world *world = check_world(L);
	uint64_t ns = (uint64_t)(luaL_checknumber(L, 2) * 1e6),
			 jitter = (uint64_t)(luaL_optnumber(L, 3, 0) * 1e6);
	struct mp_addr addr;
	bool one = !lua_isnoneornil(L, 4);
	if (one)
		addr = mp_lua_sim_check_addr(L, 4, 0);
	if (mp_loop_sim_latency(world->loop, one ? &addr : NULL, ns, jitter) < 0)
		return luaL_error(L, "not enough memory");
	return 0;
}

static int world_jump(lua_State *L)
{
	mp_loop_sim_jump(check_world(L)->loop, (uint64_t)(luaL_checknumber(L, 2) * 1e6));
	return 0;
}

static int world_set_wall(lua_State *L)
{
	mp_loop_sim_set_wall(check_world(L)->loop, (uint64_t)(luaL_checknumber(L, 2) * 1e3));
	return 0;
}

static int world_set_name(lua_State *L)
{
	struct world *world = check_world(L);
	const char *host = luaL_checkstring(L, 2);
	struct mp_addr addrs[64];
	size_t count = 0;
	for (int i = 3; i <= lua_gettop(L) && count < MP_ARRAY_LEN(addrs); i++)
		addrs[count++] = mp_lua_sim_check_addr(L, i, 0);
	if (mp_loop_sim_set_name(world->loop, host, addrs, count) < 0)
		return luaL_error(L, "the name cannot be set");
	return 0;
}

static int world_touch(lua_State *L)
{
	mp_loop_sim_touch(check_world(L)->loop, luaL_checkstring(L, 2));
	return 0;
}

static const luaL_Reg methods[] = {
	{"cluster", world_cluster},
	{"run", world_run},
	{"close", world_close},
	{"trace", world_trace},
	{"now", world_now},
	{"blackhole", world_blackhole},
	{"partition", world_partition},
	{"stall", world_stall},
	{"failLocal", world_fail_local},
	{"cut", world_cut},
	{"latency", world_latency},
	{"jump", world_jump},
	{"setWall", world_set_wall},
	{"setName", world_set_name},
	{"touch", world_touch},
	{NULL, NULL},
};

void mp_lua_sim_add_world(lua_State *L)
{
	luaL_newmetatable(L, WORLD);
	lua_newtable(L);
	luaL_register(L, NULL, methods);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, gc_world);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
	lua_pushcfunction(L, new_world);
	lua_setfield(L, -2, "world");
}
