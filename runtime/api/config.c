// SPDX-License-Identifier: Apache-2.0
// The C API: the configuration of a session. It is evaluated in a Lua state of its own, which lives as long as the
// session and is entered for nothing else: its file changed, a policy is chosen by hand, its translator of addresses is
// asked. What cannot be taken leaves what is in force as it was, whole.
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "api/internal.h"
#include "base/mem.h"
#include "base/text/redact.h"
#include "policy/installation.h"
#include "script/functions.h"

static const char live_key[] = "moonpool.live"; // in the registry: what lua/moonpool/config/live.lua keeps

// A list of warnings, whatever level the configuration asks for: a key without effect is never taken in silence.
static void warn(lua_State *L, int index, const struct mp_log *log)
{
	for (int i = 1; i <= (int)lua_objlen(L, index); i++) {
		lua_getglobal(L, "tostring");
		lua_rawgeti(L, index, i);
		lua_call(L, 1, 1);
		mp_log_write(log, MP_LOG_WARN, "%s", lua_tostring(L, -1));
		lua_pop(L, 1);
	}
}

static void require_live(lua_State *L)
{
	lua_getglobal(L, "require");
	lua_pushliteral(L, "moonpool.config.live");
	lua_call(L, 1, 1);
}

// What the state knows of the configuration while the session lives, in its registry; and where its file is.
static void keep(lua_State *L, int checked, struct mp_api_opening *opening)
{
	require_live(L);
	lua_getfield(L, -1, "new");
	lua_pushvalue(L, checked);
	lua_call(L, 1, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, live_key);
	if (opening->path == NULL)
		return;
	lua_getfield(L, checked, "file");
	opening->session->file = mp_strdup(luaL_checkstring(L, -1));
	if (opening->session->file == NULL)
		luaL_error(L, "not enough memory");
}

// Protected: the configuration's own code runs in here.
static int open_protected(lua_State *L)
{
	struct mp_api_opening *opening = lua_touserdata(L, 1);
	char home[PATH_MAX];
	luaL_openlibs(L);
	if (mp_installation_find(home, sizeof(home)) != 0)
		return luaL_error(L, "moonpool's Lua files were not found (MOONPOOL_HOME may name their folder)");
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "path");
	lua_pushfstring(L, "%s/lua/?.lua;%s/lua/?/init.lua;%s", home, home, lua_tostring(L, -1));
	lua_setfield(L, -3, "path");
	lua_getglobal(L, "require");
	lua_pushliteral(L, "moonpool.config");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, opening->path != NULL ? "check" : "check_text");
	lua_pushstring(L, opening->path != NULL ? opening->path : opening->text);
	lua_pushstring(L, opening->name);
	if (opening->path != NULL)
		lua_pushcfunction(L, mp_core_read_file);
	else
		lua_pushnil(L);
	lua_call(L, 3, 2);
	if (lua_isnil(L, -2)) {
		snprintf(opening->message, sizeof(opening->message), "%s", luaL_checkstring(L, -1));
		return 0;
	}
	int checked = lua_gettop(L) - 1;
	require_live(L);
	lua_getfield(L, -1, "warn");
	lua_pushvalue(L, checked);
	lua_pushvalue(L, checked + 1);
	lua_call(L, 2, 1);
	warn(L, lua_gettop(L), mp_loop_log(opening->loop));
	opening->code = mp_engine_open(&opening->session->engine, L, checked, opening->loop, opening->message,
	                               sizeof(opening->message));
	if (opening->code == 0)
		keep(L, checked, opening);
	return 0;
}

int mp_api_configure(struct mp_api_opening *opening)
{
	struct mp_api_session *session = opening->session;
	lua_State *L = luaL_newstate();
	session->configuration = L;
	session->file = NULL;
	session->watch = NULL;
	if (L == NULL)
		return opening->code = MOONPOOL_NO_MEMORY;
	lua_pushcfunction(L, open_protected);
	lua_pushlightuserdata(L, opening);
	opening->code = MOONPOOL_CONFIG_ERROR;
	if (lua_pcall(L, 1, 0, 0) != 0) {
		const char *why = lua_tostring(L, -1);
		snprintf(opening->message, sizeof(opening->message), "%s",
		         why != NULL ? why : "the configuration failed");
		opening->code = MOONPOOL_CONFIG_ERROR;
	}
	lua_settop(L, 0);
	if (opening->code != 0) {
		mp_engine_free(&session->engine);
		mp_api_configuration_drop(session);
	}
	mp_redact_line(opening->message);
	return opening->code;
}

void mp_api_configuration_drop(struct mp_api_session *session)
{
	if (session->watch != NULL)
		mp_watch_close(session->watch);
	session->watch = NULL;
	if (session->configuration != NULL)
		lua_close(session->configuration);
	session->configuration = NULL;
	mp_free(session->file);
	session->file = NULL;
}

