// SPDX-License-Identifier: Apache-2.0
// The rest of the C API, part of moonpool.h: what a session tells and shows, and how it is steered while it runs. Its
// rules are those of moonpool.h.
//
// What is shown (struct moonpool_host, moonpool_metrics, moonpool_policy) lies in the session: it is valid until the
// same function is called for this session again, or the session is closed. Texts in it are NUL-terminated, never NULL,
// and valid until the loop turns. These structs and struct moonpool_event may get further fields at their end.
#pragma once

#include "moonpool.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- events -----------------------------------------------------------------------------------------------
enum moonpool_event_kind {
	MOONPOOL_EVENT_HOST_UP,
	MOONPOOL_EVENT_HOST_DOWN, // with a reason
	MOONPOOL_EVENT_HOST_ADDED,
	MOONPOOL_EVENT_HOST_REMOVED,
	MOONPOOL_EVENT_CONNECTION_ADDED,
	MOONPOOL_EVENT_CONNECTION_REMOVED, // with a reason: whatever it goes for
	MOONPOOL_EVENT_CONNECTION_LOST,    // against our will, before its CONNECTION_REMOVED
	MOONPOOL_EVENT_FAILOVER,           // `host` failed and `to` is asked; at most one a second from each host
	MOONPOOL_EVENT_DATACENTER_FAILOVER, // `to` serves instead of `from`, which are names of datacentres
	MOONPOOL_EVENT_BREAKER_OPEN,
	MOONPOOL_EVENT_BREAKER_HALF_OPEN,
	MOONPOOL_EVENT_BREAKER_CLOSE,
	MOONPOOL_EVENT_SCHEMA_CHANGED, // `keyspace`, `table`, `reason`: "CREATED", "UPDATED", "DROPPED"
	MOONPOOL_EVENT_POOL_RESIZED,   // of `host`: to `to_size` connections from `from_size`, for `reason`
	MOONPOOL_EVENT_METRICS,        // once in each metricsInterval: moonpool_session_metrics() has new figures
	MOONPOOL_EVENT_DROPPED,        // `count` events that belonged here are lost
	MOONPOOL_EVENT_POLICY_RELOADED, // `policy` (its kind), `from` (its name), `file`, `generation`
	MOONPOOL_EVENT_POLICY_ERROR,    // the same; `reason`: why it was refused, or failed
	MOONPOOL_EVENT_CONFIG_RELOADED, // `file`; `reason`: what of it, "requestTimeout: 1000 -> 2000; ..."
	MOONPOOL_EVENT_CONFIG_ERROR,    // `file`, `reason`: what is in force goes on, whole
	// A generation on trial: `to` is "running", "waiting", "promoted" or "takenBack", the rest as above of that generation
	MOONPOOL_EVENT_POLICY_CANARY,
};
// Valid during the callback. What does not apply is "" or 0.
struct moonpool_event {
	enum moonpool_event_kind kind;
	const char *name; // as in Lua: "hostDown"
	const char *host; // "10.0.0.1:9042"
	const char *from, *to;
	const char *reason; // a sentence
	const char *keyspace, *table;
	const char *policy, *file;
	uint32_t generation;
	uint32_t from_size, to_size;
	uint32_t count;
};
// The one listener of the session; NULL: none. It is called from the loop until the session is closed, and may call
// everything that a callback may.
MOONPOOL_API int moonpool_session_on_event(struct moonpool_session *session,
                                           void (*on_event)(void *data, const struct moonpool_event *event),
                                           void *data);

enum moonpool_log_level { MOONPOOL_LOG_ERROR, MOONPOOL_LOG_WARN, MOONPOOL_LOG_INFO, MOONPOOL_LOG_DEBUG };
// The lines of the loop and its sessions (by the `logging` of each configuration) go there instead of to the standard
// error; NULL: there again. `line` is NUL-terminated, without a newline, and valid during the call. This callback may
// come from inside of any call and only writes the line: what it calls on this loop and its sessions is refused.
MOONPOOL_API int moonpool_loop_on_log(struct moonpool_loop *loop,
                                      void (*on_line)(void *data, enum moonpool_log_level level,
                                                      const char *line),
                                      void *data);

