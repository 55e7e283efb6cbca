// SPDX-License-Identifier: Apache-2.0
// A request on its way: what request.c (its beginning), phase.c (where it is), walk.c (finding a place), answer.c
// (reading answers), retry.c (the gate), copies.c, reprepare.c and end.c share. The objects come from slabs; in steady
// state nothing is allocated for one.
#pragma once

#include <stdarg.h>

#include "cluster/deadline.h"
#include "cluster/query.h"
#include "cluster/session.h"

enum mp_request_phase {
	MP_REQUEST_TAKEN, // its caller's
	MP_REQUEST_SENT,
	MP_REQUEST_WAITING,   // for room
	MP_REQUEST_PREPARING, // its host forgot the statement and is told it again
	MP_REQUEST_DELAYED,   // until its retry
	MP_REQUEST_AGREEING,  // a schema statement: answered, waiting for the other hosts
	MP_REQUEST_ENDING,    // failed; told in the chores
	MP_REQUEST_PHASES
};

struct mp_request_state {
	struct mp_call call;
	struct mp_deadline due;   // the attempt's or the request's, whichever comes first
	struct mp_list_node node; // of the list that its phase says
	uint64_t submitted_ns;
	int64_t timestamp_us; // of all its attempts, when has_timestamp
	uint64_t deadline_ns;
	uint64_t epoch;               // of the view when the walk of the plan began
	uint64_t attempt_ns;          // when the current attempt began
	struct mp_conn *conn;         // of the current attempt
	struct mp_metadata *metadata; // SENT: how rows without metadata are to be read; captured when it was sent
	union {
		struct mp_reprepare *reprepare; // PREPARING
		struct mp_agreement *agreement; // AGREEING
	};
	struct mp_placement *placement;
	struct mp_error *error; // NULL until something failed
	uint32_t timeout_ms;
	uint32_t attempt_ms; // 0: an attempt may take all the time that is left
	uint32_t attempts;
	uint32_t passed; // bit i: plan.seen[i] had no room
	int64_t token;
	uint16_t host; // of the current or last attempt
	uint16_t keyspace_id;
	uint8_t phase;        // enum mp_request_phase
	uint8_t replay_class; // enum mp_replay_class
	uint8_t lacks;        // enum mp_feature: a connection could not say this, in its version
	uint8_t lacks_in;
	bool has_token;
	bool has_timestamp;
	bool is_lwt;
	bool is_plain; // may run twice at the same time
	bool maybe_applied;
	bool failed_over;               // the last attempt failed: the next host is told as a failover
	bool same_host;                 // DELAYED: the retry is for the same host
	bool waited;                    // for room, at least once
	bool is_copy;                   // the current attempt began as a copy
	bool may_copy;                  // copies.c has something to end: a deadline in `ahead`, or copies
	uint8_t copies_sent;            // ever
	uint8_t moves;                  // to another host after a failed attempt
	uint32_t planned_moves;         // of the datacentre that serves, when the plan was made
	uint8_t used[MP_OUTCOME_COUNT]; // how often each outcome was followed by another attempt
	struct mp_plan plan;
	struct mp_timer delay;    // DELAYED
	struct mp_copy *copies;   // SENT: the other attempts in flight
	uint32_t copy_after_ms;   // from the last attempt to the next copy; MP_NO_COPY
	struct mp_deadline ahead; // when it is due
};

// An attempt in flight beside the request's current one. Oldest last.
struct mp_copy {
	struct mp_call call;
	struct mp_copy *next;
	struct mp_request *request;
	struct mp_conn *conn;
	struct mp_metadata *metadata;
	uint64_t attempt_ns;
	uint16_t host;
	bool is_copy; // the first attempt may stand here, too
};

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

// ---- request.c
void mp_requests_init(struct mp_session *session);
void mp_requests_deinit(struct mp_session *session);
void mp_request_view(const struct mp_request *request, struct mp_request_view *view);

// A fresh plan by the policy, or by the default when that fails.
void mp_session_make_plan(struct mp_session *session, const struct mp_request_view *req,
                          struct mp_placement *placement, int64_t token, struct mp_plan *plan);

// ---- phase.c
extern const uint8_t mp_request_followers[MP_REQUEST_PHASES]; // of each phase: bits of those that may follow
void mp_request_leave_phase(struct mp_request *request);
void mp_request_join_phase(struct mp_request *request);
void mp_request_rest(struct mp_request *request);

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
	if (phase == MP_REQUEST_TAKEN || phase == MP_REQUEST_AGREEING || phase == MP_REQUEST_ENDING)
		mp_request_rest(request);
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
void mp_requests_fail_idle(struct mp_session *session); // closing: those that are on no connection fail
void mp_request_reject(struct mp_request *request);     // submit returns an error: as if nothing had happened

// ---- walk.c
// Send to the next host of the plan that has room: 0, MP_EBUSY (some were full), MP_ENOHOST (no more), or why the
// request cannot be sent at all.
int mp_request_next(struct mp_request *request) MP_MUST_CHECK;
int mp_request_to_host(struct mp_request *request, uint16_t host) MP_MUST_CHECK;
// The same as mp_request_next(), but beside the current attempt.
int mp_request_send_copy(struct mp_request *request, struct mp_copy *copy) MP_MUST_CHECK;
int mp_request_wait(struct mp_request *request) MP_MUST_CHECK; // MP_EBUSY: the queue is full
void mp_request_leave(struct mp_request *request);             // the current attempt is over: counters only
void mp_requests_wake(struct mp_session *session);             // there may be room for those that wait
void mp_request_on_due(void *session, struct mp_deadline *deadline);

// ---- answer.c
void mp_request_on_answer(struct mp_call *call, int rc, const struct mp_envelope *answer);
// `us` more in the host's moving mean.
void mp_request_measure(struct mp_session *session, const struct mp_host *host, uint64_t us);

// ---- retry.c
void mp_request_failed(struct mp_request *request, const struct mp_failure *failure);
void mp_request_timed_out(struct mp_request *request, bool attempt_only);
void mp_request_go_on(struct mp_request *request); // the next host, or the queue, or the end
void mp_request_on_delay(void *data);
// By the failover limits: may it go to another host when the current attempt fails?
bool mp_request_may_move(const struct mp_request *request);
void mp_retry_budget_tick(struct mp_session *session);
bool mp_retry_budget_allows_copy(struct mp_session *session);
void mp_retry_budget_pay_copy(struct mp_session *session);

// ---- copies.c
void mp_copies_begin(struct mp_request *request); // it was submitted: will it have copies, and when?
void mp_copies_again(struct mp_request *request); // another attempt was sent: the delay begins anew
void mp_copies_on_due(void *session, struct mp_deadline *deadline);
// The current attempt is over. Another one in flight is the current one from now on; false: there is none.
bool mp_copies_take_over(struct mp_request *request) MP_MUST_CHECK;
// The deadline that ended was an older attempt's: the current one has another now. false: it is over, too.
bool mp_copies_wait_on(struct mp_request *request) MP_MUST_CHECK;
// The others in flight lost, and no more will go.
void mp_copies_end(struct mp_request *request);

// ---- reprepare.c
void mp_request_reprepare(struct mp_request *request);
void mp_reprepare_host(struct mp_request *request); // for those that come later: this one goes on elsewhere

// ---- request_error.c
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