// ---- changes ----------------------------------------------------------------------------------------------

struct change {
	struct mp_api_session *session;
	enum moonpool_policy_kind kind; // for use_policy
	const char *policy, *options;
	const char *contact; // a contact point that comes or goes
	uint16_t port;       // 0: any
	bool is_added;
	int code; // MOONPOOL_OK: `message` says what has changed, if anything
	char message[512];
};

static void say(struct change *change, int code, const char *message)
{
	change->code = code;
	snprintf(change->message, sizeof(change->message), "%s", message != NULL ? message : "");
	mp_redact_line(change->message);
}

// What live.lua gave stands at `index`: a table to apply. True: it is in force.
static bool apply(lua_State *L, int index, struct change *change, int code)
{
	char message[512] = "";
	int rc = mp_engine_apply(&change->session->engine, L, index, message, sizeof(message));
	if (rc != 0) {
		say(change, code, message);
		return false;
	}
	lua_getfield(L, LUA_REGISTRYINDEX, live_key);
	lua_getfield(L, -1, "take");
	lua_insert(L, -2);
	lua_call(L, 1, 0);
	return true;
}

// The method of what live.lua keeps of the session, and that.
static void push_method(lua_State *L, const char *name)
{
	lua_getfield(L, LUA_REGISTRYINDEX, live_key);
	lua_getfield(L, -1, name);
	lua_insert(L, -2);
}

// What a session that was connected has found out by itself; nil of another one.
static void push_identity(lua_State *L, const struct mp_api_session *session)
{
	const struct mp_session *of = session->engine.session;
	if (mp_session_version(of) == 0 || mp_session_local_dc(of) == NULL) {
		lua_pushnil(L);
		return;
	}
	lua_createtable(L, 0, 2);
	lua_pushstring(L, mp_session_local_dc(of));
	lua_setfield(L, -2, "localDataCenter");
	lua_pushnumber(L, mp_session_version(of));
	lua_setfield(L, -2, "protocolVersion");
}

static int reread_protected(lua_State *L)
{
	struct change *change = lua_touserdata(L, 1);
	push_method(L, "reread");
	push_identity(L, change->session);
	lua_pushcfunction(L, mp_core_read_file);
	lua_call(L, 3, 3); // the table, what has changed, warnings
	if (lua_isnil(L, 2))
		say(change, MOONPOOL_CONFIG_ERROR, lua_tostring(L, 3));
	else if (!lua_istable(L, 2))
		say(change, MOONPOOL_OK, ""); // nothing has
	else if (apply(L, 2, change, MOONPOOL_CONFIG_ERROR)) {
		warn(L, 4, mp_session_log(change->session->engine.session));
		say(change, MOONPOOL_OK, lua_tostring(L, 3));
	}
	return 0;
}

static int use_policy_protected(lua_State *L)
{
	struct change *change = lua_touserdata(L, 1);
	push_method(L, "use_policy");
	lua_pushstring(L, mp_policy_kind_name((enum mp_policy_kind)change->kind));
	lua_pushstring(L, change->policy); // nil for NULL
	lua_pushstring(L, change->options);
	lua_call(L, 4, 2);
	if (!lua_istable(L, 2))
		say(change, MOONPOOL_POLICY_ERROR, lua_tostring(L, 3));
	else if (apply(L, 2, change, MOONPOOL_POLICY_ERROR))
		say(change, MOONPOOL_OK, "");
	return 0;
}

static int contact_protected(lua_State *L)
{
	struct change *change = lua_touserdata(L, 1);
	push_method(L, change->is_added ? "add_contact" : "drop_contact");
	lua_pushstring(L, change->contact);
	if (change->port != 0)
		lua_pushnumber(L, change->port);
	else
		lua_pushnil(L);
	lua_call(L, 3, 1);
	if (apply(L, 2, change, MOONPOOL_CONFIG_ERROR))
		say(change, MOONPOOL_OK, "");
	return 0;
}

static void run(struct change *change, lua_CFunction protected)
{
	lua_State *L = change->session->configuration;
	lua_pushcfunction(L, protected);
	lua_pushlightuserdata(L, change);
	if (lua_pcall(L, 1, 0, 0) != 0)
		say(change, MOONPOOL_CONFIG_ERROR, lua_tostring(L, -1));
	lua_settop(L, 0);
}

// Read its file again, log and tell what came of it. 0, or the code; `change` has the message.
static int reread(struct mp_api_session *session, struct change *change)
{
	*change = (struct change){.session = session};
	if (session->file == NULL)
		return 0;
	run(change, reread_protected);
	const struct mp_log *log = mp_session_log(session->engine.session);
	if (change->code != 0) {
		mp_log_write(log, MP_LOG_ERROR, "configuration refused, the one in force goes on unchanged: %s",
		             change->message);
		mp_api_news_add(session, MOONPOOL_EVENT_CONFIG_ERROR, session->file, change->message);
	} else if (change->message[0] != '\0') {
		mp_log_write(log, MP_LOG_INFO, "configuration %s: %s", session->file, change->message);
		mp_api_news_add(session, MOONPOOL_EVENT_CONFIG_RELOADED, session->file, change->message);
	}
	return change->code;
}

