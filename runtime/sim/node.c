// SPDX-License-Identifier: Apache-2.0
// The life of one node.
//
//   running --kill--> gone --start--> running        storage stays, connections and prepared statements go
//   running --pause-> paused --resume--> running     sockets stay, nothing is read or sent, writes wait in the inbox
//   running --drain-> not serving --start--> running
//
// What the others believe follows later, by a timer.
#include "sim/coord.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

static void on_belief(void *data)
{
	struct mp_sim_node *node = data;
	if (node->believed_up == node->belief_next)
		return;
	node->believed_up = node->belief_next;
	mp_sim_event_status(node, node->believed_up ? "UP" : "DOWN");
	if (!node->believed_up)
		return;
	mp_sim_deliver_hints(node);
	mp_sim_wait_retry_all(node->cluster);
}

void mp_sim_node_believe(struct mp_sim_node *node, bool up, uint32_t delay_ms)
{
	node->belief_next = up;
	mp_timer_stop(&node->belief);
	if (node->believed_up == up)
		return;
	if (delay_ms == 0 || mp_timer_start_ms(&node->belief, delay_ms) < 0)
		on_belief(node);
}

static void on_accept(void *data, struct mp_sock *sock)
{
	mp_sim_link_accept(data, sock);
}

struct mp_sim_node *mp_sim_node_new(struct mp_sim_cluster *cluster, uint16_t index)
{
	struct mp_sim_node *node = mp_calloc(1, sizeof(*node));
	if (node == NULL)
		return NULL;
	node->cluster = cluster;
	node->index = index;
	node->max_version = cluster->options.max_version;
	mp_uuid_v4(&cluster->rand, &node->host_id);
	mp_list_init(&node->conns);
	mp_list_init(&node->inbox);
	mp_list_init(&node->hints);
	mp_list_init(&node->prepared_use);
	mp_sim_store_init(&node->store);
	mp_timer_init(&node->belief, cluster->loop, on_belief, node);
	return node;
}

void mp_sim_node_free(struct mp_sim_node *node)
{
	if (node == NULL)
		return;
	mp_sim_node_shut(node, false);
	mp_timer_stop(&node->belief);
	mp_sim_deliver_drop(node, true);
	mp_sim_prepared_clear(node);
	mp_sim_oplog_clear(node);
	mp_sim_store_deinit(&node->store);
	mp_free(node->tokens);
	mp_free(node);
}

int mp_sim_node_open(struct mp_sim_node *node)
{
	int err = 0;
	node->listener = mp_loop_listen(node->cluster->loop, &node->addr, on_accept, node, &err);
	if (node->listener == NULL)
		return err < 0 ? err : MP_ELOCAL;
	node->serving = true;
	node->running = true;
	return 0;
}

void mp_sim_node_shut(struct mp_sim_node *node, bool reset)
{
	if (node->listener != NULL)
		mp_listener_close(node->listener);
	node->listener = NULL;
	node->serving = false;
	struct mp_list_node *first;
	while ((first = mp_list_first(&node->conns)) != NULL)
		mp_sim_link_close(MP_CONTAINER_OF(first, struct mp_sim_link, node), reset);
}

// ---- what happens to it -----------------------------------------------------------------------------------

static struct mp_sim_node *node_at(struct mp_sim_cluster *cluster, uint16_t index)
{
	return index < cluster->node_count ? cluster->nodes[index] : NULL;
}

int mp_sim_node_kill(struct mp_sim_cluster *cluster, uint16_t index)
{
	struct mp_sim_node *node = node_at(cluster, index);
	if (node == NULL || !node->running)
		return MP_EINVAL;
	node->running = false;
	node->paused = false;
	mp_sim_inbox_to_hints(node);
	mp_sim_node_shut(node, true);
	mp_sim_prepared_clear(node);
	mp_sim_node_believe(node, false, cluster->options.detect_ms);
	return 0;
}

int mp_sim_node_start(struct mp_sim_cluster *cluster, uint16_t index)
{
	struct mp_sim_node *node = node_at(cluster, index);
	if (node == NULL || node->serving || !node->member)
		return MP_EINVAL;
	int rc = mp_sim_node_open(node);
	if (rc < 0)
		return rc;
	mp_sim_node_believe(node, true, cluster->options.up_ms);
	if (node->believed_up) {
		// Nobody had noticed: there is no UP to bring the hints.
		mp_sim_deliver_hints(node);
		mp_sim_wait_retry_all(cluster);
	}
	return 0;
}

int mp_sim_node_pause(struct mp_sim_cluster *cluster, uint16_t index)
{
	struct mp_sim_node *node = node_at(cluster, index);
	if (node == NULL || !node->running || node->paused)
		return MP_EINVAL;
	node->paused = true;
	struct mp_list_node *at = mp_list_first(&node->conns);
	for (; at != NULL; at = mp_list_next(&node->conns, at))
		mp_sock_read_stop(MP_CONTAINER_OF(at, struct mp_sim_link, node)->sock);
	mp_sim_node_believe(node, false, cluster->options.detect_ms);
	return 0;
}

