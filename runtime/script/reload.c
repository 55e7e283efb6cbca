// SPDX-License-Identifier: Apache-2.0
// How a generation comes into force: load the files into a fresh state, ask it about canned clusters, load them again
// into the state that will serve (with clean counters and the session's hosts), warm that up until it is machine code,
// swap a pointer. Anything that goes wrong on the way leaves the old generation as it was.
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "script/policies_internal.h"

static struct mp_decision *make(struct mp_policy_slot *slot, const struct mp_host_view *slots, bool is_trial,
                                char *message, size_t message_size)
{
	struct mp_script_policies *owner = slot->owner;
	struct mp_decision_setup setup = {
		.loop = owner->loop,
		.kind = slot->kind,
		.choice = &slot->choice,
		.where = owner->where,
		.source = &owner->source,
		.modules = owner->modules,
		.module_count = MP_POLICY_MODULES,
		.own = &owner->own[slot->kind],
		.push = mp_policy_ops(slot->kind)->push,
		.slots = slots,
		.names = owner->has_names ? &owner->names : NULL,
		.memory_bytes = owner->memory_bytes,
		.is_trial = is_trial,
	};
	return mp_decision_new(&setup, message, message_size);
}

// ---- the contract check -------------------------------------------------------------------------------------------

bool mp_policy_ask_plans(struct mp_decision *decision, struct mp_canned *canned)
{
	for (uint32_t i = 0; i < MP_CANNED_REQUESTS; i++) {
		struct mp_request_view req;
		struct mp_plan plan;
		mp_canned_request(i, &req);
		mp_plan_init(&plan, &canned->view, canned->placement, req.hasToken, (int64_t)req.token, i);
		if (!mp_decision_plan(decision, &req, &plan))
			return false;
		uint32_t given = 0;
		while (mp_plan_next(&plan, NULL) != MP_NO_HOST)
			given++;
		mp_assert(given <= canned->view.up_count);
	}
	return true;
}

bool mp_policy_ask_verdicts(struct mp_decision *decision, struct mp_canned *canned)
{
	(void)canned; // errors are the same everywhere
	for (uint32_t i = 0; i < MP_CANNED_ERRORS; i++) {
		struct mp_retry_view err;
		enum mp_retry_verdict verdict;
		uint32_t delay_ms;
		mp_canned_error(i, &err);
		if (!mp_decision_retry(decision, &err, &verdict, &delay_ms))
			return false;
	}
	return true;
}

static int check_contract(struct mp_policy_slot *slot, struct mp_decision *decision, char *message,
                          size_t size)
{
	struct mp_canned *canned = &slot->owner->canned;
	for (int topology = 0; topology < MP_CANNED_COUNT; topology++) {
		if (mp_canned_set(canned, (enum mp_canned_topology)topology) != 0) {
			snprintf(message, size, "out of memory");
			return MP_ESCRIPT;
		}
		if (!mp_policy_ops(slot->kind)->ask(decision, canned)) {
			snprintf(message, size, "%s (asked about %s)", decision->error,
			         mp_canned_name((enum mp_canned_topology)topology));
			return MP_ESCRIPT;
		}
	}
	return 0;
}

// Enough calls that the common way through the policy is compiled before the first request takes it. The copy of the
// view keeps the session's own turn where it is.
static void warm_up(struct mp_policy_slot *slot, struct mp_decision *decision)
{
	struct mp_view *view = mp_calloc(1, sizeof(*view));
	if (view == NULL)
		return;
	*view = slot->owner->view != NULL ? *slot->owner->view : decision->idle_view;
	uint32_t failed = 0;
	for (uint32_t i = 0; i < MP_POLICY_PREWARM && failed < 10; i++) {
		struct mp_request_view req;
		struct mp_plan plan;
		mp_canned_request(i % 4 != 0 ? 12 : i / 4 % MP_CANNED_REQUESTS, &req);
		mp_plan_init(&plan, view, NULL, req.hasToken, (int64_t)req.token, i);
		failed += !mp_decision_plan(decision, &req, &plan);
	}
	mp_free(view);
	decision->cell.plan = &decision->idle_plan;
}

// ---- a new generation ---------------------------------------------------------------------------------------------

static struct mp_decision *make_ready(struct mp_policy_slot *slot, char *message, size_t size)
{
	struct mp_view *view = slot->owner->view;
	struct mp_decision *decision = make(slot, view != NULL ? view->hosts : NULL, false, message, size);
	if (decision != NULL && mp_policy_ops(slot->kind)->is_hot)
		warm_up(slot, decision);
	if (decision != NULL)
		decision->cell.fuel_limit_ns = MP_DECIDE_SERVE_NS;
	return decision;
}

static int try_out(struct mp_policy_slot *slot, bool force, char *message, size_t size)
{
	struct mp_decision *trial = make(slot, slot->owner->canned.view.hosts, true, message, size);
	if (trial == NULL)
		return MP_ESCRIPT;
	int rc = check_contract(slot, trial, message, size);
	if (rc == 0 && !force && slot->current != NULL && slot->loaded_hash == trial->content_hash)
		rc = 1;
	mp_decision_free(trial);
	return rc;
}

void mp_generation_free(struct mp_generation *generation)
{
	if (generation == NULL)
		return;
	mp_decision_free(generation->decision);
	mp_free(generation);
}

