// SPDX-License-Identifier: Apache-2.0
#include "wire/frame.h"

#include <string.h>

size_t mp_envelope_begin(struct mp_buf *buf, uint8_t version, bool response, uint8_t flags, int16_t stream,
                         uint8_t opcode)
{
	size_t begin = buf->len;
	uint8_t *to = mp_buf_reserve(buf, MP_ENVELOPE_HEADER);
	if (to == NULL)
		return begin;
	to[0] = (uint8_t)(version | (response ? 0x80 : 0));
	to[1] = flags;
	to[2] = (uint8_t)((uint16_t)stream >> 8);
	to[3] = (uint8_t)stream;
	to[4] = opcode;
	memset(to + 5, 0, 4);
	buf->len += MP_ENVELOPE_HEADER;
	return begin;
}

void mp_envelope_end(struct mp_buf *buf, size_t begin)
{
	if (buf->failed)
		return;
	mp_assert(buf->len >= begin + MP_ENVELOPE_HEADER);
	size_t len = buf->len - begin - MP_ENVELOPE_HEADER;
	if (len > INT32_MAX) {
		buf->failed = true;
		return;
	}
	mp_buf_patch_u32(buf, begin + 5, (uint32_t)len);
}

void mp_envelope_prepend(struct mp_buf *buf, size_t begin, uint8_t flags, struct mp_str prefix)
{
	if (mp_buf_reserve(buf, prefix.len) == NULL)
		return;
	uint8_t *body = buf->data + begin + MP_ENVELOPE_HEADER;
	memmove(body + prefix.len, body, buf->len - begin - MP_ENVELOPE_HEADER);
	memcpy(body, prefix.data, prefix.len);
	buf->len += prefix.len;
	buf->data[begin + 1] |= flags;
	mp_envelope_end(buf, begin);
}

const char *mp_opcode_name(uint8_t opcode)
{
	switch (opcode) {
	case MP_OP_ERROR: return "ERROR";
	case MP_OP_STARTUP: return "STARTUP";
	case MP_OP_READY: return "READY";
	case MP_OP_AUTHENTICATE: return "AUTHENTICATE";
	case MP_OP_OPTIONS: return "OPTIONS";
	case MP_OP_SUPPORTED: return "SUPPORTED";
	case MP_OP_QUERY: return "QUERY";
	case MP_OP_RESULT: return "RESULT";
	case MP_OP_PREPARE: return "PREPARE";
	case MP_OP_EXECUTE: return "EXECUTE";
	case MP_OP_REGISTER: return "REGISTER";
	case MP_OP_EVENT: return "EVENT";
	case MP_OP_BATCH: return "BATCH";
	case MP_OP_AUTH_CHALLENGE: return "AUTH_CHALLENGE";
	case MP_OP_AUTH_RESPONSE: return "AUTH_RESPONSE";
	case MP_OP_AUTH_SUCCESS: return "AUTH_SUCCESS";
	default: return "?";
	}
}

extern inline bool mp_opcode_is_request(uint8_t opcode);
extern inline bool mp_opcode_is_response(uint8_t opcode);
