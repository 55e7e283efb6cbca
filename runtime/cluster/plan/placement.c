// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/placement.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

// ---- replication ------------------------------------------------------------------------------------------

// "3" and, with transient replicas, "3/1". Anything else is 0.
static uint16_t parse_rf(struct mp_str text)
{
	uint32_t rf = 0;
	for (size_t i = 0; i < text.len && text.data[i] != '/'; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 0;
		rf = rf * 10 + (uint32_t)(text.data[i] - '0');
		if (rf > MP_HOSTS_MAX)
			return MP_HOSTS_MAX;
	}
	return (uint16_t)rf;
}

static enum mp_strategy parse_class(struct mp_str name)
{
	size_t start = name.len;
	while (start > 0 && name.data[start - 1] != '.')
		start--;
	struct mp_str simple = {name.data + start, name.len - start};
	if (mp_str_is(simple, "SimpleStrategy"))
		return MP_STRATEGY_SIMPLE;
	if (mp_str_is(simple, "NetworkTopologyStrategy"))
		return MP_STRATEGY_NETWORK;
	if (mp_str_is(simple, "EverywhereStrategy"))
		return MP_STRATEGY_EVERYWHERE;
	return MP_STRATEGY_NONE;
}

static void add_dc(struct mp_replication *replication, struct mp_view *view, struct mp_str dc, uint16_t rf)
{
	char name[256];
	if (rf == 0 || dc.len >= sizeof(name) || replication->dc_count == MP_DCS_MAX)
		return;
	memcpy(name, dc.data, dc.len);
	name[dc.len] = '\0';
	int id = mp_view_dc_id(view, name);
	if (id < 0)
		return;
	replication->dcs[replication->dc_count].dc_id = (uint16_t)id;
	replication->dcs[replication->dc_count++].rf = rf;
}

void mp_replication_parse(struct mp_replication *replication, struct mp_view *view, size_t count,
                          const struct mp_str *keys, const struct mp_str *values)
{
	memset(replication, 0, sizeof(*replication));
	for (size_t i = 0; i < count; i++)
		if (mp_str_is(keys[i], "class"))
			replication->strategy = parse_class(values[i]);
	for (size_t i = 0; i < count; i++) {
		if (mp_str_is(keys[i], "class"))
			continue;
		if (replication->strategy == MP_STRATEGY_NETWORK)
			add_dc(replication, view, keys[i], parse_rf(values[i]));
		else if (mp_str_is(keys[i], "replication_factor"))
			replication->rf = parse_rf(values[i]);
	}
}

// ---- placement --------------------------------------------------------------------------------------------

struct dc_census {
	uint32_t hosts;
	uint32_t racks;
};

// Distinct hosts and racks per datacentre among the owners of tokens.
static int take_census(const struct mp_ring *ring, const struct mp_view *view, struct dc_census *census,
                       uint32_t *host_total)
{
	uint8_t *seen_host = mp_calloc(MP_HOSTS_MAX, 1);
	uint8_t *seen_rack = mp_calloc((size_t)view->racks.count + 1, 1);
	int rc = seen_host != NULL && seen_rack != NULL ? 0 : MP_ENOMEM;
	for (uint32_t i = 0; rc == 0 && i < ring->count; i++) {
		const struct mp_host_view *host = &view->hosts[ring->owners[i]];
		if (seen_host[ring->owners[i]])
			continue;
		seen_host[ring->owners[i]] = 1;
		(*host_total)++;
		if (host->dcId >= MP_DCS_MAX)
			continue;
		census[host->dcId].hosts++;
		if (host->rackId < view->racks.count && !seen_rack[host->rackId]) {
			seen_rack[host->rackId] = 1;
			census[host->dcId].racks++;
		}
	}
	mp_free(seen_host);
	mp_free(seen_rack);
	return rc;
}

