// SPDX-License-Identifier: Apache-2.0
// What the files of cluster/ share: the session itself. Each part has its own header and file; session.c joins them.
//
//   NEW --connect--> CONNECTING --pools tried--> OPEN --close--> CLOSING --all quiet--> CLOSED
//    ^                   | no contact, no host     (close is valid in every state)
//    +---- all quiet -- FAILING
#pragma once

#include "cluster/decisions/decisions.h"
#include "cluster/drain.h"
#include "cluster/events.h"
#include "cluster/health.h"
#include "cluster/metrics.h"
#include "cluster/plan/names.h"
#include "cluster/profile.h"
#include "cluster/request/budget.h"
#include "cluster/request/deadline.h"
#include "cluster/request/merge.h"
#include "cluster/request/prepare.h"
#include "cluster/request/request.h"
#include "cluster/request/room.h"
#include "cluster/request/timestamp.h"
#include "cluster/serving.h"
#include "cluster/session.h"
#include "cluster/start.h"
#include "cluster/topology/cluster.h"
#include "cluster/topology/control.h"
#include "cluster/topology/hosts.h"
#include "cluster/topology/keyspaces.h"
#include "cluster/topology/topology.h"
#include "cluster/waiters.h"

enum mp_session_state {
	MP_SESSION_NEW,
	MP_SESSION_CONNECTING,
	MP_SESSION_OPEN,
	MP_SESSION_FAILING, // connect failed; what it opened is closing
	MP_SESSION_CLOSING,
	MP_SESSION_CLOSED,
};

struct mp_session {
	// what each request touches
	struct mp_loop *loop;
	enum mp_session_state state;
	uint32_t live; // requests submitted and not ended
	struct mp_policy_calls policies;
	struct mp_session_counters counters;
	struct mp_request_options taken;   // what a request has when it is taken
	const struct mp_profile *defaults; // of the configuration; NULL: none
	uint32_t request_timeout_ms;
	uint32_t attempt_timeout_ms;
	struct mp_busy_poll busy_poll;
	struct mp_room room;
	struct mp_slab requests;
	struct mp_slab errors;
	struct mp_buf scratch; // routing keys
	struct mp_budget budget;
	struct mp_view view;
	struct mp_hosts hosts;
	struct mp_keyspaces keyspaces;
	struct mp_deadlines deadlines;
	uint16_t keyspace_id;
	struct mp_timestamps timestamps;
	bool away;     // another datacentre than home serves
	bool journals; // of requests that end (request/journal.h)
	struct mp_metrics metrics;
	struct mp_decisions decisions;
	struct mp_shadow shadow;

	// the rest
	struct mp_slab attempts; // beside the first one of a request
	struct mp_slab batches;
	struct mp_merges merges;
	struct mp_deadlines speculating; // of requests that may get such attempts
	struct mp_list ending;           // requests that ended where no callback may be called
	struct mp_list delayed;          // requests before a retry
	struct mp_list repreparing;      // struct mp_reprepare
	struct mp_list agreeing;         // struct mp_agreement
	struct mp_list warmups;          // struct mp_warmup
	struct mp_list errands;          // struct mp_errand
	struct mp_prepares prepares;
	struct mp_cluster cluster;
	struct mp_control control;
	struct mp_topology topology;
	struct mp_serving serving;
	struct mp_health health;
	struct mp_events events;
	struct mp_names tags;
	struct mp_session_config config; // its strings are ours
	struct mp_log log;
	struct mp_conn_settings settings[MP_PROTOCOL_MAX + 1];         // by protocol version, for pools
	struct mp_conn_settings control_settings[MP_PROTOCOL_MAX + 1]; // for the control connection
	struct mp_auth auth;
	struct mp_auth_plain plain;
	uint64_t last_conn_id;
	struct mp_log_gate unreachable;
	bool unknown_is_local; // hosts that do not say their datacentre: no other one is local
	bool view_changed;
	bool regions_checked; // of the configuration in force
	bool control_is_old;  // the control connection is to be replaced as soon as another connection was
	struct mp_task chores;
	struct mp_timer tick;  // once a second while there are hosts
	struct mp_start start; // CONNECTING
	struct mp_drain drain; // CLOSING
	struct mp_error connect_error;
	struct mp_error last_resort; // of a request that found no memory for its own
	struct mp_waiters connecting;
	struct mp_waiters closing;
};

// ---- session.c
void mp_session_post(struct mp_session *session); // the chores run later in this turn
void mp_session_view_changed(struct mp_session *session);
void mp_session_fail_connect(struct mp_session *session); // connect_error says why
void mp_session_become_open(struct mp_session *session);
void mp_session_open_hosts(
	struct mp_session *session); // CONNECTING: the topology was read for the first time
bool mp_session_is_ending(const struct mp_session *session); // no new work

// ---- config.c
void mp_session_make_settings(struct mp_session *session);
void mp_session_follow_logging(struct mp_session *session); // what the configuration says of the log

// ---- session_topology.c
void mp_session_init_cluster(struct mp_session *session);
void mp_session_check_regions(struct mp_session *session);  // warns of settings for a datacentre that is none
void mp_session_describe_hosts(struct mp_session *session); // connect_error: what became of each host in use
