// SPDX-License-Identifier: Apache-2.0
// What a coordinator decides: who the replicas are, whether enough are alive for the consistency level, what happens
// to a write for a replica that cannot take it now, and how long to wait.
#pragma once

#include "sim/world.h"

struct mp_sim_replica_set {
	uint16_t nodes[MP_SIM_RF_MAX];
	size_t count;
	const struct mp_sim_strategy *strategy;
};

// The replicas of a token. MP_ESERVER with req->err filled.
int mp_sim_coord_replicas(struct mp_sim_request *req, const struct mp_sim_table *table, int64_t token,
                          struct mp_sim_replica_set *out) MP_MUST_CHECK;

// Is a level reached with so many per datacentre? `required` and `have` as an error reports them.
struct mp_sim_counts {
	uint16_t by_dc[MP_SIM_DCS_MAX];
};
bool mp_sim_level_reached(const struct mp_sim_cluster *cluster, const struct mp_sim_strategy *strategy,
                          uint16_t level, uint8_t local_dc, const struct mp_sim_counts *counts,
                          int32_t *required, int32_t *have);
void mp_sim_count_node(struct mp_sim_counts *counts, const struct mp_sim_node *node);

// Enough replicas believed alive? MP_ESERVER with UNAVAILABLE otherwise.
int mp_sim_coord_available(struct mp_sim_request *req, const struct mp_sim_replica_set *set,
                           uint16_t level) MP_MUST_CHECK;
// The replicas to read from, in *out. MP_ESERVER: unavailable. MP_EAGAIN: too few of them answer now.
int mp_sim_coord_pick(struct mp_sim_request *req, const struct mp_sim_replica_set *set, uint16_t level,
                      struct mp_sim_replica_set *out) MP_MUST_CHECK;
// A mutation on its way to all replicas: applied, waiting in an inbox, or hinted. `wait`: told of late arrivals.
int mp_sim_coord_deliver(struct mp_sim_request *req, const struct mp_sim_replica_set *set,
                         const struct mp_sim_mutation *mutation, uint64_t wait,
                         struct mp_sim_counts *acks) MP_MUST_CHECK;

// ---- deliveries (deliver.c) -------------------------------------------------------------------------------
void mp_sim_deliver_inbox(struct mp_sim_node *node); // it was resumed
void mp_sim_deliver_hints(struct mp_sim_node *node); // it is back
void mp_sim_deliver_drop(struct mp_sim_node *node, bool hints_too);
void mp_sim_inbox_to_hints(struct mp_sim_node *node); // it was killed while paused

// ---- who a client is (auth/login.c) -----------------------------------------------------------------------
struct mp_str mp_sim_authenticator(const struct mp_sim_cluster *cluster); // the class that AUTHENTICATE names
int mp_sim_login(struct mp_sim_request *req) MP_MUST_CHECK;               // AUTH_RESPONSE

// ---- what a client may do (auth/authorize.c): MP_ESERVER with req->err ------------------------------------
int mp_sim_authorize(struct mp_sim_request *req, const struct mp_sim_plan *plan) MP_MUST_CHECK;
int mp_sim_authorize_on(struct mp_sim_request *req, enum mp_sim_permission permission,
                        const char *path) MP_MUST_CHECK; // of a resource
// All of it is granted to whom made it.
int mp_sim_authorize_maker(struct mp_sim_request *req, enum mp_sim_resource resource, struct mp_str keyspace,
                           struct mp_str name) MP_MUST_CHECK;
int mp_sim_authorize_made(struct mp_sim_request *req, const struct mp_sim_change *change) MP_MUST_CHECK;
void mp_sim_authorize_dropped(struct mp_sim_cluster *cluster, const struct mp_sim_change *change);
struct mp_sim_role *mp_sim_role_of(const struct mp_sim_request *req); // who asks; NULL: nobody that there is

// ---- waits (wait.c): requests that cannot be answered yet -------------------------------------------------
struct mp_sim_wait_spec {
	uint64_t number; // reserved; 0: none
	uint32_t timeout_ms;
	uint16_t level;
	const struct mp_sim_strategy *strategy; // valid while the wait begins
	struct mp_sim_counts acks;
	int32_t code; // READ_TIMEOUT, WRITE_TIMEOUT
	enum mp_write_type write_type;
	bool retry; // try the whole request again when a node comes back; otherwise count acknowledgements
	bool data_present;
};
uint64_t
mp_sim_wait_reserve(struct mp_sim_cluster *cluster); // a number for deliveries that a wait may follow
// Takes the request over: answered later. MP_ESERVER with req->err.
int mp_sim_wait_begin(struct mp_sim_request *req, const struct mp_sim_wait_spec *spec) MP_MUST_CHECK;
// The trace id that a request which is tried again had from the beginning.
void mp_sim_wait_trace(const struct mp_sim_wait *wait, struct mp_sim_request *req);
// Serve this request only after `delay_ms`.
int mp_sim_wait_delay(struct mp_sim_request *req, uint32_t delay_ms) MP_MUST_CHECK;
void mp_sim_wait_ack(struct mp_sim_cluster *cluster, uint64_t number, const struct mp_sim_node *node);
void mp_sim_wait_retry_all(struct mp_sim_cluster *cluster); // a node came back
void mp_sim_wait_free_all(struct mp_sim_link *conn);
