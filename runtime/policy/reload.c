// SPDX-License-Identifier: Apache-2.0
// How a generation comes into force: load the files into a fresh state, ask it about sample clusters, run the same
// texts again for the session's hosts (what they keep between calls begins anew), warm that up until it is machine
// code, swap a pointer. Anything that goes wrong on the way leaves the old generation as it was.
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/policies_internal.h"

#define LATER_MS 1u // between two things that take a part of a millisecond each

// false: no memory.
static bool soon(struct mp_policies *owner)
{
	return mp_timer_start_ms(&owner->reload.timer, LATER_MS) == 0;
}

static struct mp_policy_state *new_state(struct mp_policies *owner, char *message, size_t message_size)
{
	struct mp_policy_modules modules = {owner->modules, MP_POLICY_MODULES};
	return mp_policy_state_new(&modules, owner->memory_bytes, message, message_size);
}

void mp_policy_make_spare(struct mp_policies *owner)
{
	char message[MP_POLICY_TEXT];
	if (owner->reload.spare == NULL)
		owner->reload.spare =
			new_state(owner, message, sizeof(message)); // NULL: whoever needs one will say why
}

// The state that was made ahead, or a new one.
static struct mp_policy_state *take_state(struct mp_policies *owner, char *message, size_t message_size)
{
	struct mp_policy_state *state = owner->reload.spare;
	owner->reload.spare = NULL;
	// Whoever reloads once will do so again.
	owner->reload.wants_spare = owner->view != NULL;
	if (owner->reload.wants_spare)
		(void)soon(owner); // without it the next load makes one
	return state != NULL ? state : new_state(owner, message, message_size);
}

static int load(struct mp_policies *owner, enum mp_policy_kind kind, const struct mp_policy_order *order,
                struct mp_policy_state *state, char *message, size_t message_size)
{
	struct mp_policy_setup setup = {
		.loop = owner->loop,
		.log = owner->log,
		.kind = kind,
		.order = order,
		.driver = &owner->drivers[kind],
		.slots = owner->sample.view.hosts,
		.names = owner->has_names ? &owner->names : NULL,
	};
	return mp_policy_state_load(state, &setup, message, message_size);
}

// ---- the contract check -----------------------------------------------------------------------------------

static int check_contract(struct mp_sample *sample, struct mp_policy_state *state, char *message, size_t size)
{
	for (int topology = 0; topology < MP_SAMPLE_COUNT; topology++) {
		if (mp_sample_set(sample, (enum mp_sample_topology)topology) != 0) {
			snprintf(message, size, "out of memory");
			return MP_ESCRIPT;
		}
		if (state->ops->check(state, sample))
			continue;
		// What is good for a small cluster is not refused because it tires on a large one.
		if (topology == MP_SAMPLE_THOUSAND && state->was_fuel) {
			state->runs_dry = true;
			mp_policy_state_collect(state);
		} else {
			snprintf(message, size, "%s (asked about %s)", state->error,
			         mp_sample_name((enum mp_sample_topology)topology));
			return MP_ESCRIPT;
		}
	}
	return 0;
}

// ---- a new generation -------------------------------------------------------------------------------------

// The times of a load end to end: each call closes a phase.
static void end_phase(struct mp_policies *owner, enum mp_load_phase phase)
{
	uint64_t now_ns = mp_loop_clock_ns(owner->loop);
	owner->reload.phase_ns[phase] = now_ns - owner->reload.phase_from_ns;
	owner->reload.phase_from_ns = now_ns;
}

// The view whose hosts a policy of that kind will see; NULL: there is none yet.
static struct mp_view *view_of(struct mp_policies *owner, const struct mp_policy_ops *ops)
{
	if (!ops->is_shadow || owner->view == NULL)
		return owner->view;
	mp_view_copy_show(owner->shown, owner->view, owner->view->hosts, owner->view->host_count);
	return &owner->shown->view;
}

