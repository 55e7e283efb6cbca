// SPDX-License-Identifier: Apache-2.0
#include "sim/store/ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

void mp_sim_ring_init(struct mp_sim_ring *ring)
{
	memset(ring, 0, sizeof(*ring));
}

void mp_sim_ring_deinit(struct mp_sim_ring *ring)
{
	mp_free(ring->entries);
	mp_free(ring->places);
	mp_sim_ring_init(ring);
}

static int by_token(const void *a, const void *b)
{
	const struct mp_sim_ring_entry *x = a, *y = b;
	if (x->token != y->token)
		return x->token < y->token ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

static void count_places(struct mp_sim_ring *ring)
{
	uint64_t racks[MP_SIM_DCS_MAX] = {0};
	memset(ring->nodes_in_dc, 0, sizeof(ring->nodes_in_dc));
	memset(ring->racks_in_dc, 0, sizeof(ring->racks_in_dc));
	for (size_t i = 0; i < ring->node_count; i++) {
		const struct mp_sim_ring_place *place = &ring->places[i];
		if (!place->member)
			continue;
		ring->nodes_in_dc[place->dc]++;
		racks[place->dc] |= UINT64_C(1) << place->rack;
	}
	for (size_t dc = 0; dc < MP_SIM_DCS_MAX; dc++)
		ring->racks_in_dc[dc] = (uint16_t)__builtin_popcountll(racks[dc]);
}

int mp_sim_ring_set(struct mp_sim_ring *ring, const struct mp_sim_ring_entry *entries, size_t count,
                    const struct mp_sim_ring_place *places, size_t node_count)
{
	struct mp_sim_ring_entry *sorted = mp_calloc(count + 1, sizeof(*sorted));
	struct mp_sim_ring_place *copy = mp_calloc(node_count + 1, sizeof(*copy));
	if (sorted == NULL || copy == NULL) {
		mp_free(sorted);
		mp_free(copy);
		return MP_ENOMEM;
	}
	if (count > 0)
		memcpy(sorted, entries, count * sizeof(*sorted));
	if (node_count > 0)
		memcpy(copy, places, node_count * sizeof(*copy));
	qsort(sorted, count, sizeof(*sorted), by_token);
	mp_free(ring->entries);
	mp_free(ring->places);
	ring->entries = sorted;
	ring->count = count;
	ring->places = copy;
	ring->node_count = node_count;
	ring->epoch++;
	count_places(ring);
	return 0;
}

size_t mp_sim_ring_owner(const struct mp_sim_ring *ring, int64_t token)
{
	mp_assert(ring->count > 0);
	size_t low = 0, high = ring->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ring->entries[middle].token < token)
			low = middle + 1;
		else
			high = middle;
	}
	return low == ring->count ? 0 : low;
}

static bool contains(const uint16_t *list, size_t count, uint16_t node)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == node)
			return true;
	}
	return false;
}

static size_t simple_replicas(const struct mp_sim_ring *ring, uint16_t rf, size_t entry, uint16_t *out)
{
	size_t count = 0;
	for (size_t i = 0; i < ring->count && count < rf && count < MP_SIM_RF_MAX; i++) {
		uint16_t node = ring->entries[(entry + i) % ring->count].node;
		if (!contains(out, count, node))
			out[count++] = node;
	}
	return count;
}

// Round the ring once; each datacentre takes nodes until it has enough: one of each rack first, and as many repeats
// of a rack as there are fewer racks than replicas.
static size_t network_replicas(const struct mp_sim_ring *ring, const struct mp_sim_strategy *strategy,
                               size_t entry, uint16_t *out)
{
	int wanted[MP_SIM_DCS_MAX], repeats[MP_SIM_DCS_MAX];
	uint64_t racks_seen[MP_SIM_DCS_MAX] = {0};
	int open = 0;
	for (size_t dc = 0; dc < MP_SIM_DCS_MAX; dc++) {
		int rf = strategy->dc_rf[dc], nodes = ring->nodes_in_dc[dc];
		wanted[dc] = rf < nodes ? rf : nodes;
		repeats[dc] = rf - ring->racks_in_dc[dc];
		open += wanted[dc];
	}
	size_t count = 0;
	for (size_t i = 0; i < ring->count && open > 0 && count < MP_SIM_RF_MAX; i++) {
		uint16_t node = ring->entries[(entry + i) % ring->count].node;
		const struct mp_sim_ring_place *place = &ring->places[node];
		uint64_t rack = UINT64_C(1) << place->rack;
		if (wanted[place->dc] == 0 || contains(out, count, node))
			continue;
		if (racks_seen[place->dc] & rack) {
			if (repeats[place->dc] <= 0)
				continue;
			repeats[place->dc]--;
		}
		racks_seen[place->dc] |= rack;
		wanted[place->dc]--;
		open--;
		out[count++] = node;
	}
	return count;
}

size_t mp_sim_ring_replicas(const struct mp_sim_ring *ring, const struct mp_sim_strategy *strategy,
                            size_t entry, uint16_t out[MP_SIM_RF_MAX])
{
	if (ring->count == 0 || strategy->kind == MP_SIM_LOCAL_STRATEGY)
		return 0;
	if (strategy->kind == MP_SIM_SIMPLE_STRATEGY)
		return simple_replicas(ring, strategy->rf, entry, out);
	return network_replicas(ring, strategy, entry, out);
}

void mp_sim_placement_deinit(struct mp_sim_placement *placement)
{
	mp_free(placement->replicas);
	mp_free(placement->counts);
	memset(placement, 0, sizeof(*placement));
}

static int fill(struct mp_sim_placement *placement, const struct mp_sim_ring *ring,
                const struct mp_sim_strategy *strategy)
{
	size_t stride = strategy->rf < MP_SIM_RF_MAX ? strategy->rf : MP_SIM_RF_MAX;
	uint16_t *replicas = mp_calloc(ring->count * stride + 1, sizeof(*replicas));
	uint8_t *counts = mp_calloc(ring->count + 1, sizeof(*counts));
	if (replicas == NULL || counts == NULL) {
		mp_free(replicas);
		mp_free(counts);
		return MP_ENOMEM;
	}
	for (size_t i = 0; i < ring->count; i++) {
		uint16_t list[MP_SIM_RF_MAX];
		size_t count = mp_sim_ring_replicas(ring, strategy, i, list);
		mp_assert(count <= stride);
		memcpy(replicas + i * stride, list, count * sizeof(*list));
		counts[i] = (uint8_t)count;
	}
	mp_sim_placement_deinit(placement);
	*placement = (struct mp_sim_placement){ring->epoch, replicas, counts, stride};
	return 0;
}

const uint16_t *mp_sim_placement_of(struct mp_sim_placement *placement, const struct mp_sim_ring *ring,
                                    const struct mp_sim_strategy *strategy, size_t entry, size_t *count)
{
	if ((placement->replicas == NULL || placement->epoch != ring->epoch) &&
	    fill(placement, ring, strategy) < 0)
		return NULL;
	*count = placement->counts[entry];
	return placement->replicas + entry * placement->stride;
}
