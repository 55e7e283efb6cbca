// SPDX-License-Identifier: Apache-2.0
// Balance policies: which hosts, in which order. They write steps into a plan; which hosts those are, C finds when it
// walks the plan (cluster/plan/plan.c).
#include "base/err.h"
#include "policy/policies_internal.h"
#include "policy/words.h"

// ---- what scripts call ------------------------------------------------------------------------------------

enum { FILTER_ONLY, FILTER_AVOID, FILTERS };
enum { DONE, BAD_SCOPE = MP_WORDS_BAD_SCOPE, BAD_ORDER, BAD_LIMIT, BAD_SET, TOO_MANY_SETS };

typedef void (*add_fn)(struct mp_plan *plan, uint32_t scope, uint32_t order, uint32_t limit, uint32_t arg);

static __attribute__((noinline)) int add_slow(struct mp_policy_context *context, add_fn add, int scope,
                                              int order, int limit)
{
	uint32_t where = (uint32_t)scope;
	uint32_t arg;
	bool known;
	if (mp_words_scope(context, &where, &arg, &known) != 0)
		return BAD_SCOPE;
	if ((uint32_t)order - MP_WORD_ORDER >= MP_ORDER_COUNT)
		return BAD_ORDER;
	if (limit < 0)
		return BAD_LIMIT;
	if (known)
		add(context->plan, where, (uint32_t)order - MP_WORD_ORDER, (uint32_t)limit, arg);
	return 0;
}

static __attribute__((flatten)) int call_replicas(struct mp_policy_context *context, int scope, int order,
                                                  int limit)
{
	uint32_t where = (uint32_t)scope - MP_WORD_SCOPE;
	uint32_t how = (uint32_t)order - MP_WORD_ORDER;
	if (MP_UNLIKELY(where >= MP_SCOPE_DC || how >= MP_ORDER_COUNT || limit < 0))
		return add_slow(context, mp_plan_replicas, scope, order, limit);
	mp_plan_replicas(context->plan, where, how, (uint32_t)limit, 0);
	return 0;
}

static __attribute__((flatten)) int call_hosts(struct mp_policy_context *context, int scope, int order,
                                               int limit)
{
	uint32_t where = (uint32_t)scope - MP_WORD_SCOPE;
	uint32_t how = (uint32_t)order - MP_WORD_ORDER;
	if (MP_UNLIKELY(where >= MP_SCOPE_DC || how >= MP_ORDER_COUNT || limit < 0))
		return add_slow(context, mp_plan_hosts, scope, order, limit);
	mp_plan_hosts(context->plan, where, how, (uint32_t)limit, 0);
	return 0;
}

static int call_host(struct mp_policy_context *context, uint32_t index)
{
	mp_plan_host(context->plan, index);
	return 0;
}

static int call_filter(struct mp_policy_context *context, int number, int filter)
{
	if (number < 0 || (uint32_t)number >= context->set_count || filter < 0 || filter >= FILTERS)
		return BAD_SET;
	if (context->plan->view->marks == NULL)
		return DONE; // there are no hosts
	int bit = mp_words_set_bit(context, (uint32_t)number);
	if (bit < 0)
		return TOO_MANY_SETS;
	if (filter == FILTER_ONLY)
		mp_plan_only(context->plan, UINT32_C(1) << bit);
	else
		mp_plan_avoid(context->plan, UINT32_C(1) << bit);
	return DONE;
}

static int call_avoid_slow(struct mp_policy_context *context, double times, double retry_ms, double least_ms)
{
	if (!(times >= 1 && times <= 1e6) || !(retry_ms >= 0 && retry_ms <= 1e9) ||
	    !(least_ms >= 0 && least_ms <= 1e6))
		return BAD_SET;
	mp_plan_avoid_slow(context->plan, times, retry_ms, (uint32_t)(least_ms * 1000),
	                   (double)mp_loop_now_ms(context->loop));
	return DONE;
}

static int call_no_filter(struct mp_policy_context *context)
{
	mp_plan_no_filter(context->plan);
	return DONE;
}

