// SPDX-License-Identifier: Apache-2.0
// Invariants: nothing is allocated for a size that the bytes at hand could not fill; what comes out is made of what
// came in and of nothing that stood in the memory before.
#include "wire/compress.h"

#include "base/err.h"

#ifdef MP_WITH_LZ4
#include <lz4.h>
#endif
#ifdef MP_WITH_SNAPPY
#include <snappy-c.h>
#endif

// One byte of an LZ4 block makes 255 at most; one of Snappy, whose copies of 64 take three, less than 32.
#define LZ4_RATIO_MAX    255u
#define SNAPPY_RATIO_MAX 32u
#define LZ4_PREFIX       4u // the size before an LZ4 body, in network order

static const char *const names[] = {"none", "lz4", "snappy"};

const char *mp_compression_name(enum mp_compression kind)
{
	return (size_t)kind < MP_ARRAY_LEN(names) ? names[kind] : "?";
}

int mp_compression_find(struct mp_str name)
{
	for (int kind = 0; kind < MP_COMPRESSION_COUNT; kind++)
		if (mp_str_is_nocase(name, names[kind]))
			return kind;
	return -1;
}

bool mp_compression_is_built(enum mp_compression kind)
{
	switch (kind) {
	case MP_COMPRESSION_NONE: return true;
#ifdef MP_WITH_LZ4
	case MP_COMPRESSION_LZ4: return true;
#endif
#ifdef MP_WITH_SNAPPY
	case MP_COMPRESSION_SNAPPY: return true;
#endif
	default: return false;
	}
}

bool mp_compression_serves(enum mp_compression kind, uint8_t version)
{
	return kind != MP_COMPRESSION_SNAPPY || version < 5;
}

// ---- LZ4 --------------------------------------------------------------------------------------------------

#ifdef MP_WITH_LZ4

size_t mp_lz4_bound(size_t len)
{
	return len <= LZ4_MAX_INPUT_SIZE ? (size_t)LZ4_compressBound((int)len) : 0;
}

size_t mp_lz4_pack(const uint8_t *bytes, size_t len, uint8_t *to)
{
	if (len > LZ4_MAX_INPUT_SIZE)
		return 0;
	int made = LZ4_compress_default((const char *)bytes, (char *)to, (int)len, LZ4_compressBound((int)len));
	return made > 0 ? (size_t)made : 0;
}

// Behind the bytes that go on with a length of 15: each adds its value, one below 255 is the last.
static size_t behind_length(const uint8_t *bytes, size_t len, size_t at, size_t *length)
{
	if (*length < 15)
		return at;
	uint8_t more = 255;
	for (; at < len && more == 255; at++) {
		more = bytes[at];
		*length += more;
	}
	return at;
}

// A match at distance 0 repeats what is not there yet. The format knows none (lz4_Block_format.md, "Offset"), but
// liblz4 takes it, and what comes out is chance: zeros, or, of a block in part, what stood in the memory. All else
// that may be wrong with a block is found by liblz4.
static bool has_no_distance_0(const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		uint8_t token = bytes[at];
		size_t literals = token >> 4;
		size_t match = token & 15;
		at = behind_length(bytes, len, at + 1, &literals);
		if (len - at < 2 || literals > len - at - 2)
			return true; // the last literals
		at += literals;
		if ((bytes[at] | bytes[at + 1]) == 0)
			return false;
		at = behind_length(bytes, len, at + 2, &match);
	}
	return true;
}

int mp_lz4_unpack(const uint8_t *bytes, size_t len, uint8_t *to, size_t size)
{
	if (len > INT32_MAX || size > INT32_MAX || !has_no_distance_0(bytes, len))
		return MP_EPROTO;
	int made = LZ4_decompress_safe((const char *)bytes, (char *)to, (int)len, (int)size);
	return made >= 0 && (size_t)made == size ? 0 : MP_EPROTO;
}

int mp_lz4_peek(const uint8_t *bytes, size_t len, uint8_t *to, size_t size)
{
	if (len > INT32_MAX || size > INT32_MAX || !has_no_distance_0(bytes, len))
		return MP_EPROTO;
	int made = LZ4_decompress_safe_partial((const char *)bytes, (char *)to, (int)len, (int)size, (int)size);
	return made >= 0 && (size_t)made == size ? 0 : MP_EPROTO;
}

