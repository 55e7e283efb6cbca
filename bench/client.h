// SPDX-License-Identifier: Apache-2.0
// What the clients in C share: their options, the window in which they measure, and the line of figures they print.
#pragma once

#include "base/hist.h"

// Which rows are asked for.
struct bench_rows {
	const char *name; // of --rows
	const char *cql;
};

struct bench_options {
	unsigned port;
	unsigned version;     // of the protocol: 4 or 5
	unsigned outstanding; // requests in flight
	unsigned nodes;       // raw_client: one connection to each
	double warm_up;       // seconds before those that are measured
	double seconds;       // measured
	const struct bench_rows *rows;
	unsigned busy_poll_us; // of the configuration
	const char *tls;       // PEM file of the authority of a server that speaks it; NULL: none
	const char *policies;  // a folder whose policies are used before the built-in ones; NULL: none
	double swap_ms;        // c_client: a new policy file in that folder so often; 0: never
};
// Ends the process with a message when they make no sense.
void bench_options_read(struct bench_options *options, int argc, char **argv);

// The measured window. Ask bench_window_is_due() now and then; when it is, tell what was counted so far since the
// process began. A window in which nothing was answered yet, the server having had no time, goes on.
struct bench_counts {
	uint64_t requests;
	uint64_t allocations;
	uint64_t policy_calls;
	uint64_t policy_fallbacks;
	uint64_t swaps;
	uint64_t busy_polls;
};
struct bench_window {
	enum { BENCH_WARM_UP, BENCH_MEASURE, BENCH_OVER } phase;
	uint64_t began_ns, ended_ns;
	uint64_t began_cpu_ns, ended_cpu_ns;
	uint64_t length_ns;
	uint64_t due_ns; // when the phase ends
	struct bench_counts first, last;
};
void bench_window_init(struct bench_window *window, const struct bench_options *options);
bool bench_window_is_due(const struct bench_window *window);
void bench_window_next(struct bench_window *window, const struct bench_counts *counts);

// One line "client=raw version=4 ..."; `latency_ns` and what `counts_all` says may be missing.
void bench_report(const char *client, const struct bench_options *options, const struct bench_window *window,
                  const struct mp_hist *latency_ns, bool counts_all);

uint64_t bench_now_ns(void);
uint64_t bench_cpu_ns(void); // used by this process so far
