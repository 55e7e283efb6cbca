// SPDX-License-Identifier: Apache-2.0
// What the two bodies of loop.h share: the table of operations a body implements, and the state that is the
// same in both (time stamp, chance, timers, tasks, census). Only loop/ and sim/net/ include this.
//
// A *hold* is one reason for the loop to go on: a started timer, a posted task, an open socket, listener,
// resolve or watch. The body hears only when the first hold comes and when the last one goes.
#pragma once

#include "base/beat.h"
#include "loop/loop.h"

// A binary heap of timers, earliest (deadline, order) first. The simulated body keeps its network events in a
// second one.
struct mp_timer_heap {
	struct mp_timer **items;
	size_t count;
	size_t reserved; // places for timers that may be put in without memory, and are not in
	size_t cap;
	uint64_t next_order;
};

void mp_timer_heap_init(struct mp_timer_heap *heap);
void mp_timer_heap_deinit(struct mp_timer_heap *heap); // what is in it is forgotten, not touched
int mp_timer_heap_reserve(struct mp_timer_heap *heap, size_t count) MP_MUST_CHECK;
// Put a timer in, or move it. Room must be there: reserve() at least count + 1 before.
void mp_timer_heap_put(struct mp_timer_heap *heap, struct mp_timer *timer, uint64_t deadline_ns);
void mp_timer_heap_remove(struct mp_timer_heap *heap, struct mp_timer *timer);
struct mp_timer *mp_timer_heap_first(const struct mp_timer_heap *heap); // NULL when empty

// One of several writes: `took` is what writev would return.
struct mp_write {
	struct mp_sock *sock;
	struct mp_span span;
	ptrdiff_t took;
};

#define MP_GATHER_MAX 256 // writes at once

struct mp_loop_ops {
	void (*free)(struct mp_loop *loop);
	void (*leave)(
		struct mp_loop *loop); // in a child of fork(): close its copies of descriptors; NULL: has none
	void (*run)(struct mp_loop *loop);
	bool (*turn)(struct mp_loop *loop, int wait_ms);
	int (*fd)(struct mp_loop *loop);      // NULL: there is none
	bool (*is_due)(struct mp_loop *loop); // something of the body's own waits for a turn; NULL: never
	uint64_t (*clock_ns)(struct mp_loop *loop);
	uint64_t (*wall_us)(struct mp_loop *loop);
	void (*keep)(struct mp_loop *loop, bool alive); // the first hold came, the last one went

	struct mp_sock *(*connect)(struct mp_loop *loop, const struct mp_addr *addr,
	                           const struct mp_sock_options *options, int *err);
	ptrdiff_t (*writev)(struct mp_sock *sock, const struct mp_span *spans, size_t count);
	size_t (*unconfirmed)(struct mp_sock *sock);
	bool (*can_gather)(struct mp_loop *loop, size_t count); // is write_all worth it for so many sockets?
	void (*write_all)(struct mp_loop *loop, struct mp_write *writes, size_t count); // sets `took` of each
	void (*read_changed)(struct mp_sock *sock); // sock->reading was switched, or the socket was adopted
	void (*close)(struct mp_sock *sock, bool reset);
	void (*shutdown)(struct mp_sock *sock);
	bool (*is_abandoned)(struct mp_sock *sock); // NULL: never seen before something is read

	struct mp_listener *(*listen)(struct mp_loop *loop, const struct mp_addr *addr, int *err);
	void (*unlisten)(struct mp_listener *listener);
	// At a path; NULL in a world without a file system.
	struct mp_listener *(*listen_local)(struct mp_loop *loop, const char *path, int *err);
	struct mp_sock *(*connect_local)(struct mp_loop *loop, const char *path, int *err);
	// NULL in a world without programs.
	struct mp_sock *(*spawn)(struct mp_loop *loop, const char *const argv[], int32_t *pid, int *err);

	struct mp_resolve *(*resolve)(struct mp_loop *loop, const char *host, uint16_t port, int *err);
	void (*cancel)(struct mp_resolve *resolve);

	// For libraries with sockets of their own; NULL in a world without descriptors.
	struct mp_poll *(*poll)(struct mp_loop *loop, int fd, int *err);
	void (*unpoll)(struct mp_poll *poll);
	int (*claim)(struct mp_loop *loop, const struct mp_addr *addr, struct mp_claim *claim);
	void (*unclaim)(struct mp_claim *claim);

