// SPDX-License-Identifier: Apache-2.0
// Life of a session's policies: new, free, look. Making and replacing them is reload.c's.
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/installation.h"
#include "policy/policies_internal.h"

// ---- making -----------------------------------------------------------------------------------------------

static bool copy_config(struct mp_policies *policies, const struct mp_policies_config *config)
{
	char home[PATH_MAX];
	if (config->home == NULL && mp_installation_find(home, sizeof(home)) != 0)
		home[0] = '\0';
	policies->home = mp_strdup(config->home != NULL ? config->home : home);
	bool ok = mp_policy_orders_init(&policies->orders, config, policies->home) == 0 && policies->home != NULL;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		struct mp_policy_slot *slot = &policies->slots[kind];
		slot->service = mp_calloc(1, mp_policy_ops(slot->kind)->service_bytes);
		ok = ok && slot->service != NULL;
	}
	policies->memory_bytes = config->memory_bytes != 0 ? config->memory_bytes : MP_POLICY_MEMORY;
	policies->watch = config->watch;
	policies->log = config->log != NULL ? config->log : mp_loop_log(policies->loop);
	return ok;
}

static struct mp_policies *make_empty(struct mp_loop *loop)
{
	struct mp_policies *policies = mp_calloc(1, sizeof(*policies));
	if (policies == NULL)
		return NULL;
	policies->loop = loop;
	for (size_t i = 0; i < MP_POLICY_MODULES; i++)
		mp_buf_init(&policies->modules[i].code);
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		mp_buf_init(&policies->drivers[kind].code);
		policies->slots[kind].owner = policies;
		policies->slots[kind].kind = (enum mp_policy_kind)kind;
		policies->slots[kind].timed_mask =
			mp_policy_ops((enum mp_policy_kind)kind)->is_hot ? MP_POLICY_TIMED_MASK : 0;
	}
	mp_policy_reload_init(policies);
	mp_canaries_init(policies);
	mp_policy_install(policies);
	return policies;
}

static int load_all(struct mp_policies *policies, char *message, size_t size)
{
	if (policies->home[0] == '\0') {
		snprintf(message, size, "moonpool's lua/ and policies/ are not found; set MOONPOOL_HOME");
		return MP_ENOTFOUND;
	}
	int rc = mp_policy_modules_read(policies, message, size);
	if (rc == 0 && mp_sample_init(&policies->sample) != 0) {
		snprintf(message, size, "out of memory");
		rc = MP_ENOMEM;
	}
	for (int kind = 0; kind < MP_POLICY_KINDS && rc == 0; kind++)
		if (policies->orders.choices[kind].policy != NULL)
			rc = mp_policy_load(&policies->slots[kind], message, size);
	return rc;
}

struct mp_policies *mp_policies_new(struct mp_loop *loop, const struct mp_policies_config *config,
                                    char *message, size_t message_size, int *rc)
{
	int failed = MP_ENOMEM;
	uint64_t refused_memory = mp_mem_stats().refused;
	struct mp_policies *policies = make_empty(loop);
	if (policies == NULL || !copy_config(policies, config))
		snprintf(message, message_size, "out of memory");
	else
		failed = mp_policy_failure(load_all(policies, message, message_size), refused_memory, message,
		                           message_size);
	if (rc != NULL)
		*rc = failed;
	if (failed != 0) {
		mp_policies_free(policies);
		return NULL;
	}
	mp_policy_install(policies);
	return policies;
}

void mp_policy_install(struct mp_policies *policies)
{
	policies->policies = (struct mp_policy_calls){
		.balance = {.self = NULL, .plan = mp_default_plan},
		.retry = {.self = NULL, .decide = mp_default_retry},
	};
	mp_canaries_serve(policies, &policies->policies.canary);
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		if (policies->slots[kind].current != NULL)
			mp_policy_ops((enum mp_policy_kind)kind)->serve(&policies->slots[kind], &policies->policies);
}

const char *mp_policy_title(const struct mp_policy_slot *slot)
{
	return mp_policy_ops(slot->kind)->is_shadow ? "shadow policy" : "policy";
}

static void free_slot(struct mp_policy_slot *slot)
{
	mp_policy_watch_stop(slot);
	mp_generation_free(slot->current);
	mp_generation_free(slot->retired);
	mp_generation_free(slot->discarded);
	mp_free(slot->service);
}

