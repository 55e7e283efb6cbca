// SPDX-License-Identifier: Apache-2.0
// A request on its way: what request.c (its beginning), phase.c (where it is), attempt.c, retry.c (the
// gate), timeout.c, reprepare.c and end.c share. The objects come from slabs; in steady state nothing is allocated.
#pragma once

#include <stdarg.h>

#include "cluster/request/attempt.h"
#include "cluster/request/deadline.h"
#include "cluster/request/speculative.h"
#include "cluster/session.h"
#include "cluster/topology/query.h"

enum mp_request_phase {
	MP_REQUEST_TAKEN, // its caller's
	MP_REQUEST_SENT,
	MP_REQUEST_MERGED,    // in a merge, open or sent
	MP_REQUEST_WAITING,   // for room
	MP_REQUEST_PREPARING, // its host forgot the statement, or it is doubted: it is told it again
	MP_REQUEST_DELAYED,   // until its retry
	MP_REQUEST_AGREEING,  // a schema statement: answered, waiting for the other hosts
	MP_REQUEST_ENDING,    // failed; told in the chores
	MP_REQUEST_PHASES
};

// What every request touches comes first, and what it is without behind it: between a request and its answer a thousand
// others may be sent, so each further cache line is fetched anew.
struct mp_request_state {
	struct mp_attempt first; // the one that is alone
	struct mp_attempt
		*attempts; // under way, oldest first: SENT, and the one whose host is told the statement
	struct mp_placement *placement;
	struct mp_error *error; // NULL until something failed
	uint64_t submitted_ns;
	uint64_t deadline_ns;
	uint64_t epoch;       // of the view when the walk of the plan began
	int64_t timestamp_us; // of all its attempts, when has_timestamp
	int64_t token;
	uint32_t timeout_ms;
	uint32_t attempt_ms;      // for one attempt; timeout_ms when none may follow one that is silent
	uint32_t planned_serving; // of the datacentre that serves, when the plan was made
	uint16_t host;            // of the attempt that was over last without an answer to tell; MP_NO_HOST
	uint16_t keyspace_id;
	uint8_t phase;        // enum mp_request_phase
	uint8_t replay_class; // enum mp_replay_class
	bool has_token;
	bool has_timestamp;
	bool is_lwt;
	bool is_plain;   // may run twice at the same time
	bool is_use;     // refused
	bool is_carrier; // of a merge: its members are the requests that are counted
	// From here to `used` all is 0 when it is submitted.
	uint32_t attempt_count;      // ever
	uint32_t passed;             // bit i: plan.seen[i] had no room
	uint32_t spared;             // bit i: plan.seen[i] is on probation, and this request was not for it
	uint32_t decision;           // its record in the decision log; 0: it has none
	struct mp_request_arms arms; // of a canary of policies
	uint8_t lacks;               // enum mp_feature: a connection could not say this, in its version
	uint8_t lacks_in;
	bool maybe_applied;
	bool is_speculated;             // it may have further attempts: there is something to end
	bool failed_over;               // the last attempt failed: the next host is told as a failover
	bool same_host;                 // DELAYED: the retry is for the same host
	uint8_t moves;                  // to another host after a failed attempt
	uint8_t used[MP_OUTCOME_COUNT]; // how often each outcome was followed by another attempt
	struct mp_deadline due;         // of the oldest attempt, or the request's
	struct mp_list_node node;       // of the list that its phase says
	struct mp_plan plan;
	union {
		struct mp_reprepare *reprepare; // PREPARING
		struct mp_agreement *agreement; // AGREEING
	};
	struct mp_merge *merge;              // MERGED
	struct mp_request_state *same_chain; // MERGED: of tokens
	struct mp_timer delay;               // DELAYED
	struct mp_speculation speculation;
};

#define MP_REQUEST_STATE_ZEROED \
	(offsetof(struct mp_request_state, due) - offsetof(struct mp_request_state, attempt_count))

struct mp_request_cell {
	struct mp_request request;
	struct mp_request_state state;
};

