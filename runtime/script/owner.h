// SPDX-License-Identifier: Apache-2.0
// What coroutines belong to: they end with it. A handlers file that is replaced takes with it what it has begun.
//
//   a coroutine that began in an owner --spawn--> belongs to the same, or to its heir while that lasts
//
// When an owner is over, whoever of it waits gets an error where it waits, and gets it again at each further wait; what
// it may do meanwhile is to tidy up, for a while. What had not begun to wait goes on until it would.
#pragma once

#include <lua.h>

#include "base/defs.h"

struct mp_runtime;
struct mp_waiter;
struct mp_owner;

// NULL is the owner of what belongs to nobody.
struct mp_owner *mp_owner_enter(struct mp_owner *owner); // one more coroutine of it
void mp_owner_leave(struct mp_owner *owner);
bool mp_owner_is_over(const struct mp_owner *owner);
bool mp_owner_refuses(const struct mp_waiter *waiter);                 // it does not even begin
void mp_owner_raise(lua_State *L, struct mp_owner *owner) MP_NORETURN; // why it is over
// What a coroutine belongs to that is begun now: of core.start, and of core.spawn.
struct mp_owner *mp_owner_given(const struct mp_runtime *runtime);
struct mp_owner *mp_owner_inherited(const struct mp_runtime *runtime);

void mp_lua_add_owner(lua_State *L); // the metatable
