// SPDX-License-Identifier: Apache-2.0
// What two generations of a policy did with their parts of the requests, and whether a difference is chance. Pure
// counting: no policy, no clock, no chance of its own.
//
// Requests are dealt to the two by *unit*: a routing key for the length of a round, or a single request without one. A
// unit is the candidate's with a probability that is known, `share`, and by nothing that it does. So when the two are
// equal, how many of all events fall to the candidate's units follows from the share alone, however events come in
// bunches: a hot key, a slow partition or a pause of the network makes a unit heavy, and a heavy unit counts as what it
// is. Beside that each question that the candidate is asked is put to the one in force, too: of such pairs that differ,
// each side is the worse one as often as the other when they are equal.
//
// Invariant: two equal generations are told apart in one canary of 2,000 at most, whatever is counted, however often
// one looks (docs/policies.md says how).
#pragma once

#include "base/hist.h"

// What is compared: its key in a configuration, its limit unless another one is given, and what the limit is about: a
// RATIO to the one in force, or a SHARE more than it has.
// clang-format off
#define MP_CANARY_CONDITIONS(X)                                                                      \
	X(ERROR_RATE, errorRate, 1.2, RATIO)           /* requests that failed */                        \
	X(P99, p99, 1.3, RATIO)                        /* what 99 % of them took at most */              \
	X(ATTEMPTS, attempts, 1.5, RATIO)              /* messages for a request */                      \
	X(BUSIEST_HOST, busiestHost, 1.5, RATIO)       /* the busiest first host's part of the plans */  \
	X(LEFT_DATACENTER, leftDatacenter, 0.01, SHARE) /* plans that begin in another datacentre */     \
	X(POLICY_ERRORS, policyErrors, 0.001, SHARE)   /* calls of the policy that failed */             \
	X(DISAGREEMENT, disagreement, 0.05, SHARE)     /* failover: decisions that were different */
// clang-format on
enum mp_canary_condition {
#define X(NAME, name, limit, what) MP_CANARY_##NAME,
	MP_CANARY_CONDITIONS(X)
#undef X
		MP_CANARY_CONDITION_COUNT
};
const char *mp_canary_condition_name(int condition);

struct mp_canary_figure {
	double candidate, in_force; // rates, messages, shares of 1; p99 in ms
	double limit;               // < 0: it takes nothing back
	double
		confidence; // that the candidate is the worse one, after all looks and conditions; 0: nothing says so
};

enum mp_arm { MP_IN_FORCE, MP_CANDIDATE, MP_ARMS };
enum { MP_TALLY_UNITS = 4096 };
enum { MP_TALLY_MOST = 255 }; // events of one unit that count

// One sort of event.
struct mp_tally_event {
	uint8_t now[MP_TALLY_UNITS];       // in this round, by unit
	uint32_t units[MP_TALLY_MOST + 1]; // of the rounds before: how many had so many events
	uint64_t candidates;               // events of the candidate's units
};

// A pair that differs: the candidate was the worse one, or the better one.
struct mp_tally_pairs {
	uint32_t worse, better;
};

struct mp_tally_hosts {
	uint32_t of[MP_ARMS];
	struct mp_tally_pairs
		pairs; // it was the candidate's first host and not the other's, or the other way round
};

struct mp_tally {
	double limits[MP_CANARY_CONDITION_COUNT]; // < 0: not looked at
	uint32_t share; // units of MP_TALLY_UNITS that are the candidate's: the first ones
	uint64_t requests[MP_ARMS], failures[MP_ARMS], attempts[MP_ARMS];
	struct mp_hist latency_us[MP_ARMS];
	uint64_t slow_us; // events of `slow` took longer
	struct mp_tally_event failed, slow, again;
	uint64_t pairs; // questions that were put to both
	struct mp_tally_pairs failing, leaving, differing;
	uint64_t failed_calls[MP_ARMS], left[MP_ARMS];
	uint32_t host_count;          // of `hosts`: slots
	struct mp_tally_hosts *hosts; // the caller's; NULL: they are not counted
	uint32_t looks;
	uint64_t next_look;
	struct mp_canary_figure figures[MP_CANARY_CONDITION_COUNT]; // as of the last look
};

// What is counted of requests begins anew, with another share; pairs, looks and limits go on.
void mp_tally_begin(struct mp_tally *tally, uint32_t share);
void mp_tally_forget_pairs(struct mp_tally *tally);
static inline enum mp_arm mp_tally_arm(const struct mp_tally *tally, uint32_t unit)
{
	return unit < tally->share ? MP_CANDIDATE : MP_IN_FORCE;
}

struct mp_tally_request {
	enum mp_arm arm;
	uint32_t unit;
	bool is_now; // its round goes on; otherwise it counts as a unit of its own
	bool failed;
	uint32_t attempts;
	uint64_t latency_us;
};
void mp_tally_request(struct mp_tally *tally, const struct mp_tally_request *request);
// A round is over: the same unit is another one from now on.
void mp_tally_round(struct mp_tally *tally);
// From now on slow is what takes longer than the p99 in force, by the limit.
void mp_tally_settle(struct mp_tally *tally);

// One question was put to both. Hosts: slots, UINT32_MAX for none, or when the question is not about hosts.
struct mp_tally_pair {
	bool failed[MP_ARMS], left[MP_ARMS];
	bool differs;
	uint32_t host[MP_ARMS];
};
void mp_tally_pair(struct mp_tally *tally, const struct mp_tally_pair *pair);

// Is it time to look? Looks come less and less often, so that there are few of them.
bool mp_tally_is_due(const struct mp_tally *tally);
// The figures as of now, without a verdict.
void mp_tally_figures(struct mp_tally *tally);
// Looks: the figures. The condition by which the candidate is to be taken back, or -1.
int mp_tally_look(struct mp_tally *tally);
