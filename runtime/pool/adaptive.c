// SPDX-License-Identifier: Apache-2.0
#include "pool/adaptive.h"

#include <math.h>
#include <string.h>

void mp_adaptive_init(struct mp_adaptive *adaptive)
{
	*adaptive = (struct mp_adaptive){.known = 0};
}

bool mp_adaptive_note(struct mp_adaptive *adaptive, uint32_t in_flight)
{
	adaptive->sum += in_flight;
	adaptive->samples++;
	if (adaptive->peak < in_flight)
		adaptive->peak = in_flight;
	return adaptive->samples >= MP_ADAPTIVE_SAMPLES;
}

static uint32_t within(const struct mp_adaptive_pool *pool, double size)
{
	return size < pool->min ? pool->min : size > pool->max ? pool->max : (uint32_t)size;
}

// Connections of whose room `in_flight` is the target's share.
static double size_for(const struct mp_adaptive_rules *rules, const struct mp_adaptive_pool *pool,
                       double in_flight)
{
	return ceil(in_flight / (rules->target * pool->room) - 1e-9);
}

// The interval is over: its peak joins those before. The most of them all.
static uint32_t remember(struct mp_adaptive *adaptive)
{
	uint32_t most = adaptive->peak;
	memmove(adaptive->peaks + 1, adaptive->peaks, sizeof(adaptive->peaks) - sizeof(adaptive->peaks[0]));
	adaptive->peaks[0] = adaptive->peak;
	if (adaptive->known < MP_ADAPTIVE_MEMORY)
		adaptive->known++;
	for (uint32_t i = 0; i < adaptive->known; i++)
		most = most > adaptive->peaks[i] ? most : adaptive->peaks[i];
	adaptive->sum = adaptive->samples = adaptive->peak = 0;
	return most;
}

static uint32_t shrunk(const struct mp_adaptive_rules *rules, const struct mp_adaptive_pool *pool,
                       uint32_t most)
{
	uint32_t step = pool->size >= 8 ? pool->size / 4 : 1;
	double least = pool->size - step;
	double wanted = size_for(rules, pool, most);
	return within(pool, wanted > least ? wanted : least);
}

uint32_t mp_adaptive_decide(struct mp_adaptive *adaptive, const struct mp_adaptive_rules *rules,
                            const struct mp_adaptive_pool *pool)
{
	double room = (double)pool->size * pool->room;
	double mean = adaptive->samples > 0 ? (double)adaptive->sum / adaptive->samples : 0;
	uint32_t most = remember(adaptive);
	adaptive->utilization = room > 0 ? mean / room : 0;
	if (mean > rules->up * room)
		return within(pool, size_for(rules, pool, mean));
	if (adaptive->known == MP_ADAPTIVE_MEMORY && most < rules->down * room)
		return shrunk(rules, pool, most);
	return within(pool, pool->size);
}

uint32_t mp_adaptive_rush(struct mp_adaptive *adaptive, const struct mp_adaptive_rules *rules,
                          const struct mp_adaptive_pool *pool)
{
	double room = (double)pool->size * pool->room;
	if (adaptive->peak < room)
		adaptive->peak = (uint32_t)room;
	double wanted = size_for(rules, pool, room);
	return within(pool, wanted > pool->size ? wanted : pool->size + 1.0);
}
