// SPDX-License-Identifier: Apache-2.0
// The objects behind the handles of moonpool.h, and what the files of the C API share. Each public function first asks
// for the object of its handle, which notes why there is none; nothing else looks at a handle.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "api/handle.h"
#include "base/addr.h"
#include "base/list.h"
#include "base/uuid.h"
#include "cluster/profile.h"
#include "loop/loop.h"
#include "moonpool.h"
#include "script/engine.h"
#include "wire/type.h"

struct mp_api_loop;

// A callback's result or error: there is one at a time.
struct mp_api_answer {
	struct mp_api_object object;
	struct mp_api_loop *loop;
	const struct mp_error *error;     // or
	const struct mp_outcome *outcome; // and how far its rows were read
	struct mp_cursor rows;
	uint32_t rows_left;
	uint32_t columns; // of each row, and
	uint32_t at_hand; // the same while there is a row, else 0
};

struct mp_api_loop {
	struct mp_api_object object;
	struct mp_loop *loop;
	bool is_own;                // moonpool's, not over the program's uv_loop_t
	uint32_t inside;            // callbacks on the stack
	atomic_uintptr_t turned_by; // the thread that is inside of run or turn, 0: none
	uint32_t telling;           // of the log, on the stack
	void (*on_line)(void *data, enum moonpool_log_level level, const char *line);
	void *line_data;
	// slow.c; NULL: callbacks are not timed
	void (*on_slow)(void *data, const struct moonpool_slow *slow);
	void *slow_data;
	uint32_t slow_ms;
	void (*on_answer)(struct mp_request *request, const struct mp_outcome *outcome); // of a request
	struct mp_list sessions;
	struct mp_api_answer *answer;
	struct mp_bytes *values; // of the current row
	uint32_t value_capacity;
	struct mp_api_object *requests; // at hand
	struct mp_uuid_clock uuids;     // uuid.c
};

// An example of the shadow policy's, with its texts.
struct mp_api_example {
	struct moonpool_shadow_example shown;
	char serving[MP_ADDR_TEXT], shadow[MP_ADDR_TEXT];
	char serving_step[256], shadow_step[256];
};

struct mp_api_session {
	struct mp_api_object object;
	struct mp_api_loop *loop;
	struct mp_list_node node; // in loop->sessions
	struct mp_engine engine;
	lua_State *configuration; // what was read of it lives there
	char *file;               // where it is from; NULL: it was a text
	struct mp_watch *watch;   // of the file
	void (*on_event)(void *data, const struct moonpool_event *event);
	void *event_data;
	struct mp_list news; // of the configuration, to be told
	struct mp_task tell_news;
	struct moonpool_host shown_host;
	const char *shown_tags[MP_MARKS_MAX];        // of it
	struct mp_api_connection *shown_connections; // connection.c
	uint32_t shown_connection_count;
	struct mp_api_plan *shown_plan;                         // explain.c
	struct mp_api_report *shown_health, *shown_performance; // health.c
	struct moonpool_metrics shown_metrics;
	struct moonpool_policy shown_policy;
	struct moonpool_canary shown_canary;
	struct moonpool_canary_figure shown_figures[MP_CANARY_CONDITION_COUNT];
	struct mp_canary_info canary_info; // whose texts are shown
	struct moonpool_shadow shown_shadow;
	struct mp_api_example shown_example;
	char shown_error[512]; // of the policy
	bool connecting;
	bool closing;
	void (*on_connected)(void *data, const struct moonpool_error *error);
	void *connect_data;
	void (*on_closed)(void *data);
	void *close_data;
	struct mp_task reap;       // after the session is closed
	struct mp_list nodes;      // node.c
	struct mp_list traces;     // trace.c
	struct mp_list statements; // of the program
	// Requests that are being filled. The newest one is in no list, as most are executed before the next is made.
	struct mp_api_request *newest;
	struct mp_list unsent;
};

struct mp_api_statement {
	struct mp_api_object object;
	struct mp_api_session *session;
	struct mp_prepared *prepared;
	bool has_defaults; // of its requests:
	struct mp_profile defaults;
	uint32_t default_tag; // 0: none
	struct mp_list_node node;
};

// Values with parts that were begun and are not ended, the outermost first.
#define MP_API_NEST_MAX MP_TYPE_DEPTH_MAX
struct mp_api_nest {
	const struct mp_type *type;
	size_t begin;   // of the value
	size_t part_at; // of the newest part
	uint32_t count; // of parts
};

