// SPDX-License-Identifier: Apache-2.0
// The connections of one host: opens up to a target, grows on demand up to a maximum, shrinks after idle
// time, replaces what was lost with backoff, and finds the least busy connection. It knows no other host and
// no request.
//
// The pool is up while it has a ready connection; on_up and on_down tell each change, until the pool is
// closed. A pool that is wanted (target > 0) tries for ever, as often as its backoff allows. No event comes
// from inside a function of this header (but open_delay_ms from a timer or task), and in an event everything is
// allowed but mp_pool_deinit().
//
//   one connection:  opening --ready--> ready --surplus, idle, old address, orphans--> draining
//                       |                 |                                              |
//                       +---- failed -----+------------------ lost ----------------------+--> backoff, again
#pragma once

#include "base/list.h"
#include "link/conn.h"
#include "pool/adaptive.h"
#include "pool/reconnect.h"

struct mp_pool;

struct mp_pool_limits {
	uint32_t core;            // connections kept open
	uint32_t max;             // never more
	uint32_t grow_at;         // in-flight requests per connection at which another is opened (while < max)
	uint32_t idle_timeout_ms; // beyond core, what carried nothing for this long is drained; 0: never
	uint32_t reconnect_base_ms;
	uint32_t reconnect_max_ms;
	struct mp_adaptive_rules
		adaptive; // enabled: they decide between core and max, not grow_at and the idle timeout
};

enum { MP_POOL_RETRY_LEAST_MS = 50 }; // whoever decides, a host is not knocked at more often than that

struct mp_pool_events {
	void (*on_up)(void *owner); // the first connection became ready
	// The last ready connection went, or (why->was_ready false) an attempt to open failed while there was
	// none; comes for each such attempt.
	void (*on_down)(void *owner, const struct mp_conn_end *why);
	// An attempt to open failed while there are ready connections. May be NULL.
	void (*on_refused)(void *owner, const struct mp_conn_end *why);
	void (*on_added)(void *owner, struct mp_conn *conn);
	// A connection that was ready ended; it is freed after the call. `lost`: not by our own will.
	void (*on_removed)(void *owner, struct mp_conn *conn, const struct mp_conn_end *end, bool lost);
	// It wants another number of connections. May be NULL.
	void (*on_resized)(void *owner, uint32_t from, uint32_t to, const char *why);
	void (*on_room)(void *owner); // room after there was none: waiting requests may try again
	// Asked before each connection is opened: for how long it is postponed (a limit shared by all hosts), 0: not at
	// all. It is asked again when that time is over. May be NULL.
	uint64_t (*open_delay_ms)(void *owner);
	// A connection that was not postponed stands, or has failed: once for each 0 of open_delay_ms. May be NULL.
	void (*on_tried)(void *owner);
	// Asked after a failure (`failures` in a row, 1: the first) for the time until the next attempt; it is
	// kept at MP_POOL_RETRY_LEAST_MS or more. False: the pool's own backoff. May be NULL.
	bool (*retry_delay)(void *owner, uint32_t failures, enum mp_close_reason why, uint64_t *delay_ms);
	// After mp_pool_close(), when the last connection is gone: once, always later, the last callback. Here,
	// and outside of callbacks, mp_pool_deinit() is allowed. May be NULL.
	void (*on_empty)(void *owner);
};

struct mp_pool {
	struct mp_conn **ready; // ready connections, `ready_count` of `capacity`
	uint32_t ready_count;
	uint32_t capacity;
	struct mp_pool_limits limits;
	struct mp_loop *loop;
	const struct mp_conn_settings *settings;
	const struct mp_pool_events *events;
	void *owner;
	struct mp_addr addr;
	struct mp_uuid host_id;
	uint32_t opening_count;
	uint32_t draining_count;
	uint32_t target;  // connections wanted now: 0 (closed), core .. max
	uint32_t at_once; // how many may open side by side until the target is reached; the core or 1 always may
	struct mp_reconnect reconnect;
	struct mp_timer retry_timer;
	struct mp_timer idle_timer;
	struct mp_timer sample_timer; // of `adaptive`
	struct mp_adaptive adaptive;
	uint32_t told_target;       // by on_resized
	char why[64];               // the target is another one since then
	struct mp_task review_task; // what take, open, close ... ask for is done later in the turn
	bool had_no_room;
	bool opened;
	bool closing;
	bool empty_told;
	bool up;           // as told by on_up and on_down
	bool backing_off;  // the retry timer waits after a failure, not for the limiter
	bool rotating;     // the stale connections are of the present address and leave one by one
	uint64_t ready_ms; // when a connection last became ready since the last failure; 0: none did
	uint64_t opened_total, lost_total, failed_total; // connections: made ready; lost; attempts that failed
	struct mp_list conns;                            // every connection that is not freed yet, in any state
};

void mp_pool_init(struct mp_pool *pool, struct mp_loop *loop, const struct mp_conn_settings *settings,
                  const struct mp_addr *addr, const struct mp_uuid *host_id,
                  const struct mp_pool_limits *limits, const struct mp_pool_events *events, void *owner);
void mp_pool_deinit(struct mp_pool *pool); // asserts that no connection is left
void mp_pool_open(struct mp_pool *pool);   // begin to open `core` connections; results come by events
// Grows or drains as needed.
void mp_pool_set_limits(struct mp_pool *pool, const struct mp_pool_limits *limits);
// Up to `count` connections now, as far as the limits allow; those beyond the core go as grown ones do.
void mp_pool_reach(struct mp_pool *pool, uint32_t count);
// For new connections. The old ones go on until the first new one is ready, and are drained then.
void mp_pool_set_addr(struct mp_pool *pool, const struct mp_addr *addr);
// The same, because nothing answers at the present one: no new beginning for the backoff. `now`: do not wait for it.
void mp_pool_try_addr(struct mp_pool *pool, const struct mp_addr *addr, bool now);
// Every connection is replaced by a new one: one leaves for each new one that is ready, so the pool never has
// fewer than it wants. When no new one can be opened the old ones stay.
void mp_pool_rotate(struct mp_pool *pool, const char *why);
void mp_pool_open_now(struct mp_pool *pool); // what open_delay_ms postponed
// A hint that the host is back: shortens the wait (not below 100 ms).
void mp_pool_retry_now(struct mp_pool *pool);
// Close: `drain` lets requests in flight finish. Afterwards mp_pool_is_empty() becomes true; on_removed comes
// for each.
void mp_pool_close(struct mp_pool *pool, bool drain);
bool mp_pool_is_empty(const struct mp_pool *pool);
bool mp_pool_is_up(const struct mp_pool *pool);

// The least busy ready connection with room (ties go to the one used last, so that writes batch), or NULL.
// Asks for another connection when that one is at grow_at.
struct mp_conn *mp_pool_take(struct mp_pool *pool);
uint32_t mp_pool_in_flight(const struct mp_pool *pool);
uint64_t mp_pool_ended_total(const struct mp_pool *pool); // of those that were ready, the ones that are gone
double mp_pool_utilization(const struct mp_pool *pool);   // 0 .. 1: requests in flight of the room for them
uint32_t mp_pool_busy_count(const struct mp_pool *pool);  // ready connections with a request in flight
// Every connection that is not closed yet. `fn` must not change the pool; it may close connections, of which the pool
// hears later.
void mp_pool_each(const struct mp_pool *pool, void (*fn)(void *arg, struct mp_conn *conn), void *arg);
