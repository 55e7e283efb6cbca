// SPDX-License-Identifier: Apache-2.0
// What an answer becomes in Lua: { rows = { { column = value } } }; or while nobody has asked for that list
// { _first = its one row }, or { _page = the bytes of many }. With a metatable that knows the rest (first,
// row, count, columns, wasApplied, info) and makes it when it is asked for (lua/moonpool/result.lua).
#pragma once

#include <lua.h>

#include "cluster/session.h"
#include "script/values/value.h"

// Push `result, nil` or `nil, err`. Protected: may raise for lack of memory. `prepared` NULL: an answer to a QUERY.
void mp_lua_push_outcome(lua_State *L, struct mp_codec *codec, struct mp_prepared *prepared,
                         const struct mp_outcome *outcome);
// For an answer of one row and few columns, or of none: pushes what makes its result, the number that it keeps about
// the answer, and the values of the row, which are the function's arguments; so no table is made by C. Their number;
// 0: it is another answer, and nothing is pushed. Protected, as above.
#define MP_RESULT_PARTS 8 // values
int mp_lua_push_parts(lua_State *L, struct mp_codec *codec, struct mp_prepared *prepared,
                      const struct mp_outcome *outcome);
// A list of { name, type, keyspace, table }. `scratch` is the caller's: this may raise.
void mp_lua_push_columns(lua_State *L, const struct mp_metadata *metadata, struct mp_buf *scratch);
void mp_lua_add_result(lua_State *L);

// ---- script/pool/host_number.c
#define MP_LUA_HOST_NUMBERS 65535 // the largest; 0: no host, and every host beyond them
uint32_t mp_lua_host_number(lua_State *L, struct mp_codec *codec, const struct mp_host *host);
void mp_lua_push_host_text(lua_State *L, uint32_t number);
void mp_lua_add_host_numbers(lua_State *L);
void mp_lua_codec_deinit(struct mp_codec *codec);
