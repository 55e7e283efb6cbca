// SPDX-License-Identifier: Apache-2.0
// Tokens to replicas: a placement is one keyspace's replicas for every token of a ring, computed in slices so that the
// loop never stalls. As Cassandra's SimpleStrategy and NetworkTopologyStrategy (org.apache.cassandra.locator) do it.
#pragma once

#include "cluster/plan/ring.h"
#include "cluster/plan/view.h"

enum mp_strategy { MP_STRATEGY_NONE, MP_STRATEGY_SIMPLE, MP_STRATEGY_NETWORK, MP_STRATEGY_EVERYWHERE };
struct mp_replication {
	enum mp_strategy strategy; // NONE: unknown or local: no replicas are known
	uint16_t rf;               // SIMPLE
	uint16_t dc_count;         // NETWORK
	struct {
		uint16_t dc_id;
		uint16_t rf;
	} dcs[MP_DCS_MAX];
};
// Options as in system_schema.keyspaces.replication: "class" and the rest. "3/1" (transient) counts the full number.
// An unknown class gives NONE. Nonsense numbers count as 0.
void mp_replication_parse(struct mp_replication *replication, struct mp_view *view, size_t count,
                          const struct mp_str *keys, const struct mp_str *values);

struct mp_placement {
	struct mp_ring *ring;
	struct mp_replication replication;
	uint16_t stride; // most replicas a token can have
	uint16_t *hosts; // ring->count rows of `stride` slots, in placement order, filled up with MP_NO_HOST
	uint32_t done;   // rows computed
	uint32_t refs;
	uint16_t dc_hosts[MP_DCS_MAX]; // by position in replication.dcs: hosts and racks that own tokens
	uint16_t dc_racks[MP_DCS_MAX];
	uint16_t *racks; // room for one row
};
struct mp_placement *mp_placement_new(struct mp_ring *ring, const struct mp_replication *replication,
                                      const struct mp_view *view) MP_MUST_CHECK;
// Compute up to `rows` more rows; true when complete. Any input ends: RF above the number of hosts gives them all.
bool mp_placement_step(struct mp_placement *placement, const struct mp_view *view, uint32_t rows);
struct mp_placement *mp_placement_ref(struct mp_placement *placement);
void mp_placement_unref(struct mp_placement *placement); // NULL is fine
// The replicas of a token: `stride` slots, those in use first. NULL when nothing is known.
const uint16_t *mp_placement_find(const struct mp_placement *placement, int64_t token, uint32_t *count);
