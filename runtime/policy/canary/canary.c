// SPDX-License-Identifier: Apache-2.0
// The life of a canary: what begins it, when it gets more, and what ends it.
#include "policy/canary/canary.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/policies_internal.h"

#define LASTING_MS  120000u
#define TICKS       40u // of the time that a canary lasts
#define TICK_MAX_MS 1000u
#define TICK_MIN_MS 5u
#define ROUND_TICKS 5u
#define QUESTIONS   500u // that are put to it before it serves any request
#define ASKED_PART  8u   // of its time, for a policy that is not asked about each request
#define FIRST_UNITS 32u  // of MP_TALLY_UNITS: at first
#define FIRST_LEAST 10u  // a tenth of the least requests before it gets more

static const struct mp_policy_ops *ops_of(const struct mp_policy_slot *slot)
{
	return mp_policy_ops(slot->kind);
}

static uint8_t bit_of(const struct mp_policy_slot *slot)
{
	return (uint8_t)(1u << slot->kind);
}

bool mp_policy_kind_has_canary(enum mp_policy_kind kind)
{
	return mp_policy_ops(kind)->arm != 0 || mp_policy_ops(kind)->is_beside;
}

const char *mp_canary_state_name(enum mp_canary_state state)
{
	static const char *const names[] = {
#define X(NAME, name) #name,
		MP_CANARY_STATES(X)
#undef X
	};
	return names[state];
}

// ---- the rule ---------------------------------------------------------------------------------------------

// Hosts are of a kind that plans, disagreement of one that is only asked beside, requests of all others.
static bool counts(const struct mp_policy_slot *slot, int condition)
{
	bool is_beside = ops_of(slot)->is_beside, plans = (ops_of(slot)->arm & MP_ARM_BALANCE) != 0;
	switch (condition) {
	case MP_CANARY_POLICY_ERRORS: return true;
	case MP_CANARY_DISAGREEMENT: return is_beside;
	case MP_CANARY_BUSIEST_HOST:
	case MP_CANARY_LEFT_DATACENTER: return plans;
	default: return !is_beside;
	}
}

static struct mp_canary_rule rule_of(const struct mp_policy_slot *slot)
{
	static const double limits[] = {
#define X(NAME, name, limit, what) limit,
		MP_CANARY_CONDITIONS(X)
#undef X
	};
	struct mp_canary_rule rule = slot->owner->orders.choices[slot->kind].canary;
	rule.lasting_ms = rule.lasting_ms > 0 ? rule.lasting_ms : LASTING_MS;
	rule.requests = rule.requests > 0 ? rule.requests : ops_of(slot)->canary_least;
	for (int i = 0; i < MP_CANARY_CONDITION_COUNT; i++) {
		if (!counts(slot, i))
			rule.limits[i] = -1;
		else if (rule.limits[i] == 0)
			rule.limits[i] = limits[i];
	}
	return rule;
}

static uint32_t units_of(double share)
{
	double units = ceil(share * MP_TALLY_UNITS - 1e-9);
	return units < 1 ? 1 : units > MP_TALLY_UNITS / 2 ? MP_TALLY_UNITS / 2 : (uint32_t)units;
}

// One that is failing is replaced at once, whatever comes.
bool mp_canary_is_wanted(const struct mp_policy_slot *slot)
{
	return slot->owner->orders.choices[slot->kind].canary.share > 0 &&
	       mp_policy_kind_has_canary(slot->kind) && slot->owner->view != NULL && slot->current != NULL &&
	       !slot->suspended && slot->failed_in_row == 0;
}

// ---- looking ----------------------------------------------------------------------------------------------

static uint64_t met(const struct mp_canary *canary, enum mp_arm arm)
{
	return ops_of(canary->slot)->is_beside ? canary->tally.pairs : canary->tally.requests[arm];
}

static void describe(const struct mp_canary *canary, enum mp_canary_state state, const char *reason,
                     struct mp_canary_info *info)
{
	const struct mp_policy_slot *slot = canary->slot;
	const struct mp_policy_state *policy = canary->candidate->state;
	*info = (struct mp_canary_info){
		.state = state,
		.generation = canary->candidate->number,
		.in_force = slot->current->number,
		.since_ms = canary->since_ms,
		.lasted_ms = mp_loop_now_ms(slot->owner->loop) - canary->since_ms,
		.rule = canary->rule,
		.share = ops_of(slot)->is_beside ? 0 : (double)canary->tally.share / MP_TALLY_UNITS,
		.requests = {met(canary, MP_IN_FORCE), met(canary, MP_CANDIDATE)},
		.pairs = canary->tally.pairs,
	};
	snprintf(info->name, sizeof(info->name), "%s", policy->name);
	snprintf(info->file, sizeof(info->file), "%s", policy->files[0]);
	snprintf(info->reason, sizeof(info->reason), "%s", reason);
	memcpy(info->figures, canary->tally.figures, sizeof(info->figures));
	for (int i = 0; i < MP_CANARY_CONDITION_COUNT; i++)
		info->counts[i] = counts(slot, i);
}

