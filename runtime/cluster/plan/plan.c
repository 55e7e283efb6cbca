// SPDX-License-Identifier: Apache-2.0
// A step is walked without memory of its own beyond a position and the hosts already given: the order of a
// step follows from its seed, so asking again after a host went down or the view was rebuilt still ends, and
// never gives a host twice.
#include "cluster/plan/plan.h"

#include <string.h>

#define CANDIDATES_MAX 64 // replicas of one token that are looked at
#define DRAWS          8

void mp_plan_init(struct mp_plan *plan, struct mp_view *view, const struct mp_placement *placement,
                  bool has_token, int64_t token, uint64_t chance)
{
	plan->view = view;
	plan->placement = placement;
	plan->token = token;
	plan->chance = chance;
	memset(&plan->has_token, 0, offsetof(struct mp_plan, seen) - offsetof(struct mp_plan, has_token));
	plan->has_token = has_token;
}

// ---- what a policy writes
// -----------------------------------------------------------------------------------------

static uint32_t draw(struct mp_plan *plan)
{
	plan->chance = plan->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(plan->chance >> 32);
}

// A number below `count`, from 32 random bits.
static uint32_t one_of(uint32_t chance, uint32_t count)
{
	return (uint32_t)((uint64_t)chance * count >> 32);
}

static struct mp_plan_step *add_step(struct mp_plan *plan, enum mp_step_kind kind)
{
	if (MP_UNLIKELY(plan->step_count == MP_PLAN_STEPS)) {
		plan->overflow = true;
		return NULL;
	}
	struct mp_plan_step *step = &plan->steps[plan->step_count++];
	step->kind = (uint8_t)kind;
	step->avoids_slow = plan->avoids_slow;
	step->care = plan->care;
	step->want = plan->want;
	return step;
}

// Once for each plan: two steps in turn would otherwise leave every other host out of the first place.
static uint32_t turn_of(struct mp_plan *plan)
{
	if (!plan->has_turn)
		plan->turn = plan->view->turn++;
	plan->has_turn = true;
	return plan->turn;
}

MP_INLINE void add_scoped(struct mp_plan *plan, enum mp_step_kind kind, uint32_t scope, uint32_t order,
                          uint32_t limit, uint32_t arg)
{
	if (MP_UNLIKELY(scope >= MP_SCOPE_COUNT || order >= MP_ORDER_COUNT ||
	                (scope == MP_SCOPE_DC && arg >= MP_DCS_MAX))) {
		plan->overflow = true;
		return;
	}
	struct mp_plan_step *step = add_step(plan, kind);
	if (step == NULL)
		return;
	step->scope = (uint8_t)scope;
	step->order = (uint8_t)order;
	step->limit = limit > UINT16_MAX ? UINT16_MAX : (uint16_t)limit;
	step->arg = (uint16_t)arg;
	step->seed = order == MP_ORDER_IN_TURN ? turn_of(plan) : draw(plan);
}

void mp_plan_replicas(struct mp_plan *plan, uint32_t scope, uint32_t order, uint32_t limit, uint32_t arg)
{
	if (plan->has_token && plan->placement != NULL)
		add_scoped(plan, MP_STEP_REPLICAS, scope, order, limit, arg);
}

void mp_plan_hosts(struct mp_plan *plan, uint32_t scope, uint32_t order, uint32_t limit, uint32_t arg)
{
	add_scoped(plan, MP_STEP_HOSTS, scope, order, limit, arg);
}

void mp_plan_host(struct mp_plan *plan, uint32_t index)
{
	if (index >= MP_HOSTS_MAX) {
		plan->overflow = true;
		return;
	}
	struct mp_plan_step *step = add_step(plan, MP_STEP_HOST);
	if (step == NULL)
		return;
	step->scope = MP_SCOPE_ALL;
	step->order = MP_ORDER_PRIMARY_FIRST;
	step->limit = 0;
	step->seed = 0;
	step->arg = (uint16_t)index;
}

// ---- choosing among candidates
// ------------------------------------------------------------------------------------

