// SPDX-License-Identifier: Apache-2.0
// One request at a time, always on stream 0. `step` is the request that is under way; its answer either ends
// the connection or starts the next step. Nothing of the node is trusted here: bodies are small
// (MP_BODY_MAX_PREAUTH), rounds are counted, and the deadline over all of it runs in conn.c.
#include "link/handshake.h"

#include <string.h>

#include "link/conn_internal.h"
#include "link/handshake_internal.h"
#include "link/version.h"
#include "wire/message.h"

static const char *const step_names[] = {
	[MP_STEP_CONNECT] = "the connection",
	[MP_STEP_OPTIONS] = "the answer to OPTIONS",
	[MP_STEP_TLS] = "the TLS handshake",
	[MP_STEP_STARTUP] = "the answer to STARTUP",
	[MP_STEP_AUTH] = "the authentication",
	[MP_STEP_IDENTITY] = "the node's identity",
	[MP_STEP_KEYSPACE] = "the keyspace",
	[MP_STEP_REGISTER] = "the answer to REGISTER",
	[MP_STEP_DONE] = "nothing",
};

const char *mp_handshake_step_name(enum mp_handshake_step step)
{
	return step_names[step];
}

// The next step after `done` that the settings ask for.
static int proceed(struct mp_conn *conn, enum mp_handshake_step done)
{
	const struct mp_conn_settings *settings = &conn->settings;
	bool checks =
		settings->cluster_name != NULL || !mp_uuid_is_nil(&conn->host_id) || mp_tls_wants_host_id(conn->tls);
	if (done < MP_STEP_IDENTITY && checks)
		return mp_handshake_send_query(
			conn, MP_STEP_IDENTITY,
			mp_str_of("SELECT cluster_name, host_id FROM system.local WHERE key='local'"));
	if (done < MP_STEP_KEYSPACE && settings->keyspace != NULL)
		return mp_handshake_send_use(conn);
	if (done < MP_STEP_REGISTER && conn->handshake.wants_events)
		return mp_handshake_send_register(conn);
	conn->handshake.step = MP_STEP_DONE;
	mp_conn_became_ready(conn);
	return conn->state == MP_CONN_CLOSED ? MP_ECLOSED : 0;
}

void mp_handshake_start(struct mp_conn *conn)
{
	int rc = mp_handshake_send_options(conn);
	(void)rc; // has closed the connection
}

// ---- refusals ---------------------------------------------------------------------------------------------

#define MESSAGE_MAX 110

int mp_handshake_shown(size_t len)
{
	return len < MESSAGE_MAX ? (int)len : MESSAGE_MAX;
}

static int refuse_version(struct mp_conn *conn, uint8_t hint, struct mp_str message)
{
	conn->end.version_hint = hint < conn->settings.version ? hint : 0;
	mp_conn_fail(conn, MP_CLOSE_VERSION, "protocol v%u: %.*s", conn->settings.version,
	             mp_handshake_shown(message.len), message.data);
	return MP_EUNSUPPORTED;
}

static int unexpected(struct mp_conn *conn, const struct mp_envelope *envelope)
{
	mp_conn_fail(conn, MP_CLOSE_PROTOCOL, "%s while waiting for %s", mp_opcode_name(envelope->opcode),
	             mp_handshake_step_name(conn->handshake.step));
	return MP_EPROTO;
}

static int unreadable(struct mp_conn *conn, const struct mp_envelope *envelope, int rc)
{
	if (rc == MP_ENOMEM)
		mp_conn_fail(conn, MP_CLOSE_LOCAL, "out of memory in the handshake");
	else
		mp_conn_fail(conn, MP_CLOSE_PROTOCOL, "an unreadable %s while waiting for %s",
		             mp_opcode_name(envelope->opcode), mp_handshake_step_name(conn->handshake.step));
	return rc;
}

