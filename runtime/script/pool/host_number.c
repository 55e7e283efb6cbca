// SPDX-License-Identifier: Apache-2.0
// Hosts by number: a result keeps a number instead of a text, which costs less than making a Lua string of an
// address for each answer. Numbers are given once for each text and never again, so old results stay right.
#include <lauxlib.h>
#include <string.h>

#include "base/mem.h"
#include "script/values/result.h"
#include "script/values/shape.h"

#define HOSTS "moonpool.hosts" // { "127.0.0.1:9042", ..., ["127.0.0.1:9042"] = 1 }

// The numbers of the hosts by their slots, with the texts that they stand for.
struct mp_lua_host_numbers {
	uint32_t count;
	struct {
		uint32_t number;
		char text[MP_ADDR_TEXT];
	} slots[];
};

// The number of a text in HOSTS, given on first sight. Without a number left it is 0, that of "".
static uint32_t number_of(lua_State *L, const char *text)
{
	lua_getfield(L, LUA_REGISTRYINDEX, HOSTS);
	lua_getfield(L, -1, text);
	uint32_t number = (uint32_t)lua_tonumber(L, -1);
	lua_pop(L, 1);
	size_t known = lua_objlen(L, -1);
	if (number == 0 && text[0] != '\0' && known < MP_LUA_HOST_NUMBERS) {
		number = (uint32_t)known + 1;
		lua_pushstring(L, text);
		lua_pushvalue(L, -1);
		lua_rawseti(L, -3, (int)number);
		lua_pushnumber(L, number);
		lua_rawset(L, -3);
	}
	lua_pop(L, 1);
	return number;
}

static bool reserve_hosts(struct mp_codec *codec, uint32_t count)
{
	struct mp_lua_host_numbers *hosts = codec->hosts;
	uint32_t before = hosts != NULL ? hosts->count : 0;
	if (count <= before)
		return true;
	count = count < 16 ? 16 : count * 2;
	hosts = mp_realloc(hosts, sizeof(*hosts) + count * sizeof(hosts->slots[0]));
	if (hosts == NULL)
		return false;
	memset(&hosts->slots[before], 0, (count - before) * sizeof(hosts->slots[0]));
	hosts->count = count;
	codec->hosts = hosts;
	return true;
}

// A slot has a number until it gets another host, or its host another address.
uint32_t mp_lua_host_number(lua_State *L, struct mp_codec *codec, const struct mp_host *host)
{
	if (MP_UNLIKELY(host == NULL || !reserve_hosts(codec, host->index + 1u)))
		return 0;
	uint32_t number = codec->hosts->slots[host->index].number;
	if (MP_LIKELY(number != 0 && strcmp(codec->hosts->slots[host->index].text, host->addr_text) == 0))
		return number;
	number = number_of(L, host->addr_text);
	codec->hosts->slots[host->index].number = number;
	memcpy(codec->hosts->slots[host->index].text, host->addr_text, MP_ADDR_TEXT);
	return number;
}

void mp_lua_codec_deinit(struct mp_codec *codec)
{
	mp_shape_release(codec);
	mp_buf_deinit(&codec->scratch);
	mp_free(codec->hosts);
	codec->hosts = NULL;
}

void mp_lua_push_host_text(lua_State *L, uint32_t number)
{
	lua_getfield(L, LUA_REGISTRYINDEX, HOSTS);
	lua_rawgeti(L, -1, (int)number);
	lua_remove(L, -2);
}

void mp_lua_add_host_numbers(lua_State *L)
{
	lua_newtable(L);
	lua_pushliteral(L, "");
	lua_rawseti(L, -2, 0);
	lua_setfield(L, LUA_REGISTRYINDEX, HOSTS);
}
