// SPDX-License-Identifier: Apache-2.0
// The table of hosts: who is a member, where it is reached, which slot it has. What pools report is in host.c.
//
// Invariants: slots[i] is set exactly while slot i is in use; `live` holds every host that is not REMOVED, once.
#include "cluster/hosts.h"

#include <string.h>

#include "base/mem.h"
#include "cluster/cluster.h"
#include "cluster/host_internal.h"
#include "cluster/keyspaces.h"
#include "cluster/names.h"

#define LONELY_ANSWERS_MAX 3 // then the node that names no other is believed
#define COMPLAIN_EVERY_MS  10000u

int mp_hosts_init(struct mp_hosts *hosts, struct mp_cluster *cluster)
{
	*hosts = (struct mp_hosts){.cluster = cluster};
	hosts->slots = mp_calloc(MP_HOSTS_MAX, sizeof(struct mp_host *));
	return hosts->slots == NULL ? MP_ENOMEM : 0;
}

void mp_hosts_deinit(struct mp_hosts *hosts)
{
	mp_assert(mp_hosts_are_gone(hosts));
	mp_free(hosts->slots);
	mp_free(hosts->live);
}

struct mp_host *mp_hosts_by_id(const struct mp_hosts *hosts, const struct mp_uuid *host_id)
{
	for (uint32_t i = 0; i < hosts->live_count; i++)
		if (mp_uuid_eq(&hosts->live[i]->host_id, host_id))
			return hosts->live[i];
	return NULL;
}

struct mp_host *mp_hosts_by_addr(const struct mp_hosts *hosts, const struct mp_addr *addr)
{
	for (uint32_t i = 0; i < hosts->live_count; i++)
		if (mp_addr_eq(&hosts->live[i]->addr, addr))
			return hosts->live[i];
	return NULL;
}

static void tell(struct mp_hosts *hosts, enum mp_host_news news, struct mp_host *host)
{
	hosts->cluster->events->on_host(hosts->cluster->owner, news, host, NULL);
}

// ---- coming -----------------------------------------------------------------------------------------------

static bool reserve_live(struct mp_hosts *hosts)
{
	if (hosts->live_count < hosts->live_capacity)
		return true;
	uint32_t capacity = hosts->live_capacity == 0 ? 16 : hosts->live_capacity * 2;
	struct mp_host **live = mp_realloc(hosts->live, capacity * sizeof(struct mp_host *));
	if (live == NULL)
		return false;
	hosts->live = live;
	hosts->live_capacity = capacity;
	return true;
}

static uint16_t free_slot(const struct mp_hosts *hosts)
{
	for (uint16_t i = 0; i < MP_HOSTS_MAX; i++)
		if (hosts->slots[i] == NULL)
			return i;
	return MP_NO_HOST;
}

static struct mp_host *add_host(struct mp_hosts *hosts, const struct mp_node_row *row)
{
	uint16_t index = free_slot(hosts);
	struct mp_host *host = NULL;
	if (index != MP_NO_HOST && reserve_live(hosts))
		host = mp_host_new(hosts->cluster, index, row);
	if (host == NULL) {
		mp_log_write(hosts->cluster->log, MP_LOG_WARN, "a node was left out: no memory or no slot for it");
		return NULL;
	}
	hosts->slots[index] = host;
	hosts->live[hosts->live_count++] = host;
	mp_log_write(hosts->cluster->log, MP_LOG_INFO, "%s (%s, %s) is a node of the cluster", host->addr_text,
	             host->dc, host->rack);
	tell(hosts, MP_NEWS_ADDED, host);
	if (hosts->opened)
		mp_host_open(host);
	return host;
}

// ---- going ------------------------------------------------------------------------------------------------

