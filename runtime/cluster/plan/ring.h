// SPDX-License-Identifier: Apache-2.0
// Who owns which token: sorted tokens with a bucket index on the top bits, so that a lookup costs a few nanoseconds. A
// ring is built in steps, because a cluster may have a million tokens, and never changes afterwards.
#pragma once

#include "base/cursor.h"
#include "base/defs.h"

#define MP_RING_TOKENS_MAX (1u << 21)

struct mp_ring {
	int64_t *tokens;  // ascending, distinct; one more, INT64_MAX, where a search ends
	uint16_t *owners; // slot of the host that owns (tokens[i-1], tokens[i]]
	uint32_t count;
	uint32_t *buckets; // first token index for each value of the top bits
	uint32_t bucket_shift;
	uint32_t refs; // placements being built or in use hold their ring
};

struct mp_ring_token {
	int64_t token;
	uint16_t owner;
};
// From a list of tokens, at once; of equal tokens the lower slot wins. An empty ring is valid.
struct mp_ring *mp_ring_new(const struct mp_ring_token *tokens, size_t count) MP_MUST_CHECK;
struct mp_ring *mp_ring_ref(struct mp_ring *ring);
void mp_ring_unref(struct mp_ring *ring); // NULL is fine
uint32_t mp_ring_find(const struct mp_ring *ring,
                      int64_t token); // index of the owning token; count must be > 0

// The same in steps.
struct mp_ring_builder {
	struct mp_ring_token *tokens; // sorted in runs of `width`
	struct mp_ring_token *spare;
	size_t count, capacity;
	size_t width;         // 0: not sorted at all yet
	size_t low, a, b;     // the runs being merged begin at `low`; next of the first and of the second
	size_t taken;         // tokens that are in the ring
	size_t bucket;        // the next to be filled
	struct mp_ring *ring; // NULL: still sorting
};
void mp_ring_builder_init(struct mp_ring_builder *builder);
void mp_ring_builder_deinit(struct mp_ring_builder *builder);
// Before the first step. MP_ENOMEM, MP_ETOOBIG over MP_RING_TOKENS_MAX.
int mp_ring_builder_add(struct mp_ring_builder *builder, int64_t token, uint16_t owner) MP_MUST_CHECK;
// A unit of work is about a token. 0: *ring is ready, and the caller's; MP_EAGAIN: there is more to do; MP_ENOMEM.
int mp_ring_builder_step(struct mp_ring_builder *builder, int64_t *work, struct mp_ring **ring) MP_MUST_CHECK;
