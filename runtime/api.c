// SPDX-License-Identifier: Apache-2.0
// The C API: loops, sessions, errors. A configuration is evaluated in a Lua state of its own, which is gone before the
// session opens its first connection; policies live in theirs.
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <sys/random.h>

#include "api_internal.h"
#include "base/mem.h"
#include "script/home.h"

const char *moonpool_version(void)
{
	return MOONPOOL_VERSION;
}

uint64_t moonpool_allocations(void)
{
	return mp_mem_stats().allocs;
}

// ---- errors -----------------------------------------------------------------------------------------------------

static const struct mp_error *error_of(const struct moonpool_error *error)
{
	return (const struct mp_error *)error;
}

const char *moonpool_code_name(int code)
{
	return mp_err_name(code);
}

const char *moonpool_code_text(int code)
{
	return mp_err_text(code);
}

int moonpool_error_code(const struct moonpool_error *error)
{
	return error_of(error)->err;
}

const char *moonpool_error_name(const struct moonpool_error *error)
{
	return mp_error_code(error_of(error));
}

int32_t moonpool_error_server_code(const struct moonpool_error *error)
{
	return error_of(error)->server_code;
}

const char *moonpool_error_message(const struct moonpool_error *error)
{
	const char *message = error_of(error)->message;
	return message[0] != '\0' ? message : mp_err_text(error_of(error)->err);
}

const char *moonpool_error_host(const struct moonpool_error *error)
{
	return error_of(error)->host;
}

bool moonpool_error_maybe_applied(const struct moonpool_error *error)
{
	return error_of(error)->maybe_applied;
}

uint32_t moonpool_error_attempts(const struct moonpool_error *error)
{
	return error_of(error)->attempt_count;
}

int moonpool_error_attempt(const struct moonpool_error *error, uint32_t i, const char **host,
                           const char **message, uint32_t *ms)
{
	if (i >= error_of(error)->attempt_count)
		return MOONPOOL_INVALID_ARGUMENT;
	const struct mp_error_attempt *attempt = &error_of(error)->attempts[i];
	if (host != NULL)
		*host = attempt->host;
	if (message != NULL)
		*message = attempt->message;
	if (ms != NULL)
		*ms = attempt->ms;
	return 0;
}

// ---- loops ------------------------------------------------------------------------------------------------------

static struct mp_loop *loop_of(struct moonpool_loop *loop)
{
	return (struct mp_loop *)loop;
}

struct moonpool_loop *moonpool_loop_new(void *uv_loop)
{
	uint64_t seed = 0;
	while (getrandom(&seed, sizeof(seed), 0) < 0)
		mp_assert(errno == EINTR);
	return (struct moonpool_loop *)mp_loop_uv_new(uv_loop, seed);
}

void moonpool_loop_run(struct moonpool_loop *loop)
{
	mp_loop_run(loop_of(loop));
}

bool moonpool_loop_turn(struct moonpool_loop *loop, int wait_ms)
{
	return mp_loop_turn(loop_of(loop), wait_ms);
}

void moonpool_loop_stop(struct moonpool_loop *loop)
{
	mp_loop_stop(loop_of(loop));
}

void moonpool_loop_flush(struct moonpool_loop *loop)
{
	mp_loop_flush(loop_of(loop));
}

void moonpool_loop_free(struct moonpool_loop *loop)
{
	mp_loop_free(loop_of(loop));
}

// ---- opening ----------------------------------------------------------------------------------------------------

struct opening {
	struct moonpool_session *session;
	struct moonpool_loop *loop;
	const char *path; // or
	const char *text; // and
	const char *name;
	char *message;
	size_t message_size;
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
	if (mp_home_find(home, sizeof(home)) != 0)
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
	lua_call(L, 2, 2);
	if (lua_isnil(L, -2)) {
		snprintf(opening->message, opening->message_size, "%s", luaL_checkstring(L, -1));
		return 0;
	}
	warn(L, lua_gettop(L), loop_of(opening->loop));
	int rc = mp_engine_open(&opening->session->engine, L, lua_gettop(L) - 1, loop_of(opening->loop),
	                        opening->message, opening->message_size);
	lua_pushboolean(L, rc == 0);
	return 1;
}

