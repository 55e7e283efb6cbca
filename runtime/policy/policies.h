// SPDX-License-Identifier: Apache-2.0
// The policies of one session as Lua files: finds them by name or path, runs each in a policy state of its
// own, watches the files and swaps in a new generation between two requests. A file that fails is refused and
// the old one goes on; a policy that fails at run time is answered for by the C default (cluster/plan/policy.h),
// so no request is ever lost to it.
//
// No lua_State shows here. Everything happens on the loop; events come from the loop, never inside a call of
// this header.
#pragma once

#include "cluster/plan/policy.h"
#include "cluster/plan/view.h"
#include "loop/loop.h"
#include "policy/canary/tally.h"

struct mp_policies;

// The questions. One that no policy answers is answered by C alone and costs nothing.
// clang-format off
#define MP_POLICY_KIND_LIST(X)                                            \
	X(BALANCE, balance)     /* which hosts, in which order */             \
	X(RETRY, retry)         /* after this error: again, where, or give up */ \
	X(RECONNECT, reconnect) /* when to try a host again */                \
	X(SPECULATE, speculate) /* when to send a second copy */              \
	X(FAILOVER, failover)   /* which datacentre serves now */             \
	X(SHADOW, shadow)       /* what balance is asked, about copies; nobody obeys */
// clang-format on
enum mp_policy_kind {
#define X(NAME, name) MP_POLICY_##NAME,
	MP_POLICY_KIND_LIST(X)
#undef X
		MP_POLICY_KINDS
};
const char *mp_policy_kind_name(enum mp_policy_kind kind); // "balance"
const char *
mp_policy_kind_question(enum mp_policy_kind kind);        // what its files answer: the folder under policies/
const char *mp_policy_kind_key(enum mp_policy_kind kind); // "loadBalancing": its key in a configuration

// One question and the file that answers it.
struct mp_policy_choice {
	// A name ("TokenAwarePolicy") or a path ("./policies/mine.lua"); NULL: C answers (balance: TokenAwarePolicy does).
	const char *policy;
	const char *options; // a Lua table of literals: "{ childPolicy = \"RoundRobinPolicy\" }"; NULL: none
	const char *key;     // what messages call it; NULL: mp_policy_kind_key()
	// A file that changes comes into force by parts, if `share` is not 0: see mp_policies_canary().
	struct mp_canary_rule {
		double share;        // of the requests, 0 to 0.5
		uint32_t lasting_ms; // 0: two minutes
		uint32_t requests;   // least that the new generation has to meet; 0: what the kind says
		double limits[MP_CANARY_CONDITION_COUNT]; // 0: the condition's own; < 0: it takes nothing back
	} canary;
};

struct mp_policies_config {
	const char *home;         // folder that holds lua/ and policies/; NULL: mp_installation_find()
	const char *const *paths; // policyPath: folders searched before the built-ins
	size_t path_count;
	// Only files with a signature by one of these come into force; NULL: all do (policy/signed.h).
	const uint8_t *keys; // public ones of Ed25519, 32 bytes each
	size_t key_count;
	bool (*is_good)(const uint8_t *key, const void *text, size_t len, const uint8_t *signature);
	struct mp_policy_choice choices[MP_POLICY_KINDS];
	const char *where;        // "app.lua:12", put before messages about options; NULL: nothing
	size_t memory_bytes;      // most a policy state may use; 0: 16 MiB
	bool watch;               // reload when a file changes
	const struct mp_log *log; // outlives the policies; NULL: the loop's
};

// Loads and checks all policies. NULL: `message` says why ("FILE:LINE: ..."), cut to `message_size`, and *rc (or NULL)
// which MP_E* it is. All strings are copied.
struct mp_policies *mp_policies_new(struct mp_loop *loop, const struct mp_policies_config *config,
                                    char *message, size_t message_size, int *rc) MP_MUST_CHECK;
// NULL is fine. Only when no session can ask any more; also inside an event.
void mp_policies_free(struct mp_policies *policies);

