// SPDX-License-Identifier: Apache-2.0
// addressTranslator of a configuration, as the cluster asks it: a Lua function of lua/moonpool/translator.lua, called
// from inside of the loop on a thread of its own of the Lua state that read the configuration.
#pragma once

#include <lua.h>

#include "cluster/config.h"

struct mp_translator;

// Of the checked configuration at `index`. *out NULL: it has none. The state must live longer. 0 or MP_ENOMEM. `known`
// (or NULL) is taken instead of another one that does the same.
int mp_translator_read(lua_State *L, int index, struct mp_translator *known,
                       struct mp_translator **out) MP_MUST_CHECK;
void mp_translator_set_log(struct mp_translator *translator, const struct mp_log *log); // NULL is fine
void mp_translator_free(struct mp_translator *translator);                              // the same
struct mp_address_translator mp_translator_get(struct mp_translator *translator);       // of NULL: none
