// SPDX-License-Identifier: Apache-2.0
// auth.credentials and auth.authenticator of a configuration, as connections ask them: a Lua function of
// lua/moonpool/config/authenticator.lua, called from inside of the loop on a thread of its own of the Lua state that
// read the configuration. It lives as long as an exchange that it has begun.
#pragma once

#include <lua.h>

#include "link/conn.h"

struct mp_authenticator;

// Of the checked configuration at `index`. *out NULL: it has none. The state must live longer. 0 or MP_ENOMEM. `known`
// (or NULL) is taken instead of another one that does the same.
int mp_authenticator_read(lua_State *L, int index, struct mp_authenticator *known,
                          struct mp_authenticator **out) MP_MUST_CHECK;
void mp_authenticator_free(struct mp_authenticator *authenticator);          // NULL is fine
struct mp_auth mp_authenticator_get(struct mp_authenticator *authenticator); // of NULL: no `respond`
