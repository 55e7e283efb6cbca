// SPDX-License-Identifier: Apache-2.0
// A Cassandra cluster inside this process: N nodes with storage, a ring, a schema, and listeners on the loop they were
// given, real sockets or virtual ones alike. Knows nothing of the client. Everything random comes from its seed.
//
//   sim_cluster  nodes, topology, who is believed up      sim_coord   consistency, replicas, slow ones, hints
//   sim_node     life of one node, its connections        sim_exec    statements: sim_change (writes), sim_read
//   sim_link     bytes of one connection                  sim_system  system tables out of the live state
//   sim_serve    messages of the protocol                 sim_fault   rules that spoil answers
//   sim_plan     a statement bound to the schema <- sim_parse <- sim_lex
//   sim_store    what a node has stored; sim_resolve reads the newest of several replicas
#pragma once

#include "base/addr.h"
#include "base/list.h"
#include "base/uuid.h"
#include "loop/loop.h"
#include "sim/fault.h"

#define MP_SIM_CLUSTER_NODES_MAX 1000

struct mp_sim_cluster;
struct mp_sim_node;

// Zero means the default that stands behind it.
struct mp_sim_options {
	uint64_t seed;            // 1
	uint16_t nodes;           // 3, shared out over the datacentres in order
	uint16_t dcs;             // 1: datacenter1, datacenter2, ...
	uint16_t nodes_of_dc[16]; // how many are in each, their sum being `nodes`; all 0: shared out evenly
	const char *dc_names[16]; // NULL: as above
	uint16_t racks;           // 1: rack1, ... in each datacentre, in turn
	uint16_t vnodes;          // 1: evenly spaced tokens; more: that many random tokens a node
	struct mp_addr first;     // 127.0.0.1; further nodes count upwards
	uint16_t port;            // 9042
	uint8_t max_version;      // 5; 4 answers like Cassandra 3.11, 3 like 2.1
	const char *cluster_name; // "moonpool"
	const char *user;         // PasswordAuthenticator with this one user; NULL: AllowAllAuthenticator
	const char *password;
	uint32_t auth_rounds; // instead, an authenticator that asks so many challenges (sim/auth/login.c)
	const char *tls_cert, *tls_key; // PEM files: it speaks TLS; NULL: it does not
	const char *tls_ca;             // and asks clients for a certificate of this authority
	uint32_t read_timeout_ms;       // 5000
	uint32_t write_timeout_ms;      // 2000
	uint32_t detect_ms;             // 2000: after a node died, the others believe it
	uint32_t up_ms;                 // 300: after it came back
	uint32_t prepared_limit;        // 10000 statements kept by each node
	uint32_t output_limit;          // 1 MiB of answers waiting on a connection stop reading from it
	const char *op_prefix;          // "op-": marks the texts that mp_sim_received() counts
};

// NULL with *err: MP_ENOMEM, MP_EINVAL, or what listening gave (MP_ELOCAL).
struct mp_sim_cluster *mp_sim_cluster_new(struct mp_loop *loop, const struct mp_sim_options *options,
                                          int *err) MP_MUST_CHECK;
void mp_sim_cluster_free(struct mp_sim_cluster *cluster); // closes everything
size_t
mp_sim_cluster_size(const struct mp_sim_cluster *cluster); // nodes ever made; numbers are 0 .. size - 1

// ---- what happens to nodes; `node` from 0. MP_EINVAL: no such node, or not possible in its state. ---------
int mp_sim_node_kill(struct mp_sim_cluster *cluster,
                     uint16_t node) MP_MUST_CHECK; // SIGKILL; what it stored stays
int mp_sim_node_start(struct mp_sim_cluster *cluster, uint16_t node) MP_MUST_CHECK; // after kill or drain
int mp_sim_node_pause(struct mp_sim_cluster *cluster,
                      uint16_t node) MP_MUST_CHECK; // SIGSTOP: sockets stay, nothing moves
