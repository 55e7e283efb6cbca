// SPDX-License-Identifier: Apache-2.0
// The trusted modules of lua/moonpool: read and compiled once, so that every state is made from the same code, whatever
// happens to their files.
#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "policy/policies_internal.h"

#define COMPILE_BYTES ((size_t)4 << 20)

// The loader comes last: it is the one that is called.
static const char *const module_names[MP_POLICY_MODULES] = {
	"moonpool.nearest",
	"moonpool.policy.environment",
	"moonpool.policy.objects",
	"moonpool.policy.loader",
};

void mp_policy_module_push(lua_State *L, const struct mp_policy_module *module)
{
	char chunk[128];
	snprintf(chunk, sizeof(chunk), "=%s", module->name);
	if (luaL_loadbuffer(L, (const char *)module->code.data, module->code.len, chunk) != 0)
		lua_error(L);
}

// Without names and lines, which nobody looks at and which cost as much to read as the code.
static int compile(lua_State *L)
{
	struct mp_policy_module *module = lua_touserdata(L, 1);
	lua_pushcfunction(L, luaopen_string);
	lua_call(L, 0, 1);
	lua_getfield(L, -1, "dump");
	mp_policy_module_push(L, module);
	lua_pushboolean(L, 1);
	lua_call(L, 2, 1);
	size_t len;
	const char *code = lua_tolstring(L, -1, &len);
	mp_buf_clear(&module->code);
	mp_buf_bytes(&module->code, code, len);
	return 0;
}

static int compile_text(struct mp_policy_module *module, const struct mp_buf *text, char *message,
                        size_t message_size)
{
	struct mp_vm vm;
	mp_buf_clear(&module->code);
	mp_buf_bytes(&module->code, text->data, text->len);
	if (mp_buf_status(&module->code) != 0 || mp_vm_init(&vm, COMPILE_BYTES) != 0) {
		snprintf(message, message_size, "out of memory");
		return MP_ENOMEM;
	}
	int status = lua_cpcall(vm.L, compile, module);
	if (status != 0)
		snprintf(message, message_size, "%s", lua_tostring(vm.L, -1));
	else if (mp_buf_status(&module->code) != 0)
		snprintf(message, message_size, "out of memory");
	mp_vm_deinit(&vm);
	return status != 0 ? MP_ESCRIPT : mp_buf_status(&module->code);
}

static int read_module(struct mp_policies *policies, struct mp_policy_module *module, const char *name,
                       char *message, size_t size)
{
	char path[PATH_MAX];
	size_t len = (size_t)snprintf(path, sizeof(path), "%s/lua/", policies->home);
	for (const char *c = name; *c != '\0' && len < sizeof(path) - 5; c++)
		path[len++] = *c == '.' ? '/' : *c;
	memcpy(path + len, ".lua", 5);
	module->name = name;
	struct mp_buf text;
	mp_buf_init(&text);
	int rc = mp_source_read(path, MP_SOURCE_MAX_BYTES, &text, message, size);
	if (rc == 0)
		rc = compile_text(module, &text, message, size);
	mp_buf_deinit(&text);
	return rc;
}

int mp_policy_modules_read(struct mp_policies *policies, char *message, size_t size)
{
	int rc = 0;
	for (size_t i = 0; i < MP_POLICY_MODULES && rc == 0; i++)
		rc = read_module(policies, &policies->modules[i], module_names[i], message, size);
	return rc;
}

int mp_policy_read_driver(struct mp_policies *policies, enum mp_policy_kind kind, char *message,
                          size_t message_size)
{
	struct mp_policy_module *driver = &policies->drivers[kind];
	if (driver->code.len > 0)
		return 0;
	snprintf(driver->title, sizeof(driver->title), "moonpool.policy.%s", mp_policy_kind_question(kind));
	return read_module(policies, driver, driver->title, message, message_size);
}
