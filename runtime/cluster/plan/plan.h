// SPDX-License-Identifier: Apache-2.0
// A plan says which hosts a request tries, in which order. It is data: a policy writes up to eight steps ("replicas of
// the local datacentre, shuffled"; "hosts of the local datacentre, in turn"; one named host) and is gone; C then walks
// the steps and finds each next host only when it is asked for, by what is up at that moment. No host comes twice.
#pragma once

#include "cluster/plan/placement.h"
#include "cluster/plan/view.h"

enum { MP_PLAN_STEPS = 8 };
enum { MP_PLAN_SEEN = 32 }; // hosts a plan can give; a request gives up before that

enum mp_step_kind { MP_STEP_REPLICAS, MP_STEP_HOSTS, MP_STEP_HOST };

// Scopes and orders: the word of policies for it, and how mp_plan_step_text() says it. Everything that names them
// follows from here or is checked against it: lua/moonpool/policy, .luacheckrc, the annotations, docs/policies.md.
// clang-format off
#define MP_SCOPES(X)                                               \
	X(LOCAL_DC, localDc, " of the local datacentre")               \
	X(SAME_RACK, sameRack, " of the local rack")                   \
	/* datacentre by datacentre in failover order; a limit counts for each of them */ \
	X(REMOTE_DCS, remoteDcs, " of the remote datacentres")         \
	X(ALL, allDcs, " of all datacentres")
#define MP_ORDERS(X)                                               \
	X(IN_TURN, inTurn, "in turn") /* each request starts one further */ \
	X(SHUFFLED, shuffled, "shuffled")                              \
	X(PRIMARY_FIRST, primaryFirst, "primary first") /* replicas: as placed; hosts: in slot order */ \
	/* two random ones, the one with fewer requests in flight first (newly-up hosts last) */ \
	X(LEAST_LOADED, leastLoaded, "least loaded")                   \
	X(FASTEST, fastest, "fastest") /* by latencyUs, unmeasured first */ \
	X(WEIGHTED, weighted, "weighted") /* chance in proportion to weight */
// clang-format on
enum mp_scope {
#define X(name, word, phrase) MP_SCOPE_##name,
	MP_SCOPES(X)
#undef X
		MP_SCOPE_DC, // the datacentre `arg`
	MP_SCOPE_COUNT,
};
enum mp_order {
#define X(name, word, phrase) MP_ORDER_##name,
	MP_ORDERS(X)
#undef X
		MP_ORDER_COUNT,
};

struct mp_plan_step {
	uint8_t kind;
	uint8_t scope;
	uint8_t order;
	bool avoids_slow;
	uint16_t limit;      // 0: all
	uint16_t arg;        // MP_SCOPE_DC: dcId; MP_STEP_HOST: slot
	uint32_t seed;       // where a turn starts, or the random order
	uint32_t care, want; // of a host's marks, those it cares for must be as it wants them
};

struct mp_plan {
	struct mp_view *view;
	const struct mp_placement
		*placement; // of the request's keyspace; borrowed during planning, refs by the request
	int64_t token;
	uint64_t chance; // random bits for this plan
	bool has_token;
	// From here to seen_count everything is 0 in a fresh plan.
	bool overflow;    // a step did not fit and was left out
	bool has_turn;    // one of the steps goes in turn: all that do begin at the same turn
	bool refused;     // the policy wants no host to be asked: the request fails at once
	bool avoids_slow; // filter of the steps that are added from now on
	uint8_t step_count;
	uint8_t step;        // walking: the current step
	uint32_t care, want; // filter, too
	uint32_t position;   // walking: inside the step's group
	uint16_t dc;         // walking: which remote datacentre of the current step
	uint16_t taken;      // walking: hosts the current step (and datacentre) gave
	uint16_t seen_count;
	uint16_t seen[MP_PLAN_SEEN];
	uint32_t turn;
	uint32_t slow_us; // a host is slow above this mean latency, if it was measured since then
	double slow_since_ms;
	struct mp_plan_step steps[MP_PLAN_STEPS];
};

// `chance`: fresh random bits. `placement` NULL or has_token false: replica steps give nothing.
void mp_plan_init(struct mp_plan *plan, struct mp_view *view, const struct mp_placement *placement,
                  bool has_token, int64_t token, uint64_t chance);
// The primitives of a policy. Out-of-range arguments are ignored and counted as overflow; never fails otherwise.
void mp_plan_replicas(struct mp_plan *plan, uint32_t scope, uint32_t order, uint32_t limit, uint32_t arg);
void mp_plan_hosts(struct mp_plan *plan, uint32_t scope, uint32_t order, uint32_t limit, uint32_t arg);
void mp_plan_host(struct mp_plan *plan, uint32_t index);
// Filters of the steps that are added after them. `marks`: bits of mp_host_view.marks.
void mp_plan_only(struct mp_plan *plan, uint32_t marks);
void mp_plan_avoid(struct mp_plan *plan, uint32_t marks);
// Without hosts whose mean latency is more than `times` the best one and more than `least_us`, measured in the last
// `retry_ms`: after that time a host gets another chance.
void mp_plan_avoid_slow(struct mp_plan *plan, double times, double retry_ms, uint32_t least_us,
                        double now_ms);
void mp_plan_no_filter(struct mp_plan *plan);
// No host at all, whatever the steps say.
void mp_plan_refuse(struct mp_plan *plan);
// "the replicas of the local datacentre, shuffled, at most 2": what a step says, for explanations. Returns `text`.
const char *mp_plan_step_text(const struct mp_plan *plan, uint8_t step_index, char *text, size_t size);
// Are the replicas of its token known, and is the host in this slot one of them?
bool mp_plan_has_replicas(const struct mp_plan *plan);
bool mp_plan_is_replica(const struct mp_plan *plan, uint16_t slot);
// The next host to try: a slot that is up now and was not given before, or MP_NO_HOST at the end. *step_index (may be
// NULL) tells which step gave it.
uint16_t mp_plan_next(struct mp_plan *plan, uint8_t *step_index);
// A host that only its circuit breaker keeps out of the plan (isShut): one by chance of the first step that has such
// hosts. MP_NO_HOST: none has.
uint16_t mp_plan_shut_host(struct mp_plan *plan);
