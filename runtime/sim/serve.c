// SPDX-License-Identifier: Apache-2.0
// The protocol's messages as a node answers them: handshake, options, events, and statements.
#include "sim/coord.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "sim/cql/parse.h"

// ---- versions ---------------------------------------------------------------------------------------------

static const char *versions_of(uint8_t max_version)
{
	return max_version >= 5   ? "3/v3, 4/v4, 5/v5, 6/v6-beta"
	       : max_version == 4 ? "3/v3, 4/v4, 5/v5-beta"
	                          : "3/v3";
}

// A version that this node does not speak: the error says so in words the drivers look for.
static void refuse_version(struct mp_sim_link *conn, uint8_t version, int16_t stream)
{
	struct mp_sim_error err = {.set = false};
	uint8_t max = conn->owner->max_version, answer_version = max;
	if (version == 5 && max == 4) {
		answer_version = 5;
		mp_sim_fail(&err, MP_SE_PROTOCOL_ERROR,
		            "Beta version of the protocol used (5/v5-beta), but USE_BETA flag is unset");
	} else {
		mp_sim_fail(&err, MP_SE_PROTOCOL_ERROR,
		            "Invalid or unsupported protocol version (%u); supported versions are (%s)", version,
		            versions_of(max));
	}
	struct mp_buf answer;
	mp_buf_init(&answer);
	mp_encode_error(&answer, answer_version, stream, mp_sim_error_body(&err));
	if (!answer.failed)
		mp_sim_link_send(conn, answer.data, answer.len);
	mp_buf_deinit(&answer);
	mp_sim_link_close_later(conn, false);
}

void mp_sim_serve_refused(struct mp_sim_link *conn)
{
	const struct mp_decoder *decoder = &conn->decoder;
	bool known = decoder->seen_version >= MP_PROTOCOL_MIN && decoder->seen_version <= MP_PROTOCOL_MAX;
	if (conn->version == 0 && !known) {
		refuse_version(conn, decoder->seen_version, decoder->seen_stream);
		return;
	}
	struct mp_sim_error err = {.set = false};
	mp_sim_fail(&err, MP_SE_PROTOCOL_ERROR, "%s", decoder->why);
	struct mp_buf answer;
	mp_buf_init(&answer);
	mp_encode_error(&answer, conn->version != 0 ? conn->version : conn->owner->max_version,
	                decoder->seen_stream, mp_sim_error_body(&err));
	if (!answer.failed)
		mp_sim_link_send(conn, answer.data, answer.len);
	mp_buf_deinit(&answer);
	mp_sim_link_close_later(conn, false);
}

// ---- handshake --------------------------------------------------------------------------------------------

static void serve_options(struct mp_sim_request *req)
{
	struct mp_str cql_versions[] = {mp_str_of("3.4.7")};
	struct mp_str versions[] = {mp_str_of("3/v3"), mp_str_of("4/v4"), mp_str_of("5/v5")};
	struct mp_str methods[MP_COMPRESSION_COUNT];
	size_t method_count = 0;
	for (int kind = MP_COMPRESSION_NONE + 1; kind < MP_COMPRESSION_COUNT; kind++)
		if (mp_compression_is_built((enum mp_compression)kind))
			methods[method_count++] = mp_str_of(mp_compression_name((enum mp_compression)kind));
	struct mp_multi map[] = {
		{mp_str_of("CQL_VERSION"), cql_versions, 1},
		{mp_str_of("COMPRESSION"), methods, method_count},
		{mp_str_of("PROTOCOL_VERSIONS"), versions, (size_t)(req->conn->owner->max_version - 2)}};
	struct mp_buf *buf = mp_sim_answer_begin(req);
	mp_encode_supported(buf, req->envelope.version, req->envelope.stream, map, MP_ARRAY_LEN(map));
	mp_sim_answer_end(req);
}

static int choose_compression(struct mp_sim_request *req, struct mp_str name)
{
	int kind = mp_compression_find(name);
	bool known = kind > MP_COMPRESSION_NONE && mp_compression_is_built((enum mp_compression)kind);
	if (!known || !mp_compression_serves((enum mp_compression)kind, req->envelope.version))
		return mp_sim_fail(&req->err, MP_SE_PROTOCOL_ERROR, "Unknown compression algorithm: %.*s",
		                   MP_SIM_S(name));
	req->conn->asked = (enum mp_compression)kind;
	return 0;
}

