// SPDX-License-Identifier: Apache-2.0
// What a worker is to the runtime: the home of its loop (pump.c), and the host of coroutines that belong to requests,
// timers and light threads of lua-nginx-module's (bell.c).
#include "nginx/worker.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <dlfcn.h>

#include "base/err.h"
#include "base/log.h"
#include "loop/loop.h"
#include "nginx/bell.h"
#include "nginx/pump.h"
#include "script/host.h"
#include "script/runtime.h"

// Of OpenResty's LuaJIT, which lua-nginx-module needs: whose coroutine this is.
extern void *lua_getexdata(lua_State *L) __attribute__((weak));
extern void lua_setexdata(lua_State *L, void *data) __attribute__((weak));
extern void *lua_getexdata2(lua_State *L) __attribute__((weak));
extern void lua_setexdata2(lua_State *L, void *data) __attribute__((weak));

static int (*get_phase)(void *r, char **why); // lua-nginx-module's

// ---- which coroutines may wait ----------------------------------------------------------------------------

static const struct {
	int bit;
	bool waits;
	const char *name;
} phases[] = {
	{0x0001, false, "set_by_lua*"},
	{0x0002, true, "rewrite_by_lua*"},
	{0x0004, true, "access_by_lua*"},
	{0x0008, true, "content_by_lua*"},
	{0x0010, false, "log_by_lua*"},
	{0x0020, false, "header_filter_by_lua*"},
	{0x0040, false, "body_filter_by_lua*"},
	{0x0080, true, "ngx.timer"},
	{0x0100, false, "init_worker_by_lua*"},
	{0x0200, false, "balancer_by_lua*"},
	{0x0400, true, "ssl_certificate_by_lua*"},
	{0x0800, false, "ssl_session_store_by_lua*"},
	{0x1000, true, "ssl_session_fetch_by_lua*"},
	{0x2000, false, "exit_worker_by_lua*"},
	{0x4000, true, "ssl_client_hello_by_lua*"},
	{0x8000, true, "server_rewrite_by_lua*"},
};

#define OUTSIDE                                                                                          \
	"this call waits, and here is no request, timer or light thread of nginx's that could: begin it in " \
	"ngx.timer.at(0, function() ... end), or with moonpool.spawn"

static const char *refuse_phase(int phase)
{
	static char text[160]; // until it is raised
	for (size_t i = 0; i < MP_ARRAY_LEN(phases); i++) {
		if (phases[i].bit != phase)
			continue;
		if (MP_LIKELY(phases[i].waits))
			return NULL;
		snprintf(
			text, sizeof(text),
			"this call waits, and nginx cannot wait in %s: begin it in ngx.timer.at(0, function() ... end)",
			phases[i].name);
		return text;
	}
	return OUTSIDE;
}

static const char *refuse(lua_State *L)
{
	void *r = lua_getexdata(L);
	char *why = NULL;
	if (r == NULL)
		return OUTSIDE;
	const char *text = refuse_phase(get_phase(r, &why));
	if (MP_LIKELY(text == NULL && lua_isyieldable(L)))
		return NULL;
	return text != NULL ? text : "";
}

static void *open_bell(void)
{
	return mp_bell_new();
}

static void close_bell(void *bell)
{
	mp_bell_free(bell);
}

static void wait_at(void *bell, lua_State *L)
{
	mp_bell_wait(bell, lua_getexdata(L));
}

static struct mp_runtime *of_worker; // the pump's
static size_t reaped;                // answers that nobody came for

static void reap(void)
{
	reaped += mp_runtime_reap(of_worker);
}

static bool ring(void *bell)
{
	if (!mp_bell_ring(bell))
		return false;
	mp_pump_after(reap);
	return true;
}

static bool is_waited_at(void *bell)
{
	return mp_bell_is_waited_at(bell);
}

// It would be taken for one of the request that was there when it was made.
static void made(lua_State *co)
{
	lua_setexdata(co, NULL);
	if (lua_setexdata2 != NULL)
		lua_setexdata2(co, NULL);
}

static const struct mp_host host = {
	.refuse = refuse,
	.open = open_bell,
	.close = close_bell,
	.wait = wait_at,
	.ring = ring,
	.waits = is_waited_at,
	.made = made,
};

// ---- the runtime of a worker ------------------------------------------------------------------------------

static void write_log(void *data, enum mp_log_level level, const char *line)
{
	(void)data;
	static const ngx_uint_t levels[] = {NGX_LOG_ERR, NGX_LOG_WARN, NGX_LOG_INFO, NGX_LOG_DEBUG};
	ngx_log_error(levels[level], ngx_cycle->log, 0, "moonpool: %s", line);
}

