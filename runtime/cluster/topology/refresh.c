// SPDX-License-Identifier: Apache-2.0
// One refresh: the tables are asked for together, their answers kept, and read one after the other when the last is
// there.
//
// Invariant: outside of IDLE and ASKING either step() runs or its timer is started.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/topology/cluster.h"
#include "cluster/topology/control.h"
#include "cluster/topology/hosts.h"
#include "cluster/topology/keyspaces.h"
#include "cluster/topology/topology_internal.h"

#define LOCAL_CQL         "SELECT * FROM system.local WHERE key='local'"
#define PEERS_V2_CQL      "SELECT * FROM system.peers_v2"
#define PEERS_CQL         "SELECT * FROM system.peers"
#define KEYSPACES_CQL     "SELECT * FROM system_schema.keyspaces"
#define COMPLAIN_EVERY_MS 600000u

static void on_table(void *owner, struct mp_table *table);
static void on_step(void *data);
static void on_patience(void *data);

void mp_topology_init_refresh(struct mp_topology *topology)
{
	struct mp_loop *loop = topology->cluster->loop;
	mp_arena_init(&topology->arena);
	mp_membership_init(&topology->members, topology->cluster->hosts);
	mp_table_init(&topology->local, loop, "system.local", on_table, topology);
	mp_table_init(&topology->peers, loop, "system.peers", on_table, topology);
	mp_table_init(&topology->keyspaces, loop, "system_schema.keyspaces", on_table, topology);
	mp_timer_init(&topology->step, loop, on_step, topology);
	mp_timer_init(&topology->patience, loop, on_patience, topology);
}

void mp_topology_end(struct mp_topology *topology)
{
	topology->refreshes++;
	mp_timer_stop(&topology->step);
	mp_membership_stop(&topology->members);
	mp_table_drop(&topology->local);
	mp_table_drop(&topology->peers);
	mp_table_drop(&topology->keyspaces);
	mp_arena_deinit(&topology->arena);
	mp_arena_init(&topology->arena);
	topology->nodes = (struct mp_node_rows){.rows = NULL};
	topology->said = (struct mp_cluster_row){.cluster_name = NULL};
	topology->pending = 0;
	topology->state = MP_TOPOLOGY_IDLE;
}

// ---- asking -----------------------------------------------------------------------------------------------

static void step(struct mp_topology *topology);

// The first time it is a part of connect(), which has a deadline of its own: what is not needed has half of it.
static void ask(struct mp_topology *topology, struct mp_table *table, const char *cql)
{
	uint32_t timeout_ms = topology->cluster->config->connect_timeout_ms;
	if (topology->first && table != &topology->local)
		timeout_ms = (timeout_ms + 1) / 2;
	if (mp_table_ask(table, topology->conn, cql, timeout_ms, !topology->first) == 0)
		topology->pending++;
}

// A node that did not tell its neighbours a moment ago is not asked for them before it is used.
static void ask_peers(struct mp_topology *topology)
{
	if (topology->first && topology->settles)
		mp_table_fail(&topology->peers, MP_ESERVER, mp_str_of("this node does not tell its neighbours"));
	else
		ask(topology, &topology->peers, topology->old_peers ? PEERS_CQL : PEERS_V2_CQL);
}

void mp_topology_begin(struct mp_topology *topology)
{
	mp_timer_stop(&topology->next);
	topology->refreshes++;
	topology->state = MP_TOPOLOGY_ASKING;
	topology->reads_nodes = topology->wants_nodes;
	topology->reads_keyspaces = topology->wants_keyspaces;
	topology->wants_nodes = topology->wants_keyspaces = false;
	topology->events = 0;
	topology->steps = 0;
	topology->began_ms = mp_loop_now_ms(topology->cluster->loop);
	topology->rc = 0;
	topology->is_whole = true;
	if (topology->reads_nodes) {
		ask(topology, &topology->local, LOCAL_CQL);
		ask_peers(topology);
	}
	if (topology->reads_keyspaces)
		ask(topology, &topology->keyspaces, KEYSPACES_CQL);
	if (topology->pending == 0)
		step(topology);
}

