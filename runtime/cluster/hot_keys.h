// SPDX-License-Identifier: Apache-2.0
// Which partition is asked for most: a sample of the tokens of requests, about one in 128, in a table of the few
// that come up most often (Misra and Gries 1982). A token that is a sixteenth of the sample or more is in it, with a
// count that is too small by a sixteenth of the sample at most. Halved from time to time, so that it tells of now.
#pragma once

#include "base/defs.h"

#define MP_HOT_KEYS 16

struct mp_hot_keys {
	uint32_t wait; // requests until the next one that is looked at
	uint32_t chance;
	uint64_t looked_at;
	struct {
		int64_t token;
		uint64_t count; // 0: free
	} keys[MP_HOT_KEYS];
};

void mp_hot_keys_init(struct mp_hot_keys *keys);
void mp_hot_keys_look(struct mp_hot_keys *keys, int64_t token);
void mp_hot_keys_age(struct mp_hot_keys *keys); // halves all

MP_INLINE void mp_hot_keys_note(struct mp_hot_keys *keys, int64_t token)
{
	if (MP_UNLIKELY(keys->wait-- == 0))
		mp_hot_keys_look(keys, token);
}
