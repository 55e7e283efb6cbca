// SPDX-License-Identifier: Apache-2.0
// What a decision state is told about C: where the fields of its structs lie, so that the declarations in objects.lua
// are checked against the compiler, and the numbers of the protocol's words.
#include <stddef.h>

#include "base/err.h"
#include "script/decide.h"
#include "wire/message.h"

static void set_number(lua_State *L, const char *key, double number)
{
	lua_pushnumber(L, number);
	lua_setfield(L, -2, key);
}

#define FIELD(type, field, name) set_number(L, name, (double)offsetof(struct type, field))
#define SAME(type, field)        FIELD(type, field, #field)

static void push_layout_of_host(lua_State *L)
{
	lua_newtable(L);
	set_number(L, "sizeof", sizeof(struct mp_host_view));
	SAME(mp_host_view, index);
	SAME(mp_host_view, generation);
	SAME(mp_host_view, inFlight);
	SAME(mp_host_view, latencyUs);
	SAME(mp_host_view, weight);
	SAME(mp_host_view, upSinceMs);
	SAME(mp_host_view, latencyAtMs);
	SAME(mp_host_view, marks);
	SAME(mp_host_view, dcId);
	SAME(mp_host_view, rackId);
	SAME(mp_host_view, isUp);
	SAME(mp_host_view, isLocal);
	SAME(mp_host_view, isLocalRack);
	SAME(mp_host_view, isNewlyUp);
	lua_setfield(L, -2, "host");
}

static void push_layout_of_req(lua_State *L)
{
	lua_newtable(L);
	set_number(L, "sizeof", sizeof(struct mp_request_view));
	SAME(mp_request_view, hasToken);
	SAME(mp_request_view, isLwt);
	SAME(mp_request_view, isRead);
	SAME(mp_request_view, idempotent);
	SAME(mp_request_view, isLocalConsistency);
	SAME(mp_request_view, consistency);
	SAME(mp_request_view, keyspaceId);
	SAME(mp_request_view, attempt);
	SAME(mp_request_view, tag);
	SAME(mp_request_view, token);
	lua_setfield(L, -2, "req");
}

static void push_layout_of_err(lua_State *L)
{
	lua_newtable(L);
	set_number(L, "sizeof", sizeof(struct mp_retry_view));
	SAME(mp_retry_view, code);
	FIELD(mp_retry_view, err, "localError");
	SAME(mp_retry_view, attempt);
	SAME(mp_retry_view, consistency);
	SAME(mp_retry_view, required);
	SAME(mp_retry_view, received);
	SAME(mp_retry_view, writeType);
	SAME(mp_retry_view, dataPresent);
	SAME(mp_retry_view, idempotent);
	SAME(mp_retry_view, isRead);
	SAME(mp_retry_view, isLwt);
	lua_setfield(L, -2, "err");
}

// Words every policy knows: consistencies, and for retry policies error codes and write types.
static void push_constants(lua_State *L, enum mp_policy_kind kind)
{
	lua_newtable(L);
	if (kind == MP_POLICY_RETRY) {
		// Where a local failure and a server's error share a name, the name is the server's.
#define X(symbol, value, name, text) set_number(L, name, value);
		MP_ERRORS(X)
#undef X
#define X(name, value) set_number(L, #name, value);
		MP_SERVER_ERRORS(X)
#undef X
		for (int type = 0; type < MP_WRITE_UNKNOWN; type++) {
			lua_pushfstring(L, "WRITE_%s", mp_write_type_name((enum mp_write_type)type));
			lua_pushnumber(L, type);
			lua_settable(L, -3);
		}
	}
#define X(name, value) set_number(L, #name, value);
	MP_CONSISTENCIES(X)
#undef X
	lua_setfield(L, -2, "constants");
}

void mp_decide_push_words(lua_State *L, enum mp_policy_kind kind)
{
	lua_newtable(L);
	push_layout_of_host(L);
	push_layout_of_req(L);
	push_layout_of_err(L);
	lua_setfield(L, -2, "layout");
	push_constants(L, kind);
}
