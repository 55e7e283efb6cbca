// SPDX-License-Identifier: Apache-2.0
// LZ4 and Snappy as the native protocol uses them. Up to v4 the body of an envelope is compressed
// (native_protocol_v4.spec section 5); on v5 the payload of a segment is, with LZ4 only (native_protocol_v5.spec
// section 2.2; segment.h).
//
// What a peer says of sizes is judged before memory is taken: over the limit, or more than the method can make of so
// few bytes, is refused.
#pragma once

#include "base/buf.h"
#include "base/cursor.h"

enum mp_compression {
	MP_COMPRESSION_NONE,
	MP_COMPRESSION_LZ4,
	MP_COMPRESSION_SNAPPY,
	MP_COMPRESSION_COUNT,
};

// Shorter bodies and segments leave as they are: the attempt costs more than it saves.
#define MP_COMPRESS_LEAST 512u

const char *mp_compression_name(enum mp_compression kind);             // "lz4", as STARTUP says it; "none"
int mp_compression_find(struct mp_str name);                           // in any case of letters; -1: no such
bool mp_compression_is_built(enum mp_compression kind);                // this build has its library
bool mp_compression_serves(enum mp_compression kind, uint8_t version); // the protocol's version knows it

// The body of an envelope: appended to `to`. MP_ENOMEM, also when it is too long for the method.
int mp_compress_body(enum mp_compression kind, const uint8_t *bytes, size_t len,
                     struct mp_buf *to) MP_MUST_CHECK;
// The same back. MP_ETOOBIG: more than `max` bytes; MP_EPROTO: not what it says it is.
int mp_decompress_body(enum mp_compression kind, const uint8_t *bytes, size_t len, uint32_t max,
                       struct mp_buf *to) MP_MUST_CHECK;

// An LZ4 block whose sizes are told elsewhere. `len` at most 2 GB; room for mp_lz4_bound(len). 0: it failed.
size_t mp_lz4_bound(size_t len);
size_t mp_lz4_pack(const uint8_t *bytes, size_t len, uint8_t *to);
// The first `size` bytes of a block that has come in part: 0, or MP_EPROTO when that part does not give them.
int mp_lz4_peek(const uint8_t *bytes, size_t len, uint8_t *to, size_t size) MP_MUST_CHECK;
// Exactly `size` bytes come out, or MP_EPROTO.
int mp_lz4_unpack(const uint8_t *bytes, size_t len, uint8_t *to, size_t size) MP_MUST_CHECK;
