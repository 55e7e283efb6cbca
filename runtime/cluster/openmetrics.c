// SPDX-License-Identifier: Apache-2.0
#include "cluster/openmetrics.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text/utf8.h"
#include "cluster/session_internal.h"

struct writer {
	struct mp_buf *out;
	const struct mp_openmetrics_pool *pools;
	size_t count;
	struct mp_session_stats *stats; // of each
};

// ---- families and labels ----------------------------------------------------------------------------------

static void family(struct writer *w, const char *name, const char *type, const char *unit, const char *help)
{
	mp_buf_printf(w->out, "# TYPE moonpool_%s %s\n", name, type);
	if (unit != NULL)
		mp_buf_printf(w->out, "# UNIT moonpool_%s %s\n", name, unit);
	mp_buf_printf(w->out, "# HELP moonpool_%s ", name);
	for (const char *at = help; *at != '\0'; at++) {
		if (*at == '\\' || *at == '"')
			mp_buf_text(w->out, "\\");
		mp_buf_bytes(w->out, at, 1);
	}
	mp_buf_text(w->out, "\n");
}

// A node says the name of its datacentre, so anything may stand in it.
static void label_text(struct mp_buf *out, const char *text)
{
	bool is_text = mp_utf8_is_valid(text, strlen(text));
	for (const char *at = text; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;
		if (c == '\\' || c == '"')
			mp_buf_text(out, "\\");
		bool is_plain = c >= ' ' && c != 0x7f && (c < 0x80 || is_text);
		mp_buf_bytes(out, is_plain ? at : "?", 1);
	}
}

static void host_labels(struct mp_buf *out, uint32_t pool, const struct mp_host *host)
{
	mp_buf_printf(out, "pool=\"%u\",host=\"%s\",datacenter=\"", pool,
	              host != NULL ? host->addr_text : "other");
	label_text(out, host != NULL && host->dc != NULL ? host->dc : "");
	mp_buf_text(out, "\"");
}

// "retriesRefused" is retries_refused.
static void snake(const char *name, char *to, size_t size)
{
	size_t at = 0;
	for (; *name != '\0' && at + 2 < size; name++) {
		if (isupper((unsigned char)*name))
			to[at++] = '_';
		to[at++] = (char)tolower((unsigned char)*name);
	}
	to[at] = '\0';
}

// ---- histograms -------------------------------------------------------------------------------------------

// What windows have counted since the beginning, added up. Bounds are whole microseconds, exactly.
struct sum {
	uint64_t count, us;
	uint64_t below[MP_WINDOW_BOUNDS + 1];
};

static void add(struct sum *sum, const struct mp_window *window)
{
	sum->count += window->all_count;
	sum->us += window->all_sum;
	for (size_t i = 0; i <= MP_WINDOW_BOUNDS; i++)
		sum->below[i] += window->all_below[i];
}

static void histogram(struct mp_buf *out, const char *name, const char *labels, const struct sum *sum)
{
	uint64_t seen = 0;
	for (size_t i = 0; i < MP_WINDOW_BOUNDS; i++) {
		seen += sum->below[i];
		mp_buf_printf(out, "moonpool_%s_bucket{%s,le=\"%.6f\"} %llu\n", name, labels,
		              (double)((uint64_t)1 << (MP_WINDOW_BOUND_SHIFT + i)) / 1e6, (unsigned long long)seen);
	}
	mp_buf_printf(out, "moonpool_%s_bucket{%s,le=\"+Inf\"} %llu\n", name, labels,
	              (unsigned long long)sum->count);
	mp_buf_printf(out, "moonpool_%s_count{%s} %llu\n", name, labels, (unsigned long long)sum->count);
	mp_buf_printf(out, "moonpool_%s_sum{%s} %.6f\n", name, labels, (double)sum->us / 1e6);
}

// ---- pools ------------------------------------------------------------------------------------------------

static uint64_t value_of(const struct mp_session_stats *stats, const struct mp_stat_info *info)
{
	const char *at = (const char *)stats + info->at;
	uint64_t wide;
	uint32_t narrow;
	memcpy(&wide, at, info->is_wide ? sizeof(wide) : 0);
	memcpy(&narrow, at, info->is_wide ? 0 : sizeof(narrow));
	return info->is_wide ? wide : narrow;
}

static void stat(struct writer *w, const struct mp_stat_info *info)
{
	char name[64];
	snake(info->name, name, sizeof(name));
	family(w, name, info->is_counter ? "counter" : "gauge", NULL, info->meaning);
	for (size_t i = 0; i < w->count; i++) {
		mp_buf_printf(w->out, "moonpool_%s%s{pool=\"%u\"} %llu\n", name, info->is_counter ? "_total" : "",
		              w->pools[i].number, (unsigned long long)value_of(&w->stats[i], info));
	}
}

static void requests(struct writer *w)
{
	family(w, "request_duration_seconds", "histogram", "seconds",
	       "how long requests took, all attempts and waits included, also of those that failed");
	for (size_t i = 0; i < w->count; i++) {
		char labels[32];
		struct sum sum = {0};
		add(&sum, &w->pools[i].session->metrics.requests);
		snprintf(labels, sizeof(labels), "pool=\"%u\"", w->pools[i].number);
		histogram(w->out, "request_duration_seconds", labels, &sum);
	}
}

static void shadow(struct writer *w)
{
	family(w, "shadow_differences", "counter", NULL,
	       "requests for which the shadow policy chose another first host, by why");
	for (size_t i = 0; i < w->count; i++) {
		const struct mp_session *session = w->pools[i].session;
		for (int why = 0; why < MP_SHADOW_DIFFERENCE_COUNT; why++)
			mp_buf_printf(w->out, "moonpool_shadow_differences_total{pool=\"%u\",why=\"%s\"} %llu\n",
			              w->pools[i].number, mp_shadow_difference_name(why),
			              (unsigned long long)session->shadow.all[why]);
	}
}