// Why it goes on.
static void say_how(const struct mp_canary *canary, char *text, size_t size)
{
	uint32_t least = canary->rule.requests;
	const char *what = ops_of(canary->slot)->is_beside ? "decisions" : "requests";
	uint64_t count = met(canary, MP_CANDIDATE);
	if (canary->stage == MP_CANARY_ASKED)
		snprintf(
			text, size,
			"it serves no request yet: %llu of %u questions were put to it beside the generation in force",
			(unsigned long long)canary->tally.pairs, QUESTIONS);
	else if (canary->stage == MP_CANARY_FIRST)
		snprintf(text, size, "it begins with a small share: it has met %llu %s", (unsigned long long)count,
		         what);
	else
		snprintf(text, size, "it has met %llu of at least %u %s", (unsigned long long)count, least, what);
}

bool mp_policies_canary(struct mp_policies *policies, enum mp_policy_kind kind, struct mp_canary_info *info)
{
	struct mp_policy_slot *slot = &policies->slots[kind];
	struct mp_canary *canary = slot->canary;
	if (canary == NULL && slot->last_canary == NULL)
		return false;
	if (canary == NULL) {
		*info = *slot->last_canary;
		return true;
	}
	char reason[256];
	say_how(canary, reason, sizeof(reason));
	mp_tally_figures(&canary->tally);
	describe(canary, canary->is_waiting ? MP_CANARY_WAITING : MP_CANARY_RUNNING, reason, info);
	return true;
}

// ---- rounds -----------------------------------------------------------------------------------------------

static void next_round(struct mp_policies *policies)
{
	struct mp_canaries *canaries = &policies->canaries;
	if (++canaries->round == 0)
		canaries->round = 1;
	canaries->ticks = 0;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		if (policies->slots[kind].canary != NULL)
			mp_tally_round(&policies->slots[kind].canary->tally);
}

static uint32_t tick_ms(const struct mp_policies *policies)
{
	uint32_t ms = TICK_MAX_MS;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		const struct mp_canary *canary = policies->slots[kind].canary;
		if (canary != NULL && canary->rule.lasting_ms / TICKS < ms)
			ms = canary->rule.lasting_ms / TICKS;
	}
	return ms < TICK_MIN_MS ? TICK_MIN_MS : ms;
}

// The timer runs while a canary does. Without memory for it the others go on as they are.
static int follow_running(struct mp_policies *policies)
{
	struct mp_canaries *canaries = &policies->canaries;
	canaries->running = 0;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		if (policies->slots[kind].canary != NULL)
			canaries->running |= bit_of(&policies->slots[kind]);
	if (canaries->running != 0)
		return mp_timer_start_ms(&canaries->timer, tick_ms(policies));
	mp_timer_stop(&canaries->timer);
	return 0;
}

// ---- its life ---------------------------------------------------------------------------------------------

// From now on its requests are counted anew, with this share.
static void enter(struct mp_canary *canary, enum mp_canary_stage stage)
{
	uint32_t units = units_of(canary->rule.share);
	bool is_small = units <= FIRST_UNITS;
	canary->stage =
		ops_of(canary->slot)->is_beside || (stage == MP_CANARY_FIRST && is_small) ? MP_CANARY_WHOLE : stage;
	next_round(canary->slot->owner);
	canary->begun_round = canary->slot->owner->canaries.round;
	if (canary->stage == MP_CANARY_ASKED)
		units = 0;
	else if (canary->stage == MP_CANARY_FIRST)
		units = FIRST_UNITS;
	mp_tally_begin(&canary->tally, units);
}