static int refused(struct mp_conn *conn, const struct mp_envelope *envelope, struct mp_cursor body)
{
	struct mp_error_body error;
	int rc = mp_decode_error(body, envelope->version, &error);
	if (rc != 0)
		return unreadable(conn, envelope, rc);
	enum mp_handshake_step step = conn->handshake.step;
	conn->end.server_code = error.code;
	bool early = step == MP_STEP_OPTIONS || step == MP_STEP_STARTUP;
	if (early && mp_version_is_refusal(envelope->version, conn->settings.version, error.code, error.message))
		return refuse_version(conn, mp_version_hint(envelope->version, conn->settings.version, error.message),
		                      error.message);
	if (step == MP_STEP_KEYSPACE && error.code == MP_SE_INVALID) {
		mp_conn_fail(conn, MP_CLOSE_KEYSPACE, "the keyspace \"%s\" cannot be used: %.*s",
		             conn->settings.keyspace, mp_handshake_shown(error.message.len), error.message.data);
		return MP_ESERVER;
	}
	bool auth = error.code == MP_SE_BAD_CREDENTIALS || step == MP_STEP_AUTH;
	mp_conn_fail(conn, auth ? MP_CLOSE_AUTH : MP_CLOSE_HANDSHAKE, "%s while waiting for %s: %.*s",
	             mp_server_error_name(error.code), mp_handshake_step_name(step),
	             mp_handshake_shown(error.message.len), error.message.data);
	return MP_ESERVER;
}

void mp_handshake_refuse_bytes(struct mp_conn *conn, int rc)
{
	const uint8_t *first = conn->first_bytes;
	uint8_t version = conn->dec.seen_version;
	bool response = conn->first_len > 0 && (first[0] & 0x80) != 0;
	// A node that is far older or newer answers in a version of its own.
	if (rc == MP_EPROTO && !conn->spoke && response && version >= 1 && version <= 8 &&
	    version != conn->settings.version) {
		refuse_version(conn, version < MP_PROTOCOL_MIN ? 0 : version,
		               mp_str_of("the node answers in another version"));
		return;
	}
	char text[4 * MP_CONN_FIRST_BYTES + 1];
	mp_version_show_bytes(first, conn->first_len, text, sizeof(text));
	mp_conn_fail(conn, MP_CLOSE_PROTOCOL, "%s; the node sent \"%.80s\"", conn->dec.why, text);
}

// ---- answers ----------------------------------------------------------------------------------------------

static void on_supported_value(void *data, struct mp_str key, struct mp_str value)
{
	struct mp_conn *conn = data;
	if (mp_str_is(key, "PROTOCOL_VERSIONS"))
		conn->handshake.listed_versions |= mp_version_listed(value);
	int kind = mp_str_is(key, "COMPRESSION") ? mp_compression_find(value) : -1;
	if (kind >= 0)
		conn->handshake.offered |= (uint8_t)(1u << kind);
}

// Compression is a matter of cost: without it everything still works, so a node that lacks it is used all the same.
static void choose_compression(struct mp_conn *conn)
{
	enum mp_compression wanted = conn->settings.compression;
	const char *name = mp_compression_name(wanted);
	unsigned version = conn->settings.version;
	if (wanted == MP_COMPRESSION_NONE)
		return;
	if (!mp_compression_is_built(wanted))
		mp_conn_log(conn, MP_LOG_WARN, "not compressed: this build of moonpool has no %s", name);
	else if (!mp_compression_serves(wanted, conn->settings.version))
		mp_conn_log(
			conn, MP_LOG_WARN,
			"not compressed: protocol v%u has no %s; compression = \"lz4\" or protocolVersion = 4 has",
			version, name);
	else if ((conn->handshake.offered >> wanted & 1) == 0)
		mp_conn_log(conn, MP_LOG_WARN, "not compressed: the node does not offer %s", name);
	else
		conn->handshake.compression = wanted;
}

