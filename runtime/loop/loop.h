// SPDX-License-Identifier: Apache-2.0
// The world as the core sees it: time, chance, timers, byte streams, names, files that change. Two bodies:
// loop_uv.c (the real one, over libuv) and sim/net/loop_sim.c (virtual time, one seed). Nothing above this header
// calls a clock, a random source, a resolver or a socket itself.
//
// One turn of a loop: sockets are read (each gives its bytes upwards), due timers fire, then the tasks of
// phase RUN are run until none is left (bounded), then those of phase FLUSH, then the loop waits. So whatever
// became runnable in a turn leaves in the same write.
//
// After fork() a loop is the parent's. In the child nothing of it reaches a descriptor any more, because those are
// shared: it does not turn, nothing can be opened on it, what is closed is only forgotten.
//
// One thread. Callbacks come from the loop only, never from inside a call of this header. After a `close` or
// `stop` of a thing none of its callbacks comes any more, and its owner may free itself at once.
#pragma once

#include "base/addr.h"
#include "base/defs.h"
#include "base/list.h"
#include "base/log.h"
#include "base/rand.h"

struct mp_loop;

// ---- life -------------------------------------------------------------------------------------------------
// loop_uv.c. `uv_loop` NULL: a libuv loop of its own; otherwise the caller's uv_loop_t, which the caller
// runs.
struct mp_loop *mp_loop_uv_new(void *uv_loop, uint64_t seed) MP_MUST_CHECK;
// Asserts that no socket, listener, watch or resolve is open; timers and tasks may remain and are forgotten.
// With a caller's uv_loop_t its last handles close in the next uv_run, so run it once more before closing it.
// In a child of fork() it gives the descriptors back that the child has inherited, whatever is open; the memory stays.
void mp_loop_free(struct mp_loop *loop);
bool mp_loop_is_running(const struct mp_loop *loop); // inside of run or turn
bool mp_loop_is_forked(const struct mp_loop *loop);  // it was made before fork(): see above

// Run until mp_loop_stop(), or until nothing (socket, timer, task, resolve) is left that could happen. A
// listener, a watch or a timer keeps it alive. Not reentrant. In a child that was forked meanwhile it returns at once.
void mp_loop_run(struct mp_loop *loop);
// One turn, waiting at most `wait_ms` (0: do not wait; -1: until something happens). True when anything ran.
bool mp_loop_turn(struct mp_loop *loop, int wait_ms);
// Makes mp_loop_run return at the end of this turn; does nothing outside of it.
void mp_loop_stop(struct mp_loop *loop);
// Run the RUN and FLUSH tasks now: for a host program that pumps the loop itself and has just submitted work.
// The one function from inside which callbacks come; not for use inside callbacks of this header.
void mp_loop_flush(struct mp_loop *loop);

// ---- hosted.c: a loop that somebody turns inside of a loop of his own -------------------------------------
// Readable (level triggered: for as long as it is) when a turn has something to read; -1 in virtual time.
int mp_loop_fd(struct mp_loop *loop);
// The longest that the host may wait for that descriptor before it turns the loop; 0: turn it now, -1: any time. Asked
// anew after every call that may have begun something.
int mp_loop_wait_ms(struct mp_loop *loop);
// `fn` is called when something was posted, started, opened or ended from outside of a turn, so that mp_loop_wait_ms()
// may be less than it was: flush or turn the loop soon, but not inside of it.
void mp_loop_on_touch(struct mp_loop *loop, void (*fn)(void *data), void *data);

// ---- busy_poll.c: looking before sleeping -----------------------------------------------------------------
// Waking takes a thread longer than most answers take. Somebody who can afford a core wishes that the loop looks for so
// long, again and again, before it sleeps; of several wishes the longest counts, 0 takes one back. A loop that its host
// turns (mp_loop_fd) does not look, nor does one in virtual time. The wish is its owner's, zero at first.
struct mp_busy_poll {
	struct mp_list_node node;
	uint32_t us;
};
void mp_loop_busy_poll(struct mp_loop *loop, struct mp_busy_poll *wish, uint32_t us);
uint32_t mp_loop_busy_poll_us(const struct mp_loop *loop); // the longest wish
uint64_t mp_loop_busy_looks(const struct mp_loop *loop);   // how often it has looked so far

