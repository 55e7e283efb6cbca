// SPDX-License-Identifier: Apache-2.0
#include "cluster/metrics.h"

#include "cluster/session_internal.h"

#define NS_PER_MS        UINT64_C(1000000)
#define REFRESH_MS       1000u // how old a remembered quantile may be
#define SHORTEST_SECONDS 1.0   // a rate of less would say more than it knows
#define LOOKED_AT_LEAST  32u   // keys, before one of them is called hot

static const uint32_t no_states[MP_WINDOW_STATES]; // the session's are those of its hosts

// ---- slots ------------------------------------------------------------------------------------------------

static uint32_t slot_ms(const struct mp_metrics *metrics)
{
	uint32_t interval_ms = metrics->session->config.metrics_interval_ms;
	return (interval_ms + MP_WINDOW_SLOTS - 1) / MP_WINDOW_SLOTS;
}

static void totals_of_session(const struct mp_session *session, uint64_t totals[MP_WINDOW_TOTALS])
{
	const struct mp_session_counters *counters = &session->counters;
	totals[MP_GAIN_ERRORS] = counters->errors;
	totals[MP_GAIN_TIMEOUTS] = counters->timeouts;
	totals[MP_GAIN_RETRIES] = counters->retries;
	totals[MP_GAIN_RETRIES_REFUSED] = counters->retries_refused;
	totals[MP_GAIN_QUEUED] = counters->queued;
	totals[MP_GAIN_BUSY] = counters->busy;
}

static void totals_of_host(const struct mp_host *host, uint64_t totals[MP_WINDOW_TOTALS])
{
	const struct mp_pool *pool = &host->pool;
	totals[MP_HOST_ATTEMPTS] = host->requests;
	totals[MP_HOST_ERRORS] = host->errors;
	totals[MP_HOST_TIMEOUTS] = host->timeouts;
	totals[MP_HOST_OPENED] = pool->opened_total;
	totals[MP_HOST_ENDED] = mp_pool_ended_total(pool);
	totals[MP_HOST_FAILED] = pool->failed_total;
}

static void states_of_host(const struct mp_host *host, uint32_t states[MP_WINDOW_STATES])
{
	const struct mp_pool *pool = &host->pool;
	uint32_t in_flight = mp_pool_in_flight(pool);
	uint64_t mark = (uint64_t)pool->limits.grow_at * pool->ready_count;
	states[MP_STATE_IN_FLIGHT] = in_flight;
	states[MP_STATE_ROOM] = pool->ready_count * pool->settings->max_streams;
	states[MP_STATE_CROWDED] =
		pool->ready_count > 0 && pool->ready_count >= pool->limits.max && in_flight >= mark;
}

static void turn_host(struct mp_host *host)
{
	uint64_t totals[MP_WINDOW_TOTALS];
	uint32_t states[MP_WINDOW_STATES];
	totals_of_host(host, totals);
	states_of_host(host, states);
	mp_window_turn(&host->window, totals, states);
}

static void turn(struct mp_metrics *metrics)
{
	struct mp_session *session = metrics->session;
	uint64_t totals[MP_WINDOW_TOTALS];
	totals_of_session(session, totals);
	metrics->began_ns[metrics->requests.next] = metrics->present_ns;
	metrics->present_ns = mp_loop_now_ns(session->loop);
	mp_window_turn(&metrics->requests, totals, no_states);
	for (uint32_t i = 0; i < session->hosts.live_count; i++)
		turn_host(session->hosts.live[i]);
	if (metrics->requests.next == 0)
		mp_hot_keys_age(&metrics->keys);
}

static void on_timer(void *data)
{
	struct mp_metrics *metrics = data;
	struct mp_session *session = metrics->session;
	turn(metrics);
	if (metrics->requests.next == 0 && session->config.metrics)
		mp_session_tell(session, MP_EVENT_METRICS, NULL, NULL, NULL);
	if (mp_timer_start_ms(&metrics->timer, slot_ms(metrics)) != 0)
		mp_log_write(&session->log, MP_LOG_ERROR, "out of memory for the timer of metrics: they stand still");
}

void mp_metrics_init(struct mp_metrics *metrics, struct mp_session *session)
{
	*metrics = (struct mp_metrics){.session = session};
	mp_hot_keys_init(&metrics->keys);
	mp_timer_init(&metrics->timer, session->loop, on_timer, metrics);
}

void mp_metrics_deinit(struct mp_metrics *metrics)
{
	mp_window_deinit(&metrics->requests);
}

int mp_metrics_start(struct mp_metrics *metrics)
{
	if (metrics->present_ns == 0)
		metrics->present_ns = mp_loop_now_ns(metrics->session->loop);
	return mp_timer_start_ms(&metrics->timer, slot_ms(metrics));
}

void mp_metrics_stop(struct mp_metrics *metrics)
{
	mp_timer_stop(&metrics->timer);
}

void mp_metrics_reconfigure(struct mp_metrics *metrics)
{
	if (mp_timer_active(&metrics->timer) && mp_metrics_start(metrics) != 0)
		mp_log_write(&metrics->session->log, MP_LOG_ERROR, "out of memory for the timer of metrics");
}

// ---- figures ----------------------------------------------------------------------------------------------

static double seconds_of(const struct mp_metrics *metrics)
{
	const struct mp_window *window = &metrics->requests;
	if (metrics->present_ns == 0)
		return 0;
	uint64_t began_ns = metrics->present_ns;
	if (window->ended > 0)
		began_ns = metrics->began_ns[window->ended < MP_WINDOW_SLOTS ? 0 : window->next];
	return (double)(mp_loop_clock_ns(metrics->session->loop) - began_ns) / 1e9;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : part > whole ? 1 : (double)part / (double)whole;
}

