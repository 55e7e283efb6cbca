// SPDX-License-Identifier: Apache-2.0
// A program that a coroutine waits for: its arguments as they are, never through a shell; what it prints up to a bound;
// its end within a time, or it is killed with its group.
//
//   READING --the stream ends--> REAPING --it has ended--> settled        too late: killed, from each of them
#include <lauxlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "script/core.h"
#include "script/runtime.h"

#define ARGUMENTS_MAX 64
#define OUTPUT_MAX    65536u // what is printed beyond is read and dropped
#define REAP_MS       5      // between two looks at a program whose stream has ended
#define HOUR_MS       3600000.0

struct command {
	struct mp_runtime *runtime;
	struct mp_runtime_guest guest;
	struct mp_waiter *waiter;
	struct mp_sock *sock; // NULL: the stream has ended
	struct mp_timer limit, poll;
	struct mp_buf input, output;
	size_t sent;
	size_t dropped; // of the output
	int32_t pid;
	int status, signal;
	bool late;
};

static void free_command(struct command *command)
{
	mp_timer_stop(&command->limit);
	mp_timer_stop(&command->poll);
	if (command->sock != NULL)
		mp_sock_close(command->sock, false);
	mp_runtime_remove_guest(command->runtime, &command->guest);
	mp_buf_deinit(&command->input);
	mp_buf_deinit(&command->output);
	mp_free(command);
}

static int push_result(lua_State *L)
{
	struct command *command = lua_touserdata(L, 1);
	lua_createtable(L, 0, 5);
	if (command->status >= 0) {
		lua_pushinteger(L, command->status);
		lua_setfield(L, -2, "status");
	}
	if (command->signal >= 0) {
		lua_pushinteger(L, command->signal);
		lua_setfield(L, -2, "signal");
	}
	lua_pushlstring(L, (const char *)command->output.data, command->output.len);
	lua_setfield(L, -2, "output");
	lua_pushnumber(L, (double)command->dropped);
	lua_setfield(L, -2, "dropped");
	lua_pushboolean(L, command->late);
	lua_setfield(L, -2, "late");
	return 1;
}

static void settle(struct command *command)
{
	struct mp_waiter *waiter = command->waiter;
	lua_State *from = mp_runtime_protect(command->runtime, push_result, command, 1);
	lua_State *co = mp_waiter_state(waiter);
	free_command(command);
	if (from != NULL) {
		lua_xmove(from, co, 1);
		mp_waiter_resume(waiter, 1);
		return;
	}
	lua_pushnil(co);
	mp_lua_push_no_memory(co);
	mp_waiter_resume(waiter, 2);
}

static void reap(void *data)
{
	struct command *command = data;
	if (mp_process_ended(command->pid, &command->status, &command->signal))
		settle(command);
	else if (mp_timer_start_ms(&command->poll, REAP_MS) != 0) {
		mp_process_kill(command->pid);
		settle(command);
	}
}

static void on_read(void *data, const uint8_t *bytes, size_t len)
{
	struct command *command = data;
	size_t room = command->output.len < OUTPUT_MAX ? OUTPUT_MAX - command->output.len : 0;
	size_t kept = len < room ? len : room;
	mp_buf_bytes(&command->output, bytes, kept);
	command->dropped += len - kept;
}

static void on_end(void *data, int rc)
{
	(void)rc;
	struct command *command = data;
	mp_sock_close(command->sock, false);
	command->sock = NULL;
	reap(command);
}

// All that it is told, and then the end of it.
static void write_on(void *data)
{
	struct command *command = data;
	struct mp_span span = {command->input.data + command->sent, command->input.len - command->sent};
	ptrdiff_t took = span.len > 0 ? mp_sock_writev(command->sock, &span, 1) : 0;
	if (took < 0)
		return; // it does not read: its end is told by on_end
	command->sent += (size_t)took;
	if (command->sent == command->input.len)
		mp_sock_shutdown(command->sock);
}

