// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/replication.h"

#include <string.h>

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

static void add_dc(struct mp_replication *replication, const struct mp_view *view, struct mp_str dc,
                   uint16_t rf)
{
	int id = mp_view_find_dc(view, dc);
	if (rf == 0 || id < 0)
		return;
	for (uint16_t i = 0; i < replication->dc_count; i++)
		if (replication->dcs[i].dc_id == id)
			return; // it stands there twice
	replication->dcs[replication->dc_count].dc_id = (uint16_t)id;
	replication->dcs[replication->dc_count++].rf = rf;
}

void mp_replication_parse(struct mp_replication *replication, const struct mp_view *view, size_t count,
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
