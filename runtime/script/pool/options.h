// SPDX-License-Identifier: Apache-2.0
// The options of one request: { consistency = "LOCAL_QUORUM", timeout = 500, ... }.
#pragma once

#include <lua.h>

#include "cluster/session.h"

// What takes options. Each takes those that it honours, and refuses the others by name.
enum mp_lua_call {
	MP_LUA_CALL_TEXT = 1,      // a request whose statement is text
	MP_LUA_CALL_STATEMENT = 2, // a request whose statement is prepared
	MP_LUA_CALL_PREPARE = 4,   // prepare(): the defaults of the statement's requests
	MP_LUA_CALL_BATCH = 8,
};

struct mp_lua_options {
	struct mp_request_options request; // consistency 0xffff: not given
	uint32_t given;                    // bits of profiles that were given, by whatever
	struct mp_str keyspace;            // borrowed from the table
	struct mp_bytes page_state;        // borrowed from the table; data NULL: none
	struct mp_str routing_key;         // data NULL: none
	struct mp_str host;                // data NULL: any
	struct mp_str tag;                 // data NULL: none
	struct mp_str profile;             // data NULL: none
	bool payload;                      // there is one: mp_lua_options_add_payload(), in the same call
	int prepare;                       // -1: not given
	enum mp_batch_type batch_type;
};

extern const struct mp_lua_options mp_lua_options_none; // where nothing is given

// From the table at `index`, or nothing, into `options`, which has what the statement was prepared with; then the
// profile that it names, then the pool's defaults, where nothing was said. `session` NULL: not those. Raises what is
// wrong.
void mp_lua_options_read(lua_State *L, int index, enum mp_lua_call call, struct mp_session *session,
                         struct mp_lua_options *options);
// Into a request that was just taken. 0, or MP_ENOTFOUND: the host is not known.
int mp_lua_options_apply(const struct mp_lua_options *options, struct mp_session *session,
                         struct mp_request *request) MP_MUST_CHECK;
// The same of a statement's own options, which name neither a host nor anything that is looked up.
void mp_lua_options_apply_own(const struct mp_lua_options *options, struct mp_request *request);
// The payload of the options that were read last. 0 or MP_ENOMEM.
int mp_lua_options_add_payload(lua_State *L, struct mp_request *request) MP_MUST_CHECK;
// "LOCAL_QUORUM" as the number of the level. Raises what it is not; `what` begins the message.
uint16_t mp_lua_consistency(lua_State *L, const char *what, struct mp_str name);