// A callback of the program's that ran for long: nothing else on its loop went on meanwhile.
struct moonpool_slow {
	// What it was told: "answer" of moonpool_execute(), "statement", "event", "trace", or "end" of anything else
	const char *of;
	void *data;  // of that callback, to tell them apart
	uint32_t ms; // how long it ran
};
// Told of each that ran for `least_ms` or longer, 1 or more, after it has returned; NULL: none, and no callback is
// timed, as by default. Each that is timed costs two looks at the clock. That of the log and this one are not. Answers
// to requests that were executed before are told as it was then.
MOONPOOL_API int moonpool_loop_on_slow(struct moonpool_loop *loop, uint32_t least_ms,
                                       void (*on_slow)(void *data, const struct moonpool_slow *slow),
                                       void *data);

// ---- hosts ------------------------------------------------------------------------------------------------
struct moonpool_host {
	const char *address; // "10.0.0.1:9042"
	const char *datacenter, *rack, *release_version;
	uint8_t host_id[16];
	const char *status;   // "new", "up", "down", "paused", "draining"
	const char *distance; // "local", "remote", "ignored"
	const char *breaker;  // of its circuit breaker: "closed", "open", "halfOpen"
	const char *reason;   // why its last connection ended or could not be opened
	double weight;        // 1 unless moonpool_host_set_weight() said otherwise
	double share;         // of the requests that plans give it, 0 to 1
	uint32_t connections, wanted_connections, most_connections;
	uint32_t in_flight;                  // requests
	uint64_t attempts, errors, timeouts; // since the start: sent there, failed, and without an answer in time
	double latency_mean_ms, latency_p50_ms, latency_p99_ms; // over the window of the metrics
	const char *const *tags; // `tag_count` names, of moonpool_host_set_tags(); in no order
	size_t tag_count;
	// over the window of the metrics
	double requests_per_second,
		error_rate; // attempts that it answered; the share of those sent there that failed
	double latency_p95_ms, latency_p999_ms, latency_max_ms;
	uint64_t connections_opened, connections_closed, connects_failed;
	double utilization; // the share of its stream ids that was in use, 0 to 1, as a mean
	// The share of the window in which it had all connections that it may have and wanted another.
	double crowded;
	const char *held; // "paused", "draining", also while it is down; "": it is not held
};
// How many hosts the session knows, and each from 0; NULL: there is none. Their order is no promise.
MOONPOOL_API uint32_t moonpool_session_hosts(const struct moonpool_session *session);
MOONPOOL_API const struct moonpool_host *moonpool_session_host(struct moonpool_session *session, uint32_t i);

struct moonpool_connection {
	uint64_t id;                       // unique in its loop
	const char *host;                  // "10.0.0.1:9042"
	const char *state;                 // "opening", "ready", "draining"
	uint32_t in_flight;                // requests
	uint64_t created_ms, last_used_ms; // since 1970; 0: it has carried none yet
};
// How many connections the session has now, those that are being opened or left among them, or a negative code; and
// each from 0 as it was at that call, valid until the next one. NULL: it has counted fewer.
MOONPOOL_API int moonpool_session_connections(struct moonpool_session *session);
MOONPOOL_API const struct moonpool_connection *moonpool_session_connection(struct moonpool_session *session,
                                                                           uint32_t i);

// Steering one host, by its address ("10.0.0.1", "10.0.0.1:9042") or a contact point's name. All of it takes effect at
// once and fails no request but moonpool_host_kill(). MOONPOOL_NOT_FOUND: the session knows no such host.
// For policies that look at it: 0 to 1000000.
MOONPOOL_API int moonpool_host_set_weight(struct moonpool_session *session, const char *host, double weight);
// These tags and no others, at most 32, NUL-terminated. MOONPOOL_TOO_BIG: there are too many different ones.
MOONPOOL_API int moonpool_host_set_tags(struct moonpool_session *session, const char *host,
                                        const char *const *tags, size_t count);
