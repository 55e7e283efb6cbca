// SPDX-License-Identifier: Apache-2.0
// The one place where policies meet a session; everything else of them works on a view alone.
#include "cluster/session.h"
#include "policy/policies.h"

static uint32_t tag_id(void *data, const char *text, size_t len)
{
	return mp_session_tag_id(data, (struct mp_str){text, len});
}

static uint32_t keyspace_id(void *data, const char *text, size_t len)
{
	return mp_session_keyspace_id(data, (struct mp_str){text, len});
}

static double latency_ms(void *data, double quantile, uint32_t least)
{
	return mp_session_recent_ms(data, quantile, least);
}

int mp_policies_attach(struct mp_policies *policies, struct mp_session *session, char *message, size_t size)
{
	struct mp_policy_names names = {
		.data = session,
		.tag_id = tag_id,
		.keyspace_id = keyspace_id,
		.latency_ms = latency_ms,
	};
	return mp_policies_bind(policies, mp_session_view(session), &names, message, size);
}
