// SPDX-License-Identifier: Apache-2.0
#include "script/pool/direct.h"

#include "script/core.h"
#include "script/pool/answer.h"
#include "script/values/bind.h"

static void on_done(struct mp_request *request, const struct mp_outcome *outcome)
{
	struct mp_lua_answer answer = {request->data[0], request, outcome, NULL, 0};
	mp_lua_answer_bring(answer, request->data[1]);
}

static bool bind(lua_State *L, int from, int count, struct mp_codec *codec, struct mp_request *request)
{
	const struct mp_metadata *params = request->prepared->params;
	uint32_t wanted = params != NULL ? params->column_count : 0;
	request->value_count = wanted;
	if (count >= 0)
		return (uint32_t)count == wanted && mp_lua_bind_plain(L, from, params, codec, &request->values);
	int type = lua_type(L, from);
	if (type != LUA_TTABLE)
		return wanted == 0 && type <= LUA_TNIL;
	return wanted > 0 && mp_lua_bind_plain_list(L, from, params, codec, &request->values);
}

enum mp_lua_direct mp_lua_direct_submit(lua_State *L, struct mp_lua_pool *pool,
                                        const struct mp_lua_statement *statement, int from, int count)
{
	struct mp_session *session = pool->engine.session;
	struct mp_request *request = mp_request_take(session);
	if (MP_UNLIKELY(request == NULL))
		return MP_LUA_DIRECT_NOT;
	mp_request_use(request, statement->prepared);
	mp_lua_options_apply_own(&statement->defaults, request);
	if (MP_UNLIKELY(!bind(L, from, count, &pool->codec, request))) {
		mp_request_give(request);
		return MP_LUA_DIRECT_NOT;
	}
	request->data[0] = pool;
	request->on_done = on_done;
	int rc = mp_request_submit(request);
	if (MP_UNLIKELY(rc != 0)) {
		mp_request_give(request);
		mp_lua_fail(L, rc, "%s", mp_err_text(rc));
		return MP_LUA_DIRECT_FAILED;
	}
	pool->direct++;
	request->data[1] = mp_runtime_register(pool->runtime);
	request->data[2] = L;
	return MP_LUA_DIRECT_SENT;
}