// A policy that passed the contract check becomes ready to serve. Before there is a cluster it stays cold and as it was
// tried: its files are run again for the cluster.
static int make_ready(struct mp_policies *owner, struct mp_policy_state *state, char *message, size_t size)
{
	const struct mp_policy_names *names = owner->has_names ? &owner->names : NULL;
	if (state->ops->is_shadow && owner->shown == NULL && (owner->shown = mp_view_copy_new()) == NULL) {
		snprintf(message, size, "out of memory");
		return MP_ESCRIPT;
	}
	struct mp_view *view = view_of(owner, state->ops);
	mp_policy_load_begins(&state->context.fuel);
	if (view != NULL && mp_policy_state_begin(state, view->hosts, names, message, size) != 0)
		return MP_ESCRIPT;
	end_phase(owner, MP_LOAD_AGAIN);
	if (view != NULL && state->ops->is_hot)
		mp_policy_state_warm_up(state, view);
	end_phase(owner, MP_LOAD_WARM_UP);
	state->context.plan = &state->idle_plan;
	mp_policy_load_ends(&state->context.fuel);
	mp_policy_state_count_fuel(state);
	state->context.fuel.limit_ns = MP_POLICY_SERVE_NS;
	return 0;
}

// A state that passed the contract check, cold. NULL: refused, or the same as before (`*rc` is 1).
static struct mp_policy_state *try_out(struct mp_policies *owner, enum mp_policy_kind kind,
                                       const struct mp_policy_order *order, int *rc, char *message,
                                       size_t size)
{
	owner->reload.phase_from_ns = mp_loop_clock_ns(owner->loop);
	*rc = mp_policy_read_driver(owner, kind, message, size);
	struct mp_policy_state *state = *rc == 0 ? take_state(owner, message, size) : NULL;
	end_phase(owner, MP_LOAD_STATE);
	if (state != NULL)
		mp_policy_load_begins(&state->context.fuel);
	*rc = state == NULL ? MP_ESCRIPT : load(owner, kind, order, state, message, size);
	end_phase(owner, MP_LOAD_FILES);
	if (*rc == 0 && order->may_be_same && order->known == state->content_hash)
		*rc = 1;
	if (*rc == 0)
		*rc = check_contract(&owner->sample, state, message, size);
	end_phase(owner, MP_LOAD_CONTRACT);
	if (state != NULL)
		mp_policy_load_ends(&state->context.fuel);
	if (*rc == 0)
		return state;
	mp_policy_state_free(state);
	return NULL;
}

void mp_generation_free(struct mp_generation *generation)
{
	for (struct mp_generation *next; generation != NULL; generation = next) {
		next = generation->earlier;
		mp_policy_state_free(generation->state);
		mp_free(generation);
	}
}

// That takes a tenth of a reload, and nobody waits for it.
void mp_policy_discard(struct mp_policy_slot *slot, struct mp_generation *generation)
{
	if (generation == NULL)
		return;
	mp_generation_free(slot->discarded);
	slot->discarded = generation;
	mp_task_post(slot->owner->loop, &slot->owner->cleanup, MP_PHASE_RUN);
}

struct mp_generation *mp_policy_go_back(struct mp_policy_slot *slot)
{
	struct mp_generation *left = slot->current;
	if (left->earlier == NULL)
		return NULL;
	slot->current = left->earlier;
	left->earlier = NULL;
	slot->current->since_ms = mp_loop_now_ms(slot->owner->loop);
	slot->troubled = false;
	slot->suspended = false;
	slot->failed_in_row = 0;
	return left;
}

// What served so far is what one may go back to, unless it was failing.
static void put_behind(struct mp_policy_slot *slot, struct mp_generation *generation)
{
	struct mp_generation *left = slot->current;
	generation->earlier = left;
	if (left != NULL && (slot->suspended || slot->failed_in_row > 0)) {
		generation->earlier = left->earlier;
		left->earlier = NULL;
		mp_policy_discard(slot, left);
	}
	struct mp_generation *last = generation;
	for (uint32_t i = 0; i < MP_POLICY_EARLIER && last != NULL; i++)
		last = last->earlier;
	if (last == NULL || last->earlier == NULL)
		return;
	mp_policy_discard(slot, last->earlier);
	last->earlier = NULL;
}

void mp_policy_swap_in(struct mp_policy_slot *slot, struct mp_generation *generation)
{
	mp_policy_reload_forget(slot); // of a text that is older than this one
	slot->loaded_hash = generation->state->content_hash;
	if (generation->number == 0) // it was no canary
		generation->number = ++slot->generations;
	generation->since_ms = mp_loop_now_ms(slot->owner->loop);
	put_behind(slot, generation);
	slot->current = generation;
	slot->current->state->watched.alarm = &slot->troubled;
	slot->troubled = false;
	slot->suspended = false;
	slot->failed_in_row = 0;
	slot->last_error[0] = '\0';
	mp_policy_watch_start(slot, generation->state);
}

