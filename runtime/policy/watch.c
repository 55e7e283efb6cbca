// SPDX-License-Identifier: Apache-2.0
// The files of the policies that serve, watched: each change goes to reload.c.
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/policies_internal.h"

void mp_policy_watch_stop(struct mp_policy_slot *slot)
{
	for (uint32_t i = 0; i < MP_POLICY_FILES; i++) {
		if (slot->watches[i] != NULL)
			mp_watch_close(slot->watches[i]);
		mp_free(slot->watched[i]);
		slot->watches[i] = NULL;
		slot->watched[i] = NULL;
	}
}

static bool same_files(const struct mp_policy_slot *slot, const struct mp_policy_state *state)
{
	for (uint32_t i = 0; i < MP_POLICY_FILES; i++) {
		const char *file = i < state->file_count ? state->files[i] : NULL;
		if ((file == NULL) != (slot->watched[i] == NULL))
			return false;
		if (file != NULL && strcmp(file, slot->watched[i]) != 0)
			return false;
	}
	return true;
}

void mp_policy_watch_start(struct mp_policy_slot *slot)
{
	struct mp_policies *owner = slot->owner;
	const struct mp_policy_state *state = slot->current->state;
	if (!owner->watch || same_files(slot, state))
		return;
	mp_policy_watch_stop(slot);
	for (uint32_t i = 0; i < state->file_count; i++) {
		int err = 0;
		slot->watched[i] = mp_strdup(state->files[i]);
		slot->watches[i] = mp_loop_watch(owner->loop, state->files[i], mp_policy_on_change, slot, &err);
		if (slot->watches[i] == NULL)
			mp_log_write(owner->log, MP_LOG_WARN, "%s: changes will not be noticed: %s", state->files[i],
			             mp_err_text(err));
	}
}