	struct mp_watch *(*watch)(struct mp_loop *loop, const char *path, int *err);
	void (*unwatch)(struct mp_watch *watch);
};

struct mp_loop {
	const struct mp_loop_ops *ops;
	uint32_t process;   // mp_fork_generation() of the one that made it
	uint64_t now_ns;    // the stamp of this turn, when `stamped`
	uint64_t moment_ns; // the time of a moment outside of a turn, when `momentary`
	bool stamped;       // inside a turn
	bool momentary;
	bool running;  // inside mp_loop_run
	bool stopping; // mp_loop_stop was called
	bool in_tasks;
	bool gathering;          // FLUSH tasks run whose sockets write together,
	struct mp_list gathered; // these
	bool ran;                // a callback ran since the body cleared this
	size_t holds;
	struct mp_loop_census open;
	struct mp_rand rand;
	struct mp_log log;
	struct mp_beat beat;
	uint32_t busy_poll_us; // the longest of the wishes
	struct mp_list busy_polls;
	uint64_t busy_looks;
	struct mp_timer_heap timers;
	struct mp_list tasks[MP_PHASE_COUNT];
	void (*touched)(void *data); // of the host, NULL: there is none
	void *touched_data;
	struct mp_loop *next_left; // of those that a child of fork() has left
};

// Heads of the bodies' own structs.
struct mp_sock {
	struct mp_loop *loop;
	const struct mp_sock_events *events; // NULL: accepted, not adopted yet
	void *data;
	bool reading; // wanted by its user
	bool closed;
	struct mp_list_node gathered; // in the loop's list
};

struct mp_listener {
	struct mp_loop *loop;
	void (*on_accept)(void *data, struct mp_sock *sock);
	void *data;
	struct mp_addr addr; // with the port that was given
	bool closed;
};

struct mp_resolve {
	struct mp_loop *loop;
	void (*on_done)(void *data, int rc, const struct mp_addr *addrs, size_t count);
	void *data;
};

struct mp_watch {
	struct mp_loop *loop;
	void (*on_change)(void *data);
	void *data;
	bool closed;
};

struct mp_poll {
	struct mp_loop *loop;
	void (*on_ready)(void *data);
	void *data;
};

void mp_loop_init(struct mp_loop *loop, const struct mp_loop_ops *ops, uint64_t seed);
void mp_loop_deinit(struct mp_loop *loop);
// hosted.c: something began or ended; the host hears of it when no turn is under way.
void mp_loop_touch(struct mp_loop *loop);
void mp_loop_hold(struct mp_loop *loop);
void mp_loop_release(struct mp_loop *loop);

// fork.c: the body of a loop in a child of fork(), for what concerns descriptors.
extern const struct mp_loop_ops mp_loop_forked_ops;
void mp_loop_leave(struct mp_loop *loop); // instead of freeing it there

// A body accepted a connection: count it and give it to the listener's owner, who adopts or closes it at
// once.
void mp_loop_accepted(struct mp_listener *listener, struct mp_sock *sock);
// A lookup ended: count it out and tell its owner. The body frees the resolve afterwards.
void mp_loop_resolved(struct mp_resolve *resolve, int rc, const struct mp_addr *addrs, size_t count);
// Put `addr` behind the first `*count` of `addrs` unless it is there or all MP_RESOLVE_MAX are taken.
void mp_loop_add_addr(struct mp_addr *addrs, size_t *count, const struct mp_addr *addr);

// The steps of a turn, called by the bodies.
#define MP_LOOP_LATE_NS 500000000u              // a timer later than this: the machine slept, sockets first
void mp_loop_stamp(struct mp_loop *loop);       // the turn begins, if it has not
void mp_loop_unstamp(struct mp_loop *loop);     // the turn is over: time is read again
void mp_loop_fire_timers(struct mp_loop *loop); // those due at now_ns, none that was started meanwhile
void mp_loop_run_tasks(struct mp_loop *loop);
void mp_loop_begin_gathering(struct mp_loop *loop, size_t count); // so many FLUSH tasks are about to run
void mp_loop_end_gathering(struct mp_loop *loop);                 // they have: what is gathered leaves
bool mp_loop_has_tasks(const struct mp_loop *loop);
// The nearest deadline, UINT64_MAX without timers.
uint64_t mp_loop_next_deadline(const struct mp_loop *loop);
