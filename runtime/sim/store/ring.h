// SPDX-License-Identifier: Apache-2.0
// Who keeps what: the tokens of all members in order, and the replicas of a token by SimpleStrategy or
// NetworkTopologyStrategy. Written without the driver's ring, so that each checks the other.
#pragma once

#include "base/defs.h"

#define MP_SIM_DCS_MAX   16
#define MP_SIM_RACKS_MAX 64 // in each datacentre
#define MP_SIM_RF_MAX    32 // replicas of one token, all datacentres together

struct mp_sim_ring_entry {
	int64_t token;
	uint16_t node;
};

struct mp_sim_ring_place { // where a node stands
	bool member;
	uint8_t dc;
	uint8_t rack;
};

struct mp_sim_ring {
	struct mp_sim_ring_entry *entries; // by token
	size_t count;
	uint64_t epoch;                   // counts the changes
	struct mp_sim_ring_place *places; // by node
	size_t node_count;
	uint16_t nodes_in_dc[MP_SIM_DCS_MAX];
	uint16_t racks_in_dc[MP_SIM_DCS_MAX];
};

enum mp_sim_strategy_kind { MP_SIM_SIMPLE_STRATEGY, MP_SIM_NETWORK_STRATEGY, MP_SIM_LOCAL_STRATEGY };

struct mp_sim_strategy {
	enum mp_sim_strategy_kind kind;
	uint16_t rf;                    // SimpleStrategy; otherwise the sum
	uint16_t dc_rf[MP_SIM_DCS_MAX]; // NetworkTopologyStrategy
};

void mp_sim_ring_init(struct mp_sim_ring *ring);
void mp_sim_ring_deinit(struct mp_sim_ring *ring);
// Takes the whole truth anew. `entries` need not be in order; of members only. MP_ENOMEM keeps the old one.
int mp_sim_ring_set(struct mp_sim_ring *ring, const struct mp_sim_ring_entry *entries, size_t count,
                    const struct mp_sim_ring_place *places, size_t node_count) MP_MUST_CHECK;
// The entry that owns a token: the first at or behind it, round the end. The ring is not empty.
size_t mp_sim_ring_owner(const struct mp_sim_ring *ring, int64_t token);
// Replicas of the range of an entry, the first one first. At most MP_SIM_RF_MAX.
size_t mp_sim_ring_replicas(const struct mp_sim_ring *ring, const struct mp_sim_strategy *strategy,
                            size_t entry, uint16_t out[MP_SIM_RF_MAX]);

// The replicas of all entries for one strategy, made when first asked for and again when the ring has changed.
struct mp_sim_placement {
	uint64_t epoch;
	uint16_t *replicas; // stride * entry
	uint8_t *counts;
	size_t stride;
};
void mp_sim_placement_deinit(struct mp_sim_placement *placement);
// The replicas of a token's entry; *count of them. NULL: no memory.
const uint16_t *mp_sim_placement_of(struct mp_sim_placement *placement, const struct mp_sim_ring *ring,
                                    const struct mp_sim_strategy *strategy, size_t entry,
                                    size_t *count) MP_MUST_CHECK;
