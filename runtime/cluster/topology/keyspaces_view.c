// SPDX-License-Identifier: Apache-2.0
// The ring, for somebody who looks at it.
#include "cluster/topology/keyspaces.h"

// The middle of slice i of `count`, from the lowest token upwards.
static int64_t middle(size_t i, size_t count)
{
	uint64_t width = UINT64_MAX / count;
	return (int64_t)((uint64_t)INT64_MIN + (uint64_t)i * width + width / 2);
}

static uint16_t owner(const struct mp_ring *ring, int64_t token)
{
	return ring->owners[mp_ring_find(ring, token)];
}

static void fill(struct mp_ring_slice *slice, const struct mp_ring *ring,
                 const struct mp_placement *placement, int64_t token)
{
	uint32_t known = 0;
	const uint16_t *hosts = placement != NULL ? mp_placement_find(placement, token, &known) : NULL;
	slice->count = 0;
	for (uint32_t i = 0; hosts != NULL && i < known && slice->count < MP_RING_VIEW_REPLICAS; i++) {
		if (hosts[i] != MP_NO_HOST)
			slice->hosts[slice->count++] = hosts[i];
	}
	if (hosts == NULL)
		slice->hosts[slice->count++] = owner(ring, token);
}

struct mp_ring_view mp_keyspaces_view(struct mp_keyspaces *keyspaces, struct mp_str keyspace,
                                      struct mp_ring_slice *slices, size_t count)
{
	struct mp_ring_view view = {0};
	const struct mp_ring *ring = keyspaces->ring;
	if (ring == NULL || ring->count == 0)
		return view;
	// Only a name that the cluster has: the table of names forgets none.
	uint32_t id = mp_names_find(&keyspaces->names, keyspace);
	const struct mp_placement *placement = id != 0 ? mp_keyspaces_use(keyspaces, (uint16_t)id) : NULL;
	view.tokens = ring->count;
	view.has_replicas = placement != NULL;
	for (size_t i = 0; i < count; i++)
		fill(&slices[i], ring, placement, middle(i, count));
	return view;
}

const char *mp_keyspaces_used(const struct mp_keyspaces *keyspaces, size_t i)
{
	for (uint32_t id = 1; id < keyspaces->capacity; id++) {
		const struct mp_keyspace *keyspace = keyspaces->entries[id];
		if (keyspace != NULL && keyspace->wanted && i-- == 0)
			return mp_names_text(&keyspaces->names, id);
	}
	return NULL;
}
