// SPDX-License-Identifier: Apache-2.0
// Errors as Lua sees them: a table that prints well. `code` is a name of base/err.h or the server's own
// ("UNAVAILABLE"), serverCode its number, attempts what was tried, maybeApplied whether the statement may have
// taken effect.
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text/nearest.h"
#include "base/text/redact.h"
#include "cluster/session.h"
#include "script/core.h"

#define ERROR     "moonpool.error"
#define NO_MEMORY "moonpool.noMemory"

#define USER_LEVEL 2 // 0: the C function, 1: its wrapper in lua/moonpool/

int mp_lua_raise(lua_State *L, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	mp_redact_line(text);
	luaL_where(L, USER_LEVEL);
	lua_pushstring(L, text);
	lua_concat(L, 2);
	return lua_error(L);
}

int mp_lua_raise_unknown(lua_State *L, struct mp_str given, const char *const *names, size_t count,
                         const char *format, ...)
{
	char text[768];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text) / 2, format, args);
	va_end(args);
	mp_nearest_tell(text, sizeof(text), given, names, count);
	luaL_where(L, USER_LEVEL);
	lua_pushstring(L, text);
	lua_concat(L, 2);
	return lua_error(L);
}

void mp_lua_no_argument(lua_State *L, int index, const char *method)
{
	if (lua_type(L, index) > LUA_TNIL)
		mp_lua_raise(L, "'%s' takes no arguments, got %s", method, luaL_typename(L, index));
}

// `self` is not counted, as it is not seen in pool:method().
int mp_lua_bad_argument(lua_State *L, const char *method, int arg, const char *name, const char *expected)
{
	return mp_lua_raise(L, "bad argument #%d to '%s' (%s: %s expected, got %s)", arg - 1, method, name,
	                    expected, luaL_typename(L, arg));
}

static void push_attempts(lua_State *L, const struct mp_error *error)
{
	lua_createtable(L, (int)error->attempt_count, 0);
	for (uint32_t i = 0; i < error->attempt_count; i++) {
		const struct mp_error_attempt *attempt = &error->attempts[i];
		lua_createtable(L, 0, 4);
		lua_pushstring(L, attempt->host);
		lua_setfield(L, -2, "host");
		lua_pushstring(L, attempt->server_code >= 0 ? mp_server_error_name(attempt->server_code)
		                                            : mp_err_name(attempt->err));
		lua_setfield(L, -2, "code");
		lua_pushstring(L, attempt->message[0] != '\0' ? attempt->message : mp_err_text(attempt->err));
		lua_setfield(L, -2, "error");
		lua_pushnumber(L, attempt->ms);
		lua_setfield(L, -2, "ms");
		lua_rawseti(L, -2, (int)i + 1);
	}
}

void mp_lua_push_error(lua_State *L, const struct mp_error *error)
{
	lua_createtable(L, 0, 8);
	lua_pushstring(L, mp_error_code(error));
	lua_setfield(L, -2, "code");
	if (error->server_code >= 0) {
		lua_pushnumber(L, error->server_code);
		lua_setfield(L, -2, "serverCode");
	}
	// With one attempt the server's own words say it all; the host stands beside them.
	const char *message = error->message;
	if (error->attempt_total == 1 && error->err == MP_ESERVER && error->attempts[0].message[0] != '\0')
		message = error->attempts[0].message;
	lua_pushstring(L, message[0] != '\0' ? message : mp_err_text(error->err));
	lua_setfield(L, -2, "message");
	if (error->host[0] != '\0') {
		lua_pushstring(L, error->host);
		lua_setfield(L, -2, "host");
	}
	push_attempts(L, error);
	lua_setfield(L, -2, "attempts");
	if (error->attempt_total > error->attempt_count) {
		lua_pushnumber(L, error->attempt_total);
		lua_setfield(L, -2, "attemptTotal");
	}
	lua_pushboolean(L, error->maybe_applied);
	lua_setfield(L, -2, "maybeApplied");
	luaL_getmetatable(L, ERROR);
	lua_setmetatable(L, -2);
}

static void push_local(lua_State *L, int err, const char *format, va_list args)
{
	struct mp_error error = {.err = err, .server_code = -1};
	vsnprintf(error.message, sizeof(error.message), format, args);
	mp_redact_line(error.message);
	mp_lua_push_error(L, &error);
}

void mp_lua_push_local_error(lua_State *L, int err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	push_local(L, err, format, args);
	va_end(args);
}