// `live_index` is where it stands among the living.
static void remove_host(struct mp_hosts *hosts, uint32_t live_index, bool drain)
{
	struct mp_host *host = hosts->live[live_index];
	for (uint32_t i = live_index; i + 1 < hosts->live_count; i++)
		hosts->live[i] = hosts->live[i + 1];
	hosts->live_count--;
	hosts->removed_count++;
	mp_host_set_state(host, MP_HOST_REMOVED, NULL);
	mp_pool_close(&host->pool, drain);
}

static void remove_unseen(struct mp_hosts *hosts, bool lonely)
{
	for (uint32_t i = hosts->live_count; i-- > 0;) {
		struct mp_host *host = hosts->live[i];
		if (host->seen || (lonely && host->state == MP_HOST_UP))
			continue;
		mp_log_write(hosts->cluster->log, MP_LOG_INFO, "%s left the cluster", host->addr_text);
		remove_host(hosts, i, true);
		tell(hosts, MP_NEWS_REMOVED, host);
	}
}

void mp_hosts_close(struct mp_hosts *hosts, bool drain)
{
	hosts->opened = false;
	while (hosts->live_count > 0)
		remove_host(hosts, hosts->live_count - 1, drain);
	for (uint32_t i = 0; !drain && i < hosts->cluster->view->host_count; i++)
		if (hosts->slots[i] != NULL)
			mp_pool_close(&hosts->slots[i]->pool, false);
}

void mp_hosts_sweep(struct mp_hosts *hosts)
{
	for (uint32_t i = 0; hosts->removed_count > 0 && i < hosts->cluster->view->host_count; i++) {
		struct mp_host *host = hosts->slots[i];
		if (host == NULL || host->state != MP_HOST_REMOVED || !host->empty || host->pins > 0)
			continue;
		hosts->gone_errors += host->pool.failed_total + host->pool.lost_total;
		hosts->slots[i] = NULL;
		hosts->removed_count--;
		mp_host_free(host);
	}
}

bool mp_hosts_are_gone(const struct mp_hosts *hosts)
{
	return hosts->live_count == 0 && hosts->removed_count == 0;
}

// ---- what the cluster says --------------------------------------------------------------------------------

static void complain(struct mp_hosts *hosts, const struct mp_node_row *row)
{
	uint64_t held;
	if (!mp_log_gate_open(&hosts->odd_rows, mp_loop_now_ms(hosts->cluster->loop), COMPLAIN_EVERY_MS, &held))
		return;
	char addr[MP_ADDR_TEXT];
	mp_addr_format_ip(row->peer.ip_len != 0 ? &row->peer : &row->addr, addr);
	mp_log_write(hosts->cluster->log, MP_LOG_WARN,
	             "a row of system.peers (%s) lacks what a node needs and was skipped (%llu more like it)",
	             addr, (unsigned long long)held);
}

// A row with gaps keeps a host that is known, and makes none.
static void skip_row(struct mp_hosts *hosts, const struct mp_node_row *row)
{
	struct mp_host *host = mp_hosts_by_id(hosts, &row->host_id);
	if (host == NULL && row->addr.ip_len != 0)
		host = mp_hosts_by_addr(hosts, &row->addr);
	if (host != NULL)
		host->seen = true;
	complain(hosts, row);
}

static void apply_row(struct mp_hosts *hosts, const struct mp_node_row *row)
{
	if (!row->complete) {
		skip_row(hosts, row);
		return;
	}
	struct mp_host *host = mp_hosts_by_id(hosts, &row->host_id);
	if (host == NULL && hosts->opened && !hosts->cluster->config->auto_discovery)
		return; // whom it knew when it connected, it knows
	if (host == NULL) {
		host = add_host(hosts, row);
	} else if (!host->seen) {
		mp_host_update(host, row);
	} else if (!row->is_local && host->state != MP_HOST_UP && !mp_addr_eq(&host->addr, &row->addr)) {
		// Two rows for one node, as after a change of its address: the one that does not work is the old one.
		mp_host_update(host, row);
	}
	if (host != NULL)
		host->seen = true;
}

