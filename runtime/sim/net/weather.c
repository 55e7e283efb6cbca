// SPDX-License-Identifier: Apache-2.0
// The weather of the simulated network: latency and faults, kept for each address that was ever given one. A
// rule with port 0 holds for the whole host; a rule for the very port is looked at first for latency, and all
// rules that fit count for faults.
#include "sim/net/internal.h"

#include "base/err.h"
#include "base/mem.h"

static bool fits(const struct mp_sim_host *host, const struct mp_addr *addr)
{
	return mp_addr_same_ip(&host->addr, addr) && (host->addr.port == 0 || host->addr.port == addr->port);
}

static struct mp_sim_host *next_host(struct mp_loop_sim *world, struct mp_sim_host *host)
{
	struct mp_list_node *node =
		host == NULL ? mp_list_first(&world->hosts) : mp_list_next(&world->hosts, &host->node);
	return node == NULL ? NULL : MP_CONTAINER_OF(node, struct mp_sim_host, node);
}

static struct mp_sim_host *host_rule(struct mp_loop_sim *world, const struct mp_addr *addr)
{
	for (struct mp_sim_host *host = next_host(world, NULL); host != NULL; host = next_host(world, host)) {
		if (mp_addr_eq(&host->addr, addr))
			return host;
	}
	struct mp_sim_host *host = mp_calloc(1, sizeof(*host));
	if (host == NULL)
		return NULL;
	mp_list_node_init(&host->node);
	host->addr = *addr;
	mp_list_push_back(&world->hosts, &host->node);
	return host;
}

uint64_t mp_sim_delay(struct mp_loop_sim *world, const struct mp_addr *addr)
{
	uint64_t latency_ns = world->latency_ns;
	uint64_t jitter_ns = world->jitter_ns;
	for (struct mp_sim_host *host = next_host(world, NULL); host != NULL; host = next_host(world, host)) {
		if (!host->own_latency || !fits(host, addr))
			continue;
		latency_ns = host->latency_ns;
		jitter_ns = host->jitter_ns;
		if (host->addr.port != 0)
			break;
	}
	return latency_ns + mp_sim_below(world, jitter_ns + 1);
}

bool mp_sim_drops(struct mp_loop_sim *world, const struct mp_addr *addr, bool to_server)
{
	for (struct mp_sim_host *host = next_host(world, NULL); host != NULL; host = next_host(world, host)) {
		if (fits(host, addr) && (host->blackhole || (host->partitioned && !to_server)))
			return true;
	}
	return false;
}

bool mp_sim_stalls(struct mp_loop_sim *world, const struct mp_addr *addr)
{
	for (struct mp_sim_host *host = next_host(world, NULL); host != NULL; host = next_host(world, host)) {
		if (fits(host, addr) && host->stalled)
			return true;
	}
	return false;
}

bool mp_sim_fails_local(struct mp_loop_sim *world, const struct mp_addr *addr)
{
	for (struct mp_sim_host *host = next_host(world, NULL); host != NULL; host = next_host(world, host)) {
		if (fits(host, addr) && host->no_local)
			return true;
	}
	return false;
}

// After a fault ended, what it held back goes on; where another fault still holds, it is held back again.
static void resume_all(struct mp_loop_sim *world, const struct mp_sim_host *host)
{
	for (struct mp_list_node *node = mp_list_first(&world->conns); node != NULL;
	     node = mp_list_next(&world->conns, node)) {
		struct mp_sim_conn *conn = MP_CONTAINER_OF(node, struct mp_sim_conn, node);
		if (!fits(host, &conn->addr))
			continue;
		mp_sim_resume(&conn->client);
		mp_sim_resume(&conn->server);
	}
}

int mp_loop_sim_latency(struct mp_loop *loop, const struct mp_addr *addr, uint64_t latency_ns,
                        uint64_t jitter_ns)
{
	struct mp_loop_sim *world = mp_sim_of(loop);
	if (addr == NULL) {
		world->latency_ns = latency_ns;
		world->jitter_ns = jitter_ns;
		return 0;
	}
	struct mp_sim_host *host = host_rule(world, addr);
	if (host == NULL)
		return MP_ENOMEM;
	host->own_latency = true;
	host->latency_ns = latency_ns;
	host->jitter_ns = jitter_ns;
	return 0;
}

int mp_loop_sim_blackhole(struct mp_loop *loop, const struct mp_addr *addr, bool on)
{
	struct mp_sim_host *host = host_rule(mp_sim_of(loop), addr);
	if (host == NULL)
		return MP_ENOMEM;
	host->blackhole = on;
	if (!on)
		resume_all(mp_sim_of(loop), host);
	return 0;
}

int mp_loop_sim_partition(struct mp_loop *loop, const struct mp_addr *addr, bool on)
{
	struct mp_sim_host *host = host_rule(mp_sim_of(loop), addr);
	if (host == NULL)
		return MP_ENOMEM;
	host->partitioned = on;
	if (!on)
		resume_all(mp_sim_of(loop), host);
	return 0;
}

int mp_loop_sim_stall(struct mp_loop *loop, const struct mp_addr *addr, bool on)
{
	struct mp_sim_host *host = host_rule(mp_sim_of(loop), addr);
	if (host == NULL)
		return MP_ENOMEM;
	host->stalled = on;
	if (!on)
		resume_all(mp_sim_of(loop), host);
	return 0;
}

int mp_loop_sim_fail_local(struct mp_loop *loop, const struct mp_addr *addr, bool on)
{
	struct mp_sim_host *host = host_rule(mp_sim_of(loop), addr);
	if (host == NULL)
		return MP_ENOMEM;
	host->no_local = on;
	return 0;
}

size_t mp_loop_sim_cut(struct mp_loop *loop, const struct mp_addr *addr)
{
	struct mp_loop_sim *world = mp_sim_of(loop);
	struct mp_sim_host rule = {.addr = *addr};
	size_t count = 0;
	for (struct mp_list_node *node = mp_list_first(&world->conns); node != NULL;
	     node = mp_list_next(&world->conns, node)) {
		struct mp_sim_conn *conn = MP_CONTAINER_OF(node, struct mp_sim_conn, node);
		bool opened = conn->client.state == MP_SIM_OPEN || conn->server.state == MP_SIM_OPEN;
		if (!opened || !fits(&rule, &conn->addr))
			continue;
		mp_sim_cut(conn);
		count++;
	}
	return count;
}

void mp_sim_faults_deinit(struct mp_loop_sim *world)
{
	struct mp_list_node *node;
	while ((node = mp_list_pop_front(&world->hosts)) != NULL)
		mp_free(MP_CONTAINER_OF(node, struct mp_sim_host, node));
}
