// SPDX-License-Identifier: Apache-2.0
// What lua/moonpool/analysis.lua looks at, of a session of either API: tables on the stack of whoever asks. Both may
// raise for lack of memory.
#pragma once

#include <lua.h>

#include "cluster/session.h"
#include "script/blocks.h"

// Adds the window of the metrics, with its hosts, to the table on top.
void mp_lua_add_window(lua_State *L, const struct mp_session *session);
// Pushes what else is measured; `blocks` NULL: of no handlers.
void mp_lua_push_analysis(lua_State *L, const struct mp_session *session, const struct mp_blocks *blocks);
