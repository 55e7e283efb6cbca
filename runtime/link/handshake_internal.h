// SPDX-License-Identifier: Apache-2.0
// Between handshake.c (what an answer means) and handshake_send.c (what is asked). Each function encodes one
// request and makes it the step under way; non-zero: the connection is closed.
#pragma once

#include "base/buf.h"
#include "base/cursor.h"
#include "link/handshake.h"

#define MP_HANDSHAKE_STREAM 0

int mp_handshake_send_options(struct mp_conn *conn) MP_MUST_CHECK;
int mp_handshake_send_startup(struct mp_conn *conn) MP_MUST_CHECK;
int mp_handshake_send_token(struct mp_conn *conn, const struct mp_buf *token) MP_MUST_CHECK;
int mp_handshake_send_query(struct mp_conn *conn, enum mp_handshake_step step,
                            struct mp_str cql) MP_MUST_CHECK;
int mp_handshake_send_use(struct mp_conn *conn) MP_MUST_CHECK; // the keyspace of the settings, quoted
int mp_handshake_send_register(struct mp_conn *conn) MP_MUST_CHECK;
