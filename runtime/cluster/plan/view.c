// SPDX-License-Identifier: Apache-2.0
// The slots are one calloc of their full number: the system gives the pages when they are touched, and a
// script may keep the address of a slot for as long as its state lives.
#include "cluster/plan/view.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cluster/plan/marks.h"

#define BEST_FOR_MS 100.0

int mp_view_init(struct mp_view *view)
{
	memset(view, 0, sizeof(*view));
	view->local_dc = MP_NO_HOST;
	mp_names_init(&view->racks, UINT16_MAX);
	view->hosts = mp_calloc(MP_HOSTS_MAX, sizeof(*view->hosts));
	view->names = mp_calloc(MP_HOSTS_MAX, sizeof(*view->names));
	view->marks = mp_calloc(1, sizeof(*view->marks));
	if (view->hosts != NULL && view->names != NULL && view->marks != NULL)
		return 0;
	mp_free(view->marks);
	mp_free(view->hosts);
	mp_free(view->names);
	view->hosts = NULL;
	view->names = NULL;
	view->marks = NULL;
	return MP_ENOMEM;
}

static void group_deinit(struct mp_group *group)
{
	mp_free(group->hosts);
	memset(group, 0, sizeof(*group));
}

void mp_view_deinit(struct mp_view *view)
{
	group_deinit(&view->all);
	group_deinit(&view->local);
	group_deinit(&view->rack);
	for (uint16_t i = 0; i < view->dc_count; i++) {
		group_deinit(&view->dcs[i]);
		mp_free(view->dc_names[i]);
	}
	mp_names_deinit(&view->racks);
	mp_view_marks_deinit(view);
	mp_free(view->names);
	mp_free(view->hosts);
	memset(view, 0, sizeof(*view));
}

int mp_view_find_dc(const struct mp_view *view, struct mp_str dc)
{
	for (uint16_t i = 0; i < view->dc_count; i++)
		if (mp_str_is(dc, view->dc_names[i]))
			return i;
	return -1;
}

int mp_view_dc_id(struct mp_view *view, const char *dc)
{
	int known = mp_view_find_dc(view, mp_str_of(dc));
	if (known >= 0)
		return known;
	if (view->dc_count == MP_DCS_MAX)
		return MP_ETOOBIG;
	char *copy = mp_strdup(dc);
	if (copy == NULL)
		return MP_ENOMEM;
	view->dc_names[view->dc_count] = copy;
	return view->dc_count++;
}

int mp_view_rack_id(struct mp_view *view, const char *dc, const char *rack)
{
	char name[2 * MP_NODE_NAME_MAX + 2];
	int len = snprintf(name, sizeof(name), "%s/%s", dc, rack);
	if (len < 0 || (size_t)len >= sizeof(name))
		return MP_ETOOBIG;
	uint32_t id = mp_names_id(&view->racks, (struct mp_str){name, (size_t)len});
	if (id == 0)
		return view->racks.count == view->racks.limit ? MP_ETOOBIG : MP_ENOMEM;
	return (int)id - 1;
}

static int group_add(struct mp_group *group, uint16_t host)
{
	if (group->count == group->capacity) {
		uint32_t capacity = group->capacity == 0 ? 16 : group->capacity * 2;
		uint16_t *hosts = mp_realloc(group->hosts, capacity * sizeof(*hosts));
		if (hosts == NULL)
			return MP_ENOMEM;
		group->hosts = hosts;
		group->capacity = capacity;
	}
	group->hosts[group->count++] = host;
	return 0;
}

static uint32_t rank(const struct mp_view *view, uint16_t dc)
{
	return view->dc_priority[dc] == 0 ? UINT32_MAX : view->dc_priority[dc];
}

static bool comes_before(const struct mp_view *view, uint16_t dc, uint16_t other)
{
	uint32_t mine = rank(view, dc);
	uint32_t its = rank(view, other);
	return mine < its || (mine == its && dc < other);
}

// Datacentres keep their place in the failover order; new ones go to its end.
static void order_remote(struct mp_view *view)
{
	bool listed[MP_DCS_MAX] = {false};
	uint16_t count = 0;
	for (uint16_t i = 0; i < view->remote_count; i++) {
		uint16_t dc = view->remote_order[i];
		if (dc == view->local_dc || listed[dc])
			continue;
		listed[dc] = true;
		view->remote_order[count++] = dc;
	}
	for (uint16_t dc = 0; dc < view->dc_count; dc++)
		if (dc != view->local_dc && !listed[dc])
			view->remote_order[count++] = dc;
	view->remote_count = count;
	// The most wanted first; equals in the order of their first sight, whichever of them was local in between.
	for (uint16_t i = 1; i < count; i++) {
		uint16_t dc = view->remote_order[i];
		uint16_t at = i;
		while (at > 0 && comes_before(view, dc, view->remote_order[at - 1])) {
			view->remote_order[at] = view->remote_order[at - 1];
			at--;
		}
		view->remote_order[at] = dc;
	}
}

void mp_view_set_priority(struct mp_view *view, uint16_t dc_id, uint16_t priority)
{
	if (dc_id < view->dc_count)
		view->dc_priority[dc_id] = priority;
}

uint32_t mp_view_best_us(struct mp_view *view, double now_ms)
{
	if (view->best_at_ms > 0 && now_ms >= view->best_at_ms && now_ms - view->best_at_ms < BEST_FOR_MS)
		return view->best_us;
	view->best_us = 0;
	view->best_at_ms = now_ms;
	for (uint32_t i = 0; i < view->all.count; i++) {
		uint32_t us = view->hosts[view->all.hosts[i]].latencyUs;
		if (us > 0 && (view->best_us == 0 || us < view->best_us))
			view->best_us = us;
	}
	return view->best_us;
}

int mp_view_rebuild(struct mp_view *view)
{
	int rc = 0;
	view->all.count = view->local.count = view->rack.count = 0;
	for (uint16_t i = 0; i < view->dc_count; i++)
		view->dcs[i].count = 0;
	for (uint32_t i = 0; i < view->host_count && rc == 0; i++) {
		const struct mp_host_view *host = &view->hosts[i];
		if (!host->isUp)
			continue;
		uint16_t slot = (uint16_t)i;
		rc = group_add(&view->all, slot);
		if (rc == 0 && host->dcId < view->dc_count)
			rc = group_add(&view->dcs[host->dcId], slot);
		if (rc == 0 && host->isLocal)
			rc = group_add(&view->local, slot);
		if (rc == 0 && host->isLocal && host->isLocalRack)
			rc = group_add(&view->rack, slot);
	}
	view->up_count = view->all.count;
	view->epoch++;
	order_remote(view);
	return rc;
}
