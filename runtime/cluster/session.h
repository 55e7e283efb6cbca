// SPDX-License-Identifier: Apache-2.0
// A session: the hosts of one cluster, their pools, the control connection, prepared statements, and the walk of each
// request through its plan. The whole engine behind ConnectionPool, AdvancedConnectionPool and the C API.
//
// Everything happens on the session's loop. Callbacks come from the loop, never from inside a call of this header.
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "base/slab.h"
#include "cluster/config.h"
#include "cluster/counters.h"
#include "cluster/decisions/shadow.h"
#include "cluster/metrics.h"
#include "cluster/plan/policy.h"
#include "cluster/request/replay.h"
#include "cluster/topology/host.h"
#include "link/conn.h"
#include "loop/loop.h"
#include "wire/message.h"

// ---- life and events --------------------------------------------------------------------------------------
enum mp_session_event_kind {
	MP_EVENT_HOST_UP,
	MP_EVENT_HOST_DOWN,
	MP_EVENT_HOST_ADDED,
	MP_EVENT_HOST_REMOVED,
	MP_EVENT_CONNECTION_ADDED,
	MP_EVENT_CONNECTION_REMOVED,
	MP_EVENT_CONNECTION_LOST,
	MP_EVENT_FAILOVER,
	MP_EVENT_DC_FAILOVER,
	MP_EVENT_SCHEMA_CHANGED,
	MP_EVENT_POOL_RESIZED,
	MP_EVENT_BREAKER_OPEN,
	MP_EVENT_BREAKER_HALF_OPEN,
	MP_EVENT_BREAKER_CLOSE,
	MP_EVENT_METRICS, // the window is over once more, see cluster/metrics.h
	MP_EVENT_EVENTS_DROPPED,
};
struct mp_session_event {
	enum mp_session_event_kind kind;
	const struct mp_host *host; // the subject; FAILOVER: from
	const struct mp_host *to;   // FAILOVER
	const char
		*reason; // HOST_DOWN, CONNECTION_LOST, CONNECTION_REMOVED, FAILOVER, BREAKER: a sentence, else ""
	const char *keyspace, *table, *change; // SCHEMA_CHANGED: "" where it does not apply
	const char *from_dc, *to_dc;           // DC_FAILOVER, with a reason
	uint32_t count;                        // EVENTS_DROPPED: so many that came at this point are lost
	uint32_t from_size, to_size;           // POOL_RESIZED, with a reason: connections that it wants
};

struct mp_session;
// `policies` are copied and may be changed later with mp_session_set_policies(). NULL: the C defaults.
struct mp_session *mp_session_new(struct mp_loop *loop, const struct mp_session_config *config,
                                  const struct mp_policy_calls *policies) MP_MUST_CHECK;
void mp_session_set_policies(struct mp_session *session, const struct mp_policy_calls *policies);
// Another configuration for a session that runs. All or nothing: MP_ECONFIG when a key differs that a session which was
// connected cannot change, with its name in `fixed`, or MP_ENOMEM, and nothing has happened. Otherwise all of it holds:
// deadlines and limits from the next request on, sizes and heartbeats of open connections at once; where only a new
// connection can have it (credentials, stream ids, socket options) every connection is replaced, one by one.
int mp_session_apply(struct mp_session *session, const struct mp_session_config *config,
                     const char **fixed) MP_MUST_CHECK;
// The same of only what new connections trust; keeps a reference.
void mp_session_set_tls(struct mp_session *session, struct mp_tls_context *tls);
// Called for each event, from the loop, outside of any other callback's stack. NULL: none.
void mp_session_set_listener(struct mp_session *session,
                             void (*on_event)(void *data, const struct mp_session_event *event), void *data);

struct mp_error;
// Contact points are tried in parallel; done as soon as the control connection stands, the topology is read and the
// core connections of each in-use host have been tried once (bounded by connect_timeout_ms; one dead node never
// blocks). err NULL: connected. Otherwise an error that lists what was tried, and the session may try again.
void mp_session_connect(struct mp_session *session, void (*on_done)(void *data, const struct mp_error *err),
                        void *data);
