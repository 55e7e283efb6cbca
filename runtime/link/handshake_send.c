// SPDX-License-Identifier: Apache-2.0
// The requests of the handshake. Each is encoded behind what waits, on stream 0, and becomes the step that is
// under way.
#include "link/conn_internal.h"
#include "link/handshake_internal.h"
#include "wire/message.h"

#ifndef MOONPOOL_VERSION
#define MOONPOOL_VERSION "0"
#endif

// The request of `step` is encoded behind `start`.
static int sent(struct mp_conn *conn, enum mp_handshake_step step, size_t start)
{
	uint64_t start_pos, end_pos;
	int rc = mp_output_commit(&conn->out, start, &start_pos, &end_pos);
	if (rc != 0) {
		mp_conn_fail(conn, MP_CLOSE_LOCAL, "out of memory in the handshake");
		return rc;
	}
	conn->handshake.step = step;
	mp_conn_queued(conn);
	return 0;
}

int mp_handshake_send_options(struct mp_conn *conn)
{
	size_t start = mp_output_begin(&conn->out);
	mp_encode_options(&conn->out.buf, conn->settings.version, MP_HANDSHAKE_STREAM);
	return sent(conn, MP_STEP_OPTIONS, start);
}

// Up to v4 the answer to STARTUP may be compressed already, and what follows STARTUP. Segments: handshake.c.
static void compress_bodies(struct mp_conn *conn)
{
	enum mp_compression compression = conn->handshake.compression;
	if (conn->settings.version >= 5 || compression == MP_COMPRESSION_NONE)
		return;
	mp_decoder_use_compression(&conn->dec, compression);
	mp_output_compress_bodies(&conn->out, compression);
}

int mp_handshake_send_startup(struct mp_conn *conn)
{
	enum mp_compression compression = conn->handshake.compression;
	struct mp_pair options[5] = {
		{mp_str_of("CQL_VERSION"), mp_str_of("3.0.0")},
		{mp_str_of("DRIVER_NAME"), mp_str_of("moonpool")},
		{mp_str_of("DRIVER_VERSION"), mp_str_of(MOONPOOL_VERSION)},
	};
	size_t count = 3;
	// An overloaded node is to say so; without this it stops reading, which looks like a dead one.
	if (conn->settings.version >= 4)
		options[count++] = (struct mp_pair){mp_str_of("THROW_ON_OVERLOAD"), mp_str_of("1")};
	if (compression != MP_COMPRESSION_NONE)
		options[count++] =
			(struct mp_pair){mp_str_of("COMPRESSION"), mp_str_of(mp_compression_name(compression))};
	size_t start = mp_output_begin(&conn->out);
	mp_encode_startup(&conn->out.buf, conn->settings.version, MP_HANDSHAKE_STREAM, options, count);
	int rc = sent(conn, MP_STEP_STARTUP, start);
	if (rc == 0)
		compress_bodies(conn);
	return rc;
}

int mp_handshake_send_query(struct mp_conn *conn, enum mp_handshake_step step, struct mp_str cql)
{
	const struct mp_query_params params = {.consistency = MP_CL_ONE};
	size_t start = mp_output_begin(&conn->out);
	mp_encode_query(&conn->out.buf, conn->settings.version, 0, MP_HANDSHAKE_STREAM, cql, &params);
	return sent(conn, step, start);
}

int mp_handshake_send_use(struct mp_conn *conn)
{
	struct mp_buf cql;
	mp_buf_init(&cql);
	mp_buf_text(&cql, "USE \"");
	for (const char *at = conn->settings.keyspace; *at != '\0'; at++) {
		if (*at == '"')
			mp_buf_u8(&cql, '"');
		mp_buf_u8(&cql, (uint8_t)*at);
	}
	mp_buf_u8(&cql, '"');
	int rc = mp_buf_status(&cql);
	if (rc == 0)
		rc =
			mp_handshake_send_query(conn, MP_STEP_KEYSPACE, (struct mp_str){(const char *)cql.data, cql.len});
	else
		mp_conn_fail(conn, MP_CLOSE_LOCAL, "out of memory in the handshake");
	mp_buf_deinit(&cql);
	return rc;
}

int mp_handshake_send_register(struct mp_conn *conn)
{
	const struct mp_str types[] = {
		mp_str_of("TOPOLOGY_CHANGE"),
		mp_str_of("STATUS_CHANGE"),
		mp_str_of("SCHEMA_CHANGE"),
	};
	size_t start = mp_output_begin(&conn->out);
	mp_encode_register(&conn->out.buf, conn->settings.version, MP_HANDSHAKE_STREAM, types,
	                   MP_ARRAY_LEN(types));
	return sent(conn, MP_STEP_REGISTER, start);
}

int mp_handshake_send_token(struct mp_conn *conn, const struct mp_buf *token)
{
	struct mp_output *out = &conn->out;
	mp_output_set_secret(out, true);
	size_t start = mp_output_begin(out);
	// All room at once, so that no copy is left behind by a buffer that grows.
	uint8_t *room = mp_buf_reserve(&out->buf, token->len + 256);
	if (room != NULL)
		mp_encode_auth_response(&out->buf, conn->settings.version, MP_HANDSHAKE_STREAM, token->data,
		                        token->len);
	return sent(conn, MP_STEP_AUTH, start);
}
