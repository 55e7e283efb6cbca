// SPDX-License-Identifier: Apache-2.0
// A new configuration for a running session. Everything that may fail (copies, an array) is done before the first
// thing changes, so it holds as a whole or not at all. No request is touched: pools grow, or drain what is too much.
#include <string.h>

#include "base/mem.h"
#include "cluster/session_internal.h"
#include "cluster/topology/host_internal.h"
#include "cluster/topology/remotes.h"

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

// A key that was left open and is now said to be what was found is no change.
static const char *fixed_key(const struct mp_session *session, const struct mp_session_config *config)
{
	const struct mp_session_config *now = &session->config;
	if (session->state == MP_SESSION_NEW)
		return NULL;
	bool same_version = config->protocol_version == now->protocol_version ||
	                    (now->protocol_version == 0 && config->protocol_version == session->cluster.version);
	if (!same_version)
		return "protocolVersion";
	if (!same_text(config->local_dc, now->local_dc) &&
	    (now->local_dc != NULL || !same_text(config->local_dc, session->cluster.local_dc)))
		return "localDataCenter";
	if (!same_text(config->keyspace, now->keyspace))
		return "keyspace";
	if (config->port != now->port)
		return "port";
	return NULL;
}

// What must exist before the change.
struct preparation {
	struct mp_session_config config;
	struct mp_contact *contacts;
	char *local_dc;
	uint16_t keyspace_id;
};

static int prepare(struct mp_session *session, const struct mp_session_config *config,
                   struct preparation *ready)
{
	*ready = (struct preparation){.keyspace_id = session->keyspace_id};
	int rc = mp_session_config_copy(&ready->config, config);
	ready->contacts = mp_contacts_new(&session->control.contacts, config->contact_point_count);
	if (ready->contacts == NULL)
		rc = MP_ENOMEM;
	if (rc == 0 && session->state == MP_SESSION_NEW) {
		ready->local_dc = config->local_dc != NULL ? mp_strdup(config->local_dc) : NULL;
		ready->keyspace_id =
			config->keyspace != NULL ? mp_keyspaces_id(&session->keyspaces, mp_str_of(config->keyspace)) : 0;
		if ((ready->local_dc == NULL) != (config->local_dc == NULL) ||
		    (ready->keyspace_id == 0) != (config->keyspace == NULL))
			rc = MP_ENOMEM;
	}
	if (rc != 0) {
		mp_session_config_free(&ready->config);
		mp_free(ready->contacts);
		mp_free(ready->local_dc);
	}
	return rc;
}

static bool same_credentials(const struct mp_session_config *now, const struct mp_session_config *then)
{
	return same_text(now->username, then->username) && same_text(now->password, then->password) &&
	       now->auth.data == then->auth.data && now->auth_optional == then->auth_optional;
}

static bool same_tls(const struct mp_session_config *now, const struct mp_session_config *then)
{
	return now->tls == then->tls && same_text(now->tls_name, then->tls_name);
}

// Why every connection has to be replaced, or NULL.
static const char *needs_new_connections(const struct mp_session_config *now,
                                         const struct mp_session_config *then)
{
	if (!same_credentials(now, then))
		return "the credentials have changed";
	if (!same_tls(now, then))
		return "tls has changed";
	if (now->compression != then->compression)
		return "compression has changed";
	if (now->max_requests_per_connection != then->max_requests_per_connection)
		return "maxRequestsPerConnection has changed";
	bool same_tcp = now->tcp.no_delay == then->tcp.no_delay && now->tcp.keep_alive == then->tcp.keep_alive &&
	                now->tcp.user_timeout_ms == then->tcp.user_timeout_ms;
	return same_tcp ? NULL : "socket options have changed";
}

static bool same_contacts(const struct mp_session_config *a, const struct mp_session_config *b)
{
	bool same = a->contact_point_count == b->contact_point_count;
	for (size_t i = 0; same && i < a->contact_point_count; i++)
		same = a->contact_points[i].port == b->contact_points[i].port &&
		       same_text(a->contact_points[i].host, b->contact_points[i].host);
	return same;
}

static void take_identity(struct mp_session *session, struct preparation *ready)
{
	if (session->state != MP_SESSION_NEW)
		return;
	session->cluster.version = session->config.protocol_version;
	session->keyspace_id = ready->keyspace_id;
	mp_free(session->cluster.local_dc);
	session->cluster.local_dc = ready->local_dc;
	session->view.local_dc = MP_NO_HOST;
}

static void take(struct mp_session *session, struct preparation *ready)
{
	bool new_contacts = !same_contacts(&session->config, &ready->config);
	if (new_contacts)
		mp_contacts_forget(&session->control.contacts);
	mp_session_config_free(&session->config);
	session->config = ready->config;
	if (new_contacts)
		mp_contacts_take(&session->control.contacts, ready->contacts);
	else
		mp_free(ready->contacts);
	mp_control_reconfigure(&session->control);
	mp_session_follow_logging(session);
	session->request_timeout_ms = session->config.request_timeout_ms;
	session->attempt_timeout_ms = session->config.attempt_timeout_ms;
	mp_loop_busy_poll(session->loop, &session->busy_poll, session->config.busy_poll_us);
	take_identity(session, ready);
	mp_session_make_settings(session);
	mp_metrics_reconfigure(&session->metrics);
	if (session->state == MP_SESSION_OPEN)
		mp_health_start(&session->health);
	mp_profiles_reconfigure(session);
	mp_merges_reconfigure(&session->merges);
	mp_decisions_reconfigure(&session->decisions);
	mp_shadow_follow(&session->shadow);
}

static void spread(struct mp_session *session, bool new_interval, const char *rotate)
{
	const struct mp_session_config *config = &session->config;
	mp_control_set_heartbeat(&session->control, config->heartbeat_interval_ms, config->heartbeat_timeout_ms);
	mp_pace_restart(&session->hosts.pace);
	mp_remotes_changed(&session->hosts);
	mp_remotes_review(&session->hosts); // before the rest is let go
	for (uint32_t i = 0; i < session->hosts.live_count; i++)
		mp_host_reconfigure(session->hosts.live[i], rotate);
	session->regions_checked = false;
	mp_session_check_regions(session);
	if (new_interval)
		mp_topology_set_interval(&session->topology);
	mp_prepares_trim(&session->prepares);
	mp_room_came_free(&session->room);
	mp_session_view_changed(session);
}

int mp_session_apply(struct mp_session *session, const struct mp_session_config *config, const char **fixed)
{
	*fixed = fixed_key(session, config);
	if (*fixed != NULL)
		return MP_ECONFIG;
	struct preparation ready;
	int rc = prepare(session, config, &ready);
	if (rc != 0)
		return rc;
	const char *rotate = needs_new_connections(&session->config, &ready.config);
	bool credentials =
		!same_credentials(&session->config, &ready.config) || !same_tls(&session->config, &ready.config);
	bool new_interval = session->config.discovery_interval_ms != ready.config.discovery_interval_ms ||
	                    session->config.auto_discovery != ready.config.auto_discovery;
	bool new_translator = session->config.translator.self != ready.config.translator.self;
	take(session, &ready);
	if (new_translator)
		mp_topology_translate(&session->topology);
	if (credentials && mp_control_conn(&session->control) != NULL)
		session->control_is_old = true;
	spread(session, new_interval, rotate);
	return 0;
}