static int call_refuse(struct mp_policy_context *context)
{
	mp_plan_refuse(context->plan);
	return DONE;
}

void mp_policy_balance_push(lua_State *L, struct mp_policy_state *state)
{
	(void)state; // a plan is of the context
	mp_policy_push_call(L, "replicas", (uintptr_t)call_replicas);
	mp_policy_push_call(L, "hosts", (uintptr_t)call_hosts);
	mp_policy_push_call(L, "host", (uintptr_t)call_host);
	mp_policy_push_call(L, "filter", (uintptr_t)call_filter);
	mp_policy_push_call(L, "avoidSlow", (uintptr_t)call_avoid_slow);
	mp_policy_push_call(L, "noFilter", (uintptr_t)call_no_filter);
	mp_policy_push_call(L, "refuse", (uintptr_t)call_refuse);
	mp_policy_push_code(L, "ONLY", FILTER_ONLY);
	mp_policy_push_code(L, "AVOID", FILTER_AVOID);
	mp_policy_push_code(L, "BAD_SCOPE", BAD_SCOPE);
	mp_policy_push_code(L, "BAD_ORDER", BAD_ORDER);
	mp_policy_push_code(L, "BAD_LIMIT", BAD_LIMIT);
	mp_policy_push_code(L, "BAD_SET", BAD_SET);
	mp_policy_push_code(L, "TOO_MANY_SETS", TOO_MANY_SETS);
}

// ---- asking -----------------------------------------------------------------------------------------------

// false: state->error says why; the plan may have some steps.
static inline bool decide(struct mp_policy_state *state, const struct mp_request_view *req,
                          struct mp_plan *plan)
{
	state->req = *req;
	state->context.plan = plan;
	int status = mp_policy_state_enter(state);
	return MP_LIKELY(status == 0) || mp_policy_state_failed(state, status);
}

bool mp_policy_balance_plan(struct mp_policy_state *state, const struct mp_request_view *req,
                            struct mp_plan *plan)
{
	return decide(state, req, plan);
}

bool mp_policy_balance_check(struct mp_policy_state *state, struct mp_sample *sample)
{
	// A policy that loops over a thousand hosts is not to take longer to try than it must.
	uint32_t step = sample->topology == MP_SAMPLE_THOUSAND ? 5 : 1;
	for (uint32_t i = 0; i < MP_SAMPLE_REQUESTS; i += step) {
		struct mp_request_view req;
		struct mp_plan plan;
		mp_sample_request(i, &req);
		mp_plan_init(&plan, &sample->view, mp_sample_placement(sample), req.hasToken, (int64_t)req.token, i);
		if (!decide(state, &req, &plan))
			return false;
		uint32_t given = 0;
		while (mp_plan_next(&plan, NULL) != MP_NO_HOST)
			given++;
		mp_assert(given <= sample->view.up_count);
	}
	return true;
}

bool mp_policy_balance_ask(struct mp_policy_state *state, const struct mp_policy_question *question)
{
	struct mp_request_view req;
	struct mp_plan plan;
	mp_sample_request(question->request, &req);
	mp_plan_init(&plan, question->view, question->placement, req.hasToken, question->token, question->chance);
	return decide(state, &req, &plan);
}

// ---- in service -------------------------------------------------------------------------------------------

// One call in many is timed; those of a policy in trouble are looked at twice.
static __attribute__((noinline)) bool plan_carefully(struct mp_policy_slot *slot,
                                                     const struct mp_request_view *req, struct mp_plan *plan)
{
	if (!mp_policy_may_ask(slot)) {
		slot->current->calls--;
		return false;
	}
	struct mp_generation *generation = slot->current; // it may have changed just now
	uint64_t from_ns = mp_loop_clock_ns(slot->owner->loop);
	bool ok = decide(generation->state, req, plan);
	return mp_policy_ended(slot, from_ns, ok) && (plan->step_count > 0 || plan->refused);
}