// Requests in flight finish (at most `drain_ms`), queued ones fail with MP_ECLOSED, then all closes. Valid in every
// state, also twice (the second waits for the first).
void mp_session_close(struct mp_session *session, uint32_t drain_ms, void (*on_done)(void *data), void *data);
void mp_session_free(struct mp_session *session); // only after close is done

// ---- errors -----------------------------------------------------------------------------------------------
#define MP_ATTEMPTS_KEPT 8 // more are counted, the last ones kept

struct mp_error_attempt {
	char host[MP_ADDR_TEXT];
	int err;             // MP_E*
	int32_t server_code; // -1: none
	uint32_t ms;         // how long this attempt took
	char message[120];
};

struct mp_error {
	int err;             // MP_E*; MP_ESERVER: see server_code
	int32_t server_code; // -1: none
	bool maybe_applied;
	char host[MP_ADDR_TEXT]; // of the last attempt; "" when none was made
	char message[256];
	uint32_t attempt_total;
	uint32_t attempt_count; // entries in attempts
	struct mp_error_attempt attempts[MP_ATTEMPTS_KEPT];
};
// The user's name: mp_err_name(), or the server's error name for MP_ESERVER ("UNAVAILABLE").
const char *mp_error_code(const struct mp_error *error);

// ---- prepared statements ----------------------------------------------------------------------------------
// Shared by all hosts; kept by reference count. Fields are read-only.
struct mp_prepared {
	struct mp_session *session;
	uint32_t refs;
	struct mp_str cql;
	struct mp_str keyspace;      // of preparation; the session's or the request's. In the block of `cql`
	struct mp_str sent_keyspace; // the part of it that PREPARE has to say: empty for the session's own
	struct mp_str id;
	struct mp_str result_metadata_id; // v5; may be replaced when the server says the metadata changed
	struct mp_metadata *params;
	struct mp_metadata *result; // NULL or no columns: not a SELECT
	uint16_t keyspace_id;       // for routing
	bool is_lwt;                // by its text
	uint8_t replay_class[2];    // enum mp_replay_class; [1]: the caller says that it is idempotent
	bool is_keyed;              // writes to one partition, if its key is known (struct mp_statement)
	bool is_plain;              // may run twice at the same time (struct mp_statement)
	void *user;                 // one slot for the layer above (its compiled row shape), freed by user_free
	void (*user_free)(void *user);
	// All that the server says is a copy (renew.c).
	uint32_t generation; // of `params`: what was bound by an earlier one is not sent
	uint32_t preparing;  // hosts that are told it again just now
	char *change;      // what the last renewal changed: "v was int and is float"; NULL: nothing, or no memory
	uint64_t check_ns; // prepared anew before it is used from then on; UINT64_MAX: nobody doubts it
	uint64_t doubted_ns; // since when
	uint64_t settled_ns; // a check that began before this is not the last one
	uint64_t checked_ns; // when the last PREPARE was sent
};
inline struct mp_prepared *mp_prepared_ref(struct mp_prepared *prepared)
{
	if (prepared != NULL)
		prepared->refs++;
	return prepared;
}
void mp_prepared_free(struct mp_prepared *prepared); // nobody refers to it any more
inline void mp_prepared_unref(struct mp_prepared *prepared)
{
	if (prepared != NULL && --prepared->refs == 0)
		mp_prepared_free(prepared);
}
bool mp_prepared_is_doubted_now(
	const struct mp_prepared *prepared); // it is to be doubted from some time on: is it yet?
inline bool mp_prepared_is_doubted(const struct mp_prepared *prepared)
{
	return MP_UNLIKELY(prepared->check_ns != UINT64_MAX) && mp_prepared_is_doubted_now(prepared);
}
// A value does not fit the types that the statement is known to have: they may be others by now.
void mp_prepared_misfit(struct mp_prepared *prepared);
// Visit those in the cache, the least recently used first.
void mp_session_each_prepared(const struct mp_session *session,
                              void (*fn)(void *data, const struct mp_prepared *prepared), void *data);
