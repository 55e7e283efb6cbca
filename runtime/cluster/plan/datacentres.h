// SPDX-License-Identifier: Apache-2.0
// The datacentres of a cluster as a failover policy sees them: how many of their hosts are up, and for how long at
// least so many have been. Looked at from time to time, so a change that came and went in between is not seen.
#pragma once

#include "cluster/plan/view.h"

// Scripts read it in place: scalars only, camelCase.
struct mp_dc_view {
	uint32_t index;    // its dcId
	uint32_t up;       // hosts with a connection
	uint32_t total;    // hosts that the cluster names
	uint32_t priority; // 1 comes first among the remote ones, 0: after all that have one
	bool isHome;       // the one that the configuration calls local
	bool isServing;    // the one that is local now
};

struct mp_dc_history {
	uint64_t seen_ms;   // when it was looked at first
	uint64_t *since_ms; // [n]: when "more than n hosts are up" last changed; `capacity` of them
	uint32_t capacity;
	bool is_seen;
};

struct mp_datacentres {
	struct mp_dc_view dcs[MP_DCS_MAX]; // by dcId
	struct mp_dc_history history[MP_DCS_MAX];
	char *const *names;         // by dcId; borrowed from the view
	uint16_t order[MP_DCS_MAX]; // dcIds of those with hosts: home first, then the most wanted
	uint16_t order_count;
	uint16_t count;
	uint16_t home, serving; // dcIds; the owner's to set before it looks
	uint64_t now_ms;        // of the last look
};

void mp_datacentres_deinit(struct mp_datacentres *dcs); // a zeroed one is initialised
// `up` and `total` by dcId. False: out of memory; what was known stays.
bool mp_datacentres_look(struct mp_datacentres *dcs, const struct mp_view *view, const uint32_t *up,
                         const uint32_t *total, uint64_t now_ms) MP_MUST_CHECK;
// How long at least `hosts` of its hosts have been up; 0 when they are not.
uint64_t mp_datacentres_up_ms(const struct mp_datacentres *dcs, uint16_t dc, uint32_t hosts);
// How long fewer than that have been up; 0 when they are.
uint64_t mp_datacentres_down_ms(const struct mp_datacentres *dcs, uint16_t dc, uint32_t hosts);
