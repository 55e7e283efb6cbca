// SPDX-License-Identifier: Apache-2.0
// When to try a host again: exponential backoff with full jitter, so that many clients of a restarted cluster
// spread.
#pragma once

#include "base/rand.h"

struct mp_reconnect {
	uint32_t base_ms;
	uint32_t max_ms;
	uint32_t attempt; // failures in a row
};

// The delay before the next try: uniform in [base/2, min(max, base * 2^attempt)]; counts the attempt.
uint32_t mp_reconnect_next_ms(struct mp_reconnect *reconnect, struct mp_rand *rand);
void mp_reconnect_reset(struct mp_reconnect *reconnect);
