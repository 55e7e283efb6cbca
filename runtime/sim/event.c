// SPDX-License-Identifier: Apache-2.0
// News pushed to the connections that asked for it. Of a node's state the others tell, not the node itself.
#include "sim/world.h"

#include "base/buf.h"

static void push(struct mp_sim_node *from, enum mp_event_kind kind,
                 void (*encode)(struct mp_buf *buf, uint8_t version, const void *data), const void *data)
{
	if (!mp_sim_node_answers(from))
		return;
	struct mp_list_node *at = mp_list_first(&from->conns);
	for (; at != NULL; at = mp_list_next(&from->conns, at)) {
		struct mp_sim_link *conn = MP_CONTAINER_OF(at, struct mp_sim_link, node);
		if (!(conn->registered & 1u << kind) || !conn->ready)
			continue;
		struct mp_buf event;
		mp_buf_init(&event);
		encode(&event, conn->version, data);
		if (!event.failed)
			mp_sim_link_send(conn, event.data, event.len);
		mp_buf_deinit(&event);
	}
}

struct addr_event {
	const char *type;
	const char *change;
	struct mp_addr addr;
};

static void encode_addr(struct mp_buf *buf, uint8_t version, const void *data)
{
	const struct addr_event *event = data;
	mp_encode_event_addr(buf, version, event->type, event->change, &event->addr);
}

static void push_others(struct mp_sim_node *about, enum mp_event_kind kind, const char *type,
                        const char *change)
{
	struct addr_event event = {type, change, *mp_sim_node_shown(about)};
	struct mp_sim_cluster *cluster = about->cluster;
	for (size_t i = 0; i < cluster->node_count; i++) {
		if (cluster->nodes[i] != about)
			push(cluster->nodes[i], kind, encode_addr, &event);
	}
}

void mp_sim_event_status(struct mp_sim_node *about, const char *change)
{
	push_others(about, MP_EVENT_STATUS, "STATUS_CHANGE", change);
}

void mp_sim_event_topology(struct mp_sim_node *about, const char *change)
{
	push_others(about, MP_EVENT_TOPOLOGY, "TOPOLOGY_CHANGE", change);
}

static void encode_schema(struct mp_buf *buf, uint8_t version, const void *data)
{
	const struct mp_sim_change *change = data;
	mp_encode_event_schema(buf, version, change->change, change->target, change->keyspace, change->name);
}

void mp_sim_event_schema(struct mp_sim_cluster *cluster, const struct mp_sim_change *change)
{
	for (size_t i = 0; i < cluster->node_count; i++)
		push(cluster->nodes[i], MP_EVENT_SCHEMA, encode_schema, change);
}

void mp_sim_event_fake(struct mp_sim_node *from, const char *type, const char *change,
                       const struct mp_addr *addr)
{
	struct addr_event event = {type, change, *addr};
	bool status = mp_str_is(mp_str_of(type), "STATUS_CHANGE");
	push(from, status ? MP_EVENT_STATUS : MP_EVENT_TOPOLOGY, encode_addr, &event);
}