// A node that has no system.peers_v2, or none for us, says so in many ways. One that has answered from it has it, and
// what it says next is trouble that passes: the other table has no ports.
static bool lacks_peers_v2(const struct mp_topology *topology, const struct mp_table *table)
{
	bool is_told = table->rc == MP_ESERVER || table->rc == MP_EPROTO || table->rc == MP_ETIMEOUT;
	return table == &topology->peers && is_told && !topology->old_peers && !topology->has_peers_v2;
}

static void on_table(void *owner, struct mp_table *table)
{
	struct mp_topology *topology = owner;
	if (lacks_peers_v2(topology, table)) {
		topology->old_peers = true;
		ask(topology, table, PEERS_CQL);
	}
	if (--topology->pending == 0)
		step(topology);
}

// ---- reading ----------------------------------------------------------------------------------------------

static void fail(struct mp_topology *topology, int rc, const char *why)
{
	if (topology->rc != 0)
		return;
	topology->rc = rc;
	snprintf(topology->why, sizeof(topology->why), "%s", why);
}

static void complain(struct mp_topology *topology, const char *why, const char *cost)
{
	uint64_t held;
	const struct mp_cluster *cluster = topology->cluster;
	if (mp_log_gate_open(&topology->complaints, mp_loop_now_ms(cluster->loop), COMPLAIN_EVERY_MS, &held))
		mp_log_write(cluster->log, MP_LOG_WARN, "%s: %s", why, cost);
}

static void begin_rows(struct mp_topology *topology, struct mp_table *table, struct mp_cluster_row *said)
{
	const struct mp_addr *asked = mp_conn_addr(topology->conn);
	if (table->rc != 0)
		return;
	int rc = mp_node_reader_begin(&topology->node_reader, &topology->nodes, &topology->arena, &table->result,
	                              asked, said);
	if (rc != 0)
		mp_table_fail(table, rc, mp_str_of(mp_err_text(rc)));
}

// True: to the end, or to what is wrong with it.
static bool read_rows(struct mp_topology *topology, struct mp_table *table, int64_t *work)
{
	if (table->rc != 0)
		return true;
	int rc = mp_node_reader_step(&topology->node_reader, MP_HOSTS_MAX, work);
	if (rc == MP_EAGAIN)
		return false;
	if (rc == MP_EPROTO && table->is_cut)
		rc = 0;
	if (rc != 0)
		mp_table_fail(table, rc, mp_str_of(mp_err_text(rc)));
	if (topology->node_reader.left > 0)
		topology->is_whole = false;
	return true;
}

static void end_local(struct mp_topology *topology)
{
	const struct mp_node_rows *nodes = &topology->nodes;
	if (topology->local.rc != 0)
		fail(topology, topology->local.rc, topology->local.why);
	else if (nodes->count == 0 || !nodes->rows[0].complete)
		fail(topology, MP_EPROTO, "system.local could not be read: it does not say who the node is");
}

// Who has no other node to ask goes on with the one that it knows.
static void end_peers(struct mp_topology *topology)
{
	const struct mp_table *peers = &topology->peers;
	if (peers->rc == 0) {
		topology->has_peers_v2 = !topology->old_peers;
	} else if (topology->settles && topology->rc == 0) {
		complain(topology, peers->why, "only nodes that are known already are used");
		topology->is_whole = false;
	} else {
		fail(topology, peers->rc, peers->why);
	}
}

// ---- applying ---------------------------------------------------------------------------------------------

