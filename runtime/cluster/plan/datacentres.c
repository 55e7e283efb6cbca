// SPDX-License-Identifier: Apache-2.0
// One time for each number of hosts tells both how long at least so many are up and how long fewer are: the condition
// changes when the count crosses the number, whichever way.
#include "cluster/plan/datacentres.h"

#include "base/mem.h"

void mp_datacentres_deinit(struct mp_datacentres *dcs)
{
	for (uint16_t dc = 0; dc < MP_DCS_MAX; dc++)
		mp_free(dcs->history[dc].since_ms);
	*dcs = (struct mp_datacentres){.count = 0};
}

static bool reserve(struct mp_dc_history *history, uint32_t hosts)
{
	if (hosts <= history->capacity)
		return true;
	uint64_t *since_ms = mp_realloc(history->since_ms, hosts * sizeof(*since_ms));
	if (since_ms == NULL)
		return false;
	for (uint32_t i = history->capacity; i < hosts; i++)
		since_ms[i] = history->seen_ms;
	history->since_ms = since_ms;
	history->capacity = hosts;
	return true;
}

static void note(struct mp_dc_history *history, uint32_t before, uint32_t now, uint64_t now_ms)
{
	uint32_t low = before < now ? before : now;
	uint32_t high = before < now ? now : before;
	for (uint32_t i = low; i < high; i++)
		history->since_ms[i] = now_ms;
}

static uint32_t rank(const struct mp_dc_view *dc)
{
	return dc->priority == 0 ? UINT32_MAX : dc->priority;
}

static void put_in_order(struct mp_datacentres *dcs)
{
	uint16_t count = 0;
	if (dcs->home < dcs->count)
		dcs->order[count++] = dcs->home;
	uint16_t first = count;
	for (uint16_t dc = 0; dc < dcs->count; dc++) {
		if (dc == dcs->home || dcs->dcs[dc].total == 0)
			continue;
		uint16_t at = count++;
		for (; at > first && rank(&dcs->dcs[dc]) < rank(&dcs->dcs[dcs->order[at - 1]]); at--)
			dcs->order[at] = dcs->order[at - 1];
		dcs->order[at] = dc;
	}
	dcs->order_count = count;
}

bool mp_datacentres_look(struct mp_datacentres *dcs, const struct mp_view *view, const uint32_t *up,
                         const uint32_t *total, uint64_t now_ms)
{
	for (uint16_t dc = 0; dc < view->dc_count; dc++) {
		struct mp_dc_history *history = &dcs->history[dc];
		if (!history->is_seen)
			history->seen_ms = now_ms;
		if (!reserve(history, up[dc] > total[dc] ? up[dc] : total[dc]))
			return false;
	}
	dcs->count = view->dc_count;
	dcs->names = view->dc_names;
	dcs->now_ms = now_ms;
	for (uint16_t dc = 0; dc < view->dc_count; dc++) {
		note(&dcs->history[dc], dcs->dcs[dc].up, up[dc], now_ms);
		dcs->history[dc].is_seen = true;
		dcs->dcs[dc] = (struct mp_dc_view){
			.index = dc,
			.up = up[dc],
			.total = total[dc],
			.priority = view->dc_priority[dc],
			.isHome = dc == dcs->home,
			.isServing = dc == dcs->serving,
		};
	}
	put_in_order(dcs);
	return true;
}

static uint64_t age_ms(const struct mp_datacentres *dcs, uint16_t dc, uint32_t hosts)
{
	const struct mp_dc_history *history = &dcs->history[dc];
	bool is_counted = hosts > 0 && hosts <= history->capacity;
	return dcs->now_ms - (is_counted ? history->since_ms[hosts - 1] : history->seen_ms);
}

uint64_t mp_datacentres_up_ms(const struct mp_datacentres *dcs, uint16_t dc, uint32_t hosts)
{
	return dc < dcs->count && dcs->dcs[dc].up >= hosts ? age_ms(dcs, dc, hosts) : 0;
}

uint64_t mp_datacentres_down_ms(const struct mp_datacentres *dcs, uint16_t dc, uint32_t hosts)
{
	return dc < dcs->count && dcs->dcs[dc].up < hosts ? age_ms(dcs, dc, hosts) : 0;
}
