// SPDX-License-Identifier: Apache-2.0
// Tokens to replicas: a placement is one keyspace's replicas for every token of a ring, computed in slices so that the
// loop never stalls. As Cassandra's SimpleStrategy and NetworkTopologyStrategy (org.apache.cassandra.locator) do it,
// but a row costs about as many steps as it has replicas, however the tokens lie.
#pragma once

#include "cluster/plan/replication.h"
#include "cluster/plan/ring.h"

#define MP_PLACEMENT_SLOTS_MAX ((size_t)1 << 25) // tokens times replicas; beyond it no replicas are known

struct mp_placer;

struct mp_placement {
	struct mp_ring *ring;
	struct mp_replication replication;
	uint16_t stride; // most replicas a token can have
	uint16_t *hosts; // ring->count rows of `stride` slots, in placement order, filled up with MP_NO_HOST
	uint32_t done;   // rows computed
	struct mp_placer *placer; // NULL: complete
	int err;                  // why it is none: MP_ENOMEM, MP_ETOOBIG
	uint32_t refs;
};
struct mp_placement *mp_placement_new(struct mp_ring *ring, const struct mp_replication *replication,
                                      const struct mp_view *view) MP_MUST_CHECK;
// Up to `rows` more of them, fewer when they are long; true when it is complete, or has an error. Any input ends: RF
// above the number of hosts gives them all.
bool mp_placement_step(struct mp_placement *placement, const struct mp_view *view, uint32_t rows);
struct mp_placement *mp_placement_ref(struct mp_placement *placement);
void mp_placement_unref(struct mp_placement *placement); // NULL is fine
// The replicas of a token: `stride` slots, those in use first. NULL when nothing is known.
const uint16_t *mp_placement_find(const struct mp_placement *placement, int64_t token, uint32_t *count);