static int lz4_body(const uint8_t *bytes, size_t len, struct mp_buf *to)
{
	uint8_t *room = mp_buf_reserve(to, LZ4_PREFIX + mp_lz4_bound(len));
	size_t made = room != NULL && mp_lz4_bound(len) > 0 ? mp_lz4_pack(bytes, len, room + LZ4_PREFIX) : 0;
	if (made == 0)
		return MP_ENOMEM;
	mp_buf_u32(to, (uint32_t)len);
	to->len += made;
	return 0;
}

static int lz4_body_back(const uint8_t *bytes, size_t len, uint32_t max, struct mp_buf *to)
{
	if (len < LZ4_PREFIX)
		return MP_EPROTO;
	uint32_t size = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
	if (size > max)
		return MP_ETOOBIG;
	if (size > (len - LZ4_PREFIX) * LZ4_RATIO_MAX)
		return MP_EPROTO;
	uint8_t *room = mp_buf_reserve(to, size);
	if (room == NULL)
		return MP_ENOMEM;
	int rc = mp_lz4_unpack(bytes + LZ4_PREFIX, len - LZ4_PREFIX, room, size);
	if (rc == 0)
		to->len += size;
	return rc;
}

#else

size_t mp_lz4_bound(size_t len)
{
	return len;
}

size_t mp_lz4_pack(const uint8_t *bytes, size_t len, uint8_t *to)
{
	(void)bytes, (void)len, (void)to;
	return 0;
}

int mp_lz4_unpack(const uint8_t *bytes, size_t len, uint8_t *to, size_t size)
{
	(void)bytes, (void)len, (void)to, (void)size;
	return MP_EPROTO;
}

int mp_lz4_peek(const uint8_t *bytes, size_t len, uint8_t *to, size_t size)
{
	return mp_lz4_unpack(bytes, len, to, size);
}

#endif

// ---- Snappy -----------------------------------------------------------------------------------------------

#ifdef MP_WITH_SNAPPY

static int snappy_body(const uint8_t *bytes, size_t len, struct mp_buf *to)
{
	size_t made = snappy_max_compressed_length(len);
	uint8_t *room = mp_buf_reserve(to, made);
	if (room == NULL || snappy_compress((const char *)bytes, len, (char *)room, &made) != SNAPPY_OK)
		return MP_ENOMEM;
	to->len += made;
	return 0;
}

static int snappy_body_back(const uint8_t *bytes, size_t len, uint32_t max, struct mp_buf *to)
{
	size_t size;
	if (snappy_uncompressed_length((const char *)bytes, len, &size) != SNAPPY_OK)
		return MP_EPROTO;
	if (size > max)
		return MP_ETOOBIG;
	if (size > len * SNAPPY_RATIO_MAX)
		return MP_EPROTO;
	uint8_t *room = mp_buf_reserve(to, size);
	if (room == NULL)
		return MP_ENOMEM;
	if (snappy_uncompress((const char *)bytes, len, (char *)room, &size) != SNAPPY_OK)
		return MP_EPROTO;
	to->len += size;
	return 0;
}

#endif

// ---- bodies -----------------------------------------------------------------------------------------------

int mp_compress_body(enum mp_compression kind, const uint8_t *bytes, size_t len, struct mp_buf *to)
{
	switch (kind) {
#ifdef MP_WITH_LZ4
	case MP_COMPRESSION_LZ4: return lz4_body(bytes, len, to);
#endif
#ifdef MP_WITH_SNAPPY
	case MP_COMPRESSION_SNAPPY: return snappy_body(bytes, len, to);
#endif
	default: (void)bytes, (void)len, (void)to; return MP_EUNSUPPORTED;
	}
}

int mp_decompress_body(enum mp_compression kind, const uint8_t *bytes, size_t len, uint32_t max,
                       struct mp_buf *to)
{
	switch (kind) {
#ifdef MP_WITH_LZ4
	case MP_COMPRESSION_LZ4: return lz4_body_back(bytes, len, max, to);
#endif
#ifdef MP_WITH_SNAPPY
	case MP_COMPRESSION_SNAPPY: return snappy_body_back(bytes, len, max, to);
#endif
	default: (void)bytes, (void)len, (void)max, (void)to; return MP_EUNSUPPORTED;
	}
}
