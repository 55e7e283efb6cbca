// SPDX-License-Identifier: Apache-2.0
// What it costs to bring a new generation of TokenAwarePolicy into force, off the request path: the whole, and its
// phases as policy/reload.c tells them. Nothing is cached between two reloads but the trusted modules' code.
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "client.h"
#include "loop/loop.h"
#include "policy/policies_internal.h"

#define RELOADS_MAX 100000

static void die(const char *what)
{
	fprintf(stderr, "reload_cost: %s\n", what);
	exit(1);
}

static void be_silent(void *data, enum mp_log_level level, const char *line)
{
	(void)data, (void)level, (void)line;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), ascending);
	return values[count / 2];
}

// Both are done in turns of their own.
static void measure_later(struct mp_policies *policies, int count, double *spare_us, double *free_us)
{
	double *spare = calloc((size_t)count, sizeof(double)), *release = calloc((size_t)count, sizeof(double));
	struct mp_policy_slot *slot = &policies->slots[MP_POLICY_BALANCE];
	char message[512];
	for (int i = 0; i < count; i++) {
		if (mp_policies_reload(policies, message, sizeof(message)) != 0)
			die(message);
		uint64_t from_ns = bench_now_ns();
		mp_generation_free(slot->discarded);
		slot->discarded = NULL;
		release[i] = (double)(bench_now_ns() - from_ns) / 1000;
		from_ns = bench_now_ns();
		mp_policy_make_spare(policies);
		spare[i] = (double)(bench_now_ns() - from_ns) / 1000;
		mp_loop_turn(policies->loop, 0);
	}
	*spare_us = median(spare, count);
	*free_us = median(release, count);
	free(spare);
	free(release);
}

static void report(double *total_us, double *phases_us[MP_LOAD_PHASES], int count)
{
	static const char *const names[MP_LOAD_PHASES] = {"state", "files",   "contract",
	                                                  "again", "warm_up", "swap"};
	printf("reload=1 median_us=%.1f", median(total_us, count));
	printf(" p99_us=%.1f worst_us=%.1f", total_us[count - 1 - count / 100], total_us[count - 1]);
	for (int i = 0; i < MP_LOAD_PHASES; i++)
		printf(" %s_us=%.1f", names[i], median(phases_us[i], count));
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1000;
	if (count < 1 || count > RELOADS_MAX)
		die("usage: reload_cost [RELOADS]");
	struct mp_loop *loop = mp_loop_uv_new(NULL, 1);
	struct mp_policies_config config = {0};
	config.choices[MP_POLICY_BALANCE].policy = "TokenAwarePolicy";
	char message[512];
	static struct mp_view view;
	if (loop == NULL || mp_view_init(&view) != 0)
		die("out of memory");
	mp_loop_log(loop)->sink = be_silent;
	struct mp_policies *policies = mp_policies_new(loop, &config, message, sizeof(message), NULL);
	if (policies == NULL)
		die(message);
	if (mp_policies_bind(policies, &view, NULL, message, sizeof(message)) != 0)
		die(message);
	double *total_us = calloc((size_t)count, sizeof(double)), *phases_us[MP_LOAD_PHASES];
	for (int i = 0; i < MP_LOAD_PHASES; i++)
		phases_us[i] = calloc((size_t)count, sizeof(double));
	for (int n = 0; n < count; n++) {
		uint64_t from_ns = bench_now_ns();
		if (mp_policies_reload(policies, message, sizeof(message)) != 0)
			die(message);
		total_us[n] = (double)(bench_now_ns() - from_ns) / 1000;
		for (int i = 0; i < MP_LOAD_PHASES; i++)
			phases_us[i][n] = (double)policies->reload.phase_ns[i] / 1000;
		// Where the generation before the last one is freed, and then the next state made.
		do
			mp_loop_turn(loop, 2);
		while (policies->reload.spare == NULL);
	}
	report(total_us, phases_us, count);
	double spare_us, free_us;
	measure_later(policies, count, &spare_us, &free_us);
	printf(" spare_us=%.1f free_us=%.1f\n", spare_us, free_us);
	for (int i = 0; i < MP_LOAD_PHASES; i++)
		free(phases_us[i]);
	free(total_us);
	mp_policies_free(policies);
	mp_view_deinit(&view);
	mp_loop_free(loop);
	return 0;
}