MP_INLINE bool usable(const struct mp_plan *plan, const struct mp_plan_step *step, uint16_t host)
{
	if (MP_UNLIKELY(host >= MP_HOSTS_MAX))
		return false;
	const struct mp_host_view *view = &plan->view->hosts[host];
	if (!view->isUp || (view->marks & step->care) != step->want)
		return false;
	if (MP_UNLIKELY(step->avoids_slow) && view->latencyUs > plan->slow_us &&
	    view->latencyAtMs >= plan->slow_since_ms)
		return false;
	for (uint16_t i = 0; i < plan->seen_count; i++)
		if (plan->seen[i] == host)
			return false;
	return true;
}

// Of two, the one with less to do; one that came up a moment ago takes second place, so that it is not
// flooded while its caches are cold.
static uint16_t less_loaded(const struct mp_view *view, uint16_t a, uint16_t b)
{
	const struct mp_host_view *x = &view->hosts[a];
	const struct mp_host_view *y = &view->hosts[b];
	if (x->isNewlyUp != y->isNewlyUp)
		return x->isNewlyUp ? b : a;
	return y->inFlight < x->inFlight ? b : a;
}

static uint16_t fastest(const struct mp_view *view, const uint16_t *hosts, uint32_t count)
{
	uint16_t best = hosts[0];
	for (uint32_t i = 1; i < count; i++)
		if (view->hosts[hosts[i]].latencyUs < view->hosts[best].latencyUs)
			best = hosts[i];
	return best;
}

static double weight_of(const struct mp_view *view, uint16_t host)
{
	double weight = view->hosts[host].weight;
	return weight > 0 && weight < 1e9 ? weight : 0;
}

// A host by chance in proportion to its weight; hosts of weight 0 only when there are no others.
static uint16_t weighted(struct mp_plan *plan, const uint16_t *hosts, uint32_t count)
{
	double total = 0;
	for (uint32_t i = 0; i < count; i++)
		total += weight_of(plan->view, hosts[i]);
	if (total <= 0)
		return hosts[0];
	double point = total * ((double)draw(plan) / 4294967296.0);
	for (uint32_t i = 0; i < count; i++) {
		point -= weight_of(plan->view, hosts[i]);
		if (point < 0)
			return hosts[i];
	}
	return hosts[count - 1];
}

// One of `count` > 0 usable hosts.
static uint16_t choose(struct mp_plan *plan, const struct mp_plan_step *step, const uint16_t *hosts,
                       uint32_t count)
{
	switch (step->order) {
	case MP_ORDER_IN_TURN: return hosts[plan->taken == 0 ? step->seed % count : 0];
	case MP_ORDER_SHUFFLED: return hosts[one_of(draw(plan), count)];
	case MP_ORDER_LEAST_LOADED: {
		if (count == 1)
			return hosts[0];
		uint32_t a = draw(plan) % count;
		uint32_t b = draw(plan) % (count - 1);
		return less_loaded(plan->view, hosts[a], hosts[b < a ? b : b + 1]);
	}
	case MP_ORDER_FASTEST: return fastest(plan->view, hosts, count);
	case MP_ORDER_WEIGHTED: return weighted(plan, hosts, count);
	default: return hosts[0];
	}
}

// ---- walking a step
// -----------------------------------------------------------------------------------------------

MP_INLINE bool in_scope(const struct mp_plan *plan, const struct mp_plan_step *step,
                        const struct mp_host_view *host)
{
	if (MP_LIKELY(step->scope == MP_SCOPE_LOCAL_DC))
		return host->isLocal;
	switch (step->scope) {
	case MP_SCOPE_SAME_RACK: return host->isLocal && host->isLocalRack;
	case MP_SCOPE_REMOTE_DCS: return host->dcId == plan->view->remote_order[plan->dc];
	case MP_SCOPE_DC: return host->dcId == step->arg;
	default: return true;
	}
}

MP_INLINE bool fits(const struct mp_plan *plan, const struct mp_plan_step *step, uint16_t replica)
{
	return usable(plan, step, replica) && in_scope(plan, step, &plan->view->hosts[replica]);
}

