// SPDX-License-Identifier: Apache-2.0
// The rows of an answer as the bytes that came, until somebody asks for them: a copy of the answer's rows and where
// each begins, in memory of Lua's. Every value was found to be one of its column's type before, so what is read later
// cannot fail but for lack of memory, whatever has become of the pool and the statement meanwhile.
#pragma once

#include <lua.h>

#include "script/values/shape.h"

// Answers with fewer rows become tables at once, which costs less than keeping them.
#ifdef MP_HARD
#define MP_PAGE_ROWS 1u
#else
#define MP_PAGE_ROWS 8u
#endif

// Pushes the page of an answer, with the shape's table at `names`. False, and nothing is pushed: its rows are few, or
// not what they should be.
bool mp_page_push(lua_State *L, struct mp_shape *shape, int names,
                  const struct mp_result_body *body) MP_MUST_CHECK;
bool mp_page_of(lua_State *L, int result, uint32_t *rows);   // pushes its page; false: it has none (any more)
void mp_page_push_row(lua_State *L, int page, uint32_t row); // from 1; nil behind the last
void mp_page_push_rows(lua_State *L, int page,
                       int first); // all of them; the first is at `first` unless that is nil
void mp_page_add(lua_State *L);
