// SPDX-License-Identifier: Apache-2.0
// The decision log: of a sample of the requests, what the balance policy saw, what it planned, and what became of it.
// The format is docs/decision-log.md.
//
// Invariant: on a request's way nothing is allocated and nothing is formatted. A record has one size and lies in a
// ring that was made with the configuration; lines are made of it and written at the end of a turn, when the loop would
// otherwise wait. No value, no statement and no secret is ever copied into a record.
#pragma once

#include "base/buf.h"
#include "cluster/decisions/file.h"
#include "cluster/decisions/sampler.h"
#include "cluster/plan/policy.h"
#include "loop/loop.h"

enum { MP_DECISIONS_KEPT = 1000 }; // records of a ring
enum {
	MP_DECISION_HOSTS = 48
}; // of one record; of more hosts, the replicas, those of the plan, others by chance
enum { MP_DECISION_PLANNED = 8 }; // hosts of a plan that are noted
enum { MP_DECISION_TEXT = 48 };   // bytes of the names that are copied

// A host as the policy saw it. Its names are looked up when the record is told.
struct mp_decision_host {
	uint16_t slot;
	uint16_t dc, rack;   // dcId, rackId
	uint8_t replica;     // 1: the first one of the row; 0: none
	uint8_t flags;       // MP_DECISION_UP, ...
	uint32_t generation; // of the slot
	uint32_t in_flight, latency_us, latency_age_ms;
	uint32_t marks;
	float weight;
};
enum mp_decision_flag {
	MP_DECISION_UP = 1,
	MP_DECISION_LOCAL = 2,
	MP_DECISION_LOCAL_RACK = 4,
	MP_DECISION_NEW = 8,        // up for less than a minute
	MP_DECISION_HALF_OPEN = 16, // of its breaker
	MP_DECISION_SHUT = 32,
};

struct mp_decision {
	uint32_t number; // 1 and up; 0: the record is free
	bool has_ended;
	bool is_fallback, is_refused; // the policy failed and C planned; it wanted no host
	bool is_batch;
	bool is_canary;     // by a generation on trial
	bool has_placement; // replicas were known
	bool maybe_applied;
	// what was asked
	uint64_t at_us; // since 1970
	struct mp_request_view request;
	int64_t token;
	uint64_t chance; // the plan's random bits, and its turn: the same policy plans the same again
	uint32_t turn;
	uint16_t local_dc;
	char keyspace[MP_DECISION_TEXT], table[MP_DECISION_TEXT], policy[MP_DECISION_TEXT];
	uint32_t generation; // of the policy
	// what was planned
	uint8_t step_count, planned_count;
	struct {
		uint8_t host, step; // of `hosts`; of `steps`
	} planned[MP_DECISION_PLANNED];
	struct mp_plan_step steps[MP_PLAN_STEPS];
	// what became of it
	uint16_t answered_by; // a slot; MP_NO_HOST: none
	uint32_t attempts;
	uint64_t latency_us;
	char code[MP_DECISION_TEXT]; // "": it succeeded
	// what there was to choose from
	uint16_t host_count;
	uint32_t host_total;
	struct mp_decision_host hosts[MP_DECISION_HOSTS];
};

struct mp_session;
struct mp_request;
struct mp_outcome;

struct mp_decisions {
	struct mp_session *session;
	struct mp_sampler sampler; // of those that are noted
	struct mp_decision *ring;  // NULL: off
	uint32_t begun;            // the number of the last record
	uint32_t *ended;           // numbers, in the order of their end: to be written
	uint32_t ended_first, ended_count;
	struct mp_decision_file file;
	struct mp_task write; // at the end of a turn
	struct mp_buf lines;
};

void mp_decisions_init(struct mp_decisions *decisions, struct mp_session *session);
void mp_decisions_deinit(struct mp_decisions *decisions);
// As the session's configuration says from now on; what is not written yet is written first. Without memory there is no
// log, which is told.
void mp_decisions_reconfigure(struct mp_decisions *decisions);
void mp_decisions_flush(struct mp_decisions *decisions); // all that has ended is written now
void mp_decisions_tick(struct mp_decisions *decisions);  // once a second: it is written soon

// This request was planned just now, from these random bits; `by_policy`: not by the default instead of it.
void mp_decisions_note(struct mp_decisions *decisions, struct mp_request *request,
                       const struct mp_request_view *view, uint64_t chance, bool by_policy);
// A request that was noted has ended; or was never begun, with this error.
void mp_decisions_ended(struct mp_request *request, const struct mp_outcome *outcome);
void mp_decisions_dropped(struct mp_request *request, int err);

// ---- line.c
const char *mp_decision_kind(const struct mp_request_view *request, bool is_batch); // "read"
// Of the host that was in a slot when the slot had this generation; "gone" when another one is there now.
const char *mp_decision_address(const struct mp_session *session, uint16_t slot, uint32_t generation);
// Adds the record as a line with its end, of at most some ten thousand bytes.
void mp_decision_line(const struct mp_decision *decision, struct mp_session *session, struct mp_buf *line);