static void warn_of_cost(struct mp_policies *owner, struct mp_policy_state *state)
{
	char why[MP_POLICY_TEXT];
	bool known = state->ops->is_hot && owner->view != NULL && !owner->is_measured;
	if (known && mp_policy_state_is_slow(state, why, sizeof(why)))
		mp_log_write(owner->log, MP_LOG_WARN, "%s: allowed, but slow", why);
}

// The state becomes the generation's, or is freed.
static struct mp_generation *generation_of(struct mp_policies *owner, struct mp_policy_state *state,
                                           char *message, size_t size)
{
	struct mp_generation *generation = mp_calloc(1, sizeof(*generation));
	if (generation == NULL)
		snprintf(message, size, "out of memory");
	if (generation == NULL || make_ready(owner, state, message, size) != 0) {
		mp_free(generation);
		mp_policy_state_free(state);
		return NULL;
	}
	generation->state = state;
	warn_of_cost(owner, state);
	return generation;
}

int mp_policy_failure(int rc, uint64_t refused_memory, char *message, size_t size)
{
	if (rc >= 0 || mp_mem_stats().refused == refused_memory)
		return rc;
	snprintf(message, size, "out of memory");
	return MP_ENOMEM;
}

int mp_policy_make(struct mp_policies *owner, enum mp_policy_kind kind, const struct mp_policy_order *order,
                   struct mp_generation **made, char *message, size_t message_size)
{
	int rc;
	*made = NULL;
	uint64_t refused_memory = mp_mem_stats().refused;
	struct mp_policy_state *state = try_out(owner, kind, order, &rc, message, message_size);
	if (state != NULL)
		*made = generation_of(owner, state, message, message_size);
	if (state != NULL && *made == NULL)
		rc = MP_ESCRIPT;
	return mp_policy_failure(rc, refused_memory, message, message_size);
}

int mp_policy_load(struct mp_policy_slot *slot, char *message, size_t message_size)
{
	struct mp_generation *generation;
	struct mp_policy_order order = mp_policy_orders_of(&slot->owner->orders, slot->kind);
	int rc = mp_policy_make(slot->owner, slot->kind, &order, &generation, message, message_size);
	if (rc == 0) {
		mp_policy_swap_in(slot, generation);
		end_phase(slot->owner, MP_LOAD_SWAP);
	}
	return rc;
}

void mp_policy_reloaded(struct mp_policy_slot *slot)
{
	slot->reloads++;
	mp_log_write(slot->owner->log, MP_LOG_INFO, "%s %s: generation %u %s (%s)", mp_policy_title(slot),
	             slot->current->state->name, slot->current->number,
	             mp_policy_ops(slot->kind)->is_shadow ? "is asked" : "serves",
	             slot->current->state->files[0]);
	mp_policy_tell(slot, MP_POLICY_RELOADED, "");
}

// Counted, logged, told.
static int refused(struct mp_policy_slot *slot, const char *message)
{
	slot->refused++;
	snprintf(slot->last_error, sizeof(slot->last_error), "%s", message);
	mp_log_write(slot->owner->log, MP_LOG_ERROR, "%s refused, generation %u of %s goes on: %s",
	             mp_policy_title(slot), slot->current->number, slot->current->state->name, message);
	mp_policy_tell(slot, MP_POLICY_ERROR, message);
	return MP_ESCRIPT;
}

static void serve(struct mp_policy_slot *slot, struct mp_generation *generation)
{
	mp_canary_take_back(slot, "another generation serves");
	mp_policy_swap_in(slot, generation);
	end_phase(slot->owner, MP_LOAD_SWAP);
	mp_policy_reloaded(slot);
}

static void begin_canary(struct mp_policy_slot *slot, struct mp_generation *generation)
{
	if (mp_canary_begin(slot, generation) == 0)
		return;
	mp_generation_free(generation);
	(void)!refused(slot, "out of memory");
}

// It serves, or comes by parts. What is on trial goes on when its text is read again; what is in force is asked for by
// hand when that is to begin anew.
static void bring(struct mp_policy_slot *slot, struct mp_generation *generation, bool by_hand)
{
	uint64_t hash = generation->state->content_hash;
	bool is_in_force = hash == slot->current->state->content_hash;
	if (slot->canary != NULL && hash == slot->canary->candidate->state->content_hash) {
		mp_policy_discard(slot, generation);
	} else if (!mp_canary_is_wanted(slot) || (is_in_force && by_hand)) {
		serve(slot, generation);
	} else if (is_in_force) {
		slot->loaded_hash = hash;
		mp_policy_discard(slot, generation);
		mp_canary_take_back(slot, "its file says again what is in force");
	} else {
		begin_canary(slot, generation);
	}
}

