// SPDX-License-Identifier: Apache-2.0
// What a session counts and shows. A line is all that a figure needs besides the place where it is counted: the structs
// here and in session.h, the fields of getStats() in Lua and the table in docs/lua-api.md come from it (the latter is
// compared by spec/cluster/stats_spec.lua).
#pragma once

#include "base/defs.h"

// clang-format off
// How it stands now. X(type, field, "name in Lua", "meaning")
#define MP_SESSION_GAUGES(X)                                                                                      \
	X(uint32_t, connections_active, "activeConnections", "connections with a request in flight")                  \
	X(uint32_t, connections_idle, "idleConnections", "connections without one")                                   \
	X(uint32_t, connections_total, "totalConnections", "all that are ready")                                      \
	X(uint32_t, requests_in_flight, "requestsInFlight", "requests that were sent, or wait for a retry")           \
	X(uint32_t, requests_queued, "requestsQueued", "requests that wait for room on a connection")                 \
	X(uint32_t, breakers_open, "breakersOpen", "hosts whose circuit breaker is open or half open")  \
	X(uint32_t, canaries, "canaries", "generations of policies that are on trial")

// Since the start, added up over the hosts; the last one is of the loop, which other sessions may share.
#define MP_SESSION_SUMS(X)                                                                                        \
	X(uint64_t, connection_errors, "connectionErrors",                                                            \
	  "attempts to connect that failed and connections that were lost, since the start")                           \
	X(uint64_t, connections_opened, "connectionsOpened", "connections that became ready, since the start")       \
	X(uint64_t, connections_closed, "connectionsClosed", "those of them that have gone, whatever for")           \
	X(uint64_t, busy_polls, "busyPolls", "times that its loop looked for answers where it would have slept")

// Since the start. The same, all of them uint64_t.
#define MP_SESSION_COUNTERS(X)                                                                                    \
	X(uint64_t, requests, "requests", "requests that were submitted")                                             \
	X(uint64_t, errors, "errors", "requests that failed")                                                         \
	X(uint64_t, timeouts, "timeouts", "those of them whose time was up")                                          \
	X(uint64_t, cancelled, "cancelled", "requests that their caller cancelled, which are no errors")              \
	X(uint64_t, queued, "queued", "times that a request began to wait for room on a connection")                  \
	X(uint64_t, busy, "queueRefused", "requests that found no room and the queue full")                           \
	X(uint64_t, attempts, "attempts", "messages that were sent for requests")                                     \
	X(uint64_t, retries, "retries", "attempts that followed one that failed")                                     \
	X(uint64_t, retries_refused, "retriesRefused", "retries that the retry budget had no room for")               \
	X(uint64_t, unsafe_retries_refused, "unsafeRetriesRefused", "retries that the replay gate forbade")           \
	X(uint64_t, late_answers, "lateAnswers", "answers to requests that did not wait for them any more")           \
	X(uint64_t, tls_handshakes, "tlsHandshakes", "handshakes of TLS that came to an end")                         \
	X(uint64_t, tls_resumed, "tlsResumed", "those of them that went on with an earlier connection's session")     \
	X(uint64_t, reprepared, "reprepared", "statements that a host forgot and was told again")                     \
	X(uint64_t, policy_fallbacks, "policyFallbacks", "plans that C made because the balance policy failed")       \
	X(uint64_t, downgraded, "downgraded", "attempts that a retry policy sent with a lower consistency")           \
	X(uint64_t, refused, "refused", "requests that a balance policy refused")                                     \
	X(uint64_t, moved, "failovers", "attempts that failed and went on to another host")                           \
	X(uint64_t, move_refused, "failoversRefused", "those that the limits of `failover` kept from it")             \
	X(uint64_t, dc_changes, "dataCenterFailovers", "times that another datacentre began to serve")                  \
	X(uint64_t, pool_resizes, "poolResizes", "times that the pool of a host wanted another number of connections")    \
	X(uint64_t, speculative, "speculative", "further copies of slow requests")                                    \
	X(uint64_t, speculative_wins, "speculativeWins", "requests that one of those answered")                       \
	X(uint64_t, speculative_refused, "speculativeRefused", "copies that the retry budget had no room for")         \
	X(uint64_t, merges, "mergedBatches", "batches that automatic batching sent")                                  \
	X(uint64_t, merged, "mergedRequests", "requests that left in them")                                           \
	X(uint64_t, unmerged, "unmergedRequests", "those of them that were sent again alone: the batch was refused")  \
	X(uint64_t, breaker_opened, "breakersOpened", "times that the circuit breaker of a host opened")               \
	X(uint64_t, schema_changes, "schemaChanges", "news of the schema that nodes told")                              \
	X(uint64_t, schema_missed, "schemaMissed", "times that such news may have been missed")                        \
	X(uint64_t, decisions, "decisions", "requests that the decision log noted")                                    \
	X(uint64_t, decisions_lost, "decisionsLost", "those of them that it lost before they were written")            \
	X(uint64_t, shadow_asked, "shadowAsked", "requests about which the shadow policy was asked")                   \
	X(uint64_t, shadow_same, "shadowSameFirst", "those of them for which it chose the same first host")            \
	X(uint64_t, shadow_errors, "shadowErrors", "those of them for which it failed or rested")                      \
	X(uint64_t, shadow_missed, "shadowMissed", "requests of its share about which it could not be asked")          \
	X(uint64_t, canary_requests, "canaryRequests", "requests that were dealt to a generation on trial")            \
	X(uint64_t, events_dropped, "eventsDropped", "events that did not reach a handler: too many waited")
// clang-format on

#define X(type, field, name, meaning) type field;
struct mp_session_counters {
	MP_SESSION_COUNTERS(X)
};
#undef X

// The lists as data, for whoever goes through them.
struct mp_stat_info {
	const char *name, *meaning;
	bool is_counter; // since the start; otherwise how it stands now
	bool is_wide;    // uint64_t; otherwise uint32_t
	size_t at;       // in struct mp_session_stats
};
const struct mp_stat_info *mp_stat_info(size_t i); // NULL: no more
