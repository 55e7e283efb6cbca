// SPDX-License-Identifier: Apache-2.0
// A question at another process's control socket: one line there, one line back, within a time.
#include <lauxlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "script/control.h"
#include "script/core.h"
#include "script/runtime.h"

struct question {
	struct mp_runtime *runtime;
	struct mp_runtime_guest guest;
	struct mp_waiter *waiter;
	struct mp_sock *sock;
	struct mp_timer timer;
	struct mp_buf line;   // to be sent
	struct mp_buf answer; // so far
	const char *why;      // there is none
	size_t sent;
};

static void free_question(struct question *question)
{
	mp_timer_stop(&question->timer);
	mp_sock_close(question->sock, false);
	mp_runtime_remove_guest(question->runtime, &question->guest);
	mp_buf_deinit(&question->line);
	mp_buf_deinit(&question->answer);
	mp_free(question);
}

static int push_answer(lua_State *L)
{
	struct question *question = lua_touserdata(L, 1);
	if (question->why == NULL)
		lua_pushlstring(L, (const char *)question->answer.data, question->answer.len);
	else
		lua_pushnil(L);
	lua_pushstring(L, question->why);
	return 2;
}

// With the answer, or with nil and the text; without memory for them with nil and the error that says so.
static void settle(struct question *question, const char *why)
{
	struct mp_waiter *waiter = question->waiter;
	question->why = why;
	mp_waiter_hand(waiter, push_answer, question);
	free_question(question);
	mp_waiter_resume(waiter, 2);
}

static void on_late(void *data)
{
	settle(data, "no answer in time");
}

static void on_answer(void *data, const uint8_t *bytes, size_t len)
{
	struct question *question = data;
	const uint8_t *end = memchr(bytes, '\n', len);
	mp_buf_bytes(&question->answer, bytes, end != NULL ? (size_t)(end - bytes) : len);
	if (mp_buf_status(&question->answer) != 0 || question->answer.len > MP_CONTROL_ANSWER_MAX)
		settle(question, "the answer is too long");
	else if (end != NULL)
		settle(question, NULL);
}

static void on_gone(void *data, int rc)
{
	(void)rc;
	settle(data, "the process closed the connection without an answer");
}

static void ask_on(void *data)
{
	struct question *question = data;
	struct mp_span span = {question->line.data + question->sent, question->line.len - question->sent};
	ptrdiff_t took = span.len > 0 ? mp_sock_writev(question->sock, &span, 1) : 0;
	if (took > 0)
		question->sent += (size_t)took;
	// A connection that is lost is told by on_gone.
}

static void end_question(struct mp_runtime_guest *guest)
{
	struct question *question = MP_CONTAINER_OF(guest, struct question, guest);
	struct mp_waiter *waiter = question->waiter;
	free_question(question);
	mp_waiter_resume(waiter, 0); // the runtime ends: it forgets the coroutine
}

static const char *why_no_answer(int err)
{
	switch (err) {
	case MP_ENOTFOUND: return "no process serves it";
	case MP_EREFUSED: return "no process serves it any more";
	case MP_EAUTH: return "it belongs to another user";
	case MP_ELOCAL: return "no descriptor is free (ulimit -n), or no memory";
	case MP_ETOOBIG: return "a path of 1 to 107 bytes expected";
	default: return mp_err_text(err);
	}
}

// askControl(path, line, milliseconds): the answer, or nil and why there is none.
int mp_core_ask_control(lua_State *L)
{
	static const struct mp_sock_events events = {
		.on_read = on_answer,
		.on_end = on_gone,
		.on_writable = ask_on,
	};
	const char *path = luaL_checkstring(L, 1);
	size_t len;
	const char *line = luaL_checklstring(L, 2, &len);
	double ms = luaL_checknumber(L, 3);
	struct mp_runtime *runtime = mp_runtime_of(L);
	struct question *question = mp_runtime_check(runtime, L) == 0 ? mp_calloc(1, sizeof(*question)) : NULL;
	if (question == NULL)
		return mp_lua_fail_no_memory(L);
	question->runtime = runtime;
	mp_buf_init(&question->line);
	mp_buf_init(&question->answer);
	mp_buf_bytes(&question->line, line, len);
	mp_buf_u8(&question->line, '\n');
	mp_timer_init(&question->timer, mp_runtime_loop(runtime), on_late, question);
	int err = mp_buf_status(&question->line);
	if (err == 0)
		question->sock = mp_loop_connect_local(mp_runtime_loop(runtime), path, &events, question, &err);
	if (question->sock != NULL && mp_timer_start_ms(&question->timer, (uint64_t)ms) != 0) {
		mp_sock_close(question->sock, false);
		question->sock = NULL;
		err = MP_ENOMEM;
	}
	if (question->sock == NULL) {
		mp_buf_deinit(&question->line);
		mp_free(question);
		lua_pushnil(L);
		lua_pushstring(L, why_no_answer(err));
		return 2;
	}
	question->guest.end = end_question;
	mp_runtime_add_guest(runtime, &question->guest);
	question->waiter = mp_runtime_register(runtime);
	ask_on(question);
	return mp_runtime_yield(runtime);
}
