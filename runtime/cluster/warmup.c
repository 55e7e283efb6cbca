// SPDX-License-Identifier: Apache-2.0
#include "cluster/warmup.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/session_internal.h"

struct mp_warmup {
	struct mp_list_node node; // in session->warmups
	struct mp_session *session;
	struct mp_timer due;
	bool is_late;
	void (*on_done)(void *data, const struct mp_warmup_end *end);
	void *data;
	size_t count, capacity;
	struct mp_warmup_host hosts[];
};

static void on_due(void *data)
{
	struct mp_warmup *warmup = data;
	warmup->is_late = true;
	mp_session_post(warmup->session);
}

struct mp_warmup *mp_warmup_new(struct mp_session *session, size_t capacity)
{
	struct mp_warmup *warmup = mp_calloc(1, sizeof(*warmup) + capacity * sizeof(warmup->hosts[0]));
	if (warmup == NULL)
		return NULL;
	warmup->session = session;
	warmup->capacity = capacity;
	mp_list_node_init(&warmup->node);
	mp_timer_init(&warmup->due, session->loop, on_due, warmup);
	return warmup;
}

void mp_warmup_free(struct mp_warmup *warmup)
{
	if (warmup == NULL)
		return;
	mp_timer_stop(&warmup->due);
	for (size_t i = 0; i < warmup->count; i++)
		warmup->hosts[i].host->pins--;
	mp_free(warmup);
}

static uint64_t failures_of(const struct mp_host *host)
{
	return host->pool.failed_total + host->pool.lost_total;
}

void mp_warmup_add(struct mp_warmup *warmup, const struct mp_host *host, uint32_t wanted)
{
	mp_assert(warmup->count < warmup->capacity);
	struct mp_warmup_host *entry = &warmup->hosts[warmup->count++];
	*entry = (struct mp_warmup_host){
		.host = warmup->session->hosts.slots[host->index],
		.wanted = wanted,
		.failures_before = failures_of(host),
	};
	entry->host->pins++;
}

struct mp_warmup *mp_warmup_new_for_all(struct mp_session *session)
{
	size_t count = mp_session_host_count(session);
	struct mp_warmup *warmup = mp_warmup_new(session, count);
	for (size_t i = 0; warmup != NULL && i < count; i++) {
		const struct mp_host *host = mp_session_host_at(session, i);
		if (host->distance != MP_DISTANCE_IGNORED)
			mp_warmup_add(warmup, host, host->pool.limits.core);
	}
	return warmup;
}

void mp_warmup_start(struct mp_warmup *warmup, void (*on_done)(void *data, const struct mp_warmup_end *end),
                     void *data)
{
	warmup->on_done = on_done;
	warmup->data = data;
	for (size_t i = 0; i < warmup->count; i++)
		mp_pool_reach(&warmup->hosts[i].host->pool, warmup->hosts[i].wanted);
	const struct mp_session_config *config = &warmup->session->config;
	uint32_t timeout_ms =
		config->warmup_timeout_ms > 0 ? config->warmup_timeout_ms : config->connect_timeout_ms;
	if (mp_timer_start_ms(&warmup->due, timeout_ms) != 0)
		warmup->is_late = true;
	mp_list_push_back(&warmup->session->warmups, &warmup->node);
	mp_session_post(warmup->session);
}

// ---- settling ---------------------------------------------------------------------------------------------

static bool cannot_come(const struct mp_warmup *warmup, const struct mp_warmup_host *entry)
{
	const struct mp_pool *pool = &entry->host->pool;
	bool is_out = entry->host->state == MP_HOST_REMOVED || entry->host->distance == MP_DISTANCE_IGNORED;
	bool is_full = pool->ready_count >= pool->limits.max;
	bool has_failed = pool->backing_off || failures_of(entry->host) > entry->failures_before;
	return warmup->is_late || mp_session_is_ending(warmup->session) || is_out || is_full ||
	       (has_failed && pool->opening_count == 0);
}

static bool is_settled(struct mp_warmup *warmup)
{
	bool all = true;
	for (size_t i = 0; i < warmup->count; i++) {
		struct mp_warmup_host *entry = &warmup->hosts[i];
		uint32_t ready = entry->host->pool.ready_count;
		if (!entry->settled && (ready >= entry->wanted || cannot_come(warmup, entry))) {
			entry->settled = true;
			entry->reached = ready;
		}
		all = all && entry->settled;
	}
	return all;
}

// Why a host has less than was wanted of it.
static int why_not(const struct mp_warmup *warmup, const struct mp_warmup_host *entry, char *text,
                   size_t size)
{
	const struct mp_host *host = entry->host;
	if (mp_session_is_ending(warmup->session))
		return snprintf(text, size, "the pool is closed"), MP_ECLOSED;
	if (host->state == MP_HOST_REMOVED)
		return snprintf(text, size, "it left the cluster"), MP_ENOTFOUND;
	if (host->distance == MP_DISTANCE_IGNORED)
		return snprintf(text, size, "no connections to it are wanted (see coreConnectionsPerHost['1'])"),
		       MP_EINVAL;
	if (entry->wanted > host->pool.limits.max)
		return snprintf(text, size, "at most %u are allowed (maxConnectionsPerHost, regionSettings)",
		                host->pool.limits.max),
		       MP_EINVAL;
	if (failures_of(host) > 0 && host->down_err != 0)
		return snprintf(text, size, "%s", host->down_why), host->down_err;
	return snprintf(text, size, "no answer in time"), MP_ETIMEOUT;
}

// False: nothing falls short.
static bool describe(const struct mp_warmup *warmup, struct mp_error *error)
{
	size_t failing = 0;
	mp_error_set(error, 0, -1, "%s", "");
	for (size_t i = 0; i < warmup->count; i++) {
		const struct mp_warmup_host *entry = &warmup->hosts[i];
		char why[MP_ADDR_TEXT + 160], text[sizeof(why) + 64];
		if (entry->reached >= entry->wanted)
			continue;
		int err = why_not(warmup, entry, why, sizeof(why));
		snprintf(text, sizeof(text), "%u of %u connections: %s", entry->reached, entry->wanted, why);
		if (failing++ == 0) {
			error->err = err;
			snprintf(error->message, sizeof(error->message), "%s has %.180s", entry->host->addr_text, text);
		}
		mp_error_add(error, entry->host->addr_text, err, entry->host->down_code, 0, mp_str_of(text));
	}
	size_t len = strlen(error->message);
	if (failing > 1)
		snprintf(error->message + len, sizeof(error->message) - len, " (and %zu more hosts)", failing - 1);
	return failing > 0;
}

static void finish(struct mp_warmup *warmup)
{
	struct mp_error error;
	bool falls_short = describe(warmup, &error);
	struct mp_warmup_end end = {warmup->hosts, warmup->count, falls_short ? &error : NULL};
	warmup->on_done(warmup->data, &end);
	mp_warmup_free(warmup);
}

void mp_warmups_review(struct mp_session *session)
{
	struct mp_list_node *node = mp_list_first(&session->warmups);
	while (node != NULL) {
		struct mp_warmup *warmup = MP_CONTAINER_OF(node, struct mp_warmup, node);
		node = mp_list_next(&session->warmups, node);
		if (!is_settled(warmup))
			continue;
		mp_list_remove(&session->warmups, &warmup->node);
		finish(warmup); // nobody takes one back: the next one is still there
	}
}
