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
};

static void clean(struct work *work)
{
	mp_arena_deinit(&work->arena);
	mp_buf_deinit(&work->codec.scratch);
	mp_buf_deinit(&work->out);
}

static int collect(lua_State *L)
{
	clean(lua_touserdata(L, 1));
	return 0;
}

// Values are of any shape, so whatever is done with one may raise.
static struct work *begin(lua_State *L)
{
	struct mp_str name;
	name.data = luaL_checklstring(L, 1, &name.len);
	struct work *work = mp_lua_push_held(L, "moonpool.codec", sizeof(*work), collect);
	mp_arena_init(&work->arena);
	mp_buf_init(&work->codec.scratch);
	mp_buf_init(&work->out);
	work->type = mp_type_parse(name, &work->arena);
	if (work->type == NULL)
		luaL_argerror(L, 1, "a CQL type like \"int\" or \"map<text, int>\" expected");
	return work;
}

static int finish(lua_State *L, struct work *work, int rc)
{
	if (rc != 0)
		mp_lua_fail(L, rc, "%s: %s", mp_type_id_name(work->type->id), work->codec.why);
	clean(work);
	return rc == 0 ? 1 : 2;
}

int mp_core_encode(lua_State *L)
{
	lua_settop(L, 2);
	struct work *work = begin(L);
	int rc = mp_value_write(L, 2, work->type, &work->codec, &work->out);
	if (rc == 0)
		rc = mp_buf_status(&work->out);
	if (rc != 0)
		return finish(L, work, rc);
	// The value's own length stands in front: 4 bytes.
	if (work->out.len > 4 || (work->out.len == 4 && memcmp(work->out.data, "\0\0\0\0", 4) == 0))
		lua_pushlstring(L, (const char *)work->out.data + 4, work->out.len - 4);
	else
		lua_pushnil(L);
	return finish(L, work, 0);
}

int mp_core_decode(lua_State *L)
{
	lua_settop(L, 2);
	size_t len;
	const char *bytes = luaL_checklstring(L, 2, &len);
	luaL_argcheck(L, len <= INT32_MAX, 2, "too long");
	struct work *work = begin(L);
	struct mp_bytes value = {(const uint8_t *)bytes, (int32_t)len};
	return finish(L, work, mp_value_pusher(work->type)(L, &work->codec, work->type, value));
}