static void tell(struct mp_canary *canary, enum mp_canary_state state, const char *reason)
{
	struct mp_policy_slot *slot = canary->slot;
	struct mp_canary_info info;
	mp_tally_figures(&canary->tally);
	describe(canary, state, reason, &info);
	mp_log_write(slot->owner->log, state == MP_CANARY_TAKEN_BACK ? MP_LOG_WARN : MP_LOG_INFO,
	             "policy %s: canary of generation %u (%s) beside %u: %s%s%s", info.name, info.generation,
	             info.file, info.in_force, mp_canary_state_name(state), reason[0] != '\0' ? ": " : "",
	             reason);
	mp_policy_tell_canary(slot, &info);
	if (state < MP_CANARY_PROMOTED)
		return;
	if (slot->last_canary == NULL)
		slot->last_canary = mp_alloc(sizeof(info));
	if (slot->last_canary != NULL) // otherwise nobody can ask for it later
		*slot->last_canary = info;
}

// The candidate is the caller's.
static struct mp_generation *end(struct mp_policy_slot *slot)
{
	struct mp_generation *candidate = slot->canary->candidate;
	mp_free(slot->canary);
	slot->canary = NULL;
	int rc = follow_running(slot->owner);
	(void)rc; // the timer was started before: there is room for it
	return candidate;
}

void mp_canary_take_back(struct mp_policy_slot *slot, const char *reason)
{
	if (slot->canary == NULL)
		return;
	tell(slot->canary, MP_CANARY_TAKEN_BACK, reason);
	mp_policy_discard(slot, end(slot));
}

static void promote(struct mp_policy_slot *slot, const char *reason)
{
	tell(slot->canary, MP_CANARY_PROMOTED, reason);
	mp_policy_swap_in(slot, end(slot));
	mp_policy_reloaded(slot);
}

static struct mp_canary *new_canary(struct mp_policy_slot *slot, struct mp_generation *candidate)
{
	uint32_t hosts = (ops_of(slot)->arm & MP_ARM_BALANCE) != 0 ? MP_HOSTS_MAX : 0;
	struct mp_canary *canary = mp_calloc(1, sizeof(*canary) + hosts * sizeof(canary->hosts[0]));
	if (canary == NULL)
		return NULL;
	canary->slot = slot;
	canary->candidate = candidate;
	canary->rule = rule_of(slot);
	canary->since_ms = mp_loop_now_ms(slot->owner->loop);
	canary->offset = (uint32_t)slot->kind * (MP_TALLY_UNITS / MP_POLICY_KINDS);
	canary->tally.host_count = hosts;
	canary->tally.hosts = hosts > 0 ? canary->hosts : NULL;
	memcpy(canary->tally.limits, canary->rule.limits, sizeof(canary->rule.limits));
	return canary;
}

int mp_canary_begin(struct mp_policy_slot *slot, struct mp_generation *candidate)
{
	struct mp_policies *policies = slot->owner;
	mp_canary_take_back(slot, "its file has changed again");
	slot->canary = new_canary(slot, candidate);
	if (slot->canary == NULL)
		return MP_ENOMEM;
	if (follow_running(policies) != 0) {
		(void)end(slot);
		return MP_ENOMEM;
	}
	mp_policy_reload_forget(slot);
	slot->loaded_hash = candidate->state->content_hash;
	slot->last_error[0] = '\0';
	if (candidate->number == 0)
		candidate->number = ++slot->generations;
	candidate->since_ms = slot->canary->since_ms;
	candidate->state->watched.alarm = &slot->canary_alarm;
	policies->canaries.salt ^= candidate->state->content_hash;
	enter(slot->canary, MP_CANARY_ASKED);
	mp_policy_watch_start(slot, candidate->state);
	tell(slot->canary, MP_CANARY_RUNNING, "");
	return 0;
}

static bool same_rule(const struct mp_canary_rule *a, const struct mp_canary_rule *b)
{
	bool same = a->share == b->share && a->lasting_ms == b->lasting_ms && a->requests == b->requests;
	for (int i = 0; i < MP_CANARY_CONDITION_COUNT; i++)
		same = same && a->limits[i] == b->limits[i];
	return same;
}

void mp_canary_follow(struct mp_policy_slot *slot)
{
	if (slot->canary == NULL)
		return;
	struct mp_canary_rule rule = rule_of(slot);
	if (rule.share == 0) {
		mp_canary_take_back(slot, "the configuration has no canary any more");
		return;
	}
	if (same_rule(&rule, &slot->canary->rule))
		return;
	struct mp_canary *canary = slot->canary;
	canary->rule = rule;
	canary->since_ms = mp_loop_now_ms(slot->owner->loop);
	canary->is_waiting = false;
	memcpy(canary->tally.limits, rule.limits, sizeof(rule.limits));
	mp_tally_forget_pairs(&canary->tally);
	enter(canary, MP_CANARY_ASKED);
	int rc = follow_running(slot->owner);
	(void)rc; // it runs already, and is only moved
	tell(canary, MP_CANARY_RUNNING, "the configuration says something else of it: it begins again");
}

