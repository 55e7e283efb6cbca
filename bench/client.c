// SPDX-License-Identifier: Apache-2.0
#include "client.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000u
#define WARM_UP_S \
	1.2 // unless asked for another: a session reads the topology once more a second after it connected

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t bench_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

// ---- options
// --------------------------------------------------------------------------------------------------------

static double number(const char *name, const char *text, double min, double max)
{
	char *end;
	double value = strtod(text, &end);
	if (*text == '\0' || *end != '\0' || !(value >= min && value <= max)) {
		fprintf(stderr, "%s: \"%s\" is not a number from %g to %g\n", name, text, min, max);
		exit(2);
	}
	return value;
}

static const struct bench_rows *rows_of(const char *name)
{
	static const struct bench_rows all[] = {
		{"kv", "SELECT value FROM bench.kv WHERE key = ?"},
		{"kv1k", "SELECT value FROM bench.kv1k WHERE key = ?"},
		{"kv10k", "SELECT value FROM bench.kv10k WHERE key = ?"},
		{"wide", "SELECT * FROM bench.wide WHERE key = ?"},
		{"page", "SELECT * FROM bench.page WHERE key = ?"},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(name, all[i].name) == 0)
			return &all[i];
	fprintf(stderr, "--rows: kv, kv1k, kv10k, wide or page expected, not \"%s\"\n", name);
	exit(2);
}

void bench_options_read(struct bench_options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{"port", required_argument, NULL, 'p'},
		{"protocol", required_argument, NULL, 'v'},
		{"outstanding", required_argument, NULL, 'o'},
		{"seconds", required_argument, NULL, 's'},
		{"tls", required_argument, NULL, 't'},
		{"warmup", required_argument, NULL, 'u'},
		{"policies", required_argument, NULL, 'f'},
		{"swap-ms", required_argument, NULL, 'w'},
		{"rows", required_argument, NULL, 'r'},
		{"nodes", required_argument, NULL, 'n'},
		{"busypoll", required_argument, NULL, 'b'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	*options =
		(struct bench_options){.port = 19500, .version = 4, .outstanding = 256, .nodes = 3, .seconds = 1};
	options->warm_up = WARM_UP_S;
	options->rows = rows_of("kv");
	int option;
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 'p': options->port = (unsigned)number("--port", optarg, 1, UINT16_MAX); break;
		case 'v': options->version = (unsigned)number("--protocol", optarg, 4, 5); break;
		case 'o': options->outstanding = (unsigned)number("--outstanding", optarg, 1, 65536); break;
		case 's': options->seconds = number("--seconds", optarg, 0.01, 600); break;
		case 't': options->tls = optarg; break;
		case 'u': options->warm_up = number("--warmup", optarg, 0, 60); break;
		case 'f': options->policies = optarg; break;
		case 'w': options->swap_ms = number("--swap-ms", optarg, 0, 1e6); break;
		case 'r': options->rows = rows_of(optarg); break;
		case 'b': options->busy_poll_us = (unsigned)number("--busypoll", optarg, 0, 100000); break;
		case 'n': options->nodes = (unsigned)number("--nodes", optarg, 1, 1000); break;
		default:
			printf(
				"usage: %s [--port 19500] [--protocol 4|5] [--outstanding 256] [--seconds 1] [--warmup 1.2]"
				" [--tls CA] [--policies FOLDER] [--swap-ms 0] [--rows kv|kv1k|kv10k|wide|page]"
				" [--nodes 3] [--busypoll 0]\n",
				argv[0]);
			exit(option == 'h' ? 0 : 2);
		}
	}
}

// ---- the window
// -----------------------------------------------------------------------------------------------------

void bench_window_init(struct bench_window *window, const struct bench_options *options)
{
	*window = (struct bench_window){
		.phase = BENCH_WARM_UP,
		.length_ns = (uint64_t)(options->seconds * NS_PER_S),
		.due_ns = bench_now_ns() + (uint64_t)(options->warm_up * NS_PER_S),
	};
}

bool bench_window_is_due(const struct bench_window *window)
{
	return window->phase != BENCH_OVER && bench_now_ns() >= window->due_ns;
}

void bench_window_next(struct bench_window *window, const struct bench_counts *counts)
{
	if (window->phase == BENCH_MEASURE && counts->requests == window->first.requests)
		return;
	if (window->phase == BENCH_MEASURE) {
		window->phase = BENCH_OVER;
		window->last = *counts;
		window->ended_cpu_ns = bench_cpu_ns();
		window->ended_ns = bench_now_ns();
		return;
	}
	window->phase = BENCH_MEASURE;
	window->first = *counts;
	window->began_cpu_ns = bench_cpu_ns();
	window->began_ns = bench_now_ns();
	window->due_ns = window->began_ns + window->length_ns;
}

// ---- figures
// --------------------------------------------------------------------------------------------------------

void bench_report(const char *client, const struct bench_options *options, const struct bench_window *window,
                  const struct mp_hist *latency_ns, bool counts_all)
{
	double requests = (double)(window->last.requests - window->first.requests);
	double seconds = (double)(window->ended_ns - window->began_ns) / NS_PER_S;
	double cpu_us = (double)(window->ended_cpu_ns - window->began_cpu_ns) / 1000;
	printf("client=%s rows=%s version=%u outstanding=%u requests=%.0f req_s=%.0f cpu_us=%.4f", client,
	       options->rows->name, options->version, options->outstanding, requests, requests / seconds,
	       cpu_us / requests);
	if (latency_ns != NULL)
		printf(" p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f",
		       (double)mp_hist_quantile(latency_ns, 0.5) / 1000,
		       (double)mp_hist_quantile(latency_ns, 0.99) / 1000,
		       (double)mp_hist_quantile(latency_ns, 0.999) / 1000, (double)latency_ns->max / 1000);
	if (counts_all)
		printf(" swaps=%llu allocations=%llu policy_fallbacks=%llu busy_polls=%llu",
		       (unsigned long long)(window->last.swaps - window->first.swaps),
		       (unsigned long long)(window->last.allocations - window->first.allocations),
		       (unsigned long long)(window->last.policy_fallbacks - window->first.policy_fallbacks),
		       (unsigned long long)(window->last.busy_polls - window->first.busy_polls));
	if (counts_all && window->last.swaps == window->first.swaps) // each generation counts its own
		printf(" policy_calls=%llu",
		       (unsigned long long)(window->last.policy_calls - window->first.policy_calls));
	printf("\n");
}
