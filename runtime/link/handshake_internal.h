// SPDX-License-Identifier: Apache-2.0
// Between handshake.c (what an answer means) and handshake_send.c (what is asked). Each function encodes one
// request and makes it the step under way; non-zero: the connection is closed.
#pragma once

#include "base/buf.h"
#include "base/cursor.h"
#include "link/handshake.h"

#define MP_HANDSHAKE_STREAM 0

// How much of a node's words stands in a message, for "%.*s".
int mp_handshake_shown(size_t len);

int mp_handshake_send_options(struct mp_conn *conn) MP_MUST_CHECK;
int mp_handshake_send_startup(struct mp_conn *conn) MP_MUST_CHECK;
// ---- login.c: the node asks who we are, asks on, is content; and it is over, whatever came of it
int mp_login_begin(struct mp_conn *conn, struct mp_str authenticator) MP_MUST_CHECK;
int mp_login_challenge(struct mp_conn *conn, const struct mp_bytes *challenge) MP_MUST_CHECK;
int mp_login_success(struct mp_conn *conn, const struct mp_bytes *token) MP_MUST_CHECK;
void mp_login_end(struct mp_conn *conn);

int mp_handshake_send_token(struct mp_conn *conn, const struct mp_buf *token) MP_MUST_CHECK;
int mp_handshake_send_query(struct mp_conn *conn, enum mp_handshake_step step,
                            struct mp_str cql) MP_MUST_CHECK;
int mp_handshake_send_use(struct mp_conn *conn) MP_MUST_CHECK; // the keyspace of the settings, quoted
int mp_handshake_send_register(struct mp_conn *conn) MP_MUST_CHECK;
