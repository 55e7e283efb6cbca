// SPDX-License-Identifier: Apache-2.0
// Another choice of policies for a running session: the new ones are loaded and checked in slots of their own, beside
// those that serve; then their generations move over. Kinds whose choice and files are the same go on untouched.
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "policy/policies_internal.h"

struct mp_policy_change {
	struct mp_source_path source;
	char *where;
	struct {
		struct mp_policy_choice choice;
		struct mp_generation *made; // NULL: what serves goes on, or C answers when nothing is chosen
	} kinds[MP_POLICY_KINDS];
};

static void free_paths(struct mp_source_path *source)
{
	for (size_t i = 0; i < source->path_count; i++)
		mp_free(source->paths[i]);
	mp_free(source->paths);
}

static bool copy_config(struct mp_policy_change *change, const struct mp_policies_config *config)
{
	char where[PATH_MAX] = "";
	if (config->where != NULL)
		snprintf(where, sizeof(where), "%s: ", config->where);
	change->where = mp_strdup(where);
	bool ok = change->where != NULL;
	change->source.paths = mp_calloc(config->path_count + 1, sizeof(char *));
	ok = change->source.paths != NULL && ok;
	for (size_t i = 0; i < config->path_count && ok; i++) {
		change->source.paths[i] = mp_strdup(config->paths[i]);
		ok = change->source.paths[i] != NULL;
		change->source.path_count = i + 1;
	}
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		ok = mp_policy_copy_choice(&change->kinds[kind].choice, &config->choices[kind],
		                           mp_policy_ops((enum mp_policy_kind)kind)->fallback) &&
		     ok;
	return ok;
}

// ---- what differs -------------------------------------------------------------------------------------------------

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_paths(const struct mp_source_path *a, const struct mp_source_path *b)
{
	bool same = a->path_count == b->path_count;
	for (size_t i = 0; same && i < a->path_count; i++)
		same = strcmp(a->paths[i], b->paths[i]) == 0;
	return same;
}

// Into a slot that only exists here. The files are looked for where the new configuration says.
static int make(struct mp_policies *policies, struct mp_policy_change *change, int kind, char *message,
                size_t size)
{
	struct mp_policy_slot trial = policies->slots[kind];
	bool same_choice = same_text(trial.choice.policy, change->kinds[kind].choice.policy) &&
	                   same_text(trial.choice.options, change->kinds[kind].choice.options);
	if (change->kinds[kind].choice.policy == NULL ||
	    (same_choice && same_paths(&policies->source, &change->source)))
		return 0;
	trial.choice = change->kinds[kind].choice;
	struct mp_source_path source = policies->source;
	char *where = policies->where;
	policies->source.paths = change->source.paths;
	policies->source.path_count = change->source.path_count;
	policies->where = change->where;
	int rc = mp_policy_make(&trial, !same_choice, &change->kinds[kind].made, message, size);
	policies->source = source;
	policies->where = where;
	return rc > 0 ? 0 : rc; // the same files behind other paths
}

struct mp_policy_change *mp_policies_prepare(struct mp_policies *policies,
                                             const struct mp_policies_config *config, char *message,
                                             size_t message_size)
{
	struct mp_policy_change *change = mp_calloc(1, sizeof(*change));
	if (change == NULL || !copy_config(change, config)) {
		snprintf(message, message_size, "out of memory");
		mp_policies_drop(change);
		return NULL;
	}
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		if (make(policies, change, kind, message, message_size) == 0)
			continue;
		mp_policies_drop(change);
		return NULL;
	}
	return change;
}

void mp_policies_drop(struct mp_policy_change *change)
{
	if (change == NULL)
		return;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		mp_policy_free_choice(&change->kinds[kind].choice);
		mp_generation_free(change->kinds[kind].made);
	}
	free_paths(&change->source);
	mp_free(change->where);
	mp_free(change);
}

// ---- taking -------------------------------------------------------------------------------------------------------

// C answers from now on.
static void clear(struct mp_policy_slot *slot)
{
	mp_policy_unwatch(slot);
	mp_generation_free(slot->current);
	mp_policy_state_free(slot->tried);
	slot->current = NULL;
	slot->tried = NULL;
	slot->troubled = slot->suspended = slot->needs_collect = false;
}

void mp_policies_take(struct mp_policies *policies, struct mp_policy_change *change)
{
	struct mp_source_path old_source = policies->source;
	policies->source.paths = change->source.paths;
	policies->source.path_count = change->source.path_count;
	change->source = old_source;
	char *old_where = policies->where;
	policies->where = change->where;
	change->where = old_where;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		struct mp_policy_slot *slot = &policies->slots[kind];
		struct mp_policy_choice old_choice = slot->choice;
		slot->choice = change->kinds[kind].choice;
		change->kinds[kind].choice = old_choice;
		if (slot->choice.policy == NULL) {
			clear(slot);
		} else if (change->kinds[kind].made != NULL) {
			mp_policy_swap_in(slot, change->kinds[kind].made);
			change->kinds[kind].made = NULL;
			slot->reloads++;
			mp_policy_tell(slot, MP_POLICY_RELOADED, "");
		}
	}
	mp_policy_install(policies);
	mp_policies_drop(change);
}
