// SPDX-License-Identifier: Apache-2.0
// All numbers of a segment are little-endian, unlike those of an envelope.
#include "wire/segment.h"

#include <string.h>

#include "base/err.h"
#include "wire/compress.h"
#include "wire/crc32.h"

#define CRC24_INIT 0x875060u
#define CRC24_POLY 0x1974f0bu

// The CRC of a single byte is linear in its bits: eight constants give the table.
#define STEP(c) (((c) << 1 & 0xffffffu) ^ ((c) >> 23 != 0 ? CRC24_POLY & 0xffffffu : 0u))
enum {
	BIT0 = CRC24_POLY & 0xffffffu,
	BIT1 = STEP(BIT0),
	BIT2 = STEP(BIT1),
	BIT3 = STEP(BIT2),
	BIT4 = STEP(BIT3),
	BIT5 = STEP(BIT4),
	BIT6 = STEP(BIT5),
	BIT7 = STEP(BIT6),
};
#define ENTRY(i)                                                                                   \
	(uint32_t)(((i)&1 ? BIT0 : 0) ^ ((i)&2 ? BIT1 : 0) ^ ((i)&4 ? BIT2 : 0) ^ ((i)&8 ? BIT3 : 0) ^ \
	           ((i)&16 ? BIT4 : 0) ^ ((i)&32 ? BIT5 : 0) ^ ((i)&64 ? BIT6 : 0) ^ ((i)&128 ? BIT7 : 0))
#define ENTRIES_4(i)  ENTRY(i), ENTRY((i) + 1), ENTRY((i) + 2), ENTRY((i) + 3)
#define ENTRIES_16(i) ENTRIES_4(i), ENTRIES_4((i) + 4), ENTRIES_4((i) + 8), ENTRIES_4((i) + 12)
#define ENTRIES_64(i) ENTRIES_16(i), ENTRIES_16((i) + 16), ENTRIES_16((i) + 32), ENTRIES_16((i) + 48)

static const uint32_t crc24_table[256] = {ENTRIES_64(0), ENTRIES_64(64), ENTRIES_64(128), ENTRIES_64(192)};

uint32_t mp_crc24(const uint8_t *bytes, size_t len)
{
	uint32_t crc = CRC24_INIT;
	for (size_t i = 0; i < len; i++)
		crc = (crc << 8 & 0xffffffu) ^ crc24_table[(crc >> 16 ^ bytes[i]) & 0xff];
	return crc;
}

// The CRC-32 of the bytes 0xfa 0x2d 0x55 0xca, which stand before each payload in the sum but not on the
// wire.
#define CRC32_OF_PREFIX 0x44777ed3u

uint32_t mp_crc32_segment(const void *bytes, size_t len)
{
	return mp_crc32(CRC32_OF_PREFIX, bytes, len);
}