// At random: draw until one hits that will do, which is as fair as to choose among those, and cheaper unless they are
// few. MP_NO_HOST: they are few.
static uint16_t draw_replica(struct mp_plan *plan, const struct mp_plan_step *step, const uint16_t *replicas,
                             uint32_t count)
{
	uint32_t chance = step->seed;
	for (int i = 0; i < DRAWS; i++, chance = draw(plan)) {
		uint16_t host = replicas[one_of(chance, count)];
		if (fits(plan, step, host))
			return host;
	}
	return MP_NO_HOST;
}

static uint16_t next_replica(struct mp_plan *plan, const struct mp_plan_step *step)
{
	uint32_t count;
	const uint16_t *replicas = mp_placement_find(plan->placement, plan->token, &count);
	if (step->order == MP_ORDER_SHUFFLED && plan->taken == 0 && count > 0) {
		uint16_t host = draw_replica(plan, step, replicas, count);
		if (host != MP_NO_HOST)
			return host;
	}
	uint16_t candidates[CANDIDATES_MAX];
	uint32_t found = 0;
	for (uint32_t i = 0; i < count && found < CANDIDATES_MAX; i++)
		if (fits(plan, step, replicas[i]))
			candidates[found++] = replicas[i];
	return found == 0 ? MP_NO_HOST : choose(plan, step, candidates, found);
}

static const struct mp_group *group_of(const struct mp_plan *plan, const struct mp_plan_step *step)
{
	struct mp_view *view = plan->view;
	switch (step->scope) {
	case MP_SCOPE_LOCAL_DC: return &view->local;
	case MP_SCOPE_SAME_RACK: return &view->rack;
	case MP_SCOPE_REMOTE_DCS: return &view->dcs[view->remote_order[plan->dc]];
	case MP_SCOPE_DC: return &view->dcs[step->arg];
	default: return &view->all;
	}
}

// The n-th place of a walk through `count` places that visits each once. In turn: one after the other from
// the seed. At random: in strides of a prime above any count, so that not always the same neighbour inherits
// a dead host's share.
static uint32_t place(const struct mp_plan_step *step, uint32_t n, uint32_t count)
{
	static const uint32_t strides[] = {8209, 8219, 8221, 8231, 8233, 8237, 8243, 8263};
	switch (step->order) {
	case MP_ORDER_PRIMARY_FIRST: return n % count;
	case MP_ORDER_IN_TURN: return (uint32_t)(((uint64_t)step->seed + n) % count);
	default: return (uint32_t)(((uint64_t)(step->seed >> 3) + (uint64_t)n * strides[step->seed & 7]) % count);
	}
}

// The next usable host of the walk, which goes on behind it.
static uint16_t walk_group(struct mp_plan *plan, const struct mp_plan_step *step,
                           const struct mp_group *group)
{
	while (plan->position < group->count) {
		uint16_t host = group->hosts[place(step, plan->position++, group->count)];
		if (usable(plan, step, host))
			return host;
	}
	return MP_NO_HOST;
}

static uint16_t compare_all(struct mp_plan *plan, const struct mp_plan_step *step,
                            const struct mp_group *group)
{
	uint16_t best = MP_NO_HOST;
	double total = 0;
	for (uint32_t i = 0; i < group->count; i++) {
		uint16_t host = group->hosts[i];
		if (!usable(plan, step, host))
			continue;
		if (step->order == MP_ORDER_FASTEST) {
			if (best == MP_NO_HOST || plan->view->hosts[host].latencyUs < plan->view->hosts[best].latencyUs)
				best = host;
			continue;
		}
		// One pass of weighted sampling: each host replaces the choice with the chance its weight has so far.
		double weight = weight_of(plan->view, host);
		total += weight;
		if (best == MP_NO_HOST || (weight > 0 && (double)draw(plan) / 4294967296.0 * total < weight))
			best = host;
	}
	return best;
}

static uint16_t next_host(struct mp_plan *plan, const struct mp_plan_step *step)
{
	const struct mp_group *group = group_of(plan, step);
	if (group->count == 0)
		return MP_NO_HOST;
	if (step->order == MP_ORDER_FASTEST || step->order == MP_ORDER_WEIGHTED)
		return compare_all(plan, step, group);
	if (step->order != MP_ORDER_LEAST_LOADED)
		return walk_group(plan, step, group);
	// Two of the whole group by chance; when one of them is spent already, the walk finds what is left.
	uint16_t a = group->hosts[draw(plan) % group->count];
	uint16_t b = group->hosts[draw(plan) % group->count];
	bool a_usable = usable(plan, step, a);
	bool b_usable = usable(plan, step, b);
	if (a_usable && b_usable)
		return less_loaded(plan->view, a, b);
	if (a_usable || b_usable)
		return a_usable ? a : b;
	plan->position = 0;
	return walk_group(plan, step, group);
}

