// SPDX-License-Identifier: Apache-2.0
// What a session does, measured over a sliding window: the last `metrics_interval_ms`, in ten slots that a timer ends,
// whoever asks and however often. Requests pay for their window (base/window.h) and for a count until the next key that
// is looked at; figures are made when somebody wants them.
//
// Two things are measured: requests, from submit to end with all their attempts, in the session's window; and what
// hosts answer, attempt by attempt, in each host's.
#pragma once

#include "base/window.h"
#include "cluster/hot_keys.h"
#include "loop/loop.h"

struct mp_host;
struct mp_session;

// What windows count beside latencies; the session's and a host's.
enum {
	MP_GAIN_ERRORS,
	MP_GAIN_TIMEOUTS,
	MP_GAIN_RETRIES,
	MP_GAIN_RETRIES_REFUSED,
	MP_GAIN_QUEUED,
	MP_GAIN_BUSY
};
enum { MP_HOST_ATTEMPTS, MP_HOST_ERRORS, MP_HOST_TIMEOUTS, MP_HOST_OPENED, MP_HOST_ENDED, MP_HOST_FAILED };
// What is looked at when a slot ends. CROWDED: 1, the pool has all connections that it may have, and each has so many
// requests in flight that it would open another one.
enum { MP_STATE_IN_FLIGHT, MP_STATE_ROOM, MP_STATE_CROWDED };

#define MP_RECENT_ANSWERS 4 // different quantiles that are remembered

struct mp_metrics {
	struct mp_window requests;
	struct mp_hot_keys keys;
	struct mp_session *session;
	struct mp_timer timer;
	uint64_t began_ns[MP_WINDOW_SLOTS]; // of the ended slots, as in the windows' rings
	uint64_t present_ns;                // when the present slot began; 0: not yet
	uint64_t told_ns;                   // when the last METRICS event was
	struct {
		double quantile;
		uint64_t at_ms, count, value;
	} answers[MP_RECENT_ANSWERS];
	uint32_t next_answer;
};

void mp_metrics_init(struct mp_metrics *metrics, struct mp_session *session);
void mp_metrics_deinit(struct mp_metrics *metrics);
int mp_metrics_start(struct mp_metrics *metrics) MP_MUST_CHECK; // MP_ENOMEM
void mp_metrics_stop(struct mp_metrics *metrics);
void mp_metrics_reconfigure(struct mp_metrics *metrics); // another interval: the next slot has its length

// Times are milliseconds. `ended`: requests that ended, or attempts that were answered.
struct mp_figures {
	double seconds; // how long the window is by now; less than the interval while the session is young
	uint64_t ended;
	double per_second;
	double mean_ms, p50_ms, p95_ms, p99_ms, p999_ms, max_ms;
	double error_rate;  // share of failed ones among all that ended
	double utilization; // of a host: stream ids in use, the mean over the slots' ends
	double crowded;     // of a host: share of the slots that ended CROWDED
	uint64_t gained[MP_WINDOW_TOTALS];
};
bool mp_session_keeps_metrics(const struct mp_session *session); // false: switched off by the configuration
void mp_session_figures(const struct mp_session *session, struct mp_figures *figures);
void mp_session_host_figures(const struct mp_session *session, const struct mp_host *host,
                             struct mp_figures *figures);
// Of all hosts together: their figures are added, then the pool is asked.
struct mp_pool_sums {
	double ended, in_use, room;
};
void mp_pool_sums_add(struct mp_pool_sums *sums, const struct mp_host *host,
                      const struct mp_figures *figures);
// Connections that ended, in a minute at this pace; and the share of all stream ids that was in use.
double mp_pool_sums_turnover(const struct mp_pool_sums *sums, double seconds);
double mp_pool_sums_utilization(const struct mp_pool_sums *sums);
// The key that is asked for most, if one was looked at often enough: its token and its share of the window's requests
// that have a key, 0 otherwise.
double mp_session_hottest(const struct mp_session *session, int64_t *token, uint64_t *looked_at);
