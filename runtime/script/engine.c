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
	if (rc == 0)
		rc = build(engine, &config, message, message_size);
	else
		snprintf(message, message_size, "%s", mp_err_text(rc));
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
	rc = mp_translator_read(L, index, before, &translator);
	mp_translator_set_log(translator, mp_session_log(engine->session));
	config.session.translator = mp_translator_get(translator);
	if (rc == 0)
		rc = apply(engine, &config, message, message_size);
	else
		snprintf(message, message_size, "%s", mp_err_text(rc));
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
}

void mp_engine_free(struct mp_engine *engine)
{
	if (engine->session != NULL)
		mp_session_free(engine->session);
	mp_policies_free(engine->policies);
	mp_translator_free(engine->translator);
	*engine = (struct mp_engine){.loop = engine->loop};
}