// ---- judging ----------------------------------------------------------------------------------------------

static void condemn(struct mp_policy_slot *slot, int condition)
{
	const struct mp_canary_figure *figure = &slot->canary->tally.figures[condition];
	char reason[256];
	snprintf(reason, sizeof(reason), "%s is %.4g, and %.4g in force (abortIf: %.4g; confidence %.5f)",
	         mp_canary_condition_name(condition), figure->candidate, figure->in_force, figure->limit,
	         figure->confidence);
	mp_canary_take_back(slot, reason);
}

// false: it was taken back.
static bool look(struct mp_policy_slot *slot)
{
	int condition = mp_tally_look(&slot->canary->tally);
	if (condition >= 0)
		condemn(slot, condition);
	return condition < 0;
}

void mp_canary_look(struct mp_policy_slot *slot)
{
	if (slot->canary != NULL && mp_tally_is_due(&slot->canary->tally))
		(void)look(slot);
}

// It has shown enough for the next stage.
static bool may_go_on(const struct mp_canary *canary, uint64_t passed_ms)
{
	bool plans = (ops_of(canary->slot)->arm & MP_ARM_BALANCE) != 0;
	uint32_t lasting_ms = canary->rule.lasting_ms;
	if (canary->stage == MP_CANARY_ASKED)
		return canary->tally.pairs >= QUESTIONS || (!plans && passed_ms >= lasting_ms / ASKED_PART);
	return passed_ms >= lasting_ms / 2 && met(canary, MP_CANDIDATE) >= canary->rule.requests / FIRST_LEAST;
}

static void review(struct mp_policy_slot *slot)
{
	struct mp_canary *canary = slot->canary;
	uint64_t passed_ms = mp_loop_now_ms(slot->owner->loop) - canary->since_ms;
	uint32_t least = canary->rule.requests;
	mp_tally_settle(&canary->tally);
	if (canary->stage != MP_CANARY_WHOLE && may_go_on(canary, passed_ms)) {
		if (look(slot))
			enter(canary, canary->stage == MP_CANARY_ASKED ? MP_CANARY_FIRST : MP_CANARY_WHOLE);
		return;
	}
	if (passed_ms < canary->rule.lasting_ms)
		return;
	bool is_enough = canary->stage == MP_CANARY_WHOLE && met(canary, MP_CANDIDATE) >= least &&
	                 met(canary, MP_IN_FORCE) >= least;
	if (is_enough && look(slot)) {
		promote(slot, "no condition of abortIf was met");
	} else if (!is_enough && !canary->is_waiting) {
		canary->is_waiting = true;
		char reason[256];
		say_how(canary, reason, sizeof(reason));
		tell(canary, MP_CANARY_WAITING, reason);
	}
}

static void on_tick(void *data)
{
	struct mp_policies *policies = data;
	if (++policies->canaries.ticks >= ROUND_TICKS)
		next_round(policies);
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		if (policies->slots[kind].canary != NULL)
			review(&policies->slots[kind]);
	int rc = follow_running(policies);
	(void)rc; // it has just fired: there is room for it
}

// ---- by hand, and with the policies -----------------------------------------------------------------------

int mp_policies_canary_promote(struct mp_policies *policies, enum mp_policy_kind kind)
{
	if (policies->slots[kind].canary == NULL)
		return MP_ENOTFOUND;
	promote(&policies->slots[kind], "by hand");
	return 0;
}

int mp_policies_canary_abort(struct mp_policies *policies, enum mp_policy_kind kind)
{
	if (policies->slots[kind].canary == NULL)
		return MP_ENOTFOUND;
	mp_canary_take_back(&policies->slots[kind], "by hand");
	return 0;
}

void mp_canaries_init(struct mp_policies *policies)
{
	mp_timer_init(&policies->canaries.timer, policies->loop, on_tick, policies);
}

void mp_canaries_deinit(struct mp_policies *policies)
{
	mp_timer_stop(&policies->canaries.timer);
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		struct mp_policy_slot *slot = &policies->slots[kind];
		if (slot->canary != NULL)
			mp_generation_free(slot->canary->candidate);
		mp_free(slot->canary);
		mp_free(slot->last_canary);
	}
}
