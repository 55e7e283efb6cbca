// SPDX-License-Identifier: Apache-2.0
// Open addressing with linear probing; at most half of the slots are used, so a search always meets a free one.
#include "cluster/plan/names.h"

#include <string.h>

#include "base/index.h"
#include "base/mem.h"

uint64_t mp_names_hash(uint64_t seed, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash ^ (hash >> 29);
}

void mp_names_init(struct mp_names *names, uint32_t limit)
{
	*names = (struct mp_names){.limit = limit};
}

void mp_names_deinit(struct mp_names *names)
{
	for (uint32_t i = 0; i < names->count; i++)
		mp_free(names->texts[i]);
	mp_free(names->texts);
	mp_free(names->slots);
	*names = (struct mp_names){0};
}

// The slot that holds `text`, or the free one where it belongs.
static uint32_t *slot_of(const struct mp_names *names, struct mp_str text)
{
	uint32_t mask = names->slot_count - 1;
	uint32_t at = (uint32_t)mp_index_hash((uintptr_t)names->slots, text.data, text.len) & mask;
	while (names->slots[at] != 0 && !mp_str_is(text, names->texts[names->slots[at] - 1]))
		at = (at + 1) & mask;
	return &names->slots[at];
}

uint32_t mp_names_find(const struct mp_names *names, struct mp_str text)
{
	return text.len == 0 || names->slot_count == 0 ? 0 : *slot_of(names, text);
}

static bool grow(struct mp_names *names)
{
	if ((names->count + 1) * 2 <= names->slot_count)
		return true;
	uint32_t slot_count = names->slot_count == 0 ? 16 : names->slot_count * 2;
	char **texts = mp_realloc(names->texts, slot_count / 2 * sizeof(*texts));
	if (texts == NULL)
		return false;
	names->texts = texts;
	uint32_t *slots = mp_calloc(slot_count, sizeof(*slots));
	if (slots == NULL)
		return false;
	mp_free(names->slots);
	names->slots = slots;
	names->slot_count = slot_count;
	for (uint32_t i = 0; i < names->count; i++)
		*slot_of(names, mp_str_of(texts[i])) = i + 1;
	return true;
}

uint32_t mp_names_id(struct mp_names *names, struct mp_str text)
{
	uint32_t known = mp_names_find(names, text);
	if (known != 0 || text.len == 0)
		return known;
	if (names->count >= names->limit || memchr(text.data, '\0', text.len) != NULL || !grow(names))
		return 0;
	char *copy = mp_strndup(text.data, text.len);
	if (copy == NULL)
		return 0;
	names->texts[names->count++] = copy;
	*slot_of(names, text) = names->count;
	return names->count;
}

const char *mp_names_text(const struct mp_names *names, uint32_t id)
{
	return id == 0 || id > names->count ? NULL : names->texts[id - 1];
}
