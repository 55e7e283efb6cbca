// SPDX-License-Identifier: Apache-2.0
// What changes while a pool runs: its policies by hand, its configuration, and files that are watched for it. What a
// change of a file means is decided in lua/moonpool/reload.lua, in a coroutine of its own.
#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cluster/profile.h"
#include "policy/source.h"
#include "script/core.h"
#include "script/pool/pool.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)

static bool is_live(const struct mp_lua_pool *pool)
{
	return pool->state < MP_POOL_CLOSING;
}

// reloadPolicies(pool): true, or nil and a message: a file was refused, and what served before goes on.
int mp_core_reload_policies(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	char message[512];
	if (!is_live(pool))
		return mp_lua_fail(L, MP_ECLOSED, "the pool is closed");
	int rc = mp_policies_reload(pool->engine.policies, message, sizeof(message));
	if (rc != 0)
		return mp_lua_fail(L, rc, "%s", message);
	lua_pushboolean(L, 1);
	return 1;
}

int mp_lua_policy_kind(lua_State *L, int index)
{
	const char *names[MP_POLICY_KINDS];
	struct mp_str name = {"", 0};
	if (lua_type(L, index) == LUA_TSTRING)
		name.data = lua_tolstring(L, index, &name.len);
	int kind = MP_POLICY_KINDS;
	for (int i = 0; i < MP_POLICY_KINDS; i++) {
		names[i] = mp_policy_kind_name((enum mp_policy_kind)i);
		kind = mp_str_is(name, names[i]) ? i : kind;
	}
	if (kind == MP_POLICY_KINDS)
		(void)mp_lua_raise_unknown(L, name, names, MP_POLICY_KINDS, "unknown kind of policy '%.60s'",
		                           name.data);
	return kind;
}

// rollback(pool, kind): true and the generation that serves now, or nil and err. Raises for a kind that is none.
int mp_core_rollback(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	int kind = mp_lua_policy_kind(L, 2);
	if (!is_live(pool))
		return mp_lua_fail(L, MP_ECLOSED, "the pool is closed");
	int rc = mp_policies_rollback(pool->engine.policies, (enum mp_policy_kind)kind);
	if (rc != 0)
		return mp_lua_fail(L, rc, "there is no earlier generation of the %s policy",
		                   mp_policy_kind_name((enum mp_policy_kind)kind));
	struct mp_policy_info info;
	bool known = mp_policies_info(pool->engine.policies, (enum mp_policy_kind)kind, &info);
	lua_pushboolean(L, 1);
	lua_pushnumber(L, known ? info.generation : 0);
	return 2;
}

// applyConfig(pool, checked configuration): true, or nil and a message, and then nothing has changed.
int mp_core_apply_config(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	luaL_checktype(L, 2, LUA_TTABLE);
	char message[512] = "the pool is closed";
	if (!is_live(pool) || mp_engine_apply(&pool->engine, L, 2, message, sizeof(message)) != 0) {
		lua_pushnil(L);
		mp_lua_push_redacted(L, message, strlen(message));
		return 2;
	}
	pool->has_defaults = mp_session_defaults(pool->engine.session) != NULL;
	lua_pushboolean(L, 1);
	return 1;
}

// identity(pool): what a running session found out by itself, { localDataCenter, protocolVersion }; nil when it was
// never connected, and false when it is closed.
int mp_core_identity(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	if (!is_live(pool)) {
		lua_pushboolean(L, 0);
		return 1;
	}
	if (pool->state == MP_POOL_NEW)
		return 0;
	lua_createtable(L, 0, 2);
	lua_pushstring(L, mp_session_local_dc(pool->engine.session));
	lua_setfield(L, -2, "localDataCenter");
	if (mp_session_version(pool->engine.session) != 0) {
		lua_pushnumber(L, mp_session_version(pool->engine.session));
		lua_setfield(L, -2, "protocolVersion");
	}
	return 1;
}

// readFile(path): the text of a Lua file, or nil and a message. Never waits, whatever is in the file's place.
int mp_core_read_file(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct mp_buf *text = mp_lua_push_buf(L);
	char message[512];
	int rc = mp_source_read(path, FILE_MAX_BYTES, text, message, sizeof(message));
	if (rc == 0) {
		lua_pushlstring(L, (const char *)text->data, text->len);
	} else {
		lua_pushnil(L);
		lua_pushstring(L, message);
	}
	mp_buf_deinit(text);
	return rc == 0 ? 1 : 2;
}

// ---- files that change ------------------------------------------------------------------------------------

// The registry holds the pools that Lua still knows, weakly, and the function that is called for a change.
static const char pools_key = 'p';
static const char change_key = 'c';

// A file of a pool that is watched, by what it is to the pool.
struct watched {
	struct mp_lua_pool *pool;
	struct mp_watch *watch;
	struct mp_list_node node;
	char what[];
};

