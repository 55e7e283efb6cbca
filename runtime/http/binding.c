// SPDX-License-Identifier: Apache-2.0
// listen(host, port or nil, handler): a server, or nil and why not. The handler is called from the loop, must not wait,
// and gives the status, the type, the body, and whether it is a stream, for the path of the URL, the header Host and
// the password of the request; no type: the status says all; nothing: there is nothing.
#include "http/binding.h"

#include <lauxlib.h>
#include <string.h>

#include "base/err.h"
#include "http/server.h"
#include "script/runtime.h"

#define SERVER   "moonpool.http"
#define TYPE_MAX 96

struct http {
	struct mp_runtime *runtime;
	struct mp_runtime_guest guest;
	struct mp_http_server *server; // NULL: closed
	int handler;
	bool answers; // inside of the handler
	char type[TYPE_MAX];
};

static void close_server(struct http *http)
{
	if (http->server == NULL)
		return;
	mp_http_close(http->server);
	http->server = NULL;
	mp_runtime_remove_guest(http->runtime, &http->guest);
}

static void end_guest(struct mp_runtime_guest *guest)
{
	close_server(MP_CONTAINER_OF(guest, struct http, guest));
}

// ---- answering --------------------------------------------------------------------------------------------

struct question {
	struct http *http;
	const struct mp_http_request *request;
	struct mp_http_answer *answer;
};

// In a protected call.
static int ask(lua_State *L)
{
	struct question *question = lua_touserdata(L, 1);
	struct mp_http_answer *answer = question->answer;
	lua_rawgeti(L, LUA_REGISTRYINDEX, question->http->handler);
	lua_pushstring(L, question->request->path);
	lua_pushstring(L, question->request->host);
	lua_pushstring(L, question->request->password);
	lua_call(L, 3, 4);
	if (lua_isnumber(L, -4))
		answer->status = (unsigned)lua_tonumber(L, -4);
	if (lua_isstring(L, -3) && lua_isstring(L, -2)) {
		size_t len;
		const char *body = lua_tolstring(L, -2, &len);
		strncpy(question->http->type, lua_tostring(L, -3), TYPE_MAX - 1);
		answer->type = question->http->type;
		answer->is_stream = lua_toboolean(L, -1) != 0;
		mp_buf_bytes(&answer->body, body, len);
	}
	return 0;
}

static void on_request(void *data, const struct mp_http_request *request, struct mp_http_answer *answer)
{
	struct http *http = data;
	struct question question = {http, request, answer};
	http->answers = true;
	if (mp_runtime_protect(http->runtime, ask, &question, 0) == NULL)
		answer->status = 500;
	http->answers = false;
}

// ---- for Lua ----------------------------------------------------------------------------------------------

static const char *why_not(int err)
{
	switch (err) {
	case MP_EBUSY: return "another process listens there";
	case MP_EINVAL: return "there is something else, which is no socket";
	case MP_ETOOBIG: return "a path of 1 to 107 bytes expected";
	case MP_ENOTFOUND: return "there is no such folder";
	case MP_EAUTH: return "permission denied";
	case MP_ELOCAL: return "this machine has no such address, or no descriptor is free";
	case MP_EUNSUPPORTED: return "this build of moonpool has no libmicrohttpd, or the time is virtual";
	default: return mp_err_text(err);
	}
}

static int http_listen(lua_State *L)
{
	const char *host = luaL_checkstring(L, 1);
	bool is_path = lua_isnoneornil(L, 2);
	uint16_t port = (uint16_t)luaL_optnumber(L, 2, 0);
	luaL_checktype(L, 3, LUA_TFUNCTION);
	struct mp_addr addr = {.port = 0};
	if (!is_path && mp_addr_parse(host, port, &addr) != 0) {
		lua_pushnil(L);
		lua_pushliteral(L, "an IP address expected");
		return 2;
	}
	struct http *http = lua_newuserdata(L, sizeof(*http));
	*http = (struct http){.runtime = mp_runtime_of(L), .handler = LUA_NOREF};
	luaL_getmetatable(L, SERVER);
	lua_setmetatable(L, -2);
	lua_pushvalue(L, 3);
	http->handler = luaL_ref(L, LUA_REGISTRYINDEX);
	int err = 0;
	http->server =
		mp_http_open(mp_runtime_loop(http->runtime), &addr, is_path ? host : NULL, on_request, http, &err);
	if (http->server == NULL) {
		lua_pushnil(L);
		lua_pushstring(L, why_not(err));
		return 2;
	}
	http->guest.end = end_guest;
	mp_runtime_add_guest(http->runtime, &http->guest);
	return 1;
}

// close(server): true; false inside of its handler, where it goes on.
static int http_close(lua_State *L)
{
	struct http *http = luaL_checkudata(L, 1, SERVER);
	if (!http->answers)
		close_server(http);
	lua_pushboolean(L, http->server == NULL);
	return 1;
}

static int http_gc(lua_State *L)
{
	struct http *http = luaL_checkudata(L, 1, SERVER);
	close_server(http);
	luaL_unref(L, LUA_REGISTRYINDEX, http->handler);
	http->handler = LUA_NOREF;
	return 0;
}

// port(server): the one that was given.
static int http_port(lua_State *L)
{
	const struct http *http = luaL_checkudata(L, 1, SERVER);
	lua_pushnumber(L, http->server != NULL ? mp_http_addr(http->server)->port : 0);
	return 1;
}

// streams(server): how many there are.
static int http_streams(lua_State *L)
{
	const struct http *http = luaL_checkudata(L, 1, SERVER);
	lua_pushnumber(L, http->server != NULL ? (double)mp_http_streams(http->server) : 0);
	return 1;
}

// publish(server, text): to each of them.
static int http_publish(lua_State *L)
{
	const struct http *http = luaL_checkudata(L, 1, SERVER);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	if (http->server != NULL)
		mp_http_publish(http->server, text, len);
	return 0;
}

int luaopen_moonpool_httpcore(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"listen", http_listen},   {"close", http_close},     {"port", http_port},
		{"streams", http_streams}, {"publish", http_publish}, {NULL, NULL},
	};
	luaL_newmetatable(L, SERVER);
	lua_pushcfunction(L, http_gc);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	lua_pushboolean(L, mp_http_is_there);
	lua_setfield(L, -2, "isThere");
	return 1;
}