int mp_sim_node_resume(struct mp_sim_cluster *cluster, uint16_t index)
{
	struct mp_sim_node *node = node_at(cluster, index);
	if (node == NULL || !node->paused)
		return MP_EINVAL;
	node->paused = false;
	struct mp_list_node *at = mp_list_first(&node->conns);
	for (; at != NULL; at = mp_list_next(&node->conns, at))
		mp_sim_link_resume(MP_CONTAINER_OF(at, struct mp_sim_link, node));
	mp_sim_deliver_inbox(node);
	mp_sim_node_believe(node, true, cluster->options.up_ms);
	mp_sim_wait_retry_all(cluster);
	return 0;
}

int mp_sim_node_drain(struct mp_sim_cluster *cluster, uint16_t index)
{
	struct mp_sim_node *node = node_at(cluster, index);
	if (node == NULL || !node->serving || node->paused)
		return MP_EINVAL;
	mp_sim_node_shut(node, false);
	mp_sim_node_believe(node, false, 0);
	return 0;
}

int mp_sim_set_address(struct mp_sim_cluster *cluster, uint16_t index, const struct mp_addr *addr)
{
	struct mp_sim_node *node = node_at(cluster, index);
	if (node == NULL || node->paused)
		return MP_EINVAL;
	bool serving = node->serving;
	struct mp_addr old = node->addr;
	mp_sim_node_shut(node, true);
	node->addr = *addr;
	if (node->addr.port == 0)
		node->addr.port = cluster->options.port;
	if (!serving)
		return 0;
	int rc = mp_sim_node_open(node);
	if (rc < 0) {
		node->addr = old;
		return rc;
	}
	// The others see a node at a new place come up; of the old place nothing more is heard.
	mp_sim_event_topology(node, "NEW_NODE");
	mp_sim_event_status(node, "UP");
	return 0;
}

int mp_sim_advertise(struct mp_sim_cluster *cluster, uint16_t index, const struct mp_addr *addr)
{
	struct mp_sim_node *node = node_at(cluster, index);
	if (node == NULL)
		return MP_EINVAL;
	node->shown = *addr;
	if (node->shown.port == 0)
		node->shown.port = cluster->options.port;
	return 0;
}

const struct mp_addr *mp_sim_node_shown(const struct mp_sim_node *node)
{
	return node->shown.ip_len != 0 ? &node->shown : &node->addr;
}

int mp_sim_set_max_version(struct mp_sim_cluster *cluster, uint16_t index, uint8_t version)
{
	struct mp_sim_node *node = node_at(cluster, index);
	if (node == NULL || version < MP_PROTOCOL_MIN || version > MP_PROTOCOL_MAX)
		return MP_EINVAL;
	node->max_version = version;
	return 0;
}

int mp_sim_forget_prepared(struct mp_sim_cluster *cluster, uint16_t index)
{
	struct mp_sim_node *node = node_at(cluster, index);
	if (node == NULL)
		return MP_EINVAL;
	mp_sim_prepared_clear(node);
	return 0;
}

int mp_sim_send_event(struct mp_sim_cluster *cluster, uint16_t index, const char *type, const char *change,
                      const struct mp_addr *addr)
{
	struct mp_sim_node *node = node_at(cluster, index);
	if (node == NULL)
		return MP_EINVAL;
	mp_sim_event_fake(node, type, change, addr);
	return 0;
}

int mp_sim_node_info(const struct mp_sim_cluster *cluster, uint16_t index, struct mp_sim_node_info *out)
{
	if (index >= cluster->node_count)
		return MP_EINVAL;
	const struct mp_sim_node *node = cluster->nodes[index];
	*out = (struct mp_sim_node_info){
		.addr = node->addr,
		.host_id = node->host_id,
		.dc = cluster->dc_names[node->dc],
		.rack = node->rack_name,
		.member = node->member,
		.running = node->running,
		.paused = node->paused,
		.serving = node->serving,
		.believed_up = node->believed_up,
		.connections = (uint32_t)node->conns.count,
		.connections_total = node->connections_total,
		.requests = node->requests,
		.answers = node->answers,
		.streams_reused = node->streams_reused,
		.hints = node->hints.count,
		.prepared = mp_sim_prepared_count(node),
		.bytes_in = node->bytes_in,
		.bytes_out = node->bytes_out,
		.first_token = node->token_count > 0 ? node->tokens[0] : 0,
	};
	memcpy(out->by_opcode, node->by_opcode, sizeof(out->by_opcode));
	return 0;
}