int mp_policy_reload(struct mp_policy_slot *slot, char *message, size_t message_size)
{
	struct mp_generation *generation;
	struct mp_policy_order order = mp_policy_orders_of(&slot->owner->orders, slot->kind);
	if (mp_policy_make(slot->owner, slot->kind, &order, &generation, message, message_size) != 0)
		return refused(slot, message);
	bring(slot, generation, true);
	return 0;
}

int mp_policy_rebind(struct mp_policy_slot *slot, char *message, size_t message_size)
{
	struct mp_policy_state *state = slot->current->state;
	state->context.fuel.load_ns = 0;
	uint64_t refused_memory = mp_mem_stats().refused;
	int rc = make_ready(slot->owner, state, message, message_size);
	if (rc == 0)
		warn_of_cost(slot->owner, state);
	return mp_policy_failure(rc, refused_memory, message, message_size);
}

// ---- files that change ------------------------------------------------------------------------------------

// What a changed file's policy lacks after it was tried.
static void finish(struct mp_policy_slot *slot)
{
	char message[MP_POLICY_TEXT];
	struct mp_policy_state *state = slot->tried;
	slot->tried = NULL;
	slot->owner->reload.phase_from_ns = mp_loop_clock_ns(slot->owner->loop);
	struct mp_generation *generation = generation_of(slot->owner, state, message, sizeof(message));
	if (generation != NULL)
		bring(slot, generation, false);
	else
		(void)!refused(slot, message); // told and logged
}

// In two turns of the loop, so that requests wait for half of it: what passed the contract check is made ready in the
// second.
void mp_policy_on_change(void *data)
{
	struct mp_policy_slot *slot = data;
	struct mp_policy_order order = mp_policy_orders_of(&slot->owner->orders, slot->kind);
	char message[MP_POLICY_TEXT];
	int rc;
	order.may_be_same = slot->current != NULL;
	order.known = slot->loaded_hash;
	mp_policy_state_free(slot->tried);
	slot->tried = try_out(slot->owner, slot->kind, &order, &rc, message, sizeof(message));
	if (slot->tried == NULL && rc < 0)
		(void)!refused(slot, message); // told and logged
	else if (slot->tried != NULL && !soon(slot->owner))
		finish(slot);
}

// ---- what takes long and can wait -------------------------------------------------------------------------

// One thing at a time: traffic goes on in between.
static void on_later(void *data)
{
	struct mp_policies *policies = data;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		if (policies->slots[kind].tried == NULL)
			continue;
		finish(&policies->slots[kind]);
		if (soon(policies))
			return;
	}
	if (policies->reload.wants_spare)
		mp_policy_make_spare(policies);
	policies->reload.wants_spare = false;
}

// What is not done inside of a decision: freeing what failed, collecting garbage, telling.
static void clean_up(void *data)
{
	struct mp_policies *policies = data;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		struct mp_policy_slot *slot = &policies->slots[kind];
		mp_generation_free(slot->retired);
		mp_generation_free(slot->discarded);
		slot->retired = NULL;
		slot->discarded = NULL;
		if (slot->needs_collect)
			mp_policy_state_collect(slot->current->state);
		if (slot->needs_collect && slot->canary != NULL)
			mp_policy_state_collect(slot->canary->candidate->state);
		slot->needs_collect = false;
	}
	mp_policy_tell_all(policies);
}

void mp_policy_reload_init(struct mp_policies *policies)
{
	mp_task_init(&policies->cleanup, clean_up, policies);
	mp_timer_init(&policies->reload.timer, policies->loop, on_later, policies);
}

void mp_policy_reload_deinit(struct mp_policies *policies)
{
	mp_task_cancel(policies->loop, &policies->cleanup);
	mp_timer_stop(&policies->reload.timer);
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		mp_policy_reload_forget(&policies->slots[kind]);
	mp_policy_state_free(policies->reload.spare);
}

void mp_policy_reload_forget(struct mp_policy_slot *slot)
{
	mp_policy_state_free(slot->tried);
	slot->tried = NULL;
}