static uint32_t lower(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

// How many replicas a token can have at most; caps the wish of each datacentre at its hosts.
static uint32_t cap_replication(struct mp_replication *replication, const struct dc_census *census,
                                uint32_t host_total)
{
	uint32_t stride = 0;
	switch (replication->strategy) {
	case MP_STRATEGY_NONE: break;
	case MP_STRATEGY_SIMPLE: stride = lower(replication->rf, host_total); break;
	case MP_STRATEGY_EVERYWHERE: stride = host_total; break;
	case MP_STRATEGY_NETWORK:
		for (uint16_t i = 0; i < replication->dc_count; i++)
			stride += lower(replication->dcs[i].rf, census[replication->dcs[i].dc_id].hosts);
		break;
	}
	return stride;
}

struct mp_placement *mp_placement_new(struct mp_ring *ring, const struct mp_replication *replication,
                                      const struct mp_view *view)
{
	struct mp_placement *placement = mp_calloc(1, sizeof(*placement));
	if (placement == NULL)
		return NULL;
	placement->refs = 1;
	placement->ring = mp_ring_ref(ring);
	placement->replication = *replication;
	struct dc_census census[MP_DCS_MAX] = {{0, 0}};
	uint32_t host_total = 0;
	if (take_census(ring, view, census, &host_total) != 0)
		goto fail;
	uint32_t stride = cap_replication(&placement->replication, census, host_total);
	if (stride > UINT16_MAX || (stride > 0 && ring->count > SIZE_MAX / 2 / stride))
		goto fail;
	placement->stride = (uint16_t)stride;
	placement->hosts = mp_alloc((size_t)ring->count * stride * sizeof(*placement->hosts));
	placement->racks = mp_alloc((size_t)stride * sizeof(*placement->racks));
	if (placement->hosts == NULL || placement->racks == NULL)
		goto fail;
	for (uint16_t i = 0; i < placement->replication.dc_count; i++) {
		const struct dc_census *dc = &census[placement->replication.dcs[i].dc_id];
		placement->dc_hosts[i] = (uint16_t)lower(dc->hosts, MP_HOSTS_MAX);
		placement->dc_racks[i] = (uint16_t)lower(dc->racks, MP_HOSTS_MAX);
	}
	return placement;
fail:
	mp_placement_unref(placement);
	return NULL;
}

static bool contains(const uint16_t *list, uint32_t count, uint16_t value)
{
	for (uint32_t i = 0; i < count; i++)
		if (list[i] == value)
			return true;
	return false;
}

// SimpleStrategy, and EverywhereStrategy with the number of hosts as factor: the next distinct hosts on the
// ring. Returns the tokens it walked.
static uint32_t place_simple(struct mp_placement *placement, uint32_t at, uint16_t *row)
{
	const struct mp_ring *ring = placement->ring;
	uint32_t found = 0;
	uint32_t walked = 0;
	for (; walked < ring->count && found < placement->stride; walked++) {
		uint16_t owner = ring->owners[(at + walked) % ring->count];
		if (!contains(row, found, owner))
			row[found++] = owner;
	}
	while (found < placement->stride)
		row[found++] = MP_NO_HOST;
	return walked;
}

// NetworkTopologyStrategy: walk the ring; each datacentre takes hosts until its factor is reached, a second
// one from a rack only while there are more replicas to place than racks.
static uint32_t place_network(struct mp_placement *placement, const struct mp_view *view, uint32_t at,
                              uint16_t *row)
{
	const struct mp_ring *ring = placement->ring;
	const struct mp_replication *replication = &placement->replication;
	int32_t left[MP_DCS_MAX];
	int32_t repeats[MP_DCS_MAX];
	for (uint16_t i = 0; i < replication->dc_count; i++) {
		left[i] =
			replication->dcs[i].rf < placement->dc_hosts[i] ? replication->dcs[i].rf : placement->dc_hosts[i];
		repeats[i] = (int32_t)replication->dcs[i].rf - placement->dc_racks[i];
	}
	uint32_t found = 0;
	uint32_t walked = 0;
	for (; walked < ring->count && found < placement->stride; walked++) {
		uint16_t owner = ring->owners[(at + walked) % ring->count];
		const struct mp_host_view *host = &view->hosts[owner];
		uint16_t dc = 0;
		while (dc < replication->dc_count && replication->dcs[dc].dc_id != host->dcId)
			dc++;
		if (dc == replication->dc_count || left[dc] == 0 || contains(row, found, owner))
			continue;
		if (contains(placement->racks, found, host->rackId)) {
			if (repeats[dc] <= 0)
				continue;
			repeats[dc]--;
		}
		placement->racks[found] = host->rackId;
		row[found++] = owner;
		left[dc]--;
	}
	while (found < placement->stride)
		row[found++] = MP_NO_HOST;
	return walked;
}

bool mp_placement_step(struct mp_placement *placement, const struct mp_view *view, uint32_t rows)
{
	const struct mp_ring *ring = placement->ring;
	if (placement->stride == 0) {
		placement->done = ring->count;
		return true;
	}
	// A lopsided cluster walks far for each token: the budget is in tokens walked, so that a slice stays a
	// slice.
	uint64_t budget = (uint64_t)rows * 64;
	uint64_t walked = 0;
	for (uint32_t n = 0; n < rows && walked < budget && placement->done < ring->count; n++) {
		uint16_t *row = placement->hosts + (size_t)placement->done * placement->stride;
		walked += placement->replication.strategy == MP_STRATEGY_NETWORK
		              ? place_network(placement, view, placement->done, row)
		              : place_simple(placement, placement->done, row);
		placement->done++;
	}
	return placement->done == ring->count;
}

struct mp_placement *mp_placement_ref(struct mp_placement *placement)
{
	placement->refs++;
	return placement;
}

void mp_placement_unref(struct mp_placement *placement)
{
	if (placement == NULL || --placement->refs > 0)
		return;
	mp_ring_unref(placement->ring);
	mp_free(placement->hosts);
	mp_free(placement->racks);
	mp_free(placement);
}

const uint16_t *mp_placement_find(const struct mp_placement *placement, int64_t token, uint32_t *count)
{
	*count = 0;
	if (MP_UNLIKELY(placement == NULL || placement->stride == 0))
		return NULL;
	uint32_t at = mp_ring_find(placement->ring, token);
	if (MP_UNLIKELY(at >= placement->done))
		return NULL;
	const uint16_t *row = placement->hosts + (size_t)at * placement->stride;
	uint32_t used = placement->stride;
	while (used > 0 && row[used - 1] == MP_NO_HOST)
		used--;
	*count = used;
	return row;
}