static void fill(const struct mp_metrics *metrics, const struct mp_window *window,
                 const uint64_t totals[MP_WINDOW_TOTALS], const uint32_t now[MP_WINDOW_STATES],
                 struct mp_figures *figures)
{
	static const double quantiles[] = {0.5, 0.95, 0.99, 0.999, 1};
	uint64_t us[MP_ARRAY_LEN(quantiles)];
	struct mp_window_view view;
	mp_window_look(window, totals, &view);
	mp_window_quantiles(&view, quantiles, MP_ARRAY_LEN(quantiles), us);
	double seconds = seconds_of(metrics);
	*figures = (struct mp_figures){
		.seconds = seconds,
		.ended = view.count,
		.per_second = (double)view.count / (seconds < SHORTEST_SECONDS ? SHORTEST_SECONDS : seconds),
		.mean_ms = mp_window_mean(&view) / 1000,
		.p50_ms = (double)us[0] / 1000,
		.p95_ms = (double)us[1] / 1000,
		.p99_ms = (double)us[2] / 1000,
		.p999_ms = (double)us[3] / 1000,
		.max_ms = (double)us[4] / 1000,
		.utilization = share(view.states[MP_STATE_IN_FLIGHT] + now[MP_STATE_IN_FLIGHT],
	                         view.states[MP_STATE_ROOM] + now[MP_STATE_ROOM]),
		.crowded = share(view.states[MP_STATE_CROWDED] + now[MP_STATE_CROWDED], view.ended + 1),
	};
	for (size_t i = 0; i < MP_WINDOW_TOTALS; i++)
		figures->gained[i] = view.gained[i];
}

void mp_session_figures(const struct mp_session *session, struct mp_figures *figures)
{
	uint64_t totals[MP_WINDOW_TOTALS];
	totals_of_session(session, totals);
	fill(&session->metrics, &session->metrics.requests, totals, no_states, figures);
	figures->error_rate = share(figures->gained[MP_GAIN_ERRORS], figures->ended);
}

bool mp_session_keeps_metrics(const struct mp_session *session)
{
	return session->config.metrics;
}

// An attempt that fails without an answer (a loss, a timeout) ends, too.
void mp_session_host_figures(const struct mp_session *session, const struct mp_host *host,
                             struct mp_figures *figures)
{
	uint64_t totals[MP_WINDOW_TOTALS];
	uint32_t now[MP_WINDOW_STATES];
	totals_of_host(host, totals);
	states_of_host(host, now);
	fill(&session->metrics, &host->window, totals, now, figures);
	uint64_t failed = figures->gained[MP_HOST_ERRORS];
	uint64_t sent = figures->gained[MP_HOST_ATTEMPTS];
	figures->error_rate = share(failed, sent > failed ? sent : failed);
}

void mp_pool_sums_add(struct mp_pool_sums *sums, const struct mp_host *host, const struct mp_figures *figures)
{
	double room = (double)host->pool.ready_count * host->pool.settings->max_streams;
	sums->ended += (double)figures->gained[MP_HOST_ENDED];
	sums->in_use += figures->utilization * room;
	sums->room += room;
}

double mp_pool_sums_turnover(const struct mp_pool_sums *sums, double seconds)
{
	return sums->ended / ((seconds < SHORTEST_SECONDS ? SHORTEST_SECONDS : seconds) / 60);
}

double mp_pool_sums_utilization(const struct mp_pool_sums *sums)
{
	return sums->room > 0 ? sums->in_use / sums->room : 0;
}

double mp_session_hottest(const struct mp_session *session, int64_t *token, uint64_t *looked_at)
{
	const struct mp_hot_keys *keys = &session->metrics.keys;
	uint64_t most = 0;
	for (size_t i = 0; i < MP_HOT_KEYS; i++) {
		if (keys->keys[i].count <= most)
			continue;
		most = keys->keys[i].count;
		*token = keys->keys[i].token;
	}
	*looked_at = keys->looked_at;
	return keys->looked_at < LOOKED_AT_LEAST ? 0 : share(most, keys->looked_at);
}

// ---- quantiles for policies -------------------------------------------------------------------------------

// A policy asks for each request: the answer is remembered for a second.
double mp_session_recent_ms(struct mp_session *session, double quantile, uint32_t least)
{
	struct mp_metrics *metrics = &session->metrics;
	uint64_t now_ms = mp_loop_now_ms(session->loop);
	size_t at = 0;
	while (at < MP_RECENT_ANSWERS && metrics->answers[at].quantile != quantile)
		at++;
	bool is_new = at == MP_RECENT_ANSWERS;
	if (is_new)
		at = metrics->next_answer++ % MP_RECENT_ANSWERS;
	if (is_new || now_ms - metrics->answers[at].at_ms >= REFRESH_MS) {
		struct mp_window_view view;
		uint64_t totals[MP_WINDOW_TOTALS];
		totals_of_session(session, totals);
		mp_window_look(&metrics->requests, totals, &view);
		metrics->answers[at].quantile = quantile;
		metrics->answers[at].at_ms = now_ms;
		metrics->answers[at].count = view.count;
		mp_window_quantiles(&view, &quantile, 1, &metrics->answers[at].value);
	}
	bool known = metrics->answers[at].count > 0 && metrics->answers[at].count >= least;
	return known ? (double)metrics->answers[at].value / 1000 : -1;
}
