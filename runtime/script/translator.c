// SPDX-License-Identifier: Apache-2.0
#include "script/translator.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cluster/plan/view.h"
#include "script/runtime.h"

struct mp_translator {
	lua_State *L;         // a thread of its own
	int thread, function; // references
	char *shown;          // what tells it from others
	uint32_t calls;       // that it is in
	bool is_done;         // to be freed behind the last of them
	const struct mp_log *log;
};

struct question {
	struct mp_translator *translator;
	const struct mp_addr *named;
	const struct mp_uuid *host_id;
	char dc[MP_NODE_NAME_MAX + 1], rack[MP_NODE_NAME_MAX + 1]; // any allocation in Lua may free the caller's
	struct mp_addr *addr;
};

struct reading {
	struct mp_translator *known;
	struct mp_translator *out;
	bool no_memory;
};

static bool is_known(const struct mp_translator *known, const char *shown)
{
	return known != NULL && shown != NULL && strcmp(known->shown, shown) == 0;
}

// Protected: the configuration at 1, the reading at 2.
static int read(lua_State *L)
{
	struct reading *reading = lua_touserdata(L, 2);
	lua_getfield(L, 1, "addressTranslatorShown");
	const char *shown = lua_tostring(L, -1);
	lua_getfield(L, 1, "addressTranslator");
	if (lua_type(L, -1) != LUA_TFUNCTION)
		return 0;
	if (is_known(reading->known, shown)) {
		reading->out = reading->known;
		return 0;
	}
	struct mp_translator *translator = mp_calloc(1, sizeof(*translator));
	reading->no_memory = translator == NULL;
	if (translator == NULL)
		return 0;
	reading->out = translator;
	translator->thread = translator->function = LUA_NOREF;
	translator->L = lua_newthread(L);
	translator->thread = luaL_ref(L, LUA_REGISTRYINDEX);
	translator->function = luaL_ref(L, LUA_REGISTRYINDEX);
	translator->shown = mp_strdup(shown != NULL ? shown : "");
	reading->no_memory = translator->shown == NULL;
	return 0;
}

int mp_translator_read(lua_State *L, int index, struct mp_translator *known, struct mp_translator **out)
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
		mp_translator_free(reading.out);
	return MP_ENOMEM;
}

void mp_translator_set_log(struct mp_translator *translator, const struct mp_log *log)
{
	if (translator != NULL)
		translator->log = log;
}

void mp_translator_free(struct mp_translator *translator)
{
	if (translator == NULL)
		return;
	translator->is_done = true;
	if (translator->calls > 0)
		return;
	lua_State *L = translator->L;
	if (translator->thread != LUA_NOREF) {
		luaL_unref(L, LUA_REGISTRYINDEX, translator->function);
		luaL_unref(L, LUA_REGISTRYINDEX, translator->thread);
	}
	mp_free(translator->shown);
	mp_free(translator);
}

// Protected. function(address, id, datacenter, rack) -> address or nil, complaint or nil
static int ask(lua_State *L)
{
	const struct question *question = lua_touserdata(L, 1);
	char text[MP_ADDR_TEXT];
	char id[MP_UUID_TEXT];
	mp_addr_format(question->named, text);
	mp_uuid_format(question->host_id, id);
	lua_rawgeti(L, LUA_REGISTRYINDEX, question->translator->function);
	lua_pushstring(L, text);
	lua_pushstring(L, id);
	lua_pushstring(L, question->dc);
	lua_pushstring(L, question->rack);
	lua_call(L, 4, 2);
	if (lua_type(L, -1) == LUA_TSTRING)
		mp_log_write(question->translator->log, MP_LOG_WARN, "%s", lua_tostring(L, -1));
	if (lua_type(L, -2) == LUA_TSTRING &&
	    mp_addr_parse(lua_tostring(L, -2), question->named->port, question->addr) != 0)
		mp_log_write(
			question->translator->log, MP_LOG_WARN,
			"addressTranslator: %s: \"%s\" is no address of this machine's networks; the address stands "
			"as it is",
			text, lua_tostring(L, -2));
	return 0;
}

// The function may reload the configuration: then it is freed behind its own call.
static void translate(void *self, const struct mp_addr *named, const struct mp_uuid *host_id, const char *dc,
                      const char *rack, struct mp_addr *addr)
{
	struct mp_translator *translator = self;
	struct question question = {.translator = translator, .named = named, .host_id = host_id, .addr = addr};
	snprintf(question.dc, sizeof(question.dc), "%s", dc);
	snprintf(question.rack, sizeof(question.rack), "%s", rack);
	lua_State *L = translator->L;
	translator->calls++;
	mp_runtime_collect(L);
	if (lua_cpcall(L, ask, &question) != 0) {
		const char *why = lua_tostring(L, -1);
		mp_log_write(translator->log, MP_LOG_WARN, "addressTranslator: %s; the address stands as it is",
		             why != NULL ? why : "it failed");
		lua_settop(L, 0);
	}
	mp_runtime_collect(L);
	translator->calls--;
	if (translator->is_done)
		mp_translator_free(translator);
}

struct mp_address_translator mp_translator_get(struct mp_translator *translator)
{
	struct mp_address_translator none = {.self = NULL};
	return translator == NULL ? none
	                          : (struct mp_address_translator){.self = translator, .translate = translate};
}
