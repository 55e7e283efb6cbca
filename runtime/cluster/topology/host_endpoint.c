// SPDX-License-Identifier: Apache-2.0
// Where a host is reached: what the cluster says about it, what is found out, and the pool that follows both.
//
// Invariant: the pool's address is that of the endpoint in use; hosts are found by every address that names them.
#include <stdio.h>
#include <string.h>

#include "cluster/topology/cluster.h"
#include "cluster/topology/host_internal.h"

#define PATIENCE_MS \
	500u // with an address that may lead nowhere, in the first round; twice as much in the next

static void call_it(struct mp_host *host, const struct mp_addr *addr)
{
	host->addr = *addr;
	mp_addr_format(addr, host->addr_text);
}

static void rename_host(struct mp_host *host, const struct mp_addr *addr, const char *how)
{
	char old[MP_ADDR_TEXT];
	if (mp_addr_eq(&host->addr, addr))
		return;
	memcpy(old, host->addr_text, sizeof(old));
	call_it(host, addr);
	mp_log_write(host->cluster->log, MP_LOG_INFO, "%s %s %s", old, how, host->addr_text);
	mp_host_tell_names(host);
}

// The one in use may have been taken from the ways by whatever was heard or found out.
static void follow(struct mp_host *host)
{
	mp_pool_set_addr(&host->pool, mp_endpoints_addr(&host->endpoints));
}

// ---- what the cluster says --------------------------------------------------------------------------------

void mp_host_first_addr(struct mp_host *host, const struct mp_node_row *row)
{
	mp_host_say_addr(host, row, true);
	mp_endpoints_take_said(&host->endpoints);
	if (row->reached.ip_len != 0)
		mp_endpoints_reached(&host->endpoints, &row->reached);
	call_it(host, mp_endpoints_addr(&host->endpoints));
}

void mp_host_say_addr(struct mp_host *host, const struct mp_node_row *row, bool is_first)
{
	host->translation = row->translation;
	if (is_first)
		mp_endpoints_forget_said(&host->endpoints);
	mp_endpoints_say(&host->endpoints, &row->addr, &row->translated);
	if (row->reached.ip_len == 0 || host->endpoints.count == 0)
		return; // the first row: there is no pool yet
	mp_endpoints_reached(&host->endpoints, &row->reached);
	follow(host);
}

bool mp_host_settle_addr(struct mp_host *host)
{
	struct mp_hosts *hosts = host->cluster->hosts;
	if (!mp_endpoints_have_changed(&host->endpoints))
		return false;
	mp_hosts_forget_addrs(hosts, host);
	mp_endpoints_take_said(&host->endpoints);
	mp_hosts_note_addrs(hosts, host);
	follow(host);
	// While it has connections, it is called by the address that they lead to.
	if (host->state != MP_HOST_UP && !mp_endpoints_have(&host->endpoints, &host->addr))
		rename_host(host, mp_endpoints_addr(&host->endpoints), "has moved to");
	return true;
}

// ---- what is found out ------------------------------------------------------------------------------------

void mp_host_addr_works(struct mp_host *host, const struct mp_addr *addr)
{
	mp_timer_stop(&host->patience);
	mp_endpoints_works(&host->endpoints, addr);
	follow(host);
	rename_host(host, addr, "is reached at");
}

void mp_host_be_patient(struct mp_host *host)
{
	const struct mp_endpoints *endpoints = &host->endpoints;
	const struct mp_cluster *cluster = host->cluster;
	uint32_t most_ms = cluster->config->connect_timeout_ms;
	uint32_t rounds = host->turns / endpoints->count;
	uint32_t patience_ms = rounds < 8 ? PATIENCE_MS << rounds : most_ms;
	mp_timer_stop(&host->patience);
	if (host->state != MP_HOST_NEW || endpoints->count < 2 || patience_ms >= most_ms)
		return;
	if (mp_timer_start_ms(&host->patience, patience_ms) != 0)
		mp_log_write(cluster->log, MP_LOG_WARN, "out of memory for a timer of %s", host->addr_text);
}

bool mp_host_addr_failed(struct mp_host *host)
{
	struct mp_endpoints *endpoints = &host->endpoints;
	if (endpoints->count < 2)
		return false;
	bool now = mp_endpoints_next(endpoints);
	host->turns++;
	mp_pool_try_addr(&host->pool, mp_endpoints_addr(endpoints), now);
	mp_host_be_patient(host);
	return now;
}

// The one that is tried does not even refuse.
static void on_patience(void *data)
{
	struct mp_host *host = data;
	(void)mp_endpoints_next(&host->endpoints);
	host->turns++;
	mp_pool_try_addr(&host->pool, mp_endpoints_addr(&host->endpoints), true);
	mp_host_be_patient(host);
}

void mp_host_init_patience(struct mp_host *host)
{
	mp_timer_init(&host->patience, host->cluster->loop, on_patience, host);
}
