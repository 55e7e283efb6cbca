// SPDX-License-Identifier: Apache-2.0
// The session's own copy of its configuration, and what its connections are told of it.
#include <string.h>

#include "base/mem.h"
#include "cluster/session_internal.h"
#include "link/tls.h"

#define WRITE_HIGH_BYTES    (1u << 20)
#define CONTROL_MAX_STREAMS 32u
#define ORPHANS_LEAST       32u
#define ORPHANS_MOST        1024u

void mp_session_config_defaults(struct mp_session_config *config)
{
	*config = (struct mp_session_config){
		.port = 9042,
		.local = {.core = 1,
	              .max = 2,
	              .grow_at = 1024,
	              .idle_timeout_ms = 120000,
	              .reconnect_base_ms = 500,
	              .reconnect_max_ms = 20000},
		.remote = {.core = 1,
	               .max = 1,
	               .grow_at = 1024,
	               .idle_timeout_ms = 120000,
	               .reconnect_base_ms = 500,
	               .reconnect_max_ms = 60000},
		.max_requests_per_connection = 2048,
		.connect_timeout_ms = 5000,
		.warmup = true,
		.heartbeat_interval_ms = 30000,
		.heartbeat_timeout_ms = 2500,
		.request_timeout_ms = 10000,
		.max_queued = 10000,
		.auto_discovery = true,
		.discovery_interval_ms = 60000,
		.failover = {.enabled = true, .max_moves = UINT32_MAX, .multiplier = 1},
		.breaker = {.threshold = 5, .recovery_ms = 30000, .trials = 3},
		.connects_per_second = 50,
		.prepared_max = 1000,
		.client_timestamps = true,
		.batching = {.size = 100},
		.decisions = {.sample = 0.01, .keep_bytes = 100000000},
		.shadow_share = 0.01,
		.tcp = {.no_delay = true, .keep_alive = true, .user_timeout_ms = 10000},
		.health = {.interval_ms = 30000,
	               .timeout_ms = 5000,
	               .query = "SELECT release_version FROM system.local"},
		.metrics = true,
		.metrics_interval_ms = 10000,
		.log_level = MP_LOG_WARN,
	};
}

static int copy_text(const char **text)
{
	if (*text == NULL)
		return 0;
	*text = mp_strdup(*text);
	return *text == NULL ? MP_ENOMEM : 0;
}

static void free_text(const char *text)
{
	mp_free((void *)(uintptr_t)text);
}

