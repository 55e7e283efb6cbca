// SPDX-License-Identifier: Apache-2.0
// Where each keyspace keeps its rows: the ring, the replication of every keyspace, and the placements of those that
// requests use. A placement is computed in slices by a timer; the one before serves until it is complete.
#pragma once

#include "cluster/plan/names.h"
#include "cluster/plan/placement.h"
#include "cluster/topology/keyspace_row.h"
#include "loop/loop.h"

enum { MP_KEYSPACES_MAX = 4095 };
#define MP_PLACEMENT_ROWS_PER_TURN 2000

struct mp_keyspace {
	struct mp_replication replication;
	struct mp_placement *current; // NULL: not known yet
	bool wanted;                  // a request asked for it
	bool stale;                   // `current` is older than the ring or the replication
	bool seen;                    // during a refresh
};

struct mp_cluster;

struct mp_keyspaces {
	const struct mp_cluster *cluster;
	struct mp_names names;
	struct mp_keyspace **entries; // by id; entry 0 is never used
	uint32_t capacity;
	struct mp_ring *ring; // NULL: no tokens known
	uint64_t ring_print;  // fingerprint of what the ring was made of
	struct mp_placement *building;
	uint32_t building_id;
	struct mp_timer slice;
};

void mp_keyspaces_init(struct mp_keyspaces *keyspaces, const struct mp_cluster *cluster);
void mp_keyspaces_deinit(struct mp_keyspaces *keyspaces);
void mp_keyspaces_stop(struct mp_keyspaces *keyspaces);                       // no more slices
uint16_t mp_keyspaces_id(struct mp_keyspaces *keyspaces, struct mp_str name); // 0: none
// The placement of a keyspace for a request, or NULL. The first call for a keyspace asks for it to be computed.
void mp_keyspaces_want(struct mp_keyspaces *keyspaces, struct mp_keyspace *keyspace); // that first call
inline struct mp_placement *mp_keyspaces_use(struct mp_keyspaces *keyspaces, uint16_t id)
{
	if (MP_UNLIKELY(id == 0 || id >= keyspaces->capacity || keyspaces->entries[id] == NULL))
		return NULL;
	struct mp_keyspace *keyspace = keyspaces->entries[id];
	if (MP_UNLIKELY(!keyspace->wanted))
		mp_keyspaces_want(keyspaces, keyspace);
	return keyspace->current;
}
// All keyspaces of the cluster were read: begin, each row, end.
void mp_keyspaces_begin(struct mp_keyspaces *keyspaces);
void mp_keyspaces_row(struct mp_keyspaces *keyspaces, const struct mp_keyspace_row *row);
void mp_keyspaces_end(struct mp_keyspaces *keyspaces);
// The ring of the hosts that are known now, or NULL; the reference becomes its own. `print` names what it is made of.
void mp_keyspaces_set_ring(struct mp_keyspaces *keyspaces, struct mp_ring *ring, uint64_t print);
bool mp_keyspaces_have_ring(const struct mp_keyspaces *keyspaces, uint64_t print);

// The ring for somebody who looks at it: as many equal slices as he likes, each with the hosts that keep what lies in
// its middle. However many tokens there are, that is what it costs.
#define MP_RING_VIEW_REPLICAS 8 // of them are shown

struct mp_ring_slice {
	uint16_t hosts[MP_RING_VIEW_REPLICAS]; // slots; the first is the primary owner
	uint32_t count;
};

struct mp_ring_view {
	uint32_t tokens; // on the ring; 0: none are known
	bool has_replicas;
};

// Fills in the slices, for a keyspace; "" or one whose replicas are not known (yet: they are computed from now on):
// owners alone.
struct mp_ring_view mp_keyspaces_view(struct mp_keyspaces *keyspaces, struct mp_str keyspace,
                                      struct mp_ring_slice *slices, size_t count);
// The name of the i-th keyspace that requests or this view have used so far; NULL: there are no more.
const char *mp_keyspaces_used(const struct mp_keyspaces *keyspaces, size_t i);
