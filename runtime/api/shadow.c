// SPDX-License-Identifier: Apache-2.0
// The C API: how the shadow policy would have decided beside the one in force.
#include <stdio.h>

#include "api/internal.h"

const struct moonpool_shadow *moonpool_session_shadow(struct moonpool_session *handle)
{
	struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return NULL;
	struct mp_shadow_figures figures;
	if (!mp_session_shadow(session->engine.session, &figures)) {
		mp_api_refuse(__func__, MOONPOOL_NOT_FOUND, "no shadow is asked");
		return NULL;
	}
	session->shown_shadow = (struct moonpool_shadow){
		.asked = figures.asked,
		.same_first = figures.same_first,
		.same_hosts = figures.same_hosts,
		.measured = figures.measured,
		.latency_ms = figures.latency_ms,
		.serving_latency_ms = figures.serving_latency_ms,
	};
#define X(NAME, field, name, meaning) session->shown_shadow.field = figures.differences[MP_SHADOW_##NAME];
	MP_SHADOW_DIFFERENCES(X)
#undef X
	return &session->shown_shadow;
}

// The example of that place, while they are walked through.
struct picking {
	struct mp_api_example *to;
	uint32_t left; // before it
	bool found;
};

static void pick(void *data, const struct mp_shadow_told *told)
{
	struct picking *picking = data;
	struct mp_api_example *to = picking->to;
	if (picking->found || picking->left-- > 0)
		return;
	picking->found = true;
	snprintf(to->serving, sizeof(to->serving), "%s", told->serving);
	snprintf(to->serving_step, sizeof(to->serving_step), "%s", told->serving_step);
	snprintf(to->shadow, sizeof(to->shadow), "%s", told->shadow);
	snprintf(to->shadow_step, sizeof(to->shadow_step), "%s", told->shadow_step);
	to->shown = (struct moonpool_shadow_example){
		.difference = told->difference,
		.at_ms = told->at_ms,
		.kind = told->kind,
		.keyspace = told->keyspace,
		.consistency = told->consistency,
		.has_token = told->has_token,
		.token = told->token,
		.serving = to->serving,
		.serving_step = to->serving_step,
		.shadow = to->shadow,
		.shadow_step = to->shadow_step,
	};
}

const struct moonpool_shadow_example *moonpool_session_shadow_example(struct moonpool_session *handle,
                                                                      uint32_t i)
{
	struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return NULL;
	struct mp_shadow_figures figures;
	struct picking picking = {.to = &session->shown_example, .left = i};
	if (mp_session_shadow(session->engine.session, &figures))
		mp_session_each_shadow_example(session->engine.session, pick, &picking);
	if (picking.found)
		return &session->shown_example.shown;
	mp_api_refuse(__func__, MOONPOOL_NOT_FOUND, "there are fewer examples");
	return NULL;
}
