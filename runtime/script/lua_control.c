// SPDX-License-Identifier: Apache-2.0
// The control socket: a process answers questions of its user, a line each way. What a line means is decided in
// lua/moonpool/cli/control.lua; here stand the bounds: who comes in, how long a line is, how long anybody may take.
//
//   one client:  READING --a line--> ANSWERING --reply--> WRITING --all taken--> READING
//                   |                                        |
//                   +---- too long, too slow, gone ----------+--> closed
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "script/lua_core.h"
#include "script/runtime.h"

#define CONTROL       "moonpool.control"
#define LINE_MAX_LEN  4096u // with its end
#define CLIENTS_MAX   16u
#define PATIENCE_MS   10000u // for a line, and for taking an answer
#define REPLY_MAX_LEN (4u << 20)

struct control;

struct client {
	struct mp_list_node node;
	struct control *control;
	struct mp_sock *sock;
	struct mp_timer timer;
	uint32_t id;
	uint32_t len; // of line
	bool answering;
	bool ended; // it will send no more
	struct mp_buf reply;
	size_t sent;
	char line[LINE_MAX_LEN];
};

struct control {
	struct mp_runtime *runtime;
	struct mp_runtime_guest guest;
	struct mp_listener *listener; // NULL: closed
	struct mp_list clients;
	uint32_t last_id;
	int handler; // in the registry
};

// ---- one client ---------------------------------------------------------------------------------------------------

static void drop(struct client *client)
{
	mp_list_remove(&client->control->clients, &client->node);
	mp_timer_stop(&client->timer);
	mp_sock_close(client->sock, false);
	mp_buf_deinit(&client->reply);
	mp_free(client);
}

static void lose_patience(void *data)
{
	drop(data);
}

static void watch(struct client *client)
{
	if (mp_timer_start_ms(&client->timer, PATIENCE_MS) != 0)
		drop(client);
}

static int call_handler(lua_State *L)
{
	struct client *client = lua_touserdata(L, 1);
	lua_rawgeti(L, LUA_REGISTRYINDEX, client->control->handler);
	lua_pushnumber(L, client->id);
	lua_pushlstring(L, client->line, client->len);
	mp_runtime_start(client->control->runtime, L, 2);
	return 0;
}

// What stands behind the line belongs to the next question, which waits for this answer.
static void take_line(struct client *client)
{
	const char *end = memchr(client->line, '\n', client->len);
	if (end == NULL && client->len == LINE_MAX_LEN) {
		drop(client);
		return;
	}
	if (end == NULL && client->ended) {
		drop(client);
		return;
	}
	if (end == NULL) {
		mp_sock_read_start(client->sock);
		return;
	}
	mp_sock_read_stop(client->sock);
	uint32_t whole = client->len;
	uint32_t used = (uint32_t)(end - client->line) + 1;
	client->len = used - 1;
	client->answering = true;
	mp_timer_stop(&client->timer);
	bool started = mp_runtime_protect(client->control->runtime, call_handler, client, 0) != NULL;
	client->len = whole - used;
	memmove(client->line, client->line + used, client->len);
	if (!started)
		drop(client);
}

static void on_read(void *data, const uint8_t *bytes, size_t len)
{
	struct client *client = data;
	size_t room = LINE_MAX_LEN - client->len;
	if (len > room) {
		drop(client);
		return;
	}
	memcpy(client->line + client->len, bytes, len);
	client->len += (uint32_t)len;
	if (!client->answering)
		take_line(client);
}

static void on_end(void *data, int rc)
{
	struct client *client = data;
	client->ended = true;
	if (rc != MP_EEOF || !client->answering)
		drop(client);
}

static void write_on(struct client *client)
{
	struct mp_span span = {client->reply.data + client->sent, client->reply.len - client->sent};
	ptrdiff_t took = mp_sock_writev(client->sock, &span, 1);
	if (took < 0) {
		drop(client);
		return;
	}
	client->sent += (size_t)took;
	if (client->sent < client->reply.len) {
		watch(client);
		return;
	}
	mp_buf_clear(&client->reply);
	client->sent = 0;
	client->answering = false;
	if (mp_timer_start_ms(&client->timer, PATIENCE_MS) == 0)
		take_line(client);
	else
		drop(client);
}

static void on_writable(void *data)
{
	struct client *client = data;
	if (client->answering && client->reply.len > 0)
		write_on(client);
}

