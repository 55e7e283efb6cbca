// SPDX-License-Identifier: Apache-2.0
// Compressed bodies and LZ4 blocks: never more than the limit comes out, never more memory than it is taken, nothing of
// what the memory held before, and what was packed here comes back as it was.
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "fuzz.h"
#include "wire/compress.h"

// Into memory that held `before`.
static int unpack_over(uint8_t before, enum mp_compression kind, struct mp_str packed, uint32_t max,
                       struct mp_buf *out)
{
	mp_buf_init(out);
	uint8_t *room = mp_buf_reserve(out, max);
	mp_assert(room != NULL || max == 0);
	if (room != NULL)
		memset(room, before, out->cap);
	return mp_decompress_body(kind, (const uint8_t *)packed.data, packed.len, max, out);
}

static void unpack(enum mp_compression kind, const uint8_t *bytes, size_t len, uint32_t max)
{
	struct mp_str packed = {(const char *)bytes, len};
	struct mp_buf out;
	mp_buf_init(&out);
	int rc = mp_decompress_body(kind, bytes, len, max, &out);
	mp_assert(rc == 0 || rc == MP_EPROTO || rc == MP_ETOOBIG || rc == MP_ENOMEM);
	mp_assert(out.len <= max && out.cap <= 2 * (size_t)max + 4096);
	if (rc == 0) {
		struct mp_buf other;
		struct mp_buf another;
		mp_assert(unpack_over(0xa5, kind, packed, max, &other) == 0);
		mp_assert(unpack_over(0x5a, kind, packed, max, &another) == 0);
		mp_assert(other.len == out.len && another.len == out.len);
		mp_assert(out.len == 0 || memcmp(other.data, another.data, out.len) == 0);
		mp_buf_deinit(&other);
		mp_buf_deinit(&another);
	}
	mp_buf_deinit(&out);
}

static void there_and_back(enum mp_compression kind, const uint8_t *bytes, size_t len)
{
	struct mp_buf packed;
	struct mp_buf out;
	mp_buf_init(&packed);
	mp_buf_init(&out);
	mp_assert(mp_compress_body(kind, bytes, len, &packed) == 0);
	mp_assert(mp_decompress_body(kind, packed.data, packed.len, (uint32_t)len, &out) == 0);
	mp_assert(out.len == len && (len == 0 || memcmp(out.data, bytes, len) == 0));
	if (len > 0)
		unpack(kind, packed.data, packed.len, (uint32_t)len - 1);
	mp_buf_deinit(&out);
	mp_buf_deinit(&packed);
}

// The block's first bytes are those of the whole, and none is what stood in the memory before.
static void block(const uint8_t *bytes, size_t len, size_t size)
{
	uint8_t *whole = mp_alloc(size);
	uint8_t *begin = mp_alloc(size);
	mp_assert(whole != NULL && begin != NULL);
	memset(whole, 0xa5, size);
	memset(begin, 0x5a, size);
	if (mp_lz4_unpack(bytes, len, whole, size) == 0) {
		mp_assert(mp_lz4_peek(bytes, len, begin, size / 2) == 0);
		mp_assert(memcmp(whole, begin, size / 2) == 0);
		mp_assert(mp_lz4_unpack(bytes, len, begin, size) == 0);
		mp_assert(memcmp(whole, begin, size) == 0);
	}
	mp_free(begin);
	mp_free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t choice = fuzz_choice(&data, &size);
	uint32_t max = (uint32_t)fuzz_choice(&data, &size) << (choice >> 4);
	enum mp_compression kind = (choice & 1) != 0 ? MP_COMPRESSION_LZ4 : MP_COMPRESSION_SNAPPY;
	if (!mp_compression_is_built(kind))
		return 0;
	if ((choice & 2) != 0)
		there_and_back(kind, data, size);
	else if ((choice & 4) != 0 && mp_compression_is_built(MP_COMPRESSION_LZ4))
		block(data, size, max + 1);
	else
		unpack(kind, data, size, max);
	return 0;
}
