// SPDX-License-Identifier: Apache-2.0
// Reading the system tables through the control connection, at the right moments: when it stands, once more a moment
// later (an event may have been missed between), after events (gathered), and from time to time. One refresh at a time.
//
//   IDLE --due--> ASKING --all answers are here--> LOCAL -> PEERS -> MEMBERS -> KEYSPACES --> IDLE
//
// What is behind ASKING is done in steps of a bounded amount of work, one in each turn of the loop, however long the
// tables are. Only system.local is needed: without system.peers another node is asked, and who has no other to ask goes
// on with the node that it knows; without the keyspaces requests go without token awareness.
#pragma once

#include "base/arena.h"
#include "cluster/topology/keyspace_row.h"
#include "cluster/topology/membership.h"
#include "cluster/topology/table.h"

#define MP_TOPOLOGY_GATHER_MS \
	1000 // from the first event to the refresh, and the least time between two refreshes
#define MP_TOPOLOGY_GATHER   20    // so many events do not wait that long
#define MP_TOPOLOGY_AGAIN_MS 1000  // after the first read of a connection
#define MP_TOPOLOGY_FAILURES 3     // in a row: the control connection moves
#define MP_TOPOLOGY_WORK     20000 // of one step: about two milliseconds

struct mp_cluster;

enum mp_topology_state {
	MP_TOPOLOGY_IDLE,
	MP_TOPOLOGY_ASKING,
	MP_TOPOLOGY_LOCAL,
	MP_TOPOLOGY_PEERS,
	MP_TOPOLOGY_MEMBERS,
	MP_TOPOLOGY_KEYSPACES,
};

struct mp_topology {
	struct mp_cluster *cluster;
	struct mp_conn *conn; // the control connection; NULL: none
	enum mp_topology_state state;
	uint32_t refreshes; // begun and ended: whoever is called back looks whether it is still the same
	struct mp_table local, peers, keyspaces;
	struct mp_arena arena; // of the refresh under way
	struct mp_node_rows nodes;
	struct mp_cluster_row said; // of the cluster as a whole
	struct mp_node_reader node_reader;
	struct mp_keyspace_reader keyspace_reader;
	struct mp_membership members;
	uint32_t pending;                  // answers awaited
	bool is_whole;                     // every member is among the nodes
	bool reads_nodes, reads_keyspaces; // what the refresh under way reads
	bool wants_nodes, wants_keyspaces; // what the next one shall read
	bool first;                        // nothing was read through this connection yet
	bool has_peers_v2;                 // this node has answered from it
	bool old_peers;                    // this node has no system.peers_v2, or none for us
	bool settles;                      // without system.peers the node itself will do: there is no other
	int rc;                            // first failure of the refresh under way
	char why[160];
	uint16_t dc_count; // when the keyspaces were read last, or should be again
	uint32_t events;   // gathered since the last refresh began
	uint32_t failures; // refreshes in a row
	uint32_t steps;    // of the last refresh
	uint64_t began_ms;
	struct mp_timer next; // when the next refresh begins
	struct mp_timer periodic;
	struct mp_timer step; // the rest of this one
	struct mp_timer translate;
	uint64_t translated_ms; // when it was, or will be, due
	uint64_t due_ns; // of the first refresh of the connection, and of all that connect() does behind it
	struct mp_timer patience; // of the first one of a connection: it is part of connect()
	struct mp_log_gate complaints;
};

void mp_topology_init(struct mp_topology *topology, struct mp_cluster *cluster);
// Read all, then keep current. `settles`: see above.
void mp_topology_start(struct mp_topology *topology, struct mp_conn *conn, bool settles);
void mp_topology_stop(struct mp_topology *topology); // the connection is gone
// Ask for a refresh in at most `delay_ms`.
void mp_topology_want(struct mp_topology *topology, bool nodes, bool keyspaces, uint64_t delay_ms);
void mp_topology_set_interval(struct mp_topology *topology); // how nodes are discovered has changed
void mp_topology_translate(struct mp_topology *topology);    // what addresses mean has changed
void mp_topology_on_event(struct mp_topology *topology, const struct mp_envelope *event);
