// SPDX-License-Identifier: Apache-2.0
// From a checked configuration table (what lua/moonpool/config/init.lua returns) to the structs of the core.
//
//   local checked, warnings = require("moonpool.config").check(input, where)    -- nil, message when wrong
//
// `input` is the user's table or the path of a Lua file that returns one. Nothing is judged here any more.
#pragma once

#include <lua.h>

#include "base/arena.h"
#include "cluster/session.h"
#include "link/tls.h"
#include "policy/policies.h"

struct mp_script_config {
	struct mp_session_config session;
	struct mp_policies_config policies;
	struct mp_tls_options tls;
	bool has_tls;
	uint32_t close_drain_ms; // grace of pool:close()
	const char *file;        // the configuration file, NULL: a table
	struct mp_arena arena;   // owns every string and array of the others
};
// The table at `index`; leaves the stack as it was. 0, MP_ENOMEM, or MP_ECONFIG for a table that was not
// checked. Needs no deinit when it fails. Raises no Lua error.
int mp_script_config_read(lua_State *L, int index, struct mp_script_config *config) MP_MUST_CHECK;
void mp_script_config_deinit(struct mp_script_config *config);
