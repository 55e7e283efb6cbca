// SPDX-License-Identifier: Apache-2.0
// Policies in service: asks the generation in force, counts, and when it fails lets C answer. After too many
// failures in a row the generation before is back; without one the script rests and is asked once a second, because
// what it trips over (a datacentre that is away) may pass.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "policy/policies_internal.h"

#define TELL_EVERY_MS  1000u
#define PROBE_EVERY_MS 1000u

static void complain(struct mp_policy_slot *slot, const char *text)
{
	struct mp_loop *loop = slot->owner->loop;
	uint64_t held;
	if (!mp_log_gate_open(&slot->gate, mp_loop_now_ms(loop), TELL_EVERY_MS, &held))
		return;
	mp_log_write(slot->owner->log, MP_LOG_WARN,
	             "%s %s (generation %u) failed, %s: %s (%llu more since the last time)",
	             mp_policy_title(slot), slot->current->state->name, slot->current->number,
	             mp_policy_ops(slot->kind)->is_shadow ? "no request notices" : "the default answers", text,
	             (unsigned long long)held);
	mp_policy_tell(slot, MP_POLICY_ERROR, text);
}

// Too much is too much: the generation before, or rest.
static void step_back(struct mp_policy_slot *slot)
{
	struct mp_loop *loop = slot->owner->loop;
	slot->failed_in_row = 0;
	slot->current->stops = 0;
	if (slot->current->earlier == NULL || slot->retired != NULL) {
		if (!slot->suspended)
			mp_log_write(slot->owner->log, MP_LOG_ERROR, "%s %s (generation %u) keeps failing and rests: %s",
			             mp_policy_title(slot), slot->current->state->name, slot->current->number,
			             slot->last_error);
		slot->suspended = true;
		slot->probe_ms = mp_loop_now_ms(loop) + PROBE_EVERY_MS;
		return;
	}
	mp_canary_take_back(slot, "the generation in force failed, and the one before it is back");
	slot->retired = mp_policy_go_back(slot);
	char text[MP_POLICY_TEXT];
	snprintf(text, sizeof(text), "%.*s; generation %u is back", (int)sizeof(text) - 48, slot->last_error,
	         slot->current->number);
	mp_log_write(slot->owner->log, MP_LOG_ERROR, "%s %s (generation %u) keeps failing: %s",
	             mp_policy_title(slot), slot->retired->state->name, slot->retired->number, text);
	mp_policy_tell(slot, MP_POLICY_ERROR, text);
	mp_task_post(loop, &slot->owner->cleanup, MP_PHASE_RUN);
}

// Each time that a script is stopped costs the loop milliseconds, so a few times in a while are too much, also when
// other requests meet no trouble between them.
static bool is_stopped_too_often(struct mp_policy_slot *slot)
{
	struct mp_generation *generation = slot->current;
	uint64_t now_ms = mp_loop_now_ms(slot->owner->loop);
	if (generation->stops == 0 || now_ms - generation->stops_since_ms > MP_POLICY_STOPS_MS) {
		generation->stops = 0;
		generation->stops_since_ms = now_ms;
	}
	generation->stopped++;
	return ++generation->stops >= MP_POLICY_STOPS_MAX;
}

void mp_policy_failed(struct mp_policy_slot *slot)
{
	struct mp_generation *generation = slot->current;
	const struct mp_policy_state *state = generation->state;
	generation->errors++;
	memcpy(slot->last_error, state->error, sizeof(slot->last_error));
	complain(slot, slot->last_error);
	if (state->was_fuel) {
		slot->needs_collect = true;
		mp_task_post(slot->owner->loop, &slot->owner->cleanup, MP_PHASE_RUN);
	}
	slot->troubled = true;
	slot->failed_in_row += state->was_fuel ? MP_POLICY_FUEL_WEIGHT : 1;
	bool is_stopped = state->was_fuel && is_stopped_too_often(slot);
	if (slot->suspended || is_stopped || slot->failed_in_row >= MP_POLICY_ERRORS_MAX)
		step_back(slot);
}

static void worked(struct mp_policy_slot *slot)
{
	slot->troubled = false;
	slot->failed_in_row = 0;
	slot->suspended = false;
}

uint64_t mp_policy_called(struct mp_policy_slot *slot)
{
	return MP_LIKELY((++slot->current->calls & slot->timed_mask) != 0) ? 0
	                                                                   : mp_loop_clock_ns(slot->owner->loop);
}

static void timed(struct mp_policy_slot *slot, uint64_t from_ns)
{
	slot->current->timed_ns += mp_loop_clock_ns(slot->owner->loop) - from_ns;
	slot->current->timed_calls++;
}

bool mp_policy_ended(struct mp_policy_slot *slot, uint64_t from_ns, bool ok)
{
	if (MP_UNLIKELY(!ok)) {
		mp_policy_failed(slot);
		return false;
	}
	if (MP_UNLIKELY(from_ns != 0))
		timed(slot, from_ns);
	worked(slot);
	return true;
}

// Somebody who looks on said that it was in one call for far too long. That it came back is no excuse.
static void give_way(struct mp_policy_slot *slot)
{
	struct mp_policy_state *state = slot->current->state;
	state->watched.is_stuck = false;
	slot->current->errors++;
	slot->troubled = true;
	snprintf(slot->last_error, sizeof(slot->last_error), "%s: one call took more than 100 ms",
	         state->files[0]);
	complain(slot, slot->last_error);
	step_back(slot);
}

// May the script be asked now?
bool mp_policy_may_ask(struct mp_policy_slot *slot)
{
	if (MP_UNLIKELY(slot->current->state->watched.is_stuck))
		give_way(slot);
	return !slot->suspended || mp_loop_now_ms(slot->owner->loop) >= slot->probe_ms;
}
