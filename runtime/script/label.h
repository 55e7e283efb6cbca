// SPDX-License-Identifier: Apache-2.0
// What coroutines are at, in words: a handler's and those that it starts carry one label, which whoever looks on at the
// loop (base/beat.h) reads when one of them does not come back.
#pragma once

#include "base/beat.h"

struct mp_label {
	struct mp_watched watched;
	uint64_t resumes;
	uint32_t refs;
	char text[];
};

struct mp_label *mp_label_new(const char *text) MP_MUST_CHECK; // NULL: out of memory
struct mp_label *mp_label_ref(struct mp_label *label);         // NULL stays NULL
void mp_label_unref(struct mp_label *label);                   // NULL is fine
// What is noted while a coroutine with this label runs, once more.
static inline struct mp_watched *mp_label_resumed(struct mp_label *label)
{
	if (MP_LIKELY(label == NULL))
		return NULL;
	label->resumes++;
	return &label->watched;
}
