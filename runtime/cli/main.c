// SPDX-License-Identifier: Apache-2.0
// The executable: a LuaJIT with the runtime inside. The commands are Lua, in lua/moonpool/cli/; here stand only
// what Lua cannot do: find its own files, end in order on SIGINT and SIGTERM, and hear SIGHUP.
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/fork.h"
#include "cli/notify.h"
#include "cli/watchdog.h"
#include "policy/installation.h"
#include "script/core.h"
#include "script/memory.h"
#include "script/runtime.h"

#define SIGNAL_CHECK_MS 50

#ifdef __SANITIZE_ADDRESS__
// os.exit(n) ends the process with its Lua states, where all can still be reached but for one block of each: LuaJIT's
// compiler knows its buffer of instructions by an address in front of it. lua_close() gives back whatever is Lua's;
// what is C's, a state that nobody knows among it, is looked for as ever.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:mp_lua_memory_alloc\nleak:vm_alloc\n";
}

const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}
#endif

// Written by the signal handlers, so they cannot hang from anything.
static volatile sig_atomic_t caught;
static volatile sig_atomic_t hung_up;
static uint32_t watching; // the process

// A child of fork() has nobody who looks at the flag: the second one, which is this one's, ends it.
static void on_signal(int number)
{
	if (mp_fork_generation() != watching) {
		signal(number, SIG_DFL);
		raise(number);
	}
	caught = number;
}

static void on_hangup_signal(int number)
{
	hung_up = number;
}

// Whoever started the process may have left the signal blocked.
static void watch(int number, void (*handler)(int number), int flags)
{
	struct sigaction action;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = flags;
	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

struct signals {
	struct mp_runtime *runtime;
	struct mp_runtime_guest guest;
	struct mp_timer timer;
};

static const char hangup_key = 'h';

// The function of onHangup, in a coroutine.
static int start_hangup(lua_State *L)
{
	struct signals *signals = lua_touserdata(L, 1);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&hangup_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	if (lua_isfunction(L, -1))
		mp_runtime_start(signals->runtime, L, 0);
	return 0;
}

static void check_signal(void *data)
{
	struct signals *signals = data;
	if (hung_up != 0) {
		hung_up = 0;
		(void)mp_runtime_protect(signals->runtime, start_hangup, signals, 0);
	}
	if (caught != 0)
		mp_runtime_stop(signals->runtime);
	else if (mp_timer_start_ms(&signals->timer, SIGNAL_CHECK_MS) != 0)
		mp_runtime_stop(signals->runtime);
}

static void stop_watching(struct mp_runtime_guest *guest)
{
	struct signals *signals = MP_CONTAINER_OF(guest, struct signals, guest);
	mp_timer_stop(&signals->timer);
	mp_watchdog_stop();
	mp_runtime_remove_guest(signals->runtime, guest);
}

// watchSignals(quit, too): from now on they end core.run and core.settle, and what holds up the loop is told.
static int watch_signals(lua_State *L)
{
	bool and_quit = lua_toboolean(L, 1) != 0;
	struct signals *signals = lua_newuserdata(L, sizeof(*signals));
	memset(signals, 0, sizeof(*signals));
	lua_pushlightuserdata(L, signals); // kept for as long as the state lives
	lua_pushvalue(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
	signals->runtime = mp_runtime_of(L);
	signals->guest.end = stop_watching;
	mp_runtime_add_guest(signals->runtime, &signals->guest);
	mp_timer_init(&signals->timer, mp_runtime_loop(signals->runtime), check_signal, signals);
	// The first of them ends the program in order; a second one of the same kind at once.
	watch(SIGINT, on_signal, (int)SA_RESETHAND);
	watch(SIGTERM, on_signal, (int)SA_RESETHAND);
	if (and_quit)
		watch(SIGQUIT, on_signal, (int)SA_RESETHAND);
	watching = mp_fork_generation();
	struct mp_loop *loop = mp_runtime_loop(signals->runtime);
	if (mp_watchdog_start(mp_loop_beat(loop), STDERR_FILENO) != 0)
		mp_log_write(mp_loop_log(loop), MP_LOG_WARN, "nobody watches for what holds up the loop");
	check_signal(signals);
	return 0;
}

// onHangup(function): called in a coroutine for each SIGHUP from now on, while signals are watched.
static int on_hangup(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&hangup_key);
	lua_insert(L, 1);
	lua_rawset(L, LUA_REGISTRYINDEX);
	watch(SIGHUP, on_hangup_signal, SA_RESTART);
	return 0;
}

static int user_id(lua_State *L)
{
	lua_pushnumber(L, geteuid());
	return 1;
}

// isTerminal(): a person reads what is printed, and types.
static int is_terminal(lua_State *L)
{
	lua_pushboolean(L, isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1);
	return 1;
}

// suspend(): as Ctrl-Z does where a program reads that key itself.
static int suspend(lua_State *L)
{
	(void)L;
	raise(SIGTSTP);
	return 0;
}

// The number of the signal that was caught, or nil.
static int caught_signal(lua_State *L)
{
	if (caught == 0)
		return 0;
	lua_pushinteger(L, caught);
	return 1;
}

// setenv(name, value): for the program's own environment, unless it is set.
static int cli_setenv(lua_State *L)
{
	lua_pushboolean(L, setenv(luaL_checkstring(L, 1), luaL_checkstring(L, 2), 0) == 0);
	return 1;
}

// notify(state): to systemd, if it listens.
static int cli_notify(lua_State *L)
{
	mp_notify(luaL_checkstring(L, 1));
	return 0;
}

// watchdogMs(): how often systemd wants a sign of life; 0: it does not.
static int cli_watchdog_ms(lua_State *L)
{
	lua_pushnumber(L, mp_notify_watchdog_ms());
	return 1;
}

static int open_cli(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"watchSignals", watch_signals},
		{"caughtSignal", caught_signal},
		{"onHangup", on_hangup},
		{"userId", user_id},
		{"setenv", cli_setenv},
		{"notify", cli_notify},
		{"watchdogMs", cli_watchdog_ms},
		{"isTerminal", is_terminal},
		{"suspend", suspend},
		{NULL, NULL},
	};
	luaL_newlib(L, functions);
	return 1;
}

