// SPDX-License-Identifier: Apache-2.0
// What a session tells of itself: figures, hosts, names, connections. Nothing here changes it, but names get numbers.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cluster/session_internal.h"

static void count_host(const struct mp_host *host, struct mp_session_stats *stats)
{
	uint32_t busy = mp_pool_busy_count(&host->pool);
	stats->connections_total += host->pool.ready_count;
	stats->connections_active += busy;
	stats->connections_idle += host->pool.ready_count - busy;
	stats->connection_errors += host->pool.failed_total + host->pool.lost_total;
	stats->breakers_open += host->breaker.state != MP_BREAKER_CLOSED ? 1 : 0;
	stats->connections_opened += host->pool.opened_total;
	stats->connections_closed += mp_pool_ended_total(&host->pool);
}

void mp_session_stats(const struct mp_session *session, struct mp_session_stats *stats)
{
	const struct mp_hosts *hosts = &session->hosts;
	*stats = (struct mp_session_stats){
		.requests_queued = (uint32_t)session->room.waiting.count,
		.requests_in_flight = session->live - (uint32_t)session->room.waiting.count - session->merges.sent,
		.hosts_total = hosts->live_count,
		.connection_errors = hosts->gone_errors + session->control.errors,
		.connections_opened = hosts->gone_opened,
		.connections_closed = hosts->gone_opened,
		.busy_polls = mp_loop_busy_looks(session->loop),
	};
#define X(type, field, name, meaning) stats->field = session->counters.field;
	MP_SESSION_COUNTERS(X)
#undef X
	stats->canaries = (uint32_t)__builtin_popcount(*session->policies.canary.running);
	for (uint32_t i = 0; i < hosts->live_count; i++) {
		const struct mp_host *host = hosts->live[i];
		count_host(host, stats);
		stats->hosts_up += host->state == MP_HOST_UP ? 1 : 0;
		stats->hosts_down += host->state == MP_HOST_DOWN ? 1 : 0;
	}
	// Removed hosts still carry what was under way.
	for (uint32_t i = 0; hosts->removed_count > 0 && i < session->view.host_count; i++)
		if (hosts->slots[i] != NULL && hosts->slots[i]->state == MP_HOST_REMOVED)
			count_host(hosts->slots[i], stats);
}

void mp_session_count_dropped(struct mp_session *session, uint32_t events)
{
	session->counters.events_dropped += events;
}

const struct mp_stat_info *mp_stat_info(size_t i)
{
	static const struct mp_stat_info infos[] = {
#define X(type, field, name, meaning) \
	{name, meaning, false, sizeof(type) == 8, offsetof(struct mp_session_stats, field)},
		MP_SESSION_GAUGES(X)
#undef X
#define X(type, field, name, meaning) \
	{name, meaning, true, sizeof(type) == 8, offsetof(struct mp_session_stats, field)},
			MP_SESSION_SUMS(X) MP_SESSION_COUNTERS(X)
#undef X
	};
	return i < MP_ARRAY_LEN(infos) ? &infos[i] : NULL;
}

// ---- hosts ------------------------------------------------------------------------------------------------

size_t mp_session_host_count(const struct mp_session *session)
{
	return session->hosts.live_count;
}

const struct mp_host *mp_session_host_at(const struct mp_session *session, size_t i)
{
	return i < session->hosts.live_count ? session->hosts.live[i] : NULL;
}

const struct mp_host *mp_session_host_slot(const struct mp_session *session, uint16_t index)
{
	return index < MP_HOSTS_MAX ? session->hosts.slots[index] : NULL;
}

// One that a contact point's name led to, with or without a port behind it.
static const struct mp_host *find_named(const struct mp_session *session, const char *name)
{
	size_t len = strcspn(name, ":");
	unsigned long port = name[len] == ':' ? strtoul(name + len + 1, NULL, 10) : 0;
	for (uint32_t i = 0; i < session->hosts.live_count; i++) {
		const struct mp_host *host = session->hosts.live[i];
		const char *own = mp_contacts_name_of(&session->control.contacts, &host->addr);
		bool is_named = own != NULL && strlen(own) == len && strncasecmp(own, name, len) == 0;
		if (is_named && (port == 0 || port == host->addr.port))
			return host;
	}
	return NULL;
}

// By what it is called first, then by any other of its addresses.
const struct mp_host *mp_session_host_find(const struct mp_session *session, const char *addr)
{
	const struct mp_hosts *hosts = &session->hosts;
	struct mp_addr wanted;
	if (mp_addr_parse(addr, 0, &wanted) != 0)
		return find_named(session, addr);
	for (uint32_t i = 0; i < hosts->live_count; i++) {
		const struct mp_addr *own = &hosts->live[i]->addr;
		if (mp_addr_same_ip(own, &wanted) && (wanted.port == 0 || wanted.port == own->port))
			return hosts->live[i];
	}
	for (uint32_t i = 0; i < hosts->live_count; i++)
		if (mp_endpoints_have(&hosts->live[i]->endpoints, &wanted))
			return hosts->live[i];
	return NULL;
}

struct each {
	const struct mp_host *host;
	void (*fn)(void *data, const struct mp_host *host, const struct mp_conn *conn);
	void *data;
};

static void visit(void *arg, struct mp_conn *conn)
{
	const struct each *each = arg;
	each->fn(each->data, each->host, conn);
}

void mp_session_each_conn(const struct mp_session *session,
                          void (*fn)(void *data, const struct mp_host *host, const struct mp_conn *conn),
                          void *data)
{
	for (uint32_t i = 0; i < session->view.host_count; i++) {
		struct each each = {session->hosts.slots[i], fn, data};
		if (each.host != NULL)
			mp_pool_each(&each.host->pool, visit, &each);
	}
}

// ---- names and parts --------------------------------------------------------------------------------------

struct mp_keyspaces *mp_session_keyspaces(struct mp_session *session)
{
	return &session->keyspaces;
}

struct mp_view *mp_session_view(struct mp_session *session)
{
	return &session->view;
}

struct mp_loop *mp_session_loop(const struct mp_session *session)
{
	return session->loop;
}

struct mp_log *mp_session_log(struct mp_session *session)
{
	return &session->log;
}

uint32_t mp_session_timeout_ms(const struct mp_session *session)
{
	return session->request_timeout_ms;
}

uint8_t mp_session_version(const struct mp_session *session)
{
	return session->cluster.version;
}

const char *mp_session_local_dc(const struct mp_session *session)
{
	return session->cluster.local_dc;
}

const char *mp_session_serving_dc(const struct mp_session *session)
{
	return session->away ? session->view.dc_names[session->serving.dcs.serving] : session->cluster.local_dc;
}

const char *mp_session_keyspace(const struct mp_session *session)
{
	return session->config.keyspace;
}

const char *mp_session_cluster_name(const struct mp_session *session)
{
	return session->cluster.name;
}

uint16_t mp_session_keyspace_id(struct mp_session *session, struct mp_str name)
{
	return mp_keyspaces_id(&session->keyspaces, name);
}

uint32_t mp_session_tag_id(struct mp_session *session, struct mp_str text)
{
	return mp_names_id(&session->tags, text);
}

bool mp_session_plan(struct mp_session *session, const struct mp_request_view *req, int64_t token,
                     struct mp_plan *plan)
{
	uint64_t fallbacks = session->counters.policy_fallbacks;
	struct mp_placement *placement = mp_keyspaces_use(&session->keyspaces, req->keyspaceId);
	mp_session_make_plan(session, req, placement, token, plan);
	return session->counters.policy_fallbacks > fallbacks;
}