// No request goes there but those that name it; its connections stay.
MOONPOOL_API int moonpool_host_pause(struct moonpool_session *session, const char *host);
// No request goes there, those under way end, then its connections close: a HOST_DOWN tells that.
MOONPOOL_API int moonpool_host_drain(struct moonpool_session *session, const char *host);
// The same without waiting: its connections close at once. Requests on them fail with MOONPOOL_CONNECTION_LOST, or go
// elsewhere where they may be sent again.
MOONPOOL_API int moonpool_host_kill(struct moonpool_session *session, const char *host);
// It is used again, with this share of the requests that plans would give it: 0 to 1, which is all of them.
MOONPOOL_API int moonpool_host_resume(struct moonpool_session *session, const char *host, double share);
// Each of its connections is replaced by a new one; a host that is down is tried now.
MOONPOOL_API int moonpool_host_reconnect(struct moonpool_session *session, const char *host);
// So many connections, whatever the configuration says: 1 <= core <= most <= 4096; 0, 0: as that says.
MOONPOOL_API int moonpool_host_resize(struct moonpool_session *session, const char *host, uint32_t core,
                                      uint32_t most);
// That datacentre serves as soon as its hosts have the connections of local ones, until another one is named; NULL or
// "": the failover policy decides again, or home serves. MOONPOOL_NOT_FOUND: no host is there;
// MOONPOOL_INVALID_ARGUMENT: hosts of other datacentres get no connections by the configuration.
MOONPOOL_API int moonpool_session_serve_from(struct moonpool_session *session, const char *datacenter);

// ---- hosts, and what takes a while ------------------------------------------------------------------------
// Each of these returns 0 and calls `on_done` once, later, from the loop: `error` NULL: it is done; MOONPOOL_CLOSED:
// the session was closed meanwhile. Or it returns an error and never calls it. Times are milliseconds, 0 is one look.
// Not before the session is connected (MOONPOOL_CLOSED), but moonpool_host_drain_within().

// Tries until the host has the connections that it should have, at most `attempts` times, 1 or more; the delay from one
// attempt to the next doubles, up to a minute. The error is that of the last one. The session itself tries for ever, as
// its reconnection policy says; this is for a program that wants it sooner, or wants to know.
// MOONPOOL_INVALID_ARGUMENT: the host is drained on request, or gets no connections.
MOONPOOL_API int moonpool_host_recover(struct moonpool_session *session, const char *host, uint32_t attempts,
                                       uint32_t delay_ms,
                                       void (*on_done)(void *data, const struct moonpool_error *error),
                                       void *data);
// moonpool_session_serve_from(), and told when that datacentre serves. NULL or "" is done at once where a failover
// policy decides again, otherwise when home serves. MOONPOOL_TIMEOUT: it moves when it can.
MOONPOOL_API int moonpool_session_switch_datacenter(
	struct moonpool_session *session, const char *datacenter, uint32_t timeout_ms,
	void (*on_done)(void *data, const struct moonpool_error *error), void *data);
// moonpool_host_drain(), and told when its last connection has closed. MOONPOOL_TIMEOUT: requests take longer; they end
// all the same, and the host stays drained. MOONPOOL_CANCELLED: it was resumed meanwhile.
MOONPOOL_API int moonpool_host_drain_within(struct moonpool_session *session, const char *host,
                                            uint32_t timeout_ms,
                                            void (*on_done)(void *data, const struct moonpool_error *error),
                                            void *data);
// The core connections of every host in use, opened side by side, within the configuration's `pooling.warmupTimeout`.
// An error is of the first host that has less; each such host is an attempt of it.
MOONPOOL_API int moonpool_session_warmup(struct moonpool_session *session,
                                         void (*on_done)(void *data, const struct moonpool_error *error),
                                         void *data);
// So many connections to this host, 1 to 4096, at most its maximum; the same time and errors.
MOONPOOL_API int moonpool_host_preallocate(struct moonpool_session *session, const char *host,
                                           uint32_t connections,
                                           void (*on_done)(void *data, const struct moonpool_error *error),
                                           void *data);
