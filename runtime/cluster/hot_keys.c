// SPDX-License-Identifier: Apache-2.0
#include "cluster/hot_keys.h"

#define STRIDE 128u // on average; never the same, so that no rhythm of requests hides from it

void mp_hot_keys_init(struct mp_hot_keys *keys)
{
	*keys = (struct mp_hot_keys){.chance = 1};
}

// A sequence of its own: the loop's chance belongs to what decides.
static uint32_t next_wait(struct mp_hot_keys *keys)
{
	keys->chance = keys->chance * 1664525u + 1013904223u;
	return (keys->chance >> 16) % (2 * STRIDE - 1);
}

void mp_hot_keys_look(struct mp_hot_keys *keys, int64_t token)
{
	size_t free_at = MP_HOT_KEYS;
	keys->wait = next_wait(keys);
	keys->looked_at++;
	for (size_t i = 0; i < MP_HOT_KEYS; i++) {
		if (keys->keys[i].count == 0) {
			free_at = i;
		} else if (keys->keys[i].token == token) {
			keys->keys[i].count++;
			return;
		}
	}
	if (free_at < MP_HOT_KEYS) {
		keys->keys[free_at].token = token;
		keys->keys[free_at].count = 1;
		return;
	}
	for (size_t i = 0; i < MP_HOT_KEYS; i++)
		keys->keys[i].count--;
}

void mp_hot_keys_age(struct mp_hot_keys *keys)
{
	keys->looked_at /= 2;
	for (size_t i = 0; i < MP_HOT_KEYS; i++)
		keys->keys[i].count /= 2;
}
