// SPDX-License-Identifier: Apache-2.0
// The simulated cluster in Lua: what lua/moonpool/sim.lua builds its objects from. Nodes count from 1 here.
#pragma once

#include <lua.h>

#include "base/defs.h"
#include "loop/loop.h"

struct mp_runtime;
struct mp_sim_options;
struct mp_sim_cluster;

__attribute__((visibility("default"))) int luaopen_moonpool_simcore(lua_State *L);

// binding_world.c: adds its functions to the table on top of the stack.
void mp_lua_sim_add_world(lua_State *L);
// A new cluster on a loop, as a userdata that stands on the stack; `index`: its options. Raises what goes wrong.
struct mp_sim_cluster *mp_lua_sim_push_cluster(lua_State *L, int index, struct mp_runtime *runtime);
struct mp_sim_cluster *mp_lua_sim_check_cluster(lua_State *L, int index); // raises when it is closed
uint16_t mp_lua_sim_check_node(lua_State *L, int index, const struct mp_sim_cluster *cluster);
void mp_lua_sim_close_cluster(lua_State *L, int index);
struct mp_addr mp_lua_sim_check_addr(lua_State *L, int index, uint16_t port); // "127.0.0.1", "127.0.0.1:9042"

// ---- binding_rules.c: adds the methods of rules to the table on top of the stack.
void mp_lua_sim_add_rules(lua_State *L);
void mp_lua_sim_add_numbers(lua_State *L); // into the table at the top of the stack
// A whole number from 0 to `most`; 0 when the table has no such field. Raises what is none.
double mp_lua_sim_number(lua_State *L, int index, const char *name, double most);
// A text, or NULL. It stays alive as long as the table.
const char *mp_lua_sim_text(lua_State *L, int index, const char *name);