// A contact point from now on ("node4", "10.0.0.4:9042"), and used as soon as the cluster names it, also when it was
// removed before or nodes are not discovered. Done when it is connected. The time begins when its name is looked up.
// MOONPOOL_RESOLVE_FAILED; MOONPOOL_NOT_FOUND: the cluster names no such node yet; or why it is not reached.
MOONPOOL_API int moonpool_session_add_node(struct moonpool_session *session, const char *host,
                                           uint32_t timeout_ms,
                                           void (*on_done)(void *data, const struct moonpool_error *error),
                                           void *data);
// It is not used any more, whatever the cluster says, until it is added again. Requests under way end, then its
// connections close: done. MOONPOOL_TIMEOUT: those left after `drain_ms` were cut (0: all, at once, which is no error);
// it is removed in any case. MOONPOOL_NOT_FOUND: the session knows no such host; MOONPOOL_INVALID_ARGUMENT: it is the
// last one in use, and stays.
MOONPOOL_API int moonpool_session_remove_node(struct moonpool_session *session, const char *host,
                                              uint32_t drain_ms,
                                              void (*on_done)(void *data, const struct moonpool_error *error),
                                              void *data);

// ---- figures ----------------------------------------------------------------------------------------------
struct moonpool_stats {
	uint32_t connections_total, connections_active, connections_idle;
	uint32_t requests_in_flight, requests_queued;
	uint32_t hosts_total, hosts_up, hosts_down;
	uint64_t connection_errors;
	uint64_t requests, errors, attempts, retries, timeouts;
	uint64_t latency_p50_us,
		latency_p99_us;        // of the requests that ended in the last metricsInterval (ten seconds)
	uint64_t policy_calls;     // plans made by the Lua balance policy (of its generation in force)
	uint64_t policy_fallbacks; // plans that the default made because the policy failed
	uint64_t policy_reloads;   // new generations of the balance policy that came into force
};
// Of now (connections, requests under way, hosts), and counted since the session was made. Into the program's own
// struct; others are found by moonpool_session_figure().
MOONPOOL_API int moonpool_session_stats(const struct moonpool_session *session, struct moonpool_stats *stats);
// Any figure of getStats() in Lua by its name ("breakersOpen", "retriesRefused", docs/lua-api.md); counters count since
// the session was made. 0, or MOONPOOL_NOT_FOUND.
MOONPOOL_API int moonpool_session_figure(const struct moonpool_session *session, const char *name,
                                         uint64_t *value);
// What the session did over the last metricsInterval (10 s).
struct moonpool_metrics {
	double window_ms; // how long that is by now
	uint64_t requests, errors, timeouts, retries, retries_refused, queued, queue_refused;
	double requests_per_second, error_rate; // the rate is a share, 0 to 1
	double latency_mean_ms, latency_p50_ms, latency_p95_ms, latency_p99_ms, latency_p999_ms, latency_max_ms;
	const char *serving_datacenter; // the one that is local now
	double connection_turnover;     // connections that ended, in a minute at this pace
	double pool_utilization;        // the share of all stream ids that was in use, 0 to 1, as a mean
};
MOONPOOL_API const struct moonpool_metrics *moonpool_session_metrics(struct moonpool_session *session);
// What the session has counted, as OpenMetrics text (docs/metrics.md), cut to `size` with its NUL. How long the whole
// is, or a negative code. Its type is "application/openmetrics-text; version=1.0.0; charset=utf-8".
MOONPOOL_API int moonpool_session_openmetrics(struct moonpool_session *session, char *text, size_t size);