void mp_policies_free(struct mp_policies *policies)
{
	if (policies == NULL)
		return;
	if (policies->in_event) {
		policies->free_wanted = true;
		return;
	}
	mp_policy_reload_deinit(policies);
	mp_canaries_deinit(policies);
	mp_policy_news_deinit(policies);
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		free_slot(&policies->slots[kind]);
	for (size_t i = 0; i < MP_POLICY_MODULES; i++)
		mp_buf_deinit(&policies->modules[i].code);
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		mp_buf_deinit(&policies->drivers[kind].code);
	mp_sample_deinit(&policies->sample);
	mp_view_copy_free(policies->shown);
	mp_policy_orders_deinit(&policies->orders);
	mp_free(policies->home);
	mp_free(policies);
}

const struct mp_policy_calls *mp_policies_get(const struct mp_policies *policies)
{
	return &policies->policies;
}

int mp_policies_bind(struct mp_policies *policies, struct mp_view *view, const struct mp_policy_names *names,
                     char *message, size_t size)
{
	policies->view = view;
	policies->has_names = names != NULL;
	if (names != NULL)
		policies->names = *names;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		struct mp_policy_slot *slot = &policies->slots[kind];
		char why[MP_POLICY_TEXT];
		int rc = slot->current == NULL ? 0 : mp_policy_rebind(slot, why, sizeof(why));
		if (rc == 0)
			continue;
		snprintf(message, size, "%s %s: %s", mp_policy_title(slot), slot->current->state->name, why);
		return rc;
	}
	return 0;
}

// ---- by hand ----------------------------------------------------------------------------------------------

int mp_policies_reload(struct mp_policies *policies, char *message, size_t message_size)
{
	int rc = 0;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		char why[MP_POLICY_TEXT];
		struct mp_policy_slot *slot = &policies->slots[kind];
		if (slot->current == NULL || mp_policy_reload(slot, why, sizeof(why)) == 0)
			continue;
		if (rc == 0)
			snprintf(message, message_size, "%s", why);
		rc = MP_ESCRIPT;
	}
	return rc;
}

int mp_policies_rollback(struct mp_policies *policies, enum mp_policy_kind kind)
{
	struct mp_policy_slot *slot = &policies->slots[kind];
	if (slot->canary != NULL) { // the newest one leaves, and what is in force stays
		mp_canary_take_back(slot, "rolled back by hand");
		return 0;
	}
	struct mp_generation *left = slot->current != NULL ? mp_policy_go_back(slot) : NULL;
	if (left == NULL)
		return MP_ENOTFOUND;
	mp_policy_discard(slot, left);
	mp_policy_tell(slot, MP_POLICY_RELOADED, "");
	return 0;
}

bool mp_policies_info(const struct mp_policies *policies, enum mp_policy_kind kind,
                      struct mp_policy_info *info)
{
	const struct mp_policy_slot *slot = &policies->slots[kind];
	const struct mp_generation *generation = slot->current;
	memset(info, 0, sizeof(*info));
	if (generation == NULL)
		return false;
	struct mp_policy_state *state = generation->state;
	*info = (struct mp_policy_info){
		.name = state->name,
		.file = state->files[0],
		.child = state->child,
		.generation = generation->number,
		.since_ms = generation->since_ms,
		.calls = generation->calls,
		.errors = generation->errors,
		.ns_per_call = generation->timed_calls == 0 ? 0 : generation->timed_ns / generation->timed_calls,
		.reloads = slot->reloads,
		.refused = slot->refused,
		.fuel_per_call = mp_policy_state_fuel_per_call(state),
		.memory_bytes = state->vm.used_bytes,
		.allocations = state->vm.allocs,
		.given_bytes = state->vm.given_bytes,
		.has_loop = state->loop_at[0] != '\0',
		.is_compiled = mp_policy_state_is_compiled(state),
		.bytes_per_call = state->bytes_per_call,
		.is_slow = mp_policy_state_is_slow(state, NULL, 0),
		.is_shadow = state->ops->is_shadow,
		.is_suspended = slot->suspended,
		.last_error = slot->last_error,
	};
	return true;
}