static void put_le(uint8_t *to, uint32_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

// Write the header before and the CRC behind a payload that is in its place.
static void seal(uint8_t *header, uint32_t len, bool self_contained)
{
	put_le(header, len | (self_contained ? 1u << 17 : 0u), 3);
	put_le(header + 3, mp_crc24(header, 3), 3);
	uint8_t *payload = header + MP_SEGMENT_HEADER;
	put_le(payload + len, mp_crc32_segment(payload, len), 4);
}

size_t mp_segment_begin(struct mp_buf *buf)
{
	size_t begin = buf->len;
	uint8_t *to = mp_buf_reserve(buf, MP_SEGMENT_HEADER);
	if (to == NULL)
		return begin;
	memset(to, 0, MP_SEGMENT_HEADER);
	buf->len += MP_SEGMENT_HEADER;
	return begin;
}

#define OVERHEAD (MP_SEGMENT_HEADER + MP_SEGMENT_TRAILER)

static void split(struct mp_buf *buf, size_t begin, size_t len)
{
	size_t pieces = (len + MP_SEGMENT_PAYLOAD_MAX - 1) / MP_SEGMENT_PAYLOAD_MAX;
	size_t more = pieces * OVERHEAD - MP_SEGMENT_HEADER;
	if (mp_buf_reserve(buf, more) == NULL)
		return;
	uint8_t *base = buf->data + begin;
	// The last piece moves first, into the free space behind; each makes room for the one before it.
	for (size_t i = pieces; i-- > 0;) {
		size_t from = i * MP_SEGMENT_PAYLOAD_MAX;
		size_t piece = len - from < MP_SEGMENT_PAYLOAD_MAX ? len - from : MP_SEGMENT_PAYLOAD_MAX;
		uint8_t *header = base + from + i * OVERHEAD;
		memmove(header + MP_SEGMENT_HEADER, base + MP_SEGMENT_HEADER + from, piece);
		seal(header, (uint32_t)piece, false);
	}
	buf->len += more;
}

void mp_segment_end(struct mp_buf *buf, size_t begin)
{
	if (buf->failed)
		return;
	mp_assert(buf->len >= begin + MP_SEGMENT_HEADER);
	size_t len = buf->len - begin - MP_SEGMENT_HEADER;
	if (len == 0) { // nothing was appended: no segment
		buf->len = begin;
		return;
	}
	if (len > MP_SEGMENT_PAYLOAD_MAX) {
		split(buf, begin, len);
		return;
	}
	if (mp_buf_reserve(buf, MP_SEGMENT_TRAILER) == NULL)
		return;
	seal(buf->data + begin, (uint32_t)len, true);
	buf->len += MP_SEGMENT_TRAILER;
}

// ---- compressed -------------------------------------------------------------------------------------------

static void seal_lz4(uint8_t *header, uint32_t sent, uint32_t full, bool self_contained)
{
	uint64_t bits = (uint64_t)sent | (uint64_t)full << 17 | (self_contained ? UINT64_C(1) << 34 : 0);
	put_le(header, (uint32_t)bits, 4);
	put_le(header + 4, (uint32_t)(bits >> 32), 1);
	put_le(header + 5, mp_crc24(header, 5), 3);
	uint8_t *payload = header + MP_SEGMENT_LZ4_HEADER;
	put_le(payload + sent, mp_crc32_segment(payload, sent), 4);
}

static int append_lz4(struct mp_buf *buf, const uint8_t *payload, size_t len, bool self_contained)
{
	size_t bound = mp_lz4_bound(len);
	uint8_t *header = mp_buf_reserve(buf, MP_SEGMENT_LZ4_HEADER + bound + MP_SEGMENT_TRAILER);
	if (header == NULL)
		return MP_ENOMEM;
	uint8_t *to = header + MP_SEGMENT_LZ4_HEADER;
	size_t sent = len >= MP_COMPRESS_LEAST ? mp_lz4_pack(payload, len, to) : 0;
	bool pays = sent > 0 && sent < len;
	if (!pays) {
		memcpy(to, payload, len);
		sent = len;
	}
	seal_lz4(header, (uint32_t)sent, pays ? (uint32_t)len : 0, self_contained);
	buf->len += MP_SEGMENT_LZ4_HEADER + sent + MP_SEGMENT_TRAILER;
	return 0;
}

// Of each piece its bytes and what stands around them; and for the last what LZ4 may need on top while it works.
size_t mp_segment_lz4_bound(size_t len)
{
	size_t pieces = len / MP_SEGMENT_PAYLOAD_MAX + 1;
	return len + pieces * (MP_SEGMENT_LZ4_HEADER + MP_SEGMENT_TRAILER) +
	       mp_lz4_bound(MP_SEGMENT_PAYLOAD_MAX) - MP_SEGMENT_PAYLOAD_MAX;
}

int mp_segment_append_lz4(struct mp_buf *buf, const uint8_t *payload, size_t len)
{
	if (len <= MP_SEGMENT_PAYLOAD_MAX)
		return append_lz4(buf, payload, len, true);
	for (size_t from = 0; from < len; from += MP_SEGMENT_PAYLOAD_MAX) {
		size_t piece = len - from < MP_SEGMENT_PAYLOAD_MAX ? len - from : MP_SEGMENT_PAYLOAD_MAX;
		int rc = append_lz4(buf, payload + from, piece, false);
		if (rc != 0)
			return rc;
	}
	return 0;
}
