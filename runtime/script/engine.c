// SPDX-License-Identifier: Apache-2.0
#include "script/engine.h"

#include <stdio.h>

#include "script/config.h"

static int build(struct mp_engine *engine, const struct mp_script_config *config, char *message,
                 size_t message_size)
{
	engine->session = mp_session_new(engine->loop, &config->session, NULL);
	if (engine->session == NULL) {
		snprintf(message, message_size, "%s", mp_err_text(MP_ENOMEM));
		return MP_ENOMEM;
	}
	mp_translator_set_log(engine->parts.translator, mp_session_log(engine->session));
	mp_trust_attach(engine->parts.trust, engine->session);
	struct mp_policies_config policies = config->policies;
	policies.log = mp_session_log(engine->session);
	int rc;
	engine->policies = mp_policies_new(engine->loop, &policies, message, message_size, &rc);
	if (engine->policies == NULL)
		return rc == MP_ENOMEM ? rc : MP_EPOLICY;
	mp_session_set_policies(engine->session, mp_policies_get(engine->policies));
	return mp_policies_attach(engine->policies, engine->session, message, message_size);
}

// ---- parts ------------------------------------------------------------------------------------------------

// *out: of the configuration, or NULL when it has none; `known` if that is it.
static int read_trust(struct mp_loop *loop, struct mp_script_config *config, struct mp_trust *known,
                      struct mp_trust **out, char *message, size_t message_size)
{
	char why[256] = "";
	int rc = 0;
	*out = known;
	if (!config->has_tls)
		*out = NULL;
	else if (known == NULL || !mp_trust_is_of(known, &config->tls))
		*out = mp_trust_new(loop, &config->tls, why, sizeof(why), &rc);
	if (rc != 0)
		snprintf(message, message_size, "tls: %s", why);
	config->session.tls = mp_trust_context(*out);
	return rc;
}

// Those of the configuration at `index`, which takes them; those of `known` that are the same. Whatever became of it,
// `parts` is to be dropped or kept.
static int read_parts(struct mp_loop *loop, lua_State *L, int index, const struct mp_engine_parts *known,
                      struct mp_script_config *config, struct mp_engine_parts *parts, char *message,
                      size_t message_size)
{
	*parts = (struct mp_engine_parts){.trust = known->trust};
	int rc = mp_translator_read(L, index, known->translator, &parts->translator);
	if (rc == 0)
		rc = mp_authenticator_read(L, index, known->authenticator, &parts->authenticator);
	if (rc != 0)
		snprintf(message, message_size, "%s", mp_err_text(rc));
	else
		rc = read_trust(loop, config, known->trust, &parts->trust, message, message_size);
	config->session.translator = mp_translator_get(parts->translator);
	config->session.auth = mp_authenticator_get(parts->authenticator);
	return rc;
}

// All but what `kept` has, too.
static void drop_parts(const struct mp_engine_parts *parts, const struct mp_engine_parts *kept)
{
	if (parts->translator != kept->translator)
		mp_translator_free(parts->translator);
	if (parts->authenticator != kept->authenticator)
		mp_authenticator_free(parts->authenticator);
	if (parts->trust != kept->trust)
		mp_trust_free(parts->trust);
}

static void drop_all_parts(struct mp_engine *engine)
{
	const struct mp_engine_parts none = {.trust = NULL};
	drop_parts(&engine->parts, &none);
	engine->parts = none;
}

// ---- the engine -------------------------------------------------------------------------------------------

int mp_engine_open(struct mp_engine *engine, lua_State *L, int index, struct mp_loop *loop, char *message,
                   size_t message_size)
{
	struct mp_script_config config;
	*engine = (struct mp_engine){.loop = loop};
	int rc = mp_script_config_read(L, index, &config);
	if (rc != 0) {
		snprintf(message, message_size, "%s", mp_err_text(rc));
		return rc;
	}
	engine->close_drain_ms = config.close_drain_ms;
	const struct mp_engine_parts none = {.trust = NULL};
	rc = read_parts(loop, L, index, &none, &config, &engine->parts, message, message_size);
	if (rc == 0)
		rc = build(engine, &config, message, message_size);
	mp_script_config_deinit(&config);
	return rc;
}

static int apply(struct mp_engine *engine, const struct mp_script_config *config, char *message,
                 size_t message_size)
{
	struct mp_policy_change *change =
		mp_policies_change(engine->policies, &config->policies, message, message_size);
	if (change == NULL)
		return MP_EPOLICY;
	const char *fixed = NULL;
	int rc = mp_session_apply(engine->session, &config->session, &fixed);
	if (rc != 0) {
		mp_policies_drop(change);
		snprintf(message, message_size, "%s%s%s", fixed != NULL ? fixed : "", fixed != NULL ? ": " : "",
		         fixed != NULL ? "cannot be changed while the pool is connected" : mp_err_text(rc));
		return rc;
	}
	mp_policies_take(engine->policies, change);
	mp_session_set_policies(engine->session, mp_policies_get(engine->policies));
	return 0;
}

int mp_engine_apply(struct mp_engine *engine, lua_State *L, int index, char *message, size_t message_size)
{
	struct mp_script_config config;
	int rc = mp_script_config_read(L, index, &config);
	if (rc != 0) {
		snprintf(message, message_size, "%s", mp_err_text(rc));
		return rc;
	}
	struct mp_engine_parts before = engine->parts, parts;
	rc = read_parts(engine->loop, L, index, &before, &config, &parts, message, message_size);
	mp_translator_set_log(parts.translator, mp_session_log(engine->session));
	if (rc == 0)
		rc = apply(engine, &config, message, message_size);
	engine->parts = rc == 0 ? parts : before;
	drop_parts(rc == 0 ? &before : &parts, &engine->parts);
	mp_trust_attach(engine->parts.trust, engine->session);
	mp_script_config_deinit(&config);
	return rc;
}

void mp_engine_leave(struct mp_engine *engine)
{
	if (mp_loop_is_running(engine->loop)) // who forked stands on the stack of a loop that may still ask them
		return;
	mp_policies_free(engine->policies);
	engine->policies = NULL;
	drop_all_parts(engine);
}

void mp_engine_free(struct mp_engine *engine)
{
	if (engine->session != NULL)
		mp_session_free(engine->session);
	mp_policies_free(engine->policies);
	drop_all_parts(engine);
	*engine = (struct mp_engine){.loop = engine->loop};
}
