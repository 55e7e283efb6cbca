// SPDX-License-Identifier: Apache-2.0
// What is left of a plan when circuit breakers keep requests away from every host of it that is connected.
#include "cluster/plan/plan.h"

static bool is_in_scope(const struct mp_plan *plan, const struct mp_plan_step *step,
                        const struct mp_host_view *host)
{
	switch (step->scope) {
	case MP_SCOPE_LOCAL_DC: return host->isLocal;
	case MP_SCOPE_SAME_RACK: return host->isLocal && host->isLocalRack;
	case MP_SCOPE_REMOTE_DCS: return host->dcId != plan->view->local_dc;
	case MP_SCOPE_DC: return host->dcId == step->arg;
	default: return true;
	}
}

struct choice {
	struct mp_plan *plan;
	const struct mp_plan_step *step;
	uint32_t count;
	uint16_t host;
};

// One by chance of those that come.
static void consider(struct choice *choice, uint16_t slot)
{
	struct mp_plan *plan = choice->plan;
	const struct mp_plan_step *step = choice->step;
	if (slot >= MP_HOSTS_MAX)
		return;
	const struct mp_host_view *host = &plan->view->hosts[slot];
	if (!host->isShut || (host->marks & step->care) != step->want || !is_in_scope(plan, step, host))
		return;
	plan->chance = plan->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	if ((plan->chance >> 32) % ++choice->count == 0)
		choice->host = slot;
}

static void consider_step(struct choice *choice)
{
	const struct mp_plan *plan = choice->plan;
	uint32_t count = 0;
	const uint16_t *replicas = NULL;
	switch (choice->step->kind) {
	case MP_STEP_HOST: consider(choice, choice->step->arg); return;
	case MP_STEP_REPLICAS:
		if (plan->has_token && plan->placement != NULL)
			replicas = mp_placement_find(plan->placement, plan->token, &count);
		for (uint32_t i = 0; i < count; i++)
			consider(choice, replicas[i]);
		return;
	default:
		for (uint32_t i = 0; i < plan->view->host_count; i++)
			consider(choice, (uint16_t)i);
	}
}

uint16_t mp_plan_shut_host(struct mp_plan *plan)
{
	struct choice choice = {.plan = plan, .host = MP_NO_HOST};
	for (uint8_t i = 0; i < plan->step_count && choice.count == 0 && !plan->refused; i++) {
		choice.step = &plan->steps[i];
		consider_step(&choice);
	}
	return choice.host;
}
