// SPDX-License-Identifier: Apache-2.0
// The options of one request: { consistency = "LOCAL_QUORUM", timeout = 500, ... }.
#pragma once

#include <lua.h>

#include "script/lua_pool.h"

struct mp_lua_options {
	struct mp_request_options request; // consistency 0xffff: not given
	struct mp_str keyspace;            // borrowed from the table
	struct mp_bytes page_state;        // borrowed from the table; data NULL: none
	struct mp_str routing_key;         // data NULL: none
	struct mp_str host;                // data NULL: any
	struct mp_str tag;                 // data NULL: none
	int prepare;                       // -1: not given
};

// From the table at `index`, or nothing. Raises what is wrong with it.
void mp_lua_options_read(lua_State *L, int index, struct mp_lua_options *options);
// Into a request that was just taken. 0, or MP_ENOTFOUND: the host is not known.
int mp_lua_options_apply(const struct mp_lua_options *options, struct mp_session *session,
                         struct mp_request *request) MP_MUST_CHECK;
