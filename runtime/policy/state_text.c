// SPDX-License-Identifier: Apache-2.0
// What the loader of a policy state asks C for: the text of a policy's file, and that text with its fuel gauge.
#include <lauxlib.h>
#include <limits.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "policy/gauge/token.h"
#include "policy/kinds.h"
#include "policy/signed.h"
#include "policy/state.h"
#include "policy/words.h"

#define WORD_MAX 64 // no word of ours is longer

void mp_policy_texts_init(struct mp_policy_texts *texts, struct mp_policy_state *state,
                          const struct mp_source_path *source)
{
	*texts = (struct mp_policy_texts){.state = state, .source = source};
	mp_buf_init(&texts->text);
	mp_fuel_init(&texts->fuel);
}

void mp_policy_texts_deinit(struct mp_policy_texts *texts)
{
	mp_buf_deinit(&texts->text);
	mp_fuel_deinit(&texts->fuel);
}

// find(name): the text and path of a policy file, or nil and a message.
static int find_policy(lua_State *L)
{
	struct mp_policy_texts *texts = lua_touserdata(L, lua_upvalueindex(1));
	struct mp_policy_state *state = texts->state;
	struct mp_buf *text = &texts->text;
	const char *name = luaL_checkstring(L, 1);
	char path[PATH_MAX];
	char message[MP_POLICY_TEXT];
	int rc = mp_source_find(texts->source, mp_policy_question(state->ops), state->ops->tail, name, path,
	                        sizeof(path), message, sizeof(message));
	if (rc == 0 && state->file_count == MP_POLICY_FILES)
		return luaL_error(L, "too many policy files");
	if (mp_policy_load_is_over(&state->context.fuel))
		return luaL_error(L, "out of fuel: it takes too long to load");
	if (rc == 0) {
		char *copy = mp_strdup(path);
		if (copy == NULL)
			return luaL_error(L, "out of memory");
		state->files[state->file_count++] = copy;
		rc = mp_source_read(path, MP_SOURCE_POLICY_MAX, text, message, sizeof(message));
	}
	if (rc == 0)
		rc = mp_policy_check_signature(texts->source, path, text, message, sizeof(message));
	if (rc != 0) {
		lua_pushnil(L);
		lua_pushstring(L, message);
		return 2;
	}
	for (size_t i = 0; i < text->len; i++)
		state->content_hash = (state->content_hash ^ text->data[i]) * UINT64_C(1099511628211);
	lua_pushlstring(L, (const char *)text->data, text->len);
	lua_pushstring(L, path);
	return 2;
}

// Adds the words at index 2 that the text names, each once, to the list at the top of the stack; the table at index 3
// notes which. Returns how many there are.
static int add_words(lua_State *L, const char *text, size_t len)
{
	struct mp_tokens tokens;
	struct mp_token token;
	int count = 0;
	mp_tokens_init(&tokens, text, len);
	for (mp_tokens_next(&tokens, &token); token.kind != MP_TOKEN_END; mp_tokens_next(&tokens, &token)) {
		if (token.kind != MP_TOKEN_NAME || token.len > WORD_MAX)
			continue;
		lua_pushlstring(L, token.at, token.len);
		lua_pushvalue(L, -1);
		lua_rawget(L, 2);
		bool is_word = !lua_isnil(L, -1);
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_rawget(L, 3);
		bool is_new = lua_isnil(L, -1);
		lua_pop(L, 1);
		if (is_word && is_new) {
			lua_pushvalue(L, -1);
			lua_pushboolean(L, 1);
			lua_rawset(L, 3);
			lua_rawseti(L, -2, ++count);
		} else {
			lua_pop(L, 1);
		}
	}
	return count;
}

// The text as a chunk whose environment has __mp_more, the refill, __mp_fit, __mp_key, and the words that it names.
// They become locals that nobody assigns to: constants to the compiler.
static void push_chunk(lua_State *L, const struct mp_buf *injected, int word_count)
{
	int list = lua_gettop(L);
	luaL_Buffer chunk;
	luaL_buffinit(L, &chunk);
	luaL_addstring(&chunk, "local __mp_more,__mp_fit,__mp_key");
	for (int side = 0; side < 2; side++) {
		for (int i = 1; i <= word_count; i++) {
			luaL_addchar(&chunk, ',');
			lua_rawgeti(L, list, i);
			luaL_addvalue(&chunk);
		}
		luaL_addstring(&chunk, side == 0 ? "=__mp_more,__mp_fit,__mp_key" : " local __mp_fuel=0 ");
	}
	luaL_addlstring(&chunk, (const char *)injected->data, injected->len);
	luaL_pushresult(&chunk);
}

static void push_line(lua_State *L, uint32_t line)
{
	if (line == 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, (lua_Integer)line);
}

// inject(text, words): the text with its gauge, the line of its first loop and of its return (nil without one); or nil
// and "LINE: why". `text` must be good Lua; `words` is a set of names that stay what they are.
static int inject(lua_State *L)
{
	struct mp_policy_texts *texts = lua_touserdata(L, lua_upvalueindex(1));
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	int rc = mp_fuel_inject(&texts->fuel, text, len);
	if (rc == MP_ENOMEM)
		return luaL_error(L, "out of memory");
	if (rc != 0) {
		lua_pushnil(L);
		lua_pushfstring(L, "%d: %s", (int)texts->fuel.wrong_line, texts->fuel.why);
		return 2;
	}
	if (texts->fuel.has_long_number)
		texts->state->context.fuel.is_heavy = true;
	lua_newtable(L);
	lua_newtable(L);
	push_chunk(L, &texts->fuel.text, add_words(L, text, len));
	push_line(L, texts->fuel.loop_line);
	push_line(L, texts->fuel.return_line);
	return 3;
}

void mp_policy_push_texts(lua_State *L, struct mp_policy_texts *texts)
{
	lua_pushlightuserdata(L, texts);
	lua_pushcclosure(L, find_policy, 1);
	lua_setfield(L, -2, "find");
	lua_pushlightuserdata(L, texts);
	lua_pushcclosure(L, inject, 1);
	lua_setfield(L, -2, "inject");
	mp_policy_push_number(L, "textMax", MP_POLICY_TEXT_MAX);
	mp_policy_push_number(L, "textHeavy", MP_FUEL_STRING_MAX);
	mp_policy_push_number(L, "numberHeavy", MP_FUEL_NUMBER_MAX);
}
