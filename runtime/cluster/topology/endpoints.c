// SPDX-License-Identifier: Apache-2.0
#include "cluster/topology/endpoints.h"

static bool is_none(const struct mp_addr *addr)
{
	return addr->ip_len == 0;
}

static int find_addr(const struct mp_endpoints *endpoints, const struct mp_addr *addr)
{
	for (uint8_t i = 0; i < endpoints->count; i++)
		if (mp_addr_eq(&endpoints->all[i].addr, addr))
			return i;
	return -1;
}

static bool is_same(const struct mp_endpoint *a, const struct mp_endpoint *b)
{
	return mp_addr_eq(&a->named, &b->named) && mp_addr_eq(&a->addr, &b->addr);
}

static bool is_known(const struct mp_endpoints *endpoints, const struct mp_endpoint *endpoint)
{
	for (uint8_t i = 0; i < endpoints->named_count; i++)
		if (is_same(&endpoints->all[i], endpoint))
			return true;
	return false;
}

static bool was_said(const struct mp_endpoints *endpoints, const struct mp_addr *named)
{
	for (uint8_t i = 0; i < endpoints->said_count; i++)
		if (mp_addr_eq(&endpoints->said[i].named, named))
			return true;
	return false;
}

static void add(struct mp_endpoints *endpoints, const struct mp_addr *named, const struct mp_addr *addr)
{
	mp_assert(endpoints->count < MP_ENDPOINTS_MAX);
	endpoints->all[endpoints->count++] = (struct mp_endpoint){.named = *named, .addr = *addr};
}

static void add_way(struct mp_endpoints *endpoints, const struct mp_addr *addr)
{
	static const struct mp_addr none = {.ip_len = 0};
	if (!is_none(addr) && find_addr(endpoints, addr) < 0)
		add(endpoints, &none, addr);
}

// What is behind the named ones is made anew, so nothing that was true once piles up.
static void add_ways(struct mp_endpoints *endpoints)
{
	endpoints->count = endpoints->named_count;
	add_way(endpoints, &endpoints->worked);
	add_way(endpoints, &endpoints->reached);
	if (endpoints->failed >= endpoints->count)
		endpoints->failed = 0;
}

static void stay_at(struct mp_endpoints *endpoints, const struct mp_addr *addr)
{
	int at = find_addr(endpoints, addr);
	endpoints->at = at >= 0 ? (uint8_t)at : 0;
}

// ---- what the cluster says --------------------------------------------------------------------------------

void mp_endpoints_forget_said(struct mp_endpoints *endpoints)
{
	endpoints->said_count = 0;
}

void mp_endpoints_say(struct mp_endpoints *endpoints, const struct mp_addr *named, const struct mp_addr *addr)
{
	if (endpoints->said_count < MP_ENDPOINTS_NAMED && !was_said(endpoints, named))
		endpoints->said[endpoints->said_count++] = (struct mp_endpoint){.named = *named, .addr = *addr};
}

bool mp_endpoints_have_changed(const struct mp_endpoints *endpoints)
{
	if (endpoints->said_count != endpoints->named_count)
		return true;
	for (uint8_t i = 0; i < endpoints->said_count; i++)
		if (!is_known(endpoints, &endpoints->said[i]))
			return true;
	return false;
}

void mp_endpoints_take_said(struct mp_endpoints *endpoints)
{
	struct mp_addr used = {.ip_len = 0};
	bool changed = mp_endpoints_have_changed(endpoints);
	if (endpoints->count > 0)
		used = *mp_endpoints_addr(endpoints);
	endpoints->count = 0;
	for (uint8_t i = 0; i < endpoints->said_count; i++)
		add(endpoints, &endpoints->said[i].named, &endpoints->said[i].addr);
	endpoints->named_count = endpoints->count;
	int named_at = find_addr(endpoints, &used);
	add_ways(endpoints);
	if (changed && named_at < 0)
		endpoints->at = 0;
	else
		stay_at(endpoints, &used);
	endpoints->failed = 0;
}

// ---- what is found out ------------------------------------------------------------------------------------

void mp_endpoints_reached(struct mp_endpoints *endpoints, const struct mp_addr *addr)
{
	struct mp_addr used = *mp_endpoints_addr(endpoints);
	endpoints->reached = *addr;
	add_ways(endpoints);
	stay_at(endpoints, &used);
}

void mp_endpoints_works(struct mp_endpoints *endpoints, const struct mp_addr *addr)
{
	endpoints->worked = *addr;
	add_ways(endpoints);
	stay_at(endpoints, addr);
	endpoints->failed = 0;
}

bool mp_endpoints_next(struct mp_endpoints *endpoints)
{
	endpoints->at = (uint8_t)((endpoints->at + 1) % endpoints->count);
	endpoints->failed = (uint8_t)((endpoints->failed + 1) % endpoints->count);
	return endpoints->failed != 0;
}

static bool matches(const struct mp_addr *own, const struct mp_addr *addr)
{
	return mp_addr_same_ip(own, addr) && (addr->port == 0 || addr->port == own->port);
}

bool mp_endpoints_have(const struct mp_endpoints *endpoints, const struct mp_addr *addr)
{
	for (uint8_t i = 0; i < endpoints->count; i++)
		if (matches(&endpoints->all[i].named, addr) || matches(&endpoints->all[i].addr, addr))
			return true;
	return false;
}

const struct mp_addr *mp_endpoints_addr(const struct mp_endpoints *endpoints)
{
	return &endpoints->all[endpoints->at].addr;
}
