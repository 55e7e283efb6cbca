// SPDX-License-Identifier: Apache-2.0
// The parameters of a request, { 1, "ana" } or { id = 1, name = "ana" }, straight into its encoded values.
#pragma once

#include <lua.h>

#include "cluster/session.h"
#include "script/values/value.h"

// The table (or nil) at `index`, for the parameters of request->prepared. 0, or MP_EINVAL (too few, too many, unknown),
// MP_ETYPE, MP_EUNSUPPORTED with codec->why. May raise for lack of memory.
int mp_lua_bind(lua_State *L, int index, struct mp_codec *codec, struct mp_request *request) MP_MUST_CHECK;
// Plain values alone (mp_value_write_plain), of which the statement has as many as it wants: the list at `index`, which
// is in order; or the values from `first` on. False: others, or memory is short; what was written means nothing.
bool mp_lua_bind_plain_list(lua_State *L, int index, const struct mp_metadata *params, struct mp_codec *codec,
                            struct mp_buf *out) MP_MUST_CHECK;
bool mp_lua_bind_plain(lua_State *L, int first, const struct mp_metadata *params, struct mp_codec *codec,
                       struct mp_buf *out) MP_MUST_CHECK;
// The same for a QUERY, whose parameters have no known types.
int mp_lua_bind_untyped(lua_State *L, int index, struct mp_str cql, struct mp_codec *codec,
                        struct mp_request *request) MP_MUST_CHECK;
// Whether the table (or nil) at `index` gives parameters to a text. An empty one does if the text has bind markers.
bool mp_lua_has_parameters(lua_State *L, int index, struct mp_str cql);
