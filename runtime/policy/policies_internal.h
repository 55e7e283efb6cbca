// SPDX-License-Identifier: Apache-2.0
// The inside of mp_policies, shared by policies.c (life), reload.c (new generations), serve.c (in service) and the
// files of the kinds.
//
// A slot answers one kind of question. It holds the generation in force and the one before. States change only between
// decisions: a generation that left is freed by the task, never where it failed.
#pragma once

#include "policy/canary/canary.h"
#include "policy/kinds.h"
#include "policy/orders.h"
#include "policy/policies.h"
#include "policy/sample.h"
#include "policy/state.h"

#define MP_POLICY_ERRORS_MAX  100u // consecutive failures after which the generation before is back
#define MP_POLICY_FUEL_WEIGHT 25u // what running out of fuel or memory counts: it costs the loop milliseconds
#define MP_POLICY_STOPS_MAX   4u  // for lack of fuel or memory within
#define MP_POLICY_STOPS_MS    10000u // this time: the generation before is back, too
#define MP_POLICY_EARLIER     3u     // generations that one may go back, each with the memory of a state
#define MP_POLICY_EVENTS      8u
#define MP_POLICY_TIMED_MASK  UINT64_C(1023) // of a policy that requests ask: one call in 1,024 is timed
#define MP_POLICY_MODULES     4u
#define MP_POLICY_WATCHES     (2u * MP_POLICY_FILES) // files, and their signatures
#define MP_POLICY_MEMORY      ((size_t)16 << 20)

struct mp_generation {
	struct mp_generation *earlier;
	struct mp_policy_state *state;
	uint32_t number;
	uint64_t since_ms;
	uint64_t calls;
	uint64_t errors;
	uint64_t timed_calls;
	uint64_t timed_ns;
	uint32_t stops; // for lack of fuel or memory, since then
	uint64_t stops_since_ms;
	uint32_t stopped; // ever
};

struct mp_policy_slot {
	struct mp_policies *owner;
	enum mp_policy_kind kind;
	struct mp_generation *current;      // never NULL while policy is set; behind it those to go back to
	struct mp_generation *retired;      // failed in service, to be freed by the task
	struct mp_generation *discarded;    // replaced, to be freed by the task
	struct mp_policy_state *tried;      // of a file that changed, to be made ready in another turn
	struct mp_canary *canary;           // beside current; NULL: none (canary/canary.h)
	struct mp_canary_info *last_canary; // that has ended; NULL: none has
	volatile bool canary_alarm;         // its state's; it is looked at after each call
	struct mp_log_gate canary_gate;
	uint32_t generations; // numbers given
	uint64_t loaded_hash; // of the texts that were loaded last, whichever generation serves
	uint64_t reloads, refused;
	uint32_t failed_in_row;
	uint64_t timed_mask; // calls whose number has none of these bits are timed
	volatile bool
		troubled;   // it failed and has not worked since, or is stuck: the one thing a good decision looks at
	bool suspended; // there was nothing to go back to: C answers, the script is asked once a second
	bool needs_collect;
	void *service;     // what the kind keeps here, whichever generation serves; NULL: nothing
	uint64_t probe_ms; // when it is asked next
	struct mp_log_gate gate;
	struct mp_watch *watches[MP_POLICY_WATCHES];
	char *watched[MP_POLICY_WATCHES];
	char last_error[MP_POLICY_TEXT];
};

// What a load consists of, to be measured.
enum mp_load_phase {
	MP_LOAD_STATE,    // a fresh lua_State with the trusted modules; almost nothing when one was made ahead
	MP_LOAD_FILES,    // the policy's files read, checked, run
	MP_LOAD_CONTRACT, // asked about sample clusters
	MP_LOAD_AGAIN,    // the files run once more
	MP_LOAD_WARM_UP,
	MP_LOAD_SWAP,
	MP_LOAD_PHASES
};

// What reload.c needs beside the slots.
struct mp_policy_reloads {
	struct mp_timer timer;         // for what takes long
	struct mp_policy_state *spare; // without a policy, made in a turn in which nobody waits for it; or NULL
	bool wants_spare;
	uint64_t phase_ns[MP_LOAD_PHASES]; // of the last load
	uint64_t phase_from_ns;
};

struct mp_policy_news {
	enum mp_policy_event_kind kind;
	enum mp_policy_kind policy;
	uint32_t generation;
	char name[128];
	char file[512];
	char message[MP_POLICY_TEXT];
	struct mp_canary_info *canary; // MP_POLICY_CANARY; NULL for lack of memory, too
};

