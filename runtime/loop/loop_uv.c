// SPDX-License-Identifier: Apache-2.0
// The real body of loop.h, over libuv: its life and its turns. A turn is
//
//	poll (sockets are read)  ->  check: timers, RUN tasks, FLUSH tasks  ->  ...  ->  prepare: tasks posted
// since
//
// Timers fire in the check handle only, so sockets are always read before them; the uv timer does nothing but
// wake the poll. Tasks run in check, and once more in prepare for what the host program posted between the
// turns. That works in the same way whether we run the uv loop or its owner does.
#include "loop/loop_uv.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/err.h"
#include "base/fork.h"
#include "base/mem.h"

#define NS_PER_MS       1000000u
#define WAKE_MS_MAX     3600000u // a deadline further away is looked at again every hour
#define GRACE_TURNS_MAX 16

#define PROBED_DESCRIPTORS 4

static void on_handle_closed(uv_handle_t *handle)
{
	struct mp_loop_uv *self = handle->data;
	if (--self->handles_open > 0)
		return;
	if (!self->own)
		mp_free(self);
}

static void uv_body_free(struct mp_loop *loop)
{
	struct mp_loop_uv *self = mp_loop_uv_of(loop);
	mp_loop_deinit(loop);
	mp_uv_ring_free(self->ring);
	mp_free(self->read_buf);
	self->read_buf = NULL;
	bool own = self->own;
	uv_close((uv_handle_t *)&self->prepare, on_handle_closed);
	uv_close((uv_handle_t *)&self->check, on_handle_closed);
	uv_close((uv_handle_t *)&self->idle, on_handle_closed);
	uv_close((uv_handle_t *)&self->timer, on_handle_closed);
	if (!own)
		return;
	while (uv_run(self->uv, UV_RUN_DEFAULT) != 0) {}
	int rc = uv_loop_close(self->uv);
	mp_assert(rc == 0);
	mp_free(self);
}

// ---- a child of fork() ------------------------------------------------------------------------------------

// The epoll is the parent's: waiting on it tells of descriptors that this process does not have, on which libuv aborts,
// and what is closed is taken off it. So it gets another one. False: there is no descriptor for it.
static bool part(struct mp_loop_uv *self)
{
	if (self->epoll_of != mp_fork_generation() && uv_loop_fork(self->uv) == 0)
		self->epoll_of = mp_fork_generation();
	return self->epoll_of == mp_fork_generation();
}

static void uv_body_leave(struct mp_loop *loop)
{
	struct mp_loop_uv *self = mp_loop_uv_of(loop);
	if (self->left || !part(self))
		return;
	self->left = true;
	while (self->held.count > 0) {
		struct mp_uv_held *held = MP_CONTAINER_OF(mp_list_pop_front(&self->held), struct mp_uv_held, node);
		held->leave(held);
	}
	mp_uv_ring_free(self->ring);
	self->ring = NULL;
	uv_close((uv_handle_t *)&self->prepare, NULL);
	uv_close((uv_handle_t *)&self->check, NULL);
	uv_close((uv_handle_t *)&self->idle, NULL);
	uv_close((uv_handle_t *)&self->timer, NULL);
	if (!self->own)
		return;
	// A lookup that was under way never ends: its thread is the parent's. Then libuv keeps its part, too.
	uv_run(self->uv, UV_RUN_NOWAIT);
	(void)uv_loop_close(self->uv);
}

void mp_uv_hold(struct mp_loop *loop, struct mp_uv_held *held, void (*leave)(struct mp_uv_held *held))
{
	mp_list_node_init(&held->node);
	held->leave = leave;
	mp_list_push_back(&mp_loop_uv_of(loop)->held, &held->node);
}

void mp_uv_drop(struct mp_loop *loop, struct mp_uv_held *held)
{
	mp_list_remove(&mp_loop_uv_of(loop)->held, &held->node);
}

static uint64_t uv_body_clock_ns(struct mp_loop *loop)
{
	(void)loop;
	return uv_hrtime();
}

