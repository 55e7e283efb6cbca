// SPDX-License-Identifier: Apache-2.0
// Invariant: `units` are in order of both of their positions, none lies before what the kernel has taken, and the last
// one ends where `wire` does.
#include "link/pack.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "wire/segment.h"

#define UNITS_FIRST 8u

void mp_pack_init(struct mp_pack *pack)
{
	*pack = (struct mp_pack){0};
	mp_buf_init(&pack->wire);
}

void mp_pack_deinit(struct mp_pack *pack)
{
	mp_buf_deinit(&pack->wire);
	mp_free(pack->units);
	mp_pack_init(pack);
}

int mp_pack_reserve_unit(struct mp_pack *pack)
{
	if (MP_LIKELY(pack->count < pack->cap))
		return 0;
	size_t cap = pack->cap > 0 ? 2 * pack->cap : UNITS_FIRST;
	struct mp_unit *units = mp_realloc(pack->units, cap * sizeof(*units));
	if (units == NULL)
		return MP_ENOMEM;
	pack->units = units;
	pack->cap = cap;
	return 0;
}

int mp_pack_reserve(struct mp_pack *pack, size_t len)
{
	int rc = mp_pack_reserve_unit(pack);
	if (rc == 0 && mp_buf_reserve(&pack->wire, mp_segment_lz4_bound(len)) == NULL)
		rc = MP_ENOMEM;
	pack->wire.failed = false;
	return rc;
}

void mp_pack_add(struct mp_pack *pack, const uint8_t *plain, size_t len, uint64_t plain_end)
{
	int rc = mp_segment_append_lz4(&pack->wire, plain, len);
	mp_assert(rc == 0); // the room was there
	mp_pack_add_unit(pack, plain_end);
}

void mp_pack_add_unit(struct mp_pack *pack, uint64_t plain_end)
{
	mp_assert(pack->count < pack->cap);
	pack->units[pack->count++] = (struct mp_unit){plain_end, pack->base + pack->wire.len};
}

size_t mp_pack_waiting(const struct mp_pack *pack)
{
	return pack->wire.len - pack->taken;
}

void mp_pack_took(struct mp_pack *pack, size_t count, size_t begun)
{
	mp_assert(count <= mp_pack_waiting(pack));
	pack->taken += count;
	uint64_t pos = pack->base + pack->taken;
	size_t whole = 0;
	while (whole < pack->count && pack->units[whole].wire_end <= pos)
		whole++;
	if (whole > 0) {
		pack->whole = pack->units[whole - 1].plain_end;
		pack->wire_whole = pack->units[whole - 1].wire_end;
		pack->count -= whole;
		memmove(pack->units, pack->units + whole, pack->count * sizeof(*pack->units));
	}
	pack->begun = pack->whole;
	uint64_t unit_begin = pack->wire_whole;
	for (size_t i = 0; i < pack->count && unit_begin < pos + begun; i++) {
		pack->begun = pack->units[i].plain_end;
		unit_begin = pack->units[i].wire_end;
	}
}

size_t mp_pack_drop(struct mp_pack *pack, size_t least)
{
	size_t count = pack->taken;
	if (mp_pack_waiting(pack) > 0 && (count < least || count < mp_pack_waiting(pack)))
		return 0;
	mp_buf_drop_front(&pack->wire, count);
	pack->base += count;
	pack->taken = 0;
	return count;
}