// What is open: the leak oracle of specs. A closed thing is not counted, also while its memory waits for the
// loop.
struct mp_loop_census {
	size_t sockets;
	size_t listeners;
	size_t timers;
	size_t tasks;
	size_t resolves;
	size_t watches;
};
void mp_loop_census(struct mp_loop *loop, struct mp_loop_census *out);

struct mp_rand *mp_loop_rand(struct mp_loop *loop);
struct mp_log *mp_loop_log(struct mp_loop *loop); // the default log of everything in this world
struct mp_beat;
struct mp_beat *mp_loop_beat(struct mp_loop *loop); // what its thread is in just now, for who looks on

// ---- time -------------------------------------------------------------------------------------------------
uint64_t mp_loop_now_ns(struct mp_loop *loop); // monotonic, stamped at the start of this turn (outside: read)
uint64_t mp_loop_clock_ns(struct mp_loop *loop); // monotonic, read now
uint64_t mp_loop_now_ms(struct mp_loop *loop);   // mp_loop_now_ns / 1e6
// Between these two it is one moment, as in a turn: for a short piece of work that may be done outside of one and asks
// for the time again and again. `entered` is what the first one gave.
bool mp_loop_enter_moment(struct mp_loop *loop) MP_MUST_CHECK;
void mp_loop_leave_moment(struct mp_loop *loop, bool entered);
uint64_t mp_loop_wall_us(struct mp_loop *loop); // microseconds since 1970; may jump
int64_t mp_loop_wall_ms_of(struct mp_loop *loop,
                           uint64_t loop_ms); // of a mp_loop_now_ms(): milliseconds since 1970

// A timer in its owner's storage; fires once for each start. Equal deadlines fire in the order of their
// start. When the loop wakes very late (the machine was suspended), sockets are read before timers fire.
struct mp_timer {
	void (*fn)(void *data);
	void *data;
	struct mp_loop *loop;
	uint64_t deadline_ns;
	uint64_t order;
	size_t heap_slot; // position in the loop's heap + 1, 0: not started
	bool is_reserved; // there is room for it, started or not
};
void mp_timer_init(struct mp_timer *timer, struct mp_loop *loop, void (*fn)(void *data), void *data);
// A started timer is moved. Fails only for lack of memory (heap growth).
int mp_timer_start_ms(struct mp_timer *timer, uint64_t delay_ms) MP_MUST_CHECK;
int mp_timer_start_at_ns(struct mp_timer *timer, uint64_t deadline_ns) MP_MUST_CHECK;
void mp_timer_stop(struct mp_timer *timer); // also when not started
bool mp_timer_active(const struct mp_timer *timer);
// One that is not started: to start it cannot fail from now on, until it is released. 0 or MP_ENOMEM.
int mp_timer_reserve(struct mp_timer *timer) MP_MUST_CHECK;
void mp_timer_release(struct mp_timer *timer); // stops it; also when it was not reserved

// ---- tasks ------------------------------------------------------------------------------------------------
enum mp_phase { MP_PHASE_RUN, MP_PHASE_FLUSH, MP_PHASE_AFTER, MP_PHASE_COUNT };
// Work for later in this turn (or the next one, when posted outside of a turn). Posting a posted task does
// nothing. RUN tasks posted by RUN tasks run in the same turn, up to 64 deep. AFTER tasks run when the FLUSH tasks
// have, so what was queued in this turn is sent. Other tasks posted by FLUSH or AFTER tasks wait for the next turn,
// which then does not block.
struct mp_task {
	void (*fn)(void *data);
	void *data;
	struct mp_list_node node;
	enum mp_phase phase;
};
void mp_task_init(struct mp_task *task, void (*fn)(void *data), void *data);
void mp_task_post(struct mp_loop *loop, struct mp_task *task, enum mp_phase phase);
void mp_task_cancel(struct mp_loop *loop, struct mp_task *task); // also when not posted
bool mp_task_posted(const struct mp_task *task);

