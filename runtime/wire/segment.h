// SPDX-License-Identifier: Apache-2.0
// v5 segments: header (17 bits payload length, 1 bit self-contained), CRC24, payload, CRC32. native_protocol_v5.spec
// section 2.2. Encoding is in place: reserve, append envelopes, seal.
//
// Where LZ4 was agreed on the header has two lengths of 17 bits, as sent and as it was; the latter is 0 when the
// payload stands as it is. Such segments are made from a payload that stands elsewhere.
#pragma once

#include "base/buf.h"
#include "base/defs.h"

#define MP_SEGMENT_HEADER      6u
#define MP_SEGMENT_TRAILER     4u
#define MP_SEGMENT_PAYLOAD_MAX 131071u
#define MP_SEGMENT_LZ4_HEADER  8u

uint32_t mp_crc24(const uint8_t *bytes, size_t len);
uint32_t mp_crc32_segment(const void *bytes,
                          size_t len); // the usual CRC-32 with the spec's four initial bytes

// Reserve a header at the end of `buf`; returns its offset.
size_t mp_segment_begin(struct mp_buf *buf);
// Seal what was appended since: fills the header, appends the CRC32. A payload over the maximum must be one envelope
// and is split (moving bytes) into segments that are not self-contained; otherwise it is one self-contained segment.
void mp_segment_end(struct mp_buf *buf, size_t begin);

// Append what mp_segment_end() would make of this payload, each segment compressed where that makes it smaller and it
// has MP_COMPRESS_LEAST bytes. MP_ENOMEM leaves `buf` failed; with room for the bound it cannot come.
size_t mp_segment_lz4_bound(size_t len);
int mp_segment_append_lz4(struct mp_buf *buf, const uint8_t *payload, size_t len) MP_MUST_CHECK;
