// SPDX-License-Identifier: Apache-2.0
// A connection with all of its states against a node that says whatever the input says: envelopes that are nearly
// right, bytes that are not, ends, silence; while requests are sent and abandoned. However it goes, each request is
// told once, the end is told once, and nothing is left.
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "fuzz.h"
#include "link/conn.h"
#include "sim/net/loop_sim.h"
#include "wire/decoder.h"
#include "wire/message.h"
#include "wire/segment.h"

#define CALLS 8
#define STEPS 200

struct call {
	struct mp_call call;
	bool waits;
};

struct world {
	const uint8_t *data;
	size_t size;
	struct mp_loop *loop;
	struct mp_listener *listener;
	struct mp_sock *sock; // the node's end; NULL: none
	struct mp_decoder dec;
	uint8_t version;
	uint8_t asked; // opcode of the last request
	int16_t stream;
	bool segmented;
	struct mp_conn *conn; // NULL: over
	struct call calls[CALLS];
	unsigned told; // ends of the connection
};

// ---- the node ---------------------------------------------------------------------------------------------

static void say(struct world *world, const struct mp_buf *bytes)
{
	if (world->sock == NULL || bytes->failed || bytes->len == 0)
		return;
	struct mp_span span = {bytes->data, bytes->len};
	if (mp_sock_writev(world->sock, &span, 1) < 0) {
		mp_sock_close(world->sock, true);
		world->sock = NULL;
	}
}

// An envelope, in a segment of its own where segments are spoken.
static void say_envelope(struct world *world, const struct mp_buf *envelope)
{
	struct mp_buf wire;
	mp_buf_init(&wire);
	if (world->segmented && envelope->len <= MP_SEGMENT_PAYLOAD_MAX) {
		size_t begin = mp_segment_begin(&wire);
		mp_buf_bytes(&wire, envelope->data, envelope->len);
		mp_segment_end(&wire, begin);
	} else {
		mp_buf_bytes(&wire, envelope->data, envelope->len);
	}
	say(world, &wire);
	mp_buf_deinit(&wire);
}

static int on_request(void *data, const struct mp_envelope *request)
{
	struct world *world = data;
	world->asked = request->opcode;
	world->stream = request->stream;
	return 0;
}

static void on_read(void *data, const uint8_t *bytes, size_t len)
{
	struct world *world = data;
	if (mp_decoder_feed(&world->dec, bytes, len, on_request, world) != 0)
		mp_sock_read_stop(world->sock); // it does not understand, and says on
}

static void on_end(void *data, int rc)
{
	struct world *world = data;
	(void)rc;
	mp_sock_close(world->sock, false);
	world->sock = NULL;
}

static void on_accept(void *data, struct mp_sock *sock)
{
	static const struct mp_sock_events events = {.on_read = on_read, .on_end = on_end};
	struct world *world = data;
	mp_assert(world->sock == NULL);
	world->sock = sock;
	mp_sock_adopt(sock, &events, world);
}

// What a good node would answer.
static void answer(struct world *world)
{
	struct mp_buf buf;
	mp_buf_init(&buf);
	static const struct mp_str none = {"lz4", 3};
	const struct mp_multi map = {{"COMPRESSION", 11}, &none, 1};
	switch (world->asked) {
	case MP_OP_OPTIONS: mp_encode_supported(&buf, world->version, world->stream, &map, 1); break;
	case MP_OP_STARTUP:
	case MP_OP_REGISTER: mp_encode_ready(&buf, world->version, world->stream); break;
	default: mp_encode_result_void(&buf, world->version, world->stream); break;
	}
	say_envelope(world, &buf);
	mp_buf_deinit(&buf);
	if (world->asked == MP_OP_STARTUP && world->version == 5 && !world->segmented) {
		world->segmented = true;
		mp_decoder_use_segments(&world->dec);
	}
}

