// SPDX-License-Identifier: Apache-2.0
// moonpool.encode(type, value) and moonpool.decode(type, bytes): single values as the protocol has them, for
// routing keys, for values that are kept elsewhere, and to try the mapping out.
#include <lauxlib.h>
#include <string.h>

#include "script/core.h"
#include "script/values/value.h"

struct work {
	struct mp_arena arena;
	struct mp_codec codec;
	struct mp_buf out;
	struct mp_type *type;
	int rc;
};

static void clean(struct work *work)
{
	mp_arena_deinit(&work->arena);
	mp_buf_deinit(&work->codec.scratch);
	mp_buf_deinit(&work->out);
}

static void begin(lua_State *L, struct work *work)
{
	struct mp_str name;
	name.data = luaL_checklstring(L, 1, &name.len);
	memset(work, 0, sizeof(*work));
	mp_arena_init(&work->arena);
	mp_buf_init(&work->codec.scratch);
	mp_buf_init(&work->out);
	work->type = mp_type_parse(name, &work->arena);
	if (work->type != NULL)
		return;
	clean(work);
	luaL_argerror(L, 1, "a CQL type like \"int\" or \"map<text, int>\" expected");
}

// The work is at index 1 as light userdata, the value at 2. Protected, so that the work is cleaned up in any case.
static int encode_protected(lua_State *L)
{
	struct work *work = lua_touserdata(L, 1);
	work->rc = mp_value_write(L, 2, work->type, &work->codec, &work->out);
	if (work->rc == 0)
		work->rc = mp_buf_status(&work->out);
	if (work->rc != 0)
		return 0;
	// The value's own length stands in front: 4 bytes.
	if (work->out.len > 4 || (work->out.len == 4 && memcmp(work->out.data, "\0\0\0\0", 4) == 0))
		lua_pushlstring(L, (const char *)work->out.data + 4, work->out.len - 4);
	else
		lua_pushnil(L);
	return 1;
}

static int decode_protected(lua_State *L)
{
	struct work *work = lua_touserdata(L, 1);
	size_t len;
	const char *bytes = lua_tolstring(L, 2, &len);
	struct mp_bytes value = {(const uint8_t *)bytes, (int32_t)len};
	work->rc = mp_value_pusher(work->type)(L, &work->codec, work->type, value);
	return work->rc == 0 ? 1 : 0;
}

static int work_on(lua_State *L, struct work *work, lua_CFunction fn)
{
	lua_pushcfunction(L, fn);
	lua_pushlightuserdata(L, work);
	lua_pushvalue(L, 2);
	int failed = lua_pcall(L, 2, 1, 0);
	if (failed == 0 && work->rc != 0)
		mp_lua_fail(L, work->rc, "%s: %s", mp_type_id_name(work->type->id), work->codec.why);
	clean(work);
	if (failed != 0)
		return lua_error(L);
	return work->rc == 0 ? 1 : 2;
}

int mp_core_encode(lua_State *L)
{
	struct work work;
	lua_settop(L, 2);
	begin(L, &work);
	return work_on(L, &work, encode_protected);
}

int mp_core_decode(lua_State *L)
{
	struct work work;
	lua_settop(L, 2);
	size_t len;
	luaL_checklstring(L, 2, &len);
	luaL_argcheck(L, len <= INT32_MAX, 2, "too long");
	begin(L, &work);
	return work_on(L, &work, decode_protected);
}
