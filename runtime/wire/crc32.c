// SPDX-License-Identifier: Apache-2.0
// A CRC is the remainder of the message as a polynomial over GF(2). Bytes may be replaced by their product with a
// power of x, reduced to 128 bits, that stands where they stood in front of later bytes: so 64 bytes at a time are
// folded into the next 64, and what is left at the end, 16 bytes with the same remainder as all that went before, goes
// to zlib with the tail. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction",
// Intel, 2009.
#include "wire/crc32.h"

#include <zlib.h>

static uint32_t crc32_plain(uint32_t crc, const void *bytes, size_t len)
{
	return len == 0 ? crc : (uint32_t)crc32_z(crc, bytes, len);
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define FOLDING __attribute__((target("pclmul,sse2")))

#define LANE       16u
#define STRIDE     (4 * LANE)
#define FOLD_BYTES 128u // below this it does not pay

// Reflected remainders of x^(n+32) and x^(n-32), n being the distance in bits over which a lane is moved.
#define BY_STRIDE INT64_C(0x1c6e41596), INT64_C(0x154442bd4)
#define BY_LANE   INT64_C(0x0ccaa009e), INT64_C(0x1751997d0)

FOLDING static __m128i load(const uint8_t *at)
{
	return _mm_loadu_si128((const __m128i *)(const void *)at);
}

FOLDING static __m128i fold(__m128i lane, __m128i by, __m128i onto)
{
	__m128i low = _mm_clmulepi64_si128(lane, by, 0x00);
	__m128i high = _mm_clmulepi64_si128(lane, by, 0x11);
	return _mm_xor_si128(_mm_xor_si128(low, high), onto);
}

FOLDING static uint32_t crc32_folded(uint32_t crc, const uint8_t *at, size_t len)
{
	// zlib inverts the sum at both ends.
	__m128i a = _mm_xor_si128(load(at), _mm_cvtsi32_si128((int)~crc));
	__m128i b = load(at + LANE), c = load(at + 2 * LANE), d = load(at + 3 * LANE);
	const __m128i by_stride = _mm_set_epi64x(BY_STRIDE);
	const __m128i by_lane = _mm_set_epi64x(BY_LANE);
	for (at += STRIDE, len -= STRIDE; len >= STRIDE; at += STRIDE, len -= STRIDE) {
		a = fold(a, by_stride, load(at));
		b = fold(b, by_stride, load(at + LANE));
		c = fold(c, by_stride, load(at + 2 * LANE));
		d = fold(d, by_stride, load(at + 3 * LANE));
	}
	a = fold(fold(fold(a, by_lane, b), by_lane, c), by_lane, d);
	for (; len >= LANE; at += LANE, len -= LANE)
		a = fold(a, by_lane, load(at));
	uint8_t rest[LANE];
	_mm_storeu_si128((__m128i *)(void *)rest, a);
	return crc32_plain(crc32_plain(UINT32_MAX, rest, sizeof(rest)), at, len);
}

uint32_t mp_crc32(uint32_t crc, const void *bytes, size_t len)
{
	if (len >= FOLD_BYTES && __builtin_cpu_supports("pclmul"))
		return crc32_folded(crc, bytes, len);
	return crc32_plain(crc, bytes, len);
}
#else
uint32_t mp_crc32(uint32_t crc, const void *bytes, size_t len)
{
	return crc32_plain(crc, bytes, len);
}
#endif
