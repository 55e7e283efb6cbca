// SPDX-License-Identifier: Apache-2.0
#include "script/authenticator.h"

#include <stdio.h>

#include "base/err.h"
#include "script/config_function.h"
#include "script/runtime.h"

struct mp_authenticator {
	struct mp_config_function function; // held by each exchange that is under way
	uintptr_t last;                     // number of an exchange
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

int mp_authenticator_read(lua_State *L, int index, struct mp_authenticator *known,
                          struct mp_authenticator **out)
{
	void *found;
	int rc = mp_config_function_read(L, index, "authenticator", sizeof(**out), known, &found);
	*out = found;
	return rc;
}

void mp_authenticator_free(struct mp_authenticator *authenticator)
{
	mp_config_function_free(authenticator);
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
	lua_rawgeti(L, LUA_REGISTRYINDEX, asking->authenticator->function.function);
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
	lua_State *L = asking->authenticator->function.L;
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
		mp_config_function_hold(&authenticator->function);
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
	mp_config_function_release(&authenticator->function);
}

struct mp_auth mp_authenticator_get(struct mp_authenticator *authenticator)
{
	if (authenticator == NULL)
		return (struct mp_auth){.data = NULL};
	return (struct mp_auth){.data = authenticator, .respond = respond, .accept = accept, .end = end};
}
