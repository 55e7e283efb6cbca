// SPDX-License-Identifier: Apache-2.0
#include "script/translator.h"

#include <stdio.h>

#include "cluster/plan/view.h"
#include "script/config_function.h"
#include "script/runtime.h"

struct mp_translator {
	struct mp_config_function function; // held by each call that it is in
	const struct mp_log *log;
};

struct question {
	struct mp_translator *translator;
	const struct mp_addr *named;
	const struct mp_uuid *host_id;
	char dc[MP_NODE_NAME_MAX + 1], rack[MP_NODE_NAME_MAX + 1]; // any allocation in Lua may free the caller's
	struct mp_addr *addr;
};

int mp_translator_read(lua_State *L, int index, struct mp_translator *known, struct mp_translator **out)
{
	void *found;
	int rc = mp_config_function_read(L, index, "addressTranslator", sizeof(**out), known, &found);
	*out = found;
	return rc;
}

void mp_translator_set_log(struct mp_translator *translator, const struct mp_log *log)
{
	if (translator != NULL)
		translator->log = log;
}

void mp_translator_free(struct mp_translator *translator)
{
	mp_config_function_free(translator);
}

// Protected. function(address, id, datacenter, rack) -> address or nil, complaint or nil
static int ask(lua_State *L)
{
	const struct question *question = lua_touserdata(L, 1);
	char text[MP_ADDR_TEXT];
	char id[MP_UUID_TEXT];
	mp_addr_format(question->named, text);
	mp_uuid_format(question->host_id, id);
	lua_rawgeti(L, LUA_REGISTRYINDEX, question->translator->function.function);
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
	lua_State *L = translator->function.L;
	mp_config_function_hold(&translator->function);
	mp_runtime_collect(L);
	if (lua_cpcall(L, ask, &question) != 0) {
		const char *why = lua_tostring(L, -1);
		mp_log_write(translator->log, MP_LOG_WARN, "addressTranslator: %s; the address stands as it is",
		             why != NULL ? why : "it failed");
		lua_settop(L, 0);
	}
	mp_runtime_collect(L);
	mp_config_function_release(&translator->function);
}

struct mp_address_translator mp_translator_get(struct mp_translator *translator)
{
	struct mp_address_translator none = {.self = NULL};
	return translator == NULL ? none
	                          : (struct mp_address_translator){.self = translator, .translate = translate};
}
