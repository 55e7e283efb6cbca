// SPDX-License-Identifier: Apache-2.0
// A Lua function of a configuration that C keeps and asks: on a thread of its own of the Lua state that read the
// configuration. Who asks it holds it, so that it may be freed at any time, from inside of itself too: it goes behind
// the last that holds it.
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/defs.h"

// The beginning of what is built on it, so that one address is both.
struct mp_config_function {
	lua_State *L;         // a thread of its own
	int thread, function; // references
	char *shown;          // what tells it from others
	uint32_t holders;
	bool is_done; // to be freed behind the last of them
};

// The function at `key` of the checked configuration at `index`, told from others by the text at `key` .. "Shown".
// *out: `size` bytes, all zero behind their struct mp_config_function; NULL: the configuration has none. The state must
// live longer. 0 or MP_ENOMEM. `known` (or NULL) is taken instead of another one that does the same.
int mp_config_function_read(lua_State *L, int index, const char *key, size_t size, void *known,
                            void **out) MP_MUST_CHECK;
void mp_config_function_free(void *function); // NULL is fine
void mp_config_function_hold(struct mp_config_function *function);
void mp_config_function_release(struct mp_config_function *function); // it may be gone then
