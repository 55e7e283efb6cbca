// SPDX-License-Identifier: Apache-2.0
// What the cluster asks policies, as C functions: Lua policies stand behind it (policy/state.c), and the defaults in
// policy_default.c answer whenever a script fails, so a request is never lost to a script.
// A policy is asked inside the loop, must not call back into the session, and keeps nothing of what it is given.
#pragma once

#include "base/defs.h"
#include "cluster/plan/copy.h"
#include "cluster/plan/plan.h"

// A request as a policy sees it. Read in place through FFI: scalars only, camelCase.
struct mp_request_view {
	bool hasToken; // the routing key is known
	bool isLwt;
	bool isRead;
	bool idempotent;
	bool isLocalConsistency; // LOCAL_ONE, LOCAL_QUORUM, or serial LOCAL_SERIAL
	uint8_t arms;            // see struct mp_request_arms; scripts do not see it
	uint16_t consistency;
	uint16_t keyspaceId; // small number per keyspace of the session, 0: none
	uint16_t attempt;    // 1 for the first
	uint32_t tag;        // small number per tag text of the session, 0: none
	double token;        // rounded: for information
};

struct mp_balance_policy {
	void *self;
	// Fill the plan. false: failed; the default plan is used for this request and `plan` is initialised again.
	bool (*plan)(void *self, const struct mp_request_view *req, struct mp_plan *plan);
	// Who answers now, for the decision log; the name is valid until the loop goes on. NULL: the default.
	void (*identify)(void *self, const char **name, uint32_t *generation);
};

// A policy that is asked beside the one in force and never obeyed (cluster/decisions/shadow.h): about a request that
// was sent already, in plans over `shown`. `asked.plan` NULL: there is none.
struct mp_shadow_policy {
	struct mp_balance_policy asked;
	struct mp_view_copy *shown;
};

// A verdict, and the word of policies for it.
#define MP_RETRY_VERDICTS(X) X(GIVE_UP, giveUp) X(SAME_HOST, sameHost) X(NEXT_HOST, nextHost)
enum mp_retry_verdict {
#define X(name, word) MP_##name,
	MP_RETRY_VERDICTS(X)
#undef X
};
struct mp_retry_view {
	int32_t code;     // server error code, or -1 for a local failure
	int32_t err;      // MP_E* of a local failure, MP_ESERVER otherwise
	uint16_t attempt; // 1: the first attempt failed
	uint16_t consistency;
	int32_t required;
	int32_t received;
	uint8_t writeType; // enum mp_write_type
	bool dataPresent;
	bool idempotent;
	bool isRead;
	bool isLwt;
	uint8_t arms; // as above
};
enum { MP_CONSISTENCY_AS_IT_IS = 65535 };
struct mp_retry_policy {
	void *self;
	// A verdict inside the replay gate; *delay_ms before the next attempt (0 as given).
	enum mp_retry_verdict (*decide)(void *self, const struct mp_retry_view *err, uint32_t *delay_ms);
	// NULL, or where decide leaves the consistency that the next attempt should have. It is taken only when it is a
	// lower one and the request is a read or an idempotent write.
	const uint16_t *lower_to;
};

enum { MP_SPECULATIVE_MAX = 3 };                // of one request, beside its first attempt
#define MP_SPECULATE_NEVER UINT32_C(0xffffffff) // what `after` says when there should be none

// When another copy of a request that is not answered yet should go to another host. Only asked about requests that
// the replay gate lets run twice at the same time; `sent` is 1 before the first copy. Returns ms from the last attempt
// on, or MP_SPECULATE_NEVER. `after` NULL: no copies, and nothing is asked.
struct mp_speculate_policy {
	void *self;
	uint32_t (*after)(void *self, const struct mp_request_view *req, uint32_t sent);
};

