// SPDX-License-Identifier: Apache-2.0
// The files of the policies that serve and the signatures that they need, watched: each change goes to reload.c.
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/policies_internal.h"
#include "policy/signed.h"

void mp_policy_watch_stop(struct mp_policy_slot *slot)
{
	for (uint32_t i = 0; i < MP_POLICY_WATCHES; i++) {
		if (slot->watches[i] != NULL)
			mp_watch_close(slot->watches[i]);
		mp_free(slot->watched[i]);
		slot->watches[i] = NULL;
		slot->watched[i] = NULL;
	}
}

// The i-th path that is watched for a state; false: there is none.
static bool path_at(const struct mp_policy_slot *slot, const struct mp_policy_state *state, uint32_t i,
                    char path[PATH_MAX])
{
	const char *file = i / 2 < state->file_count ? state->files[i / 2] : NULL;
	if (file == NULL || (i % 2 == 1 && !mp_policy_wants_signature(&slot->owner->orders.source, file)))
		return false;
	int len = snprintf(path, PATH_MAX, "%s%s", file, i % 2 == 1 ? ".sig" : "");
	return len > 0 && len < PATH_MAX;
}

static bool same_files(const struct mp_policy_slot *slot, const struct mp_policy_state *state)
{
	for (uint32_t i = 0; i < MP_POLICY_WATCHES; i++) {
		char path[PATH_MAX];
		bool is_wanted = path_at(slot, state, i, path);
		if (is_wanted != (slot->watched[i] != NULL))
			return false;
		if (is_wanted && strcmp(path, slot->watched[i]) != 0)
			return false;
	}
	return true;
}

void mp_policy_watch_start(struct mp_policy_slot *slot, const struct mp_policy_state *state)
{
	struct mp_policies *owner = slot->owner;
	if (!owner->watch || same_files(slot, state))
		return;
	mp_policy_watch_stop(slot);
	for (uint32_t i = 0; i < MP_POLICY_WATCHES; i++) {
		int err = 0;
		char path[PATH_MAX];
		if (!path_at(slot, state, i, path))
			continue;
		slot->watched[i] = mp_strdup(path);
		slot->watches[i] = mp_loop_watch(owner->loop, path, mp_policy_on_change, slot, &err);
		if (slot->watches[i] == NULL)
			mp_log_write(owner->log, MP_LOG_WARN, "%s: changes will not be noticed: %s", path,
			             mp_err_text(err));
	}
}