// What an event says is known; what happened before this connection heard events is in the version alone.
static void take_schema_version(struct mp_topology *topology)
{
	struct mp_cluster *cluster = topology->cluster;
	const struct mp_uuid *said = &topology->said.schema_version;
	bool missed = topology->first && !mp_uuid_is_nil(&cluster->schema_version) &&
	              !mp_uuid_eq(&cluster->schema_version, said);
	cluster->schema_version = *said;
	if (missed)
		cluster->events->on_schema_missed(cluster->owner);
}

static void take_partitioner(struct mp_topology *topology)
{
	struct mp_cluster *cluster = topology->cluster;
	const char *partitioner = topology->said.partitioner;
	bool is_murmur = partitioner == NULL || strstr(partitioner, "Murmur3Partitioner") != NULL;
	if (!is_murmur && cluster->is_murmur)
		mp_log_write(
			cluster->log, MP_LOG_WARN,
			"the cluster uses %s, whose tokens are not known here: requests go without token awareness",
			partitioner);
	cluster->is_murmur = is_murmur;
}

static void begin_members(struct mp_topology *topology)
{
	struct mp_cluster *cluster = topology->cluster;
	const char *dc = topology->nodes.rows[0].dc;
	take_partitioner(topology);
	take_schema_version(topology);
	if (cluster->name == NULL && topology->said.cluster_name != NULL) {
		cluster->name = mp_strdup(topology->said.cluster_name);
		cluster->events->on_identified(cluster->owner);
	}
	if (cluster->local_dc == NULL)
		cluster->local_dc = mp_strdup(dc != NULL ? dc : MP_UNKNOWN_PLACE);
	mp_membership_begin(&topology->members, &topology->nodes, topology->is_whole);
}

// Keyspaces that cannot be read stay as they are known.
static void begin_keyspaces(struct mp_topology *topology)
{
	struct mp_table *table = &topology->keyspaces;
	int rc =
		table->rc != 0 ? table->rc : mp_keyspace_reader_begin(&topology->keyspace_reader, &table->result);
	if (rc != 0 && table->rc == 0)
		mp_table_fail(table, rc, mp_str_of(mp_err_text(rc)));
	if (rc == 0)
		mp_keyspaces_begin(topology->cluster->keyspaces);
	else
		complain(topology, table->why, "requests go without token awareness");
}

static bool read_keyspaces(struct mp_topology *topology, int64_t *work)
{
	struct mp_keyspaces *keyspaces = topology->cluster->keyspaces;
	struct mp_table *table = &topology->keyspaces;
	struct mp_keyspace_row row;
	int rc = table->rc != 0 ? MP_EEOF : 0;
	while (rc == 0 && *work > 0) {
		rc = mp_keyspace_reader_next(&topology->keyspace_reader, &row);
		if (rc == 0)
			mp_keyspaces_row(keyspaces, &row);
		*work -= 20 + (int64_t)row.option_count * 10;
	}
	if (rc == 0)
		return false;
	if (rc == MP_EEOF && table->rc == 0 && !table->is_cut)
		mp_keyspaces_end(keyspaces);
	else if (rc != MP_EEOF && !table->is_cut)
		complain(topology, "system_schema.keyspaces could not be read to its end",
		         "requests may go without token awareness");
	return true;
}

// ---- steps ------------------------------------------------------------------------------------------------

static void finish(struct mp_topology *topology)
{
	struct mp_cluster *cluster = topology->cluster;
	int rc = topology->rc;
	if (rc == 0) {
		topology->failures = 0;
	} else {
		topology->failures++;
		topology->wants_nodes |= topology->reads_nodes;
		topology->wants_keyspaces |= topology->reads_keyspaces;
		mp_log_write(cluster->log, MP_LOG_WARN, "%s", topology->why);
	}
	bool lacks_peers = rc != 0 && topology->local.rc == 0 && topology->peers.rc == rc;
	topology->rc = 0;
	mp_topology_end(topology);
	bool was_first = topology->first;
	mp_timer_stop(&topology->patience);
	if (was_first && rc == 0) {
		topology->first = false;
		// What happened between REGISTER and the read is in neither.
		mp_topology_want(topology, cluster->config->auto_discovery, true, MP_TOPOLOGY_AGAIN_MS);
	} else if (!was_first && (topology->wants_nodes || topology->wants_keyspaces)) {
		mp_topology_start_next(topology, mp_topology_gather_ms(topology));
	}
	if (was_first)
		mp_control_read_done(cluster->control, rc, topology->why, lacks_peers);
	else if (topology->failures >= MP_TOPOLOGY_FAILURES)
		mp_control_move(cluster->control, topology->why);
	if (rc == 0)
		cluster->events->on_read(cluster->owner);
}