static void on_late(void *data)
{
	struct command *command = data;
	command->late = true;
	mp_process_kill(command->pid);
	if (command->sock == NULL)
		return; // reap() is about to find it
	// Whoever left its group may hold the stream: nobody waits for that.
	mp_sock_close(command->sock, false);
	command->sock = NULL;
	reap(command);
}

static void end_guest(struct mp_runtime_guest *guest)
{
	struct command *command = MP_CONTAINER_OF(guest, struct command, guest);
	struct mp_waiter *waiter = command->waiter;
	if (!mp_process_ended(command->pid, &command->status, &command->signal))
		mp_process_kill(command->pid);
	free_command(command);
	mp_waiter_resume(waiter, 0); // the runtime ends: it forgets the coroutine
}

static const char *why_not(int err)
{
	switch (err) {
	case MP_ENOTFOUND: return "there is no such program";
	case MP_EAUTH: return "it may not be run";
	case MP_ETOOBIG: return "its arguments are too long";
	case MP_EUNSUPPORTED: return "there are no programs in a simulated world";
	case MP_ELOCAL: return "no descriptor or process is free, or no memory";
	default: return mp_err_text(err);
	}
}

// The texts of the list at index 1, ended by NULL. They live as long as the list.
static void read_arguments(lua_State *L, const char *argv[ARGUMENTS_MAX + 1])
{
	luaL_checktype(L, 1, LUA_TTABLE);
	size_t count = lua_objlen(L, 1);
	luaL_argcheck(L, count >= 1 && count <= ARGUMENTS_MAX, 1, "1 to 64 arguments, the program first");
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, 1, (int)i + 1);
		size_t len = 0;
		argv[i] = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
		luaL_argcheck(L, argv[i] != NULL && strlen(argv[i]) == len, 1, "texts without a NUL");
		lua_pop(L, 1);
	}
	argv[count] = NULL;
}

// command({ program, argument, ... }, milliseconds, input): waits for { status or signal, output, dropped, late }, or
// nil and why it was not run. `input` is a text that the program reads, or nil.
int mp_core_command(lua_State *L)
{
	static const struct mp_sock_events events = {
		.on_read = on_read,
		.on_end = on_end,
		.on_writable = write_on,
	};
	const char *argv[ARGUMENTS_MAX + 1];
	read_arguments(L, argv);
	double ms = luaL_checknumber(L, 2);
	luaL_argcheck(L, ms >= 1 && ms <= HOUR_MS, 2, "1 ms to an hour");
	size_t len = 0;
	const char *input = luaL_optlstring(L, 3, "", &len);
	struct mp_runtime *runtime = mp_runtime_of(L);
	struct command *command = mp_runtime_check(runtime, L) == 0 ? mp_calloc(1, sizeof(*command)) : NULL;
	if (command == NULL)
		return mp_lua_fail_no_memory(L);
	struct mp_loop *loop = mp_runtime_loop(runtime);
	command->runtime = runtime;
	mp_buf_init(&command->input);
	mp_buf_init(&command->output);
	mp_buf_bytes(&command->input, input, len);
	mp_timer_init(&command->limit, loop, on_late, command);
	mp_timer_init(&command->poll, loop, reap, command);
	int err = mp_buf_status(&command->input);
	if (err == 0)
		err = mp_timer_start_ms(&command->limit, (uint64_t)ms);
	if (err == 0)
		command->sock = mp_loop_spawn(loop, argv, &events, command, &command->pid, &err);
	if (command->sock == NULL) {
		mp_timer_stop(&command->limit);
		mp_buf_deinit(&command->input);
		mp_free(command);
		lua_pushnil(L);
		lua_pushstring(L, why_not(err));
		return 2;
	}
	command->guest.end = end_guest;
	mp_runtime_add_guest(runtime, &command->guest);
	command->waiter = mp_runtime_register(runtime);
	write_on(command);
	return mp_runtime_yield(runtime);
}
