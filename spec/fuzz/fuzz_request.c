// SPDX-License-Identifier: Apache-2.0
// Bodies of all requests, as a node reads them. An accepted QUERY, EXECUTE or BATCH is written again and must read
// the same.
#include <string.h>

#include "base/err.h"
#include "fuzz.h"
#include "wire/message.h"

static bool same_params(const struct mp_query_params *a, const struct mp_query_params *b)
{
	return a->consistency == b->consistency && a->serial_consistency == b->serial_consistency &&
	       a->skip_metadata == b->skip_metadata && a->value_count == b->value_count &&
	       mp_str_eq(a->values, b->values) && a->page_size == b->page_size &&
	       a->has_timestamp == b->has_timestamp && a->timestamp == b->timestamp &&
	       mp_str_eq(a->keyspace, b->keyspace) &&
	       (a->paging_state.data == NULL) == (b->paging_state.data == NULL) &&
	       (a->paging_state.data == NULL || a->paging_state.len == b->paging_state.len);
}

// The statements one by one, as a client makes them.
static struct mp_batch_body rebuild(const struct mp_batch_body *batch, struct mp_buf *buf)
{
	struct mp_cursor cur = mp_cursor_on(batch->statements.data, batch->statements.len);
	struct mp_batch_statement statement;
	uint32_t count = 0;
	for (; mp_batch_next(&cur, &statement); count++)
		mp_batch_put(buf, &statement);
	mp_assert(count == batch->count && !cur.failed && !buf->failed);
	mp_assert(mp_str_eq((struct mp_str){(const char *)buf->data, buf->len}, batch->statements));
	return (struct mp_batch_body){batch->type, count, {(const char *)buf->data, buf->len}};
}

static void write_batch(struct mp_buf *buf, const struct mp_request_body *request, uint8_t version)
{
	struct mp_buf run;
	mp_buf_init(&run);
	struct mp_batch_body batch = rebuild(&request->batch, &run);
	mp_encode_batch(buf, version, 0, 1, &batch, &request->params);
	mp_buf_deinit(&run);
}

static void write_again(const struct mp_request_body *request, uint8_t version)
{
	struct mp_buf buf;
	mp_buf_init(&buf);
	if (request->opcode == MP_OP_QUERY)
		mp_encode_query(&buf, version, 0, 1, request->cql, &request->params);
	else if (request->opcode == MP_OP_BATCH)
		write_batch(&buf, request, version);
	else
		mp_encode_execute(&buf, version, 0, 1, request->id, request->result_metadata_id, &request->params);
	mp_assert(!buf.failed);
	const struct mp_envelope env = {
		.version = version,
		.opcode = request->opcode,
		.body = buf.data + MP_ENVELOPE_HEADER,
		.body_len = (uint32_t)(buf.len - MP_ENVELOPE_HEADER),
	};
	struct mp_request_body again;
	mp_assert(mp_decode_request(&env, &again) == 0);
	mp_assert(mp_str_eq(again.cql, request->cql) && mp_str_eq(again.id, request->id));
	mp_assert(again.batch.type == request->batch.type && again.batch.count == request->batch.count);
	mp_assert(mp_str_eq(again.batch.statements, request->batch.statements));
	// A page size that is not positive is not sent.
	struct mp_query_params sent = request->params;
	if (sent.page_size < 0)
		sent.page_size = 0;
	mp_assert(same_params(&sent, &again.params));
	mp_buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t opcodes[] = {MP_OP_QUERY,    MP_OP_EXECUTE,       MP_OP_PREPARE, MP_OP_STARTUP,
	                                  MP_OP_REGISTER, MP_OP_AUTH_RESPONSE, MP_OP_BATCH,   MP_OP_OPTIONS};
	uint8_t choice = fuzz_choice(&data, &size);
	const struct mp_envelope env = {
		.opcode = opcodes[choice & 7],
		.version = (uint8_t)(3 + (choice >> 3 & 3) % 3),
		.flags = (choice & 0x80) != 0 ? MP_FLAG_CUSTOM_PAYLOAD : 0,
		.body = data,
		.body_len = (uint32_t)size,
	};
	struct mp_request_body request;
	if (mp_decode_request(&env, &request) == 0 &&
	    (env.opcode == MP_OP_QUERY || env.opcode == MP_OP_EXECUTE || env.opcode == MP_OP_BATCH))
		write_again(&request, env.version);
	return 0;
}
