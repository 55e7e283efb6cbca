// SPDX-License-Identifier: Apache-2.0
// Whose a request is while canaries run, what became of it, and the questions that are put to a candidate.
#include <stdio.h>

#include "base/log.h"
#include "policy/policies_internal.h"

#define COMPLAIN_MS 1000u
#define ASKED_UNITS (MP_TALLY_UNITS / 2) // of requests that it does not serve

// ---- requests ---------------------------------------------------------------------------------------------

static uint32_t unit_of(const struct mp_canary *canary, uint32_t unit)
{
	return (unit + canary->offset) % MP_TALLY_UNITS;
}

// The last step of splitmix64.
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void deal(void *self, bool has_token, int64_t token, struct mp_request_arms *arms)
{
	struct mp_policies *policies = self;
	struct mp_canaries *canaries = &policies->canaries;
	uint64_t key = has_token ? (uint64_t)token : mix(++canaries->keyless);
	uint64_t bits = mix(key ^ mix(canaries->salt + canaries->round * UINT64_C(0x9e3779b97f4a7c15)));
	*arms = (struct mp_request_arms){
		.unit = (uint16_t)(bits % MP_TALLY_UNITS),
		.round = canaries->round,
	};
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		const struct mp_canary *canary = policies->slots[kind].canary;
		uint32_t arm = mp_policy_ops((enum mp_policy_kind)kind)->arm;
		if (canary == NULL)
			continue;
		uint32_t unit = unit_of(canary, arms->unit);
		if (canary->stage == MP_CANARY_ASKED && unit < ASKED_UNITS)
			arms->candidate |= (uint8_t)(arm << MP_ARMS_BESIDE);
		else if (mp_tally_arm(&canary->tally, unit) == MP_CANDIDATE)
			arms->candidate |= (uint8_t)arm;
	}
}

static void ended(void *self, const struct mp_request_arms *arms, const struct mp_canary_outcome *outcome)
{
	struct mp_policies *policies = self;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		struct mp_canary *canary = policies->slots[kind].canary;
		uint8_t arm = mp_policy_ops((enum mp_policy_kind)kind)->arm;
		if (canary == NULL || (arms->met & arm) == 0 || arms->round < canary->begun_round)
			continue;
		struct mp_tally_request request = {
			.arm = (arms->candidate & arm) != 0 ? MP_CANDIDATE : MP_IN_FORCE,
			.unit = unit_of(canary, arms->unit),
			.is_now = arms->round == policies->canaries.round,
			.failed = outcome->failed,
			.attempts = outcome->attempts,
			.latency_us = outcome->latency_us,
		};
		mp_tally_request(&canary->tally, &request);
		mp_canary_look(canary->slot);
	}
}

static void identify(void *self, uint8_t arms, const char **name, uint32_t *generation)
{
	const struct mp_policies *policies = self;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		const struct mp_canary *canary = policies->slots[kind].canary;
		if (canary == NULL || (mp_policy_ops((enum mp_policy_kind)kind)->arm & arms & MP_ARM_BALANCE) == 0)
			continue;
		*name = canary->candidate->state->name;
		*generation = canary->candidate->number;
	}
}

// ---- the candidate's questions ----------------------------------------------------------------------------

struct mp_policy_state *mp_canary_policy(struct mp_policy_slot *slot)
{
	return slot->canary != NULL ? slot->canary->candidate->state : NULL;
}

static void complain(const struct mp_canary *canary)
{
	struct mp_policy_slot *slot = canary->slot;
	uint64_t held;
	if (mp_log_gate_open(&slot->canary_gate, mp_loop_now_ms(slot->owner->loop), COMPLAIN_MS, &held))
		mp_log_write(
			slot->owner->log, MP_LOG_WARN,
			"policy %s (generation %u, a canary) failed, generation %u answers: %s (%llu more since the "
			"last time)",
			canary->candidate->state->name, canary->candidate->number, slot->current->number,
			canary->last_error, (unsigned long long)held);
}

// Being stopped costs the loop milliseconds: once is enough, unless the generation in force was stopped, too.
static void failed(struct mp_policy_slot *slot)
{
	struct mp_canary *canary = slot->canary;
	struct mp_generation *candidate = canary->candidate;
	candidate->errors++;
	snprintf(canary->last_error, sizeof(canary->last_error), "%s", candidate->state->error);
	complain(canary);
	if (!candidate->state->was_fuel)
		return;
	slot->needs_collect = true;
	mp_task_post(slot->owner->loop, &slot->owner->cleanup, MP_PHASE_RUN);
	if (slot->current->stopped > 0 && ++candidate->stopped < MP_POLICY_STOPS_MAX)
		return;
	char reason[MP_POLICY_TEXT];
	snprintf(reason, sizeof(reason), "it was stopped: %.*s", (int)sizeof(reason) - 32, canary->last_error);
	mp_canary_take_back(slot, reason);
}

void mp_canary_asked(struct mp_policy_slot *slot, const struct mp_tally_pair *pair)
{
	struct mp_canary *canary = slot->canary;
	if (canary == NULL)
		return;
	canary->candidate->calls++;
	mp_tally_pair(&canary->tally, pair);
	if (pair->failed[MP_CANDIDATE]) {
		failed(slot);
	} else if (canary->candidate->state->watched.is_stuck) {
		mp_canary_take_back(slot, "one call took more than 100 ms");
	}
	mp_canary_look(slot);
}

void mp_canaries_serve(struct mp_policies *policies, struct mp_canary_calls *calls)
{
	*calls = (struct mp_canary_calls){
		.self = policies,
		.running = &policies->canaries.running,
		.deal = deal,
		.ended = ended,
		.identify = identify,
	};
}
