// SPDX-License-Identifier: Apache-2.0
// UUIDs as 16 bytes in network order (RFC 9562). Versions 1 (time) and 4 (random) can be made.
#pragma once

#include "base/defs.h"
#include "base/rand.h"

struct mp_uuid {
	uint8_t bytes[16];
};

#define MP_UUID_TEXT 37 // 36 characters and NUL

bool mp_uuid_eq(const struct mp_uuid *a, const struct mp_uuid *b);
bool mp_uuid_is_nil(const struct mp_uuid *uuid);
void mp_uuid_format(const struct mp_uuid *uuid, char text[MP_UUID_TEXT]);
int mp_uuid_parse(const char *text, size_t len, struct mp_uuid *uuid) MP_MUST_CHECK; // MP_EINVAL
void mp_uuid_v4(struct mp_rand *rand, struct mp_uuid *uuid);
// Version 1 from wall time in microseconds; `clock_seq` and `node` come from the caller's random source. The caller
// keeps `ticks_100ns` strictly increasing.
void mp_uuid_v1(uint64_t unix_100ns, uint16_t clock_seq, const uint8_t node[6], struct mp_uuid *uuid);
uint64_t mp_uuid_v1_unix_100ns(const struct mp_uuid *uuid); // 0 when not version 1, or before 1970
// The time of a version 1, also before 1970, in 100 ns since then. False: it is of another version.
bool mp_uuid_v1_time(const struct mp_uuid *uuid, int64_t *unix_100ns);

// Makes those of version 1: each later than the one before, whatever the clock does.
struct mp_uuid_clock {
	uint64_t last; // in 100 ns since 1970
	uint16_t clock_seq;
	uint8_t node[6]; // a multicast address: no network card has it
};
void mp_uuid_clock_init(struct mp_uuid_clock *clock, struct mp_rand *rand);
void mp_uuid_clock_next(struct mp_uuid_clock *clock, uint64_t unix_100ns, struct mp_uuid *uuid);
