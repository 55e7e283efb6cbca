// SPDX-License-Identifier: Apache-2.0
// The hosts of a session: slots in the view, their pools, what the cluster says about them and what their connections
// say. A host is freed only from the session's own task, when its pool is empty and no waiting event names it.
#pragma once

#include "cluster/host.h"
#include "cluster/node_row.h"

struct mp_hosts {
	struct mp_cluster *cluster;
	struct mp_host **slots; // MP_HOSTS_MAX
	struct mp_host **live;  // all but the removed ones, in the order of their coming
	uint32_t live_count;
	uint32_t live_capacity;
	uint32_t removed_count;  // removed ones that are not freed yet
	uint32_t lonely_answers; // refreshes in a row that named one node while more were known
	uint64_t gone_errors;    // connection errors of hosts that are freed
	bool opened;             // pools of hosts in use are open
	double open_tokens;      // connections that may be opened now
	uint64_t open_tokens_ns; // when that was counted
	struct mp_log_gate odd_rows;
};

int mp_hosts_init(struct mp_hosts *hosts, struct mp_cluster *cluster) MP_MUST_CHECK;
void mp_hosts_deinit(struct mp_hosts *hosts); // asserts that all are freed
struct mp_host *mp_hosts_by_id(const struct mp_hosts *hosts, const struct mp_uuid *host_id);
struct mp_host *mp_hosts_by_addr(const struct mp_hosts *hosts, const struct mp_addr *addr);

// The nodes that the cluster names now: new ones get a slot, changed ones are changed, others are removed. True: the
// answer was odd and should be asked for again.
bool mp_hosts_apply(struct mp_hosts *hosts, const struct mp_node_rows *nodes);
void mp_hosts_open(struct mp_hosts *hosts);              // pools of the hosts in use, also of those to come
void mp_hosts_close(struct mp_hosts *hosts, bool drain); // all; again without `drain` to hurry
void mp_hosts_sweep(struct mp_hosts *hosts);             // free what is removed and quiet
bool mp_hosts_are_gone(const struct mp_hosts *hosts);
void mp_hosts_tick(struct mp_hosts *hosts); // once a second
// Every host in use has tried its core connections once.
bool mp_hosts_are_tried(const struct mp_hosts *hosts);
// A host of the local datacentre of that view is known.
uint32_t mp_hosts_in_use(const struct mp_hosts *hosts);

// Server events. All of them are hints.
void mp_hosts_hint_up(struct mp_host *host);
void mp_hosts_hint_down(struct mp_host *host);
