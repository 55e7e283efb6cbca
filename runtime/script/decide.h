// SPDX-License-Identifier: Apache-2.0
// One decision state: a lua_State with one policy (and its children) in a sandbox, entered once per decision through a
// driver that takes and gives nothing. What the script reads and writes stands at fixed addresses in this struct, so a
// call allocates nothing; the script's primitives are the C functions of decide_calls.c.
#pragma once

#include "base/beat.h"
#include "base/log.h"
#include "cluster/plan/datacentres.h"
#include "cluster/plan/policy.h"
#include "loop/loop.h"
#include "script/fuel.h"
#include "script/policies.h"
#include "script/source.h"
#include "script/vm.h"

#define MP_DECIDE_NAMES    64 // datacentres a policy may name
#define MP_DECIDE_NAME_MAX 64
#define MP_DECIDE_FILES    4
#define MP_DECIDE_SETS     16 // tags and lists of hosts a policy may filter by
#define MP_DECIDE_TEXT     512

#define MP_DECIDE_TEXT_MAX 65536u // bytes of a text that a policy puts together

#define MP_DECIDE_SERVE_NS    UINT64_C(3000000)   // a request waits for it
#define MP_DECIDE_LOAD_NS     UINT64_C(50000000)  // nobody waits, and nothing is machine code yet
#define MP_DECIDE_LOAD_ALL_NS UINT64_C(200000000) // all that is asked before it serves

// Hosts a policy filters by.
struct mp_decide_set {
	char *text; // a tag, or the lines of a list
	size_t len;
	bool is_tag;
	uint32_t bit; // of the marks while it has this stamp among these marks
	uint64_t stamp;
	const struct mp_marks *marks; // NULL: not asked for yet
};

// What a decision may take: decide_fuel.c.
struct mp_decide_fuel {
	uint64_t call;     // the decision that asked for fuel last
	uint32_t given;    // slices since it began
	uint32_t slice;    // ticks of the last one
	uint64_t since_ns; // on the loop's clock, 0: not read yet
	uint64_t cpu_ns;   // on the processor's, the second half
	uint64_t still_ns; // the same from the beginning, looked at where the loop's clock stands still
	uint64_t last_ns;  // when the slice before this one began
	uint64_t limit_ns; // how long one decision may take
	bool is_heavy; // there are texts for which an operation takes long: a clock is looked at for each tick

	bool is_loading;       // the processor's time counts for all decisions together
	uint32_t load_looks;   // since that began
	uint64_t load_look_ns; // when the processor's clock was looked at last, on the loop's clock
	uint64_t load_ns;      // before this part of the load
	uint64_t load_from_ns; // when this part began, on the processor's clock
};

// What the primitives work on: the "cell" of lua/moonpool/decision/objects.lua.
struct mp_decide_cell {
	struct mp_plan *plan;             // of the decision that is running
	const struct mp_host_view *slots; // what host references point to; other views have no hosts for scripts
	struct mp_loop *loop;
	const struct mp_log *log;
	const struct mp_vm *vm;
	const struct mp_policy_names *names;
	uint32_t names_asked; // of the session, which never forgets one
	uint64_t call;        // counts decisions
	struct mp_decide_fuel fuel;
	uint32_t verdict;
	uint32_t delay_ms;
	uint16_t lower_to;                // MP_CONSISTENCY_AS_IT_IS, or what the next attempt should have
	const struct mp_datacentres *dcs; // of the failover decision that is running
	struct mp_serving_wish wish;
	uint32_t dc_name_count;
	uint32_t set_count;
	struct mp_decide_set sets[MP_DECIDE_SETS];
	struct mp_log_gate log_gate;
	const char *policy_name; // for the log; NULL while it is loaded

	char dc_names[MP_DECIDE_NAMES][MP_DECIDE_NAME_MAX];
};

// A trusted Lua module, compiled once: every state is made from the same code, whatever happens to its file.
struct mp_decide_module {
	const char *name;
	char title[48]; // where a name that is put together may stand
	struct mp_buf code;
};
#define MP_DECIDE_COMPILE_BYTES ((size_t)4 << 20)
int mp_decide_compile(struct mp_decide_module *module, const struct mp_buf *text, char *message,
                      size_t message_size) MP_MUST_CHECK;

struct mp_decide_modules {
	const struct mp_decide_module *of; // the last one is the loader
	size_t count;
};

// What a speculate policy is asked about, beside the request.
struct mp_decide_copy {
	uint32_t sent;
};

struct mp_decision {
	struct mp_decide_cell cell;
	struct mp_request_view req;
	struct mp_retry_view err;
	struct mp_reconnect_view reconnect;
	struct mp_decide_copy copy;
	struct mp_dc_view dcs[MP_DCS_MAX];
	struct mp_view idle_view; // what primitives see while the file is loaded: a cluster without hosts
	struct mp_plan idle_plan;
	struct mp_vm vm;
	enum mp_policy_kind kind;
	char *name;
	char *child;                  // "" without one
	char *loop_at;                // "FILE:LINE" of the first loop, "" without one
	char *files[MP_DECIDE_FILES]; // as found; the policy's own first
	uint32_t file_count;
	uint64_t content_hash;      // of their texts
	uint32_t bytes_per_call;    // see mp_policy_info
	int compiled_ref;           // tells whether the driver is machine code
	int again_ref;              // runs the files once more
	int facts_ref;              // tells what a file may say
	bool runs_dry;              // on a cluster of a thousand nodes
	bool was_fuel;              // the last failure was for lack of fuel or memory
	char error[MP_DECIDE_TEXT]; // the last failure
	struct mp_beat *beat;       // of the loop's thread
	struct mp_watched watched;
	char label[MP_DECIDE_TEXT]; // what it is called there
};

