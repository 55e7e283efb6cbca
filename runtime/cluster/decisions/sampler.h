// SPDX-License-Identifier: Apache-2.0
// Which requests somebody looks at: a share of them, by chance, so that no rhythm of requests hides from it. A request
// that is not looked at pays for counting down; the chance is a sequence of its own, because the loop's belongs to what
// decides.
#pragma once

#include "base/defs.h"

struct mp_sampler {
	uint64_t wait; // requests until the next one; UINT64_MAX: none
	double owed;   // the part of a request that this wait fell short of
	uint64_t chance;
};

void mp_sampler_stop(struct mp_sampler *sampler);               // no request from now on
void mp_sampler_next(struct mp_sampler *sampler, double share); // the next one of a share, 0 < share <= 1
MP_INLINE bool mp_sampler_takes(struct mp_sampler *sampler)     // this one? Then call mp_sampler_next()
{
	return sampler->wait-- == 0;
}
