// SPDX-License-Identifier: Apache-2.0
// The C half of `require "moonpool"`: what the files of lua/moonpool build the public API from. One file per
// subject. The C function behind a Lua function bears its name: the core's stand in one list (functions.h), those of an
// object in a list of its file, with the object before the name (pool_gc and error_tostring are __gc and __tostring).
#pragma once

#include <lua.h>

#include "base/cursor.h"
#include "base/defs.h"
#include "base/err.h"
#include "script/functions.h"

struct mp_buf;
struct mp_error;
struct mp_runtime;

// The only symbol that a Lua process looks up.
__attribute__((visibility("default"))) int luaopen_moonpool_core(lua_State *L);

// Metatables and constants: each adds to the table on top of the stack and leaves it there.
void mp_lua_add_future(lua_State *L);
void mp_lua_add_error(lua_State *L);
void mp_lua_add_int64(lua_State *L);
void mp_lua_add_result(lua_State *L);
void mp_lua_add_pool(lua_State *L);
void mp_lua_add_statement(lua_State *L);
void mp_lua_add_execute(lua_State *L);
void mp_lua_add_reload(lua_State *L);
void mp_lua_add_control(lua_State *L);
void mp_lua_add_check(lua_State *L);
void mp_lua_add_waiting(lua_State *L);
void mp_lua_add_visitor(lua_State *L);
void mp_lua_add_traceback(lua_State *L);

// Wrong arguments of a method whose Lua wrapper called this C function: the error names the caller of the wrapper.
//   bad argument #1 to 'execute' (statement: a string expected, got number)
int mp_lua_bad_argument(lua_State *L, const char *method, int arg, const char *name, const char *expected);
int mp_lua_raise(lua_State *L, const char *format, ...) MP_PRINTF(2, 3);
// The message, and behind it what `given` may have meant and what there is: "..., did you mean timeout? There are: ..."
int mp_lua_raise_unknown(lua_State *L, struct mp_str given, const char *const *names, size_t count,
                         const char *format, ...) MP_PRINTF(5, 6);
// Raises if there is an argument at `index`: a method that takes none honours none.
void mp_lua_no_argument(lua_State *L, int index, const char *method);

// Raises why L cannot wait here; `running` is the coroutine that the runtime is in, or NULL.
int mp_lua_refuse_waiting(lua_State *L, lua_State *running);
// The same in a coroutine of the host's: `why` in words, "": a function of C is in the way.
int mp_lua_refuse_visit(lua_State *L, const char *why);
bool mp_lua_is_refused(lua_State *L); // whoever made the coroutine L has said that nothing can wait in it

// The future at `index` gets the `count` values on top, which are popped; who waits for it goes on later in this turn.
// Up to two values take no memory.
void mp_lua_future_settle(lua_State *L, int index, int count);
// The future by its reference in the registry ends by an error: there was no memory for its values.
void mp_lua_future_starve(struct mp_runtime *runtime, int ref);
// What the future of a request that is under way does when it is cancelled, in the future at `index`, which is held
// until the request is over. `cancel`: false, it ends by itself already.
struct mp_lua_canceller {
	bool (*cancel)(void *data); // NULL: there is nothing to cancel
	void *data;
};
struct mp_lua_canceller *mp_lua_future_canceller(lua_State *L, int index);

// ---- error.c: the `err` of `nil, err` ---------------------------------------------------------------------
void mp_lua_push_error(lua_State *L, const struct mp_error *error);
// One that was not made by a request. Nothing was applied.
void mp_lua_push_local_error(lua_State *L, int err, const char *format, ...) MP_PRINTF(3, 4);
// Pushes what an error value of any type says: a text, its __tostring, the message of a table.
const char *mp_lua_push_error_text(lua_State *L, int index);
// The text on top, with where it was raised in `co`, which is over or L itself.
void mp_lua_push_traceback(lua_State *L, lua_State *co);
void mp_lua_push_no_memory(lua_State *L); // one made beforehand: allocates nothing
int mp_lua_raise_no_memory(lua_State *L); // where no `nil, err` is expected
int mp_lua_fail_no_memory(lua_State *L);
// `nil, err` as results of a C function.
int mp_lua_fail(lua_State *L, int err, const char *format, ...) MP_PRINTF(3, 4);

// ---- held.c: what is held while Lua may raise -------------------------------------------------------------
// A block of zeroes on the stack; `end` is its finalizer, a C function that is given it. `kind` names its metatable.
// Whoever comes to the end of his function may end what is in it himself, if the finalizer can bear that.
void *mp_lua_push_held(lua_State *L, const char *kind, size_t size, lua_CFunction end);
// An empty buffer in such a block.
struct mp_buf *mp_lua_push_buf(lua_State *L);
// Pushes a C function that was made once; `key` is the address of something static of the caller's. MP_ENOMEM: nothing
// is pushed. Raises nothing.
int mp_lua_push_function(lua_State *L, lua_CFunction fn, const void *key) MP_MUST_CHECK;

// A text for a reader, without what has the shape of a secret (base/text/redact.h).
void mp_lua_push_redacted(lua_State *L, const char *text, size_t len);

// ---- constants that stand for what Lua lacks --------------------------------------------------------------
// moonpool.null is the light userdata NULL, as in cjson and ngx; moonpool.unset another one.
bool mp_lua_is_null(lua_State *L, int index);
bool mp_lua_is_unset(lua_State *L, int index);
