// SPDX-License-Identifier: Apache-2.0
// What one routing decision costs: TokenAwarePolicy as Lua, in its policy state, against the same policy in C, in the
// same process and on the same requests. A decision is all that a request needs: the plan is made, and its first host
// is found through the token ring. `--only` counts decisions for callgrind: "loop" is the loop around them alone,
// "find" has the search in the ring as well, so that both can be taken off.
//
// Half of the hosts stand in another datacentre (three hosts: none), 2 of 100 are down, three local replicas.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "client.h"
#include "cluster/plan/policy.h"
#include "cluster/plan/ring.h"
#include "loop/loop.h"
#include "policy/policies.h"

#define REQUESTS        4096 // distinct ones, so that the branch predictor cannot learn them by heart
#define TOKENS_PER_HOST 16
#define REPLICAS        3
#define BATCH           20000 // decisions between two looks at the clock
#define BATCHES         25
#define WARM_UP         200000

struct question {
	int64_t token;
	struct mp_request_view view;
};

struct world {
	uint32_t hosts;
	struct mp_loop *loop;
	struct mp_view view;
	struct mp_placement *placement;
	struct mp_policies *scripts;
	struct mp_balance_policy lua, c;
	struct mp_rand rand;
	struct question questions[REQUESTS];
	uint64_t given; // sum of the hosts chosen, so that no choice is left out
};

static void die(const char *what)
{
	fprintf(stderr, "policy_cost: %s\n", what);
	exit(1);
}

static void must(int rc, const char *what)
{
	if (rc < 0)
		die(what);
}

// ---- the world
// ------------------------------------------------------------------------------------------------------

static void make_hosts(struct world *world)
{
	struct mp_view *view = &world->view;
	must(mp_view_init(view), "view");
	for (uint32_t i = 0; i < world->hosts; i++) {
		bool local = world->hosts <= REPLICAS || i % 2 == 0;
		int dc = mp_view_dc_id(view, local ? "dc1" : "dc2");
		int rack = mp_view_rack_id(view, local ? "dc1" : "dc2", "rack1");
		must(dc, "datacentre");
		must(rack, "rack");
		view->hosts[i] = (struct mp_host_view){
			.index = i,
			.generation = 1,
			.weight = 1,
			.dcId = (uint16_t)dc,
			.rackId = (uint16_t)rack,
			.isLocal = local,
			.isUp = i % 50 != 49,
		};
		view->host_count = i + 1;
		if (!local)
			view->remote_order[0] = (uint16_t)dc;
	}
	view->local_dc = 0;
	view->remote_count = (uint16_t)(view->dc_count - 1);
	must(mp_view_rebuild(view), "groups");
}

static void make_placement(struct world *world)
{
	size_t count = (size_t)world->hosts * TOKENS_PER_HOST;
	struct mp_ring_token *tokens = calloc(count, sizeof(*tokens));
	if (tokens == NULL)
		die("tokens");
	for (size_t i = 0; i < count; i++)
		tokens[i] = (struct mp_ring_token){(int64_t)mp_rand_u64(&world->rand), (uint16_t)(i % world->hosts)};
	struct mp_ring *ring = mp_ring_new(tokens, count);
	free(tokens);
	struct mp_replication replication = {.strategy = MP_STRATEGY_NETWORK, .dc_count = world->view.dc_count};
	for (uint16_t i = 0; i < replication.dc_count; i++) {
		replication.dcs[i].dc_id = i;
		replication.dcs[i].rf = REPLICAS;
	}
	if (ring != NULL)
		world->placement = mp_placement_new(ring, &replication, &world->view);
	if (world->placement == NULL)
		die("placement");
	while (!mp_placement_step(world->placement, &world->view, 1000)) {}
	mp_ring_unref(ring);
}

static void make_policies(struct world *world)
{
	struct mp_policies_config config = {0};
	config.choices[MP_POLICY_BALANCE].policy = "TokenAwarePolicy";
	char message[512];
	world->scripts = mp_policies_new(world->loop, &config, message, sizeof(message), NULL);
	if (world->scripts == NULL)
		die(message);
	must(mp_policies_bind(world->scripts, &world->view, NULL, message, sizeof(message)), "bind");
	world->lua = mp_policies_get(world->scripts)->balance;
	world->c = (struct mp_balance_policy){NULL, mp_default_plan};
}

static void make_questions(struct world *world)
{
	for (size_t i = 0; i < REQUESTS; i++)
		world->questions[i] = (struct question){
			.token = (int64_t)mp_rand_u64(&world->rand),
			.view = {.hasToken = true, .isRead = true, .isLocalConsistency = true, .attempt = 1},
		};
}

