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
	mp_translator_set_log(engine->translator, mp_session_log(engine->session));
	mp_trust_attach(engine->trust, engine->session);
	struct mp_policies_config policies = config->policies;
	policies.log = mp_session_log(engine->session);
	engine->policies = mp_policies_new(engine->loop, &policies, message, message_size);
	if (engine->policies == NULL)
		return MP_EPOLICY;
	mp_session_set_policies(engine->session, mp_policies_get(engine->policies));
	int rc = mp_policies_attach(engine->policies, engine->session);
	if (rc != 0)
		snprintf(message, message_size, "%s", mp_err_text(rc));
	return rc;
}

// *out: of the configuration, or NULL when it has none; `known` if that is it.
static int read_trust(struct mp_engine *engine, struct mp_script_config *config, struct mp_trust **out,
                      char *message, size_t message_size)
{
	char why[256] = "";
	int rc = 0;
	*out = engine->trust;
	if (!config->has_tls)
		*out = NULL;
	else if (engine->trust == NULL || !mp_trust_is_of(engine->trust, &config->tls))
		*out = mp_trust_new(engine->loop, &config->tls, why, sizeof(why), &rc);
	if (rc != 0)
		snprintf(message, message_size, "tls: %s", why);
	config->session.tls = mp_trust_context(*out);
	return rc;
}

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
	rc = mp_translator_read(L, index, NULL, &engine->translator);
	config.session.translator = mp_translator_get(engine->translator);
	if (rc != 0)
		snprintf(message, message_size, "%s", mp_err_text(rc));
	else
		rc = read_trust(engine, &config, &engine->trust, message, message_size);
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
	struct mp_translator *before = engine->translator;
	struct mp_translator *translator = NULL;
	struct mp_trust *trusted = engine->trust, *trust = engine->trust;
	rc = mp_translator_read(L, index, before, &translator);
	mp_translator_set_log(translator, mp_session_log(engine->session));
	config.session.translator = mp_translator_get(translator);
	if (rc != 0)
		snprintf(message, message_size, "%s", mp_err_text(rc));
	else
		rc = read_trust(engine, &config, &trust, message, message_size);
	if (rc == 0)
		rc = apply(engine, &config, message, message_size);
	else
		trust = trusted;
	engine->trust = rc == 0 ? trust : trusted;
	if (trust != trusted)
		mp_trust_free(rc == 0 ? trusted : trust);
	mp_trust_attach(engine->trust, engine->session);
	engine->translator = rc == 0 ? translator : before;
	if (translator != before)
		mp_translator_free(rc == 0 ? before : translator);
	mp_script_config_deinit(&config);
	return rc;
}

void mp_engine_leave(struct mp_engine *engine)
{
	if (mp_loop_is_running(engine->loop)) // who forked stands on the stack of a loop that may still ask them
		return;
	mp_policies_free(engine->policies);
	engine->policies = NULL;
	mp_translator_free(engine->translator);
	engine->translator = NULL;
	mp_trust_free(engine->trust);
	engine->trust = NULL;
}

void mp_engine_free(struct mp_engine *engine)
{
	if (engine->session != NULL)
		mp_session_free(engine->session);
	mp_policies_free(engine->policies);
	mp_translator_free(engine->translator);
	mp_trust_free(engine->trust);
	*engine = (struct mp_engine){.loop = engine->loop};
}