int mp_lua_fail(lua_State *L, int err, const char *format, ...)
{
	lua_pushnil(L);
	va_list args;
	va_start(args, format);
	push_local(L, err, format, args);
	va_end(args);
	return 2;
}

static const char *field(lua_State *L, int index, const char *name)
{
	lua_getfield(L, index, name);
	const char *text = lua_tostring(L, -1);
	return text != NULL ? text : "?"; // stays on the stack, so alive
}

// "UNAVAILABLE: Cannot achieve consistency level QUORUM (127.0.0.1:9042; may have been applied)", then a line for each
// attempt when there was more than one.
static int error_tostring(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	const char *code = field(L, 1, "code");
	const char *message = field(L, 1, "message");
	lua_getfield(L, 1, "host");
	lua_getfield(L, 1, "maybeApplied");
	const char *host = lua_tostring(L, 4);
	if (host != NULL && strstr(message, host) != NULL)
		host = NULL; // the message names it
	bool maybe = lua_toboolean(L, 5);
	lua_pushfstring(L, "%s: %s", code, message);
	if (host != NULL || maybe)
		lua_pushfstring(L, " (%s%s%s)", host != NULL ? host : "", host != NULL && maybe ? "; " : "",
		                maybe ? "may have been applied" : "");
	else
		lua_pushliteral(L, "");
	lua_concat(L, 2);
	lua_getfield(L, 1, "attempts");
	size_t count = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
	if (count < 2) {
		lua_pop(L, 1);
		return 1;
	}
	for (size_t i = 1; i <= count; i++) {
		lua_rawgeti(L, 7, (int)i);
		if (lua_istable(L, -1)) {
			const char *tried = field(L, 8, "host");
			const char *why = field(L, 8, "code");
			const char *said = field(L, 8, "error");
			const char *ms = field(L, 8, "ms");
			lua_pushfstring(L, "%s\n  %s: %s: %s (after %s ms)", lua_tostring(L, 6), tried, why, said, ms);
			lua_replace(L, 6);
		}
		lua_settop(L, 7);
	}
	lua_settop(L, 6);
	return 1;
}

const char *mp_lua_push_error_text(lua_State *L, int index)
{
	if (index < 0)
		index = lua_gettop(L) + index + 1;
	if (luaL_getmetafield(L, index, "__tostring")) { // which is the raiser's: it may raise as well
		lua_pushvalue(L, index);
		(void)lua_pcall(L, 1, 1, 0);
	} else if (lua_istable(L, index)) {
		lua_pushliteral(L, "message");
		lua_rawget(L, index);
	} else {
		lua_pushvalue(L, index);
	}
	if (!lua_isstring(L, -1)) {
		lua_pop(L, 1);
		lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, index));
	}
	return lua_tostring(L, -1);
}

// errorText(value): the same.
int mp_core_error_text(lua_State *L)
{
	lua_settop(L, 1);
	mp_lua_push_error_text(L, 1);
	return 1;
}

void mp_lua_push_no_memory(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, NO_MEMORY);
}

int mp_lua_fail_no_memory(lua_State *L)
{
	lua_pushnil(L);
	mp_lua_push_no_memory(L);
	return 2;
}

int mp_lua_raise_no_memory(lua_State *L)
{
	mp_lua_push_no_memory(L);
	return lua_error(L);
}

// moonpool.error(code, message): an `err` of the same kind for the Lua files of the runtime.
int mp_core_error(lua_State *L)
{
	const char *code = luaL_checkstring(L, 1);
	const char *message = luaL_checkstring(L, 2);
	struct mp_error error = {.err = MP_EINVAL, .server_code = -1};
	snprintf(error.message, sizeof(error.message), "%s", message);
	mp_redact_line(error.message);
	mp_lua_push_error(L, &error);
	lua_pushstring(L, code);
	lua_setfield(L, -2, "code");
	return 1;
}

void mp_lua_add_error(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"__tostring", error_tostring},
		{NULL, NULL},
	};
	luaL_newmetatable(L, ERROR);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "errorMetatable");
	mp_lua_push_local_error(L, MP_ENOMEM, "out of memory");
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "noMemory");
	lua_setfield(L, LUA_REGISTRYINDEX, NO_MEMORY);
	// The one list of codes, for programs that compare.
	lua_newtable(L);
#define X(sym, value, name, text) \
	lua_pushliteral(L, text);     \
	lua_setfield(L, -2, name);
	MP_ERRORS(X)
#undef X
	lua_setfield(L, -2, "errors");
}
