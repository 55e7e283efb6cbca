// SPDX-License-Identifier: Apache-2.0
// checkPolicy: whether a policy file would be taken, without a pool.
#include <lauxlib.h>
#include <string.h>

#include "script/lua_core.h"
#include "script/policies.h"
#include "script/runtime.h"

// checkPolicy(kind, path): true, or nil and "FILE:LINE: why".
static int check_policy(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	const char *path = luaL_checkstring(L, 2);
	struct mp_script_policies_config config;
	char message[512] = "";
	memset(&config, 0, sizeof(config));
	int kind = 0;
	while (kind < MP_POLICY_KINDS && strcmp(mp_policy_kind_name((enum mp_policy_kind)kind), name) != 0)
		kind++;
	luaL_argcheck(L, kind < MP_POLICY_KINDS, 1, "not a kind of policy");
	config.choices[kind].policy = path;
	struct mp_script_policies *policies =
		mp_script_policies_new(mp_runtime_loop(mp_runtime_of(L)), &config, message, sizeof(message));
	if (policies == NULL) {
		lua_pushnil(L);
		lua_pushstring(L, message);
		return 2;
	}
	mp_script_policies_free(policies);
	lua_pushboolean(L, 1);
	return 1;
}

void mp_lua_add_check(lua_State *L)
{
	lua_pushcfunction(L, check_policy);
	lua_setfield(L, -2, "checkPolicy");
}
