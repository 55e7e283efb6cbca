// SPDX-License-Identifier: Apache-2.0
// Invariant: answers of one refresh are gathered in the arena while `pending` > 0 and applied together, so the hosts
// never see half of a topology.
#include "cluster/topology.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/cluster.h"
#include "cluster/control.h"
#include "cluster/hosts.h"
#include "cluster/keyspaces.h"

#define LOCAL_CQL     "SELECT * FROM system.local WHERE key='local'"
#define PEERS_V2_CQL  "SELECT * FROM system.peers_v2"
#define PEERS_CQL     "SELECT * FROM system.peers"
#define KEYSPACES_CQL "SELECT * FROM system_schema.keyspaces"

static void on_local(void *data, int rc, const struct mp_envelope *answer);
static void on_peers(void *data, int rc, const struct mp_envelope *answer);
static void on_keyspaces(void *data, int rc, const struct mp_envelope *answer);
static void on_next(void *data);
static void on_periodic(void *data);

void mp_topology_init(struct mp_topology *topology, struct mp_cluster *cluster)
{
	struct mp_loop *loop = cluster->loop;
	*topology = (struct mp_topology){.cluster = cluster};
	mp_arena_init(&topology->arena);
	mp_query_init(&topology->local, loop, on_local, topology);
	mp_query_init(&topology->peers, loop, on_peers, topology);
	mp_query_init(&topology->keyspaces, loop, on_keyspaces, topology);
	mp_timer_init(&topology->next, loop, on_next, topology);
	mp_timer_init(&topology->periodic, loop, on_periodic, topology);
}

static void end_refresh(struct mp_topology *topology)
{
	mp_query_cancel(&topology->local);
	mp_query_cancel(&topology->peers);
	mp_query_cancel(&topology->keyspaces);
	mp_arena_deinit(&topology->arena);
	mp_arena_init(&topology->arena);
	topology->nodes = (struct mp_node_rows){.rows = NULL};
	topology->said = (struct mp_cluster_row){.cluster_name = NULL};
	topology->pending = 0;
}

void mp_topology_stop(struct mp_topology *topology)
{
	if (topology->conn == NULL)
		return;
	end_refresh(topology);
	mp_timer_stop(&topology->next);
	mp_timer_stop(&topology->periodic);
	topology->conn = NULL;
}

// ---- when -------------------------------------------------------------------------------------------------

static void start_timer(struct mp_topology *topology, struct mp_timer *timer, uint64_t delay_ms)
{
	if (mp_timer_start_ms(timer, delay_ms) != 0)
		mp_log_write(topology->cluster->log, MP_LOG_ERROR, "out of memory for a timer of the topology");
}

static void start_next(struct mp_topology *topology, uint64_t delay_ms)
{
	uint64_t due_ns = mp_loop_now_ns(topology->cluster->loop) + delay_ms * 1000000;
	if (!mp_timer_active(&topology->next) || topology->next.deadline_ns > due_ns)
		start_timer(topology, &topology->next, delay_ms);
}

void mp_topology_want(struct mp_topology *topology, bool nodes, bool keyspaces, uint64_t delay_ms)
{
	topology->wants_nodes |= nodes;
	topology->wants_keyspaces |= keyspaces;
	// A refresh that is under way looks at the wishes when it ends.
	if (topology->conn != NULL && topology->pending == 0)
		start_next(topology, delay_ms);
}

// A storm of events costs one refresh a second, however long it lasts.
static uint64_t gather_ms(const struct mp_topology *topology)
{
	uint64_t since_ms = mp_loop_now_ms(topology->cluster->loop) - topology->began_ms;
	if (topology->events < MP_TOPOLOGY_GATHER)
		return MP_TOPOLOGY_GATHER_MS;
	return since_ms >= MP_TOPOLOGY_GATHER_MS ? 0 : MP_TOPOLOGY_GATHER_MS - since_ms;
}

