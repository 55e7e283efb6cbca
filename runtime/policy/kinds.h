// SPDX-License-Identifier: Apache-2.0
// What one kind of question needs beside what all have. A new kind is a line of MP_POLICY_KIND_LIST (policies.h), a
// file kind_NAME.c with its mp_policy_NAME, its half in Lua, lua/moonpool/policy/NAME.lua, and a folder policies/NAME/
// with its page. No other file tests for a kind.
#pragma once

#include <lua.h>

#include "cluster/plan/policy.h"
#include "policy/policies.h"
#include "policy/sample.h"

struct mp_policy_slot;
struct mp_policy_state;

// The n-th of the usual questions (sample.h), asked of this cluster.
struct mp_policy_question {
	struct mp_view *view;
	const struct mp_placement *placement; // NULL: no replica is known
	uint32_t request;
	int64_t token;
	uint64_t chance;
};

struct mp_policy_ops {
	const char *name; // folder of its policies, and of its driver: lua/moonpool/policy/NAME.lua
	const struct mp_policy_ops
		*answers;         // NULL; or the kind whose question it is, and whose those folders are
	const char *key;      // of a configuration
	const char *tail;     // what names of its policies may end with beside `name`; NULL: nothing
	const char *fallback; // the policy when none is named; NULL: C answers
	bool is_hot;          // asked for each request: warmed up, and a loop is worth a warning
	bool is_shadow;       // looks at a copy of the view, and nobody waits for what it says
	// Its part of requests that a canary gets: MP_ARM_BALANCE, ...; or the candidate is only asked beside the one in
	// force, about what concerns all requests. Neither: it has no canaries.
	uint8_t arm;
	bool is_beside;
	uint32_t
		canary_least; // requests, or decisions, that are enough unless the configuration says another number
	size_t scratch_bytes; // of the block in each state that only its file reads: context.scratch
	size_t service_bytes; // of the block in its slot, whichever generation serves: slot->service
	// Its own fields, constants and functions, into the bridge (words.h).
	void (*push)(lua_State *L, struct mp_policy_state *state);
	// The contract check: everything that it can be asked about this cluster. false: state->error.
	bool (*check)(struct mp_policy_state *state, struct mp_sample *sample);
	// One question, to warm up and to measure; NULL when it is not hot.
	bool (*ask)(struct mp_policy_state *state, const struct mp_policy_question *question);
	// From now on the slot answers for the session. (Without a policy the table stays as it is.)
	void (*serve)(struct mp_policy_slot *slot, struct mp_policy_calls *policies);
};
const struct mp_policy_ops *mp_policy_ops(enum mp_policy_kind kind);
const char *
mp_policy_question(const struct mp_policy_ops *ops); // its name, or that of the kind it answers for

// kind_balance.c, for whoever answers the same question.
void mp_policy_balance_push(lua_State *L, struct mp_policy_state *state);
bool mp_policy_balance_check(struct mp_policy_state *state, struct mp_sample *sample);
bool mp_policy_balance_ask(struct mp_policy_state *state, const struct mp_policy_question *question);
// false: state->error says why; the plan may have some steps.
bool mp_policy_balance_plan(struct mp_policy_state *state, const struct mp_request_view *req,
                            struct mp_plan *plan);
void mp_policy_identify(void *slot, const char **name, uint32_t *generation); // mp_balance_policy's
