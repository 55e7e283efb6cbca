// SPDX-License-Identifier: Apache-2.0
// A canary: a new generation of a policy, the candidate, serves a share of the requests beside the one in force
// until it is taken back or serves all.
//
//   ASKED --500 questions--> FIRST --half its time, a tenth of the least--> WHOLE --its time, enough--> promoted
//     | it serves nothing      | one request in 128 at most                   | its whole share
//     +------------------------+---- a condition, a fault, another file, by hand ----> taken back
//
// Which generation a request meets is dealt once, before it is planned, by a hash of its routing key; so all of the
// request's life is one generation's, and a key's requests are for the length of a round. The candidate's questions are
// put to the one in force, too, which answers when the candidate fails; so nothing is lost to it.
//
// Invariant: slot->canary is set exactly while its slot's bit is in `running`, and then slot->current is the generation
// that it is compared with. Nothing here frees a state in the middle of a decision.
#pragma once

#include "policy/canary/tally.h"
#include "policy/policies.h"

struct mp_generation;
struct mp_policy_slot;
struct mp_policy_state;

enum mp_canary_stage { MP_CANARY_ASKED, MP_CANARY_FIRST, MP_CANARY_WHOLE };

struct mp_canary {
	struct mp_policy_slot *slot;
	struct mp_generation *candidate;
	struct mp_canary_rule rule;
	uint32_t begun_round; // requests that were dealt before do not count
	uint64_t since_ms;
	enum mp_canary_stage stage;
	bool is_waiting; // that was told
	uint32_t offset; // of its units, so that two canaries do not get the same requests
	char last_error[512];
	struct mp_tally tally;
	struct mp_tally_hosts hosts[]; // of a kind that plans
};

// Of all kinds together.
struct mp_canaries {
	uint8_t running; // a bit for each kind
	uint32_t round;  // 0: there was none yet
	uint32_t ticks;  // of this round
	uint32_t tick_ms;
	uint64_t salt;
	uint64_t keyless; // requests without a routing key
	struct mp_timer timer;
};

void mp_canaries_init(struct mp_policies *policies);
void mp_canaries_deinit(struct mp_policies *policies);
void mp_canaries_serve(struct mp_policies *policies, struct mp_canary_calls *calls); // deal.c

// Should a new generation of the slot come by parts?
bool mp_canary_is_wanted(const struct mp_policy_slot *slot);
// It begins, or begins again with this candidate, which is the canary's from now on. MP_ENOMEM: it is the caller's.
int mp_canary_begin(struct mp_policy_slot *slot, struct mp_generation *candidate) MP_MUST_CHECK;
// It ends, if one runs: the candidate is dropped, and why is told.
void mp_canary_take_back(struct mp_policy_slot *slot, const char *reason);
// The configuration may say something else of it now.
void mp_canary_follow(struct mp_policy_slot *slot);

// A question of a request to a kind that has a candidate for it (is_dealt), around the question itself.
static inline bool mp_canary_is_dealt(uint8_t arms, uint8_t arm)
{
	return MP_UNLIKELY((arms & (arm | arm << MP_ARMS_BESIDE)) != 0);
}
// The candidate's answer is the one that counts.
static inline bool mp_canary_serves(uint8_t arms, uint8_t arm)
{
	return (arms & arm) != 0;
}
// The candidate's state; NULL: it was taken back meanwhile, the generation in force answers as always.
struct mp_policy_state *mp_canary_policy(struct mp_policy_slot *slot);
// What both said. It may be taken back by that, so its state is not touched afterwards.
void mp_canary_asked(struct mp_policy_slot *slot, const struct mp_tally_pair *pair);
void mp_canary_look(struct mp_policy_slot *slot); // if it is time to