static void on_periodic(void *data)
{
	struct mp_topology *topology = data;
	mp_topology_want(topology, true, true, 0);
	start_timer(topology, &topology->periodic, topology->cluster->config->discovery_interval_ms);
}

void mp_topology_set_interval(struct mp_topology *topology)
{
	const struct mp_session_config *config = topology->cluster->config;
	mp_timer_stop(&topology->periodic);
	if (topology->conn == NULL || !config->auto_discovery)
		return;
	mp_topology_want(topology, true, true, 0);
	if (config->discovery_interval_ms > 0)
		start_timer(topology, &topology->periodic, config->discovery_interval_ms);
}

// ---- reading ----------------------------------------------------------------------------------------------

static void fail(struct mp_topology *topology, int rc, const char *table, struct mp_str why)
{
	if (topology->rc != 0)
		return;
	topology->rc = rc;
	int len = (int)(why.len < 100 ? why.len : 100);
	snprintf(topology->why, sizeof(topology->why), "%s could not be read: %.*s", table, len, why.data);
}

static void ask(struct mp_topology *topology, struct mp_query *query, const char *cql, const char *table)
{
	query->patient = !topology->first; // connect() has a deadline of its own
	int rc = mp_query_send_cql(query, topology->conn, cql, topology->cluster->config->connect_timeout_ms);
	if (rc == 0)
		topology->pending++;
	else
		fail(topology, rc, table, mp_str_of(mp_err_text(rc)));
}

static void finish(struct mp_topology *topology);

static void begin(struct mp_topology *topology)
{
	mp_timer_stop(&topology->next);
	topology->reads_nodes = topology->wants_nodes;
	topology->reads_keyspaces = topology->wants_keyspaces;
	topology->wants_nodes = topology->wants_keyspaces = false;
	topology->events = 0;
	topology->began_ms = mp_loop_now_ms(topology->cluster->loop);
	topology->rc = 0;
	topology->has_local = false;
	if (topology->reads_nodes) {
		ask(topology, &topology->local, LOCAL_CQL, "system.local");
		ask(topology, &topology->peers, topology->old_peers ? PEERS_CQL : PEERS_V2_CQL, "system.peers");
	}
	if (topology->reads_keyspaces)
		ask(topology, &topology->keyspaces, KEYSPACES_CQL, "system_schema.keyspaces");
	if (topology->pending == 0)
		finish(topology);
}

static void on_next(void *data)
{
	begin(data);
}

void mp_topology_start(struct mp_topology *topology, struct mp_conn *conn)
{
	mp_topology_stop(topology);
	topology->conn = conn;
	topology->first = true;
	topology->old_peers = false;
	topology->failures = 0;
	topology->wants_nodes = topology->wants_keyspaces = true;
	const struct mp_session_config *config = topology->cluster->config;
	if (config->auto_discovery && config->discovery_interval_ms > 0)
		start_timer(topology, &topology->periodic, config->discovery_interval_ms);
	begin(topology);
}

static void apply(struct mp_topology *topology)
{
	struct mp_cluster *cluster = topology->cluster;
	if (topology->reads_keyspaces)
		mp_keyspaces_end(cluster->keyspaces);
	if (!topology->reads_nodes)
		return;
	const char *partitioner = topology->said.partitioner;
	cluster->is_murmur = partitioner == NULL || strstr(partitioner, "Murmur3Partitioner") != NULL;
	if (cluster->name == NULL && topology->said.cluster_name != NULL) {
		cluster->name = mp_strdup(topology->said.cluster_name);
		cluster->events->on_identified(cluster->owner);
	}
	if (cluster->local_dc == NULL)
		cluster->local_dc = mp_strdup(topology->nodes.rows[0].dc);
	if (mp_hosts_apply(cluster->hosts, &topology->nodes))
		mp_topology_want(topology, true, false, MP_TOPOLOGY_GATHER_MS * 2);
}

