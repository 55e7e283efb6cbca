// SPDX-License-Identifier: Apache-2.0
// One policy state: a lua_State with one policy (and its children) in a sandbox, entered once per decision through a
// driver that takes and gives nothing. What the script reads and writes stands at fixed addresses in this struct, so a
// call allocates nothing; the script's primitives are the C functions of words.c and of its kind.
#pragma once

#include "base/beat.h"
#include "base/log.h"
#include "cluster/plan/policy.h"
#include "loop/loop.h"
#include "policy/gauge/fuel.h"
#include "policy/policies.h"
#include "policy/source.h"
#include "policy/vm.h"

#define MP_POLICY_NAMES    64 // datacentres a policy may name
#define MP_POLICY_NAME_MAX 64
#define MP_POLICY_FILES    4
#define MP_POLICY_SETS     16 // tags and lists of hosts a policy may filter by
#define MP_POLICY_TEXT     512

#define MP_POLICY_TEXT_MAX 65536u // bytes of a text that a policy puts together

#define MP_POLICY_SERVE_NS    UINT64_C(3000000)   // a request waits for it
#define MP_POLICY_LOAD_NS     UINT64_C(50000000)  // nobody waits, and nothing is machine code yet
#define MP_POLICY_LOAD_ALL_NS UINT64_C(200000000) // all that is asked before it serves

// Hosts a policy filters by.
struct mp_policy_set {
	char *text; // a tag, or the lines of a list
	size_t len;
	bool is_tag;
	uint32_t bit; // of the marks while it has this stamp among these marks
	uint64_t stamp;
	const struct mp_marks *marks; // NULL: not asked for yet
};

// What a decision may take: state_fuel.c.
struct mp_policy_fuel {
	uint64_t call;       // the decision that asked for fuel last
	uint32_t given;      // slices since it began
	uint32_t slice;      // ticks of the last one
	uint64_t since_ns;   // on the loop's clock, 0: not read yet
	uint64_t cpu_ns;     // on the processor's, the second half
	uint64_t still_ns;   // the same from the beginning, looked at where the loop's clock stands still
	uint64_t last_ns;    // when the slice before this one began
	uint64_t limit_ns;   // how long one decision may take
	uint64_t ticks;      // that were given since call number `ticks_from`
	uint64_t ticks_from; // when the policy began to serve
	bool is_heavy; // there are texts for which an operation takes long: a clock is looked at for each tick

	bool is_loading;       // the processor's time counts for all decisions together
	uint32_t load_looks;   // since that began
	uint64_t load_look_ns; // when the processor's clock was looked at last, on the loop's clock
	uint64_t load_ns;      // before this part of the load
	uint64_t load_from_ns; // when this part began, on the processor's clock
};

// What the primitives work on: the "context" of lua/moonpool/policy/objects.lua.
struct mp_policy_context {
	struct mp_plan *plan;             // of the decision that is running
	const struct mp_host_view *slots; // what host references point to; other views have no hosts for scripts
	struct mp_loop *loop;
	const struct mp_log *log;
	const struct mp_vm *vm;
	const struct mp_policy_names *names;
	uint32_t names_asked; // of the session, which never forgets one
	uint64_t call;        // counts decisions
	struct mp_policy_fuel fuel;
	void *scratch; // of the kind
	uint32_t dc_name_count;
	uint32_t set_count;
	struct mp_policy_set sets[MP_POLICY_SETS];
	struct mp_log_gate log_gate;
	const char *policy_name; // for the log; NULL while it is loaded

	char dc_names[MP_POLICY_NAMES][MP_POLICY_NAME_MAX];
};

// A trusted Lua module, compiled once: every state is made from the same code, whatever happens to its file.
struct mp_policy_module {
	const char *name;
	char title[48]; // where a name that is put together may stand
	struct mp_buf code;
};
void mp_policy_module_push(lua_State *L, const struct mp_policy_module *module); // as a function; may raise

struct mp_policy_modules {
	const struct mp_policy_module *of; // the last one is the loader
	size_t count;
};

struct mp_policy_ops;
struct mp_policy_state {
	struct mp_policy_context context;
	struct mp_request_view req; // that a balance or speculate policy is asked about
	struct mp_view idle_view;   // what primitives see while the file is loaded: a cluster without hosts
	struct mp_plan idle_plan;
	struct mp_vm vm;
	const struct mp_policy_ops *ops;
	char *name;
	char *child;                  // "" without one
	char *loop_at;                // "FILE:LINE" of the first loop, "" without one
	char *files[MP_POLICY_FILES]; // as found; the policy's own first
	uint32_t file_count;
	uint64_t content_hash;      // of their texts
	uint32_t bytes_per_call;    // see mp_policy_info
	int compiled_ref;           // tells whether the driver is machine code
	int again_ref;              // runs the files once more
	int facts_ref;              // tells what a file may say
	bool runs_dry;              // on a cluster of a thousand nodes
	bool was_fuel;              // the last failure was for lack of fuel, memory or stack
	char error[MP_POLICY_TEXT]; // the last failure
	struct mp_beat *beat;       // of the loop's thread
	struct mp_watched watched;
	char label[MP_POLICY_TEXT]; // what it is called there
};

