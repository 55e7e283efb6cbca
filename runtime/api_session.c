// SPDX-License-Identifier: Apache-2.0
// The C API: the life of a session. Its configuration is evaluated in a Lua state of its own, which is gone before the
// first connection is opened; policies live in theirs. A session may be closed at any time; its object is given back
// behind its last callback, so whoever still holds the handle is told that it is closed.
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "api_internal.h"
#include "base/text/redact.h"
#include "policy/installation.h"
#include "script/functions.h"

// ---- opening ----------------------------------------------------------------------------------------------

struct opening {
	struct mp_api_session *session;
	struct mp_loop *loop;
	const char *path; // or
	const char *text; // and
	const char *name;
	int code;
	char message[512];
};

// A list of warnings, whatever level the configuration asks for: a key without effect is never taken in silence.
static void warn(lua_State *L, int index, struct mp_loop *loop)
{
	for (int i = 1; i <= (int)lua_objlen(L, index); i++) {
		lua_getglobal(L, "tostring");
		lua_rawgeti(L, index, i);
		lua_call(L, 1, 1);
		mp_log_write(mp_loop_log(loop), MP_LOG_WARN, "%s", lua_tostring(L, -1));
		lua_pop(L, 1);
	}
}

// Protected: the configuration's own code runs in here.
static int open_protected(lua_State *L)
{
	struct opening *opening = lua_touserdata(L, 1);
	char home[PATH_MAX];
	luaL_openlibs(L);
	if (mp_installation_find(home, sizeof(home)) != 0)
		return luaL_error(L, "moonpool's Lua files were not found (MOONPOOL_HOME may name their folder)");
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "path");
	lua_pushfstring(L, "%s/lua/?.lua;%s/lua/?/init.lua;%s", home, home, lua_tostring(L, -1));
	lua_setfield(L, -3, "path");
	lua_getglobal(L, "require");
	lua_pushliteral(L, "moonpool.config");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, opening->path != NULL ? "check" : "check_text");
	lua_pushstring(L, opening->path != NULL ? opening->path : opening->text);
	lua_pushstring(L, opening->name);
	if (opening->path != NULL)
		lua_pushcfunction(L, mp_core_read_file);
	else
		lua_pushnil(L);
	lua_call(L, 3, 2);
	if (lua_isnil(L, -2)) {
		snprintf(opening->message, sizeof(opening->message), "%s", luaL_checkstring(L, -1));
		return 0;
	}
	warn(L, lua_gettop(L), opening->loop);
	opening->code = mp_engine_open(&opening->session->engine, L, lua_gettop(L) - 1, opening->loop,
	                               opening->message, sizeof(opening->message));
	return 0;
}

// 0, or a code and `message`.
static int evaluate(struct opening *opening)
{
	lua_State *L = luaL_newstate();
	opening->session->configuration = NULL;
	if (L == NULL)
		return MOONPOOL_NO_MEMORY;
	lua_pushcfunction(L, open_protected);
	lua_pushlightuserdata(L, opening);
	opening->code = MOONPOOL_CONFIG_ERROR;
	if (lua_pcall(L, 1, 0, 0) != 0) {
		const char *why = lua_tostring(L, -1);
		snprintf(opening->message, sizeof(opening->message), "%s",
		         why != NULL ? why : "the configuration failed");
		opening->code = MOONPOOL_CONFIG_ERROR;
	}
	struct mp_api_session *session = opening->session;
	if (opening->code != 0)
		mp_engine_free(&session->engine);
	session->configuration = session->engine.translator != NULL ? L : NULL;
	if (session->configuration == NULL)
		lua_close(L);
	mp_redact_line(opening->message);
	return opening->code;
}

void mp_api_session_forget(struct mp_api_session *session)
{
	if (session->configuration != NULL)
		lua_close(session->configuration);
	session->configuration = NULL;
}

static void reap(void *data);

static struct moonpool_session *make(struct opening *opening, struct mp_api_loop *loop)
{
	struct mp_api_session *session = mp_api_take(MP_API_SESSION, sizeof(*session));
	opening->code = MOONPOOL_NO_MEMORY;
	if (session == NULL)
		return NULL;
	opening->session = session;
	session->engine = (struct mp_engine){.loop = loop->loop};
	if (evaluate(opening) != 0) {
		mp_api_give(session);
		return NULL;
	}
	session->loop = loop;
	session->connecting = session->closing = false;
	mp_list_init(&session->statements);
	mp_list_init(&session->unsent);
	session->newest = NULL;
	mp_task_init(&session->reap, reap, session);
	mp_list_node_init(&session->node);
	mp_list_push_back(&loop->sessions, &session->node);
	return mp_api_handle(session);
}

static struct moonpool_session *open_session(struct opening *opening, struct moonpool_loop *handle,
                                             bool is_complete, char *message, size_t message_size,
                                             const char *function)
{
	struct mp_api_loop *loop = mp_api_loop_of(handle, function);
	struct moonpool_session *session = NULL;
	if (loop != NULL && !is_complete) {
		mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the configuration's path or text is NULL");
	} else if (loop != NULL) {
		opening->loop = loop->loop;
		session = make(opening, loop);
		if (session == NULL)
			mp_api_refuse_text(function, opening->code,
			                   opening->message[0] != '\0' ? opening->message : mp_err_text(opening->code));
	}
	if (message == NULL || message_size == 0)
		return session;
	message[0] = '\0';
	if (session == NULL && loop != NULL && opening->message[0] != '\0')
		snprintf(message, message_size, "%s", opening->message);
	else if (session == NULL)
		snprintf(message, message_size, "%s", moonpool_last_message());
	return session;
}