static void preload(lua_State *L, const char *name, lua_CFunction open)
{
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "preload");
	lua_pushcfunction(L, open);
	lua_setfield(L, -2, name);
	lua_pop(L, 2);
}

// Libraries were opened without the environment, so this is where the system keeps modules: it stays in reach of the
// commands' own (argparse, cjson) whatever a user puts before it.
static void set_path(lua_State *L, const char *field, const char *variable, const char *own)
{
	const char *given = getenv(variable);
	int top = lua_gettop(L);
	lua_getglobal(L, "package");
	lua_getfield(L, -1, field);
	const char *standard = lua_tostring(L, -1);
	bool is_given = given != NULL && given[0] != '\0';
	const char *before = is_given ? luaL_gsub(L, given, ";;", ";") : "";
	lua_pushfstring(L, "%s%s%s%s", own, before, is_given ? ";" : "", standard);
	lua_setfield(L, top + 1, field);
	lua_settop(L, top);
}

static void open_libraries(lua_State *L)
{
	lua_pushboolean(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
	luaL_openlibs(L);
	lua_pushnil(L);
	lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
}

static int start(lua_State *L)
{
	char home[PATH_MAX];
	open_libraries(L);
	if (mp_installation_find(home, sizeof(home)) != 0)
		return luaL_error(L, "moonpool: its Lua files were not found (MOONPOOL_HOME may name their folder)");
	set_path(L, "path", "LUA_PATH", lua_pushfstring(L, "%s/lua/?.lua;%s/lua/?/init.lua;", home, home));
	set_path(L, "cpath", "LUA_CPATH", "");
	preload(L, "moonpool.core", luaopen_moonpool_core);
	preload(L, "moonpool.cli_core", open_cli);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "moonpool.cli");
	lua_call(L, 1, 1);
	lua_insert(L, 1); // main(arguments): the exit status
	lua_settop(L, 2);
	lua_call(L, 1, 1);
	return 1;
}

int main(int argc, char **argv)
{
	mp_descriptor_fill_standard();
	signal(SIGPIPE, SIG_IGN);
	struct mp_lua_memory memory;
	mp_lua_memory_init(&memory);
	lua_State *L = lua_newstate(mp_lua_memory_alloc, &memory);
	if (L == NULL) {
		fputs("moonpool: out of memory\n", stderr);
		return EXIT_FAILURE;
	}
	lua_pushcfunction(L, start);
	lua_createtable(L, argc, 0);
	for (int i = 1; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i);
	}
	int status = EXIT_FAILURE;
	if (lua_pcall(L, 1, 1, 0) == 0) {
		status = (int)lua_tointeger(L, -1);
	} else {
		const char *why = lua_tostring(L, -1);
		fprintf(stderr, "%s\n", why != NULL ? why : "moonpool: failed");
	}
	lua_close(L);
	mp_lua_memory_deinit(&memory);
	return status;
}
