// SPDX-License-Identifier: Apache-2.0
// One node of the cluster as the session knows it. Identity is host_id; the address is an attribute. A host is up while
// its pool has a ready connection.
#pragma once

#include "base/uuid.h"
#include "base/window.h"
#include "cluster/topology/endpoints.h"
#include "cluster/topology/pace.h"
#include "cluster/topology/probe.h"
#include "pool/breaker.h"
#include "pool/pool.h"

enum mp_distance { MP_DISTANCE_LOCAL, MP_DISTANCE_REMOTE, MP_DISTANCE_IGNORED };
const char *mp_distance_name(enum mp_distance distance); // "local"
enum mp_host_state {
	MP_HOST_NEW, // known, no connection yet
	MP_HOST_UP,
	MP_HOST_DOWN,
	MP_HOST_REMOVED, // left the cluster; its slot waits until its last connection and request are gone
};
const char *mp_host_state_name(enum mp_host_state state); // "up"
// What an application wants of a host, whatever its state.
enum mp_host_hold {
	MP_HOLD_NONE,
	MP_HOLD_PAUSED,   // only requests that name it; its connections stay
	MP_HOLD_DRAINING, // none; its connections go when their requests have ended, and no new ones come
};
const char *mp_host_hold_name(enum mp_host_hold hold); // "paused"; NULL: none

struct mp_cluster;

// The datacentre and the rack of a node that does not say them.
#define MP_UNKNOWN_PLACE "unknown"

struct mp_host {
	struct mp_cluster *cluster;
	uint16_t index; // slot in the view
	struct mp_uuid host_id;
	struct mp_addr
		addr; // what it is called: the address that it is or was connected to, at first a named one
	char addr_text[MP_ADDR_TEXT]; // "127.0.0.1:9042"
	struct mp_endpoints endpoints;
	uint32_t translation;     // the translator that its endpoints are of
	uint32_t turns;           // of its endpoints
	struct mp_timer patience; // NEW, with several endpoints: for the one that is tried
	char *dc;
	char *rack;
	char *release_version;
	enum mp_distance distance;
	enum mp_host_state state;
	uint32_t seen; // the refresh that named it last
	bool admits;   // requests may go there, all of them
	enum mp_host_hold hold;
	double share;               // of the requests that plans give it: 1, less while it is on probation
	uint32_t own_core, own_max; // connections, whatever the configuration says; 0, 0: as that says
	struct mp_breaker breaker;
	struct mp_timer recovery; // of the breaker, while it is open
	struct mp_pool pool;
	uint64_t requests; // attempts sent
	uint64_t errors;   // attempts that failed (timeouts, losses, server errors)
	uint64_t timeouts;
	uint64_t state_since_ms;
	struct mp_pace_turn turn;  // to open a connection
	bool stood;                // all its core connections did, once
	uint64_t failover_told_ms; // when the last failover event from this host was given, + 1; 0: never
	uint8_t version;           // protocol version of its connections
	bool empty;                // the pool told that its last connection is gone
	bool chosen;               // of a remote datacentre of which only some are used (remotes.h) ...
	uint64_t failures_before;  // ... when it was chosen
	uint64_t passed;           // counts those that gave their place to another one; 0: it never did
	uint32_t pins;             // waiting events that name this host
	bool answers;              // it was reached last, but its connections could not have the keyspace
	int down_err;              // why the last connection ended or could not be opened; 0: none did
	int32_t down_code;         // its server code, -1: none
	char down_why[MP_ADDR_TEXT + 160];
	struct mp_probe probe;
	struct mp_window window; // microseconds of answered attempts
};

// ---- host_admission.c
// What is told of it in one word: how it is held, where that shows, or its state.
const char *mp_host_status(const struct mp_host *host);
// Of one that does not admit all requests: this one may go there.
bool mp_host_takes_a_share(const struct mp_host *host);
uint32_t mp_host_try(struct mp_host *host);
void mp_host_judge(struct mp_host *host, uint32_t ticket, enum mp_breaker_verdict verdict);
// A request is sent there: the ticket to leave with; 0: nobody asks.
inline uint32_t mp_host_enter(struct mp_host *host)
{
	return MP_LIKELY(host->breaker.state == MP_BREAKER_CLOSED) ? host->breaker.ticket : mp_host_try(host);
}
inline void mp_host_leave(struct mp_host *host, uint32_t ticket, enum mp_breaker_verdict verdict)
{
	bool is_well = host->breaker.state == MP_BREAKER_CLOSED && host->breaker.failures == 0;
	if (MP_UNLIKELY(!is_well || verdict > MP_VERDICT_GOOD))
		mp_host_judge(host, ticket, verdict);
}