static int check_startup(struct mp_sim_request *req)
{
	struct mp_cursor cur = req->body.list;
	bool version = false;
	req->conn->asked = MP_COMPRESSION_NONE;
	for (uint16_t count = mp_cursor_u16(&cur); count > 0 && !cur.failed; count--) {
		struct mp_str key = mp_cursor_string(&cur), value = mp_cursor_string(&cur);
		version = version || mp_str_is(key, "CQL_VERSION");
		if (mp_str_is(key, "COMPRESSION"))
			MP_SIM_TRY(choose_compression(req, value));
	}
	if (cur.failed)
		return mp_sim_fail(&req->err, MP_SE_PROTOCOL_ERROR, "malformed STARTUP");
	return version
	           ? 0
	           : mp_sim_fail(&req->err, MP_SE_PROTOCOL_ERROR, "Missing value CQL_VERSION in STARTUP message");
}

static int serve_startup(struct mp_sim_request *req)
{
	struct mp_sim_link *conn = req->conn;
	if (conn->started)
		return mp_sim_fail(&req->err, MP_SE_PROTOCOL_ERROR,
		                   "Unexpected message STARTUP, connection is already started");
	MP_SIM_TRY(check_startup(req));
	conn->started = true;
	conn->ready = conn->owner->cluster->user == NULL;
	if (conn->version < 5)
		mp_decoder_use_compression(&conn->decoder, conn->asked); // of this answer, too
	struct mp_buf *buf = mp_sim_answer_begin(req);
	if (conn->ready)
		mp_encode_ready(buf, req->envelope.version, req->envelope.stream);
	else
		mp_encode_authenticate(buf, req->envelope.version, req->envelope.stream,
		                       mp_sim_authenticator(conn->owner->cluster));
	mp_sim_answer_end(req);
	// The answer to STARTUP is the last that is not in a segment.
	if (conn->version >= 5 && !conn->dead) {
		mp_decoder_use_compression(&conn->decoder, conn->asked);
		mp_decoder_use_segments(&conn->decoder);
	}
	return 0;
}

static int serve_register(struct mp_sim_request *req)
{
	static const struct {
		const char *name;
		enum mp_event_kind kind;
	} types[] = {{"TOPOLOGY_CHANGE", MP_EVENT_TOPOLOGY},
	             {"STATUS_CHANGE", MP_EVENT_STATUS},
	             {"SCHEMA_CHANGE", MP_EVENT_SCHEMA}};
	struct mp_cursor cur = req->body.list;
	uint8_t registered = req->conn->registered;
	for (uint16_t count = mp_cursor_u16(&cur); count > 0 && !cur.failed; count--) {
		struct mp_str name = mp_cursor_string(&cur);
		size_t i = 0;
		while (i < MP_ARRAY_LEN(types) && !mp_str_is(name, types[i].name))
			i++;
		if (i == MP_ARRAY_LEN(types))
			return mp_sim_fail(&req->err, MP_SE_PROTOCOL_ERROR, "Invalid value '%.*s' for Type",
			                   MP_SIM_S(name));
		registered |= (uint8_t)(1u << types[i].kind);
	}
	req->conn->registered = registered;
	struct mp_buf *buf = mp_sim_answer_begin(req);
	mp_encode_ready(buf, req->envelope.version, req->envelope.stream);
	mp_sim_answer_end(req);
	return 0;
}

// ---- statements -------------------------------------------------------------------------------------------

static struct mp_str keyspace_of(const struct mp_sim_request *req)
{
	struct mp_str given =
		req->envelope.opcode == MP_OP_PREPARE ? req->body.keyspace : req->body.params.keyspace;
	return given.len > 0 ? given : mp_sim_link_keyspace(req->conn);
}

static void note_ops(const struct mp_sim_request *req, bool executed)
{
	mp_sim_oplog_note(req->conn->owner, req->body.params.values, executed);
	mp_sim_oplog_note(req->conn->owner, req->body.batch.statements, executed);
	if (req->envelope.opcode == MP_OP_QUERY)
		mp_sim_oplog_note(req->conn->owner, req->body.cql, executed);
}

// NULL with req->err. An old node does not have the tables of newer versions.
struct mp_sim_plan *mp_sim_serve_plan(struct mp_sim_request *req, struct mp_str cql)
{
	struct mp_sim_cluster *cluster = req->conn->owner->cluster;
	struct mp_sim_plan *plan = mp_sim_plan_new(&cluster->schema, cql, keyspace_of(req), &req->err);
	if (plan == NULL || plan->table == NULL || mp_sim_system_has(req->conn->owner, plan->table))
		return plan;
	mp_sim_fail(&req->err, MP_SE_INVALID, "unconfigured table %.*s", MP_SIM_S(plan->table->name));
	mp_sim_plan_unref(plan);
	return NULL;
}

static int serve_query(struct mp_sim_request *req)
{
	struct mp_sim_plan *plan = mp_sim_serve_plan(req, req->body.cql);
	if (plan == NULL)
		return MP_ESERVER;
	mp_sim_exec(req, plan);
	mp_sim_plan_unref(plan);
	return 0;
}