struct mp_policies {
	struct mp_loop *loop;
	const struct mp_log *log;
	struct mp_policy_calls policies;
	struct mp_policy_orders orders;
	char *home;
	size_t memory_bytes;
	bool watch;
	struct mp_policy_module modules[MP_POLICY_MODULES];
	struct mp_policy_module drivers[MP_POLICY_KINDS]; // of each kind, read when it is first loaded
	struct mp_sample sample;
	struct mp_view *view;       // NULL: not bound yet
	struct mp_view_copy *shown; // what the shadow looks at instead; NULL: there was never one
	struct mp_policy_names names;
	bool has_names;
	struct mp_policy_slot slots[MP_POLICY_KINDS];
	struct mp_task cleanup; // of what is not done inside of a decision
	struct mp_policy_reloads reload;
	struct mp_canaries canaries;
	struct mp_policy_news news[MP_POLICY_EVENTS];
	uint32_t news_count;
	void (*on_event)(void *data, const struct mp_policy_event *event);
	void *event_data;
	bool is_measured; // for authors: who reads the costs needs no warning
	bool in_event;
	bool free_wanted;
};

// policies.c
void mp_policy_install(struct mp_policies *policies);           // what C calls follows from the slots
const char *mp_policy_title(const struct mp_policy_slot *slot); // "policy", in messages
// modules.c
int mp_policy_modules_read(struct mp_policies *policies, char *message, size_t message_size) MP_MUST_CHECK;
int mp_policy_read_driver(struct mp_policies *policies, enum mp_policy_kind kind, char *message,
                          size_t message_size) MP_MUST_CHECK;
// news.c
void mp_policy_tell(struct mp_policy_slot *slot, enum mp_policy_event_kind kind, const char *message);
void mp_policy_tell_canary(struct mp_policy_slot *slot, const struct mp_canary_info *info);
void mp_policy_news_deinit(struct mp_policies *policies);
void mp_policy_tell_all(struct mp_policies *policies); // to the listener; may free the policies
// reload.c
void mp_policy_reload_init(struct mp_policies *policies);
void mp_policy_reload_deinit(struct mp_policies *policies);
void mp_policy_reload_forget(struct mp_policy_slot *slot); // what was tried and does not serve yet
void mp_generation_free(struct mp_generation *generation); // and those behind it
// The one before serves again, and the one that served is gone for good once the caller has freed it: returned, or NULL
// when there is none before.
struct mp_generation *mp_policy_go_back(struct mp_policy_slot *slot);
// To be freed in a turn of its own.
void mp_policy_discard(struct mp_policy_slot *slot, struct mp_generation *generation);
// What failed by `rc` since mp_mem_stats().refused was so: MP_ENOMEM and its message when memory was refused meanwhile,
// for LuaJIT says many things then ("unable to dump given function"); `rc` otherwise.
int mp_policy_failure(int rc, uint64_t refused_memory, char *message, size_t size) MP_MUST_CHECK;
// A generation that could serve. 0; 1 when the order's texts are the known ones; or MP_ESCRIPT, MP_ENOMEM.
int mp_policy_make(struct mp_policies *owner, enum mp_policy_kind kind, const struct mp_policy_order *order,
                   struct mp_generation **made, char *message, size_t message_size) MP_MUST_CHECK;
void mp_policy_swap_in(struct mp_policy_slot *slot, struct mp_generation *generation);
// Counted, logged, told: it serves.
void mp_policy_reloaded(struct mp_policy_slot *slot);
// A new generation into the slot. 0, MP_ESCRIPT or MP_ENOMEM.
int mp_policy_load(struct mp_policy_slot *slot, char *message, size_t message_size) MP_MUST_CHECK;
// The same as mp_policy_load with its consequences: counted, logged, told.
int mp_policy_reload(struct mp_policy_slot *slot, char *message, size_t message_size) MP_MUST_CHECK;
// The same texts again in a state that knows the view.
int mp_policy_rebind(struct mp_policy_slot *slot, char *message, size_t message_size) MP_MUST_CHECK;
void mp_policy_make_spare(struct mp_policies *owner); // a state for the next load
void mp_policy_on_change(void *slot);                 // one of its files did
// watch.c
void mp_policy_watch_start(struct mp_policy_slot *slot, const struct mp_policy_state *state); // its files
void mp_policy_watch_stop(struct mp_policy_slot *slot);
// serve.c
// Around each decision: may the script be asked now, and what came of it.
bool mp_policy_may_ask(struct mp_policy_slot *slot);
// Count a call of the generation in force; one in many is timed: then when it began, else 0. For mp_policy_ended().
uint64_t mp_policy_called(struct mp_policy_slot *slot);
bool mp_policy_ended(struct mp_policy_slot *slot, uint64_t from_ns, bool ok); // gives back `ok`
void mp_policy_failed(struct mp_policy_slot *slot);                           // a call did