static size_t take(struct world *world, size_t len)
{
	len = len < world->size ? len : world->size;
	world->data += len;
	world->size -= len;
	return len;
}

// A header that is nearly right, and a body.
static void nearly(struct world *world)
{
	static const uint8_t opcodes[] = {MP_OP_ERROR,  MP_OP_READY, MP_OP_AUTHENTICATE,   MP_OP_SUPPORTED,
	                                  MP_OP_RESULT, MP_OP_EVENT, MP_OP_AUTH_CHALLENGE, MP_OP_AUTH_SUCCESS};
	uint8_t kind = fuzz_choice(&world->data, &world->size);
	uint8_t flags = fuzz_choice(&world->data, &world->size);
	uint8_t off = (uint8_t)(kind >> 4);
	uint8_t opcode = opcodes[kind & 7];
	struct mp_buf buf;
	mp_buf_init(&buf);
	int stream = opcode == MP_OP_EVENT ? -1 : world->stream + off;
	size_t at =
		mp_envelope_begin(&buf, world->version, true, (kind & 8) != 0 ? flags : 0, (int16_t)stream, opcode);
	size_t len = fuzz_choice(&world->data, &world->size);
	const uint8_t *body = world->data;
	mp_buf_bytes(&buf, body, take(world, len));
	mp_envelope_end(&buf, at);
	say_envelope(world, &buf);
	mp_buf_deinit(&buf);
}

static void raw(struct world *world, size_t len)
{
	const uint8_t *bytes = world->data;
	struct mp_buf buf;
	mp_buf_init(&buf);
	mp_buf_bytes(&buf, bytes, take(world, len));
	say(world, &buf);
	mp_buf_deinit(&buf);
}

// ---- the client -------------------------------------------------------------------------------------------

static void on_answer(struct mp_call *call, int rc, const struct mp_envelope *env)
{
	struct call *own = MP_CONTAINER_OF(call, struct call, call);
	mp_assert(own->waits && (rc == 0) == (env != NULL));
	own->waits = false;
}

static int encode(void *arg, struct mp_buf *out, uint8_t version, int16_t stream)
{
	(void)arg;
	const struct mp_query_params params = {.consistency = MP_CL_ONE};
	mp_encode_query(out, version, 0, stream, mp_str_of("SELECT 1"), &params);
	return 0;
}

static void on_ready(void *owner, struct mp_conn *conn)
{
	const struct world *world = owner;
	mp_assert(world->conn == conn && world->told == 0);
}

static void on_closed(void *owner, struct mp_conn *conn, const struct mp_conn_end *end)
{
	struct world *world = owner;
	mp_assert(world->told++ == 0 && strlen(end->message) > 0);
	for (size_t i = 0; i < CALLS; i++)
		mp_assert(!world->calls[i].waits);
	mp_conn_free(conn);
	world->conn = NULL;
}

static void on_event(void *owner, struct mp_conn *conn, const struct mp_envelope *event)
{
	struct mp_event_body body;
	(void)conn;
	(void)owner;
	int rc = mp_decode_event(mp_cursor_on(event->body, event->body_len), event->version, &body);
	mp_assert(rc == 0 || rc == MP_EPROTO);
}

static void submit(struct world *world)
{
	for (size_t i = 0; i < CALLS; i++) {
		struct call *call = &world->calls[i];
		if (call->waits || world->conn == NULL)
			continue;
		call->call = (struct mp_call){.on_answer = on_answer};
		call->waits = mp_conn_call(world->conn, &call->call, encode, NULL) == 0;
		return;
	}
}

static void abandon(struct world *world, size_t which)
{
	struct call *call = &world->calls[which % CALLS];
	if (!call->waits)
		return;
	call->waits = false;
	mp_call_abandon(&call->call);
}

// ---- what happens -----------------------------------------------------------------------------------------