static uint64_t print_of(const struct mp_node_row *row, uint16_t slot)
{
	uint64_t print = mp_names_hash(slot, &row->host_id, sizeof(row->host_id));
	print = mp_names_hash(print, row->dc, strlen(row->dc));
	print = mp_names_hash(print, row->rack, strlen(row->rack));
	return mp_names_hash(print, row->tokens, row->token_count * sizeof(row->tokens[0]));
}

// The tokens of all hosts, whether they are up or not: replicas are where the cluster put them.
static void apply_tokens(struct mp_hosts *hosts, const struct mp_node_rows *nodes)
{
	size_t total = 0;
	for (size_t i = 0; i < nodes->count; i++)
		total += nodes->rows[i].token_count;
	struct mp_ring_token *tokens = mp_alloc((total + 1) * sizeof(*tokens));
	if (tokens == NULL)
		return;
	size_t count = 0;
	uint64_t print = 0;
	for (size_t i = 0; i < nodes->count && hosts->cluster->is_murmur; i++) {
		const struct mp_node_row *row = &nodes->rows[i];
		const struct mp_host *host = row->complete ? mp_hosts_by_id(hosts, &row->host_id) : NULL;
		if (host == NULL)
			continue;
		print += print_of(row, host->index); // the order of rows means nothing
		for (uint32_t t = 0; t < row->token_count; t++)
			tokens[count++] = (struct mp_ring_token){row->tokens[t], host->index};
	}
	mp_keyspaces_set_ring(hosts->cluster->keyspaces, tokens, count, print);
	mp_free(tokens);
}

static size_t count_complete(const struct mp_node_rows *nodes)
{
	size_t count = 0;
	for (size_t i = 0; i < nodes->count; i++)
		count += nodes->rows[i].complete ? 1 : 0;
	return count;
}

bool mp_hosts_apply(struct mp_hosts *hosts, const struct mp_node_rows *nodes)
{
	bool lonely = count_complete(nodes) <= 1 && hosts->live_count > 1;
	hosts->lonely_answers = lonely ? hosts->lonely_answers + 1 : 0;
	bool keep = lonely && hosts->lonely_answers < LONELY_ANSWERS_MAX;
	for (uint32_t i = 0; i < hosts->live_count; i++)
		hosts->live[i]->seen = false;
	for (size_t i = 0; i < nodes->count; i++)
		apply_row(hosts, &nodes->rows[i]);
	if (keep) {
		mp_log_write(hosts->cluster->log, MP_LOG_WARN, "a node names no other: the known hosts stay");
		return true;
	}
	remove_unseen(hosts, lonely);
	apply_tokens(hosts, nodes);
	hosts->cluster->events->on_view(hosts->cluster->owner);
	return lonely && hosts->live_count > 1;
}

// ---- all of them ------------------------------------------------------------------------------------------

void mp_hosts_open(struct mp_hosts *hosts)
{
	hosts->opened = true;
	for (uint32_t i = 0; i < hosts->live_count; i++)
		mp_host_open(hosts->live[i]);
}

uint32_t mp_hosts_in_use(const struct mp_hosts *hosts)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < hosts->live_count; i++)
		count += hosts->live[i]->distance != MP_DISTANCE_IGNORED ? 1 : 0;
	return count;
}

bool mp_hosts_are_tried(const struct mp_hosts *hosts)
{
	for (uint32_t i = 0; i < hosts->live_count; i++) {
		const struct mp_host *host = hosts->live[i];
		const struct mp_pool *pool = &host->pool;
		if (host->distance == MP_DISTANCE_IGNORED || pool->ready_count >= pool->limits.core)
			continue;
		if (pool->opening_count > 0 || pool->failed_total == 0)
			return false;
	}
	return true;
}

void mp_hosts_tick(struct mp_hosts *hosts)
{
	for (uint32_t i = 0; i < hosts->live_count; i++)
		mp_host_tick(hosts->live[i]);
}
