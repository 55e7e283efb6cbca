// SPDX-License-Identifier: Apache-2.0
// What a policy state is told about C: where the fields of its structs lie, so that the declarations in objects.lua
// are checked against the compiler, and the numbers of the protocol's words.
#include <stddef.h>

#include "base/err.h"
#include "policy/state.h"
#include "wire/message.h"

void mp_policy_set_number(lua_State *L, const char *key, double number)
{
	lua_pushnumber(L, number);
	lua_setfield(L, -2, key);
}

void mp_policy_push_layout(lua_State *L, const char *name, size_t size, const struct mp_policy_field *fields,
                           size_t count)
{
	lua_getfield(L, -1, "layout");
	lua_createtable(L, 0, (int)count + 1);
	mp_policy_set_number(L, "sizeof", (double)size);
	for (size_t i = 0; i < count; i++)
		mp_policy_set_number(L, fields[i].name, (double)fields[i].offset);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

#define FIELD(type, field)                   \
	{                                        \
#field, offsetof(struct type, field) \
	}

static void push_layout_of_host(lua_State *L)
{
	static const struct mp_policy_field fields[] = {
		FIELD(mp_host_view, index),       FIELD(mp_host_view, generation), FIELD(mp_host_view, inFlight),
		FIELD(mp_host_view, latencyUs),   FIELD(mp_host_view, weight),     FIELD(mp_host_view, upSinceMs),
		FIELD(mp_host_view, latencyAtMs), FIELD(mp_host_view, marks),      FIELD(mp_host_view, dcId),
		FIELD(mp_host_view, rackId),      FIELD(mp_host_view, isUp),       FIELD(mp_host_view, isLocal),
		FIELD(mp_host_view, isLocalRack), FIELD(mp_host_view, isNewlyUp),
	};
	mp_policy_push_layout(L, "host", sizeof(struct mp_host_view), fields, MP_ARRAY_LEN(fields));
}

static void push_layout_of_req(lua_State *L)
{
	static const struct mp_policy_field fields[] = {
		FIELD(mp_request_view, hasToken),
		FIELD(mp_request_view, isLwt),
		FIELD(mp_request_view, isRead),
		FIELD(mp_request_view, idempotent),
		FIELD(mp_request_view, isLocalConsistency),
		FIELD(mp_request_view, consistency),
		FIELD(mp_request_view, keyspaceId),
		FIELD(mp_request_view, attempt),
		FIELD(mp_request_view, tag),
		FIELD(mp_request_view, token),
	};
	mp_policy_push_layout(L, "req", sizeof(struct mp_request_view), fields, MP_ARRAY_LEN(fields));
}

void mp_policy_push_words(lua_State *L)
{
	lua_newtable(L);
	lua_setfield(L, -2, "layout");
	push_layout_of_host(L);
	push_layout_of_req(L);
	lua_newtable(L);
#define X(name, value) mp_policy_set_number(L, #name, value);
	MP_CONSISTENCIES(X)
#undef X
	lua_setfield(L, -2, "constants");
}

// ---- retry --------------------------------------------------------------------------------------------------------

// Error codes and write types. Where a local failure and a server's error share a name, the name is the server's.
static void push_errors(lua_State *L)
{
	lua_getfield(L, -1, "constants");
#define X(symbol, value, name, text) mp_policy_set_number(L, name, value);
	MP_ERRORS(X)
#undef X
#define X(name, value) mp_policy_set_number(L, #name, value);
	MP_SERVER_ERRORS(X)
#undef X
	for (int type = 0; type < MP_WRITE_UNKNOWN; type++) {
		lua_pushfstring(L, "WRITE_%s", mp_write_type_name((enum mp_write_type)type));
		lua_pushnumber(L, type);
		lua_settable(L, -3);
	}
	lua_pop(L, 1);
}

void mp_policy_push_retry(lua_State *L, struct mp_policy_state *state)
{
	static const struct mp_policy_field fields[] = {
		FIELD(mp_retry_view, code),       {"localError", offsetof(struct mp_retry_view, err)},
		FIELD(mp_retry_view, attempt),    FIELD(mp_retry_view, consistency),
		FIELD(mp_retry_view, required),   FIELD(mp_retry_view, received),
		FIELD(mp_retry_view, writeType),  FIELD(mp_retry_view, dataPresent),
		FIELD(mp_retry_view, idempotent), FIELD(mp_retry_view, isRead),
		FIELD(mp_retry_view, isLwt),
	};
	mp_policy_push_layout(L, "err", sizeof(struct mp_retry_view), fields, MP_ARRAY_LEN(fields));
	mp_policy_set_call(L, "err", (uintptr_t)&state->err);
	push_errors(L);
}
