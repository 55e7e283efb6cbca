// SPDX-License-Identifier: Apache-2.0
// checkPolicy: whether a policy file would be taken, and what it costs, without a pool.
#include <lauxlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "link/tls_sign.h"
#include "policy/cover.h"
#include "policy/gauge/token.h"
#include "policy/policies.h"
#include "script/core.h"
#include "script/runtime.h"

static void set_text(lua_State *L, const char *key, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, double number)
{
	lua_pushnumber(L, number);
	lua_setfield(L, -2, key);
}

struct findings {
	struct mp_policies *policies;
	struct mp_buf facts;
};

static void end_findings(struct findings *findings)
{
	mp_buf_deinit(&findings->facts);
	mp_policies_free(findings->policies);
	findings->policies = NULL;
}

static int collect_findings(lua_State *L)
{
	end_findings(lua_touserdata(L, 1));
	return 0;
}

// { name, costClass, nsPerCall, bytesPerCall, facts, and, of those that each request asks, slowBecause }, or nil and a
// message.
static int push_findings(lua_State *L, struct findings *findings, enum mp_policy_kind kind)
{
	struct mp_policy_cost cost;
	int rc = mp_policies_facts(findings->policies, kind, &findings->facts);
	if (rc == 0)
		rc = mp_policies_measure(findings->policies, kind, &cost);
	if (rc != 0) {
		lua_pushnil(L);
		lua_pushliteral(L, "the policy fails when it is asked again and again");
		return 2;
	}
	lua_createtable(L, 0, 6);
	set_text(L, "name", cost.name);
	set_text(L, "costClass", cost.is_slow ? "slow" : "fast");
	set_number(L, "nsPerCall", (double)cost.ns_per_call);
	set_number(L, "bytesPerCall", cost.bytes_per_call);
	if (cost.is_slow && cost.is_hot)
		set_text(L, "slowBecause", cost.why);
	lua_pushlstring(L, (const char *)findings->facts.data, findings->facts.len);
	lua_setfield(L, -2, "facts");
	return 1;
}

// checkPolicy(kind, path): what can be said about a policy that would be taken, or nil and "FILE:LINE: why".
int mp_core_check_policy(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct mp_policies_config config;
	char message[512] = "";
	memset(&config, 0, sizeof(config));
	int kind = 0;
	while (kind < MP_POLICY_KINDS && strcmp(mp_policy_kind_name((enum mp_policy_kind)kind), name) != 0)
		kind++;
	luaL_argcheck(L, kind < MP_POLICY_KINDS, 1, "not a kind of policy");
	config.choices[kind].policy = luaL_checkstring(L, 2);
	struct mp_runtime *runtime = mp_runtime_of(L);
	struct findings *findings = mp_lua_push_held(L, "moonpool.findings", sizeof(*findings), collect_findings);
	mp_buf_init(&findings->facts);
	findings->policies = mp_policies_new(mp_runtime_loop(runtime), &config, message, sizeof(message), NULL);
	if (findings->policies == NULL) {
		lua_pushnil(L);
		mp_lua_push_redacted(L, message, strlen(message));
		return 2;
	}
	int results = push_findings(L, findings, (enum mp_policy_kind)kind);
	end_findings(findings);
	return results;
}

// codeWords(text): what is code in a Lua text, one blank between two words and around all of them, without comments;
// what a string is about is left out ('').
int mp_core_code_words(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	luaL_Buffer words;
	struct mp_tokens tokens;
	struct mp_token token;
	luaL_buffinit(L, &words);
	mp_tokens_init(&tokens, text, len);
	for (mp_tokens_next(&tokens, &token); token.kind != MP_TOKEN_END; mp_tokens_next(&tokens, &token)) {
		luaL_addchar(&words, ' ');
		if (token.kind == MP_TOKEN_STRING)
			luaL_addstring(&words, "''");
		else
			luaL_addlstring(&words, token.at, token.len);
	}
	luaL_addchar(&words, ' ');
	luaL_pushresult(&words);
	return 1;
}

// cover(on): which lines of policies run is noted from now on, or no more; what was noted is forgotten.
int mp_core_cover(lua_State *L)
{
	mp_cover_set(lua_toboolean(L, 1));
	return 0;
}

static void push_edge(void *data, const char *path, uint32_t from, uint32_t to, uint64_t count)
{
	lua_State *L = data;
	lua_createtable(L, 0, 4);
	set_text(L, "path", path);
	set_number(L, "from", from);
	set_number(L, "to", to);
	set_number(L, "count", (double)count);
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
}

// covered(): a list of { path, from, to, count }: line `to` ran so often after line `from` of the same function (0: as
// its first).
int mp_core_covered(lua_State *L)
{
	lua_newtable(L);
	mp_cover_each(push_edge, L);
	return 1;
}

static void push_hex(lua_State *L, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";
	luaL_Buffer text;
	luaL_buffinit(L, &text);
	for (size_t i = 0; i < count; i++) {
		luaL_addchar(&text, digits[bytes[i] >> 4]);
		luaL_addchar(&text, digits[bytes[i] & 15]);
	}
	luaL_pushresult(&text);
}

static int refuse_key(lua_State *L, int rc)
{
	lua_pushnil(L);
	lua_pushstring(L, rc == MP_EINVAL ? "the key is no private key of Ed25519 as PEM without a passphrase"
	                                  : mp_err_text(rc));
	return 2;
}

// newSigningKey(): a private key as PEM and its public part as hexadecimal digits, or nil and a message.
int mp_core_new_signing_key(lua_State *L)
{
	uint8_t key[MP_SIGN_KEY_BYTES];
	struct mp_buf *pem = mp_lua_push_buf(L);
	int rc = mp_sign_new_key(pem, key);
	if (rc == 0) {
		lua_pushlstring(L, (const char *)pem->data, pem->len);
		push_hex(L, key, sizeof(key));
	}
	mp_buf_deinit(pem);
	return rc == 0 ? 2 : refuse_key(L, rc);
}

// signText(pem, text): the signature and the public part of the key as hexadecimal digits, or nil and a message.
int mp_core_sign_text(lua_State *L)
{
	size_t pem_len, len;
	const char *pem = luaL_checklstring(L, 1, &pem_len);
	const char *text = luaL_checklstring(L, 2, &len);
	uint8_t signature[MP_SIGN_BYTES], key[MP_SIGN_KEY_BYTES];
	int rc = mp_sign_text(pem, pem_len, text, len, signature, key);
	if (rc != 0)
		return refuse_key(L, rc);
	push_hex(L, signature, sizeof(signature));
	push_hex(L, key, sizeof(key));
	return 2;
}

void mp_lua_add_check(lua_State *L)
{
	lua_createtable(L, MP_POLICY_KINDS, 0);
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		lua_pushstring(L, mp_policy_kind_name((enum mp_policy_kind)kind));
		lua_rawseti(L, -2, kind + 1);
	}
	lua_setfield(L, -2, "policyKinds");
	// What files answer: a shadow is of a file that answers another question.
	lua_newtable(L);
	for (int kind = 0, count = 0; kind < MP_POLICY_KINDS; kind++) {
		const char *name = mp_policy_kind_name((enum mp_policy_kind)kind);
		if (strcmp(name, mp_policy_kind_question((enum mp_policy_kind)kind)) != 0)
			continue;
		lua_pushstring(L, name);
		lua_rawseti(L, -2, ++count);
	}
	lua_setfield(L, -2, "policyQuestions");
}