int mp_sim_node_resume(struct mp_sim_cluster *cluster, uint16_t node) MP_MUST_CHECK;
int mp_sim_node_drain(struct mp_sim_cluster *cluster,
                      uint16_t node) MP_MUST_CHECK; // CQL closes in order, DOWN at once
int mp_sim_set_address(struct mp_sim_cluster *cluster, uint16_t node,
                       const struct mp_addr *addr) MP_MUST_CHECK;
// The tables and events say that it is at `addr` (ip_len 0: where it is).
int mp_sim_advertise(struct mp_sim_cluster *cluster, uint16_t node, const struct mp_addr *addr) MP_MUST_CHECK;
int mp_sim_set_max_version(struct mp_sim_cluster *cluster, uint16_t node, uint8_t version) MP_MUST_CHECK;
// A new member of an existing or new datacentre (1 ..) and rack (1 ..); data moves to it. *node gets its number.
int mp_sim_add_node(struct mp_sim_cluster *cluster, uint16_t dc, uint16_t rack, const struct mp_addr *addr,
                    uint16_t *node) MP_MUST_CHECK;
int mp_sim_remove_node(struct mp_sim_cluster *cluster, uint16_t node) MP_MUST_CHECK; // decommission
// An event that nobody caused, from one node to its registered connections.
int mp_sim_send_event(struct mp_sim_cluster *cluster, uint16_t node, const char *type, const char *change,
                      const struct mp_addr *addr) MP_MUST_CHECK;
int mp_sim_forget_prepared(struct mp_sim_cluster *cluster, uint16_t node) MP_MUST_CHECK;
int mp_sim_set_password(struct mp_sim_cluster *cluster,
                        const char *password) MP_MUST_CHECK; // for whoever comes now
int mp_sim_set_prepared_limit(struct mp_sim_cluster *cluster, uint32_t limit) MP_MUST_CHECK;

// ---- looking at it ----------------------------------------------------------------------------------------
struct mp_sim_node_info {
	struct mp_addr addr;
	struct mp_uuid host_id;
	const char *dc;
	const char *rack;
	bool member, running, paused, serving, believed_up;
	uint32_t connections;       // open now
	uint64_t connections_total; // accepted ever
	uint64_t requests;          // QUERY, EXECUTE and PREPARE
	uint64_t by_opcode[17];
	uint64_t answers;
	uint64_t streams_reused; // requests on a stream id whose answer was owed: a mistake of the client's
	uint64_t hints;          // waiting for it
	uint32_t prepared;
	uint64_t bytes_in, bytes_out;
	int64_t first_token;
};
int mp_sim_node_info(const struct mp_sim_cluster *cluster, uint16_t node,
                     struct mp_sim_node_info *out) MP_MUST_CHECK;
// How often statements that carry this text (it begins with the prefix) reached a node; node -1: all together.
// `executed`: only those that were not turned away before anything was applied.
uint64_t mp_sim_received(const struct mp_sim_cluster *cluster, int32_t node, struct mp_str text,
                         bool executed);
// The replicas of a partition key in a keyspace, or 0.
size_t mp_sim_replicas_of(struct mp_sim_cluster *cluster, struct mp_str keyspace, struct mp_bytes key,
                          uint16_t *out, size_t max);

// ---- rules (fault.h) --------------------------------------------------------------------------------------
// 0 when out of memory; otherwise the rule's number.
uint32_t mp_sim_add_rule(struct mp_sim_cluster *cluster, const struct mp_sim_rule_spec *spec) MP_MUST_CHECK;
void mp_sim_remove_rule(struct mp_sim_cluster *cluster, uint32_t rule); // unknown numbers are fine
void mp_sim_clear_rules(struct mp_sim_cluster *cluster);
uint64_t mp_sim_rule_hits(const struct mp_sim_cluster *cluster, uint32_t rule); // 0 when it is gone

// A CREATE, ALTER or DROP without a client, for those who set the scene. MP_ESERVER with the reason in `text`.
int mp_sim_schema_change(struct mp_sim_cluster *cluster, struct mp_str cql, char text[512]) MP_MUST_CHECK;