static int serve_prepare(struct mp_sim_request *req)
{
	struct mp_sim_plan *plan = mp_sim_serve_plan(req, req->body.cql);
	if (plan == NULL)
		return MP_ESERVER;
	if (mp_sim_prepared_add(req->conn->owner, plan) < 0) {
		mp_sim_plan_unref(plan);
		return mp_sim_fail_nomem(&req->err);
	}
	struct mp_buf *buf = mp_sim_answer_begin(req);
	mp_encode_result_prepared(buf, req->envelope.version, req->envelope.stream,
	                          (struct mp_str){(const char *)plan->id, sizeof(plan->id)},
	                          (struct mp_str){(const char *)plan->result_id, sizeof(plan->result_id)},
	                          plan->params, plan->result);
	mp_sim_answer_end(req);
	mp_sim_plan_unref(plan);
	return 0;
}

// NULL with req->err; otherwise a reference.
struct mp_sim_plan *mp_sim_serve_prepared(struct mp_sim_request *req, struct mp_str id)
{
	struct mp_sim_plan *plan = mp_sim_prepared_find(req->conn->owner, id);
	if (plan != NULL)
		return mp_sim_plan_ref(plan);
	char hex[33] = "";
	for (size_t i = 0; i < 16 && i < id.len; i++)
		snprintf(hex + i * 2, 3, "%02x", (uint8_t)id.data[i]);
	memcpy(req->err.id, id.data, id.len < 16 ? id.len : 16);
	mp_sim_fail(
		&req->err, MP_SE_UNPREPARED,
		"Prepared query with ID %s not found (either the query was not prepared on this host (maybe the "
		"host has been restarted?) or you have prepared too many queries and it has been evicted from "
		"the internal cache)",
		hex);
	return NULL;
}

static int serve_execute(struct mp_sim_request *req)
{
	struct mp_sim_plan *plan = mp_sim_serve_prepared(req, req->body.id);
	if (plan == NULL)
		return MP_ESERVER;
	mp_sim_exec(req, plan);
	mp_sim_plan_unref(plan);
	return 0;
}

static int dispatch(struct mp_sim_request *req)
{
	uint8_t opcode = req->envelope.opcode;
	switch (opcode) {
	case MP_OP_OPTIONS: serve_options(req); return 0;
	case MP_OP_STARTUP: return serve_startup(req);
	case MP_OP_AUTH_RESPONSE: return mp_sim_login(req);
	default: break;
	}
	if (!req->conn->ready)
		return mp_sim_fail(&req->err, MP_SE_PROTOCOL_ERROR,
		                   req->conn->started
		                       ? "Unexpected message %s, needs authentication through CREDENTIALS message"
		                       : "Unexpected message %s, expecting STARTUP or OPTIONS",
		                   mp_opcode_name(opcode));
	switch (opcode) {
	case MP_OP_REGISTER: return serve_register(req);
	case MP_OP_QUERY: return serve_query(req);
	case MP_OP_PREPARE: return serve_prepare(req);
	case MP_OP_EXECUTE: return serve_execute(req);
	case MP_OP_BATCH: return mp_sim_batch(req);
	default:
		return mp_sim_fail(&req->err, MP_SE_PROTOCOL_ERROR, "Unexpected message %s", mp_opcode_name(opcode));
	}
}

static struct mp_str statement_text(const struct mp_sim_request *req)
{
	if (req->envelope.opcode == MP_OP_BATCH)
		return mp_sim_batch_text(req);
	if (req->envelope.opcode != MP_OP_EXECUTE)
		return req->body.cql;
	const struct mp_sim_plan *plan = mp_sim_prepared_find(req->conn->owner, req->body.id);
	return plan == NULL ? (struct mp_str){"", 0} : plan->cql;
}

static void note_trace(struct mp_sim_request *req)
{
	struct mp_sim_cluster *cluster = req->conn->owner->cluster;
	struct mp_sim_env env = mp_sim_exec_env(req);
	if (cluster->traces == NULL)
		cluster->traces = mp_sim_traces_new();
	if (cluster->traces == NULL)
		return;
	struct mp_sim_trace *trace = &cluster->traces[cluster->trace_count++ % MP_SIM_TRACES];
	uint64_t chance = mp_rand_u64(&cluster->rand), time = (uint64_t)env.now_us * 10;
	uint8_t node[6];
	memcpy(node, &chance, sizeof(node));
	time = time > cluster->last_uuid_time ? time : cluster->last_uuid_time + 1;
	cluster->last_uuid_time = time;
	mp_uuid_v1(time, (uint16_t)(chance >> 48), node, &trace->id);
	trace->node = req->conn->owner->index;
	trace->opcode = req->envelope.opcode;
	trace->started_us = env.now_us;
	struct mp_str text = statement_text(req);
	snprintf(trace->statement, sizeof(trace->statement), "%.*s", MP_SIM_S(text));
	req->tracing = true;
	req->trace_id = trace->id;
}

