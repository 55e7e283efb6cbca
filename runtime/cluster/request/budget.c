// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/budget.h"

#define COST     10 // tenths that an attempt costs
#define A_SECOND (10 * COST)
#define MOST     (1000 * COST)

static void cut(struct mp_budget *budget)
{
	if (budget->tenths > MOST)
		budget->tenths = MOST;
}

void mp_budget_init(struct mp_budget *budget)
{
	budget->tenths = MOST;
}

void mp_budget_tick(struct mp_budget *budget)
{
	budget->tenths += A_SECOND;
	cut(budget);
}

extern inline void mp_budget_earn(struct mp_budget *budget);

bool mp_budget_allows_retry(const struct mp_budget *budget)
{
	return budget->tenths >= COST;
}

bool mp_budget_allows_speculation(const struct mp_budget *budget)
{
	return budget->tenths >= MOST / 2 + COST;
}

void mp_budget_pay(struct mp_budget *budget)
{
	cut(budget);
	budget->tenths -= COST;
}
