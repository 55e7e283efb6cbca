// SPDX-License-Identifier: Apache-2.0
// Texts that have become small numbers: 1, 2, ... in the order of their first sight; 0 stands for "none". Nothing is
// ever forgotten, so a number stays good for the life of the table.
#pragma once

#include "base/cursor.h"
#include "base/defs.h"

struct mp_names {
	char **texts; // by number - 1
	uint32_t count;
	uint32_t limit;
	uint32_t *slots; // open addressing; 0: free; its address is the seed of the hash
	uint32_t slot_count;
};

void mp_names_init(struct mp_names *names, uint32_t limit);
void mp_names_deinit(struct mp_names *names);
// The number of a text, made on first sight. 0: the text is empty, the table is full, or out of memory.
uint32_t mp_names_id(struct mp_names *names, struct mp_str text);
uint32_t mp_names_find(const struct mp_names *names, struct mp_str text); // 0: not known
const char *mp_names_text(const struct mp_names *names, uint32_t id);     // NULL: no such number

uint64_t mp_names_hash(uint64_t seed, const void *bytes, size_t len); // FNV-1a, the same in every process
