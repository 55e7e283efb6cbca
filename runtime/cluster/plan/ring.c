// SPDX-License-Identifier: Apache-2.0
// A merge sort from below, which may be left at any token: runs of a few tokens are sorted in place, then two and two
// are merged. Of equal tokens the lower slot comes first, whatever order they came in.
#include "cluster/plan/ring.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

#define RUN  64u
#define SCAN 8u // tokens of a bucket that are looked at one by one

static int by_token(const void *a, const void *b)
{
	const struct mp_ring_token *x = a;
	const struct mp_ring_token *y = b;
	if (x->token != y->token)
		return x->token < y->token ? -1 : 1;
	return x->owner < y->owner ? -1 : x->owner > y->owner;
}

// Ascending as unsigned: INT64_MIN is 0.
static uint64_t unsigned_order(int64_t token)
{
	return (uint64_t)token ^ (UINT64_C(1) << 63);
}

static size_t lower(size_t a, size_t b)
{
	return a < b ? a : b;
}

// ---- building ---------------------------------------------------------------------------------------------

void mp_ring_builder_init(struct mp_ring_builder *builder)
{
	*builder = (struct mp_ring_builder){.tokens = NULL};
}

void mp_ring_builder_deinit(struct mp_ring_builder *builder)
{
	mp_free(builder->tokens);
	mp_free(builder->spare);
	mp_ring_unref(builder->ring);
	*builder = (struct mp_ring_builder){.tokens = NULL};
}

int mp_ring_builder_add(struct mp_ring_builder *builder, int64_t token, uint16_t owner)
{
	mp_assert(builder->width == 0 && builder->ring == NULL);
	if (builder->count == MP_RING_TOKENS_MAX)
		return MP_ETOOBIG;
	if (builder->count == builder->capacity) {
		size_t capacity = builder->capacity == 0 ? RUN : builder->capacity * 2;
		struct mp_ring_token *tokens = mp_realloc(builder->tokens, capacity * sizeof(*tokens));
		if (tokens == NULL)
			return MP_ENOMEM;
		builder->tokens = tokens;
		builder->capacity = capacity;
	}
	builder->tokens[builder->count++] = (struct mp_ring_token){token, owner};
	return 0;
}

static void sort_runs(struct mp_ring_builder *builder, int64_t *work)
{
	for (; builder->low<builder->count && * work> 0; builder->low += RUN, *work -= 4 * (int64_t)RUN)
		qsort(builder->tokens + builder->low, lower(RUN, builder->count - builder->low),
		      sizeof(*builder->tokens), by_token);
	if (builder->low < builder->count)
		return;
	builder->low = builder->a = builder->b = 0;
	builder->width = RUN;
}

// Two runs of `width` become one of twice that, in `spare`; behind the last the two arrays change places.
static void merge_runs(struct mp_ring_builder *builder, int64_t *work)
{
	size_t a_end = lower(builder->low + builder->width, builder->count);
	size_t b_end = lower(builder->low + 2 * builder->width, builder->count);
	if (builder->a == builder->low && builder->b <= a_end)
		builder->b = a_end;
	for (; (builder->a < a_end || builder->b < b_end) && *work > 0; --*work) {
		bool takes_a =
			builder->b == b_end ||
			(builder->a < a_end && by_token(&builder->tokens[builder->a], &builder->tokens[builder->b]) <= 0);
		size_t to = builder->a + builder->b - a_end;
		builder->spare[to] = builder->tokens[takes_a ? builder->a++ : builder->b++];
	}
	if (builder->a < a_end || builder->b < b_end)
		return;
	builder->low = builder->a = builder->b = b_end;
	if (b_end < builder->count)
		return;
	struct mp_ring_token *sorted = builder->spare;
	builder->spare = builder->tokens;
	builder->tokens = sorted;
	builder->low = builder->a = builder->b = 0;
	builder->width *= 2;
}

