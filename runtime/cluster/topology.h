// SPDX-License-Identifier: Apache-2.0
// Reading the system tables through the control connection, at the right moments: when it stands, once more a moment
// later (an event may have been missed between), after events (gathered), and from time to time. One refresh at a time.
#pragma once

#include "base/arena.h"
#include "cluster/node_row.h"
#include "cluster/query.h"

#define MP_TOPOLOGY_GATHER_MS \
	1000 // from the first event to the refresh, and the least time between two refreshes
#define MP_TOPOLOGY_GATHER   20   // so many events do not wait that long
#define MP_TOPOLOGY_AGAIN_MS 1000 // after the first read of a connection
#define MP_TOPOLOGY_FAILURES 3    // in a row: the control connection moves

struct mp_cluster;

struct mp_topology {
	struct mp_cluster *cluster;
	struct mp_conn *conn; // the control connection; NULL: none
	struct mp_query local, peers, keyspaces;
	struct mp_arena arena; // of the refresh under way
	struct mp_node_rows nodes;
	struct mp_cluster_row said; // of the cluster as a whole
	uint32_t pending;           // answers awaited
	bool has_local;
	bool reads_nodes, reads_keyspaces; // what the refresh under way reads
	bool wants_nodes, wants_keyspaces; // what the next one shall read
	bool first;                        // nothing was read through this connection yet
	bool old_peers;                    // this node has no system.peers_v2
	int rc;                            // first failure of the refresh under way
	char why[160];
	uint32_t events;   // gathered since the last refresh began
	uint32_t failures; // refreshes in a row
	uint64_t began_ms;
	struct mp_timer next; // when the next refresh begins
	struct mp_timer periodic;
};

void mp_topology_init(struct mp_topology *topology, struct mp_cluster *cluster);
void mp_topology_start(struct mp_topology *topology, struct mp_conn *conn); // read all, then keep current
void mp_topology_stop(struct mp_topology *topology);                        // the connection is gone
// Ask for a refresh in at most `delay_ms`.
void mp_topology_want(struct mp_topology *topology, bool nodes, bool keyspaces, uint64_t delay_ms);
void mp_topology_set_interval(struct mp_topology *topology); // how nodes are discovered has changed
void mp_topology_on_event(struct mp_topology *topology, const struct mp_envelope *event);
