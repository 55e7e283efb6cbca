// SPDX-License-Identifier: Apache-2.0
#include "wire/murmur3.h"

#include <string.h>

#define C1 0x87c37b91114253d5u
#define C2 0x4cf5ad432745937fu

static uint64_t rotl(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

static uint64_t mix_k1(uint64_t k1)
{
	return rotl(k1 * C1, 31) * C2;
}

static uint64_t mix_k2(uint64_t k2)
{
	return rotl(k2 * C2, 33) * C1;
}

static uint64_t final_mix(uint64_t h)
{
	h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
	h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
	return h ^ (h >> 33);
}

static uint64_t load_le(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value = __builtin_bswap64(value);
#endif
	return value;
}

// Up to eight bytes as Java adds them up: its bytes are signed, so one of 0x80 and above flips all bits above it too.
// A byte is flipped when the number of such bytes below it is odd; the product counts them for all bytes at once.
static uint64_t load_tail(const uint8_t *at, size_t count)
{
	uint8_t padded[8] = {0};
	memcpy(padded, at, count);
	uint64_t value = load_le(padded);
	uint64_t negative = (value & 0x8080808080808080u) >> 7;
	uint64_t flips = (negative * 0x0101010101010100u) & 0x0101010101010101u;
	return value ^ flips * 0xff;
}

int64_t mp_murmur3_token(const void *key, size_t len)
{
	const uint8_t *at = key;
	uint64_t h1 = 0;
	uint64_t h2 = 0;
	size_t left = len;
	for (; left >= 16; left -= 16, at += 16) {
		h1 ^= mix_k1(load_le(at));
		h1 = (rotl(h1, 27) + h2) * 5 + 0x52dce729;
		h2 ^= mix_k2(load_le(at + 8));
		h2 = (rotl(h2, 31) + h1) * 5 + 0x38495ab5;
	}
	if (left > 8)
		h2 ^= mix_k2(load_tail(at + 8, left - 8));
	if (left >= 8)
		h1 ^= mix_k1(load_tail(at, 8));
	else if (left > 0)
		h1 ^= mix_k1(load_tail(at, left));
	h1 ^= len;
	h2 ^= len;
	h1 += h2;
	h2 += h1;
	h1 = final_mix(h1) + final_mix(h2);
	return (int64_t)h1 == INT64_MIN ? INT64_MAX : (int64_t)h1;
}