// How well the session is, and why it is slow: what is measured in the window of the metrics, in words. What is shown
// is valid until the same function is called for this session again, or the session is closed. Memory is asked for:
// once in a second is often, for each request is too often. NULL: MOONPOOL_NO_MEMORY. Who blocks the loop is told by
// moonpool_loop_on_slow() instead.
struct moonpool_finding {
	const char *kind;           // "slowHost", "poolTooSmall", "hostDown", ...: docs/lua-api.md has them all
	const char *host;           // "": of no single one
	const char *measurement;    // "averageLatency"
	double measured, threshold; // of that; 0 where it is no number
	const char *key;            // of the configuration: what to change, or to look at
	const char *message, *advice;
};
struct moonpool_host_health {
	const char *address, *datacenter;
	const char *status;  // "up", "down", "new", "failing": up, but its last health checks failed
	const char *breaker; // "closed", "open", "halfOpen"; "": there are no breakers
	uint32_t connections;
	double latency_mean_ms, error_rate;
	// of its health checks, with `healthCheck.enabled`
	uint64_t probes, probes_failed; // that were sent, and of them
	uint32_t probe_failures;        // in a row
	double probe_ms, probe_age_ms;  // the last one
	const char *probe_error;
};
struct moonpool_health {
	const char *overall;                      // "healthy", "degraded", "unhealthy"
	const struct moonpool_host_health *hosts; // in use
	size_t host_count;
	const struct moonpool_finding *findings; // of its state, and those of performance
	size_t finding_count;
};
MOONPOOL_API const struct moonpool_health *moonpool_session_health(struct moonpool_session *session);
struct moonpool_performance {
	const struct moonpool_finding *bottlenecks; // none: the session does its work
	size_t bottleneck_count;
	double connect_mean_ms; // to open the connections that stand
	double latency_mean_ms; // of requests
	double efficiency;      // the share of messages that brought an answer somebody wanted, 0 to 1
};
MOONPOOL_API const struct moonpool_performance *
moonpool_session_performance(struct moonpool_session *session);

// The last `count` requests that the decision log has noted (1000 are kept), oldest first, each a line of JSON with its
// newline (docs/decision-log.md), cut to `size` with its NUL. How long the whole is, or a negative code;
// MOONPOOL_NOT_FOUND: the configuration has no `decisionLog`.
MOONPOOL_API int moonpool_session_decisions(const struct moonpool_session *session, uint32_t count,
                                            char *text, size_t size);

// ---- traces -----------------------------------------------------------------------------------------------
// What the nodes wrote down about a request with moonpool_request_set_trace(). What does not apply is "" or 0.
struct moonpool_trace_event {
	const char *source;   // "10.0.0.1": who did it
	const char *activity; // "Parsing SELECT ..."
	const char *thread;
	int64_t elapsed_us; // of that node, since its part began
};
struct moonpool_trace_parameter {
	const char *name, *value; // "query", its text; "consistency_level", ...
};
struct moonpool_trace {
	uint8_t id[16];
	const char *coordinator, *client; // "10.0.0.1"
	const char *command, *request;    // "QUERY", "Execute CQL3 query"
	int64_t started_ms;               // since 1970
	int64_t duration_us;
	const struct moonpool_trace_parameter *parameters;
	size_t parameter_count;
	const struct moonpool_trace_event *events; // in the order of their time
	size_t event_count;
};
// The trace of that number, moonpool_result_trace_id(). Nodes write it after their answer, so it is looked for until it
// is whole, for five seconds: then MOONPOOL_NOT_FOUND. Exactly one of trace and error is given to `on_done`, valid
// during that; it comes once, later, from the loop, unless an error is returned.
MOONPOOL_API int moonpool_session_trace(struct moonpool_session *session, const uint8_t id[16],
                                        void (*on_done)(void *data, const struct moonpool_trace *trace,
                                                        const struct moonpool_error *error),
                                        void *data);

