// SPDX-License-Identifier: Apache-2.0
// What requests may cost beyond their first attempt, so that a cluster that is overloaded is not asked more and more:
// one more attempt for ten requests, and ten a second, saved up to a thousand.
#pragma once

#include "base/defs.h"

struct mp_budget {
	int64_t tenths; // of an attempt
};

void mp_budget_init(struct mp_budget *budget); // full
void mp_budget_tick(struct mp_budget *budget); // a second has passed
// A request was submitted. What is beyond the most is cut when it is spent: this is on every request's way.
inline void mp_budget_earn(struct mp_budget *budget)
{
	budget->tenths++;
}
bool mp_budget_allows_retry(const struct mp_budget *budget);
// Half of the budget is left to retries: a speculative attempt only makes a request faster, a retry saves one.
bool mp_budget_allows_speculation(const struct mp_budget *budget);
void mp_budget_pay(struct mp_budget *budget); // one attempt, which it allows
