// SPDX-License-Identifier: Apache-2.0
// Connections ahead of the load: so many to each of some hosts, opened side by side, and somebody who is told when each
// host has them or cannot have them now. A host that is down, that fails, or that leaves is not waited for.
//
// Made by new, filled by add, and gone after on_done, which start promises once, later, whatever happens.
#pragma once

#include "cluster/session.h"

struct mp_warmup;

struct mp_warmup_host {
	struct mp_host *host; // pinned
	uint32_t wanted;
	uint32_t reached;         // as it is settled
	uint64_t failures_before; // of its pool
	bool settled;
};

// Borrowed during on_done.
struct mp_warmup_end {
	const struct mp_warmup_host *hosts; // in the order of add
	size_t count;
	const struct mp_error
		*error; // NULL: all have what was wanted. Otherwise each host that has not is an attempt of it
};

struct mp_warmup *mp_warmup_new(struct mp_session *session,
                                size_t capacity) MP_MUST_CHECK; // NULL: out of memory
// Of every host in use, its core connections.
struct mp_warmup *mp_warmup_new_for_all(struct mp_session *session) MP_MUST_CHECK;
void mp_warmup_free(struct mp_warmup *warmup); // instead of start
void mp_warmup_add(struct mp_warmup *warmup, const struct mp_host *host, uint32_t wanted);
// Within the configuration's warmup timeout.
void mp_warmup_start(struct mp_warmup *warmup, void (*on_done)(void *data, const struct mp_warmup_end *end),
                     void *data);

// The session's: what a host has reported may settle one. Called by its chores, from which on_done comes.
void mp_warmups_review(struct mp_session *session);
