// SPDX-License-Identifier: Apache-2.0
// A question of the session's own (system tables, PREPARE) to one connection, with a deadline. It ends exactly once
// unless it is cancelled, and never from inside mp_query_send_*().
#pragma once

#include "base/cursor.h"
#include "link/conn.h"
#include "loop/loop.h"

struct mp_query {
	struct mp_call call;
	struct mp_timer timer;
	// rc 0: the answer (RESULT or ERROR), valid during the call. Otherwise MP_ETIMEOUT or why the connection ended.
	void (*on_done)(void *data, int rc, const struct mp_envelope *answer);
	void *data;
	struct mp_conn *conn; // where it was sent; valid while it waits and in on_done
	bool waits;
	// The deadline is for a node that says nothing: one whose answer is arriving gets a few more times of it.
	bool patient;
	uint32_t timeout_ms;
	uint64_t sent_ns;
	uint8_t extended;
};

void mp_query_init(struct mp_query *query, struct mp_loop *loop,
                   void (*on_done)(void *data, int rc, const struct mp_envelope *answer), void *data);
int mp_query_send_cql(struct mp_query *query, struct mp_conn *conn, const char *cql,
                      uint32_t timeout_ms) MP_MUST_CHECK;
// MP_EUNSUPPORTED: a `keyspace`, and the connection is older than v5.
int mp_query_send_prepare(struct mp_query *query, struct mp_conn *conn, struct mp_str cql,
                          struct mp_str keyspace, uint32_t timeout_ms) MP_MUST_CHECK;
void mp_query_cancel(struct mp_query *query); // also when it does not wait
