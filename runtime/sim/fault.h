// SPDX-License-Identifier: Apache-2.0
// Rules that spoil answers. A rule looks at every request a node decodes; the first that matches decides. Numbers of
// bytes count on the wire, segments included.
#pragma once

#include "base/buf.h"
#include "base/cursor.h"
#include "sim/cql/error.h"

enum mp_sim_action {
	MP_SIM_DELAY,     // do nothing for delay_ms, then serve as usual
	MP_SIM_LATE,      // serve now, answer after delay_ms: other answers overtake this one
	MP_SIM_DROP,      // serve, never answer
	MP_SIM_SWALLOW,   // neither serve nor answer
	MP_SIM_ERROR,     // answer with `error`; serve first if `apply`
	MP_SIM_CLOSE,     // close in order; serve first if `apply`
	MP_SIM_RESET,     // RST; serve first if `apply`
	MP_SIM_CUT,       // serve, send `at` bytes of the answer, then close
	MP_SIM_RAW,       // send `raw` instead of the answer; serve first if `apply`
	MP_SIM_DUPLICATE, // serve, send the answer twice
	MP_SIM_STREAM,    // serve, answer on another stream: `stream`
	MP_SIM_CORRUPT,   // serve, invert byte `at` of the answer
	MP_SIM_DEAF,      // stop reading from this connection, for good
	MP_SIM_DAMAGE, // serve; rows are damaged by the seed `at`, but for columns named in `raw` (sim/damage.h)
	MP_SIM_WARN,   // serve; the answer carries a warning and, when `at` is not 0, a custom payload
};

struct mp_sim_rule_spec {
	// what it matches
	int32_t node;            // -1: any
	int32_t opcode;          // -1: any request
	struct mp_str statement; // part of the statement's text; len 0: any
	int64_t connection;      // the node's n-th connection, from 1; 0: any
	double probability;      // 0 means 1
	uint64_t skip;           // so many matching requests pass before it acts
	uint64_t times;          // acts so often; 0: always
	// what it does
	enum mp_sim_action action;
	bool apply;
	uint32_t delay_ms;
	uint64_t at;
	int16_t stream;
	struct mp_str raw; // also the text of a warning, and columns that are spared
	struct mp_sim_error error;
};

struct mp_sim_rule {
	uint32_t refs;
	uint32_t number;
	uint64_t seen;
	uint64_t hits;
	bool removed;
	struct mp_sim_rule_spec spec; // its texts are the rule's own
	struct mp_sim_rule *next;
};

struct mp_sim_rules {
	struct mp_sim_rule *first;
	uint32_t last_number;
};

struct mp_rand;
struct mp_sim_rule *mp_sim_rules_add(struct mp_sim_rules *rules,
                                     const struct mp_sim_rule_spec *spec) MP_MUST_CHECK;
void mp_sim_rules_remove(struct mp_sim_rules *rules, uint32_t number);
void mp_sim_rules_clear(struct mp_sim_rules *rules);
struct mp_sim_rule *mp_sim_rules_find(const struct mp_sim_rules *rules, uint32_t number);
// The rule that acts on this request, counted as a hit; NULL: none. `rand` is used only where a probability is given.
struct mp_sim_rule *mp_sim_rules_match(struct mp_sim_rules *rules, struct mp_rand *rand, uint16_t node,
                                       uint8_t opcode, struct mp_str statement, uint64_t connection);
void mp_sim_rule_ref(struct mp_sim_rule *rule);
void mp_sim_rule_unref(struct mp_sim_rule *rule); // NULL is fine