static int copy_contacts(struct mp_session_config *to, const struct mp_session_config *from)
{
	struct mp_contact_point *contacts = mp_calloc(from->contact_point_count + 1, sizeof(*contacts));
	if (contacts == NULL)
		return MP_ENOMEM;
	to->contact_points = contacts;
	for (size_t i = 0; i < from->contact_point_count; i++) {
		contacts[i] = from->contact_points[i];
		if (contacts[i].port == 0)
			contacts[i].port = from->port;
		to->contact_point_count = i + 1;
		int rc = copy_text(&contacts[i].host);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int copy_regions(struct mp_session_config *to, const struct mp_session_config *from)
{
	struct mp_region *regions = mp_calloc(from->region_count + 1, sizeof(*regions));
	if (regions == NULL)
		return MP_ENOMEM;
	to->regions = regions;
	for (size_t i = 0; i < from->region_count; i++) {
		regions[i] = from->regions[i];
		to->region_count = i + 1;
		int rc = copy_text(&regions[i].dc);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int mp_session_config_copy(struct mp_session_config *to, const struct mp_session_config *from)
{
	*to = *from;
	to->contact_points = NULL;
	to->contact_point_count = 0;
	to->regions = NULL;
	to->region_count = 0;
	const char **texts[] = {&to->local_dc, &to->local_rack, &to->keyspace,     &to->username,
	                        &to->password, &to->tls_name,   &to->health.query, &to->decisions.file};
	mp_tls_context_ref(to->tls);
	int rc = copy_contacts(to, from);
	if (rc == 0)
		rc = copy_regions(to, from);
	to->profile_count = 0;
	to->profiles = NULL;
	if (rc == 0)
		rc = mp_profiles_copy(to, from);
	for (size_t i = 0; i < MP_ARRAY_LEN(texts); i++) {
		if (rc == 0)
			rc = copy_text(texts[i]);
		else
			*texts[i] = NULL; // still the caller's text
	}
	return rc;
}

void mp_session_config_free(struct mp_session_config *config)
{
	for (size_t i = 0; i < config->contact_point_count; i++)
		free_text(config->contact_points[i].host);
	mp_free((void *)(uintptr_t)config->contact_points);
	for (size_t i = 0; i < config->region_count; i++)
		free_text(config->regions[i].dc);
	mp_free((void *)(uintptr_t)config->regions);
	mp_profiles_free(config);
	free_text(config->local_dc);
	free_text(config->local_rack);
	free_text(config->keyspace);
	mp_free_secret((char *)(uintptr_t)config->username);
	mp_free_secret((char *)(uintptr_t)config->password);
	free_text(config->tls_name);
	free_text(config->health.query);
	free_text(config->decisions.file);
	mp_tls_context_unref(config->tls);
}

static uint64_t wall_us(void *clock)
{
	return mp_loop_wall_us(clock);
}

void mp_session_follow_logging(struct mp_session *session)
{
	const struct mp_session_config *config = &session->config;
	struct mp_log *log = &session->log;
	log->level = config->log_level;
	log->format = config->log_format;
	log->to = config->log_to;
	log->wanted = config->log_wanted;
	log->stamped = config->log_stamped;
	log->wall_us = wall_us;
	log->clock = session->loop;
	if (config->log_slow_ms > 0)
		log->wanted |= MP_LOG_SLOW;
	session->journals = (log->wanted & (MP_LOG_REQUESTS | MP_LOG_ERRORS | MP_LOG_SLOW)) != 0;
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
	return value < least ? least : value > most ? most : value;
}

// One whose ids are all owed carries nothing any more, and hears nothing by which it would notice.
static uint32_t most_orphans(uint32_t streams)
{
	uint32_t most = clamp(streams / 4, ORPHANS_LEAST, ORPHANS_MOST);
	return most < streams ? most : streams - 1;
}

static const char *name_of(void *data, const struct mp_addr *addr)
{
	const struct mp_session *session = data;
	return mp_contacts_name_of(&session->control.contacts, addr);
}

void mp_session_set_tls(struct mp_session *session, struct mp_tls_context *tls)
{
	mp_tls_context_ref(tls);
	mp_tls_context_unref(session->config.tls);
	session->config.tls = tls;
	mp_session_make_settings(session);
}

static struct mp_conn_settings common_settings(struct mp_session *session, uint8_t version)
{
	const struct mp_session_config *config = &session->config;
	return (struct mp_conn_settings){
		.version = version,
		.tls = config->tls,
		.tls_name = config->tls_name,
		.name_of = name_of,
		.name_data = session,
		.compression = config->compression,
		.auth = session->auth.respond != NULL ? &session->auth : NULL,
		.cluster_name = session->cluster.name,
		.auth_optional = config->auth_optional,
		.connect_timeout_ms = config->connect_timeout_ms,
		.heartbeat_interval_ms = config->heartbeat_interval_ms,
		.heartbeat_timeout_ms = config->heartbeat_timeout_ms,
		.write_high_bytes = WRITE_HIGH_BYTES,
		.max_body_bytes = MP_BODY_MAX_DEFAULT,
		.tcp = config->tcp,
		.last_id = &session->last_conn_id,
		.late_answers = &session->counters.late_answers,
		.tls_handshakes = &session->counters.tls_handshakes,
		.tls_resumed = &session->counters.tls_resumed,
		.log = &session->log,
	};
}

void mp_session_make_settings(struct mp_session *session)
{
	const struct mp_session_config *config = &session->config;
	session->plain = (struct mp_auth_plain){config->username, config->password};
	session->auth = config->auth;
	if (config->auth.respond == NULL && config->username != NULL)
		session->auth = (struct mp_auth){.data = &session->plain, .respond = mp_auth_plain_respond};
	uint32_t streams = clamp(config->max_requests_per_connection, 1, 32768);
	for (uint8_t version = MP_PROTOCOL_MIN; version <= MP_PROTOCOL_MAX; version++) {
		struct mp_conn_settings settings = common_settings(session, version);
		settings.keyspace = config->keyspace;
		settings.max_streams = streams;
		settings.max_orphans = most_orphans(streams);
		session->settings[version] = settings;
		settings.keyspace = NULL;
		settings.max_streams = CONTROL_MAX_STREAMS;
		settings.max_orphans = CONTROL_MAX_STREAMS / 2;
		session->control_settings[version] = settings;
	}
}
