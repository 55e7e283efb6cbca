// SPDX-License-Identifier: Apache-2.0
// The table of hosts: who is a member, where it is reached, which slot it has. What pools report is in host.c.
//
// Invariants: slots[i] is set exactly while slot i is in use; `live` holds every host that is not REMOVED, once.
#include "cluster/topology/hosts.h"

#include <string.h>

#include "base/mem.h"
#include "cluster/topology/cluster.h"
#include "cluster/topology/host_internal.h"
#include "cluster/topology/remotes.h"

#define COMPLAIN_EVERY_MS 10000u

int mp_hosts_init(struct mp_hosts *hosts, struct mp_cluster *cluster)
{
	*hosts = (struct mp_hosts){.cluster = cluster};
	mp_pace_init(&hosts->pace, cluster->loop, mp_host_take_turn);
	hosts->slots = mp_calloc(MP_HOSTS_MAX, sizeof(struct mp_host *));
	if (hosts->slots == NULL || mp_index_init(&hosts->by_id, MP_HOSTS_MAX) != 0 ||
	    mp_index_init(&hosts->by_addr, MP_HOSTS_MAX * MP_ENDPOINTS_NAMED) != 0)
		return MP_ENOMEM;
	return 0;
}

void mp_hosts_deinit(struct mp_hosts *hosts)
{
	mp_assert(mp_hosts_are_gone(hosts));
	mp_choices_deinit(&hosts->choices);
	mp_index_deinit(&hosts->by_id);
	mp_index_deinit(&hosts->by_addr);
	mp_free(hosts->slots);
	mp_free(hosts->live);
}

// ---- finding ----------------------------------------------------------------------------------------------

static uint64_t hash_id(const struct mp_hosts *hosts, const struct mp_uuid *host_id)
{
	return mp_index_hash(hosts->by_id.seed, host_id->bytes, sizeof(host_id->bytes));
}

static uint64_t hash_addr(const struct mp_hosts *hosts, const struct mp_addr *addr)
{
	return mp_index_hash(hosts->by_addr.seed ^ addr->port, addr->ip, addr->ip_len);
}

struct mp_host *mp_hosts_by_id(struct mp_hosts *hosts, const struct mp_uuid *host_id)
{
	uint32_t slot = mp_index_first(&hosts->by_id, hash_id(hosts, host_id));
	while (slot != MP_INDEX_END && !mp_uuid_eq(&hosts->slots[slot]->host_id, host_id))
		slot = mp_index_next(&hosts->by_id, slot);
	return slot == MP_INDEX_END ? NULL : hosts->slots[slot];
}

// The entries of `by_addr` are slots and places among the addresses that name the host there.
uint32_t mp_hosts_at(struct mp_hosts *hosts, const struct mp_addr *addr,
                     void (*fn)(void *data, struct mp_host *host), void *data)
{
	uint32_t count = 0;
	uint32_t entry = mp_index_first(&hosts->by_addr, hash_addr(hosts, addr));
	for (; entry != MP_INDEX_END; entry = mp_index_next(&hosts->by_addr, entry)) {
		struct mp_host *host = hosts->slots[entry / MP_ENDPOINTS_NAMED];
		if (!mp_addr_eq(&host->endpoints.all[entry % MP_ENDPOINTS_NAMED].named, addr))
			continue;
		fn(data, host);
		count++;
	}
	return count;
}

void mp_hosts_note_addrs(struct mp_hosts *hosts, struct mp_host *host)
{
	for (uint8_t i = 0; i < host->endpoints.named_count; i++)
		mp_index_add(&hosts->by_addr, hash_addr(hosts, &host->endpoints.all[i].named),
		             (uint32_t)host->index * MP_ENDPOINTS_NAMED + i);
}