// ---- policies and the configuration -----------------------------------------------------------------------
// Policy files and the file of moonpool_session_from_file() are watched: a change is tried and comes into force between
// two requests, whole, or is refused; events tell which. What a configuration cannot change while the session is
// connected is refused with its name and place.
enum moonpool_policy_kind {
	MOONPOOL_POLICY_BALANCE,
	MOONPOOL_POLICY_RETRY,
	MOONPOOL_POLICY_RECONNECT,
	MOONPOOL_POLICY_SPECULATE,
	MOONPOOL_POLICY_FAILOVER,
	MOONPOOL_POLICY_SHADOW, // asked what balance is asked, about requests that were sent; nobody obeys it
};
struct moonpool_policy {
	const char *kind; // "balance"
	const char *name, *file;
	const char *child;      // name of the policy that it asks, ""
	const char *last_error; // "FILE:LINE: ...", ""
	uint32_t generation;    // 1, and one more with each reload
	uint64_t calls, errors; // of this generation; errors were answered by the default
	uint64_t reloads, refused;
	uint64_t ns_per_call; // mean of the calls that were timed; 0: none yet
	bool is_suspended;    // failing: it is asked once a second until it works
	double fuel_per_call; // mean of the ticks that a call took
	const char *
		cost_class; // "fast"; "slow": it loops, does not become machine code, or takes memory for each request
	uint32_t bytes_per_call; // memory that the usual request took when it was tried
	uint64_t since_ms;       // since 1970: when this generation came into force
	uint64_t age_ms;         // since then
};
// NULL with MOONPOOL_NOT_FOUND: no policy answers this question, the default does.
MOONPOOL_API const struct moonpool_policy *moonpool_session_policy(struct moonpool_session *session,
                                                                   enum moonpool_policy_kind kind);
// How the shadow would have decided beside the balance policy, since either of both has its generation. Each difference
// counts requests whose first host would have been another one, by the first reason that is true.
struct moonpool_shadow {
	uint64_t asked;
	uint64_t same_first, same_hosts;       // the same first host; the same first three in any order
	uint64_t measured;                     // both first hosts had shown how long they take, on average:
	double latency_ms, serving_latency_ms; // those of the shadow, those in force
	uint64_t error, no_answer, refused, no_host, found_host, left_datacenter, came_home, not_replica,
		to_replica, left_rack, other_host;
};
// NULL with MOONPOOL_NOT_FOUND: no shadow is asked.
MOONPOOL_API const struct moonpool_shadow *moonpool_session_shadow(struct moonpool_session *session);
// The last request of each of those differences. Valid until the next call, or the loop turns.
struct moonpool_shadow_example {
	const char *difference; // its name, as in docs/policies.md: "leftDatacenter"
	uint64_t at_ms;         // since 1970
	const char *kind;       // "read", "write", ...
	const char *keyspace, *consistency;
	bool has_token;
	int64_t token;
	const char *serving,
		*serving_step; // the first host of the policy in force, and the step that gave it; "": none
	const char *shadow, *shadow_step; // the shadow's
};
// Each from 0; NULL with MOONPOOL_NOT_FOUND: there are fewer.
MOONPOOL_API const struct moonpool_shadow_example *
moonpool_session_shadow_example(struct moonpool_session *session, uint32_t i);
// What the balance policy plans now for such a request, which is not sent. Valid until the loop turns, or the next one.
// Before the session is connected NULL with MOONPOOL_CLOSED. Replicas in a keyspace are known a moment after the first
// request or question that names it.
struct moonpool_question {
	const char *keyspace, *tag; // NULL: the session's; none
	const void *routing_key;    // as of moonpool_request_set_routing_key(); NULL: it is not known
	size_t routing_key_len;
	enum moonpool_consistency consistency;
	bool is_read, is_lwt, is_idempotent;
};
struct moonpool_planned_host {
	const char *address, *datacenter, *rack;
	const char *why; // the step of the plan that gives it: "replicas in datacentre ..."
	bool is_replica, is_local;
	uint32_t in_flight;
	double latency_ms; // mean of late; 0: nothing is known
	double weight;
};
struct moonpool_plan {
	bool is_refused;                           // the policy wants no host
	bool is_fallback;                          // it failed, and the default has planned
	bool has_replicas;                         // those of the key are known
	const struct moonpool_planned_host *hosts; // in the order in which they would be asked
	size_t host_count;
};
MOONPOOL_API const struct moonpool_plan *moonpool_session_explain(struct moonpool_session *session,
                                                                  const struct moonpool_question *question);