struct moonpool_session *moonpool_session_from_file(struct moonpool_loop *loop, const char *path,
                                                    char *message, size_t message_size)
{
	struct opening opening = {.path = path, .name = ""};
	return open_session(&opening, loop, path != NULL, message, message_size, __func__);
}

struct moonpool_session *moonpool_session_from_text(struct moonpool_loop *loop, const char *text,
                                                    const char *name, char *message, size_t message_size)
{
	struct opening opening = {.text = text, .name = name != NULL ? name : "configuration"};
	return open_session(&opening, loop, text != NULL, message, message_size, __func__);
}

// ---- life -------------------------------------------------------------------------------------------------

struct mp_api_session *mp_api_session_of(const struct moonpool_session *handle, const char *function)
{
	return mp_api_object(handle, MP_API_SESSION, MOONPOOL_CLOSED, function);
}

struct mp_api_session *mp_api_open_session(const struct moonpool_session *handle, const char *function)
{
	struct mp_api_session *session = mp_api_session_of(handle, function);
	if (session == NULL || !session->closing)
		return session;
	mp_api_refuse(function, MOONPOOL_CLOSED, "the session is being closed");
	return NULL;
}

static void connected(void *data, const struct mp_error *error)
{
	struct mp_api_session *session = data;
	struct mp_api_loop *loop = session->loop;
	session->connecting = false;
	if (!mp_api_enter(loop))
		return;
	mp_api_answer_begin(loop, NULL, error);
	session->on_connected(session->connect_data, mp_api_error(loop));
	mp_api_answer_end(loop);
	mp_api_leave(loop);
}

int moonpool_session_connect(struct moonpool_session *handle,
                             void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	struct mp_api_session *session = mp_api_open_session(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	if (on_done == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "the callback is NULL");
	if (session->connecting)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "the session is being connected already");
	session->connecting = true;
	session->on_connected = on_done;
	session->connect_data = data;
	mp_session_connect(session->engine.session, connected, session);
	return 0;
}

static void reap(void *data)
{
	struct mp_api_session *session = data;
	struct mp_api_loop *loop = session->loop;
	mp_api_requests_drop(session);
	while (session->statements.count > 0)
		mp_api_statement_drop(
			MP_CONTAINER_OF(mp_list_first(&session->statements), struct mp_api_statement, node));
	mp_engine_free(&session->engine);
	mp_api_session_forget(session);
	mp_list_remove(&loop->sessions, &session->node);
	void (*on_closed)(void *) = session->on_closed;
	void *close_data = session->close_data;
	mp_api_give(session);
	if (on_closed == NULL || !mp_api_enter(loop))
		return;
	on_closed(close_data);
	mp_api_leave(loop);
}

static void closed(void *data)
{
	struct mp_api_session *session = data;
	mp_task_post(session->engine.loop, &session->reap, MP_PHASE_RUN);
}

int moonpool_session_close(struct moonpool_session *handle, void (*on_closed)(void *data), void *data)
{
	struct mp_api_session *session = mp_api_open_session(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	session->closing = true;
	session->on_closed = on_closed;
	session->close_data = data;
	mp_session_close(session->engine.session, session->engine.close_drain_ms, closed, session);
	return 0;
}

// ---- looking ----------------------------------------------------------------------------------------------

static void fill(const struct mp_engine *engine, struct moonpool_stats *stats)
{
	struct mp_session_stats from;
	mp_session_stats(engine->session, &from);
	struct mp_figures figures;
	mp_session_figures(engine->session, &figures);
	struct mp_policy_info policy = {0};
	(void)mp_policies_info(engine->policies, MP_POLICY_BALANCE, &policy); // false: C answers alone
	*stats = (struct moonpool_stats){
		.connections_total = from.connections_total,
		.connections_active = from.connections_active,
		.connections_idle = from.connections_idle,
		.requests_in_flight = from.requests_in_flight,
		.requests_queued = from.requests_queued,
		.hosts_total = from.hosts_total,
		.hosts_up = from.hosts_up,
		.hosts_down = from.hosts_down,
		.connection_errors = from.connection_errors,
		.requests = from.requests,
		.errors = from.errors,
		.attempts = from.attempts,
		.retries = from.retries,
		.timeouts = from.timeouts,
		.latency_p50_us = (uint64_t)(figures.p50_ms * 1000),
		.latency_p99_us = (uint64_t)(figures.p99_ms * 1000),
		.policy_calls = policy.calls,
		.policy_fallbacks = from.policy_fallbacks,
		.policy_reloads = policy.reloads,
	};
}

int moonpool_session_stats(const struct moonpool_session *handle, struct moonpool_stats *stats)
{
	if (stats == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "the place for the figures is NULL");
	*stats = (struct moonpool_stats){0};
	const struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	fill(&session->engine, stats);
	return 0;
}