static void finish(struct mp_topology *topology)
{
	struct mp_cluster *cluster = topology->cluster;
	bool nodes_complete =
		topology->has_local && topology->nodes.count > 0 && topology->nodes.rows[0].complete;
	if (topology->rc == 0 && topology->reads_nodes && !nodes_complete)
		fail(topology, MP_EPROTO, "system.local", mp_str_of("it does not say who the node is"));
	int rc = topology->rc;
	if (rc == 0) {
		topology->failures = 0;
		apply(topology);
	} else {
		topology->failures++;
		topology->wants_nodes |= topology->reads_nodes;
		topology->wants_keyspaces |= topology->reads_keyspaces;
		mp_log_write(cluster->log, MP_LOG_WARN, "%s", topology->why);
	}
	topology->rc = 0;
	end_refresh(topology);
	bool was_first = topology->first;
	if (was_first && rc == 0) {
		topology->first = false;
		// What happened between REGISTER and the read is in neither.
		mp_topology_want(topology, cluster->config->auto_discovery, true, MP_TOPOLOGY_AGAIN_MS);
	} else if (!was_first && (topology->wants_nodes || topology->wants_keyspaces)) {
		start_next(topology, gather_ms(topology));
	}
	if (was_first)
		mp_control_read_done(cluster->control, rc, topology->why);
	else if (topology->failures >= MP_TOPOLOGY_FAILURES)
		mp_control_move(cluster->control, topology->why);
	if (rc == 0)
		cluster->events->on_read(cluster->owner);
}

static void answered(struct mp_topology *topology)
{
	if (--topology->pending == 0)
		finish(topology);
}

// A RESULT of rows, or the failure is noted. The caller unrefs the metadata.
static bool read_rows(struct mp_topology *topology, int rc, const struct mp_envelope *answer,
                      const char *table, struct mp_result_body *result)
{
	struct mp_response_prefix prefix;
	struct mp_error_body error;
	memset(result, 0, sizeof(*result));
	if (rc == 0)
		rc = mp_decode_prefix(answer, &prefix);
	if (rc != 0) {
		fail(topology, rc, table, mp_str_of(mp_err_text(rc)));
		return false;
	}
	if (answer->opcode == MP_OP_ERROR) {
		if (mp_decode_error(prefix.body, answer->version, &error) == 0)
			fail(topology, MP_ESERVER, table, error.message);
		else
			fail(topology, MP_EPROTO, table, mp_str_of("an unreadable error"));
		return false;
	}
	rc = mp_decode_result(prefix.body, answer->version, result);
	if (rc == 0 && result->kind == MP_RESULT_ROWS)
		return true;
	if (rc != 0)
		memset(result, 0, sizeof(*result));
	fail(topology, rc != 0 ? rc : MP_EPROTO, table, mp_str_of("the answer is not made of rows"));
	return false;
}

static void read_nodes(struct mp_topology *topology, const struct mp_result_body *result, const char *table,
                       struct mp_cluster_row *cluster)
{
	int rc =
		mp_node_rows_read(&topology->nodes, &topology->arena, result, mp_conn_addr(topology->conn), cluster);
	if (rc != 0)
		fail(topology, rc, table, mp_str_of(mp_err_text(rc)));
}

// The local row stands first, whatever order the answers come in.
static void put_local_first(struct mp_topology *topology)
{
	struct mp_node_rows *nodes = &topology->nodes;
	for (size_t i = 1; i < nodes->count; i++) {
		if (!nodes->rows[i].is_local)
			continue;
		struct mp_node_row local = nodes->rows[i];
		nodes->rows[i] = nodes->rows[0];
		nodes->rows[0] = local;
		return;
	}
}

static void on_local(void *data, int rc, const struct mp_envelope *answer)
{
	struct mp_topology *topology = data;
	struct mp_result_body result;
	if (read_rows(topology, rc, answer, "system.local", &result)) {
		size_t before = topology->nodes.count;
		read_nodes(topology, &result, "system.local", &topology->said);
		topology->has_local = topology->nodes.count == before + 1;
		put_local_first(topology);
	}
	mp_result_drop(&result);
	answered(topology);
}

