// SPDX-License-Identifier: Apache-2.0
// The policies that need no script. They are what answers while a script is broken, so they are the most
// careful ones.
#include "cluster/plan/policy.h"

#include "base/err.h"
#include "wire/message.h"

#define DEFAULT_MAX_RETRIES 3u

bool mp_default_plan(void *self, const struct mp_request_view *req, struct mp_plan *plan)
{
	(void)self;
	mp_plan_replicas(plan, MP_SCOPE_LOCAL_DC, req->isLwt ? MP_ORDER_PRIMARY_FIRST : MP_ORDER_SHUFFLED, 0, 0);
	mp_plan_hosts(plan, MP_SCOPE_LOCAL_DC, MP_ORDER_IN_TURN, 0, 0);
	if (!req->isLocalConsistency)
		mp_plan_hosts(plan, MP_SCOPE_REMOTE_DCS, MP_ORDER_IN_TURN, 0, 0);
	return true;
}

enum mp_retry_verdict mp_default_retry(void *self, const struct mp_retry_view *err, uint32_t *delay_ms)
{
	uint32_t max_retries = self != NULL ? *(const uint32_t *)self : DEFAULT_MAX_RETRIES;
	if (err->attempt > max_retries)
		return MP_GIVE_UP;
	switch (err->code) {
	case -1: return MP_NEXT_HOST;
	case MP_SE_UNAVAILABLE: return err->attempt == 1 ? MP_NEXT_HOST : MP_GIVE_UP;
	case MP_SE_READ_TIMEOUT:
		// Enough replicas answered, but the one asked for the data did not: the same question again will
		// choose others. With too few, another coordinator may reach others.
		if (err->attempt > 1 || (err->received >= err->required && err->dataPresent))
			return MP_GIVE_UP;
		return err->received >= err->required ? MP_SAME_HOST : MP_NEXT_HOST;
	case MP_SE_WRITE_TIMEOUT:
		if (err->attempt > 1)
			return MP_GIVE_UP;
		if (err->writeType == MP_WRITE_BATCH_LOG)
			return MP_SAME_HOST;
		return err->idempotent ? MP_NEXT_HOST : MP_GIVE_UP;
	case MP_SE_OVERLOADED:
	case MP_SE_SERVER_ERROR:
	case MP_SE_TRUNCATE_ERROR: *delay_ms = 20u << (err->attempt < 6 ? err->attempt : 6); return MP_NEXT_HOST;
	case MP_SE_IS_BOOTSTRAPPING: return MP_NEXT_HOST;
	default: return MP_GIVE_UP;
	}
}
