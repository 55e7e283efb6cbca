// SPDX-License-Identifier: Apache-2.0
// What an output's bytes become when they do not leave as they are. Plain bytes keep the positions under which they
// were encoded; they are packed in units, in order, and a unit is useful to the peer only as a whole. So the units that
// are on their way say what the peer may have.
//
//   plain:  ... unit | unit | still open |
//   wire:   | taken by the kernel | waiting |     positions of its own, never reused
//           base               base+taken
//
// Units are LZ4 segments of v5, and the records of TLS.
#pragma once

#include "base/buf.h"

struct mp_unit {
	uint64_t plain_end; // position behind its last plain byte
	uint64_t wire_end;  // and behind what became of it
};

struct mp_pack {
	struct mp_buf wire;
	size_t taken;          // bytes at the front that the kernel has
	uint64_t base;         // position of wire.data[0]
	struct mp_unit *units; // those that the kernel has not taken whole
	size_t count, cap;
	uint64_t wire_whole; // position behind the last unit that was taken whole,
	uint64_t whole;      // and behind its plain bytes
	uint64_t begun;      // behind the plain bytes of the last unit of which anything was taken
};

void mp_pack_init(struct mp_pack *pack);
void mp_pack_deinit(struct mp_pack *pack);

// Room for `len` plain bytes as one unit, so that mp_pack_add() of so many cannot fail. MP_ENOMEM: as if not asked.
int mp_pack_reserve(struct mp_pack *pack, size_t len) MP_MUST_CHECK;
void mp_pack_add(struct mp_pack *pack, const uint8_t *plain, size_t len, uint64_t plain_end);
// The same for a unit whose wire bytes the caller makes: room for one, and what was appended to `wire` since the last.
int mp_pack_reserve_unit(struct mp_pack *pack) MP_MUST_CHECK;
void mp_pack_add_unit(struct mp_pack *pack, uint64_t plain_end);

size_t mp_pack_waiting(const struct mp_pack *pack);
// The kernel, `count` of what waits, and beyond that a part of something that holds `begun` more.
void mp_pack_took(struct mp_pack *pack, size_t count, size_t begun);
// Taken bytes make room: all, or once they are the larger part and more than `least`. How many.
size_t mp_pack_drop(struct mp_pack *pack, size_t least);
