// SPDX-License-Identifier: Apache-2.0
// The clients of a control socket and their bounds: who comes in, how long a line is, how long anybody may take.
//
//   one client:  READING --a line--> ANSWERING --reply--> WRITING --all taken--> READING
//                   |                    |                   |
//                   +-- too long, too slow, failed, gone ----+--> closed
//
// A client always leaves its place: each state has a timer, a handler that fails is an answer, and those who went
// while their answer was being made give way when somebody else comes. Whoever is turned away is told why.
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "script/control.h"

#define LINE_MAX_LEN      4096u // with its end
#define CLIENTS_MAX       16u
#define PATIENCE_MS       10000u // for a line, and between two parts of an answer that is taken
#define COMPLAIN_EVERY_MS 1000u
#define WHY_MAX_LEN       160

struct mp_control_client {
	struct mp_list_node node;
	struct mp_control *control;
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

static void drop(struct mp_control_client *client)
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
static void turn_away(struct mp_control_client *client, const char *why)
{
	if (client->reply.len == 0)
		say_why(client->sock, why);
	drop(client);
}

static void lose_patience(void *data)
{
	struct mp_control_client *client = data;
	turn_away(client, client->answering ? "there is no answer yet" : "no line came within ten seconds");
}

static bool wait_for(struct mp_control_client *client, uint64_t ms)
{
	if (mp_timer_start_ms(&client->timer, ms) == 0)
		return true;
	turn_away(client, "out of memory");
	return false;
}

static struct mp_control_client *first_of(struct mp_control *control)
{
	struct mp_list_node *node = mp_list_first(&control->clients);
	return node != NULL ? MP_CONTAINER_OF(node, struct mp_control_client, node) : NULL;
}

static struct mp_control_client *next_of(struct mp_control_client *client)
{
	struct mp_list_node *node = mp_list_next(&client->control->clients, &client->node);
	return node != NULL ? MP_CONTAINER_OF(node, struct mp_control_client, node) : NULL;
}

struct mp_control_client *mp_control_waiting(struct mp_control *control, uint32_t id)
{
	struct mp_control_client *client = first_of(control);
	while (client != NULL && client->id != id)
		client = next_of(client);
	if (client == NULL || !client->answering || client->reply.len > 0)
		return NULL;
	if (!mp_sock_is_abandoned(client->sock))
		return client;
	drop(client);
	return NULL;
}

// Those who went while their answers are being made.
static void drop_abandoned(struct mp_control *control)
{
	for (struct mp_control_client *client = first_of(control), *next; client != NULL; client = next) {
		next = next_of(client);
		if (client->answering && mp_sock_is_abandoned(client->sock))
			drop(client);
	}
}

void mp_control_drop_clients(struct mp_control *control)
{
	while (first_of(control) != NULL)
		drop(first_of(control));
}

static void answer_error(struct mp_control_client *client, const char *why)
{
	char line[WHY_MAX_LEN];
	mp_control_answer(client, line, write_why(line, why));
}

// In the place of an answer, from the coroutine of a handler that raised an error: the message at 1.
static int on_failure(lua_State *L)
{
	struct mp_control *control = lua_touserdata(L, lua_upvalueindex(1));
	struct mp_control_client *client =
		mp_control_waiting(control, (uint32_t)lua_tonumber(L, lua_upvalueindex(2)));
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
	struct mp_control_client *client = lua_touserdata(L, 1);
	struct mp_control *control = client->control;
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

static void ask_handler(struct mp_control_client *client, uint32_t line_len)
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
		(void)wait_for(client, client->control->answer_ms);
}

// What stands behind the line belongs to the next question, which waits for this answer.
static void take_line(struct mp_control_client *client)
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
	struct mp_control_client *client = data;
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
	struct mp_control_client *client = data;
	client->ended = true;
	if (rc != MP_EEOF)
		drop(client);
	else if (!client->answering)
		take_line(client);
}

static void write_on(struct mp_control_client *client)
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

void mp_control_answer(struct mp_control_client *client, const char *text, size_t len)
{
	if (len > MP_CONTROL_ANSWER_MAX) {
		answer_error(client, "the answer is too long");
		return;
	}
	mp_buf_bytes(&client->reply, text, len);
	mp_buf_u8(&client->reply, '\n');
	if (mp_buf_status(&client->reply) != 0) {
		mp_buf_clear(&client->reply);
		turn_away(client, "out of memory");
		return;
	}
	client->take_until_ms =
		mp_loop_now_ms(mp_runtime_loop(client->control->runtime)) + client->control->answer_ms;
	write_on(client);
}

static void on_writable(void *data)
{
	struct mp_control_client *client = data;
	if (client->answering && client->reply.len > 0)
		write_on(client);
}

void mp_control_on_accept(void *data, struct mp_sock *sock)
{
	static const struct mp_sock_events events = {
		.on_read = on_read,
		.on_end = on_end,
		.on_writable = on_writable,
	};
	struct mp_control *control = data;
	if (control->clients.count == CLIENTS_MAX)
		drop_abandoned(control);
	bool full = control->clients.count == CLIENTS_MAX;
	struct mp_control_client *client = full ? NULL : mp_calloc(1, sizeof(*client));
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