// Servers before 4.0 have no system.peers_v2 and say INVALID.
static bool lacks_peers_v2(const struct mp_topology *topology, int rc, const struct mp_envelope *answer)
{
	struct mp_response_prefix prefix;
	struct mp_error_body error;
	return !topology->old_peers && rc == 0 && answer->opcode == MP_OP_ERROR &&
	       mp_decode_prefix(answer, &prefix) == 0 &&
	       mp_decode_error(prefix.body, answer->version, &error) == 0 &&
	       (error.code == MP_SE_INVALID || error.code == MP_SE_SYNTAX_ERROR ||
	        error.code == MP_SE_CONFIG_ERROR);
}

static void on_peers(void *data, int rc, const struct mp_envelope *answer)
{
	struct mp_topology *topology = data;
	struct mp_result_body result;
	if (lacks_peers_v2(topology, rc, answer)) {
		topology->old_peers = true;
		ask(topology, &topology->peers, PEERS_CQL, "system.peers");
		answered(topology);
		return;
	}
	if (read_rows(topology, rc, answer, "system.peers", &result))
		read_nodes(topology, &result, "system.peers", NULL);
	mp_result_drop(&result);
	answered(topology);
}

static void on_keyspaces(void *data, int rc, const struct mp_envelope *answer)
{
	struct mp_topology *topology = data;
	struct mp_keyspaces *keyspaces = topology->cluster->keyspaces;
	struct mp_result_body result;
	if (read_rows(topology, rc, answer, "system_schema.keyspaces", &result)) {
		mp_keyspaces_begin(keyspaces);
		rc = mp_keyspace_rows_read(&result, mp_keyspaces_row, keyspaces);
		if (rc != 0)
			fail(topology, rc, "system_schema.keyspaces", mp_str_of(mp_err_text(rc)));
	}
	mp_result_drop(&result);
	answered(topology);
}

// ---- events -----------------------------------------------------------------------------------------------

static void gather(struct mp_topology *topology, bool nodes, bool keyspaces)
{
	if (nodes && !topology->cluster->config->auto_discovery)
		return;
	topology->events++;
	mp_topology_want(topology, nodes, keyspaces, gather_ms(topology));
}

static void on_status(struct mp_topology *topology, const struct mp_event_body *event)
{
	struct mp_host *host = mp_hosts_by_addr(topology->cluster->hosts, &event->addr);
	if (mp_str_is(event->change, "UP")) {
		if (host == NULL)
			gather(topology, true, false);
		else
			mp_hosts_hint_up(host);
	} else if (host != NULL) {
		mp_hosts_hint_down(host);
	}
}

static void on_schema(struct mp_topology *topology, const struct mp_event_body *event)
{
	bool is_keyspace = mp_str_is(event->target, "KEYSPACE");
	bool is_table = mp_str_is(event->target, "TABLE");
	const struct mp_cluster *cluster = topology->cluster;
	struct mp_str table = is_table ? event->name : (struct mp_str){"", 0};
	cluster->events->on_schema(cluster->owner, event->keyspace, table, event->change);
	if (is_keyspace)
		gather(topology, false, true);
}

void mp_topology_on_event(struct mp_topology *topology, const struct mp_envelope *envelope)
{
	struct mp_response_prefix prefix;
	struct mp_event_body event;
	if (mp_decode_prefix(envelope, &prefix) != 0 ||
	    mp_decode_event(prefix.body, envelope->version, &event) != 0) {
		mp_log_write(topology->cluster->log, MP_LOG_WARN, "an unreadable event was ignored");
		return;
	}
	switch (event.kind) {
	case MP_EVENT_TOPOLOGY: gather(topology, true, false); break;
	case MP_EVENT_STATUS: on_status(topology, &event); break;
	case MP_EVENT_SCHEMA: on_schema(topology, &event); break;
	case MP_EVENT_UNKNOWN: break;
	}
}