void mp_hosts_forget_addrs(struct mp_hosts *hosts, struct mp_host *host)
{
	for (uint8_t i = 0; i < host->endpoints.named_count; i++)
		mp_index_remove(&hosts->by_addr, hash_addr(hosts, &host->endpoints.all[i].named),
		                (uint32_t)host->index * MP_ENDPOINTS_NAMED + i);
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

static uint16_t free_slot(struct mp_hosts *hosts)
{
	while (hosts->lowest_free < MP_HOSTS_MAX && hosts->slots[hosts->lowest_free] != NULL)
		hosts->lowest_free++;
	return hosts->lowest_free < MP_HOSTS_MAX ? hosts->lowest_free : MP_NO_HOST;
}

static void complain(struct mp_hosts *hosts)
{
	uint64_t held;
	uint64_t now_ms = mp_loop_now_ms(hosts->cluster->loop);
	if (mp_log_gate_open(&hosts->refusals, now_ms, COMPLAIN_EVERY_MS, &held))
		mp_log_write(hosts->cluster->log, MP_LOG_WARN,
		             "a node was left out: no memory or no slot for it (%llu more like it)",
		             (unsigned long long)held);
}

struct mp_host *mp_hosts_add(struct mp_hosts *hosts, const struct mp_node_row *row)
{
	uint16_t index = free_slot(hosts);
	struct mp_host *host = NULL;
	if (index != MP_NO_HOST && reserve_live(hosts))
		host = mp_host_new(hosts->cluster, index, row);
	if (host == NULL) {
		complain(hosts);
		return NULL;
	}
	hosts->slots[index] = host;
	hosts->live[hosts->live_count++] = host;
	mp_index_add(&hosts->by_id, hash_id(hosts, &host->host_id), index);
	mp_hosts_note_addrs(hosts, host);
	mp_log_write(hosts->cluster->log, MP_LOG_INFO, "%s (%s, %s) is a node of the cluster", host->addr_text,
	             host->dc, host->rack);
	tell(hosts, MP_NEWS_ADDED, host);
	mp_remotes_changed(hosts);
	if (hosts->opened)
		mp_host_open(host);
	return host;
}

// ---- going ------------------------------------------------------------------------------------------------

// It stays in `live` until the caller has taken it out.
static void remove_host(struct mp_hosts *hosts, struct mp_host *host, bool drain)
{
	mp_index_remove(&hosts->by_id, hash_id(hosts, &host->host_id), host->index);
	mp_hosts_forget_addrs(hosts, host);
	mp_timer_stop(&host->patience);
	mp_timer_stop(&host->recovery);
	hosts->removed_count++;
	mp_host_set_state(host, MP_HOST_REMOVED, NULL);
	mp_pool_close(&host->pool, drain);
}

bool mp_hosts_remove_where(struct mp_hosts *hosts, bool (*leaves)(void *data, const struct mp_host *host),
                           void *data, uint32_t most)
{
	uint32_t kept = 0;
	uint32_t removed = 0;
	for (uint32_t i = 0; i < hosts->live_count; i++) {
		struct mp_host *host = hosts->live[i];
		if (removed == most || !leaves(data, host)) {
			hosts->live[kept++] = host;
			continue;
		}
		removed++;
		mp_log_write(hosts->cluster->log, MP_LOG_INFO, "%s left the cluster", host->addr_text);
		remove_host(hosts, host, true);
		tell(hosts, MP_NEWS_REMOVED, host);
	}
	hosts->live_count = kept;
	if (removed > 0)
		mp_remotes_changed(hosts);
	return removed < most;
}

void mp_hosts_close(struct mp_hosts *hosts, bool drain)
{
	hosts->opened = false;
	while (hosts->live_count > 0) {
		struct mp_host *host = hosts->live[--hosts->live_count];
		remove_host(hosts, host, drain);
	}
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
		hosts->gone_opened += host->pool.opened_total;
		hosts->slots[i] = NULL;
		hosts->lowest_free = i < hosts->lowest_free ? (uint16_t)i : hosts->lowest_free;
		hosts->removed_count--;
		mp_host_free(host);
	}
}

bool mp_hosts_are_gone(const struct mp_hosts *hosts)
{
	return hosts->live_count == 0 && hosts->removed_count == 0;
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

static bool is_tried(const struct mp_host *host)
{
	const struct mp_pool *pool = &host->pool;
	if (host->distance == MP_DISTANCE_IGNORED || pool->ready_count >= pool->limits.core)
		return true;
	bool turns = host->state == MP_HOST_NEW && host->endpoints.count > 1 && !pool->backing_off;
	return pool->opening_count == 0 && pool->failed_total > 0 && !turns;
}

bool mp_hosts_are_tried(const struct mp_hosts *hosts)
{
	for (uint32_t i = 0; i < hosts->live_count; i++)
		if (!is_tried(hosts->live[i]))
			return false;
	return true;
}

bool mp_hosts_rest_is_silent(const struct mp_hosts *hosts)
{
	for (uint32_t i = 0; i < hosts->live_count; i++) {
		const struct mp_host *host = hosts->live[i];
		bool is_silent = host->state != MP_HOST_UP && host->pool.opening_count > 0;
		if (!is_tried(host) && !is_silent)
			return false;
	}
	return true;
}

bool mp_hosts_any_up(const struct mp_hosts *hosts, enum mp_distance farthest)
{
	for (uint32_t i = 0; i < hosts->live_count; i++)
		if (hosts->live[i]->state == MP_HOST_UP && hosts->live[i]->distance <= farthest)
			return true;
	return false;
}

void mp_hosts_tick(struct mp_hosts *hosts)
{
	for (uint32_t i = 0; i < hosts->live_count; i++)
		mp_host_tick(hosts->live[i]);
}
