// SPDX-License-Identifier: Apache-2.0
// The control socket: a process answers questions of its user, a line each way. What a line means is decided in
// lua/moonpool/cli/control.lua; here stand the bounds: who comes in, how long a line is, how long anybody may take.
//
//   one client:  READING --a line--> ANSWERING --reply--> WRITING --all taken--> READING
//                   |                    |                   |
//                   +-- too long, too slow, failed, gone ----+--> closed
//
// A client always leaves its place: each state has a timer, and a handler that fails is an answer. Whoever is turned
// away is told why.
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "script/lua_control.h"
#include "script/lua_core.h"
#include "script/runtime.h"

#define CONTROL           "moonpool.control"
#define LINE_MAX_LEN      4096u // with its end
#define CLIENTS_MAX       16u
#define COMPLAIN_EVERY_MS 1000u
#define WHY_MAX_LEN       160
#define PATIENCE_MS       10000u // for a line, and between two parts of an answer that is taken
#define ANSWER_MS         60000u // for the handler, and for an answer to be taken whole

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
	uint64_t take_until_ms; // the reply
	char line[LINE_MAX_LEN];
};

struct control {
	struct mp_runtime *runtime;
	struct mp_runtime_guest guest;
	struct mp_listener *listener; // NULL: closed
	struct mp_list clients;
	uint32_t last_id;
	int handler; // in the registry
	int self;    // the same: whoever listens is not collected
	int guard;   // the same: xpcall
	struct mp_log_gate complaints;
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

// As JSON. `why` is a text of ours: nothing in it needs an escape.
static size_t write_why(char line[WHY_MAX_LEN], const char *why)
{
	int len = snprintf(line, WHY_MAX_LEN, "{\"error\":\"%s\",\"ok\":false}", why);
	mp_assert(len > 0 && len < WHY_MAX_LEN);
	return (size_t)len;
}

// To somebody who is leaving: what is not taken at once is lost.
static void say_why(struct mp_sock *sock, const char *why)
{
	char line[WHY_MAX_LEN];
	struct mp_span spans[2] = {{line, write_why(line, why)}, {"\n", 1}};
	(void)!mp_sock_writev(sock, spans, 2);
}

// Not within an answer: half of one and then another line would be no answer at all.
static void turn_away(struct client *client, const char *why)
{
	if (client->reply.len == 0)
		say_why(client->sock, why);
	drop(client);
}

static void lose_patience(void *data)
{
	struct client *client = data;
	turn_away(client, client->answering ? "there is no answer yet" : "no line came within ten seconds");
}

static bool wait_for(struct client *client, uint64_t ms)
{
	if (mp_timer_start_ms(&client->timer, ms) == 0)
		return true;
	turn_away(client, "out of memory");
	return false;
}

static struct client *client_of(struct control *control, uint32_t id)
{
	struct mp_list_node *node = mp_list_first(&control->clients);
	while (node != NULL && MP_CONTAINER_OF(node, struct client, node)->id != id)
		node = mp_list_next(&control->clients, node);
	struct client *client = node != NULL ? MP_CONTAINER_OF(node, struct client, node) : NULL;
	return client != NULL && client->answering && client->reply.len == 0 ? client : NULL;
}

static void answer(struct client *client, const char *text, size_t len);

static void answer_error(struct client *client, const char *why)
{
	char line[WHY_MAX_LEN];
	answer(client, line, write_why(line, why));
}

// In the place of an answer, from the coroutine of a handler that raised an error: the message at 1.
static int on_failure(lua_State *L)
{
	struct control *control = lua_touserdata(L, lua_upvalueindex(1));
	struct client *client = client_of(control, (uint32_t)lua_tonumber(L, lua_upvalueindex(2)));
	struct mp_loop *loop = mp_runtime_loop(control->runtime);
	const char *why = lua_tostring(L, 1);
	luaL_traceback(L, L, why != NULL ? why : luaL_typename(L, 1), 1);
	if (mp_log_gate_open(&control->complaints, mp_loop_now_ms(loop), COMPLAIN_EVERY_MS, NULL))
		mp_log_write(mp_loop_log(loop), MP_LOG_ERROR, "a question at the control socket failed: %s",
		             lua_tostring(L, -1));
	if (client != NULL)
		answer_error(client, "the question failed; the log says how");
	return 0;
}

// xpcall(handler, on_failure, client, line) in a coroutine.
static int call_handler(lua_State *L)
{
	struct client *client = lua_touserdata(L, 1);
	struct control *control = client->control;
	lua_rawgeti(L, LUA_REGISTRYINDEX, control->guard);
	lua_rawgeti(L, LUA_REGISTRYINDEX, control->handler);
	lua_rawgeti(L, LUA_REGISTRYINDEX, control->self);
	lua_pushnumber(L, client->id);
	lua_pushcclosure(L, on_failure, 2);
	lua_pushnumber(L, client->id);
	lua_pushlstring(L, client->line, client->len);
	mp_runtime_start(control->runtime, L, 4);
	return 0;
}

static void ask_handler(struct client *client, uint32_t line_len)
{
	uint32_t whole = client->len;
	client->len = line_len - 1;
	client->answering = true;
	bool started = mp_runtime_protect(client->control->runtime, call_handler, client, 0) != NULL;
	client->len = whole - line_len;
	memmove(client->line, client->line + line_len, client->len);
	if (!started)
		turn_away(client, "out of memory");
	else
		(void)wait_for(client, ANSWER_MS);
}

// What stands behind the line belongs to the next question, which waits for this answer.
static void take_line(struct client *client)
{
	const char *end = memchr(client->line, '\n', client->len);
	if (end != NULL) {
		mp_sock_read_stop(client->sock);
		ask_handler(client, (uint32_t)(end - client->line) + 1);
	} else if (client->len == LINE_MAX_LEN) {
		turn_away(client, "a line has at most 4096 bytes");
	} else if (client->ended && client->len > 0) {
		turn_away(client, "the line has no end");
	} else if (client->ended) {
		drop(client);
	} else {
		mp_sock_read_start(client->sock);
	}
}

static void on_read(void *data, const uint8_t *bytes, size_t len)
{
	struct client *client = data;
	size_t room = LINE_MAX_LEN - client->len;
	size_t taken = len < room ? len : room;
	memcpy(client->line + client->len, bytes, taken);
	client->len += (uint32_t)taken;
	if (len > room && memchr(client->line, '\n', client->len) == NULL)
		turn_away(client, "a line has at most 4096 bytes");
	else if (len > room)
		turn_away(client, "too much came at once: a question waits for the answer to the one before");
	else if (!client->answering)
		take_line(client);
}

static void on_end(void *data, int rc)
{
	struct client *client = data;
	client->ended = true;
	if (rc != MP_EEOF)
		drop(client);
	else if (!client->answering)
		take_line(client);
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
		uint64_t now_ms = mp_loop_now_ms(mp_runtime_loop(client->control->runtime));
		uint64_t left_ms = client->take_until_ms > now_ms ? client->take_until_ms - now_ms : 0;
		(void)wait_for(client, left_ms < PATIENCE_MS ? left_ms : PATIENCE_MS);
		return;
	}
	mp_buf_deinit(&client->reply); // it may have been a large one
	mp_buf_init(&client->reply);
	client->sent = 0;
	client->answering = false;
	if (wait_for(client, PATIENCE_MS))
		take_line(client);
}