// How an attempt failed.
struct mp_failure {
	uint8_t outcome; // enum mp_replay_outcome
	int err;
	int32_t server_code; // -1: none
	uint16_t consistency;
	int32_t required, received;
	uint8_t write_type;
	bool data_present;
	bool harmless; // what failed was not the statement itself, so it was not applied
	struct mp_str message;
};

// Hosts are preparing a statement again: one at a time for each host and statement.
struct mp_reprepare {
	struct mp_list_node node; // in session->repreparing
	struct mp_session *session;
	struct mp_prepared *prepared; // ref
	uint64_t asked_ns;
	uint16_t host;
	struct mp_query query;
	struct mp_list waiters; // requests, by state.node
};

static inline struct mp_request *mp_request_of(struct mp_request_state *state)
{
	return &MP_CONTAINER_OF(state, struct mp_request_cell, state)->request;
}

static inline struct mp_request *mp_request_at(struct mp_list_node *node)
{
	return mp_request_of(MP_CONTAINER_OF(node, struct mp_request_state, node));
}

// ---- decisions/arms.c
void mp_request_deal(struct mp_request *request); // a canary runs: it gets its arms; its token is known
void mp_request_arms_ended(struct mp_request *request, const struct mp_outcome *outcome);
// It is put to policies of this kind; MP_ARM_RETRY, ...
MP_INLINE void mp_request_meets(struct mp_request_state *state, uint8_t kind)
{
	state->arms.met |= kind;
}

// ---- request.c
void mp_requests_init(struct mp_session *session);
void mp_requests_deinit(struct mp_session *session);
void mp_request_view(const struct mp_request *request, struct mp_request_view *view);
// A fresh plan by the policy, or by the default when that fails.
void mp_session_make_plan(struct mp_session *session, const struct mp_request_view *req,
                          struct mp_placement *placement, int64_t token, struct mp_plan *plan);

// ---- routing.c
// The routing token of encoded values: true and *token when all components of the partition key are there.
bool mp_routing_token(const struct mp_prepared *prepared, const struct mp_buf *values, uint32_t value_count,
                      struct mp_buf *scratch, int64_t *token);

// The rest of what submit does, later. It fails in the chores of this turn.
void mp_request_start_alone(struct mp_request *request);

// ---- phase.c
extern const uint8_t mp_request_followers[MP_REQUEST_PHASES]; // of each phase: bits of those that may follow
void mp_request_leave_phase(struct mp_request *request);
void mp_request_join_phase(struct mp_request *request);
void mp_request_drop_attempts(struct mp_request *request);

// The one writer of a request's phase: what the phase before held is left, what the new one holds is joined. PREPARING
// and AGREEING: `reprepare` or `agreement` is set. Inline because most requests are only SENT and answered, which must
// not cost more than two stores.
MP_INLINE void mp_request_enter(struct mp_request *request, enum mp_request_phase phase)
{
	struct mp_request_state *state = request->state;
	mp_assert(mp_request_followers[state->phase] >> phase & 1);
	if (MP_UNLIKELY(state->phase > MP_REQUEST_SENT))
		mp_request_leave_phase(request);
	state->phase = (uint8_t)phase;
	if (phase == MP_REQUEST_TAKEN || phase == MP_REQUEST_AGREEING || phase == MP_REQUEST_ENDING) {
		mp_deadline_stop(&state->due);
		if (MP_UNLIKELY(state->attempts != NULL || state->is_speculated))
			mp_request_drop_attempts(request);
	}
	if (phase > MP_REQUEST_SENT)
		mp_request_join_phase(request);
}

// ---- end.c
// It is answered: the caller is told. The request is the caller's again before on_done and not touched after it.
void mp_request_end(struct mp_request *request, struct mp_outcome *outcome);
// It fails, with `err` and what its attempts met; the sentence is for one that made none. LATER: in the chores of this
// turn, where no callback may be called.
enum mp_request_when { MP_REQUEST_NOW, MP_REQUEST_LATER };
void mp_request_fail(struct mp_request *request, enum mp_request_when when, int err, const char *format, ...)
	MP_PRINTF(4, 5);