void mp_policy_swap_in(struct mp_policy_slot *slot, struct mp_generation *generation)
{
	slot->loaded_hash = generation->decision->content_hash;
	generation->number = ++slot->generations;
	generation->since_ms = mp_loop_now_ms(slot->owner->loop);
	mp_generation_free(slot->previous);
	slot->previous = slot->current;
	// One that was failing is nothing to go back to.
	if (slot->suspended || slot->failed_in_row > 0) {
		mp_generation_free(slot->previous);
		slot->previous = NULL;
	}
	slot->current = generation;
	slot->troubled = false;
	slot->suspended = false;
	slot->failed_in_row = 0;
	slot->last_error[0] = '\0';
	mp_policy_watch(slot);
}

int mp_policy_make(struct mp_policy_slot *slot, bool force, struct mp_generation **made, char *message,
                   size_t message_size)
{
	*made = NULL;
	int rc = mp_policy_read_own(slot, message, message_size);
	if (rc == 0)
		rc = try_out(slot, force, message, message_size);
	if (rc != 0)
		return rc;
	struct mp_generation *generation = mp_calloc(1, sizeof(*generation));
	if (generation == NULL) {
		snprintf(message, message_size, "out of memory");
		return MP_ESCRIPT;
	}
	generation->decision = make_ready(slot, message, message_size);
	if (generation->decision == NULL) {
		mp_generation_free(generation);
		return MP_ESCRIPT;
	}
	if (generation->decision->loop_at[0] != '\0' && mp_policy_ops(slot->kind)->is_hot)
		mp_log_write(mp_loop_log(slot->owner->loop), MP_LOG_WARN, "%s: this policy loops: allowed, but slow",
		             generation->decision->loop_at);
	*made = generation;
	return 0;
}

int mp_policy_load(struct mp_policy_slot *slot, bool force, char *message, size_t message_size)
{
	struct mp_generation *generation;
	int rc = mp_policy_make(slot, force, &generation, message, message_size);
	if (rc == 0)
		mp_policy_swap_in(slot, generation);
	return rc;
}

int mp_policy_reload(struct mp_policy_slot *slot, bool force, char *message, size_t message_size)
{
	struct mp_log *log = mp_loop_log(slot->owner->loop);
	int rc = mp_policy_load(slot, force, message, message_size);
	if (rc > 0)
		return 0;
	if (rc == 0) {
		slot->reloads++;
		mp_log_write(log, MP_LOG_INFO, "policy %s: generation %u serves (%s)", slot->current->decision->name,
		             slot->current->number, slot->current->decision->files[0]);
		mp_policy_tell(slot, MP_POLICY_RELOADED, "");
		return 0;
	}
	slot->refused++;
	snprintf(slot->last_error, sizeof(slot->last_error), "%s", message);
	mp_log_write(log, MP_LOG_ERROR, "policy refused, generation %u of %s goes on: %s", slot->current->number,
	             slot->current->decision->name, message);
	mp_policy_tell(slot, MP_POLICY_ERROR, message);
	return MP_ESCRIPT;
}

int mp_policy_rebind(struct mp_policy_slot *slot, char *message, size_t message_size)
{
	struct mp_decision *decision = make_ready(slot, message, message_size);
	if (decision == NULL)
		return MP_ESCRIPT;
	mp_decision_free(slot->current->decision);
	slot->current->decision = decision;
	return 0;
}

// ---- files that change --------------------------------------------------------------------------------------------

static void on_change(void *data)
{
	struct mp_policy_slot *slot = data;
	char message[MP_DECIDE_TEXT];
	int rc = mp_policy_reload(slot, false, message, sizeof(message));
	(void)rc; // told and logged
}

void mp_policy_unwatch(struct mp_policy_slot *slot)
{
	for (uint32_t i = 0; i < MP_DECIDE_FILES; i++) {
		if (slot->watches[i] != NULL)
			mp_watch_close(slot->watches[i]);
		mp_free(slot->watched[i]);
		slot->watches[i] = NULL;
		slot->watched[i] = NULL;
	}
}

static bool same_files(const struct mp_policy_slot *slot, const struct mp_decision *decision)
{
	for (uint32_t i = 0; i < MP_DECIDE_FILES; i++) {
		const char *file = i < decision->file_count ? decision->files[i] : NULL;
		if ((file == NULL) != (slot->watched[i] == NULL))
			return false;
		if (file != NULL && strcmp(file, slot->watched[i]) != 0)
			return false;
	}
	return true;
}

void mp_policy_watch(struct mp_policy_slot *slot)
{
	struct mp_script_policies *owner = slot->owner;
	const struct mp_decision *decision = slot->current->decision;
	if (!owner->watch || same_files(slot, decision))
		return;
	mp_policy_unwatch(slot);
	for (uint32_t i = 0; i < decision->file_count; i++) {
		int err = 0;
		slot->watched[i] = mp_strdup(decision->files[i]);
		slot->watches[i] = mp_loop_watch(owner->loop, decision->files[i], on_change, slot, &err);
		if (slot->watches[i] == NULL)
			mp_log_write(mp_loop_log(owner->loop), MP_LOG_WARN, "%s: changes will not be noticed: %s",
			             decision->files[i], mp_err_text(err));
	}
}
