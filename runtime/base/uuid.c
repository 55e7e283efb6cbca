// SPDX-License-Identifier: Apache-2.0
// Version 1 holds 60 bits of time since 1582-10-15 in steps of 100 ns, lowest part first: low 32, middle 16,
// high 12.
#include "base/uuid.h"

#include <string.h>

#include "base/err.h"
#include "base/text/hex.h"

#define GREGORIAN_TO_UNIX_100NS 0x01b21dd213814000u

bool mp_uuid_eq(const struct mp_uuid *a, const struct mp_uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool mp_uuid_is_nil(const struct mp_uuid *uuid)
{
	const struct mp_uuid nil = {{0}};
	return mp_uuid_eq(uuid, &nil);
}

typedef uint8_t lanes __attribute__((vector_size(16)));
typedef int8_t signs __attribute__((vector_size(16)));

// Lanes of two in another order: clang's name, and GCC's before version 12.
#ifdef __clang__
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define PICK(a, b, ...) __builtin_shuffle(a, b, (lanes){__VA_ARGS__})
#endif

// Of sixteen numbers below 16 the hexadecimal digits.
static lanes digits_of(lanes numbers)
{
	lanes letters = (lanes)((signs)numbers > 9); // all bits or none
	return numbers + '0' + (letters & ('a' - '0' - 10));
}

// Every digit is worked out at the same time: a uuid is formatted for each row that has one.
void mp_uuid_format(const struct mp_uuid *uuid, char text[MP_UUID_TEXT])
{
	lanes bytes;
	memcpy(&bytes, uuid->bytes, sizeof(bytes));
	lanes high = digits_of(bytes >> 4), low = digits_of(bytes & 15);
	lanes front = PICK(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
	lanes back = PICK(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
	char digits[2 * sizeof(lanes)];
	memcpy(digits, &front, sizeof(front));
	memcpy(digits + sizeof(front), &back, sizeof(back));
	memcpy(text, digits, 8);
	memcpy(text + 9, digits + 8, 4);
	memcpy(text + 14, digits + 12, 4);
	memcpy(text + 19, digits + 16, 4);
	memcpy(text + 24, digits + 20, 12);
	text[8] = text[13] = text[18] = text[23] = '-';
	text[36] = '\0';
}

int mp_uuid_parse(const char *text, size_t len, struct mp_uuid *uuid)
{
	if (len != MP_UUID_TEXT - 1)
		return MP_EINVAL;
	static const uint8_t groups[] = {4, 2, 2, 2, 6}; // bytes, with hyphens between them
	struct mp_uuid parsed;
	for (size_t i = 0, at = 0; i < MP_ARRAY_LEN(groups); at += groups[i++]) {
		if (i > 0 && *text++ != '-')
			return MP_EINVAL;
		if (!mp_hex_read(text, &parsed.bytes[at], groups[i]))
			return MP_EINVAL;
		text += (size_t)2 * groups[i];
	}
	*uuid = parsed;
	return 0;
}

static void set_version(struct mp_uuid *uuid, unsigned version)
{
	uuid->bytes[6] = (uint8_t)((uuid->bytes[6] & 0x0f) | (version << 4));
	uuid->bytes[8] = (uint8_t)((uuid->bytes[8] & 0x3f) | 0x80);
}

void mp_uuid_v4(struct mp_rand *rand, struct mp_uuid *uuid)
{
	uint64_t random[2] = {mp_rand_u64(rand), mp_rand_u64(rand)};
	for (size_t i = 0; i < sizeof(uuid->bytes); i++)
		uuid->bytes[i] = (uint8_t)(random[i / 8] >> (56 - 8 * (i % 8)));
	set_version(uuid, 4);
}

void mp_uuid_v1(uint64_t unix_100ns, uint16_t clock_seq, const uint8_t node[6], struct mp_uuid *uuid)
{
	uint64_t ticks = unix_100ns + GREGORIAN_TO_UNIX_100NS;
	const uint8_t from[10] = {
		(uint8_t)(ticks >> 24),    (uint8_t)(ticks >> 16), (uint8_t)(ticks >> 8),  (uint8_t)ticks,
		(uint8_t)(ticks >> 40),    (uint8_t)(ticks >> 32), (uint8_t)(ticks >> 56), (uint8_t)(ticks >> 48),
		(uint8_t)(clock_seq >> 8), (uint8_t)clock_seq,
	};
	memcpy(uuid->bytes, from, sizeof(from));
	memcpy(uuid->bytes + sizeof(from), node, 6);
	set_version(uuid, 1);
}

bool mp_uuid_v1_time(const struct mp_uuid *uuid, int64_t *unix_100ns)
{
	const uint8_t *b = uuid->bytes;
	if (b[6] >> 4 != 1)
		return false;
	static const uint8_t order[8] = {6, 7, 4, 5, 0, 1, 2, 3};
	uint64_t ticks = 0;
	for (size_t i = 0; i < sizeof(order); i++)
		ticks = ticks << 8 | b[order[i]];
	ticks &= 0x0fffffffffffffffu;
	*unix_100ns = (int64_t)ticks - (int64_t)GREGORIAN_TO_UNIX_100NS;
	return true;
}

uint64_t mp_uuid_v1_unix_100ns(const struct mp_uuid *uuid)
{
	int64_t unix_100ns;
	return mp_uuid_v1_time(uuid, &unix_100ns) && unix_100ns > 0 ? (uint64_t)unix_100ns : 0;
}

void mp_uuid_clock_init(struct mp_uuid_clock *clock, struct mp_rand *rand)
{
	uint64_t chance = mp_rand_u64(rand);
	clock->last = 0;
	memcpy(clock->node, &chance, sizeof(clock->node));
	clock->node[0] |= 1;
	clock->clock_seq = (uint16_t)(chance >> 48);
}

void mp_uuid_clock_next(struct mp_uuid_clock *clock, uint64_t unix_100ns, struct mp_uuid *uuid)
{
	clock->last = unix_100ns > clock->last ? unix_100ns : clock->last + 1;
	mp_uuid_v1(clock->last, clock->clock_seq, clock->node, uuid);
}