// What a policy is made from: a value.
struct mp_policy_order {
	const struct mp_policy_choice *choice; // policy must be set
	const struct mp_source_path *source;
	const char *where; // "" or "app.lua:12: "
	bool may_be_same;  // texts with the hash `known` are not made again
	uint64_t known;
};

struct mp_policy_setup {
	struct mp_loop *loop;
	const struct mp_log *log;
	enum mp_policy_kind kind;
	const struct mp_policy_order *order;
	const struct mp_policy_module *driver; // of the kind
	const struct mp_host_view *slots;
	const struct mp_policy_names *names;
	size_t memory_bytes;
};

// A state without a policy: the larger part of the work, which can be done before there is one. NULL: `message` says
// why.
struct mp_policy_state *mp_policy_state_new(const struct mp_policy_modules *modules, size_t memory_bytes,
                                            char *message, size_t message_size) MP_MUST_CHECK;
// The policy, for trying: nothing is compiled to machine code. MP_ESCRIPT: `message` says why, led by FILE:LINE where
// there is one; the state can then only be freed.
int mp_policy_state_load(struct mp_policy_state *state, const struct mp_policy_setup *setup, char *message,
                         size_t message_size) MP_MUST_CHECK;
// The same texts once more, for serving the cluster with these slots and names: what they keep between calls begins
// anew.
int mp_policy_state_begin(struct mp_policy_state *state, const struct mp_host_view *slots,
                          const struct mp_policy_names *names, char *message,
                          size_t message_size) MP_MUST_CHECK;
void mp_policy_state_free(struct mp_policy_state *state); // NULL is fine

// Between calls the main stack holds the message handler and the driver. The driver returns itself, so entering the
// script is one pcall that leaves the stack as it was. In line, because every request comes this way.
enum { MP_POLICY_STATE_HANDLER = 1, MP_POLICY_STATE_DRIVER = 2 };
static inline int mp_policy_state_enter(struct mp_policy_state *state)
{
	state->context.call++;
	state->beat->policy = &state->watched;
	int status = lua_pcall(state->vm.L, 0, 1, MP_POLICY_STATE_HANDLER);
	state->beat->policy = NULL;
	return status;
}
bool mp_policy_state_failed(struct mp_policy_state *state, int status); // takes the error; false

// Asks the usual questions about this cluster until the policy is machine code. Only of a hot kind.
void mp_policy_state_warm_up(struct mp_policy_state *state, const struct mp_view *cluster);
// Why its calls are dear, into `why` ("FILE:LINE: ..."; NULL: not wanted). Only after it was warmed up.
bool mp_policy_state_is_slow(struct mp_policy_state *state, char *why, size_t size);
bool mp_policy_state_is_compiled(struct mp_policy_state *state);
// See mp_policies_facts.
int mp_policy_state_facts(struct mp_policy_state *state, struct mp_buf *facts) MP_MUST_CHECK;
// Give back what a failed script left behind. Not for the request path.
void mp_policy_state_collect(struct mp_policy_state *state);

// state_fuel.c: `fuel` and `weigh`, into the same table.
void mp_policy_push_fuel(lua_State *L);
// A part of a load begins and ends: its parts may take MP_POLICY_LOAD_ALL_NS together, MP_POLICY_LOAD_NS each state.
void mp_policy_load_begins(struct mp_policy_fuel *fuel);
void mp_policy_load_ends(struct mp_policy_fuel *fuel);
bool mp_policy_load_is_over(struct mp_policy_fuel *fuel); // it took more
// The mean of the ticks that its calls took since they are counted: from now on.
void mp_policy_state_count_fuel(struct mp_policy_state *state);
double mp_policy_state_fuel_per_call(const struct mp_policy_state *state);
// state_text.c: `find`, `inject` and the lengths of texts (`textMax`, `textHeavy`, `numberHeavy`), into the same table;
// for as long as the policy is loaded.
struct mp_policy_texts {
	struct mp_policy_state *state;
	const struct mp_source_path *source;
	struct mp_buf text; // of the policy file being read
	struct mp_fuel_text fuel;
};
void mp_policy_texts_init(struct mp_policy_texts *texts, struct mp_policy_state *state,
                          const struct mp_source_path *source);
void mp_policy_texts_deinit(struct mp_policy_texts *texts);
void mp_policy_push_texts(lua_State *L, struct mp_policy_texts *texts);