static struct world *world_new(uint32_t hosts)
{
	struct world *world = calloc(1, sizeof(*world));
	if (world == NULL)
		die("out of memory");
	world->hosts = hosts;
	world->loop = mp_loop_uv_new(NULL, 1);
	if (world->loop == NULL)
		die("loop");
	mp_rand_seed(&world->rand, 7);
	make_hosts(world);
	make_placement(world);
	make_policies(world);
	make_questions(world);
	return world;
}

static void world_free(struct world *world)
{
	mp_policies_free(world->scripts);
	mp_placement_unref(world->placement);
	mp_view_deinit(&world->view);
	mp_loop_free(world->loop);
	free(world);
}

// ---- measuring
// ------------------------------------------------------------------------------------------------------

static void find(struct world *world, uint64_t count, bool in_ring)
{
	for (uint64_t i = 0; i < count; i++) {
		const struct question *question = &world->questions[i % REQUESTS];
		uint32_t replicas = (uint32_t)mp_rand_u64(&world->rand);
		if (in_ring)
			world->given += *mp_placement_find(world->placement, question->token, &replicas);
		world->given += replicas;
	}
}

static void decide(struct world *world, const struct mp_balance_policy *policy, uint64_t count)
{
	struct mp_plan plan;
	for (uint64_t i = 0; i < count; i++) {
		const struct question *question = &world->questions[i % REQUESTS];
		mp_plan_init(&plan, &world->view, world->placement, true, question->token, mp_rand_u64(&world->rand));
		if (!policy->plan(policy->self, &question->view, &plan))
			die("a decision failed");
		world->given += mp_plan_next(&plan, NULL);
	}
}

static double batch_ns(struct world *world, const struct mp_balance_policy *policy)
{
	uint64_t from_ns = bench_now_ns();
	decide(world, policy, BATCH);
	return (double)(bench_now_ns() - from_ns) / BATCH;
}

static void decide_some(struct world *world, const char *what, uint64_t count)
{
	if (strcmp(what, "c") == 0 || strcmp(what, "lua") == 0)
		decide(world, *what == 'c' ? &world->c : &world->lua, count);
	else
		find(world, count, strcmp(what, "find") == 0);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void measure(struct world *world)
{
	static double lua[BATCHES], c[BATCHES];
	struct mp_policy_info before, after;
	decide(world, &world->lua, WARM_UP);
	decide(world, &world->c, WARM_UP);
	bool ok = mp_policies_info(world->scripts, MP_POLICY_BALANCE, &before);
	for (int i = 0; i < BATCHES; i++) {
		c[i] = batch_ns(world, &world->c);
		lua[i] = batch_ns(world, &world->lua);
	}
	qsort(lua, BATCHES, sizeof(lua[0]), ascending);
	qsort(c, BATCHES, sizeof(c[0]), ascending);
	if (!ok || !mp_policies_info(world->scripts, MP_POLICY_BALANCE, &after) || after.errors > 0)
		die("the Lua policy did not answer");
	printf("decision=1 hosts=%u lua_ns=%.2f c_ns=%.2f compiled=%d bytes=%.4f allocations=%llu\n",
	       world->hosts, lua[BATCHES / 2], c[BATCHES / 2], after.is_compiled,
	       (double)(after.given_bytes - before.given_bytes) / (BATCHES * (double)BATCH),
	       (unsigned long long)(after.allocations - before.allocations));
}

static unsigned long number(const char *text, unsigned long max)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	if (*text == '\0' || *end != '\0' || value == 0 || value > max) {
		fprintf(stderr, "policy_cost: \"%s\" is not a number from 1 to %lu\n", text, max);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"hosts", required_argument, NULL, 'n'},
		{"only", required_argument, NULL, 'o'},
		{"decisions", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	unsigned long hosts = 100, decisions = 100000;
	const char *only = NULL;
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'n': hosts = number(optarg, MP_HOSTS_MAX); break;
		case 'o': only = optarg; break;
		case 'd': decisions = number(optarg, 1000000000); break;
		default:
			printf("usage: policy_cost [--hosts 100]                              nanoseconds of a decision\n"
			       "       policy_cost [--hosts 100] --only c|lua|loop|find --decisions N    N of them, to "
			       "be counted\n");
			return option == 'h' ? 0 : 2;
		}
	}
	struct world *world = world_new((uint32_t)hosts);
	if (only == NULL)
		measure(world);
	else
		decide_some(world, only, decisions);
	world_free(world);
	return 0;
}
