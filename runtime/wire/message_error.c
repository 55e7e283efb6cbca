// SPDX-License-Identifier: Apache-2.0
// ERROR, both directions (section 9). Bytes behind what a version defines are ignored.
#include "wire/message.h"
#include "wire/notation.h"

// v5 tells how each replica failed: a map from address to code, of which only the size is of use here.
static int32_t read_reason_map(struct mp_cursor *cur)
{
	uint32_t count = mp_cursor_count(cur, 1 + 4 + 2);
	for (uint32_t i = 0; i < count && !cur->failed; i++) {
		uint8_t len = mp_cursor_u8(cur);
		if (len != 4 && len != 16)
			cur->failed = true;
		mp_cursor_take(cur, (size_t)len + 2);
	}
	return (int32_t)count;
}

static void read_acknowledged(struct mp_cursor *cur, struct mp_error_body *out)
{
	out->consistency = mp_cursor_u16(cur);
	out->received = mp_cursor_i32(cur);
	out->required = mp_cursor_i32(cur);
}

static void read_details(struct mp_cursor *cur, uint8_t version, struct mp_error_body *out)
{
	switch (out->code) {
	case MP_SE_UNAVAILABLE:
		out->consistency = mp_cursor_u16(cur);
		out->required = mp_cursor_i32(cur);
		out->received = mp_cursor_i32(cur);
		break;
	case MP_SE_CAS_WRITE_UNKNOWN: read_acknowledged(cur, out); break;
	case MP_SE_READ_TIMEOUT:
	case MP_SE_READ_FAILURE:
		read_acknowledged(cur, out);
		if (out->code == MP_SE_READ_FAILURE)
			out->failures = version >= 5 ? read_reason_map(cur) : mp_cursor_i32(cur);
		out->data_present = mp_cursor_u8(cur) != 0;
		break;
	case MP_SE_WRITE_TIMEOUT:
	case MP_SE_WRITE_FAILURE:
		read_acknowledged(cur, out);
		if (out->code == MP_SE_WRITE_FAILURE)
			out->failures = version >= 5 ? read_reason_map(cur) : mp_cursor_i32(cur);
		out->write_type = mp_write_type_parse(mp_cursor_string(cur));
		break;
	case MP_SE_ALREADY_EXISTS:
	case MP_SE_FUNCTION_FAILURE:
		out->keyspace = mp_cursor_string(cur);
		out->table = mp_cursor_string(cur);
		break;
	case MP_SE_UNPREPARED: out->id = mp_cursor_string(cur); break;
	default: break;
	}
}

int mp_decode_error(struct mp_cursor body, uint8_t version, struct mp_error_body *out)
{
	*out = (struct mp_error_body){.write_type = MP_WRITE_UNKNOWN};
	out->code = mp_cursor_i32(&body);
	out->message = mp_cursor_string(&body);
	read_details(&body, version, out);
	return mp_cursor_status(&body);
}

static void write_acknowledged(struct mp_buf *buf, const struct mp_error_body *error)
{
	mp_buf_u16(buf, error->consistency);
	mp_buf_i32(buf, error->received);
	mp_buf_i32(buf, error->required);
}

// Which replicas failed is not in the struct: they are written as 0.0.0.0, 0.0.0.1, ... with the code
// "unknown".
static void write_failures(struct mp_buf *buf, uint8_t version, int32_t failures)
{
	mp_buf_i32(buf, failures);
	for (int32_t i = 0; version >= 5 && i < failures && !buf->failed; i++) {
		mp_buf_u8(buf, 4);
		mp_buf_i32(buf, i);
		mp_buf_u16(buf, 0);
	}
}

static void write_details(struct mp_buf *buf, uint8_t version, const struct mp_error_body *error)
{
	switch (error->code) {
	case MP_SE_UNAVAILABLE:
		mp_buf_u16(buf, error->consistency);
		mp_buf_i32(buf, error->required);
		mp_buf_i32(buf, error->received);
		break;
	case MP_SE_CAS_WRITE_UNKNOWN: write_acknowledged(buf, error); break;
	case MP_SE_READ_TIMEOUT:
	case MP_SE_READ_FAILURE:
		write_acknowledged(buf, error);
		if (error->code == MP_SE_READ_FAILURE)
			write_failures(buf, version, error->failures);
		mp_buf_u8(buf, error->data_present);
		break;
	case MP_SE_WRITE_TIMEOUT:
	case MP_SE_WRITE_FAILURE:
		write_acknowledged(buf, error);
		if (error->code == MP_SE_WRITE_FAILURE)
			write_failures(buf, version, error->failures);
		mp_put_text(buf, mp_write_type_name(error->write_type));
		// v5 adds to a CAS write how many other proposals it met.
		if (error->code == MP_SE_WRITE_TIMEOUT && version >= 5 && error->write_type == MP_WRITE_CAS)
			mp_buf_u16(buf, 0);
		break;
	case MP_SE_ALREADY_EXISTS:
	case MP_SE_FUNCTION_FAILURE:
		mp_put_string(buf, error->keyspace);
		mp_put_string(buf, error->table);
		if (error->code == MP_SE_FUNCTION_FAILURE)
			mp_buf_u16(buf, 0); // argument types
		break;
	case MP_SE_UNPREPARED: mp_put_string(buf, error->id); break;
	default: break;
	}
}

void mp_encode_error(struct mp_buf *buf, uint8_t version, int16_t stream, const struct mp_error_body *error)
{
	size_t begin = mp_envelope_begin(buf, version, true, 0, stream, MP_OP_ERROR);
	mp_buf_i32(buf, error->code);
	mp_put_string(buf, error->message);
	write_details(buf, version, error);
	mp_envelope_end(buf, begin);
}