// From the cache when it is not doubted, or by PREPARE on one host (single-flight per text and keyspace). Exactly one
// of prepared, err. `prepared` is borrowed: ref it to keep it. When the statement is in the cache, `*cached` is set (a
// borrowed reference), nothing else happens and on_done is not called. Returns 0 or MP_E*.
int mp_session_prepare(struct mp_session *session, struct mp_str cql, struct mp_str keyspace,
                       uint32_t timeout_ms, struct mp_prepared **cached,
                       void (*on_done)(void *data, struct mp_prepared *prepared, const struct mp_error *err),
                       void *data) MP_MUST_CHECK;

// ---- requests ---------------------------------------------------------------------------------------------
struct mp_request;

// What the caller fills between take and submit. Zeroed by take, but for what the configuration's defaults say.
struct mp_request_options {
	uint16_t consistency;        // set by take to LOCAL_ONE, or to the default
	uint16_t serial_consistency; // 0: not sent
	uint32_t timeout_ms;         // 0: the session's
	bool idempotent;             // the caller says that applying it twice does no harm
	bool trace;
	bool has_token; // routing token given or computed; otherwise computed from values and metadata
	int64_t token;
	int32_t page_size;  // 0: the server sends everything
	bool has_timestamp; // of a write; otherwise the session gives one if client_timestamps says so
	int64_t timestamp_us;
	uint16_t pinned_host; // only this slot; take sets MP_NO_HOST
	uint32_t tag;         // mp_session_tag_id()
};

// The partition key is these bytes, whatever the statement says.
void mp_request_options_route(struct mp_request_options *options, struct mp_str key);

struct mp_outcome {
	const struct mp_error *error;        // NULL: success
	const struct mp_result_body *result; // success; borrowed during on_done
	const struct mp_metadata *metadata;  // columns of the rows as sent with this very answer; borrowed
	const struct mp_host *host;          // who answered; NULL on local failure
	uint32_t attempts;
	uint64_t latency_ns;
	bool schema_disagrees; // SCHEMA: not all hosts that are up knew the change when patience ended
	const struct mp_response_prefix *prefix; // success: tracing id and warnings; borrowed
};

struct mp_batch;
struct mp_request {
	struct mp_str cql;            // QUERY: borrowed until on_done
	struct mp_prepared *prepared; // EXECUTE: by mp_request_use()
	struct mp_batch *batch;       // BATCH: by mp_request_batch(); exactly one of cql, prepared, batch
	uint32_t generation;          // of the statement when the first value was bound
	struct mp_buf values;         // encoded [value]s, or a batch's statements; cleared by take, memory kept
	uint32_t value_count;
	bool named_values;            // QUERY only
	struct mp_str keyspace;       // borrowed until on_done; len 0: the session's. Needs v5 when it differs
	struct mp_bytes paging_state; // borrowed until on_done; data NULL: first page
	struct mp_buf payload;        // for the node's own handler: what mp_request_add_payload() added. Needs v4
	struct mp_request_options options;
	void (*on_done)(struct mp_request *request, const struct mp_outcome *outcome);
	void *data[3]; // the caller's; the last two are what on_done looks at first, and fetched with the answer
	// what follows belongs to request.c
	struct mp_session *session;
	struct mp_request_state *state;
};