// What to give to mp_session_new(); stays valid and unchanged over reloads.
const struct mp_policy_calls *mp_policies_get(const struct mp_policies *policies);

// How scripts find the numbers of tag and keyspace texts, and what was measured: mp_session_tag_id(),
// mp_session_keyspace_id() and mp_session_recent_ms() fit.
struct mp_policy_names {
	void *data;
	uint32_t (*tag_id)(void *data, const char *text, size_t len);
	uint32_t (*keyspace_id)(void *data, const char *text, size_t len);
	double (*latency_ms)(void *data, double quantile, uint32_t least); // NULL: nobody measures
};
// Call once after mp_session_new() and before its first request: hosts become visible to scripts
// (`host.inFlight`), `tags.x` and `keyspaces.x` get their numbers. `names` NULL: every name is unknown. 0 or
// MP_ESCRIPT, and `message` says which policy and why.
int mp_policies_bind(struct mp_policies *policies, struct mp_view *view, const struct mp_policy_names *names,
                     char *message, size_t size) MP_MUST_CHECK;
struct mp_session;
// The same with a session's own view and names.
int mp_policies_attach(struct mp_policies *policies, struct mp_session *session, char *message,
                       size_t size) MP_MUST_CHECK;

// Read every file again now, changed or not. 0: all kinds run a new generation. MP_ESCRIPT: at least one was
// refused (its old generation goes on); `message` gets the first reason.
int mp_policies_reload(struct mp_policies *policies, char *message, size_t message_size) MP_MUST_CHECK;
// Back to the good generation before this one, if there is one that is still kept; MP_ENOTFOUND otherwise. The one that
// served is gone for good.
int mp_policies_rollback(struct mp_policies *policies, enum mp_policy_kind kind) MP_MUST_CHECK;

// Other policies, options or paths for a session that runs, in two steps so that they may be one part of a greater
// change. First: what differs from now is loaded and checked; NULL: `message` says why not, and all is as it was.
struct mp_policy_change;
struct mp_policy_change *mp_policies_change(struct mp_policies *policies,
                                            const struct mp_policies_config *config, char *message,
                                            size_t message_size) MP_MUST_CHECK;
// Take it, or drop it; exactly one of both, before the loop goes on. After taking, mp_policies_get() may say
// something else: give it to mp_session_set_policies() again.
void mp_policies_take(struct mp_policies *policies, struct mp_policy_change *change);
void mp_policies_drop(struct mp_policy_change *change); // NULL is fine

struct mp_policy_info {
	const char *name;    // as the file declares it
	const char *file;    // its path
	const char *child;   // name of the child policy, "" without one
	uint32_t generation; // 1 for the first, counts successful loads
	uint64_t since_ms;   // loop time of its swap
	uint64_t calls;      // of this generation
	uint64_t errors;     // calls that failed and were answered by the C default
	uint64_t
		ns_per_call;  // mean of the calls that were timed (of those for requests one in 1,024); 0: none yet
	uint64_t reloads; // successful ones since the start
	uint64_t refused; // reloads that were refused
	double fuel_per_call;    // mean of the ticks that its calls took (policy/gauge/fuel.h)
	size_t memory_bytes;     // of its policy state now
	uint64_t allocations;    // times its policy state was given memory: steady while it serves
	uint64_t given_bytes;    // what it was given together, whatever it gave back
	bool has_loop;           // the file loops: allowed, slow
	bool is_compiled;        // the plan function runs as machine code
	bool is_slow;            // it loops, is not machine code, or allocates
	uint32_t bytes_per_call; // what its state took for the usual request when it was tried, garbage included
	bool is_shadow;          // asked beside the one in force, and not obeyed
	bool is_suspended;       // failing; asked once a second until it works again
	const char *last_error;  // "FILE:LINE: ..." or ""
};
// Valid until the next reload. false: this kind is answered by C alone.
bool mp_policies_info(const struct mp_policies *policies, enum mp_policy_kind kind,
                      struct mp_policy_info *info);