#define MP_API_FITS (-1)
struct mp_api_request {
	struct mp_api_object object;
	struct mp_api_session *session;
	struct mp_request *request;
	uint32_t next;    // parameter
	int rc;           // the first error of a bind or an option
	uint32_t sent_by; // the process that waits for its answer; 0: nobody
	int32_t misfit;   // the parameter whose value did not fit, from 0; or MP_API_FITS
	struct mp_buf
		text; // of a query, at its beginning; the paging state and a keyspace where their places say
	size_t cql_len;
	size_t state_at, state_len;
	size_t keyspace_at, keyspace_len;
	void (*on_done)(void *data, const struct moonpool_result *result, const struct moonpool_error *error);
	void *data;
	struct mp_list_node node; // in unsent, unless it is the newest
	uint32_t depth;           // of what is begun
	struct mp_metadata
		*held; // while something is begun, and what was told of a query: its types are from here
	struct mp_api_nest nest[MP_API_NEST_MAX];
};

// What a session is opened with.
struct mp_api_opening {
	struct mp_api_session *session;
	struct mp_loop *loop;
	const char *path; // or
	const char *text; // and
	const char *name;
	int code;
	char message[512];
};

// ---- library.c
struct mp_api_loop *mp_api_loop_of(const struct moonpool_loop *handle, const char *function) MP_MUST_CHECK;
// Around each callback. False: this is a child of fork(), the callback is the parent's.
bool mp_api_enter(struct mp_api_loop *loop) MP_MUST_CHECK;
void mp_api_leave(struct mp_api_loop *loop);
// What a program is shown of a text that is not known: an empty one.
static inline const char *mp_api_shown(const char *text)
{
	return text != NULL ? text : "";
}

// Which thread this is: the same as pthread_self() where the compiler knows it without a call, as every function of the
// API asks.
static inline uintptr_t mp_api_thread(void)
{
#if __has_builtin(__builtin_thread_pointer)
	return (uintptr_t)__builtin_thread_pointer();
#else
	return (uintptr_t)pthread_self();
#endif
}

// False, and noted: nothing may be called while another thread turns the loop, nor inside of the callback of the log.
bool mp_api_may_not(struct mp_api_loop *loop, const char *function);
static inline bool mp_api_may(struct mp_api_loop *loop, const char *function)
{
	uintptr_t turned_by = atomic_load_explicit(&loop->turned_by, memory_order_relaxed);
	return MP_LIKELY((turned_by == 0 || turned_by == mp_api_thread()) && loop->telling == 0) ||
	       mp_api_may_not(loop, function);
}

// ---- slow.c: around a callback, outside of enter and leave. When it began, 0: nobody wants to know.
static inline uint64_t mp_api_clock(struct mp_api_loop *loop)
{
	return MP_UNLIKELY(loop->on_slow != NULL) ? mp_loop_clock_ns(loop->loop) : 0;
}
void mp_api_note_slow(struct mp_api_loop *loop, uint64_t since_ns, const char *of, void *data);

// ---- result.c: around a callback that brings something, inside of enter and leave.
void mp_api_answer_begin(struct mp_api_loop *loop, const struct mp_outcome *outcome,
                         const struct mp_error *error);
static inline void mp_api_answer_end(struct mp_api_loop *loop)
{
	if (MP_LIKELY(mp_api_is_in_use(&loop->answer->object)))
		mp_api_retire(loop->answer);
}
// NULL: an error, or neither.
static inline const struct moonpool_result *mp_api_result(struct mp_api_loop *loop)
{
	return loop->answer->outcome != NULL ? mp_api_handle(loop->answer) : NULL;
}
// NULL: none.
static inline const struct moonpool_error *mp_api_error(struct mp_api_loop *loop)
{
	return loop->answer->error != NULL ? mp_api_handle(loop->answer) : NULL;
}

// Of a result; NULL, and why was noted.
const struct mp_api_answer *mp_api_answer_of(const struct moonpool_result *handle, const char *function);

// ---- part.c
// A type as CQL says it, cut to `size`: how long it is, or the code that was noted.
int mp_api_type_text(const struct mp_type *type, char *text, size_t size, const char *function) MP_MUST_CHECK;
void mp_api_value_make(struct moonpool_value *value, const struct moonpool_result *result,
                       const struct mp_type *type, struct mp_bytes bytes);

int mp_api_give_text(const struct mp_buf *from, char *text, size_t size, const char *function) MP_MUST_CHECK;

// ---- config.c
int mp_api_configure(struct mp_api_opening *opening) MP_MUST_CHECK; // 0, or a code and `message`
void mp_api_watch(struct mp_api_session *session);                  // its file
void mp_api_configuration_drop(struct mp_api_session *session);

// "node1:9042" as a name and a port, 0: none. 0, or the code that was noted.
int mp_api_split_address(struct mp_api_session *session, const char *text, char *name, size_t size,
                         uint16_t *port, const char *function) MP_MUST_CHECK;
// The name is a contact point from now on, or none any more. 0, or a code and `why`.
int mp_api_contact(struct mp_api_session *session, const char *name, uint16_t port, bool is_added, char *why,
                   size_t size) MP_MUST_CHECK;

// ---- connection.c
void mp_api_connections_drop(struct mp_api_session *session); // those that are shown

// ---- explain.c
void mp_api_plan_drop(struct mp_api_session *session); // the one that is shown

