// SPDX-License-Identifier: Apache-2.0
// The small answers of a handshake: READY, AUTHENTICATE, AUTH_CHALLENGE, AUTH_SUCCESS, SUPPORTED.
#include "wire/message.h"
#include "wire/notation.h"

void mp_encode_ready(struct mp_buf *buf, uint8_t version, int16_t stream)
{
	mp_envelope_end(buf, mp_envelope_begin(buf, version, true, 0, stream, MP_OP_READY));
}

void mp_encode_authenticate(struct mp_buf *buf, uint8_t version, int16_t stream, struct mp_str authenticator)
{
	size_t begin = mp_envelope_begin(buf, version, true, 0, stream, MP_OP_AUTHENTICATE);
	mp_put_string(buf, authenticator);
	mp_envelope_end(buf, begin);
}

static void encode_token(struct mp_buf *buf, uint8_t version, int16_t stream, uint8_t opcode,
                         struct mp_str token)
{
	size_t begin = mp_envelope_begin(buf, version, true, 0, stream, opcode);
	if (token.data == NULL)
		mp_buf_i32(buf, -1);
	else
		mp_put_bytes(buf, token.data, token.len);
	mp_envelope_end(buf, begin);
}

void mp_encode_auth_challenge(struct mp_buf *buf, uint8_t version, int16_t stream, struct mp_str token)
{
	encode_token(buf, version, stream, MP_OP_AUTH_CHALLENGE, token);
}

void mp_encode_auth_success(struct mp_buf *buf, uint8_t version, int16_t stream, struct mp_str token)
{
	encode_token(buf, version, stream, MP_OP_AUTH_SUCCESS, token);
}

void mp_encode_supported(struct mp_buf *buf, uint8_t version, int16_t stream, const struct mp_multi *map,
                         size_t count)
{
	size_t begin = mp_envelope_begin(buf, version, true, 0, stream, MP_OP_SUPPORTED);
	mp_assert(count <= UINT16_MAX);
	mp_buf_u16(buf, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		mp_assert(map[i].count <= UINT16_MAX);
		mp_put_string(buf, map[i].key);
		mp_buf_u16(buf, (uint16_t)map[i].count);
		for (size_t j = 0; j < map[i].count; j++)
			mp_put_string(buf, map[i].values[j]);
	}
	mp_envelope_end(buf, begin);
}

int mp_decode_authenticate(struct mp_cursor body, struct mp_str *authenticator)
{
	*authenticator = mp_cursor_string(&body);
	return mp_cursor_status(&body);
}

int mp_decode_auth_token(struct mp_cursor body, struct mp_bytes *token)
{
	*token = mp_cursor_bytes(&body);
	return mp_cursor_status(&body);
}

int mp_decode_supported(struct mp_cursor body,
                        void (*on_value)(void *data, struct mp_str key, struct mp_str value), void *data)
{
	uint16_t keys = mp_cursor_u16(&body);
	for (uint32_t i = 0; i < keys && !body.failed; i++) {
		struct mp_str key = mp_cursor_string(&body);
		uint16_t values = mp_cursor_u16(&body);
		for (uint32_t j = 0; j < values && !body.failed; j++) {
			struct mp_str value = mp_cursor_string(&body);
			if (!body.failed)
				on_value(data, key, value);
		}
	}
	return mp_cursor_status(&body);
}