static int on_supported(struct mp_conn *conn, const struct mp_envelope *envelope, struct mp_cursor body)
{
	int rc = mp_decode_supported(body, on_supported_value, conn);
	if (rc != 0)
		return unreadable(conn, envelope, rc);
	uint8_t listed = conn->handshake.listed_versions;
	if (listed != 0 && (listed >> conn->settings.version & 1) == 0)
		return refuse_version(conn, mp_version_highest(listed), mp_str_of("not among those the node lists"));
	choose_compression(conn);
	return mp_handshake_send_startup(conn);
}

// v5: segments begin with whatever follows the answer to STARTUP, be it READY or AUTHENTICATE.
static int switch_framing(struct mp_conn *conn)
{
	enum mp_compression compression = conn->handshake.compression;
	if (conn->settings.version < 5)
		return 0;
	if (mp_output_waiting(&conn->out) > 0) {
		mp_conn_fail(conn, MP_CLOSE_PROTOCOL, "STARTUP was answered before it was sent");
		return MP_EPROTO;
	}
	mp_decoder_use_compression(&conn->dec, compression);
	mp_decoder_use_segments(&conn->dec);
	if (compression == MP_COMPRESSION_NONE)
		mp_output_use_segments(&conn->out);
	else
		mp_output_use_lz4_segments(&conn->out);
	return 0;
}

static int on_authenticate(struct mp_conn *conn, const struct mp_envelope *envelope, struct mp_cursor body)
{
	struct mp_str authenticator;
	int rc = mp_decode_authenticate(body, &authenticator);
	if (rc != 0)
		return unreadable(conn, envelope, rc);
	rc = switch_framing(conn);
	return rc != 0 ? rc : mp_login_begin(conn, authenticator);
}

static int on_ready(struct mp_conn *conn)
{
	// Credentials that nobody asks for hint at the wrong server; it must not get statements meant for
	// another.
	if (conn->settings.auth != NULL && !conn->settings.auth_optional) {
		mp_conn_fail(conn, MP_CLOSE_AUTH,
		             "credentials are configured, but the node does not ask for them; "
		             "auth.required = false would let it in");
		return MP_EAUTH;
	}
	if (conn->settings.auth != NULL)
		mp_conn_log(conn, MP_LOG_WARN,
		            "the node asks for no password; auth.required = false lets it in all the same");
	int rc = switch_framing(conn);
	return rc != 0 ? rc : proceed(conn, MP_STEP_STARTUP);
}

static int on_auth(struct mp_conn *conn, const struct mp_envelope *envelope, struct mp_cursor body)
{
	struct mp_bytes token;
	int rc = mp_decode_auth_token(body, &token);
	if (rc != 0)
		return unreadable(conn, envelope, rc);
	if (envelope->opcode == MP_OP_AUTH_CHALLENGE)
		return mp_login_challenge(conn, &token);
	rc = mp_login_success(conn, &token);
	return rc != 0 ? rc : proceed(conn, MP_STEP_AUTH);
}

static int check_identity(struct mp_conn *conn, const struct mp_bytes values[2])
{
	const char *wanted = conn->settings.cluster_name;
	struct mp_str name = {(const char *)values[0].data, values[0].len > 0 ? (size_t)values[0].len : 0};
	if (wanted != NULL && !mp_str_is(name, wanted)) {
		mp_conn_fail(conn, MP_CLOSE_IDENTITY, "the node belongs to cluster \"%.*s\", not to \"%.50s\"",
		             name.len < 50 ? (int)name.len : 50, name.data != NULL ? name.data : "", wanted);
		return MP_ECLUSTER;
	}
	struct mp_uuid told = {{0}};
	char text[MP_UUID_TEXT];
	if (values[1].len == (int32_t)sizeof(told.bytes))
		memcpy(told.bytes, values[1].data, sizeof(told.bytes));
	if (!mp_uuid_is_nil(&conn->host_id) && !mp_uuid_eq(&conn->host_id, &told)) {
		mp_uuid_format(&conn->host_id, text);
		mp_conn_fail(conn, MP_CLOSE_IDENTITY, "another node answered than host %s", text);
		return MP_ECLUSTER;
	}
	if (mp_tls_proves(conn->tls, &told))
		return 0;
	mp_uuid_format(&told, text);
	mp_conn_fail(conn, MP_CLOSE_TLS, "the node says that it is host %s, and its certificate is not for that",
	             text);
	return MP_EPROTO;
}