// The next part that there is; IDLE: the refresh is over.
static void enter(struct mp_topology *topology, enum mp_topology_state state)
{
	if (topology->rc != 0 || (state == MP_TOPOLOGY_KEYSPACES && !topology->reads_keyspaces))
		state = MP_TOPOLOGY_IDLE;
	topology->state = state;
	switch (state) {
	case MP_TOPOLOGY_LOCAL: begin_rows(topology, &topology->local, &topology->said); break;
	case MP_TOPOLOGY_PEERS: begin_rows(topology, &topology->peers, NULL); break;
	case MP_TOPOLOGY_MEMBERS: begin_members(topology); break;
	case MP_TOPOLOGY_KEYSPACES: begin_keyspaces(topology); break;
	case MP_TOPOLOGY_ASKING:
	case MP_TOPOLOGY_IDLE: finish(topology); break;
	}
}

static void go_on(struct mp_topology *topology, int64_t *work)
{
	uint32_t refresh = topology->refreshes;
	switch (topology->state) {
	case MP_TOPOLOGY_ASKING:
		enter(topology, topology->reads_nodes ? MP_TOPOLOGY_LOCAL : MP_TOPOLOGY_KEYSPACES);
		break;
	case MP_TOPOLOGY_LOCAL:
		if (!read_rows(topology, &topology->local, work))
			break;
		end_local(topology);
		enter(topology, MP_TOPOLOGY_PEERS);
		break;
	case MP_TOPOLOGY_PEERS:
		if (!read_rows(topology, &topology->peers, work))
			break;
		end_peers(topology);
		enter(topology, MP_TOPOLOGY_MEMBERS);
		break;
	case MP_TOPOLOGY_MEMBERS:
		if (mp_membership_step(&topology->members, work) == MP_EAGAIN || topology->refreshes != refresh)
			break;
		if (topology->members.doubtful)
			mp_topology_want(topology, true, false, MP_TOPOLOGY_GATHER_MS * 2);
		// Keyspaces that have replicas in a datacentre that nobody knew are read again.
		if (topology->cluster->view->dc_count != topology->dc_count && !topology->reads_keyspaces)
			mp_topology_want(topology, false, true, 0);
		topology->dc_count = topology->cluster->view->dc_count;
		enter(topology, MP_TOPOLOGY_KEYSPACES);
		break;
	case MP_TOPOLOGY_KEYSPACES:
		if (read_keyspaces(topology, work))
			enter(topology, MP_TOPOLOGY_IDLE);
		break;
	case MP_TOPOLOGY_IDLE: break;
	}
}

static void step(struct mp_topology *topology)
{
	int64_t work = MP_TOPOLOGY_WORK;
	uint32_t refresh = topology->refreshes;
	topology->steps++;
	while (topology->state != MP_TOPOLOGY_IDLE && topology->refreshes == refresh && work > 0)
		go_on(topology, &work);
	if (topology->state != MP_TOPOLOGY_IDLE && topology->refreshes == refresh)
		mp_topology_start_timer(topology, &topology->step, 0);
}

static void on_step(void *data)
{
	step(data);
}

static void on_patience(void *data)
{
	struct mp_topology *topology = data;
	fail(topology, MP_ETIMEOUT, "the system tables could not be read in time");
	finish(topology);
}