// Before anything is opened. At its first start the master is still a single process, but has no connections.
static void check_place(lua_State *L)
{
	bool is_worker = ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;
	if (!is_worker || ngx_cycle == NULL || ngx_cycle->connections == NULL)
		luaL_error(L, "a pool belongs to one worker, and this is the master of nginx: make it in "
		              "init_worker_by_lua* (moonpool.init_worker)");
	if (mp_pump_of_worker() != NULL)
		luaL_error(L, "moonpool serves another Lua state of this worker: it needs lua_code_cache on");
}

// What a worker that goes waits for. Coroutines that wait have timers of nginx's own, which go with them when they are
// killed; their seats stay a while.
static size_t requests(void *data)
{
	return mp_runtime_requests(data);
}

// Told to go at once, or held too long, or begun in exit_worker_by_lua*, behind which nothing turns the loop.
static void tell_dropped(struct mp_runtime *runtime)
{
	size_t count = mp_runtime_requests(runtime);
	if (count > 0)
		mp_log_write(mp_loop_log(mp_runtime_loop(runtime)), MP_LOG_WARN,
		             "the worker ends: %zu request%s in flight %s dropped, and what was sent may be applied",
		             count, count == 1 ? "" : "s", count == 1 ? "is" : "are");
}

static void end_runtime(void *data)
{
	lua_State *L = mp_runtime_state(data);
	tell_dropped(data);
	of_worker = NULL;
	mp_runtime_close(L);
}

static int start(lua_State *L, struct mp_runtime *runtime)
{
	(void)L;
	struct mp_log *log = mp_loop_log(mp_runtime_loop(runtime));
	log->sink = write_log;
	log->data = NULL;
	if (mp_pump_start(mp_runtime_loop(runtime), requests, end_runtime, runtime) == NULL)
		return MP_ELOCAL;
	of_worker = runtime;
	mp_runtime_set_host(runtime, &host);
	return 0;
}

static const struct mp_home home = {.check = check_place, .made = start};

// ---- loading ----------------------------------------------------------------------------------------------

// Structs of nginx's differ with its version and with what it was built with. For a module nginx looks itself; a
// library that was loaded by Lua has to.
static void check_nginx(lua_State *L)
{
	if (ngx_core_module.version != nginx_version)
		luaL_error(
			L,
			"moonpool was built for nginx %d, and this is nginx %d: build it against the headers of this one",
			(int)nginx_version, (int)ngx_core_module.version);
	if (strcmp(ngx_core_module.signature, NGX_MODULE_SIGNATURE) != 0)
		luaL_error(
			L,
			"moonpool was built for an nginx with other options (signature %s, this one has %s): build it "
			"against the headers of this one",
			NGX_MODULE_SIGNATURE, ngx_core_module.signature);
}

static void check_lua(lua_State *L)
{
	if (lua_getexdata == NULL || lua_setexdata == NULL)
		luaL_error(
			L, "moonpool in nginx needs the LuaJIT of OpenResty (libluajit2), this one lacks lua_getexdata");
	const char *missing = mp_bell_find();
	void *found = dlsym(RTLD_DEFAULT, "ngx_http_lua_ffi_get_phase");
	*(void **)(void *)&get_phase = found;
	if (missing == NULL && get_phase == NULL)
		missing = "ngx_http_lua_ffi_get_phase";
	if (missing != NULL)
		luaL_error(L, "moonpool needs lua-nginx-module with ngx.semaphore: there is no %s", missing);
}

static void set_count(lua_State *L, const char *name, double count)
{
	lua_pushnumber(L, count);
	lua_setfield(L, -2, name);
}

// counts(): what the pump and the seats have done in this worker, for operators and specs.
static int counts(lua_State *L)
{
	struct mp_pump_counts pump;
	struct mp_seats seats = {0};
	struct mp_loop_census open = {0};
	mp_pump_counts(&pump);
	if (of_worker != NULL) {
		mp_runtime_seats(of_worker, &seats);
		mp_loop_census(mp_runtime_loop(of_worker), &open);
	}
	lua_createtable(L, 0, 9);
	set_count(L, "turns", (double)pump.turns);
	set_count(L, "flushes", (double)pump.flushes);
	set_count(L, "wakes", (double)pump.wakes);
	set_count(L, "seats", (double)seats.all);
	set_count(L, "waiting", (double)seats.waiting);
	set_count(L, "answered", (double)seats.answered);
	set_count(L, "reaped", (double)reaped);
	set_count(L, "sockets", (double)open.sockets);
	set_count(L, "requests", of_worker != NULL ? (double)mp_runtime_requests(of_worker) : 0);
	return 1;
}

int luaopen_moonpool_nginx(lua_State *L)
{
	check_nginx(L);
	check_lua(L);
	mp_runtime_set_home(L, &home);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, counts);
	lua_setfield(L, -2, "counts");
	return 1;
}