static uint64_t uv_body_wall_us(struct mp_loop *loop)
{
	(void)loop;
	struct timespec now;
	int rc = clock_gettime(CLOCK_REALTIME, &now);
	mp_assert(rc == 0);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void uv_body_keep(struct mp_loop *loop, bool alive)
{
	struct mp_loop_uv *self = mp_loop_uv_of(loop);
	if (alive)
		uv_ref((uv_handle_t *)&self->prepare);
	else
		uv_unref((uv_handle_t *)&self->prepare);
}

static void on_wake(uv_timer_t *timer)
{
	struct mp_loop_uv *self = timer->data;
	self->armed_ns = UINT64_MAX;
}

// See that the poll wakes for the nearest deadline. A uv timer that is set too early stays: it wakes once in
// vain.
static void arm(struct mp_loop_uv *self)
{
	// A host that turns the loop looks at the deadline itself.
	uint64_t deadline_ns = self->base.touched != NULL ? UINT64_MAX : mp_loop_next_deadline(&self->base);
	if (deadline_ns > self->turn_limit_ns)
		deadline_ns = self->turn_limit_ns;
	if (deadline_ns == UINT64_MAX) {
		if (self->armed_ns != UINT64_MAX)
			uv_timer_stop(&self->timer);
		self->armed_ns = UINT64_MAX;
		return;
	}
	if (deadline_ns >= self->armed_ns)
		return;
	uv_update_time(self->uv);
	uint64_t now_ms = uv_now(self->uv);
	uint64_t wake_ms = deadline_ns / NS_PER_MS + (deadline_ns % NS_PER_MS != 0);
	uint64_t delay_ms = wake_ms > now_ms ? wake_ms - now_ms : 0;
	if (delay_ms > WAKE_MS_MAX)
		delay_ms = WAKE_MS_MAX;
	int rc = uv_timer_start(&self->timer, on_wake, delay_ms, 0);
	mp_assert(rc == 0);
	self->armed_ns = deadline_ns;
}

static void on_idle(uv_idle_t *idle)
{
	(void)idle;
}

// Until when it may look instead of sleeping: not beyond what would have woken it, nor into a turn that may not sleep.
static uint64_t look_until_ns(struct mp_loop_uv *self, uint64_t now_ns)
{
	uint64_t until_ns = now_ns + self->base.busy_poll_us * UINT64_C(1000);
	uint64_t own_ns = mp_loop_next_deadline(&self->base);
	uv_update_time(self->uv);
	// Also of a program whose libuv loop this is. 0 while libuv has descriptors that the kernel does not watch yet.
	int timeout_ms = uv_backend_timeout(self->uv);
	uint64_t theirs_ns = timeout_ms >= 0 ? now_ns + (uint64_t)timeout_ms * NS_PER_MS : UINT64_MAX;
	until_ns = own_ns < until_ns ? own_ns : until_ns;
	return theirs_ns < until_ns ? theirs_ns : until_ns;
}

// libuv's descriptors are watched level triggered, so looking takes nothing away from the poll that follows.
static void look_before_sleeping(struct mp_loop_uv *self)
{
	struct epoll_event event;
	uint64_t now_ns = uv_hrtime(), until_ns = look_until_ns(self, now_ns);
	for (; now_ns < until_ns; now_ns = uv_hrtime()) {
		self->base.busy_looks++;
		if (epoll_wait(uv_backend_fd(self->uv), &event, 1, 0) != 0)
			return;
	}
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct mp_loop_uv *self = prepare->data;
	if (mp_loop_has_tasks(&self->base) && !mp_loop_is_forked(&self->base)) {
		mp_loop_stamp(&self->base);
		mp_loop_run_tasks(&self->base);
		mp_loop_unstamp(&self->base);
	}
	bool forked = mp_loop_is_forked(&self->base);
	if (forked)
		(void)part(self); // without descriptors for it there is little to do
	// A poll that may not sleep: tasks are left, or one of them has just asked the run to stop, or forked.
	if (mp_loop_has_tasks(&self->base) || (self->base.running && self->base.stopping) || forked)
		uv_idle_start(&self->idle, on_idle);
	else
		uv_idle_stop(&self->idle);
	arm(self);
	if (MP_UNLIKELY(self->base.busy_poll_us > 0) && !self->may_not_sleep && self->base.touched == NULL &&
	    !forked)
		look_before_sleeping(self);
}

// True when the machine slept: deadlines passed long ago, and what would have met them may still be on its
// way through sockets that give something in every turn.
static bool timers_must_wait(struct mp_loop_uv *self)
{
	uint64_t deadline_ns = mp_loop_next_deadline(&self->base);
	uint64_t now_ns = self->base.now_ns;
	bool late = deadline_ns < now_ns && now_ns - deadline_ns > MP_LOOP_LATE_NS;
	if (!late || !self->has_read || self->grace == GRACE_TURNS_MAX) {
		self->grace = 0;
		return false;
	}
	self->grace++;
	return true;
}

static void on_check(uv_check_t *check)
{
	struct mp_loop_uv *self = check->data;
	// A program that goes on with its own loop in a child goes on without us.
	if (mp_loop_is_forked(&self->base)) {
		if (!self->own)
			uv_body_leave(&self->base);
		return;
	}
	mp_loop_stamp(&self->base);
	if (!timers_must_wait(self))
		mp_loop_fire_timers(&self->base);
	self->has_read = false;
	mp_loop_run_tasks(&self->base);
	mp_loop_unstamp(&self->base);
}

static void uv_body_run(struct mp_loop *loop)
{
	struct mp_loop_uv *self = mp_loop_uv_of(loop);
	while (!loop->stopping && loop->holds > 0 && !mp_loop_is_forked(loop))
		uv_run(self->uv, UV_RUN_ONCE);
}

static bool uv_body_turn(struct mp_loop *loop, int wait_ms)
{
	struct mp_loop_uv *self = mp_loop_uv_of(loop);
	loop->ran = false;
	if (wait_ms == 0) {
		self->may_not_sleep = true;
		uv_run(self->uv, UV_RUN_NOWAIT);
		self->may_not_sleep = false;
		return loop->ran;
	}
	if (wait_ms > 0)
		self->turn_limit_ns = uv_hrtime() + (uint64_t)wait_ms * NS_PER_MS;
	// A libuv turn may end with nothing of ours having happened: its timer woke too early, a handle of the
	// host's.
	do {
		uv_run(self->uv, UV_RUN_ONCE);
	} while (!loop->ran && loop->holds > 0 && uv_hrtime() < self->turn_limit_ns && !mp_loop_is_forked(loop));
	self->turn_limit_ns = UINT64_MAX;
	return loop->ran;
}

static int uv_body_fd(struct mp_loop *loop)
{
	return uv_backend_fd(mp_loop_uv_of(loop)->uv);
}

// Descriptors to be watched, handles to be closed: libuv says so by a timeout of 0, as it does when nothing is alive.
static bool uv_body_is_due(struct mp_loop *loop)
{
	uv_loop_t *uv = mp_loop_uv_of(loop)->uv;
	return uv_loop_alive(uv) != 0 && uv_backend_timeout(uv) == 0;
}

static const struct mp_loop_ops uv_ops = {
	.free = uv_body_free,
	.leave = uv_body_leave,
	.run = uv_body_run,
	.turn = uv_body_turn,
	.fd = uv_body_fd,
	.is_due = uv_body_is_due,
	.clock_ns = uv_body_clock_ns,
	.wall_us = uv_body_wall_us,
	.keep = uv_body_keep,
	.connect = mp_uv_connect,
	.writev = mp_uv_writev,
	.unconfirmed = mp_uv_unconfirmed,
	.can_gather = mp_uv_can_gather,
	.write_all = mp_uv_write_all,
	.read_changed = mp_uv_read_changed,
	.close = mp_uv_close,
	.shutdown = mp_uv_shutdown,
	.is_abandoned = mp_uv_is_abandoned,
	.listen = mp_uv_listen,
	.unlisten = mp_uv_unlisten,
	.listen_local = mp_uv_listen_local,
	.connect_local = mp_uv_connect_local,
	.spawn = mp_uv_spawn,
	.resolve = mp_uv_resolve,
	.cancel = mp_uv_cancel,
	.poll = mp_uv_poll,
	.unpoll = mp_uv_unpoll,
	.claim = mp_uv_claim,
	.unclaim = mp_uv_unclaim,
	.watch = mp_uv_watch,
	.unwatch = mp_uv_unwatch,
};

// None of these uv calls can fail but by misuse.
static void start_handles(struct mp_loop_uv *self)
{
	int rc = uv_prepare_init(self->uv, &self->prepare);
	rc |= uv_check_init(self->uv, &self->check);
	rc |= uv_idle_init(self->uv, &self->idle);
	rc |= uv_timer_init(self->uv, &self->timer);
	rc |= uv_prepare_start(&self->prepare, on_prepare);
	rc |= uv_check_start(&self->check, on_check);
	mp_assert(rc == 0);
	self->prepare.data = self;
	self->check.data = self;
	self->idle.data = self;
	self->timer.data = self;
	self->handles_open = 4;
	uv_unref((uv_handle_t *)&self->prepare);
	uv_unref((uv_handle_t *)&self->check);
	uv_unref((uv_handle_t *)&self->idle);
	uv_unref((uv_handle_t *)&self->timer);
}

// libuv ends the process when it finds no descriptors for its first pipe.
static bool has_descriptors(void)
{
	int fds[PROBED_DESCRIPTORS];
	int count = 0;
	while (count < PROBED_DESCRIPTORS && (fds[count] = open("/", O_RDONLY | O_CLOEXEC)) >= 0)
		count++;
	for (int i = 0; i < count; i++)
		close(fds[i]);
	return count == PROBED_DESCRIPTORS;
}

struct mp_loop *mp_loop_uv_new(void *uv_loop, uint64_t seed)
{
	struct mp_loop_uv *self = mp_calloc(1, sizeof(*self));
	if (self == NULL)
		return NULL;
	self->read_buf = mp_alloc(MP_UV_READ_BYTES);
	if (self->read_buf == NULL) {
		mp_free(self);
		return NULL;
	}
	mp_descriptor_fill_standard(); // libuv's own are above them then
	self->own = uv_loop == NULL;
	if (self->own && (!has_descriptors() || uv_loop_init(&self->own_uv) != 0)) {
		mp_free(self->read_buf);
		mp_free(self);
		return NULL;
	}
	self->uv = self->own ? &self->own_uv : uv_loop;
	self->armed_ns = UINT64_MAX;
	self->turn_limit_ns = UINT64_MAX;
	self->epoll_of = mp_fork_generation();
	mp_list_init(&self->held);
	mp_loop_init(&self->base, &uv_ops, seed);
	start_handles(self);
	return &self->base;
}
