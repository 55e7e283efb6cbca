// SPDX-License-Identifier: Apache-2.0
// The ring is walked backwards, twice. Lists hold the hosts (of all datacentres, or of each one) and the racks of each
// datacentre in the order in which the ring, read forwards from here, comes to them: each token moves its host and its
// rack to the front. The first walk fills the lists, the second writes a row for each token: the first hosts of a list,
// or, as far as racks must differ, the nearest host of each of the first racks.
//
// Invariant: `at` is the token that was moved to the front last; positions grow forwards over both laps.
#include "cluster/plan/placement.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define NONE UINT32_MAX

// A doubly linked list through arrays by number.
struct order {
	uint32_t *next, *prev;
	uint32_t *at; // position on the ring, NONE: in no list yet
};

struct pick {
	uint32_t at;
	uint16_t slot;
};

struct mp_placer {
	bool by_dc;         // NETWORK
	bool fills;         // first lap
	uint32_t left;      // tokens of this lap
	uint32_t rack_none; // and up, by datacentre: stand for the racks that have no number
	struct order hosts, racks;
	uint8_t *dc_of; // by slot, as it was when the host was met first: the view may change meanwhile
	uint32_t *rack_of;
	uint16_t *nearest;               // by rack: the host that moved it to the front
	uint32_t *used;                  // by rack: number of the row that has it
	uint32_t first_host[MP_DCS_MAX]; // by dcId; SIMPLE: [0]
	uint32_t first_rack[MP_DCS_MAX];
	uint32_t host_count[MP_DCS_MAX];
	uint32_t rack_count[MP_DCS_MAX];
	struct pick *picks; // of one row, datacentre by datacentre
};

// ---- lists ------------------------------------------------------------------------------------------------

static bool order_init(struct order *order, size_t count)
{
	order->next = mp_alloc(count * sizeof(*order->next));
	order->prev = mp_alloc(count * sizeof(*order->prev));
	order->at = mp_alloc(count * sizeof(*order->at));
	if (order->next == NULL || order->prev == NULL || order->at == NULL)
		return false;
	memset(order->at, 0xff, count * sizeof(*order->at));
	return true;
}

static void order_deinit(struct order *order)
{
	mp_free(order->next);
	mp_free(order->prev);
	mp_free(order->at);
}

// True: it was in no list before.
static bool to_front(struct order *order, uint32_t *first, uint32_t number, uint32_t at)
{
	bool is_new = order->at[number] == NONE;
	order->at[number] = at;
	if (*first == number)
		return false;
	if (!is_new) {
		order->next[order->prev[number]] = order->next[number];
		if (order->next[number] != NONE)
			order->prev[order->next[number]] = order->prev[number];
	}
	order->next[number] = *first;
	if (*first != NONE)
		order->prev[*first] = number;
	*first = number;
	return is_new;
}

// ---- making -----------------------------------------------------------------------------------------------

static void free_placer(struct mp_placer *placer)
{
	if (placer == NULL)
		return;
	order_deinit(&placer->hosts);
	order_deinit(&placer->racks);
	mp_free(placer->dc_of);
	mp_free(placer->rack_of);
	mp_free(placer->nearest);
	mp_free(placer->used);
	mp_free(placer->picks);
	mp_free(placer);
}

static struct mp_placer *new_placer(const struct mp_ring *ring, const struct mp_view *view, bool by_dc)
{
	struct mp_placer *placer = mp_calloc(1, sizeof(*placer));
	if (placer == NULL)
		return NULL;
	size_t rack_slots = (size_t)view->racks.count + MP_DCS_MAX;
	placer->by_dc = by_dc;
	placer->fills = true;
	placer->left = ring->count;
	placer->rack_none = view->racks.count;
	bool ok = order_init(&placer->hosts, MP_HOSTS_MAX) && order_init(&placer->racks, rack_slots);
	placer->dc_of = mp_calloc(MP_HOSTS_MAX, sizeof(*placer->dc_of));
	placer->rack_of = mp_calloc(MP_HOSTS_MAX, sizeof(*placer->rack_of));
	placer->nearest = mp_calloc(rack_slots, sizeof(*placer->nearest));
	placer->used = mp_calloc(rack_slots, sizeof(*placer->used));
	memset(placer->first_host, 0xff, sizeof(placer->first_host));
	memset(placer->first_rack, 0xff, sizeof(placer->first_rack));
	if (ok && placer->dc_of != NULL && placer->rack_of != NULL && placer->nearest != NULL &&
	    placer->used != NULL)
		return placer;
	free_placer(placer);
	return NULL;
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
	placement->placer = new_placer(ring, view, replication->strategy == MP_STRATEGY_NETWORK);
	if (placement->placer != NULL)
		return placement;
	mp_placement_unref(placement);
	return NULL;
}

