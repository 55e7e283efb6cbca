// SPDX-License-Identifier: Apache-2.0
// The hosts of a session: slots in the view, their pools, and what their connections say. What the cluster says about
// them comes from membership.c. A host is freed only from the session's own task, when its pool is empty and no waiting
// event names it.
#pragma once

#include "base/index.h"
#include "cluster/topology/choices.h"
#include "cluster/topology/host.h"
#include "cluster/topology/node_row.h"
#include "cluster/topology/pace.h"

struct mp_hosts {
	struct mp_cluster *cluster;
	struct mp_host **slots; // MP_HOSTS_MAX
	struct mp_host **live;  // all but the removed ones, in the order of their coming
	uint32_t live_count;
	uint32_t live_capacity;
	uint16_t lowest_free;    // no slot below is free
	uint32_t removed_count;  // removed ones that are not freed yet
	struct mp_index by_id;   // slots of the living
	struct mp_index by_addr; // the same by each address that names them
	uint32_t shut_count;     // hosts that are connected and let no request in
	uint64_t gone_errors;    // connection errors of hosts that are freed
	uint64_t gone_opened;    // their connections
	bool opened;             // pools of hosts in use are open
	struct mp_pace pace;
	struct mp_choices choices; // by the application
	struct mp_log_gate refusals;
	bool remotes_changed; // remotes.h
	uint64_t passes, lots;
};

int mp_hosts_init(struct mp_hosts *hosts, struct mp_cluster *cluster) MP_MUST_CHECK;
void mp_hosts_deinit(struct mp_hosts *hosts); // asserts that all are freed
struct mp_host *mp_hosts_by_id(struct mp_hosts *hosts, const struct mp_uuid *host_id);
// Every host that the cluster names by this address: their number.
uint32_t mp_hosts_at(struct mp_hosts *hosts, const struct mp_addr *addr,
                     void (*fn)(void *data, struct mp_host *host), void *data);

void mp_hosts_open(struct mp_hosts *hosts);              // pools of the hosts in use, also of those to come
void mp_hosts_close(struct mp_hosts *hosts, bool drain); // all; again without `drain` to hurry
void mp_hosts_sweep(struct mp_hosts *hosts);             // free what is removed and quiet
bool mp_hosts_are_gone(const struct mp_hosts *hosts);
void mp_hosts_tick(struct mp_hosts *hosts); // once a second
// Every host in use has tried its core connections once.
bool mp_hosts_are_tried(const struct mp_hosts *hosts);
bool mp_hosts_rest_is_silent(const struct mp_hosts *hosts); // or was asked and has not answered at all
bool mp_hosts_any_up(const struct mp_hosts *hosts, enum mp_distance farthest);
// A host of the local datacentre of that view is known.
uint32_t mp_hosts_in_use(const struct mp_hosts *hosts);

// Server events. All of them are hints.
void mp_host_hint_up(struct mp_host *host);
void mp_host_hint_down(struct mp_host *host);
