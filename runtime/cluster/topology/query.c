// SPDX-License-Identifier: Apache-2.0
#include "cluster/topology/query.h"

#include "base/err.h"
#include "wire/message.h"

struct question {
	bool prepare;
	struct mp_str cql;
	struct mp_str keyspace;
};

static void finish(struct mp_query *query, int rc, const struct mp_envelope *answer)
{
	query->waits = false;
	mp_timer_stop(&query->timer);
	query->on_done(query->data, rc, answer);
}

static void on_answer(struct mp_call *call, int rc, const struct mp_envelope *answer)
{
	finish(MP_CONTAINER_OF(call, struct mp_query, call), rc, answer);
}

#define EXTENSIONS_MAX 8

static bool waits_on(struct mp_query *query)
{
	return query->patient && query->extended++ < EXTENSIONS_MAX &&
	       mp_call_is_arriving(&query->call, query->sent_ns) &&
	       mp_timer_start_ms(&query->timer, query->timeout_ms) == 0;
}

// A node that leaves a question of ours without an answer is asked for a sign of life.
static void on_timer(void *data)
{
	struct mp_query *query = data;
	mp_conn_probe(query->conn);
	if (waits_on(query))
		return;
	mp_call_abandon(&query->call);
	finish(query, MP_ETIMEOUT, NULL);
}

void mp_query_init(struct mp_query *query, struct mp_loop *loop,
                   void (*on_done)(void *data, int rc, const struct mp_envelope *answer), void *data)
{
	*query = (struct mp_query){.on_done = on_done, .data = data};
	query->call.on_answer = on_answer;
	mp_timer_init(&query->timer, loop, on_timer, query);
}

static int encode(void *arg, struct mp_buf *out, uint8_t version, int16_t stream)
{
	const struct question *question = arg;
	if (question->prepare) {
		// Without it this would be another statement.
		if (question->keyspace.len > 0 && version < 5)
			return MP_EUNSUPPORTED;
		mp_encode_prepare(out, version, 0, stream, question->cql, question->keyspace);
	} else {
		struct mp_query_params params = {.consistency = MP_CL_ONE};
		mp_encode_query(out, version, 0, stream, question->cql, &params);
	}
	return mp_buf_status(out);
}

static int send(struct mp_query *query, struct mp_conn *conn, struct question *question, uint32_t timeout_ms)
{
	mp_assert(!query->waits);
	int rc = mp_timer_start_ms(&query->timer, timeout_ms);
	if (rc != 0)
		return rc;
	rc = mp_conn_call(conn, &query->call, encode, question);
	if (rc != 0) {
		mp_timer_stop(&query->timer);
		return rc;
	}
	query->conn = conn;
	query->timeout_ms = timeout_ms;
	query->sent_ns = mp_loop_now_ns(query->timer.loop);
	query->extended = 0;
	query->waits = true;
	return 0;
}

int mp_query_send_cql(struct mp_query *query, struct mp_conn *conn, const char *cql, uint32_t timeout_ms)
{
	struct question question = {.prepare = false, .cql = mp_str_of(cql)};
	return send(query, conn, &question, timeout_ms);
}

int mp_query_send_prepare(struct mp_query *query, struct mp_conn *conn, struct mp_str cql,
                          struct mp_str keyspace, uint32_t timeout_ms)
{
	struct question question = {.prepare = true, .cql = cql, .keyspace = keyspace};
	return send(query, conn, &question, timeout_ms);
}

void mp_query_cancel(struct mp_query *query)
{
	if (!query->waits)
		return;
	query->waits = false;
	mp_timer_stop(&query->timer);
	mp_call_abandon(&query->call);
}