static uint32_t lower(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

// How many replicas a token can have at most: no datacentre has more than hosts.
static uint32_t stride_of(const struct mp_replication *replication, const struct mp_placer *placer)
{
	uint32_t stride = 0;
	switch (replication->strategy) {
	case MP_STRATEGY_NONE: break;
	case MP_STRATEGY_SIMPLE: stride = lower(replication->rf, placer->host_count[0]); break;
	case MP_STRATEGY_EVERYWHERE: stride = placer->host_count[0]; break;
	case MP_STRATEGY_NETWORK:
		for (uint16_t i = 0; i < replication->dc_count; i++)
			stride += lower(replication->dcs[i].rf, placer->host_count[replication->dcs[i].dc_id]);
		break;
	}
	return stride;
}

// The first lap is over: now it is known how large the rows are.
static int make_rows(struct mp_placement *placement)
{
	struct mp_placer *placer = placement->placer;
	uint32_t stride = stride_of(&placement->replication, placer);
	if (stride > UINT16_MAX || (size_t)stride * placement->ring->count > MP_PLACEMENT_SLOTS_MAX)
		return MP_ETOOBIG;
	placement->stride = (uint16_t)stride;
	placement->hosts = mp_alloc(((size_t)stride * placement->ring->count + 1) * sizeof(*placement->hosts));
	placer->picks = mp_alloc(((size_t)stride + 1) * sizeof(*placer->picks));
	placer->fills = false;
	placer->left = stride > 0 ? placement->ring->count : 0;
	return placement->hosts == NULL || placer->picks == NULL ? MP_ENOMEM : 0;
}

// ---- walking ----------------------------------------------------------------------------------------------

// A host is met for the first time: the lists it belongs to.
static void meet(struct mp_placer *placer, const struct mp_view *view, uint16_t slot)
{
	const struct mp_host_view *host = &view->hosts[slot];
	bool has_rack = host->rackId < placer->rack_none;
	placer->dc_of[slot] = placer->by_dc && host->dcId < MP_DCS_MAX ? (uint8_t)host->dcId : 0;
	placer->rack_of[slot] = has_rack ? host->rackId : placer->rack_none + placer->dc_of[slot];
}

static void move(struct mp_placer *placer, const struct mp_view *view, uint16_t slot, uint32_t at)
{
	bool has_dc = !placer->by_dc || view->hosts[slot].dcId < MP_DCS_MAX;
	if (placer->hosts.at[slot] == NONE) {
		if (!has_dc)
			return; // of no datacentre that has a number: no replica of any
		meet(placer, view, slot);
	}
	uint8_t dc = placer->dc_of[slot];
	uint32_t rack = placer->rack_of[slot];
	if (to_front(&placer->hosts, &placer->first_host[dc], slot, at))
		placer->host_count[dc]++;
	if (placer->by_dc && to_front(&placer->racks, &placer->first_rack[dc], rack, at))
		placer->rack_count[dc] += rack < placer->rack_none ? 1 : 0;
	placer->nearest[rack] = slot;
}

// The replicas of one datacentre, nearest first. Hosts are taken as they come as long as racks may repeat; then only
// the nearest of each rack that has none.
static uint32_t pick_dc(struct mp_placer *placer, uint16_t dc, uint16_t rf, uint32_t row, struct pick *picks)
{
	uint32_t left = lower(rf, placer->host_count[dc]);
	int64_t repeats = (int64_t)rf - placer->rack_count[dc];
	uint32_t count = 0;
	uint32_t slot = placer->first_host[dc];
	for (; repeats > 0 && count < left && slot != NONE; slot = placer->hosts.next[slot]) {
		uint32_t rack = placer->rack_of[slot];
		repeats -= placer->used[rack] == row ? 1 : 0;
		placer->used[rack] = row;
		picks[count++] = (struct pick){placer->hosts.at[slot], (uint16_t)slot};
	}
	uint32_t rack = placer->first_rack[dc];
	for (; count < left && rack != NONE; rack = placer->racks.next[rack])
		if (placer->used[rack] != row)
			picks[count++] = (struct pick){placer->racks.at[rack], placer->nearest[rack]};
	return count;
}

// Datacentre by datacentre, then all in the order of the ring.
static uint32_t place_network(struct mp_placement *placement, uint32_t row_number, uint16_t *row)
{
	struct mp_placer *placer = placement->placer;
	const struct mp_replication *replication = &placement->replication;
	uint32_t next[MP_DCS_MAX];
	uint32_t end[MP_DCS_MAX];
	uint32_t total = 0;
	for (uint16_t i = 0; i < replication->dc_count; i++) {
		next[i] = total;
		total += pick_dc(placer, replication->dcs[i].dc_id, replication->dcs[i].rf, row_number,
		                 placer->picks + total);
		end[i] = total;
	}
	for (uint32_t n = 0; n < total; n++) {
		uint16_t best = MP_DCS_MAX;
		for (uint16_t i = 0; i < replication->dc_count; i++)
			if (next[i] < end[i] &&
			    (best == MP_DCS_MAX || placer->picks[next[i]].at < placer->picks[next[best]].at))
				best = i;
		row[n] = placer->picks[next[best]++].slot;
	}
	for (uint32_t n = total; n < placement->stride; n++)
		row[n] = MP_NO_HOST;
	return total * replication->dc_count;
}

static uint32_t place_simple(const struct mp_placement *placement, uint16_t *row)
{
	const struct mp_placer *placer = placement->placer;
	uint32_t slot = placer->first_host[0];
	for (uint16_t n = 0; n < placement->stride; n++) {
		row[n] = slot != NONE ? (uint16_t)slot : MP_NO_HOST;
		slot = slot != NONE ? placer->hosts.next[slot] : NONE;
	}
	return placement->stride;
}

// One token: its host and rack come to the front, and on the second lap its row is written. Returns what it cost.
static uint32_t walk(struct mp_placement *placement, const struct mp_view *view)
{
	struct mp_placer *placer = placement->placer;
	const struct mp_ring *ring = placement->ring;
	uint32_t at = --placer->left;
	move(placer, view, ring->owners[at], placer->fills ? at + ring->count : at);
	if (placer->fills)
		return 1;
	uint16_t *row = placement->hosts + (size_t)at * placement->stride;
	placement->done++;
	return 1 + (placer->by_dc ? place_network(placement, at + 1, row) : place_simple(placement, row));
}

bool mp_placement_step(struct mp_placement *placement, const struct mp_view *view, uint32_t rows)
{
	int64_t budget = (int64_t)rows * 16;
	uint32_t most = placement->done + rows;
	while (placement->placer != NULL && placement->err == 0 && budget > 0 && placement->done < most) {
		struct mp_placer *placer = placement->placer;
		if (placer->left > 0) {
			budget -= walk(placement, view);
		} else if (placer->fills) {
			placement->err = make_rows(placement);
		} else {
			free_placer(placer);
			placement->placer = NULL;
		}
	}
	return placement->placer == NULL || placement->err != 0;
}

// ---- using ------------------------------------------------------------------------------------------------

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
	free_placer(placement->placer);
	mp_free(placement->hosts);
	mp_free(placement);
}

const uint16_t *mp_placement_find(const struct mp_placement *placement, int64_t token, uint32_t *count)
{
	*count = 0;
	if (MP_UNLIKELY(placement == NULL || placement->stride == 0 || placement->placer != NULL))
		return NULL;
	uint32_t at = mp_ring_find(placement->ring, token);
	const uint16_t *row = placement->hosts + (size_t)at * placement->stride;
	uint32_t used = placement->stride;
	while (used > 0 && row[used - 1] == MP_NO_HOST)
		used--;
	*count = used;
	return row;
}
