// SPDX-License-Identifier: Apache-2.0
#include "script/authenticator.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "script/runtime.h"

struct mp_authenticator {
	lua_State *L;         // a thread of its own
	int thread, function; // references
	char *shown;          // what tells it from others
	uint32_t exchanges;   // under way
	bool is_done;         // to be freed behind the last of them
	uintptr_t last;       // number of an exchange
};

struct reading {
	struct mp_authenticator *known;
	struct mp_authenticator *out;
	bool no_memory;
};

// What the Lua function is asked, as lua/moonpool/config/authenticator.lua knows it.
enum question { RESPOND, ACCEPT, FORGET };

struct asking {
	struct mp_authenticator *authenticator;
	struct mp_auth_exchange *exchange;
	enum question question;
	const struct mp_bytes *token; // of the node; NULL: none
	struct mp_buf *out;           // RESPOND: where the answer goes
	int rc;
};

static bool is_known(const struct mp_authenticator *known, const char *shown)
{
	return known != NULL && shown != NULL && strcmp(known->shown, shown) == 0;
}

// Protected: the configuration at 1, the reading at 2.
static int read(lua_State *L)
{
	struct reading *reading = lua_touserdata(L, 2);
	lua_getfield(L, 1, "authenticatorShown");
	const char *shown = lua_tostring(L, -1);
	lua_getfield(L, 1, "authenticator");
	if (lua_type(L, -1) != LUA_TFUNCTION)
		return 0;
	if (is_known(reading->known, shown)) {
		reading->out = reading->known;
		return 0;
	}
	struct mp_authenticator *authenticator = mp_calloc(1, sizeof(*authenticator));
	reading->no_memory = authenticator == NULL;
	if (authenticator == NULL)
		return 0;
	reading->out = authenticator;
	authenticator->thread = authenticator->function = LUA_NOREF;
	authenticator->L = lua_newthread(L);
	authenticator->thread = luaL_ref(L, LUA_REGISTRYINDEX);
	authenticator->function = luaL_ref(L, LUA_REGISTRYINDEX);
	authenticator->shown = mp_strdup(shown != NULL ? shown : "");
	reading->no_memory = authenticator->shown == NULL;
	return 0;
}

int mp_authenticator_read(lua_State *L, int index, struct mp_authenticator *known,
                          struct mp_authenticator **out)
{
	struct reading reading = {.known = known};
	*out = NULL;
	if (!lua_checkstack(L, 4))
		return MP_ENOMEM;
	lua_pushvalue(L, index);
	lua_pushcfunction(L, read);
	lua_insert(L, -2);
	lua_pushlightuserdata(L, &reading);
	bool failed = lua_pcall(L, 2, 0, 0) != 0;
	if (failed)
		lua_pop(L, 1);
	if (!failed && !reading.no_memory) {
		*out = reading.out;
		return 0;
	}
	if (reading.out != known)
		mp_authenticator_free(reading.out);
	return MP_ENOMEM;
}

void mp_authenticator_free(struct mp_authenticator *authenticator)
{
	if (authenticator == NULL)
		return;
	authenticator->is_done = true;
	if (authenticator->exchanges > 0)
		return;
	lua_State *L = authenticator->L;
	if (authenticator->thread != LUA_NOREF) {
		luaL_unref(L, LUA_REGISTRYINDEX, authenticator->function);
		luaL_unref(L, LUA_REGISTRYINDEX, authenticator->thread);
	}
	mp_free(authenticator->shown);
	mp_free(authenticator);
}

// ---- asking -----------------------------------------------------------------------------------------------

static void take(lua_State *L, struct asking *asking)
{
	size_t len;
	const char *text = lua_tolstring(L, -2, &len);
	if (text == NULL) {
		const char *why = lua_tostring(L, -1);
		snprintf(asking->exchange->why, sizeof(asking->exchange->why), "%s", why != NULL ? why : "");
		return;
	}
	asking->rc = 0;
	if (asking->out == NULL)
		return;
	if (mp_buf_reserve(asking->out, len + 1) == NULL) // at once: a buffer that grows leaves copies behind
		asking->rc = MP_ENOMEM;
	else
		mp_buf_bytes(asking->out, text, len);
}

// Protected. function(question, number, address, class, round, token) -> text, or nil and why
static int ask(lua_State *L)
{
	static const char *const names[] = {"respond", "accept", "forget"};
	struct asking *asking = lua_touserdata(L, 1);
	const struct mp_auth_exchange *exchange = asking->exchange;
	char addr[MP_ADDR_TEXT];
	mp_addr_format(exchange->addr, addr);
	lua_rawgeti(L, LUA_REGISTRYINDEX, asking->authenticator->function);
	lua_pushstring(L, names[asking->question]);
	lua_pushnumber(L, (double)(uintptr_t)exchange->state);
	lua_pushstring(L, addr);
	lua_pushstring(L, exchange->authenticator);
	lua_pushnumber(L, exchange->round);
	if (asking->token != NULL && asking->token->len >= 0)
		lua_pushlstring(L, (const char *)asking->token->data, (size_t)asking->token->len);
	else
		lua_pushnil(L);
	lua_call(L, 6, 2);
	take(L, asking);
	return 0;
}

static int run(struct asking *asking)
{
	lua_State *L = asking->authenticator->L;
	asking->rc = MP_EAUTH;
	mp_runtime_collect(L);
	if (lua_cpcall(L, ask, asking) != 0)
		asking->rc = MP_ENOMEM; // the function itself raises nothing
	lua_settop(L, 0);
	mp_runtime_collect(L);
	return asking->rc;
}

static int respond(void *data, struct mp_auth_exchange *exchange, const struct mp_bytes *challenge,
                   struct mp_buf *out)
{
	struct mp_authenticator *authenticator = data;
	if (exchange->state == NULL) {
		authenticator->exchanges++;
		exchange->state = (void *)++authenticator->last;
	}
	struct asking asking = {authenticator, exchange, RESPOND, challenge, out, 0};
	return run(&asking);
}

static int accept(void *data, struct mp_auth_exchange *exchange, const struct mp_bytes *token)
{
	struct asking asking = {data, exchange, ACCEPT, token, NULL, 0};
	return run(&asking);
}

static void end(void *data, struct mp_auth_exchange *exchange)
{
	struct mp_authenticator *authenticator = data;
	struct asking asking = {authenticator, exchange, FORGET, NULL, NULL, 0};
	int rc = run(&asking);
	(void)rc; // without memory its table is kept until the state ends
	authenticator->exchanges--;
	if (authenticator->is_done)
		mp_authenticator_free(authenticator);
}

struct mp_auth mp_authenticator_get(struct mp_authenticator *authenticator)
{
	if (authenticator == NULL)
		return (struct mp_auth){.data = NULL};
	return (struct mp_auth){.data = authenticator, .respond = respond, .accept = accept, .end = end};
}