struct mp_request *mp_request_take(struct mp_session *session) MP_MUST_CHECK; // NULL: out of memory
// It shall EXECUTE this statement, which is held. Before its values are bound.
void mp_request_use(struct mp_request *request, struct mp_prepared *prepared);
// As it was just taken: to fill it for something else, before it is submitted.
void mp_request_clear(struct mp_request *request);
// Something under a name for what the node has in front of its statements (a custom payload); both are copied. 0,
// MP_EINVAL (a name of more than 65,535 bytes, more than 65,535 of them), MP_ENOMEM.
int mp_request_add_payload(struct mp_request *request, struct mp_str name, struct mp_str bytes) MP_MUST_CHECK;
// It shall be a BATCH, of the statements that are added. 0 or MP_ENOMEM.
int mp_request_batch(struct mp_request *request, enum mp_batch_type type) MP_MUST_CHECK;
// The next statement is what `member` would send: text or prepared, with its values and its options.idempotent; all
// of it is copied or held. A batch has the consistency, timestamps and so on of its own request. MP_EINVAL (named
// values, a batch in a batch), MP_ETOOBIG (more than 65,535, or too long), MP_ENOMEM: it was not added.
int mp_batch_add(struct mp_request *request, const struct mp_request *member) MP_MUST_CHECK;
// After on_done, or instead of submit. Never inside... it may be called inside on_done.
void mp_request_give(struct mp_request *request);
// 0: on_done comes exactly once, later. Otherwise MP_E* and nothing happens (MP_ECLOSED, MP_EBUSY, MP_EINVAL); the
// request is still the caller's. What is not supported is told later, with what and why.
int mp_request_submit(struct mp_request *request) MP_MUST_CHECK;
// Nobody wants its answer any more: on_done comes later in this turn, with MP_ECANCELLED unless it was about to fail
// anyway. What was not sent will not be; what was sent may be applied, and keeps its stream until the answer comes.
// False: it is at rest, or on_done is on its way.
bool mp_request_cancel(struct mp_request *request);

// ---- looking ----------------------------------------------------------------------------------------------
struct mp_session_stats {
	uint32_t hosts_total, hosts_up, hosts_down;
#define X(type, field, name, meaning) type field;
	MP_SESSION_GAUGES(X)
	MP_SESSION_SUMS(X)
	MP_SESSION_COUNTERS(X)
#undef X
};
void mp_session_stats(const struct mp_session *session, struct mp_session_stats *stats);
void mp_session_count_dropped(struct mp_session *session, uint32_t events); // by its listener
// A quantile of how long requests took, in ms, over the window of the metrics, as it was a second ago at most; -1: of
// fewer than `least` requests nothing can be said.
double mp_session_recent_ms(struct mp_session *session, double quantile, uint32_t least);
size_t mp_session_host_count(const struct mp_session *session);
// 0 .. count-1, any state but REMOVED
const struct mp_host *mp_session_host_at(const struct mp_session *session, size_t i);
const struct mp_host *mp_session_host_slot(const struct mp_session *session, uint16_t index); // NULL: empty
const struct mp_host *mp_session_host_find(const struct mp_session *session,
                                           const char *addr); // "ip", "ip:port", a contact point's name
struct mp_view *mp_session_view(struct mp_session *session);
struct mp_keyspaces *mp_session_keyspaces(struct mp_session *session);
struct mp_loop *mp_session_loop(const struct mp_session *session);
struct mp_log *mp_session_log(struct mp_session *session);
uint32_t mp_session_timeout_ms(const struct mp_session *session);  // of a request that has none of its own
uint8_t mp_session_version(const struct mp_session *session);      // negotiated; 0: not yet
const char *mp_session_local_dc(const struct mp_session *session); // NULL: not known yet
const char *
mp_session_serving_dc(const struct mp_session *session); // the one that is local now; NULL: not known yet
const char *mp_session_keyspace(const struct mp_session *session); // NULL: none
const char *mp_session_cluster_name(const struct mp_session *session);
// A small number for a keyspace or a tag text, the same for the same text; 0 for empty or when the table is full.
uint16_t mp_session_keyspace_id(struct mp_session *session, struct mp_str name);
uint32_t mp_session_tag_id(struct mp_session *session, struct mp_str text);
// The plan a request would get now (for explain and specs): fills `plan`, ready to walk. True: the policy failed, and
// this is the default's.
bool mp_session_plan(struct mp_session *session, const struct mp_request_view *req, int64_t token,
                     struct mp_plan *plan);
// The decision log (cluster/decisions/decisions.h): is there one; its last records, oldest first, as lines of JSON,
// each of them in `line`, which is the caller's, because `fn` may be one that does not return.
bool mp_session_has_decisions(const struct mp_session *session);
void mp_session_each_decision(struct mp_session *session, uint32_t count, struct mp_buf *line,
                              void (*fn)(void *data, const char *line, size_t len), void *data);
// Visit every connection, in any state but CLOSED.
void mp_session_each_conn(const struct mp_session *session,
                          void (*fn)(void *data, const struct mp_host *host, const struct mp_conn *conn),
                          void *data);
