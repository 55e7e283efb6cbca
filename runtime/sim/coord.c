// SPDX-License-Identifier: Apache-2.0
#include "sim/coord.h"

#include <string.h>

#include "base/err.h"

bool mp_sim_node_answers(const struct mp_sim_node *node)
{
	return node->running && !node->paused;
}

void mp_sim_count_node(struct mp_sim_counts *counts, const struct mp_sim_node *node)
{
	counts->by_dc[node->dc]++;
}

int mp_sim_coord_replicas(struct mp_sim_request *req, const struct mp_sim_table *table, int64_t token,
                          struct mp_sim_replica_set *out)
{
	struct mp_sim_cluster *cluster = req->conn->owner->cluster;
	struct mp_sim_keyspace *ks = table->owner;
	if (ks == NULL)
		return mp_sim_fail(&req->err, MP_SE_INVALID, "table %.*s does not exist", MP_SIM_S(table->name));
	size_t entry = mp_sim_ring_owner(&cluster->ring, token);
	const uint16_t *nodes =
		mp_sim_placement_of(&ks->placement, &cluster->ring, &ks->strategy, entry, &out->count);
	if (nodes == NULL)
		return mp_sim_fail_nomem(&req->err);
	memcpy(out->nodes, nodes, out->count * sizeof(*nodes));
	out->strategy = &ks->strategy;
	return 0;
}

// ---- levels -----------------------------------------------------------------------------------------------

static int32_t all_of(const struct mp_sim_counts *counts)
{
	int32_t total = 0;
	for (size_t dc = 0; dc < MP_SIM_DCS_MAX; dc++)
		total += counts->by_dc[dc];
	return total;
}

static bool each_quorum(const struct mp_sim_cluster *cluster, const struct mp_sim_strategy *strategy,
                        const struct mp_sim_counts *counts, int32_t *required, int32_t *have)
{
	*required = *have = 0;
	for (size_t dc = 0; dc < cluster->dc_count; dc++) {
		if (strategy->dc_rf[dc] == 0)
			continue;
		int32_t quorum = strategy->dc_rf[dc] / 2 + 1;
		if (counts->by_dc[dc] < quorum) {
			*required = quorum;
			*have = counts->by_dc[dc];
			return false;
		}
		*required += quorum;
		*have += counts->by_dc[dc];
	}
	return true;
}

bool mp_sim_level_reached(const struct mp_sim_cluster *cluster, const struct mp_sim_strategy *strategy,
                          uint16_t level, uint8_t local_dc, const struct mp_sim_counts *counts,
                          int32_t *required, int32_t *have)
{
	bool network = strategy->kind == MP_SIM_NETWORK_STRATEGY;
	*have = all_of(counts);
	switch (level) {
	case MP_CL_ANY: *required = 0; break;
	case MP_CL_TWO: *required = 2; break;
	case MP_CL_THREE: *required = 3; break;
	case MP_CL_QUORUM:
	case MP_CL_SERIAL: *required = strategy->rf / 2 + 1; break;
	case MP_CL_ALL: *required = strategy->rf; break;
	case MP_CL_LOCAL_ONE:
		*required = 1;
		*have = counts->by_dc[local_dc];
		break;
	case MP_CL_LOCAL_QUORUM:
	case MP_CL_LOCAL_SERIAL:
		*required = (network ? strategy->dc_rf[local_dc] : strategy->rf) / 2 + 1;
		*have = counts->by_dc[local_dc];
		break;
	case MP_CL_EACH_QUORUM:
		if (network)
			return each_quorum(cluster, strategy, counts, required, have);
		*required = strategy->rf / 2 + 1;
		break;
	default: *required = 1; break;
	}
	return *have >= *required;
}

static bool believed(const struct mp_sim_node *self, const struct mp_sim_node *other)
{
	return self == other || other->believed_up;
}

int mp_sim_coord_available(struct mp_sim_request *req, const struct mp_sim_replica_set *set, uint16_t level)
{
	const struct mp_sim_node *self = req->conn->owner;
	struct mp_sim_counts alive = {{0}};
	for (size_t i = 0; i < set->count; i++) {
		const struct mp_sim_node *node = self->cluster->nodes[set->nodes[i]];
		if (believed(self, node))
			mp_sim_count_node(&alive, node);
	}
	struct mp_error_body *body = &req->err.body;
	int32_t required, have;
	if (mp_sim_level_reached(self->cluster, set->strategy, level, self->dc, &alive, &required, &have))
		return 0;
	body->consistency = level;
	body->required = required;
	body->received = have;
	return mp_sim_fail(&req->err, MP_SE_UNAVAILABLE, "Cannot achieve consistency level %s",
	                   mp_consistency_name(level));
}

static bool is_local_level(uint16_t level)
{
	return level == MP_CL_LOCAL_ONE || level == MP_CL_LOCAL_QUORUM || level == MP_CL_LOCAL_SERIAL;
}

int mp_sim_coord_pick(struct mp_sim_request *req, const struct mp_sim_replica_set *set, uint16_t level,
                      struct mp_sim_replica_set *out)
{
	const struct mp_sim_node *self = req->conn->owner;
	int rc = mp_sim_coord_available(req, set, level);
	if (rc < 0)
		return rc;
	struct mp_sim_counts counts = {{0}};
	int32_t required, have;
	out->count = 0;
	out->strategy = set->strategy;
	// The coordinator itself first, then its datacentre, then the others.
	for (int distance = 0; distance < 3; distance++) {
		for (size_t i = 0; i < set->count; i++) {
			const struct mp_sim_node *node = self->cluster->nodes[set->nodes[i]];
			int its = node == self ? 0 : node->dc == self->dc ? 1 : 2;
			if (its != distance || !mp_sim_node_answers(node) || !believed(self, node))
				continue;
			if (its == 2 && is_local_level(level))
				continue;
			if (out->count > 0 && mp_sim_level_reached(self->cluster, set->strategy, level, self->dc, &counts,
			                                           &required, &have))
				return 0;
			out->nodes[out->count++] = node->index;
			mp_sim_count_node(&counts, node);
		}
	}
	bool reached =
		mp_sim_level_reached(self->cluster, set->strategy, level, self->dc, &counts, &required, &have);
	return reached && out->count > 0 ? 0 : MP_EAGAIN;
}
