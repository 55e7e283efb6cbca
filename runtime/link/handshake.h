// SPDX-License-Identifier: Apache-2.0
// From a connected socket to a connection that may carry requests. Steps that the settings do not ask for are
// left out.
//
//   [TLS] -> OPTIONS -> STARTUP -> [AUTH ...] -> [IDENTITY] -> [KEYSPACE] -> [REGISTER] -> done
#pragma once

#include "wire/compress.h"
#include "wire/frame.h"

struct mp_conn;

enum mp_handshake_step {
	MP_STEP_CONNECT,
	MP_STEP_TLS,
	MP_STEP_OPTIONS,
	MP_STEP_STARTUP,
	MP_STEP_AUTH,
	MP_STEP_IDENTITY,
	MP_STEP_KEYSPACE,
	MP_STEP_REGISTER,
	MP_STEP_DONE,
};

#define MP_AUTH_ROUNDS_MAX 8 // answers to challenges, the first token included
#define MP_AUTH_TOKEN_MAX  (64u << 10)

struct mp_handshake {
	enum mp_handshake_step step;
	bool wants_events;               // REGISTER is asked for
	struct mp_login *login;          // the exchange of tokens; NULL: none is under way
	uint8_t offered;                 // bit k: SUPPORTED lists enum mp_compression k
	enum mp_compression compression; // asked for in STARTUP
	uint8_t listed_versions;         // bit v: SUPPORTED lists protocol version v, and not as a beta
};

const char *mp_handshake_step_name(enum mp_handshake_step step); // what was awaited: "the answer to STARTUP"
void mp_handshake_start(struct mp_conn *conn);                   // the socket is connected, and encrypted
// An envelope of a connection that is OPENING. Non-zero: the connection is closed.
int mp_handshake_answer(struct mp_conn *conn, const struct mp_envelope *envelope) MP_MUST_CHECK;
// The bytes could not be decoded: close, as VERSION where the node spoke of another protocol version.
void mp_handshake_refuse_bytes(struct mp_conn *conn, int rc);