static void on_change(void *data)
{
	struct mp_api_session *session = data;
	struct change change;
	if (!session->closing)
		(void)reread(session, &change); // it is logged and told
}

void mp_api_watch(struct mp_api_session *session)
{
	int err = 0;
	if (session->file == NULL)
		return;
	session->watch = mp_loop_watch(session->engine.loop, session->file, on_change, session, &err);
	if (session->watch == NULL)
		mp_log_write(mp_session_log(session->engine.session), MP_LOG_WARN,
		             "%s: changes will not be noticed: %s", session->file, mp_err_text(err));
}

// ---- asked for --------------------------------------------------------------------------------------------

static int refuse(const char *function, int code, const char *why, char *message, size_t size)
{
	mp_api_refuse_text(function, code, why);
	if (message != NULL && size > 0)
		snprintf(message, size, "%s", why);
	return code;
}

int moonpool_session_reload(struct moonpool_session *handle, char *message, size_t size)
{
	struct mp_api_session *session = mp_api_open_session(handle, __func__);
	struct change change;
	char why[512];
	if (session == NULL)
		return moonpool_last_code();
	int rc = reread(session, &change);
	// The policies are read again whatever came of the configuration.
	int policies = mp_policies_reload(session->engine.policies, why, sizeof(why));
	if (rc != 0)
		return refuse(__func__, rc, change.message, message, size);
	mp_redact_line(why);
	return policies == 0 ? 0 : refuse(__func__, MOONPOOL_POLICY_ERROR, why, message, size);
}

int moonpool_session_use_policy(struct moonpool_session *handle, enum moonpool_policy_kind kind,
                                const char *policy, const char *options, char *message, size_t size)
{
	struct mp_api_session *session = mp_api_open_session(handle, __func__);
	if (session == NULL || !mp_api_is_policy_kind(kind, __func__))
		return moonpool_last_code();
	if (policy == NULL && options != NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "options of no policy");
	struct change change = {.session = session, .kind = kind, .policy = policy, .options = options};
	run(&change, use_policy_protected);
	return change.code == 0 ? 0 : refuse(__func__, change.code, change.message, message, size);
}

int mp_api_contact(struct mp_api_session *session, const char *name, uint16_t port, bool is_added, char *why,
                   size_t size)
{
	struct change change = {.session = session, .contact = name, .port = port, .is_added = is_added};
	run(&change, contact_protected);
	snprintf(why, size, "%s", change.message);
	return change.code;
}

struct split {
	const char *text;
	char *name;
	size_t size;
	uint16_t port;
	int code;
	char why[256];
};

static int split_protected(lua_State *L)
{
	struct split *split = lua_touserdata(L, 1);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "moonpool.address");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "split");
	lua_pushstring(L, split->text);
	lua_call(L, 1, 2);
	split->code = lua_isnil(L, -2) ? MOONPOOL_INVALID_ARGUMENT : 0;
	if (split->code != 0)
		snprintf(split->why, sizeof(split->why), "%s", luaL_checkstring(L, -1));
	else
		snprintf(split->name, split->size, "%s", luaL_checkstring(L, -2));
	split->port = split->code == 0 ? (uint16_t)lua_tonumber(L, -1) : 0;
	return 0;
}

int mp_api_split_address(struct mp_api_session *session, const char *text, char *name, size_t size,
                         uint16_t *port, const char *function)
{
	struct split split = {.text = text, .name = name, .size = size, .code = MOONPOOL_NO_MEMORY};
	lua_State *L = session->configuration;
	lua_pushcfunction(L, split_protected);
	lua_pushlightuserdata(L, &split);
	if (lua_pcall(L, 1, 0, 0) != 0)
		split.code = MOONPOOL_NO_MEMORY;
	lua_settop(L, 0);
	*port = split.port;
	return split.code == 0 ? 0 : mp_api_refuse_text(function, split.code, split.why);
}

int moonpool_session_rollback(struct moonpool_session *handle, enum moonpool_policy_kind kind)
{
	struct mp_api_session *session = mp_api_open_session(handle, __func__);
	if (session == NULL || !mp_api_is_policy_kind(kind, __func__))
		return moonpool_last_code();
	int rc = mp_policies_rollback(session->engine.policies, (enum mp_policy_kind)kind);
	return rc == 0 ? 0 : mp_api_refuse(__func__, rc, "there is no earlier generation of this policy");
}
