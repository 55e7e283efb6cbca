// SPDX-License-Identifier: Apache-2.0
// The table. Whatever is not certain counts as applied.
#include "cluster/request/replay.h"

#include "wire/message.h"

// ---- the table
// ----------------------------------------------------------------------------------------------------

// A cell: retries allowed, only on another host, possibly applied.
#define FAIL            \
	{                   \
		0, false, false \
	}
#define FAIL_MAYBE     \
	{                  \
		0, false, true \
	}
#define AGAIN(n)          \
	{                     \
		(n), false, false \
	}
#define OTHER(n)         \
	{                    \
		(n), true, false \
	}
#define AGAIN_MAYBE(n)   \
	{                    \
		(n), false, true \
	}
#define OTHER_MAYBE(n)  \
	{                   \
		(n), true, true \
	}
#define MANY 16 // the plan and the deadline end it

// Columns: READ, IDEMPOTENT, UNSAFE, FRAGILE. A read applies nothing; that a request may have been applied is
// said of writes only.
static const struct mp_replay_rule table[MP_OUTCOME_COUNT][MP_REPLAY_CLASSES] = {
	[MP_OUTCOME_NOT_SENT] = {AGAIN(MANY), AGAIN(MANY), AGAIN(MANY), AGAIN(MANY)},
	// The kernel took less than the whole envelope, so the node cannot have it.
	[MP_OUTCOME_PART_SENT] = {AGAIN(MANY), AGAIN(MANY), AGAIN(MANY), AGAIN(MANY)},
	[MP_OUTCOME_LOST] = {AGAIN(MANY), AGAIN_MAYBE(MANY), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_TIMEOUT] = {AGAIN(MANY), AGAIN_MAYBE(MANY), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_UNPREPARED] = {AGAIN(2), AGAIN(2), AGAIN(2), AGAIN(2)},
	[MP_OUTCOME_IS_BOOTSTRAPPING] = {OTHER(MANY), OTHER(MANY), OTHER(MANY), OTHER(MANY)},
	[MP_OUTCOME_UNAVAILABLE] = {OTHER(1), OTHER(1), OTHER(1), FAIL_MAYBE},
	[MP_OUTCOME_OVERLOADED] = {AGAIN(3), AGAIN_MAYBE(3), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_SERVER_ERROR] = {AGAIN(3), AGAIN_MAYBE(3), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_TRUNCATE_ERROR] = {AGAIN(3), AGAIN_MAYBE(3), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_FUNCTION_FAILURE] = {AGAIN(3), AGAIN_MAYBE(3), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_READ_TIMEOUT] = {AGAIN(1), AGAIN_MAYBE(1), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_READ_FAILURE] = {AGAIN(1), AGAIN_MAYBE(1), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_WRITE_TIMEOUT] = {FAIL, AGAIN_MAYBE(3), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_WRITE_TIMEOUT_BATCH_LOG] = {FAIL, AGAIN_MAYBE(1), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_WRITE_FAILURE] = {FAIL, AGAIN_MAYBE(3), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_CDC_WRITE_FAILURE] = {FAIL, AGAIN_MAYBE(3), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_CAS_WRITE_UNKNOWN] = {FAIL, AGAIN_MAYBE(3), FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_SYNTAX_ERROR] = {FAIL, FAIL, FAIL, FAIL},
	[MP_OUTCOME_UNAUTHORIZED] = {FAIL, FAIL, FAIL, FAIL},
	[MP_OUTCOME_INVALID] = {FAIL, FAIL, FAIL, FAIL},
	[MP_OUTCOME_CONFIG_ERROR] = {FAIL, FAIL, FAIL, FAIL},
	[MP_OUTCOME_ALREADY_EXISTS] = {FAIL, FAIL, FAIL, FAIL},
	[MP_OUTCOME_BAD_CREDENTIALS] = {FAIL, FAIL, FAIL, FAIL},
	[MP_OUTCOME_PROTOCOL_ERROR] = {FAIL, FAIL_MAYBE, FAIL_MAYBE, FAIL_MAYBE},
	[MP_OUTCOME_UNKNOWN_CODE] = {FAIL, FAIL_MAYBE, FAIL_MAYBE, FAIL_MAYBE},
};

struct mp_replay_rule mp_replay_rule(enum mp_replay_outcome outcome, enum mp_replay_class replay_class)
{
	mp_assert(outcome < MP_OUTCOME_COUNT && replay_class < MP_REPLAY_CLASSES);
	return table[outcome][replay_class];
}

const char *mp_replay_outcome_name(enum mp_replay_outcome outcome)
{
	static const char *const names[] = {
#define X(name) #name,
		MP_REPLAY_OUTCOMES(X)
#undef X
	};
	return outcome < MP_OUTCOME_COUNT ? names[outcome] : "?";
}

enum mp_replay_outcome mp_replay_outcome_of_error(int32_t server_code, int write_type)
{
	switch (server_code) {
	case MP_SE_UNPREPARED: return MP_OUTCOME_UNPREPARED;
	case MP_SE_IS_BOOTSTRAPPING: return MP_OUTCOME_IS_BOOTSTRAPPING;
	case MP_SE_UNAVAILABLE: return MP_OUTCOME_UNAVAILABLE;
	case MP_SE_OVERLOADED: return MP_OUTCOME_OVERLOADED;
	case MP_SE_SERVER_ERROR: return MP_OUTCOME_SERVER_ERROR;
	case MP_SE_TRUNCATE_ERROR: return MP_OUTCOME_TRUNCATE_ERROR;
	case MP_SE_FUNCTION_FAILURE: return MP_OUTCOME_FUNCTION_FAILURE;
	case MP_SE_READ_TIMEOUT: return MP_OUTCOME_READ_TIMEOUT;
	case MP_SE_READ_FAILURE: return MP_OUTCOME_READ_FAILURE;
	case MP_SE_WRITE_TIMEOUT:
		return write_type == MP_WRITE_BATCH_LOG ? MP_OUTCOME_WRITE_TIMEOUT_BATCH_LOG
		                                        : MP_OUTCOME_WRITE_TIMEOUT;
	case MP_SE_WRITE_FAILURE: return MP_OUTCOME_WRITE_FAILURE;
	case MP_SE_CDC_WRITE_FAILURE: return MP_OUTCOME_CDC_WRITE_FAILURE;
	case MP_SE_CAS_WRITE_UNKNOWN: return MP_OUTCOME_CAS_WRITE_UNKNOWN;
	case MP_SE_SYNTAX_ERROR: return MP_OUTCOME_SYNTAX_ERROR;
	case MP_SE_UNAUTHORIZED: return MP_OUTCOME_UNAUTHORIZED;
	case MP_SE_INVALID: return MP_OUTCOME_INVALID;
	case MP_SE_CONFIG_ERROR: return MP_OUTCOME_CONFIG_ERROR;
	case MP_SE_ALREADY_EXISTS: return MP_OUTCOME_ALREADY_EXISTS;
	case MP_SE_BAD_CREDENTIALS: return MP_OUTCOME_BAD_CREDENTIALS;
	case MP_SE_PROTOCOL_ERROR: return MP_OUTCOME_PROTOCOL_ERROR;
	default: return MP_OUTCOME_UNKNOWN_CODE;
	}
}

enum mp_replay_outcome mp_replay_outcome_of_loss(enum mp_sent sent)
{
	switch (sent) {
	case MP_SENT_NOTHING: return MP_OUTCOME_NOT_SENT;
	case MP_SENT_PART: return MP_OUTCOME_PART_SENT;
	default: return MP_OUTCOME_LOST;
	}
}