static bool open_session(struct opening *opening)
{
	lua_State *L = luaL_newstate();
	if (L == NULL) {
		snprintf(opening->message, opening->message_size, "out of memory");
		return false;
	}
	lua_pushcfunction(L, open_protected);
	lua_pushlightuserdata(L, opening);
	bool ok = false;
	if (lua_pcall(L, 1, 1, 0) == 0) {
		ok = lua_toboolean(L, -1);
	} else {
		const char *why = lua_tostring(L, -1);
		snprintf(opening->message, opening->message_size, "%s",
		         why != NULL ? why : "the configuration failed");
	}
	lua_close(L);
	return ok;
}

static void reap(void *data)
{
	struct moonpool_session *session = data;
	moonpool_requests_deinit(session);
	mp_engine_free(&session->engine);
	mp_free(session->values);
	void (*on_closed)(void *) = session->on_closed;
	void *close_data = session->close_data;
	mp_free(session);
	if (on_closed != NULL)
		on_closed(close_data);
}

static struct moonpool_session *new_session(struct opening *opening)
{
	if (opening->message_size > 0)
		opening->message[0] = '\0';
	struct moonpool_session *session = mp_calloc(1, sizeof(*session));
	if (session == NULL) {
		snprintf(opening->message, opening->message_size, "out of memory");
		return NULL;
	}
	opening->session = session;
	if (!open_session(opening)) {
		mp_engine_free(&session->engine);
		mp_free(session);
		return NULL;
	}
	moonpool_requests_init(session);
	mp_task_init(&session->reap, reap, session);
	return session;
}

struct moonpool_session *moonpool_session_from_file(struct moonpool_loop *loop, const char *path,
                                                    char *message, size_t message_size)
{
	struct opening opening = {
		.loop = loop, .path = path, .name = "", .message = message, .message_size = message_size};
	return new_session(&opening);
}

struct moonpool_session *moonpool_session_from_text(struct moonpool_loop *loop, const char *text,
                                                    const char *name, char *message, size_t message_size)
{
	struct opening opening = {
		.loop = loop, .text = text, .name = name, .message = message, .message_size = message_size};
	return new_session(&opening);
}

// ---- life -------------------------------------------------------------------------------------------------------

static void connected(void *data, const struct mp_error *error)
{
	struct moonpool_session *session = data;
	session->connecting = false;
	session->on_connected(session->connect_data, (const struct moonpool_error *)error);
}

int moonpool_session_connect(struct moonpool_session *session,
                             void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	if (session->closing)
		return MOONPOOL_CLOSED;
	if (session->connecting || on_done == NULL)
		return MOONPOOL_INVALID_ARGUMENT;
	session->connecting = true;
	session->on_connected = on_done;
	session->connect_data = data;
	mp_session_connect(session->engine.session, connected, session);
	return 0;
}

static void closed(void *data)
{
	struct moonpool_session *session = data;
	mp_task_post(session->engine.loop, &session->reap, MP_PHASE_RUN);
}

void moonpool_session_close(struct moonpool_session *session, void (*on_closed)(void *data), void *data)
{
	mp_assert(!session->closing);
	session->closing = true;
	session->on_closed = on_closed;
	session->close_data = data;
	mp_session_close(session->engine.session, session->engine.close_drain_ms, closed, session);
}

void moonpool_session_stats(const struct moonpool_session *session, struct moonpool_stats *stats)
{
	struct mp_session_stats from;
	mp_session_stats(session->engine.session, &from);
	const struct mp_hist *latency = mp_session_latency_us(session->engine.session);
	struct mp_policy_info policy = {0};
	(void)mp_script_policies_info(session->engine.policies, MP_POLICY_BALANCE,
	                              &policy); // false: C answers alone
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
		.latency_p50_us = mp_hist_quantile(latency, 0.5),
		.latency_p99_us = mp_hist_quantile(latency, 0.99),
		.policy_calls = policy.calls,
		.policy_fallbacks = from.policy_fallbacks,
		.policy_reloads = policy.reloads,
	};
}