// Another policy from the next request on, by its name or path, whatever the configuration says. `options`: the text of
// a Lua table of its options, NULL: none. `policy` NULL: the one of the configuration again. MOONPOOL_POLICY_ERROR:
// moonpool_last_message() and `message` (may be NULL; cut to `size`) say why not, and the one before goes on.
MOONPOOL_API int moonpool_session_use_policy(struct moonpool_session *session, enum moonpool_policy_kind kind,
                                             const char *policy, const char *options, char *message,
                                             size_t size);
// Back to the generation before this one. MOONPOOL_NOT_FOUND: there is none.
MOONPOOL_API int moonpool_session_rollback(struct moonpool_session *session, enum moonpool_policy_kind kind);
// A changed file of a policy whose configuration has `canary` comes into force by parts (docs/policies.md): the new
// generation is on trial beside the one in force until it is promoted or taken back.
struct moonpool_canary_figure {
	const char *name; // "errorRate", "p99" (ms), ...
	double candidate, in_force;
	double limit;      // < 0: it takes nothing back
	double confidence; // that the candidate is the worse one; 0: nothing says so
};
struct moonpool_canary {
	const char *kind;  // "balance"
	const char *state; // "running", "waiting", "promoted", "takenBack"
	const char *name, *file, *reason;
	uint32_t generation, in_force;
	double share; // of the requests, now
	double seconds;
	uint64_t requests, requests_in_force, requests_wanted;
	const struct moonpool_canary_figure *figures;
	size_t figure_count;
};
// The one that runs, or the last one. NULL with MOONPOOL_NOT_FOUND: there was none.
MOONPOOL_API const struct moonpool_canary *moonpool_session_canary(struct moonpool_session *session,
                                                                   enum moonpool_policy_kind kind);
// It serves all from now on, or it is gone and the generation in force goes on. MOONPOOL_NOT_FOUND: none runs.
MOONPOOL_API int moonpool_session_end_canary(struct moonpool_session *session, enum moonpool_policy_kind kind,
                                             bool promote);
// The configuration's file and all policies again, now. MOONPOOL_CONFIG_ERROR, MOONPOOL_POLICY_ERROR: something was
// refused and goes on as it was; `message` as above.
MOONPOOL_API int moonpool_session_reload(struct moonpool_session *session, char *message, size_t size);

// ---- schema -----------------------------------------------------------------------------------------------
// A request for the columns of a table, of all tables of a keyspace (`table` NULL) or of all (both NULL). It is
// executed as any other; a row has keyspace_name, table_name, column_name, kind ("partition_key", "clustering",
// "static", "regular"), position (in its key, from 0; -1), type (as CQL says it) and clustering_order. Names have
// their stored case. MOONPOOL_EVENT_SCHEMA_CHANGED tells when to ask again.
MOONPOOL_API struct moonpool_request *moonpool_request_new_schema(struct moonpool_session *session,
                                                                  const char *keyspace, const char *table);
// The rest of a schema, each out of a system table of its own, with the names that the server gives to its columns.
enum moonpool_schema_part {
	MOONPOOL_SCHEMA_KEYSPACES, // keyspace_name, durable_writes, replication
	MOONPOOL_SCHEMA_TABLES,    // keyspace_name, table_name, id and options
	MOONPOOL_SCHEMA_VIEWS, // keyspace_name, view_name, base_table_name, where_clause, include_all_columns ...
	MOONPOOL_SCHEMA_TYPES, // keyspace_name, type_name, field_names, field_types
	MOONPOOL_SCHEMA_INDEXES, // keyspace_name, table_name, index_name, kind, options ("target" among them)
	MOONPOOL_SCHEMA_FUNCTIONS, // keyspace_name, function_name, argument_types, argument_names, return_type, body ...
	MOONPOOL_SCHEMA_AGGREGATES, // keyspace_name, aggregate_name, argument_types, return_type, state_func ...
};
// A request for one of them, of a keyspace or of all (NULL). Servers without views, functions or aggregates refuse it.
MOONPOOL_API struct moonpool_request *moonpool_request_new_schema_part(struct moonpool_session *session,
                                                                       enum moonpool_schema_part part,
                                                                       const char *keyspace);

#ifdef __cplusplus
}
#endif
