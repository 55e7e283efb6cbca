// SPDX-License-Identifier: Apache-2.0
// The configuration of a session. All strings are copied by mp_session_new(). Zero-initialise, call
// mp_session_config_defaults(), then set.
#pragma once

#include "pool/breaker.h"
#include "pool/pool.h"

struct mp_contact_point {
	const char *host;
	uint16_t port; // 0: config.port
};

// A datacentre's own settings.
struct mp_region {
	const char *dc;
	uint32_t max_connections; // the most to each of its hosts; 0: as its distance says
	uint16_t priority;        // place among the remote datacentres, 1 first; 0: after those
};

// Whether a request goes on to another host after a failed attempt. What certainly was not sent always does, at once:
// no attempt has failed there.
struct mp_failover_limits {
	bool enabled;
	uint32_t max_moves; // of one request
	uint32_t delay_ms;  // before the first move, if the retry policy does not say more
	double multiplier;  // of that delay with each further move; 1 or more
};

// From the addresses by which the cluster names its nodes to those where they are from here.
// NULL: they are where they say. It may be the user's code, so anything may have happened when it comes back.
struct mp_address_translator {
	void *self;
	// Changes *addr, which is `named`, or leaves it.
	void (*translate)(void *self, const struct mp_addr *named, const struct mp_uuid *host_id, const char *dc,
	                  const char *rack, struct mp_addr *addr);
};

// Hosts are asked by a query whether they are well.
struct mp_health_rules {
	bool enabled;
	uint32_t interval_ms; // each once in so long, 1 or more
	uint32_t timeout_ms;
	const char *query;
};

// Automatic batching (cluster/request/merge.h).
struct mp_batching {
	bool enabled;
	uint32_t size;       // statements of one batch, at most
	uint32_t timeout_ms; // how long one waits for more; 0: for this turn of the loop
};

// The decision log (cluster/decisions/decisions.h).
struct mp_decision_rules {
	bool enabled;
	double sample;       // the part of the requests, 0 to 1
	const char *file;    // NULL: only in memory
	uint64_t keep_bytes; // of all files together
};

struct mp_profile;

struct mp_session_config {
	struct mp_address_translator translator; // lives as long as the session, or until another one is applied
	const struct mp_region *regions;
	size_t region_count;
	const struct mp_profile *profiles; // the one without a name is every request's
	size_t profile_count;
	const struct mp_contact_point *contact_points;
	size_t contact_point_count;
	uint16_t port;                   // 9042
	const char *local_dc;            // NULL: the datacentre of the first contact point that answers
	const char *local_rack;          // NULL: none
	const char *keyspace;            // NULL: none
	const char *username, *password; // NULL: none; `auth` is asked then
	// Lives as long as the session, or until another one is applied and its exchanges have ended. No `respond`: none
	struct mp_auth auth;
	bool auth_optional;         // a node that does not ask for them is used all the same
	uint8_t protocol_version;   // 0: negotiate downwards from 5; otherwise this one only
	struct mp_tls_context *tls; // NULL: none. The copy has a reference of its own
	const char *
		tls_name; // that every node's certificate must be for; NULL: its contact point's name, or its address
	enum mp_compression compression; // asked of every node; one that does not offer it is used without
	struct mp_pool_limits local, remote;
	bool connect_remote;                  // open connections to remote hosts (their core > 0)
	uint32_t remote_hosts_per_dc;         // to so many of each datacentre; 0: to all
	uint32_t max_requests_per_connection; // stream ids
	uint32_t connect_timeout_ms;
	bool warmup; // connect waits for the core connections of every host in use, not only for one ...
	uint32_t warmup_timeout_ms; // ... for so long; 0: as connect_timeout_ms says
	uint32_t heartbeat_interval_ms, heartbeat_timeout_ms;
	uint32_t request_timeout_ms;    // deadline of a request unless it has its own
	uint32_t attempt_timeout_ms;    // deadline of one attempt of a safe request; 0: half of the request's
	uint32_t max_queued;            // requests waiting for room, session-wide; beyond it MP_EBUSY
	bool auto_discovery;            // nodes that come after connect are used
	uint32_t discovery_interval_ms; // full refresh beside events; 0: events only
	struct mp_failover_limits failover;
	struct mp_breaker_rules breaker; // of each host
	struct mp_batching batching;
	struct mp_decision_rules decisions;
	double shadow_share;          // of the requests, about which the shadow is asked, 0 to 1
	bool local_may_follow;        // requests with a local consistency follow to the datacentre that serves
	uint32_t connects_per_second; // new connections of the whole session; 0: no limit
	size_t prepared_max;          // statements in the cache
	uint32_t busy_poll_us;        // the loop looks for so long before it sleeps; 0: it sleeps at once
	bool client_timestamps;       // writes carry a time of the session's own (cluster/request/timestamp.h)
	struct mp_sock_options tcp;
	struct mp_health_rules health;
	bool metrics; // tell METRICS events
	uint32_t
		metrics_interval_ms; // how long the window of the metrics is, and how often it is told; at least 10
	int log_level;
	uint8_t log_format; // enum mp_log_format
	uint8_t log_to;     // enum mp_log_target
	uint8_t log_wanted; // MP_LOG_CONNECTIONS, ...
	bool log_stamped;
	uint32_t log_slow_ms; // requests that take so long are logged; 0: none
};
void mp_session_config_defaults(struct mp_session_config *config);
// A copy with strings of its own; to be freed also when it fails: MP_ENOMEM.
int mp_session_config_copy(struct mp_session_config *to, const struct mp_session_config *from) MP_MUST_CHECK;
void mp_session_config_free(struct mp_session_config *config);
