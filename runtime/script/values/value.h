// SPDX-License-Identifier: Apache-2.0
// CQL values as Lua values and back, driven by the column's or parameter's type. Loses nothing, or refuses.
//
//   tinyint smallint int float double        number
//   bigint counter timestamp (ms) time (ns)  number up to 2^53, beyond it an int64_t of LuaJIT (123LL)
//   varint decimal                           string of digits
//   ascii text blob                          string
//   boolean                                  boolean
//   uuid timeuuid                            string, 36 characters
//   inet date                                string: "10.0.0.1", "2024-02-29"
//   duration                                 table { months, days, nanoseconds }
//   list set vector                          table 1 .. n
//   map                                      table by key; a key of NaN or -0 is "NaN" or "-0"
//   tuple                                    table 1 .. n
//   a user's type                            table by field
//   any other                                string: its bytes
//   null                                     nil in a row, no field of a user's type, moonpool.null in the others
//
// Where a number of 64 bits is wanted, a number, an int64_t or uint64_t, and a string of digits are taken.
#pragma once

#include <lua.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "wire/type.h"

struct mp_codec {
	struct mp_buf scratch;
	struct mp_lua_host_numbers *hosts; // of script/pool/host_number.c; NULL: not needed yet
	lua_State *L;                      // lives as long as what is made with it: for references of shapes
	struct mp_shape *shape; // of the answer that is made now; or that was, when Lua had no memory for it
	char why[256];          // after an error: what is wrong, without the value itself
};

// Push a value. 0; MP_ETYPE: the bytes do not fit the type (nothing is pushed); MP_EUNSUPPORTED. May raise for lack of
// memory only.
typedef int mp_value_push(lua_State *L, struct mp_codec *codec, const struct mp_type *type,
                          struct mp_bytes value);
mp_value_push *mp_value_pusher(const struct mp_type *type); // chosen once per column; null pushes nil

// Append the value at `index` as a [value]: length and bytes. 0, MP_ETYPE, MP_EUNSUPPORTED or MP_ENOMEM, with
// codec->why.
int mp_value_write(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                   struct mp_buf *out) MP_MUST_CHECK;
// The same of a number, a text, a boolean or a constant: no Lua runs, nothing is raised. MP_ETYPE: it is none of these.
int mp_value_write_plain(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                         struct mp_buf *out) MP_MUST_CHECK;
// The same of a list, a set or a map (collection.c), a tuple, a user's type or a vector (composed.c).
int mp_composed_write(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                      struct mp_buf *out) MP_MUST_CHECK;
int mp_collection_write(lua_State *L, int index, const struct mp_type *type, struct mp_codec *codec,
                        struct mp_buf *out) MP_MUST_CHECK;
// Without a type (prepare = false): a string as its bytes, a number as int, bigint or double, a
// boolean, an int64_t as bigint.
int mp_value_write_untyped(lua_State *L, int index, struct mp_codec *codec, struct mp_buf *out) MP_MUST_CHECK;

// Push what stands inside of another value: a null is moonpool.null, as a table cannot hold nil.
int mp_value_push_part(lua_State *L, struct mp_codec *codec, const struct mp_type *type,
                       struct mp_bytes value) MP_MUST_CHECK;
// composed.c; mp_value_push each
int mp_udt_push(lua_State *L, struct mp_codec *codec, const struct mp_type *type, struct mp_bytes value);
int mp_tuple_push(lua_State *L, struct mp_codec *codec, const struct mp_type *type, struct mp_bytes value);
int mp_vector_push(lua_State *L, struct mp_codec *codec, const struct mp_type *type, struct mp_bytes value);
// How many entries a table has; UINT32_MAX: NaN is a key of it, so it is no table of anything.
uint32_t mp_table_count(lua_State *L, int index);
// MP_ETYPE, with why: the table at `index`, of `entries` entries, is not 1 .. n.
int mp_table_no_list(lua_State *L, int index, uint32_t entries, struct mp_codec *codec);

int mp_codec_wrong(struct mp_codec *codec, const struct mp_type *type, struct mp_bytes value); // MP_ETYPE
int mp_codec_fail(struct mp_codec *codec, int err, const char *format, ...) MP_PRINTF(3, 4);   // returns err
void mp_codec_add(struct mp_codec *codec, const char *format, ...) MP_PRINTF(2, 3); // to the end of `why`
// Puts in front of `why` where it happened: "element 3: got string". Returns err.
int mp_codec_within(struct mp_codec *codec, int err, const char *format, ...) MP_PRINTF(3, 4);

// ---- int64.c ----------------------------------------------------------------------------------------------
void mp_int64_push(lua_State *L, int64_t value);
// 0; MP_ETYPE with codec->why. The first of a value that is known to be a number.
int mp_int64_of_number(double number, struct mp_codec *codec, int64_t *value) MP_MUST_CHECK;
int mp_int64_read(lua_State *L, int index, struct mp_codec *codec, int64_t *value) MP_MUST_CHECK;
int mp_int64_parse(const char *text, size_t len, int64_t *value) MP_MUST_CHECK; // decimal digits; MP_ETYPE