void mp_requests_tell_ended(struct mp_session *session);
void mp_requests_fail_idle(struct mp_session *session);     // closing: those that are on no connection fail
void mp_request_reject(struct mp_request *request, int rc); // submit returns this: as if nothing had happened

// ---- attempt.c
// The plan from the start again, without the hosts that were really asked.
void mp_request_rewind(struct mp_request *request);

// ---- timeout.c
// How long an attempt is waited for: its own time (state->attempt_ms), but not beyond the request's.
MP_INLINE uint64_t mp_attempt_until_ns(const struct mp_attempt *attempt)
{
	const struct mp_request_state *state = attempt->request->state;
	uint64_t own_ns = attempt->began_ns + state->attempt_ms * UINT64_C(1000000);
	return own_ns < state->deadline_ns ? own_ns : state->deadline_ns;
}
// The deadline of its request is the request's own from now on. MP_ENOMEM: it has none.
int mp_request_watch(struct mp_request *request) MP_MUST_CHECK;
// Whether any attempt is, with a deadline.
bool mp_request_is_under_way(struct mp_request *request);
void mp_request_on_due(void *session, struct mp_deadline *deadline);

// ---- retry.c
// The next attempt: on the same host if that was decided, else on the next; or the queue, or the end. None is left.
void mp_request_try_again(struct mp_request *request);
void mp_request_on_delay(void *data);
// It succeeded, but with values that were bound for what its statement is no more: nobody knows what was stored.
void mp_request_fail_changed(struct mp_request *request);

// ---- moves.c
bool mp_move_is_allowed(
	struct mp_request *request); // to another host, now that an attempt has failed; no is counted
uint32_t mp_move_make(struct mp_request *request); // it moves: not before so many ms

// ---- reprepare.c
// Its host forgot the statement, or one of a batch, and is told it again; then the attempt is made again there. It is
// alone.
void mp_attempt_reprepare(struct mp_attempt *attempt, struct mp_prepared *prepared);
// The same before it is sent at all: the statement is stale. It is under way. MP_EBUSY: there is no room for PREPARE.
int mp_attempt_prepare_first(struct mp_attempt *attempt, struct mp_prepared *prepared) MP_MUST_CHECK;
bool mp_reprepare_is_under_way(const struct mp_prepared *prepared, uint16_t host);
// For those that come later: this attempt's request goes on elsewhere.
void mp_reprepare_host(struct mp_attempt *attempt, struct mp_prepared *prepared);
// It is doubted. Or the host is told it just now, and knows it before we know what it has made of it.
MP_INLINE bool mp_prepared_is_stale(const struct mp_prepared *prepared, uint16_t host)
{
	return mp_prepared_is_doubted(prepared) ||
	       (MP_UNLIKELY(prepared->preparing > 0) && mp_reprepare_is_under_way(prepared, host));
}

// ---- request_error.c
// Why it cannot be sent, as a sentence.
#define MP_REFUSAL_TEXT 192
// ": 10.0.0.1:9042: the connection was lost; ...": which hosts of the session are not up, and why, the first three of
// them; or `only` this one.
void mp_request_tell_down(const struct mp_session *session, const struct mp_host *only, char *text,
                          size_t size);
const char *mp_request_refusal(const struct mp_request *request, int rc, char text[MP_REFUSAL_TEXT]);
// The request's error, made on first need; with what happened as the headline. Never NULL: without memory it is the
// session's last resort, which says so.
struct mp_error *mp_request_error(struct mp_request *request);
void mp_error_set(struct mp_error *error, int err, int32_t server_code, const char *format, ...)
	MP_PRINTF(4, 5);
void mp_error_vset(struct mp_error *error, int err, int32_t server_code, const char *format, va_list args)
	MP_PRINTF(4, 0);
void mp_error_add(struct mp_error *error, const char *host, int err, int32_t server_code, uint32_t ms,
                  struct mp_str message);
// The headline of a request that ends for lack of hosts, time or room, from what its attempts say.
void mp_error_tell(struct mp_error *error, int err);
