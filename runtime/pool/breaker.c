// SPDX-License-Identifier: Apache-2.0
// enter() is the one writer of the state. Counts belong to a state and begin at 0 with it.
#include "pool/breaker.h"

const char *mp_breaker_state_name(enum mp_breaker_state state)
{
	static const char *const names[] = {
#define X(symbol, name) name,
		MP_BREAKER_STATES(X)
#undef X
	};
	return (size_t)state < MP_ARRAY_LEN(names) ? names[state] : "?";
}

const char *mp_breaker_verdict_text(enum mp_breaker_verdict verdict)
{
	static const char *const texts[] = {
#define X(symbol, text) text,
		MP_BREAKER_VERDICTS(X)
#undef X
	};
	return (size_t)verdict < MP_ARRAY_LEN(texts) ? texts[verdict] : "?";
}

static void enter(struct mp_breaker *breaker, enum mp_breaker_state state, uint64_t now_ms)
{
	breaker->states = breaker->states == UINT32_MAX ? 1 : breaker->states + 1;
	breaker->state = state;
	breaker->ticket = breaker->rules->enabled ? breaker->states : 0;
	breaker->failures = breaker->trying = breaker->passed = 0;
	breaker->since_ms = now_ms;
}

void mp_breaker_init(struct mp_breaker *breaker, const struct mp_breaker_rules *rules, uint64_t now_ms)
{
	*breaker = (struct mp_breaker){.rules = rules};
	enter(breaker, MP_BREAKER_CLOSED, now_ms);
}

static bool is_healed(const struct mp_breaker *breaker)
{
	return breaker->state == MP_BREAKER_HALF_OPEN && breaker->passed >= breaker->rules->trials;
}

static bool is_broken(const struct mp_breaker *breaker)
{
	return breaker->state == MP_BREAKER_CLOSED && breaker->failures >= breaker->rules->threshold;
}

bool mp_breaker_follow(struct mp_breaker *breaker, uint64_t now_ms)
{
	bool was_on = breaker->ticket != 0;
	bool was_closed = breaker->state == MP_BREAKER_CLOSED;
	if (was_on != breaker->rules->enabled || is_healed(breaker)) {
		enter(breaker, MP_BREAKER_CLOSED, now_ms);
		return !was_closed;
	}
	return false;
}

bool mp_breaker_admits(const struct mp_breaker *breaker)
{
	switch (breaker->state) {
	case MP_BREAKER_CLOSED: return true;
	case MP_BREAKER_OPEN: return false;
	case MP_BREAKER_HALF_OPEN: break;
	}
	return (uint64_t)breaker->trying + breaker->passed < breaker->rules->trials;
}

uint32_t mp_breaker_enter(struct mp_breaker *breaker, uint64_t now_ms, bool *changed)
{
	*changed = mp_breaker_recover(breaker, now_ms, true);
	if (breaker->state == MP_BREAKER_HALF_OPEN)
		breaker->trying++;
	return breaker->ticket;
}

bool mp_breaker_leave(struct mp_breaker *breaker, uint32_t ticket, enum mp_breaker_verdict verdict,
                      uint64_t now_ms)
{
	if (ticket == 0 || ticket != breaker->ticket)
		return false;
	if (breaker->state == MP_BREAKER_HALF_OPEN) {
		mp_assert(breaker->trying > 0);
		breaker->trying--;
	}
	if (verdict == MP_VERDICT_NONE)
		return false;
	if (verdict != MP_VERDICT_GOOD)
		return mp_breaker_fail(breaker, now_ms);
	breaker->failures = 0;
	if (breaker->state == MP_BREAKER_HALF_OPEN)
		breaker->passed++;
	if (!is_healed(breaker))
		return false;
	enter(breaker, MP_BREAKER_CLOSED, now_ms);
	return true;
}

bool mp_breaker_fail(struct mp_breaker *breaker, uint64_t now_ms)
{
	if (breaker->ticket == 0 || breaker->state == MP_BREAKER_OPEN)
		return false;
	if (breaker->failures < UINT32_MAX)
		breaker->failures++;
	if (breaker->state == MP_BREAKER_CLOSED && !is_broken(breaker))
		return false;
	enter(breaker, MP_BREAKER_OPEN, now_ms);
	return true;
}

bool mp_breaker_recover(struct mp_breaker *breaker, uint64_t now_ms, bool early)
{
	if (breaker->state != MP_BREAKER_OPEN)
		return false;
	if (!early && now_ms - breaker->since_ms < breaker->rules->recovery_ms)
		return false;
	enter(breaker, MP_BREAKER_HALF_OPEN, now_ms);
	return true;
}