struct mp_decision_setup {
	struct mp_loop *loop;
	const struct mp_log *log;
	enum mp_policy_kind kind;
	const struct mp_policy_choice *choice; // policy must be set
	const char *where;                     // "" or "app.lua:12: "
	const struct mp_source_path *source;
	const struct mp_decide_module *own;                       // of the kind
	void (*push)(lua_State *L, struct mp_decision *decision); // the kind's part of the bridge; NULL: none
	const struct mp_host_view *slots;
	const struct mp_policy_names *names;
	size_t memory_bytes;
};

// A state without a policy: the larger part of the work, which can be done before there is one. NULL: `message` says
// why.
struct mp_decision *mp_decision_prepare(const struct mp_decide_modules *modules, size_t memory_bytes,
                                        char *message, size_t message_size) MP_MUST_CHECK;
// The policy, for trying: nothing is compiled to machine code. MP_ESCRIPT: `message` says why, led by FILE:LINE where
// there is one; the state can then only be freed.
int mp_decision_load(struct mp_decision *decision, const struct mp_decision_setup *setup, char *message,
                     size_t message_size) MP_MUST_CHECK;
// The same texts once more, for serving the cluster with these slots and names: what they keep between calls begins
// anew.
int mp_decision_begin(struct mp_decision *decision, const struct mp_host_view *slots,
                      const struct mp_policy_names *names, char *message, size_t message_size) MP_MUST_CHECK;
void mp_decision_free(struct mp_decision *decision); // NULL is fine

// Between calls the main stack holds the message handler and the driver. The driver returns itself, so entering the
// script is one pcall that leaves the stack as it was. In line, because every request comes this way.
enum { MP_DECISION_HANDLER = 1, MP_DECISION_DRIVER = 2 };
static inline int mp_decision_enter(struct mp_decision *decision)
{
	decision->cell.call++;
	decision->beat->policy = &decision->watched;
	int status = lua_pcall(decision->vm.L, 0, 1, MP_DECISION_HANDLER);
	decision->beat->policy = NULL;
	return status;
}
bool mp_decision_failed(struct mp_decision *decision, int status); // takes the error; false

// false: decision->error says why; the plan may have some steps.
static inline bool mp_decision_plan(struct mp_decision *decision, const struct mp_request_view *req,
                                    struct mp_plan *plan)
{
	decision->req = *req;
	decision->cell.plan = plan;
	int status = mp_decision_enter(decision);
	return MP_LIKELY(status == 0) || mp_decision_failed(decision, status);
}
bool mp_decision_retry(struct mp_decision *decision, const struct mp_retry_view *err,
                       enum mp_retry_verdict *verdict, uint32_t *delay_ms);
bool mp_decision_is_compiled(struct mp_decision *decision);
// See mp_script_policies_facts.
int mp_decision_facts(struct mp_decision *decision, struct mp_buf *facts) MP_MUST_CHECK;
// Give back what a failed script left behind. Not for the request path.
void mp_decision_collect(struct mp_decision *decision);

// decide_calls.c: the primitives, put into the bridge table at the top of the stack.
void mp_decide_push_calls(lua_State *L, struct mp_decision *decision);
// decide_words.c: `layout` and `constants`, into the same table.
void mp_decide_push_words(lua_State *L);
void mp_decide_push_retry(lua_State *L, struct mp_decision *decision); // of retry policies
// A number into the table at the top of the stack.
void mp_decide_set_number(lua_State *L, const char *key, double number);
// A table of fields into bridge.layout: struct mp_script_NAME must have the size and these offsets.
struct mp_decide_field {
	const char *name;
	size_t offset;
};
void mp_decide_push_layout(lua_State *L, const char *name, size_t size, const struct mp_decide_field *fields,
                           size_t count);
// A C function for scripts.
void mp_decide_set_call(lua_State *L, const char *key, uintptr_t address);
// decide_fuel.c: `fuel` and `weigh`, into the same table.
void mp_decide_push_fuel(lua_State *L);
// A part of a load begins and ends: its parts may take MP_DECIDE_LOAD_ALL_NS together, MP_DECIDE_LOAD_NS each decision.
void mp_decide_load_begins(struct mp_decide_fuel *fuel);
void mp_decide_load_ends(struct mp_decide_fuel *fuel);
bool mp_decide_load_is_over(struct mp_decide_fuel *fuel); // it took more
// decide_text.c: `find`, `inject`, `textMax` and `textHeavy`, into the same table; for as long as the policy is loaded.
struct mp_decide_texts {
	struct mp_decision *decision;
	const struct mp_source_path *source;
	struct mp_buf text; // of the policy file being read
	struct mp_fuel_text fuel;
};
void mp_decide_texts_init(struct mp_decide_texts *texts, struct mp_decision *decision,
                          const struct mp_source_path *source);
void mp_decide_texts_deinit(struct mp_decide_texts *texts);
void mp_decide_push_texts(lua_State *L, struct mp_decide_texts *texts);
// decide_sets.c: more of them, into the same table.
void mp_decide_push_sets(lua_State *L);
void mp_decide_sets_deinit(struct mp_decide_cell *cell);