// For authors, in policies that serve no session: measures on a made-up cluster of a hundred nodes.
struct mp_policy_cost {
	const char *name;
	uint64_t ns_per_call;
	uint32_t bytes_per_call;
	bool is_hot; // asked for each request
	bool is_slow;
	char why[512]; // is_slow: "FILE:LINE: ..."
};
int mp_policies_measure(struct mp_policies *policies, enum mp_policy_kind kind,
                        struct mp_policy_cost *cost) MP_MUST_CHECK;
// What its file may say, as the text of a Lua table: { entry, words, options, fields }.
struct mp_buf;
int mp_policies_facts(struct mp_policies *policies, enum mp_policy_kind kind,
                      struct mp_buf *facts) MP_MUST_CHECK;

// ---- canaries ---------------------------------------------------------------------------------------------
// A changed file of a kind with a rule serves a share of the requests beside the generation in force, at first a small
// one. It is taken back as soon as one of the conditions says so, and in force for all when its time is over and it met
// enough requests.
// clang-format off
#define MP_CANARY_STATES(X)                                                          \
	X(RUNNING, running)                                                              \
	X(WAITING, waiting)      /* its time is over: for enough requests */             \
	X(PROMOTED, promoted)                                                            \
	X(TAKEN_BACK, takenBack)
// clang-format on
enum mp_canary_state {
#define X(NAME, name) MP_CANARY_##NAME,
	MP_CANARY_STATES(X)
#undef X
};
const char *mp_canary_state_name(enum mp_canary_state state);

// The one that runs, or the last one.
struct mp_canary_info {
	enum mp_canary_state state;
	char name[128]; // of the new generation, as its file declares it
	char file[512];
	char reason[512];    // of its end, or of its state; a sentence
	uint32_t generation; // the new one
	uint32_t in_force;   // the one beside it
	uint64_t since_ms;   // loop time of its beginning
	uint64_t lasted_ms;
	struct mp_canary_rule rule; // with what was left open filled in
	double share;               // what it gets now
	uint64_t requests[MP_ARMS]; // that were met, since the share is what it is
	uint64_t pairs;             // questions that were put to both
	struct mp_canary_figure figures[MP_CANARY_CONDITION_COUNT];
	bool counts[MP_CANARY_CONDITION_COUNT]; // conditions that there are for its kind
};
// false: there was none. Figures are as of now.
bool mp_policies_canary(struct mp_policies *policies, enum mp_policy_kind kind, struct mp_canary_info *info);
// It serves all from now on; it is gone, and the generation in force goes on. MP_ENOTFOUND: none runs.
int mp_policies_canary_promote(struct mp_policies *policies, enum mp_policy_kind kind) MP_MUST_CHECK;
int mp_policies_canary_abort(struct mp_policies *policies, enum mp_policy_kind kind) MP_MUST_CHECK;
bool mp_policy_kind_has_canary(enum mp_policy_kind kind);

// ---- events -----------------------------------------------------------------------------------------------
enum mp_policy_event_kind {
	MP_POLICY_RELOADED, // a new generation serves
	MP_POLICY_ERROR, // a reload was refused, a policy failed (at most once a second), or an old generation is
					 // back
	MP_POLICY_CANARY, // one begins, waits, or has ended
};
struct mp_policy_event {
	enum mp_policy_event_kind kind;
	enum mp_policy_kind policy;
	const char *name;
	const char *file;
	uint32_t generation;                 // in force after the event
	const char *message;                 // MP_POLICY_ERROR: "FILE:LINE: ..."; otherwise ""
	const struct mp_canary_info *canary; // MP_POLICY_CANARY: how it stands; otherwise NULL
};
// One listener; NULL: none. The event is valid during the call.
void mp_policies_listen(struct mp_policies *policies,
                        void (*on_event)(void *data, const struct mp_policy_event *event), void *data);
