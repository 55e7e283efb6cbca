// SPDX-License-Identifier: Apache-2.0
// The C API: generations of policies that are on trial.
#include "api/internal.h"
#include "base/text/redact.h"

static size_t show_figures(struct mp_api_session *session)
{
	const struct mp_canary_info *info = &session->canary_info;
	size_t count = 0;
	for (int i = 0; i < MP_CANARY_CONDITION_COUNT; i++) {
		if (!info->counts[i])
			continue;
		session->shown_figures[count++] = (struct moonpool_canary_figure){
			.name = mp_canary_condition_name(i),
			.candidate = info->figures[i].candidate,
			.in_force = info->figures[i].in_force,
			.limit = info->rule.limits[i],
			.confidence = info->figures[i].confidence,
		};
	}
	return count;
}

const struct moonpool_canary *moonpool_session_canary(struct moonpool_session *handle,
                                                      enum moonpool_policy_kind kind)
{
	struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL || !mp_api_is_policy_kind(kind, __func__))
		return NULL;
	struct mp_canary_info *info = &session->canary_info;
	if (!mp_policies_canary(session->engine.policies, (enum mp_policy_kind)kind, info)) {
		mp_api_refuse(__func__, MOONPOOL_NOT_FOUND, "there was no canary of this kind of policy");
		return NULL;
	}
	mp_redact_line(info->reason);
	session->shown_canary = (struct moonpool_canary){
		.kind = mp_policy_kind_name((enum mp_policy_kind)kind),
		.state = mp_canary_state_name(info->state),
		.name = info->name,
		.file = info->file,
		.reason = info->reason,
		.generation = info->generation,
		.in_force = info->in_force,
		.share = info->share,
		.seconds = (double)info->lasted_ms / 1000,
		.requests = info->requests[MP_CANDIDATE],
		.requests_in_force = info->requests[MP_IN_FORCE],
		.requests_wanted = info->rule.requests,
		.figures = session->shown_figures,
		.figure_count = show_figures(session),
	};
	return &session->shown_canary;
}

int moonpool_session_end_canary(struct moonpool_session *handle, enum moonpool_policy_kind kind, bool promote)
{
	struct mp_api_session *session = mp_api_open_session(handle, __func__);
	if (session == NULL || !mp_api_is_policy_kind(kind, __func__))
		return moonpool_last_code();
	struct mp_policies *policies = session->engine.policies;
	int rc = promote ? mp_policies_canary_promote(policies, (enum mp_policy_kind)kind)
	                 : mp_policies_canary_abort(policies, (enum mp_policy_kind)kind);
	return rc == 0 ? 0 : mp_api_refuse(__func__, rc, "no canary of this kind of policy runs");
}
