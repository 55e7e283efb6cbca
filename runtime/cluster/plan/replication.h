// SPDX-License-Identifier: Apache-2.0
// How many replicas a keyspace has, and where: its replication options.
#pragma once

#include "base/cursor.h"
#include "cluster/plan/view.h"

enum mp_strategy { MP_STRATEGY_NONE, MP_STRATEGY_SIMPLE, MP_STRATEGY_NETWORK, MP_STRATEGY_EVERYWHERE };
struct mp_replication {
	enum mp_strategy strategy; // NONE: unknown or local: no replicas are known
	uint16_t rf;               // SIMPLE
	uint16_t dc_count;         // NETWORK
	struct {
		uint16_t dc_id;
		uint16_t rf;
	} dcs[MP_DCS_MAX];
};
// Options as in system_schema.keyspaces.replication: "class" and the rest. "3/1" (transient) counts the full number.
// An unknown class gives NONE. Nonsense numbers count as 0. A datacentre of which no host was ever seen counts for
// nothing: it gets no number.
void mp_replication_parse(struct mp_replication *replication, const struct mp_view *view, size_t count,
                          const struct mp_str *keys, const struct mp_str *values);
