// SPDX-License-Identifier: Apache-2.0
// What it costs to find the replicas of a token: the search in the ring and the row of the placement. Tokens are
// random, so neither the caches nor the branch predictor know the way. The loop around the search is in the figure.
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "client.h"
#include "cluster/plan/placement.h"

#define TOKENS_PER_HOST 16
#define REPLICAS        3
#define QUESTIONS       4096
#define SEARCHES        400000
#define BATCHES         25

static void die(const char *what)
{
	fprintf(stderr, "ring_cost: %s\n", what);
	exit(1);
}

static void make_hosts(struct mp_view *view, uint32_t hosts)
{
	if (mp_view_init(view) != 0 || mp_view_dc_id(view, "dc1") < 0 ||
	    mp_view_rack_id(view, "dc1", "rack1") < 0)
		die("out of memory");
	for (uint32_t i = 0; i < hosts; i++)
		view->hosts[i] = (struct mp_host_view){.index = i, .generation = 1, .isLocal = true, .isUp = true};
	view->host_count = hosts;
	view->local_dc = 0;
	if (mp_view_rebuild(view) != 0)
		die("out of memory");
}

static struct mp_placement *place(const struct mp_view *view, size_t count, struct mp_rand *rand)
{
	struct mp_ring_token *tokens = calloc(count, sizeof(*tokens));
	if (tokens == NULL)
		die("out of memory");
	for (size_t i = 0; i < count; i++)
		tokens[i] = (struct mp_ring_token){(int64_t)mp_rand_u64(rand), (uint16_t)(i % view->host_count)};
	struct mp_ring *ring = mp_ring_new(tokens, count);
	free(tokens);
	struct mp_replication replication = {.strategy = MP_STRATEGY_SIMPLE, .rf = REPLICAS};
	struct mp_placement *placement = ring == NULL ? NULL : mp_placement_new(ring, &replication, view);
	if (placement == NULL)
		die("out of memory");
	while (!mp_placement_step(placement, view, 1000)) {}
	mp_ring_unref(ring);
	return placement;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double measure(const struct mp_placement *placement, struct mp_rand *rand)
{
	static int64_t questions[QUESTIONS];
	static double batches[BATCHES];
	volatile uint64_t sink;
	uint64_t sum = 0;
	for (int i = 0; i < QUESTIONS; i++)
		questions[i] = (int64_t)mp_rand_u64(rand);
	for (int batch = 0; batch < BATCHES; batch++) {
		uint64_t from_ns = bench_now_ns();
		for (int i = 0; i < SEARCHES; i++) {
			uint32_t count;
			sum += *mp_placement_find(placement, questions[i % QUESTIONS], &count);
		}
		batches[batch] = (double)(bench_now_ns() - from_ns) / SEARCHES;
	}
	sink = sum;
	(void)sink;
	qsort(batches, BATCHES, sizeof(batches[0]), ascending);
	return batches[BATCHES / 2];
}

int main(int argc, char **argv)
{
	int tokens = argc > 1 ? atoi(argv[1]) : 1600;
	if (tokens < REPLICAS * TOKENS_PER_HOST || tokens > MP_HOSTS_MAX * TOKENS_PER_HOST)
		die("usage: ring_cost [TOKENS]");
	static struct mp_view view;
	struct mp_rand rand;
	mp_rand_seed(&rand, 7);
	make_hosts(&view, (uint32_t)tokens / TOKENS_PER_HOST);
	struct mp_placement *placement = place(&view, (size_t)tokens, &rand);
	printf("lookup=1 tokens=%d ns=%.2f\n", tokens, measure(placement, &rand));
	mp_placement_unref(placement);
	mp_view_deinit(&view);
	return 0;
}
