// SPDX-License-Identifier: Apache-2.0
// When the system tables are read, and what is done with the events of the control connection. How they are read is in
// refresh.c.
#include "cluster/topology/topology.h"

#include "cluster/topology/cluster.h"
#include "cluster/topology/hosts.h"
#include "cluster/topology/topology_internal.h"

static void on_next(void *data)
{
	mp_topology_begin(data);
}

static void on_periodic(void *data);

static void on_translate(void *data)
{
	struct mp_topology *topology = data;
	int64_t work = MP_TOPOLOGY_WORK;
	bool done = mp_membership_translate(&topology->members, &work);
	if (!done && !mp_timer_active(&topology->translate))
		mp_topology_start_timer(topology, &topology->translate, 0);
}

// A translator that reloads what it stands in does so once a second.
void mp_topology_translate(struct mp_topology *topology)
{
	uint64_t now_ms = mp_loop_now_ms(topology->cluster->loop);
	uint64_t due_ms = topology->translated_ms + MP_TOPOLOGY_GATHER_MS;
	topology->cluster->translation++;
	topology->translated_ms = now_ms < due_ms && topology->translated_ms != 0 ? due_ms : now_ms;
	mp_topology_start_timer(topology, &topology->translate, topology->translated_ms - now_ms);
}

void mp_topology_init(struct mp_topology *topology, struct mp_cluster *cluster)
{
	struct mp_loop *loop = cluster->loop;
	*topology = (struct mp_topology){.cluster = cluster};
	mp_topology_init_refresh(topology);
	mp_timer_init(&topology->next, loop, on_next, topology);
	mp_timer_init(&topology->periodic, loop, on_periodic, topology);
	mp_timer_init(&topology->translate, loop, on_translate, topology);
}

void mp_topology_start(struct mp_topology *topology, struct mp_conn *conn, bool settles)
{
	mp_topology_stop(topology);
	topology->conn = conn;
	topology->settles = settles;
	topology->first = true;
	topology->old_peers = topology->has_peers_v2 = false;
	topology->failures = 0;
	topology->wants_nodes = topology->wants_keyspaces = true;
	const struct mp_session_config *config = topology->cluster->config;
	if (config->auto_discovery && config->discovery_interval_ms > 0)
		mp_topology_start_timer(topology, &topology->periodic, config->discovery_interval_ms);
	topology->due_ns =
		mp_loop_now_ns(topology->cluster->loop) + config->connect_timeout_ms * UINT64_C(1000000);
	// A table that is not answered in time says so itself.
	mp_topology_start_timer(topology, &topology->patience, config->connect_timeout_ms + UINT64_C(1));
	mp_topology_begin(topology);
}

void mp_topology_stop(struct mp_topology *topology)
{
	if (topology->conn == NULL)
		return;
	mp_topology_end(topology);
	mp_timer_stop(&topology->patience);
	mp_timer_stop(&topology->next);
	mp_timer_stop(&topology->periodic);
	topology->conn = NULL;
}

// ---- when -------------------------------------------------------------------------------------------------

void mp_topology_start_timer(struct mp_topology *topology, struct mp_timer *timer, uint64_t delay_ms)
{
	if (mp_timer_start_ms(timer, delay_ms) != 0)
		mp_log_write(topology->cluster->log, MP_LOG_ERROR, "out of memory for a timer of the topology");
}

void mp_topology_start_next(struct mp_topology *topology, uint64_t delay_ms)
{
	uint64_t due_ns = mp_loop_now_ns(topology->cluster->loop) + delay_ms * 1000000;
	if (!mp_timer_active(&topology->next) || topology->next.deadline_ns > due_ns)
		mp_topology_start_timer(topology, &topology->next, delay_ms);
}

void mp_topology_want(struct mp_topology *topology, bool nodes, bool keyspaces, uint64_t delay_ms)
{
	topology->wants_nodes |= nodes;
	topology->wants_keyspaces |= keyspaces;
	// A refresh that is under way looks at the wishes when it ends.
	if (topology->conn != NULL && topology->state == MP_TOPOLOGY_IDLE)
		mp_topology_start_next(topology, delay_ms);
}

// A storm of events costs one refresh a second, however long it lasts.
uint64_t mp_topology_gather_ms(const struct mp_topology *topology)
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
	mp_topology_start_timer(topology, &topology->periodic, topology->cluster->config->discovery_interval_ms);
}

void mp_topology_set_interval(struct mp_topology *topology)
{
	const struct mp_session_config *config = topology->cluster->config;
	mp_timer_stop(&topology->periodic);
	if (topology->conn == NULL || !config->auto_discovery)
		return;
	mp_topology_want(topology, true, true, 0);
	if (config->discovery_interval_ms > 0)
		mp_topology_start_timer(topology, &topology->periodic, config->discovery_interval_ms);
}

// ---- events -----------------------------------------------------------------------------------------------

static void gather(struct mp_topology *topology, bool nodes, bool keyspaces)
{
	if (nodes && !topology->cluster->config->auto_discovery)
		return;
	topology->events++;
	mp_topology_want(topology, nodes, keyspaces, mp_topology_gather_ms(topology));
}

static void hint_up(void *data, struct mp_host *host)
{
	(void)data;
	mp_host_hint_up(host);
}

static void hint_down(void *data, struct mp_host *host)
{
	(void)data;
	mp_host_hint_down(host);
}

static void on_status(struct mp_topology *topology, const struct mp_event_body *event)
{
	bool is_up = mp_str_is(event->change, "UP");
	uint32_t known = mp_hosts_at(topology->cluster->hosts, &event->addr, is_up ? hint_up : hint_down, NULL);
	if (is_up && known == 0)
		gather(topology, true, false);
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
