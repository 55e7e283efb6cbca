// SPDX-License-Identifier: Apache-2.0
// A session with its policies, made from a checked configuration table: what a Lua pool and a C session have in common.
#pragma once

#include <lua.h>

#include "cluster/session.h"
#include "cluster/trust.h"
#include "policy/policies.h"
#include "script/authenticator.h"
#include "script/translator.h"

// What the session asks of, and does not own. Each may be NULL: there is none.
struct mp_engine_parts {
	struct mp_translator *translator;
	struct mp_authenticator *authenticator;
	struct mp_trust *trust;
};

struct mp_engine {
	struct mp_loop *loop;
	struct mp_session *session;
	struct mp_policies *policies;
	struct mp_engine_parts parts;
	uint32_t close_drain_ms;
};

// From the table at `index` of L, as moonpool.config returns it. 0, or MP_E* with `message`.
int mp_engine_open(struct mp_engine *engine, lua_State *L, int index, struct mp_loop *loop, char *message,
                   size_t message_size) MP_MUST_CHECK;
// Another configuration while it runs, from the table at `index`: all or nothing. 0, or MP_E* with `message`, and then
// nothing has changed.
int mp_engine_apply(struct mp_engine *engine, lua_State *L, int index, char *message,
                    size_t message_size) MP_MUST_CHECK;
// Instead, in a child of fork(): frees the policies. The session is the parent's and is left as it is.
void mp_engine_leave(struct mp_engine *engine);
// Only when the session is closed, not inside of its callbacks. Also after a failed open.
void mp_engine_free(struct mp_engine *engine);
