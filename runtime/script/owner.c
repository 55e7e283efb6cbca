// SPDX-License-Identifier: Apache-2.0
#include "script/owner.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "script/core.h"
#include "script/label.h"
#include "script/runtime_internal.h"

#define OWNER "moonpool.owner"

struct mp_owner {
	uint32_t refs;         // Lua's, its coroutines', and those it is the heir of
	uint32_t count;        // coroutines
	bool is_over, is_void; // void: what had not begun does not begin
	struct mp_owner *heir; // gets what its coroutines begin, NULL: it has that itself
	char why[256];
};

static void unref(struct mp_owner *owner)
{
	while (owner != NULL && --owner->refs == 0) {
		struct mp_owner *heir = owner->heir;
		mp_free(owner);
		owner = heir;
	}
}

struct mp_owner *mp_owner_enter(struct mp_owner *owner)
{
	if (owner != NULL) {
		owner->refs++;
		owner->count++;
	}
	return owner;
}

void mp_owner_leave(struct mp_owner *owner)
{
	if (owner == NULL)
		return;
	owner->count--;
	unref(owner);
}

bool mp_owner_is_over(const struct mp_owner *owner)
{
	return owner != NULL && owner->is_over;
}

bool mp_owner_refuses(const struct mp_waiter *waiter)
{
	return waiter->owner != NULL && waiter->owner->is_void && !waiter->begun;
}

void mp_owner_raise(lua_State *L, struct mp_owner *owner)
{
	luaL_where(L, 1);
	lua_pushstring(L, owner->why);
	lua_concat(L, 2);
	lua_error(L);
	abort(); // not reached
}

struct mp_owner *mp_owner_given(const struct mp_runtime *runtime)
{
	return runtime->is_given && runtime->given_by == runtime->current ? runtime->given : NULL;
}

struct mp_owner *mp_owner_inherited(const struct mp_runtime *runtime)
{
	if (runtime->is_given && runtime->given_by == runtime->current)
		return runtime->given;
	struct mp_owner *owner = runtime->current != NULL ? runtime->current->owner : NULL;
	return owner != NULL && owner->heir != NULL && !owner->heir->is_over ? owner->heir : owner;
}

// ---- for Lua ----------------------------------------------------------------------------------------------

static struct mp_owner *check(lua_State *L, int index)
{
	return *(struct mp_owner **)luaL_checkudata(L, index, OWNER);
}

static int collect(lua_State *L)
{
	struct mp_owner **owner = luaL_checkudata(L, 1, OWNER);
	unref(*owner);
	*owner = NULL;
	return 0;
}

// owner([heir]): a new one.
int mp_core_owner(lua_State *L)
{
	struct mp_owner *heir = lua_isnoneornil(L, 1) ? NULL : check(L, 1);
	struct mp_owner **place = lua_newuserdata(L, sizeof(struct mp_owner *));
	*place = NULL;
	luaL_getmetatable(L, OWNER);
	lua_setmetatable(L, -2);
	*place = mp_calloc(1, sizeof(**place));
	if (*place == NULL)
		return mp_lua_raise_no_memory(L);
	(*place)->refs = 1;
	(*place)->heir = heir;
	if (heir != NULL)
		heir->refs++;
	return 1;
}

// within(owner or nil, function, ...): what the function begins belongs to that owner, or to nobody. It cannot wait.
int mp_core_within(lua_State *L)
{
	struct mp_owner *owner = lua_isnil(L, 1) ? NULL : check(L, 1);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	struct mp_runtime *runtime = mp_runtime_of(L);
	struct mp_owner *given = runtime->given;
	struct mp_waiter *given_by = runtime->given_by;
	bool is_given = runtime->is_given;
	runtime->given = owner;
	runtime->given_by = runtime->current;
	runtime->is_given = true;
	int rc = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
	runtime->given = given;
	runtime->given_by = given_by;
	runtime->is_given = is_given;
	return rc == 0 ? lua_gettop(L) - 1 : lua_error(L);
}

// endOwner(owner, why[, void]): it is over. Void: it never came into force, what had not begun does not begin.
int mp_core_end_owner(lua_State *L)
{
	struct mp_owner *owner = check(L, 1);
	const char *why = luaL_checkstring(L, 2);
	if (owner->is_over)
		return 0;
	snprintf(owner->why, sizeof(owner->why), "%s", why);
	owner->is_over = true;
	owner->is_void = lua_toboolean(L, 3);
	struct mp_list *all = &mp_runtime_of(L)->all;
	for (struct mp_list_node *node = mp_list_first(all); node != NULL; node = mp_list_next(all, node)) {
		struct mp_waiter *waiter = mp_waiter_of_all(node);
		if (waiter->owner == owner)
			mp_waiter_recall(waiter);
	}
	return 0;
}

// ownerCount(owner): how many coroutines of it have not ended.
int mp_core_owner_count(lua_State *L)
{
	lua_pushnumber(L, check(L, 1)->count);
	return 1;
}

// isOver(): the owner of the running coroutine is.
int mp_core_is_over(lua_State *L)
{
	const struct mp_runtime *runtime = mp_runtime_of(L);
	lua_pushboolean(L, runtime->current != NULL && mp_owner_is_over(runtime->current->owner));
	return 1;
}

// Somebody is asked when it holds up the loop.
static void label(struct mp_waiter *waiter, const char *text)
{
	if (waiter->label != NULL)
		return;
	waiter->label = mp_label_new(text);
	waiter->runtime->handling += waiter->label != NULL ? 1 : 0;
}

// spawn(body, future, function, ...): begins a coroutine that belongs to what the running one belongs to.
int mp_core_spawn(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	luaL_checktype(L, 3, LUA_TFUNCTION);
	struct mp_runtime *runtime = mp_runtime_of(L);
	struct mp_owner *owner = mp_owner_inherited(runtime);
	char text[256];
	if (owner != NULL) {
		lua_Debug info;
		lua_pushvalue(L, 3);
		lua_getinfo(L, ">S", &info);
		snprintf(text, sizeof(text), "what was begun at %s:%d", info.short_src, info.linedefined);
	}
	if (runtime->ending)
		return 0;
	struct mp_waiter *waiter = mp_waiter_begin(runtime, L, owner, lua_gettop(L) - 1);
	if (owner != NULL)
		label(waiter, text);
	return 0;
}

void mp_lua_add_owner(lua_State *L)
{
	luaL_newmetatable(L, OWNER);
	lua_pushcfunction(L, collect);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
}