// ---- hosts ------------------------------------------------------------------------------------------------

static double is_up(const struct mp_host *host)
{
	return host->state == MP_HOST_UP ? 1 : 0;
}

static double is_broken(const struct mp_host *host)
{
	return host->breaker.state != MP_BREAKER_CLOSED ? 1 : 0;
}

static double connections(const struct mp_host *host)
{
	return host->pool.ready_count;
}

static double in_flight(const struct mp_host *host)
{
	return mp_pool_in_flight(&host->pool);
}

static double stream_ids(const struct mp_host *host)
{
	return (double)host->pool.ready_count * host->pool.settings->max_streams;
}

static double attempts(const struct mp_host *host)
{
	return (double)host->requests;
}

static double errors(const struct mp_host *host)
{
	return (double)host->errors;
}

static double timeouts(const struct mp_host *host)
{
	return (double)host->timeouts;
}

static double opened(const struct mp_host *host)
{
	return (double)host->pool.opened_total;
}

static double closed(const struct mp_host *host)
{
	return (double)mp_pool_ended_total(&host->pool);
}

static double refused(const struct mp_host *host)
{
	return (double)host->pool.failed_total;
}

static const struct host_figure {
	const char *name, *help;
	double (*value)(const struct mp_host *host);
	bool is_counter;
} host_figures[] = {
	{"host_up", "1: the host has a ready connection", is_up, false},
	{"host_breaker_open", "1: its circuit breaker is open or half open", is_broken, false},
	{"host_connections", "connections that are ready", connections, false},
	{"host_requests_in_flight", "stream ids of them that wait for an answer", in_flight, false},
	{"host_stream_ids", "stream ids that they have", stream_ids, false},
	{"host_attempts", "messages that were sent there for requests", attempts, true},
	{"host_errors", "those that failed: lost, without an answer in time, or answered with an error", errors,
     true},
	{"host_timeouts", "those without an answer in time", timeouts, true},
	{"host_connections_opened", "connections that became ready", opened, true},
	{"host_connections_closed", "those of them that have gone", closed, true},
	{"host_connects_failed", "attempts to connect that failed", refused, true},
};

static void host_figure(struct writer *w, const struct host_figure *figure)
{
	const char *ending = figure->is_counter ? "_total" : "";
	family(w, figure->name, figure->is_counter ? "counter" : "gauge", NULL, figure->help);
	for (size_t i = 0; i < w->count; i++) {
		const struct mp_hosts *hosts = &w->pools[i].session->hosts;
		double others = 0;
		for (uint32_t h = 0; h < hosts->live_count; h++) {
			double value = figure->value(hosts->live[h]);
			others += h < MP_OPENMETRICS_HOSTS ? 0 : value;
			if (h >= MP_OPENMETRICS_HOSTS)
				continue;
			mp_buf_printf(w->out, "moonpool_%s%s{", figure->name, ending);
			host_labels(w->out, w->pools[i].number, hosts->live[h]);
			mp_buf_printf(w->out, "} %.0f\n", value);
		}
		if (hosts->live_count <= MP_OPENMETRICS_HOSTS)
			continue;
		mp_buf_printf(w->out, "moonpool_%s%s{", figure->name, ending);
		host_labels(w->out, w->pools[i].number, NULL);
		mp_buf_printf(w->out, "} %.0f\n", others);
	}
}

static void host_histogram(struct writer *w, uint32_t pool, const struct mp_host *host, const struct sum *sum)
{
	struct mp_buf labels;
	mp_buf_init(&labels);
	host_labels(&labels, pool, host);
	mp_buf_u8(&labels, 0);
	if (mp_buf_status(&labels) == 0)
		histogram(w->out, "host_attempt_duration_seconds", (const char *)labels.data, sum);
	mp_buf_deinit(&labels);
}

static void host_attempts(struct writer *w)
{
	family(w, "host_attempt_duration_seconds", "histogram", "seconds", "how long the answers of a host took");
	for (size_t i = 0; i < w->count; i++) {
		const struct mp_hosts *hosts = &w->pools[i].session->hosts;
		struct sum others = {0};
		for (uint32_t h = 0; h < hosts->live_count; h++) {
			struct sum own = {0};
			bool is_own = h < MP_OPENMETRICS_HOSTS;
			add(is_own ? &own : &others, &hosts->live[h]->window);
			if (is_own)
				host_histogram(w, w->pools[i].number, hosts->live[h], &own);
		}
		if (hosts->live_count > MP_OPENMETRICS_HOSTS)
			host_histogram(w, w->pools[i].number, NULL, &others);
	}
}

void mp_openmetrics_write(struct mp_buf *out, const struct mp_openmetrics_pool *pools, size_t count)
{
	struct writer w = {out, pools, count, mp_calloc(count + 1, sizeof(struct mp_session_stats))};
	if (w.stats == NULL) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < count; i++)
		mp_session_stats(pools[i].session, &w.stats[i]);
	family(&w, "build", "info", NULL, "the version of moonpool");
	mp_buf_text(out, "moonpool_build_info{version=\"" MOONPOOL_VERSION "\"} 1\n");
	const struct mp_stat_info *info;
	for (size_t i = 0; (info = mp_stat_info(i)) != NULL; i++)
		stat(&w, info);
	requests(&w);
	shadow(&w);
	for (size_t i = 0; i < MP_ARRAY_LEN(host_figures); i++)
		host_figure(&w, &host_figures[i]);
	host_attempts(&w);
	mp_buf_text(out, "# EOF\n");
	mp_free(w.stats);
}