static int on_identity(struct mp_conn *conn, const struct mp_envelope *envelope,
                       const struct mp_result_body *result)
{
	if (result->kind != MP_RESULT_ROWS || result->column_count != 2 || result->row_count != 1)
		return unreadable(conn, envelope, MP_EPROTO);
	struct mp_bytes values[2];
	struct mp_cursor rows = result->rows;
	int rc = mp_row_read(&rows, values, 2);
	if (rc != 0)
		return unreadable(conn, envelope, rc);
	rc = check_identity(conn, values);
	return rc != 0 ? rc : proceed(conn, MP_STEP_IDENTITY);
}

static int on_result(struct mp_conn *conn, const struct mp_envelope *envelope, struct mp_cursor body)
{
	struct mp_result_body result;
	int rc = mp_decode_result(body, envelope->version, &result);
	if (rc != 0)
		return unreadable(conn, envelope, rc);
	if (conn->handshake.step == MP_STEP_IDENTITY)
		rc = on_identity(conn, envelope, &result);
	else if (result.kind == MP_RESULT_SET_KEYSPACE)
		rc = proceed(conn, MP_STEP_KEYSPACE);
	else
		rc = unexpected(conn, envelope);
	mp_result_drop(&result);
	return rc;
}

static int dispatch(struct mp_conn *conn, const struct mp_envelope *envelope, struct mp_cursor body)
{
	uint8_t opcode = envelope->opcode;
	switch (conn->handshake.step) {
	case MP_STEP_OPTIONS:
		if (opcode == MP_OP_SUPPORTED)
			return on_supported(conn, envelope, body);
		break;
	case MP_STEP_STARTUP:
		if (opcode == MP_OP_READY)
			return on_ready(conn);
		if (opcode == MP_OP_AUTHENTICATE)
			return on_authenticate(conn, envelope, body);
		break;
	case MP_STEP_AUTH:
		if (opcode == MP_OP_AUTH_CHALLENGE || opcode == MP_OP_AUTH_SUCCESS)
			return on_auth(conn, envelope, body);
		break;
	case MP_STEP_IDENTITY:
	case MP_STEP_KEYSPACE:
		if (opcode == MP_OP_RESULT)
			return on_result(conn, envelope, body);
		break;
	case MP_STEP_REGISTER:
		if (opcode == MP_OP_READY)
			return proceed(conn, MP_STEP_REGISTER);
		break;
	case MP_STEP_CONNECT:
	case MP_STEP_TLS:
	case MP_STEP_DONE: break;
	}
	return unexpected(conn, envelope);
}

int mp_handshake_answer(struct mp_conn *conn, const struct mp_envelope *envelope)
{
	if (envelope->opcode == MP_OP_EVENT) { // REGISTER may be answered after the first event it brings
		conn->events_ignored++;
		return 0;
	}
	bool error = envelope->opcode == MP_OP_ERROR;
	if (envelope->stream != MP_HANDSHAKE_STREAM && !error) {
		mp_conn_fail(conn, MP_CLOSE_PROTOCOL, "%s for stream %d, which waits for nothing",
		             mp_opcode_name(envelope->opcode), envelope->stream);
		return MP_EPROTO;
	}
	struct mp_response_prefix prefix;
	int rc = mp_decode_prefix(envelope, &prefix);
	if (rc != 0)
		return unreadable(conn, envelope, rc);
	if (error)
		return refused(conn, envelope, prefix.body);
	if (envelope->version != conn->settings.version)
		return refuse_version(conn, envelope->version, mp_str_of("the node answers in another version"));
	conn->dec.version = envelope->version;
	return dispatch(conn, envelope, prefix.body);
}
