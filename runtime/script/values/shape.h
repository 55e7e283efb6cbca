// SPDX-License-Identifier: Apache-2.0
// The shape of rows: names, decoders and what the results have in common, compiled once per prepared statement and kept
// in mp_prepared.user. It lives as long as anybody has it: the statement, and every answer whose bytes are kept.
#pragma once

#include <lua.h>

#include "cluster/session.h"
#include "script/values/value.h"

// In Lua a table: { [MP_SHAPE_OWNER] = holds a reference for who outlives the answer, [MP_SHAPE_CONSTRUCTOR] = makes a
// row of its values, [MP_SHAPE_ROWS_MAKER] = several at once, each once it was asked for, [0] = the metatable of the
// results, [1] .. [n] = names of the columns, [n + 1] .. = the keys of a result }. Keys are taken from there because
// making a Lua string of a C string costs more than storing the value.
#define MP_SHAPE_OWNER       (-1)
#define MP_SHAPE_CONSTRUCTOR (-2)
#define MP_SHAPE_ROWS_MAKER  (-3)
enum mp_shape_key { MP_SHAPE_ROWS = 1, MP_SHAPE_COST, MP_SHAPE_PAGE, MP_SHAPE_KEYS = MP_SHAPE_PAGE };

struct mp_shape {
	uint32_t refs;
	uint32_t count;
	lua_State *L; // for the end
	int ref;      // the table, while a statement keeps it,
	int maker;    // and what makes a result of one row; LUA_NOREF: not made yet, LUA_REFNIL: there is none
	struct mp_metadata *metadata;
	struct mp_shape_column {
		mp_value_push *push;
		int32_t width; // of mp_fits_width()
	} columns[];
};

// Leaves the shape's table on the stack. It is held until it is released, when the answer was made, or the next one is
// asked for: what makes an answer may raise for lack of memory. NULL: no memory, and nothing is left.
struct mp_shape *mp_shape_for(lua_State *L, struct mp_codec *codec, struct mp_prepared *prepared,
                              struct mp_metadata *metadata);
void mp_shape_release(struct mp_codec *codec); // none is held: nothing
// From now on the shape lives at least as long as its table, which is at `names`.
void mp_shape_keep(lua_State *L, struct mp_shape *shape, int names);
void mp_shape_push_empty(lua_State *L);               // the table of results without columns
void mp_shape_push_columns(lua_State *L, int result); // the list of a result's columns, or nil
// The shape's table is at `names`: pushes a function of the values of a row that makes the row, which is twice as fast
// as storing them; or nil.
void mp_shape_push_constructor(lua_State *L, const struct mp_shape *shape, int names);
// The same of a list, a place in it and the values of so many rows, which it puts there. 0, and pushes nil: by each row
// alone.
uint32_t mp_shape_push_rows_maker(lua_State *L, const struct mp_shape *shape, int names);
// What makes a result of one row, of the number that results keep and the row's values; false: there is none, and
// nothing is pushed. Of a statement's shape.
bool mp_shape_push_maker(lua_State *L, struct mp_shape *shape) MP_MUST_CHECK;
void mp_shape_push_empty_maker(lua_State *L); // the same of the results without columns
// The next row becomes a table on top, by the shape's table at `names`. Or MP_E* with codec->why and nothing pushed.
int mp_shape_push_row(lua_State *L, struct mp_codec *codec, const struct mp_shape *shape, int names,
                      struct mp_cursor *cursor, uint32_t row) MP_MUST_CHECK;
void mp_shape_add(lua_State *L); // what all shapes need, into the registry
