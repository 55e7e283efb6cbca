// SPDX-License-Identifier: Apache-2.0
// An attempt: one message of a request to one host. A request makes one after the other; while it is speculative, up to
// 1 + MP_SPECULATIVE_MAX at a time, and the first success among them is its answer.
//
//   idle --to a host--> under way --answered, failed, timed out, lost to another one, its caller gone--> over
//
// Invariant: an attempt is under way exactly while it stands in the list of its request and counts in inFlight of its
// host. It stays there when its host forgot the statement, until the host was told it again (PREPARING).
//
// The one that is alone lies in its request and costs no memory; those that go beside it come from a slab.
#pragma once

#include "link/conn.h"
#include "pool/breaker.h"

struct mp_failure;
struct mp_host_view;
struct mp_request;

struct mp_attempt {
	struct mp_call call;
	struct mp_request *request;
	struct mp_attempt *next; // of its request: the one that began after it
	struct mp_conn *conn;
	struct mp_metadata *metadata; // how rows without metadata are to be read: what was named when it was sent
	uint64_t began_ns;
	uint16_t host; // its slot
	bool is_speculative;
	uint32_t ticket; // of its host's breaker, until that knows how it went; 0: none
};

// ---- attempt.c
bool mp_attempt_is_alone(const struct mp_attempt *attempt);
// What its host has shown, as the host's breaker sees it; the first word counts.
void mp_attempt_judge(struct mp_attempt *attempt, enum mp_breaker_verdict verdict);
// It is over, and given back; an answer that is still owed is nobody's.
void mp_attempt_end(struct mp_attempt *attempt);

// How long hosts take, as plans see it, is a moving mean in their slots of the view.
//
// An answer says how long it took. A silence (an attempt that timed out, or lost to another one) says only that the
// answer would have taken longer than that. Above the mean it counts as an answer of that length, with the weight of
// any other: one packet that was lost must not outweigh a thousand answers. Otherwise it only is news: a silence never
// makes a host look faster, and one that was slow and is silent again is still slow.
void mp_latency_answered(struct mp_host_view *host, uint64_t us, uint64_t now_ms);
void mp_latency_silent(struct mp_host_view *host, uint64_t us, uint64_t now_ms);
void mp_attempt_was_answered(struct mp_attempt *attempt);
// Its host did not answer up to now: it is at least that slow, and asked for a sign of life. With speculation a silent
// host would otherwise cost nobody a timeout and be noticed late.
void mp_attempt_was_silent(struct mp_attempt *attempt);

// Through the least busy connection of a host. 0: its request is SENT, or PREPARING because its statement is doubted.
// Otherwise MP_ENOHOST (the host is not up), MP_EBUSY (it has no room), or why the request cannot be sent at all.
int mp_attempt_to_host(struct mp_attempt *attempt, uint16_t host) MP_MUST_CHECK;
// To the next host of the plan that has room: 0, MP_EBUSY (some were full), MP_ENOHOST (no more), or why the request
// cannot be sent at all.
int mp_attempt_to_next_host(struct mp_attempt *attempt) MP_MUST_CHECK;

// ---- answer.c
void mp_attempt_on_answer(struct mp_call *call, int rc, const struct mp_envelope *answer);

// ---- retry.c
// It is over, and so may its request be.
void mp_attempt_failed(struct mp_attempt *attempt, const struct mp_failure *failure);
// The same, noted only: something else ends the request.
void mp_attempt_note(struct mp_attempt *attempt, const struct mp_failure *failure);
