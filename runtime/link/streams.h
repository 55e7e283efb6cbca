// SPDX-License-Identifier: Apache-2.0
// The stream ids of one connection: a bitmap of free ids with a hint, and the call that waits under each id.
// An id is free, taken, or orphaned (its call was abandoned, its answer is still owed); it becomes free again
// only by its answer. Giving back what is not taken is a bug, except for what a peer can cause: that is
// reported.
#pragma once

#include "base/defs.h"

#define MP_STREAMS_MAX 32768

struct mp_call;

struct mp_streams {
	uint32_t limit;    // ids 0 .. limit-1
	uint32_t capacity; // grows with the ids that are taken at once
	uint32_t in_use;   // taken and orphaned
	uint32_t orphans;
	uint32_t hint;          // no id is free in a word of `free_bits` below this one
	uint64_t *free_bits;    // 1: free
	struct mp_call **calls; // by id; NULL: free or orphaned
};

int mp_streams_init(struct mp_streams *streams, uint32_t limit) MP_MUST_CHECK; // 1 .. 32768; MP_ENOMEM
void mp_streams_deinit(struct mp_streams *streams);
int mp_streams_take(struct mp_streams *streams,
                    struct mp_call *call) MP_MUST_CHECK; // id, MP_EBUSY or MP_ENOMEM
// The answer of `id` is here: frees the id. 1: *call is its call; 0: it was an orphan; MP_EPROTO: never
// issued.
int mp_streams_answer(struct mp_streams *streams, int16_t id, struct mp_call **call) MP_MUST_CHECK;
void mp_streams_orphan(struct mp_streams *streams, int16_t id); // a taken id loses its call
