// SPDX-License-Identifier: Apache-2.0
// The control socket: a process answers questions of its user, a line each way. What a line means is decided in
// lua/moonpool/cli/control.lua; the bounds stand in control_client.c.
#include "script/control.h"

#include <lauxlib.h>

#include "script/core.h"

#define CONTROL "moonpool.control"

static void close_control(struct mp_control *control)
{
	if (control->listener == NULL)
		return;
	mp_listener_close(control->listener);
	control->listener = NULL;
	mp_control_drop_clients(control);
	mp_runtime_remove_guest(control->runtime, &control->guest);
}

static void end_guest(struct mp_runtime_guest *guest)
{
	close_control(MP_CONTAINER_OF(guest, struct mp_control, guest));
}

static const char *why_not(int err)
{
	switch (err) {
	case MP_EBUSY: return "another process serves it";
	case MP_EINVAL: return "there is something else, which is no socket";
	case MP_ETOOBIG: return "a path of 1 to 107 bytes expected";
	case MP_ENOTFOUND: return "there is no such folder";
	case MP_EAUTH: return "permission denied";
	case MP_ELOCAL: return "no descriptor is free for it (ulimit -n), or no memory";
	default: return mp_err_text(err);
	}
}

#define ANSWER_MS 60000

// listenControl(path, handler, answer_ms = 60000): a server, or nil and why not. handler(client, line) runs in a
// coroutine of its own and answers with replyControl(server, client, text) within answer_ms.
int mp_core_listen_control(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_Integer answer_ms = luaL_optinteger(L, 3, ANSWER_MS);
	luaL_argcheck(L, answer_ms > 0 && answer_ms <= ANSWER_MS, 3, "1 to 60000 ms");
	struct mp_control *control = lua_newuserdata(L, sizeof(*control));
	*control = (struct mp_control){
		.runtime = mp_runtime_of(L), .handler = LUA_NOREF, .self = LUA_NOREF, .guard = LUA_NOREF};
	control->answer_ms = (uint32_t)answer_ms;
	mp_list_init(&control->clients);
	luaL_getmetatable(L, CONTROL);
	lua_setmetatable(L, -2);
	lua_pushvalue(L, 2);
	control->handler = luaL_ref(L, LUA_REGISTRYINDEX);
	int err = 0;
	control->listener =
		mp_loop_listen_local(mp_runtime_loop(control->runtime), path, mp_control_on_accept, control, &err);
	if (control->listener == NULL) {
		lua_pushnil(L);
		lua_pushstring(L, why_not(err));
		return 2;
	}
	lua_pushvalue(L, -1);
	control->self = luaL_ref(L, LUA_REGISTRYINDEX);
	luaL_getmetafield(L, -1, "guard");
	control->guard = luaL_ref(L, LUA_REGISTRYINDEX);
	control->guest.end = end_guest;
	mp_runtime_add_guest(control->runtime, &control->guest);
	return 1;
}

int mp_core_close_control(lua_State *L)
{
	struct mp_control *control = luaL_checkudata(L, 1, CONTROL);
	close_control(control);
	luaL_unref(L, LUA_REGISTRYINDEX, control->handler);
	luaL_unref(L, LUA_REGISTRYINDEX, control->self);
	luaL_unref(L, LUA_REGISTRYINDEX, control->guard);
	control->handler = control->self = control->guard = LUA_NOREF;
	return 0;
}

// replyControl(server, client, text): one line. true; or nil and a message, when the text is too long, and then the
// client gets an error. A client that has gone gets nothing.
int mp_core_reply_control(lua_State *L)
{
	struct mp_control *control = luaL_checkudata(L, 1, CONTROL);
	size_t len;
	const char *text = luaL_checklstring(L, 3, &len);
	struct mp_control_client *client = mp_control_waiting(control, (uint32_t)luaL_checknumber(L, 2));
	if (client != NULL)
		mp_control_answer(client, text, len);
	if (len <= MP_CONTROL_ANSWER_MAX) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushnil(L);
	lua_pushliteral(L, "the answer is too long");
	return 2;
}

// waitsControl(server, client): is there still somebody who waits for its answer?
int mp_core_waits_control(lua_State *L)
{
	struct mp_control *control = luaL_checkudata(L, 1, CONTROL);
	lua_pushboolean(L, mp_control_waiting(control, (uint32_t)luaL_checknumber(L, 2)) != NULL);
	return 1;
}

void mp_lua_add_control(lua_State *L)
{
	luaL_newmetatable(L, CONTROL);
	lua_pushcfunction(L, mp_core_close_control);
	lua_setfield(L, -2, "__gc");
	lua_getglobal(L, "xpcall");
	lua_setfield(L, -2, "guard");
	lua_pop(L, 1);
	lua_pushnumber(L, MP_CONTROL_ANSWER_MAX);
	lua_setfield(L, -2, "controlAnswerMax");
}
