// SPDX-License-Identifier: Apache-2.0
// The replay-safety gate: may a request that failed so be sent again, and may it have been applied? A table; no policy
// can widen it. A refused retry is counted by the caller.
#pragma once

#include "base/defs.h"
#include "link/conn.h"

// What kind of statement it is, as far as repeating it goes.
enum mp_replay_class {
	MP_REPLAY_READ,       // SELECT
	MP_REPLAY_IDEMPOTENT, // a write its caller calls idempotent
	MP_REPLAY_UNSAFE,     // a plain write that must not run twice (list append, now(), unknown)
	MP_REPLAY_FRAGILE, // counter update or lightweight transaction: even "unavailable" may have been applied
	MP_REPLAY_CLASSES,
};

// How an attempt ended. X(name) in the order of the table.
// clang-format off
#define MP_REPLAY_OUTCOMES(X)                                                                          \
	X(NOT_SENT) X(PART_SENT) X(LOST) X(TIMEOUT) X(UNPREPARED) X(IS_BOOTSTRAPPING) X(UNAVAILABLE)       \
	X(OVERLOADED) X(SERVER_ERROR) X(TRUNCATE_ERROR) X(FUNCTION_FAILURE) X(READ_TIMEOUT) X(READ_FAILURE) \
	X(WRITE_TIMEOUT) X(WRITE_TIMEOUT_BATCH_LOG) X(WRITE_FAILURE) X(CDC_WRITE_FAILURE)                  \
	X(CAS_WRITE_UNKNOWN) X(SYNTAX_ERROR) X(UNAUTHORIZED) X(INVALID) X(CONFIG_ERROR) X(ALREADY_EXISTS)  \
	X(BAD_CREDENTIALS) X(PROTOCOL_ERROR) X(UNKNOWN_CODE)
// clang-format on
enum mp_replay_outcome {
#define X(name) MP_OUTCOME_##name,
	MP_REPLAY_OUTCOMES(X)
#undef X
		MP_OUTCOME_COUNT
};
const char *mp_replay_outcome_name(enum mp_replay_outcome outcome);

struct mp_replay_rule {
	uint8_t most;        // how often this outcome may be followed by another attempt in one request; 0: never
	bool next_host_only; // not on the same host again
	bool maybe_applied;  // what the caller must assume if the request ends here
};
struct mp_replay_rule mp_replay_rule(enum mp_replay_outcome outcome, enum mp_replay_class replay_class);

// The outcome of an ERROR answer. `write_type` as decoded (enum mp_write_type).
enum mp_replay_outcome mp_replay_outcome_of_error(int32_t server_code, int write_type);
// The outcome of a connection that ended before the answer.
enum mp_replay_outcome mp_replay_outcome_of_loss(enum mp_sent sent);

// ---- classify.c -------------------------------------------------------------------------------------------
// What is known of the types of a statement's bind markers.
enum mp_markers {
	MP_MARKERS_UNKNOWN,
	MP_MARKERS_NO_COUNTER,
	MP_MARKERS_COUNTER,
};

// What a statement is by its text alone. Every answer that is not certain is the one that has it sent less often.
struct mp_statement {
	bool is_known;  // one statement that begins with a word
	bool is_read;   // one SELECT
	bool is_use;    // USE, which would change one connection of many
	bool is_lwt;    // a write with a condition (IF), a transaction
	bool may_count; // a write that may add to a counter
	// Reads or writes rows, and what it writes does not depend on where, when and how often it runs, as now(),
	// uuid() and an addition to a list do: it may run twice at the same time, if its class allows it at all.
	bool is_plain;
	// One INSERT, UPDATE or DELETE that names its partition by single values (no IN): when the markers of the whole
	// partition key are known, it writes to that partition alone.
	bool is_keyed;
};
struct mp_statement mp_statement_read(const char *cql, size_t len, enum mp_markers markers);
// A read is READ. A lightweight transaction and what may be a counter update are FRAGILE, whatever the caller says.
// Another known statement is IDEMPOTENT if its caller says so. All else is UNSAFE.
enum mp_replay_class mp_statement_class(const struct mp_statement *statement, bool idempotent);
