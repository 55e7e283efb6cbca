// SPDX-License-Identifier: Apache-2.0
// The envelope (called "frame" before v5): nine bytes of header and a body. native_protocol_v5.spec section 2.
#pragma once

#include "base/buf.h"
#include "base/cursor.h"
#include "base/defs.h"

#define MP_ENVELOPE_HEADER  9u
#define MP_PROTOCOL_MIN     3
#define MP_PROTOCOL_MAX     5
#define MP_BODY_MAX_DEFAULT (256u << 20) // largest body accepted from a peer
#define MP_BODY_MAX_PREAUTH (64u << 10)  // the same before the handshake is over

enum mp_opcode {
	MP_OP_ERROR = 0x00,
	MP_OP_STARTUP = 0x01,
	MP_OP_READY = 0x02,
	MP_OP_AUTHENTICATE = 0x03,
	MP_OP_OPTIONS = 0x05,
	MP_OP_SUPPORTED = 0x06,
	MP_OP_QUERY = 0x07,
	MP_OP_RESULT = 0x08,
	MP_OP_PREPARE = 0x09,
	MP_OP_EXECUTE = 0x0a,
	MP_OP_REGISTER = 0x0b,
	MP_OP_EVENT = 0x0c,
	MP_OP_BATCH = 0x0d,
	MP_OP_AUTH_CHALLENGE = 0x0e,
	MP_OP_AUTH_RESPONSE = 0x0f,
	MP_OP_AUTH_SUCCESS = 0x10,
};

enum mp_envelope_flag {
	MP_FLAG_COMPRESSED = 0x01,
	MP_FLAG_TRACING = 0x02,
	MP_FLAG_CUSTOM_PAYLOAD = 0x04,
	MP_FLAG_WARNING = 0x08,
	MP_FLAG_USE_BETA = 0x10,
};

struct mp_envelope {
	uint8_t version; // 3 .. 5, without the direction bit
	bool response;   // the direction bit
	uint8_t flags;
	int16_t stream; // -1: event
	uint8_t opcode;
	const uint8_t *body;
	uint32_t body_len;
};

// Append a header with length 0; returns its offset for mp_envelope_end(), which patches the length.
size_t mp_envelope_begin(struct mp_buf *buf, uint8_t version, bool response, uint8_t flags, int16_t stream,
                         uint8_t opcode);
void mp_envelope_end(struct mp_buf *buf, size_t begin);
// What stands before the body of the envelope that begins there and is the last of `buf`, with the flags that announce
// it: a custom payload, a [bytes map] as it goes over the wire (since v4); in answers a trace id and warnings, too.
void mp_envelope_prepend(struct mp_buf *buf, size_t begin, uint8_t flags, struct mp_str prefix);

const char *mp_opcode_name(uint8_t opcode); // "QUERY"; "?" when unknown
inline bool mp_opcode_is_request(uint8_t opcode)
{
	const unsigned requests = 1u << MP_OP_STARTUP | 1u << MP_OP_OPTIONS | 1u << MP_OP_QUERY |
	                          1u << MP_OP_PREPARE | 1u << MP_OP_EXECUTE | 1u << MP_OP_REGISTER |
	                          1u << MP_OP_BATCH | 1u << MP_OP_AUTH_RESPONSE;
	return opcode <= MP_OP_AUTH_SUCCESS && (requests >> opcode & 1u) != 0;
}
inline bool mp_opcode_is_response(uint8_t opcode)
{
	const unsigned responses = 1u << MP_OP_ERROR | 1u << MP_OP_READY | 1u << MP_OP_AUTHENTICATE |
	                           1u << MP_OP_SUPPORTED | 1u << MP_OP_RESULT | 1u << MP_OP_EVENT |
	                           1u << MP_OP_AUTH_CHALLENGE | 1u << MP_OP_AUTH_SUCCESS;
	return opcode <= MP_OP_AUTH_SUCCESS && (responses >> opcode & 1u) != 0;
}