static void answer(struct client *client, const char *text, size_t len)
{
	mp_buf_bytes(&client->reply, text, len);
	mp_buf_u8(&client->reply, '\n');
	if (mp_buf_status(&client->reply) != 0) {
		mp_buf_clear(&client->reply);
		turn_away(client, "out of memory");
		return;
	}
	client->take_until_ms = mp_loop_now_ms(mp_runtime_loop(client->control->runtime)) + ANSWER_MS;
	write_on(client);
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
	bool full = control->clients.count == CLIENTS_MAX;
	struct client *client = full ? NULL : mp_calloc(1, sizeof(*client));
	if (client == NULL) {
		say_why(sock, full ? "sixteen clients are served already" : "out of memory");
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
	(void)wait_for(client, PATIENCE_MS);
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
	case MP_ELOCAL: return "no descriptor is free for it (ulimit -n), or no memory";
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
	*control = (struct control){
		.runtime = mp_runtime_of(L), .handler = LUA_NOREF, .self = LUA_NOREF, .guard = LUA_NOREF};
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
	lua_pushvalue(L, -1);
	control->self = luaL_ref(L, LUA_REGISTRYINDEX);
	luaL_getmetafield(L, -1, "guard");
	control->guard = luaL_ref(L, LUA_REGISTRYINDEX);
	control->guest.end = end_guest;
	mp_runtime_add_guest(control->runtime, &control->guest);
	return 1;
}

static int close_server(lua_State *L)
{
	struct control *control = luaL_checkudata(L, 1, CONTROL);
	close_control(control);
	luaL_unref(L, LUA_REGISTRYINDEX, control->handler);
	luaL_unref(L, LUA_REGISTRYINDEX, control->self);
	luaL_unref(L, LUA_REGISTRYINDEX, control->guard);
	control->handler = control->self = control->guard = LUA_NOREF;
	return 0;
}

// replyControl(server, client, text): one line. true; or nil and a message, when the text is too long, and then the
// client gets an error. A client that has gone gets nothing.
static int reply_control(lua_State *L)
{
	struct control *control = luaL_checkudata(L, 1, CONTROL);
	size_t len;
	const char *text = luaL_checklstring(L, 3, &len);
	struct client *client = client_of(control, (uint32_t)luaL_checknumber(L, 2));
	if (client != NULL && len <= MP_CONTROL_ANSWER_MAX)
		answer(client, text, len);
	else if (client != NULL)
		answer_error(client, "the answer is too long");
	if (len <= MP_CONTROL_ANSWER_MAX) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushnil(L);
	lua_pushliteral(L, "the answer is too long");
	return 2;
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
	lua_getglobal(L, "xpcall");
	lua_setfield(L, -2, "guard");
	lua_pop(L, 1);
	luaL_setfuncs(L, functions, 0);
	lua_pushnumber(L, MP_CONTROL_ANSWER_MAX);
	lua_setfield(L, -2, "controlAnswerMax");
}