// The first host of a plan, which is walked by a copy.
static void begins_at(const struct mp_plan *plan, enum mp_arm arm, struct mp_tally_pair *pair)
{
	struct mp_plan walk = *plan;
	uint16_t host = mp_plan_next(&walk, NULL);
	pair->host[arm] = host != MP_NO_HOST ? host : UINT32_MAX;
	pair->left[arm] = host != MP_NO_HOST && !plan->view->hosts[host].isLocal;
}

// A request that is put to the candidate: both are asked, from the same chance and turn.
static MP_COLD bool plan_by_candidate(struct mp_policy_slot *slot, const struct mp_request_view *req,
                                      struct mp_plan *plan)
{
	struct mp_policy_state *candidate = mp_canary_policy(slot);
	struct mp_view *view = plan->view;
	struct mp_plan plans[MP_ARMS] = {*plan, *plan};
	struct mp_tally_pair pair = {.differs = false};
	uint32_t turn = view->turn;
	pair.failed[MP_CANDIDATE] = candidate == NULL || !decide(candidate, req, &plans[MP_CANDIDATE]);
	uint32_t taken = view->turn;
	view->turn = turn;
	bool ok = mp_policy_may_ask(slot);
	slot->current->calls += ok ? 1 : 0;
	ok = ok && mp_policy_ended(slot, 0, decide(slot->current->state, req, &plans[MP_IN_FORCE]));
	pair.failed[MP_IN_FORCE] = !ok;
	bool serves = mp_canary_serves(req->arms, MP_ARM_BALANCE) && !pair.failed[MP_CANDIDATE];
	if (serves)
		view->turn = taken;
	*plan = plans[serves ? MP_CANDIDATE : MP_IN_FORCE];
	begins_at(&plans[MP_CANDIDATE], MP_CANDIDATE, &pair);
	begins_at(&plans[MP_IN_FORCE], MP_IN_FORCE, &pair);
	if (candidate != NULL)
		mp_canary_asked(slot, &pair);
	return (ok || serves) && (plan->step_count > 0 || plan->refused);
}

static MP_COLD bool plan_specially(struct mp_policy_slot *slot, const struct mp_request_view *req,
                                   struct mp_plan *plan)
{
	if (!mp_canary_is_dealt(req->arms, MP_ARM_BALANCE))
		return plan_carefully(slot, req, plan);
	slot->current->calls--;
	return plan_by_candidate(slot, req, plan);
}

// A policy with nothing to say about a request leaves it to the default.
static bool serve_plan(void *self, const struct mp_request_view *req, struct mp_plan *plan)
{
	struct mp_policy_slot *slot = self;
	struct mp_generation *generation = slot->current;
	bool is_special = slot->troubled | mp_canary_is_dealt(req->arms, MP_ARM_BALANCE);
	if (MP_UNLIKELY((++generation->calls & MP_POLICY_TIMED_MASK) == 0 || is_special))
		return plan_specially(slot, req, plan);
	if (MP_UNLIKELY(!decide(generation->state, req, plan))) {
		mp_policy_failed(slot);
		return false;
	}
	return plan->step_count > 0 || plan->refused;
}

void mp_policy_identify(void *self, const char **name, uint32_t *generation)
{
	const struct mp_policy_slot *slot = self;
	*name = slot->current->state->name;
	*generation = slot->current->number;
}

static void serve(struct mp_policy_slot *slot, struct mp_policy_calls *policies)
{
	policies->balance =
		(struct mp_balance_policy){.self = slot, .plan = serve_plan, .identify = mp_policy_identify};
}

const struct mp_policy_ops mp_policy_balance = {
	.name = "balance",
	.key = "loadBalancing",
	.tail = "load_balancing",
	.fallback = "TokenAwarePolicy",
	.is_hot = true,
	.arm = MP_ARM_BALANCE,
	.canary_least = 1000,
	.push = mp_policy_balance_push,
	.check = mp_policy_balance_check,
	.ask = mp_policy_balance_ask,
	.serve = serve,
};