// Twice as many buckets as tokens, so that a lookup scans less than one token on average.
static int new_ring(struct mp_ring_builder *builder)
{
	struct mp_ring *ring = mp_calloc(1, sizeof(*ring));
	if (ring == NULL)
		return MP_ENOMEM;
	builder->ring = ring;
	uint32_t bits = 1;
	while ((UINT64_C(1) << bits) < 2 * (uint64_t)builder->count)
		bits++;
	ring->refs = 1;
	ring->bucket_shift = 64 - bits;
	ring->tokens = mp_alloc((builder->count + 1) * sizeof(*ring->tokens));
	ring->owners = mp_alloc((builder->count + 1) * sizeof(*ring->owners));
	ring->buckets = mp_alloc(((size_t)1 << bits) * sizeof(*ring->buckets));
	return ring->tokens == NULL || ring->owners == NULL || ring->buckets == NULL ? MP_ENOMEM : 0;
}

static bool take_tokens(struct mp_ring_builder *builder, int64_t *work)
{
	struct mp_ring *ring = builder->ring;
	for (; builder->taken<builder->count && * work> 0; builder->taken++, --*work) {
		const struct mp_ring_token *token = &builder->tokens[builder->taken];
		if (ring->count > 0 && ring->tokens[ring->count - 1] == token->token)
			continue;
		ring->tokens[ring->count] = token->token;
		ring->owners[ring->count++] = token->owner;
	}
	ring->tokens[ring->count] = INT64_MAX;
	return builder->taken == builder->count;
}

static bool fill_buckets(struct mp_ring_builder *builder, int64_t *work)
{
	const struct mp_ring *ring = builder->ring;
	size_t bucket_count = (size_t)1 << (64 - ring->bucket_shift);
	size_t i = builder->bucket == 0 ? 0 : ring->buckets[builder->bucket - 1];
	for (; builder->bucket<bucket_count && * work> 0; builder->bucket++, --*work) {
		while (i < ring->count && unsigned_order(ring->tokens[i]) >> ring->bucket_shift < builder->bucket)
			i++;
		ring->buckets[builder->bucket] = (uint32_t)i;
	}
	return builder->bucket == bucket_count;
}

int mp_ring_builder_step(struct mp_ring_builder *builder, int64_t *work, struct mp_ring **ring)
{
	if (builder->spare == NULL && builder->count > RUN)
		builder->spare = mp_alloc(builder->count * sizeof(*builder->spare));
	if (builder->spare == NULL && builder->count > RUN)
		return MP_ENOMEM;
	while (builder->ring == NULL && builder->width<builder->count && * work> 0) {
		if (builder->width == 0)
			sort_runs(builder, work);
		else
			merge_runs(builder, work);
	}
	if (builder->ring == NULL && builder->width < builder->count)
		return MP_EAGAIN;
	if (builder->ring == NULL && new_ring(builder) != 0)
		return MP_ENOMEM;
	if (!take_tokens(builder, work) || !fill_buckets(builder, work))
		return MP_EAGAIN;
	*ring = builder->ring;
	builder->ring = NULL;
	return 0;
}

struct mp_ring *mp_ring_new(const struct mp_ring_token *tokens, size_t count)
{
	struct mp_ring_builder builder;
	struct mp_ring *ring = NULL;
	int64_t work = INT64_MAX;
	int rc = 0;
	mp_ring_builder_init(&builder);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = mp_ring_builder_add(&builder, tokens[i].token, tokens[i].owner);
	if (rc == 0 && mp_ring_builder_step(&builder, &work, &ring) != 0)
		ring = NULL;
	mp_ring_builder_deinit(&builder);
	return ring;
}

// ---- rings ------------------------------------------------------------------------------------------------

struct mp_ring *mp_ring_ref(struct mp_ring *ring)
{
	ring->refs++;
	return ring;
}

void mp_ring_unref(struct mp_ring *ring)
{
	if (ring == NULL || --ring->refs > 0)
		return;
	mp_free(ring->tokens);
	mp_free(ring->owners);
	mp_free(ring->buckets);
	mp_free(ring);
}

// Tokens that lie close together (a server may choose them so) fill one bucket: there it is bisected.
static uint32_t bisect(const struct mp_ring *ring, uint32_t low, int64_t token)
{
	uint32_t high = ring->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (ring->tokens[middle] < token)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t mp_ring_find(const struct mp_ring *ring, int64_t token)
{
	uint32_t i = ring->buckets[unsigned_order(token) >> ring->bucket_shift];
	uint32_t scanned = 0;
	while (ring->tokens[i] < token && scanned++ < SCAN)
		i++;
	if (MP_UNLIKELY(scanned > SCAN))
		i = bisect(ring, i, token);
	return i < ring->count ? i : 0;
}