// ---- one request ------------------------------------------------------------------------------------------

static bool is_statement(uint8_t opcode)
{
	return opcode == MP_OP_QUERY || opcode == MP_OP_EXECUTE || opcode == MP_OP_PREPARE ||
	       opcode == MP_OP_BATCH;
}

static void run(struct mp_sim_request *req)
{
	int rc = dispatch(req);
	if (rc < 0) {
		mp_sim_answer_error(req);
		// What breaks the handshake ends the connection, once the client knows why.
		if (!req->conn->ready && !req->conn->dead)
			mp_sim_link_close_later(req->conn, false);
	}
	if (req->executed)
		note_ops(req, true);
}

// What a rule does before the request is served. True: nothing else is to be done.
static bool rule_first(struct mp_sim_request *req)
{
	const struct mp_sim_rule_spec *spec = &req->rule->spec;
	struct mp_sim_link *conn = req->conn;
	switch (spec->action) {
	case MP_SIM_DELAY:
		if (mp_sim_wait_delay(req, spec->delay_ms) < 0)
			mp_sim_link_close(conn, true);
		return true;
	case MP_SIM_SWALLOW: return true;
	case MP_SIM_DEAF:
		conn->deaf = true;
		mp_sock_read_stop(conn->sock);
		return true;
	case MP_SIM_CLOSE:
	case MP_SIM_RESET:
		if (!spec->apply)
			mp_sim_link_close(conn, spec->action == MP_SIM_RESET);
		return !spec->apply;
	case MP_SIM_ERROR:
	case MP_SIM_RAW:
		if (spec->apply)
			return false;
		if (spec->action == MP_SIM_ERROR)
			req->err = spec->error;
		mp_sim_answer_error(req);
		return true;
	default: return false;
	}
}

// False: req->err says what is wrong with it.
static bool read_request(struct mp_sim_request *req)
{
	const struct mp_query_params *params = &req->body.params;
	if (mp_decode_request(&req->envelope, &req->body) < 0) {
		mp_sim_fail(&req->err, MP_SE_PROTOCOL_ERROR, "malformed %s", mp_opcode_name(req->envelope.opcode));
		return false;
	}
	if (!params->has_timestamp || params->timestamp != INT64_MIN)
		return true;
	mp_sim_fail(&req->err, MP_SE_PROTOCOL_ERROR,
	            "Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807] (got %lld)",
	            (long long)params->timestamp);
	return false;
}

static void serve_request(struct mp_sim_request *req, const struct mp_envelope *envelope)
{
	mp_arena_init(&req->arena);
	req->envelope = *envelope;
	if (!read_request(req)) {
		mp_sim_answer_error(req);
		mp_arena_deinit(&req->arena);
		return;
	}
	struct mp_sim_node *node = req->conn->owner;
	bool first = req->wait == NULL && req->rule == NULL && !req->conn->serving_again;
	if (first) {
		node->requests += is_statement(envelope->opcode);
		node->by_opcode[envelope->opcode & 0x0f]++;
		note_ops(req, false);
		if (node->cluster->rules.first != NULL)
			req->rule = mp_sim_rules_match(&node->cluster->rules, &node->cluster->rand, node->index,
			                               envelope->opcode, statement_text(req), req->conn->ordinal);
	}
	if (req->rule != NULL)
		mp_sim_rule_ref(req->rule);
	if (envelope->flags & MP_FLAG_TRACING && is_statement(envelope->opcode) && req->wait == NULL)
		note_trace(req);
	if (req->rule == NULL || !first || !rule_first(req))
		run(req);
	mp_sim_rule_unref(req->rule);
	mp_arena_deinit(&req->arena);
}

int mp_sim_serve(struct mp_sim_link *conn, const struct mp_envelope *envelope)
{
	if (conn->version == 0) {
		if (envelope->version > conn->owner->max_version) {
			refuse_version(conn, envelope->version, envelope->stream);
			return 1;
		}
		conn->version = envelope->version;
		conn->decoder.version = envelope->version;
	}
	mp_sim_owes(conn, envelope->stream);
	struct mp_sim_request req = {.conn = conn};
	serve_request(&req, envelope);
	return conn->dead || conn->closing || conn->deaf ? 1 : 0;
}

void mp_sim_serve_again(struct mp_sim_link *conn, const struct mp_envelope *envelope,
                        struct mp_sim_rule *rule, struct mp_sim_wait *wait)
{
	struct mp_sim_request req = {.conn = conn, .rule = rule, .wait = wait};
	if (wait != NULL)
		mp_sim_wait_trace(wait, &req);
	conn->serving_again = true;
	serve_request(&req, envelope);
	conn->serving_again = false;
}