// Starts onChange(pool, what). A pool that nobody knows any more has nothing to reload.
static int start_change(lua_State *L)
{
	struct watched *watched = lua_touserdata(L, 1);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&pools_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	lua_pushlightuserdata(L, watched->pool);
	lua_rawget(L, -2);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&change_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	if (lua_isnil(L, -1) || lua_isnil(L, -2))
		return 0;
	lua_insert(L, -2);
	lua_pushstring(L, watched->what);
	mp_runtime_start(watched->pool->runtime, L, 2);
	return 0;
}

static void changed(void *data)
{
	struct watched *watched = data;
	(void)mp_runtime_protect(watched->pool->runtime, start_change, watched, 0);
}

// onChange(function): called with the pool and what has changed, in a coroutine.
int mp_core_on_change(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&change_key);
	lua_insert(L, 1);
	lua_rawset(L, LUA_REGISTRYINDEX);
	return 0;
}

static void drop(struct watched *watched)
{
	mp_list_remove(&watched->pool->watches, &watched->node);
	mp_watch_close(watched->watch);
	mp_free(watched);
}

static struct watched *watched_at(struct mp_list_node *node)
{
	return MP_CONTAINER_OF(node, struct watched, node);
}

static void unwatch(struct mp_lua_pool *pool, const char *what)
{
	for (struct mp_list_node *node = mp_list_first(&pool->watches); node != NULL;
	     node = mp_list_next(&pool->watches, node))
		if (strcmp(watched_at(node)->what, what) == 0) {
			drop(watched_at(node));
			return;
		}
}

void mp_lua_pool_unwatch(struct mp_lua_pool *pool)
{
	while (pool->watches.count > 0)
		drop(watched_at(mp_list_first(&pool->watches)));
}

void mp_lua_pool_remember(lua_State *L, int index, struct mp_lua_pool *pool)
{
	lua_pushvalue(L, index);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&pools_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	lua_pushlightuserdata(L, pool);
	lua_pushvalue(L, -3);
	lua_rawset(L, -3);
	lua_pop(L, 2);
}

void mp_lua_pool_push(lua_State *L, const struct mp_lua_pool *pool)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&pools_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	lua_pushlightuserdata(L, (void *)(uintptr_t)pool);
	lua_rawget(L, -2);
	lua_remove(L, -2);
}

static struct watched *watch(struct mp_lua_pool *pool, const char *what, const char *path, int *err)
{
	size_t len = strlen(what);
	struct watched *watched = mp_calloc(1, sizeof(*watched) + len + 1);
	*err = MP_ENOMEM;
	if (watched == NULL)
		return NULL;
	memcpy(watched->what, what, len + 1);
	watched->pool = pool;
	mp_list_node_init(&watched->node);
	watched->watch = mp_loop_watch(pool->engine.loop, path, changed, watched, err);
	if (watched->watch == NULL) {
		mp_free(watched);
		return NULL;
	}
	mp_list_push_back(&pool->watches, &watched->node);
	return watched;
}

// watch(pool, what, path or nil): onChange is told `what` when the file has changed, instead of the one that was
// watched as `what` before. true, or nil and why changes will not be noticed.
int mp_core_watch(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	const char *what = luaL_checkstring(L, 2);
	const char *path = luaL_optstring(L, 3, NULL);
	unwatch(pool, what);
	int err = MP_ECLOSED;
	if (path != NULL && (!is_live(pool) || watch(pool, what, path, &err) == NULL)) {
		lua_pushnil(L);
		lua_pushstring(L, mp_err_text(err));
		return 2;
	}
	lua_pushboolean(L, 1);
	return 1;
}

// makeFolder(path): for this user alone, unless it is there; true, or nil and a message.
int mp_core_make_folder(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST) {
		lua_pushnil(L);
		lua_pushfstring(L, "%s: %s", path, strerror(errno));
		return 2;
	}
	lua_pushboolean(L, 1);
	return 1;
}

struct listing {
	DIR *folder;
};

static int end_listing(lua_State *L)
{
	struct listing *listing = lua_touserdata(L, 1);
	if (listing->folder != NULL)
		closedir(listing->folder);
	listing->folder = NULL;
	return 0;
}

// listFolder(path): the names in a folder but for those that begin with a dot, in any order; or nil and a message.
int mp_core_list_folder(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct listing *listing = mp_lua_push_held(L, "moonpool.listing", sizeof(*listing), end_listing);
	DIR *folder = opendir(path);
	listing->folder = folder;
	if (folder == NULL) {
		lua_pushnil(L);
		lua_pushfstring(L, "%s: %s", path, strerror(errno));
		return 2;
	}
	lua_newtable(L);
	int count = 0;
	for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
		if (entry->d_name[0] == '.')
			continue;
		lua_pushstring(L, entry->d_name);
		lua_rawseti(L, -2, ++count);
	}
	listing->folder = NULL;
	closedir(folder);
	return 1;
}

void mp_lua_add_reload(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&pools_key);
	lua_insert(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
}