// A host that is not reached: an attempt to connect failed, or a connection was lost.
// clang-format off
#define MP_RECONNECT_REASONS(X)                                                                    \
	X(UNREACHABLE)       /* refused, no route, no such address */                                  \
	X(CONNECT_TIMEOUT)   /* no handshake before the deadline */                                    \
	X(AUTH_FAILED)       /* the credentials were refused */                                        \
	X(WRONG_NODE)        /* another cluster or node answered */                                    \
	X(HANDSHAKE_REFUSED) /* version, keyspace, overload, nonsense */                               \
	X(CONNECTION_LOST)   /* one that was ready ended */                                            \
	X(LOCAL_FAILURE)     /* this machine's own trouble */
// clang-format on
enum mp_reconnect_reason {
#define X(name) MP_RECONNECT_##name,
	MP_RECONNECT_REASONS(X)
#undef X
};
struct mp_reconnect_view {
	uint32_t attempt; // failures in a row, 1: the first
	uint8_t why;      // enum mp_reconnect_reason
	bool isLocal;     // of the local datacentre
};
struct mp_reconnect_policy {
	void *self;
	// Milliseconds until the host is tried again; the pool keeps its own least time and its pause after refused
	// credentials. false: the pool's own backoff (pool/reconnect.h). NULL: always that.
	bool (*delay)(void *self, const struct mp_reconnect_view *attempt, uint64_t *delay_ms);
};

struct mp_datacentres;
struct mp_serving_wish {
	uint16_t dc;   // dcId
	char why[160]; // for the event and the log; "": the cluster says how many hosts are up
};
struct mp_serving_policy {
	void *self;
	// Which datacentre should serve now; *wish holds the one that serves. false: failed, it goes on. NULL: home serves.
	bool (*decide)(void *self, const struct mp_datacentres *dcs, struct mp_serving_wish *wish);
};

// Two generations of a policy serve at a time while a new one is on trial: a canary (policy/canary/canary.h). Which of
// them a request meets is decided once, before it is planned, and holds for its whole life.
enum { MP_ARM_BALANCE = 1, MP_ARM_RETRY = 2, MP_ARM_SPECULATE = 4 };
enum {
	MP_ARMS_SERVED = 0x0f,
	MP_ARMS_BESIDE = 4
}; // bits; the shift of those of candidates that are only asked beside
struct mp_request_arms {
	uint8_t candidate; // policies of whose candidate it is: MP_ARM_BALANCE, ...
	uint8_t met;       // policies that it was put to, whichever generation that was
	uint16_t unit;     // it was dealt by
	uint32_t round;    // it was dealt in; 0: there was no canary
};

struct mp_canary_outcome {
	bool failed;
	uint32_t attempts;
	uint64_t latency_us;
};

struct mp_canary_calls {
	void *self;
	const uint8_t *running; // not 0: there is a canary. Never NULL in a session
	void (*deal)(void *self, bool has_token, int64_t token, struct mp_request_arms *arms);
	void (*ended)(void *self, const struct mp_request_arms *arms, const struct mp_canary_outcome *outcome);
	// Who answers a request of these arms about its plan, for the decision log.
	void (*identify)(void *self, uint8_t arms, const char **name, uint32_t *generation);
};

struct mp_policy_calls {
	struct mp_balance_policy balance;
	struct mp_shadow_policy shadow;
	struct mp_retry_policy retry;
	struct mp_reconnect_policy reconnect;
	struct mp_speculate_policy speculate;
	struct mp_serving_policy serving;
	struct mp_canary_calls canary;
};

// Replicas of the local datacentre shuffled, its hosts in turn, then remote hosts unless the consistency is local.
// What TokenAwarePolicy over DCAwareRoundRobinPolicy does; also the fallback of every script.
bool mp_default_plan(void *self, const struct mp_request_view *req, struct mp_plan *plan);
// Once per request on the next host for what was certainly not applied or is safe, also after timeouts that the
// server reports; read timeouts with enough answers but no data once on the same host. `self` points at the most
// retries (uint32_t), NULL: 3.
enum mp_retry_verdict mp_default_retry(void *self, const struct mp_retry_view *err, uint32_t *delay_ms);