static void next_step(struct mp_plan *plan)
{
	plan->step++;
	plan->dc = 0;
	plan->position = 0;
	plan->taken = 0;
}

static uint16_t next_of_step(struct mp_plan *plan, const struct mp_plan_step *step)
{
	if (step->kind == MP_STEP_HOST)
		return plan->taken == 0 && usable(plan, step, step->arg) ? step->arg : MP_NO_HOST;
	for (;;) {
		if (step->scope == MP_SCOPE_REMOTE_DCS && plan->dc >= plan->view->remote_count)
			return MP_NO_HOST;
		if (step->limit == 0 || plan->taken < step->limit) {
			uint16_t host = step->kind == MP_STEP_REPLICAS ? next_replica(plan, step) : next_host(plan, step);
			if (host != MP_NO_HOST)
				return host;
		}
		if (step->scope != MP_SCOPE_REMOTE_DCS)
			return MP_NO_HOST;
		plan->dc++;
		plan->position = 0;
		plan->taken = 0;
	}
}

static __attribute__((noinline)) uint16_t walk(struct mp_plan *plan, uint8_t *step_index)
{
	while (plan->step < plan->step_count && plan->seen_count < MP_PLAN_SEEN) {
		const struct mp_plan_step *step = &plan->steps[plan->step];
		uint16_t host = next_of_step(plan, step);
		if (host == MP_NO_HOST) {
			next_step(plan);
			continue;
		}
		plan->seen[plan->seen_count++] = host;
		plan->taken++;
		if (step_index != NULL)
			*step_index = plan->step;
		return host;
	}
	return MP_NO_HOST;
}

// The same for the usual first step, local replicas at random without a filter, and its first host: most plans begin
// so, and most requests need no second host.
static uint16_t first_replica(struct mp_plan *plan, const struct mp_plan_step *step)
{
	uint32_t count;
	const uint16_t *replicas = mp_placement_find(plan->placement, plan->token, &count);
	const struct mp_host_view *hosts = plan->view->hosts;
	uint32_t chance = step->seed;
	for (int i = 0; i < DRAWS && count > 0; i++, chance = draw(plan)) {
		uint16_t host = replicas[one_of(chance, count)];
		if (host < MP_HOSTS_MAX && hosts[host].isUp && hosts[host].isLocal)
			return host;
	}
	return MP_NO_HOST;
}

uint16_t mp_plan_next(struct mp_plan *plan, uint8_t *step_index)
{
	if (MP_UNLIKELY(plan->refused))
		return MP_NO_HOST;
	const struct mp_plan_step *step = plan->steps;
	if (plan->seen_count != 0 || plan->step != 0 || plan->step_count == 0 || step->kind != MP_STEP_REPLICAS ||
	    step->scope != MP_SCOPE_LOCAL_DC || step->order != MP_ORDER_SHUFFLED || step->avoids_slow ||
	    step->care != 0 || plan->placement == NULL)
		return walk(plan, step_index);
	uint16_t host = first_replica(plan, step);
	if (MP_UNLIKELY(host == MP_NO_HOST))
		return walk(plan, step_index);
	plan->seen[0] = host;
	plan->seen_count = 1;
	plan->taken = 1;
	if (step_index != NULL)
		*step_index = 0;
	return host;
}

bool mp_plan_has_replicas(const struct mp_plan *plan)
{
	return plan->has_token && plan->placement != NULL;
}

bool mp_plan_is_replica(const struct mp_plan *plan, uint16_t slot)
{
	uint32_t count = 0;
	const uint16_t *replicas =
		mp_plan_has_replicas(plan) ? mp_placement_find(plan->placement, plan->token, &count) : NULL;
	for (uint32_t i = 0; replicas != NULL && i < count; i++)
		if (replicas[i] == slot)
			return true;
	return false;
}