// ---- health.c
void mp_api_reports_drop(struct mp_api_session *session); // those that are shown

// ---- event.c
void mp_api_events_listen(struct mp_api_session *session);
void mp_api_news_init(struct mp_api_session *session);
void mp_api_news_add(struct mp_api_session *session, enum moonpool_event_kind kind, const char *file,
                     const char *text);
void mp_api_news_drop(struct mp_api_session *session);

// ---- figure.c
bool mp_api_is_policy_kind(enum moonpool_policy_kind kind, const char *function) MP_MUST_CHECK;

// ---- session.c
struct mp_api_session *mp_api_session_of(const struct moonpool_session *handle,
                                         const char *function) MP_MUST_CHECK;
// The same, and it is not closing.
struct mp_api_session *mp_api_open_session(const struct moonpool_session *handle,
                                           const char *function) MP_MUST_CHECK;

// The same, and it was connected.
struct mp_api_session *mp_api_connected_session(const struct moonpool_session *handle,
                                                const char *function) MP_MUST_CHECK;
// The end of something that the session does; no error: NULL.
void mp_api_tell(struct mp_api_session *session,
                 void (*on_done)(void *data, const struct moonpool_error *error), void *data,
                 const struct mp_error *error);

// ---- host.c
#define MP_API_CONNECTIONS_MOST 4096
// A host of a session that is open. NULL: why was noted.
const struct mp_host *mp_api_host(struct moonpool_session *handle, const char *address,
                                  struct mp_api_session **session, const char *function) MP_MUST_CHECK;

// ---- node.c
void mp_api_nodes_end(struct mp_api_session *session); // each is told that the session is closed

// ---- trace.c
void mp_api_traces_end(struct mp_api_session *session); // each is told that the session is closed

// ---- statement.c
struct mp_api_statement *mp_api_statement_of(const struct moonpool_statement *handle,
                                             const char *function) MP_MUST_CHECK;
void mp_api_statement_drop(struct mp_api_statement *statement);
// A request of it has what its requests have unless they say otherwise.
void mp_api_statement_default(struct mp_api_statement *statement, struct mp_api_request *request);
// A text of a call: `len` -1 means up to its NUL. 0, or the code that was noted.
int mp_api_text(const char *text, ptrdiff_t len, struct mp_str *out, const char *function) MP_MUST_CHECK;

// ---- value.c: the place of the next value, in a request or in a value that was begun
struct mp_api_place {
	struct mp_api_request *request;
	const struct mp_type *type; // NULL: there is none, and why was noted
	struct mp_buf *out;
};
struct mp_api_place mp_api_next_place(const struct moonpool_request *handle, const char *function);
// The value was appended; `why_not` is not NULL: it was not.
int mp_api_placed(const struct mp_api_place *place, const char *function, const char *why_not);

// ---- query.c
bool mp_api_is_query(const struct mp_api_request *request);           // not prepared, and no batch
bool mp_api_query_lacks_values(const struct mp_api_request *request); // of those whose types were told
// The type of the next value of one: what the program has told, or its `own`, NULL: it has none. NULL: there is no
// place for it, and why was noted.
const struct mp_type *mp_api_query_type(struct mp_api_request *request, const struct mp_type *own,
                                        const char *function);

// ---- compose.c
// The type of the next part of what was begun last; NULL: there is none, and why was noted.
const struct mp_type *mp_api_next_part(struct mp_api_request *request, const char *function);
// NULL, or why what was appended is no part.
const char *mp_api_end_part(struct mp_api_request *request) MP_MUST_CHECK;
void mp_api_nest_drop(struct mp_api_request *request);

// ---- request.c
void mp_api_on_answer(struct mp_request *from, const struct mp_outcome *outcome);
void mp_api_on_answer_timed(struct mp_request *from, const struct mp_outcome *outcome);
// NULL also when moonpool_request_new() has just failed: its reason is kept.
struct mp_api_request *mp_api_no_request(const struct moonpool_request *handle, const char *function);
static inline struct mp_api_request *mp_api_request_of(const struct moonpool_request *handle,
                                                       const char *function)
{
	struct mp_api_request *request = mp_api_good(handle, MP_API_REQUEST);
	return MP_LIKELY(request != NULL) ? request : mp_api_no_request(handle, function);
}
struct mp_api_request *mp_api_request_make(struct mp_api_session *session) MP_MUST_CHECK; // NULL: no memory
void mp_api_request_drop(struct mp_api_request *request); // out of the program's hands, and given back
// It has all that it needs; its texts are where they stay. 0, or the code that was noted.
int mp_api_request_ready(struct mp_api_request *request, const char *function) MP_MUST_CHECK;
void mp_api_requests_drop(struct mp_api_session *session); // those that were not executed
// Note the first error of a request and return its code; it will not be executed.
int mp_api_spoil(struct mp_api_request *request, const char *function, int code, const char *why);
int mp_api_spoil_silently(struct mp_api_request *request, int code); // it was noted already
