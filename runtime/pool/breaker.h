// SPDX-License-Identifier: Apache-2.0
// A circuit breaker: whether calls may go to one host, by what became of those before. Pure: it has no clock, no timer
// and no host; whoever owns it tells it the time and acts on what it says.
//
//   CLOSED --failures in a row--> OPEN --recovery_ms--> HALF_OPEN --`trials` calls went well--> CLOSED
//     all calls                     ^  \--a call that is made all the same--> |  at most `trials` calls
//                                   +--------------- one call failed ---------+
//
// A call that enters is given a ticket, which it hands back with its verdict when it ends, once. A verdict counts only
// in the state that the call entered: what was under way before says nothing about a host that has changed since.
// Ticket 0 is that of a breaker that is switched off: it lets everybody in and hears nothing.
#pragma once

#include "base/defs.h"

struct mp_breaker_rules {
	bool enabled;
	uint32_t threshold;   // failures in a row that open it, 1 or more
	uint32_t recovery_ms; // it is open for this long
	uint32_t trials;      // calls while it is half open, 1 or more; so many must go well
};

// X(symbol, "name")
#define MP_BREAKER_STATES(X) X(CLOSED, "closed") X(OPEN, "open") X(HALF_OPEN, "halfOpen")
enum mp_breaker_state {
#define X(symbol, name) MP_BREAKER_##symbol,
	MP_BREAKER_STATES(X)
#undef X
};
const char *mp_breaker_state_name(enum mp_breaker_state state);

// How a call ended. X(symbol, "what it means for a reader"). All behind GOOD are failures of the host itself.
#define MP_BREAKER_VERDICTS(X)              \
	X(NONE, "nothing was learnt")           \
	X(GOOD, "the host answered")            \
	X(TIMED_OUT, "no answer in time")       \
	X(OVERLOADED, "it is overloaded")       \
	X(SERVER_ERROR, "a server error")       \
	X(BOOTSTRAPPING, "it is bootstrapping") \
	X(LOST, "a connection was lost")
enum mp_breaker_verdict {
#define X(symbol, text) MP_VERDICT_##symbol,
	MP_BREAKER_VERDICTS(X)
#undef X
};
const char *mp_breaker_verdict_text(enum mp_breaker_verdict verdict);

struct mp_breaker {
	const struct mp_breaker_rules *rules; // the owner's
	enum mp_breaker_state state;
	uint32_t ticket;   // of this state; 0: switched off
	uint32_t failures; // CLOSED: in a row
	uint32_t trying;   // HALF_OPEN: calls under way
	uint32_t passed;   // HALF_OPEN: calls that went well
	uint32_t states;   // that it has had, from which tickets are made
	uint64_t since_ms; // of its state
};

void mp_breaker_init(struct mp_breaker *breaker, const struct mp_breaker_rules *rules, uint64_t now_ms);
// The rules are others now. True: so is its state.
bool mp_breaker_follow(struct mp_breaker *breaker, uint64_t now_ms);
// A call would be let in.
bool mp_breaker_admits(const struct mp_breaker *breaker);
// A call begins: its ticket. Whoever calls although it is not let in tries an open breaker before its time; true in
// *changed when that has made it half open.
uint32_t mp_breaker_enter(struct mp_breaker *breaker, uint64_t now_ms, bool *changed);
// It has ended. True: the state has changed.
bool mp_breaker_leave(struct mp_breaker *breaker, uint32_t ticket, enum mp_breaker_verdict verdict,
                      uint64_t now_ms);
// Something failed that was no call. True: the state has changed.
bool mp_breaker_fail(struct mp_breaker *breaker, uint64_t now_ms);
// Its time is over, or (`early`) there is reason to believe that the host has changed: half open, if it was open. True:
// the state has changed.
bool mp_breaker_recover(struct mp_breaker *breaker, uint64_t now_ms, bool early);