// ---- byte streams -----------------------------------------------------------------------------------------
struct mp_sock; // made by mp_loop_connect or by a listener; belongs to the loop, closed by its user

struct mp_span {
	const void *data;
	size_t len;
};

struct mp_sock_events {
	// Once for a connecting socket: 0, MP_EREFUSED, MP_ECONNECT, or MP_ELOCAL (this machine's fault:
	// descriptors, ports). After an error only mp_sock_close() is allowed. Never for accepted sockets.
	void (*on_connect)(void *data, int rc);
	// Bytes, valid during the call only (they lie in the loop's read buffer). len > 0.
	void (*on_read)(void *data, const uint8_t *bytes, size_t len);
	// Nothing more will be read: MP_EEOF (the peer closed its side in order) or MP_ELOST (reset, network
	// error).
	void (*on_end)(void *data, int rc);
	// The socket takes bytes again, after a write that took less than offered. May be NULL.
	void (*on_writable)(void *data);
	// After mp_sock_gather(): what there is to write, which stays where it is until on_gathered tells how many bytes of
	// it the system took, or MP_ELOST, as mp_sock_writev() does. Nothing to write: no bytes, and nothing is told. Both
	// keep accounts and nothing else: other sockets' bytes have left, too, and are not told yet.
	void (*on_gather)(void *data, struct mp_span *span);
	void (*on_gathered)(void *data, ptrdiff_t took);
};

struct mp_sock_options {
	bool no_delay;
	bool keep_alive;
	uint32_t user_timeout_ms; // TCP_USER_TIMEOUT, 0: the system's
};

// Begin to connect. The events struct must outlive the socket. NULL and *err set when it cannot even begin.
struct mp_sock *mp_loop_connect(struct mp_loop *loop, const struct mp_addr *addr,
                                const struct mp_sock_options *options, const struct mp_sock_events *events,
                                void *data, int *err) MP_MUST_CHECK;
// Offer bytes: how many the system took (0 .. all; on_writable follows when it was not all), or MP_ELOST. At
// most 16 spans. One system call.
ptrdiff_t mp_sock_writev(struct mp_sock *sock, const struct mp_span *spans, size_t count) MP_MUST_CHECK;
// For FLUSH tasks. True: so many sockets write now that one system call for all is worth it; on_gather follows when all
// of these tasks have run, unless the socket is closed before. False: write by yourself.
bool mp_sock_gather(struct mp_sock *sock) MP_MUST_CHECK;
// Why sockets of this process never share a system call (io_uring), or NULL: they do where it is worth it.
const char *mp_loop_gathers_not(void);
// How many of the bytes that the system took the peer's machine has not confirmed. One system call.
size_t mp_sock_unconfirmed(struct mp_sock *sock);
void mp_sock_read_stop(struct mp_sock *sock); // back-pressure: no on_read until read_start
void mp_sock_read_start(struct mp_sock *sock);
// `reset`: abort with RST instead of FIN. Allowed in every state and inside callbacks; no callback follows.
void mp_sock_close(struct mp_sock *sock, bool reset);
void mp_sock_shutdown(struct mp_sock *sock); // FIN: no more writes, reads go on
// Has the peer closed both sides, so that nobody takes what is written? Seen of local sockets also while reading rests.
bool mp_sock_is_abandoned(struct mp_sock *sock);

struct mp_listener;
// `on_accept` gets a socket that is not reading yet: it must call mp_sock_adopt() or mp_sock_close() on it.
struct mp_listener *mp_loop_listen(struct mp_loop *loop, const struct mp_addr *addr,
                                   void (*on_accept)(void *data, struct mp_sock *sock), void *data,
                                   int *err) MP_MUST_CHECK;
// The same at a path of the file system, for processes of this user and of root: the socket has mode 0600, and whoever
// else comes in, because that was changed, is shut out and logged. The socket is removed with the listener. *err:
// MP_EBUSY (a living process listens there), MP_EINVAL (something that is no socket is there), MP_ETOOBIG (over 107
// bytes), MP_ENOTFOUND (no such folder), MP_EAUTH (not allowed), MP_ELOCAL; MP_EUNSUPPORTED in virtual time.
struct mp_listener *mp_loop_listen_local(struct mp_loop *loop, const char *path,
                                         void (*on_accept)(void *data, struct mp_sock *sock), void *data,
                                         int *err) MP_MUST_CHECK;
