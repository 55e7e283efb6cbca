// SPDX-License-Identifier: Apache-2.0
// The shadow: a second balance policy that is asked for a share of the requests, after they were sent, what it would
// have planned. What it says is compared with the plan in force and counted; no request ever hears of it.
//
// On a request's way a question is copied: what the policy in force saw (the request, each host, its turn and chance)
// and the first hosts of its plan. The shadow is asked at the end of the turn, when what was queued in it has been
// sent, about a view that shows that copy. A question whose cluster was rebuilt meanwhile, or for which there is no
// room, is not asked and counted as missed: nothing is allocated on a request's way.
//
// Figures are of one generation of the shadow beside one of the policy in force and begin anew with either.
#pragma once

#include "cluster/decisions/sampler.h"
#include "cluster/plan/policy.h"
#include "loop/loop.h"

// Why the first host is another one; of several reasons the first. X(NAME, field, "name in Lua", "meaning")
// clang-format off
#define MP_SHADOW_DIFFERENCES(X)                                                                         \
	X(ERROR, error, "error", "it failed, or rests: in force, the default would have planned")            \
	X(NO_ANSWER, no_answer, "noAnswer", "it added no step: in force, the default would have planned")    \
	X(REFUSED, refused, "refused", "it would have refused the request")                                  \
	X(NO_HOST, no_host, "noHost", "its plan has no host that is up")                                     \
	X(FOUND_HOST, found_host, "foundHost", "its plan has a host, that of the policy in force has none")  \
	X(LEFT_DATACENTER, left_datacenter, "leftDatacenter", "its first host is not local, the other's is") \
	X(CAME_HOME, came_home, "cameHome", "its first host is local, the other's is not")                   \
	X(NOT_REPLICA, not_replica, "notReplica", "its first host has not the row, the other's has it")      \
	X(TO_REPLICA, to_replica, "toReplica", "its first host has the row, the other's has it not")         \
	X(LEFT_RACK, left_rack, "leftRack", "its first host is not of the local rack, the other's is")       \
	X(OTHER_HOST, other_host, "otherHost", "another host of the same sort")
// clang-format on
enum mp_shadow_difference {
#define X(NAME, field, name, meaning) MP_SHADOW_##NAME,
	MP_SHADOW_DIFFERENCES(X)
#undef X
		MP_SHADOW_DIFFERENCE_COUNT,
	MP_SHADOW_SAME = MP_SHADOW_DIFFERENCE_COUNT
};
const char *mp_shadow_difference_name(int difference); // "leftDatacenter"

enum { MP_SHADOW_HOSTS = 3 }; // first hosts of a plan that are compared

// How a plan begins.
struct mp_shadow_answer {
	uint16_t hosts[MP_SHADOW_HOSTS]; // slots
	uint8_t count;
	bool refused;
	struct mp_plan_step step; // that gave the first host
};

// A request as the policy in force saw it.
struct mp_shadow_question {
	struct mp_request_view request;
	bool is_batch;
	int64_t token;
	uint64_t chance;
	uint32_t turn;
	uint64_t epoch;                 // of the view
	uint32_t host_count;            // the hosts themselves are in mp_shadow.hosts
	struct mp_placement *placement; // a reference, or NULL
	uint32_t generation;            // of the policy in force
	struct mp_shadow_answer serving;
};

// The last request for which a difference was found.
struct mp_shadow_choice {
	uint16_t slot; // MP_NO_HOST: none
	uint32_t generation;
	struct mp_plan_step step;
};
struct mp_shadow_example {
	uint64_t at_us; // since 1970; 0: there was none
	struct mp_request_view request;
	bool is_batch;
	int64_t token;
	struct mp_shadow_choice serving, shadow;
};

struct mp_shadow_figures {
	uint64_t asked;
	uint64_t same_first; // the same first host, or none in both
	uint64_t same_hosts; // the same first three, in any order
	uint64_t measured;   // both first hosts have shown their latency
	double latency_ms,
		serving_latency_ms; // mean of what they had shown: of its first hosts, of those in force
	uint64_t differences[MP_SHADOW_DIFFERENCE_COUNT];
};

struct mp_session;
struct mp_request;

struct mp_shadow {
	struct mp_session *session;
	struct mp_sampler sampler;
	struct mp_task ask;
	struct mp_shadow_question *questions; // a ring of `room`; NULL: there is no shadow
	struct mp_host_view *hosts;           // `host_room` for each of them
	uint32_t room, first, count, host_room;
	bool wants_room;       // there are more hosts
	uint32_t own, serving; // generations that the figures are of
	struct mp_shadow_figures figures;
	uint64_t all[MP_SHADOW_DIFFERENCE_COUNT]; // since the beginning, for metrics
	struct mp_shadow_example examples[MP_SHADOW_DIFFERENCE_COUNT];
};

void mp_shadow_init(struct mp_shadow *shadow, struct mp_session *session);
void mp_shadow_deinit(struct mp_shadow *shadow);
// As the session's policies and configuration say from now on.
void mp_shadow_follow(struct mp_shadow *shadow);
// This request was planned just now, from these random bits, and the sampler takes it.
void mp_shadow_note(struct mp_shadow *shadow, const struct mp_request *request,
                    const struct mp_request_view *view, uint64_t chance);

// false: no shadow is asked.
bool mp_session_shadow(const struct mp_session *session, struct mp_shadow_figures *figures);
// The last request of each difference, in words; the texts are valid during the call.
struct mp_shadow_told {
	const char *difference; // its name
	uint64_t at_ms;         // since 1970
	const char *kind, *keyspace, *consistency;
	bool has_token;
	int64_t token;
	const char *serving, *serving_step; // the first host in force and the step that gave it; "" for none
	const char *shadow, *shadow_step;
};
void mp_session_each_shadow_example(struct mp_session *session,
                                    void (*fn)(void *data, const struct mp_shadow_told *told), void *data);
