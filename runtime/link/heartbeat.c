// SPDX-License-Identifier: Apache-2.0
// Is the node still there? After an interval without an answer an OPTIONS asks; without any whole answer
// within the heartbeat's own timeout the connection ends, unless something moves that takes so long by its
// size: an answer that comes at MP_LEAST_BYTES_PER_MS or faster over the whole of the timeout, or what stands
// in front of the question on its way to the node. Single bytes are no sign of life, and neither are events.
//
//   quiet --interval without an answer, or probe()--> probing --an answer--> quiet
//                                                       | ^
//                                          at its deadline, a window of one timeout:
//                                                       | +-- it moves, or (once) this process slept
//                                                       +--> closed
//
// The timer is not moved by answers: it wakes, looks at the stamp of the last one, and sleeps on.
#include "link/conn_internal.h"
#include "wire/message.h"

#define NS_PER_MS UINT64_C(1000000)

static uint64_t timeout_ns(const struct mp_conn *conn)
{
	return conn->settings.heartbeat_timeout_ms * NS_PER_MS;
}

static void wake_at(struct mp_conn *conn, uint64_t deadline_ns)
{
	if (mp_timer_start_at_ns(&conn->timer, deadline_ns) != 0)
		mp_conn_fail(conn, MP_CLOSE_LOCAL, "out of memory for a timer");
}

static void wake_for_next(struct mp_conn *conn)
{
	if (conn->settings.heartbeat_interval_ms == 0) {
		mp_timer_stop(&conn->timer);
		return;
	}
	wake_at(conn, conn->answered_ns + conn->settings.heartbeat_interval_ms * NS_PER_MS);
}

void mp_conn_heartbeat_start(struct mp_conn *conn)
{
	conn->answered_ns = mp_loop_now_ns(conn->loop);
	wake_for_next(conn);
}

static int encode_options(void *arg, struct mp_buf *out, uint8_t version, int16_t stream)
{
	(void)arg;
	mp_encode_options(out, version, stream);
	return 0;
}

// Any answer ends the probe, this one too; and the end of the connection needs no heartbeat.
static void on_heartbeat_answer(struct mp_call *call, int rc, const struct mp_envelope *answer)
{
	(void)call;
	(void)rc;
	(void)answer;
}

// How far the node's machine has got in what this connection writes.
static uint64_t confirmed(const struct mp_conn *conn)
{
	return mp_output_taken_end(&conn->out) - mp_sock_unconfirmed(conn->sock);
}

static void begin_window(struct mp_conn *conn, uint64_t now)
{
	conn->probe_deadline_ns = now + timeout_ns(conn);
	conn->probe_confirmed = confirmed(conn);
	conn->probe_pending = mp_decoder_pending(&conn->dec).bytes;
	wake_at(conn, now + timeout_ns(conn) / 2);
}

static void ask(struct mp_conn *conn)
{
	// One that is still unanswered while others were is not doubled. Without a free id, thousands of requests
	// wait: any of their answers will do.
	if (conn->heartbeat.conn == NULL) {
		conn->heartbeat.on_answer = on_heartbeat_answer;
		int rc = mp_conn_submit(conn, &conn->heartbeat, conn->streams.limit, encode_options, NULL);
		if (rc != 0 && rc != MP_EBUSY) {
			mp_conn_fail(conn, MP_CLOSE_LOCAL, "out of memory for a heartbeat");
			return;
		}
	}
	conn->probing = true;
	conn->probe_graced = false;
	conn->probe_slow = false;
	conn->probe_end = mp_output_end(&conn->out);
	begin_window(conn, mp_loop_now_ns(conn->loop));
}

void mp_conn_probe(struct mp_conn *conn)
{
	bool alive = conn->state == MP_CONN_READY || conn->state == MP_CONN_DRAINING;
	if (alive && !conn->probing && !conn->out.failed && conn->settings.heartbeat_timeout_ms > 0)
		ask(conn);
}

void mp_conn_set_heartbeat(struct mp_conn *conn, uint32_t interval_ms, uint32_t timeout_ms)
{
	struct mp_conn_settings *settings = &conn->settings;
	if (settings->heartbeat_interval_ms == interval_ms && settings->heartbeat_timeout_ms == timeout_ms)
		return;
	settings->heartbeat_interval_ms = interval_ms;
	settings->heartbeat_timeout_ms = timeout_ms;
	bool alive = conn->state == MP_CONN_READY || conn->state == MP_CONN_DRAINING;
	if (alive && !conn->probing && !conn->out.failed)
		wake_for_next(conn);
}

static bool is_enough(const struct mp_conn *conn, uint64_t bytes)
{
	return bytes >= (uint64_t)conn->settings.heartbeat_timeout_ms * MP_LEAST_BYTES_PER_MS;
}

static bool answer_moves(const struct mp_conn *conn)
{
	struct mp_decoder_pending pending = mp_decoder_pending(&conn->dec);
	if (pending.known && pending.opcode == MP_OP_EVENT)
		return false;
	bool same = pending.bytes >= conn->probe_pending; // or an event has ended, and another envelope began
	return is_enough(conn, same ? pending.bytes - conn->probe_pending : pending.bytes);
}

// The end of a window. A node cannot answer what it has not got: from the one in which a slow question
// reached it, it has a whole window to answer.
static bool moves(struct mp_conn *conn)
{
	uint64_t reached = confirmed(conn);
	bool was_slow = conn->probe_slow;
	conn->probe_slow = reached < conn->probe_end;
	if (answer_moves(conn))
		return true;
	return conn->probe_slow ? is_enough(conn, reached - conn->probe_confirmed) : was_slow;
}

// The middle of a window: by now the question should be there.
static void check_arrival(struct mp_conn *conn, uint64_t now)
{
	bool was_slow = conn->probe_slow;
	conn->probe_slow = confirmed(conn) < conn->probe_end;
	if (was_slow && !conn->probe_slow)
		begin_window(conn, now);
	else
		wake_at(conn, conn->probe_deadline_ns);
}

static void judge(struct mp_conn *conn, uint64_t now)
{
	if (now < conn->probe_deadline_ns) {
		check_arrival(conn, now);
		return;
	}
	// A tick this late means that this process stood still, and the node's answer may lie behind in the
	// network: once, the deadline starts anew.
	bool slept = !conn->probe_graced && now - conn->probe_deadline_ns > timeout_ns(conn) / 2;
	conn->probe_graced |= slept;
	if (slept || moves(conn))
		begin_window(conn, now);
	else
		mp_conn_fail(conn, MP_CLOSE_HEARTBEAT, "no answer within %u ms", conn->settings.heartbeat_timeout_ms);
}

void mp_conn_heartbeat_tick(struct mp_conn *conn)
{
	uint64_t now = mp_loop_now_ns(conn->loop);
	if (conn->probing) {
		judge(conn, now);
		return;
	}
	mp_output_trim(&conn->out);
	bool heard = now < conn->answered_ns + conn->settings.heartbeat_interval_ms * NS_PER_MS;
	if (heard || conn->settings.heartbeat_interval_ms == 0)
		wake_for_next(conn);
	else
		ask(conn);
}