// To such a listener of this user or of root; connected at once, there is no on_connect.
struct mp_sock *mp_loop_connect_local(struct mp_loop *loop, const char *path,
                                      const struct mp_sock_events *events, void *data,
                                      int *err) MP_MUST_CHECK;
// Run the program at the path argv[0], without a shell, in a process group of its own. What it prints and complains is
// read from the socket, which is connected at once; what is written there it reads. The end of the stream is not yet
// the end of the process: mp_process_ended() must be asked until it says so. *err: MP_ENOTFOUND, MP_EAUTH (not allowed,
// or no program), MP_ETOOBIG (arguments), MP_ELOCAL; MP_EUNSUPPORTED in virtual time.
struct mp_sock *mp_loop_spawn(struct mp_loop *loop, const char *const argv[],
                              const struct mp_sock_events *events, void *data, int32_t *pid,
                              int *err) MP_MUST_CHECK;
void mp_process_kill(int32_t pid); // with its group; not after it has ended
// Has it ended? Once true, the process is gone. *status is its exit status, or -1; *signal what ended it, or -1.
bool mp_process_ended(int32_t pid, int *status, int *signal) MP_MUST_CHECK;
struct mp_addr
mp_listener_addr(const struct mp_listener *listener); // port 0 was asked for: the one that was given
void mp_listener_close(struct mp_listener *listener);
void mp_sock_adopt(struct mp_sock *sock, const struct mp_sock_events *events, void *data);

// ---- libraries with sockets of their own ------------------------------------------------------------------
// A library that accepts and reads by itself (libmicrohttpd below http/) and tells by one descriptor that it wants to
// be called. It holds no loop alive. MP_EUNSUPPORTED in a world without descriptors.
struct mp_poll;
struct mp_poll *mp_loop_poll(struct mp_loop *loop, int fd, void (*on_ready)(void *data), void *data,
                             int *err) MP_MUST_CHECK;
void mp_poll_close(struct mp_poll *poll); // before the descriptor is closed

// A descriptor that listens, for such a library: at an address, or at a path with the mode and the errors of
// mp_loop_listen_local(), where no peer is asked who it is.
struct mp_claim {
	int fd;
	struct mp_addr addr; // with the port that was given
	char *path;          // NULL: none
	uint64_t device, inode;
};
int mp_loop_claim(struct mp_loop *loop, const struct mp_addr *addr, const char *path,
                  struct mp_claim *claim) MP_MUST_CHECK;
void mp_claim_release(struct mp_loop *loop, struct mp_claim *claim); // after the library; closes `fd`

// ---- names ------------------------------------------------------------------------------------------------
#define MP_RESOLVE_MAX 256 // further records are dropped
struct mp_resolve;
// Look a name (or an address literal) up. `on_done` exactly once, later, unless cancelled: rc 0 and >= 1
// addresses with the port set, or MP_ERESOLVE. Names over 253 bytes fail at once with MP_EINVAL.
struct mp_resolve *mp_loop_resolve(struct mp_loop *loop, const char *host, uint16_t port,
                                   void (*on_done)(void *data, int rc, const struct mp_addr *addrs,
                                                   size_t count),
                                   void *data, int *err) MP_MUST_CHECK;
void mp_resolve_cancel(struct mp_resolve *resolve);

// ---- files that change ------------------------------------------------------------------------------------
struct mp_watch;
// `on_change` after the file at `path` was written, replaced by rename, or its directory entry changed;
// several changes within 20 ms are one call. The file need not exist; its directory must. Symbolic links on
// the way are followed at open and again at each change.
struct mp_watch *mp_loop_watch(struct mp_loop *loop, const char *path, void (*on_change)(void *data),
                               void *data, int *err) MP_MUST_CHECK;
void mp_watch_close(struct mp_watch *watch);