static void happen(struct world *world)
{
	uint8_t choice = fuzz_choice(&world->data, &world->size);
	if (choice < 64)
		answer(world);
	else if (choice < 112)
		nearly(world);
	else if (choice < 160)
		raw(world, choice - 111u);
	else if (choice < 192)
		submit(world);
	else if (choice < 208)
		abandon(world, choice);
	else if (choice < 216 && world->conn != NULL)
		mp_conn_probe(world->conn);
	else if (choice < 224 && world->sock != NULL)
		mp_sock_shutdown(world->sock);
	else if (choice < 228 && world->conn != NULL)
		mp_conn_drain(world->conn, MP_CLOSE_DRAINED);
	uint64_t pause_ms = choice >= 228 ? (choice - 227u) * 20u : 2;
	mp_loop_sim_run_for(world->loop, pause_ms * 1000000);
}

static void open_world(struct world *world, uint8_t choice)
{
	static const struct mp_conn_events events = {
		.on_ready = on_ready, .on_closed = on_closed, .on_event = on_event};
	static const struct mp_auth_plain plain = {"user", "secret"};
	static struct mp_auth auth = {.respond = mp_auth_plain_respond};
	auth.data = (void *)(uintptr_t)&plain;
	world->version = (uint8_t)(3 + (choice & 3) % 3);
	world->loop = mp_loop_sim_new(choice);
	mp_assert(world->loop != NULL);
	mp_loop_log(world->loop)->level = MP_LOG_OFF;
	struct mp_addr addr = mp_addr_v4(127, 0, 0, 1, 9042);
	int err = 0;
	world->listener = mp_loop_listen(world->loop, &addr, on_accept, world, &err);
	mp_decoder_init(&world->dec, false, 1u << 20);
	static struct mp_conn_settings settings;
	settings = (struct mp_conn_settings){
		.version = world->version,
		.compression = (choice & 4) != 0 ? MP_COMPRESSION_LZ4 : MP_COMPRESSION_NONE,
		.keyspace = (choice & 8) != 0 ? "ks" : NULL,
		.auth = (choice & 16) != 0 ? &auth : NULL,
		.auth_optional = (choice & 32) != 0,
		.cluster_name = (choice & 64) != 0 ? "cluster" : NULL,
		.connect_timeout_ms = 300,
		.heartbeat_interval_ms = 200,
		.heartbeat_timeout_ms = 100,
		.max_streams = 6,
		.max_orphans = 3,
		.write_high_bytes = 4096,
		.max_body_bytes = 1u << 20,
	};
	world->conn =
		mp_conn_open(world->loop, &settings, &addr, NULL, (choice & 128) != 0, &events, world, &err);
	mp_assert(world->listener != NULL && world->conn != NULL);
}

static void close_world(struct world *world)
{
	if (world->conn != NULL)
		mp_conn_close(world->conn, MP_CLOSE_ASKED, NULL);
	mp_loop_sim_run_for(world->loop, 10000000);
	mp_assert(world->conn == NULL && world->told == 1);
	if (world->sock != NULL)
		mp_sock_close(world->sock, true);
	mp_listener_close(world->listener);
	mp_decoder_deinit(&world->dec);
	mp_loop_sim_run_for(world->loop, 1000000000);
	struct mp_loop_census census;
	mp_loop_sim_census(world->loop, &census);
	mp_assert(census.sockets == 0 && census.timers == 0 && census.listeners == 0 && census.tasks == 0);
	mp_loop_free(world->loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mp_mem_stats before = mp_mem_stats();
	struct world world = {.asked = MP_OP_OPTIONS};
	open_world(&world, fuzz_choice(&data, &size));
	world.data = data;
	world.size = size;
	mp_loop_sim_run_for(world.loop, 2000000);
	for (unsigned step = 0; step < STEPS && world.size > 0; step++)
		happen(&world);
	close_world(&world);
	struct mp_mem_stats after = mp_mem_stats();
	mp_assert(after.allocs - before.allocs == after.frees - before.frees);
	return 0;
}
