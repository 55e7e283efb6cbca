// SPDX-License-Identifier: Apache-2.0
#include "sim/store/counter.h"

#include <string.h>

static size_t shard_count(struct mp_bytes state)
{
	return state.len > 0 ? (size_t)state.len / sizeof(struct mp_sim_shard) : 0;
}

static struct mp_sim_shard shard_at(struct mp_bytes state, size_t index)
{
	struct mp_sim_shard shard;
	memcpy(&shard, state.data + index * sizeof(shard), sizeof(shard));
	return shard;
}

int64_t mp_sim_counter_total(struct mp_bytes state)
{
	uint64_t total = 0;
	for (size_t i = 0; i < shard_count(state); i++)
		total += (uint64_t)shard_at(state, i).sum;
	return (int64_t)total;
}

int32_t mp_sim_counter_add(struct mp_bytes state, uint64_t node, int64_t delta, struct mp_sim_shard *out)
{
	size_t count = shard_count(state), at = 0;
	if (count > 0)
		memcpy(out, state.data, count * sizeof(*out));
	while (at < count && out[at].node != node)
		at++;
	if (at == count)
		out[count++] = (struct mp_sim_shard){.node = node};
	out[at].clock++;
	out[at].sum = (int64_t)((uint64_t)out[at].sum + (uint64_t)delta);
	return (int32_t)(count * sizeof(*out));
}

int32_t mp_sim_counter_merge(struct mp_bytes a, struct mp_bytes b, struct mp_sim_shard *out)
{
	size_t count = shard_count(a);
	if (count > 0)
		memcpy(out, a.data, count * sizeof(*out));
	for (size_t i = 0; i < shard_count(b); i++) {
		struct mp_sim_shard shard = shard_at(b, i);
		size_t at = 0;
		while (at < count && out[at].node != shard.node)
			at++;
		if (at == count)
			out[count++] = shard;
		else if (out[at].clock < shard.clock)
			out[at] = shard;
	}
	return (int32_t)(count * sizeof(*out));
}