static void on_accept(void *data, struct mp_sock *sock)
{
	static const struct mp_sock_events events = {
		.on_read = on_read,
		.on_end = on_end,
		.on_writable = on_writable,
	};
	struct control *control = data;
	struct client *client = control->clients.count < CLIENTS_MAX ? mp_calloc(1, sizeof(*client)) : NULL;
	if (client == NULL) {
		mp_sock_close(sock, false);
		return;
	}
	client->control = control;
	client->sock = sock;
	client->id = ++control->last_id;
	mp_buf_init(&client->reply);
	mp_list_node_init(&client->node);
	mp_list_push_back(&control->clients, &client->node);
	mp_timer_init(&client->timer, mp_runtime_loop(control->runtime), lose_patience, client);
	mp_sock_adopt(sock, &events, client);
	watch(client);
}

// ---- the server ---------------------------------------------------------------------------------------------------

static void close_control(struct control *control)
{
	if (control->listener == NULL)
		return;
	mp_listener_close(control->listener);
	control->listener = NULL;
	while (control->clients.count > 0)
		drop(MP_CONTAINER_OF(mp_list_first(&control->clients), struct client, node));
	mp_runtime_remove_guest(control->runtime, &control->guest);
}

static void end_guest(struct mp_runtime_guest *guest)
{
	close_control(MP_CONTAINER_OF(guest, struct control, guest));
}

static const char *why_not(int err)
{
	switch (err) {
	case MP_EBUSY: return "another process serves it";
	case MP_EINVAL: return "there is something else, which is no socket";
	case MP_ETOOBIG: return "a path of 1 to 107 bytes expected";
	case MP_ENOTFOUND: return "there is no such folder";
	case MP_EAUTH: return "permission denied";
	default: return mp_err_text(err);
	}
}

// listenControl(path, handler): a server, or nil and why not. handler(client, line) runs in a coroutine of its own and
// answers with replyControl(server, client, text).
static int listen_control(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	struct control *control = lua_newuserdata(L, sizeof(*control));
	*control = (struct control){.runtime = mp_runtime_of(L), .handler = LUA_NOREF};
	mp_list_init(&control->clients);
	luaL_getmetatable(L, CONTROL);
	lua_setmetatable(L, -2);
	lua_pushvalue(L, 2);
	control->handler = luaL_ref(L, LUA_REGISTRYINDEX);
	int err = 0;
	control->listener =
		mp_loop_listen_local(mp_runtime_loop(control->runtime), path, on_accept, control, &err);
	if (control->listener == NULL) {
		lua_pushnil(L);
		lua_pushstring(L, why_not(err));
		return 2;
	}
	control->guest.end = end_guest;
	mp_runtime_add_guest(control->runtime, &control->guest);
	return 1;
}

static int close_server(lua_State *L)
{
	struct control *control = luaL_checkudata(L, 1, CONTROL);
	close_control(control);
	luaL_unref(L, LUA_REGISTRYINDEX, control->handler);
	control->handler = LUA_NOREF;
	return 0;
}

// replyControl(server, client, text): one line; a client that has gone gets nothing.
static int reply_control(lua_State *L)
{
	struct control *control = luaL_checkudata(L, 1, CONTROL);
	uint32_t id = (uint32_t)luaL_checknumber(L, 2);
	size_t len;
	const char *text = luaL_checklstring(L, 3, &len);
	luaL_argcheck(L, len < REPLY_MAX_LEN, 3, "too long");
	struct mp_list_node *node = mp_list_first(&control->clients);
	while (node != NULL && MP_CONTAINER_OF(node, struct client, node)->id != id)
		node = mp_list_next(&control->clients, node);
	struct client *client = node != NULL ? MP_CONTAINER_OF(node, struct client, node) : NULL;
	if (client == NULL || !client->answering || client->reply.len > 0)
		return 0;
	mp_buf_bytes(&client->reply, text, len);
	mp_buf_u8(&client->reply, '\n');
	if (mp_buf_status(&client->reply) != 0)
		drop(client);
	else
		write_on(client);
	return 0;
}

void mp_lua_add_control(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"listenControl", listen_control},
		{"replyControl", reply_control},
		{"closeControl", close_server},
		{NULL, NULL},
	};
	luaL_newmetatable(L, CONTROL);
	lua_pushcfunction(L, close_server);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
	luaL_setfuncs(L, functions, 0);
}
