// SPDX-License-Identifier: Apache-2.0
// How nginx's event loop turns ours. The order of a round of nginx's, and what of ours is where:
//
//	posted_next    `next`: a turn that must not wait for anything
//	epoll          the backend descriptor is readable: a turn. Clients' requests come here, too, and submit
//	timers         `timer`: the nearest deadline: a turn
//	posted         `flush`: what was submitted; coroutines that were rung for go on, and submit again; `after`
//
// Level triggered, because libuv reads a bounded number of times in a turn and leaves the rest to the next one: an edge
// that was seen does not come again. nginx moves a timer by less than 300 ms not at all, so it is removed first.
#include "nginx/pump.h"

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "base/mem.h"
#include "loop/loop.h"

struct mp_pump {
	struct mp_loop *loop;
	ngx_connection_t *conn; // with the backend descriptor
	ngx_connection_t none;  // what nginx's debug log looks at in events that have no connection
	ngx_event_t timer, next, flush, after, hold;
	size_t (*requests)(void *data);
	void (*end)(void *data);
	void *data;
	void (*after_fn)(void);
	bool turning;
	bool exiting; // the worker was told to go when its work is done
	bool ending;
	struct mp_pump_counts counts;
};

extern ngx_module_t ngx_moonpool_module; // module.c

static struct mp_pump *of_worker; // a process has one event loop

struct mp_pump *mp_pump_of_worker(void)
{
	return of_worker;
}

bool mp_pump_is_ending(void)
{
	return of_worker == NULL || of_worker->ending;
}

void mp_pump_counts(struct mp_pump_counts *out)
{
	*out = of_worker != NULL ? of_worker->counts : (struct mp_pump_counts){0};
}

// ---- the next turn ----------------------------------------------------------------------------------------

static void stop_timer(ngx_event_t *timer)
{
	if (timer->timer_set) {
		ngx_del_timer(timer);
	}
}

// nginx counts from the time of its round, which may be long ago.
static void start_timer(struct mp_pump *pump, int wait_ms)
{
	uint64_t now_ms = mp_loop_clock_ns(pump->loop) / 1000000u;
	ngx_msec_t late_ms = (ngx_msec_t)now_ms - ngx_current_msec;
	if (late_ms > 60000) // another clock than ours
		late_ms = 0;
	ngx_msec_t delay_ms = (ngx_msec_t)wait_ms + late_ms;
	if (pump->timer.timer_set) {
		// One that comes too early turns the loop once in vain.
		if ((ngx_msec_int_t)(pump->timer.timer.key - (ngx_current_msec + delay_ms)) <= 0)
			return;
		ngx_del_timer(&pump->timer);
	}
	ngx_add_timer(&pump->timer, delay_ms);
}

// While the worker goes, a timer that nginx waits for stands for the requests in flight: it looks at timers only.
static void hold_worker(struct mp_pump *pump)
{
	if (!pump->exiting || pump->requests(pump->data) == 0) {
		stop_timer(&pump->hold);
		return;
	}
	if (pump->hold.timer_set)
		return;
	ngx_core_conf_t *conf =
		(ngx_core_conf_t *)ngx_get_conf(((ngx_cycle_t *)(uintptr_t)ngx_cycle)->conf_ctx, ngx_core_module);
	ngx_msec_t longest = conf->shutdown_timeout;
	ngx_add_timer(&pump->hold, longest != 0 && longest != NGX_CONF_UNSET_MSEC ? longest : 86400000);
}

static void arm(struct mp_pump *pump)
{
	int wait_ms = mp_loop_wait_ms(pump->loop);
	if (wait_ms == 0) {
		ngx_post_event(&pump->next, &ngx_posted_next_events);
	} else if (wait_ms < 0) {
		stop_timer(&pump->timer);
	} else {
		start_timer(pump, wait_ms);
	}
	if (MP_UNLIKELY(pump->exiting))
		hold_worker(pump);
}

static void turn(struct mp_pump *pump)
{
	if (pump->turning || pump->ending)
		return;
	pump->turning = true;
	pump->counts.turns++;
	(void)mp_loop_turn(pump->loop, 0);
	pump->turning = false;
	arm(pump);
}

// ---- what nginx calls -------------------------------------------------------------------------------------

// Also called without anything to read: with `close` when the worker is told to go, and at worker_shutdown_timeout.
static void on_readable(ngx_event_t *event)
{
	struct mp_pump *pump = of_worker;
	if (pump == NULL)
		return;
	if (pump->conn->close) {
		pump->conn->close = 0;
		pump->exiting = true;
	}
	(void)event;
	turn(pump);
}

static void on_write(ngx_event_t *event)
{
	(void)event;
}

static void on_timer(ngx_event_t *event)
{
	struct mp_pump *pump = MP_CONTAINER_OF(event, struct mp_pump, timer);
	pump->counts.wakes++;
	turn(pump);
}

static void on_next(ngx_event_t *event)
{
	turn(MP_CONTAINER_OF(event, struct mp_pump, next));
}

static void on_flush(ngx_event_t *event)
{
	struct mp_pump *pump = MP_CONTAINER_OF(event, struct mp_pump, flush);
	if (pump->turning || pump->ending)
		return;
	pump->turning = true;
	pump->counts.flushes++;
	mp_loop_flush(pump->loop);
	pump->turning = false;
	arm(pump);
}

static void on_after(ngx_event_t *event)
{
	struct mp_pump *pump = MP_CONTAINER_OF(event, struct mp_pump, after);
	pump->after_fn();
}

static void on_hold(ngx_event_t *event)
{
	(void)event; // worker_shutdown_timeout is over: nobody waits any more
}

// Something was begun outside of a turn.
static void on_touched(void *data)
{
	struct mp_pump *pump = data;
	if (!pump->turning && !pump->ending) {
		ngx_post_event(&pump->flush, &ngx_posted_events);
	}
}

void mp_pump_after(void (*fn)(void))
{
	struct mp_pump *pump = of_worker;
	pump->after_fn = fn;
	// Behind all that was posted meanwhile.
	if (pump->after.posted) {
		ngx_delete_posted_event(&pump->after);
	}
	ngx_post_event(&pump->after, &ngx_posted_events);
}

// ---- life -------------------------------------------------------------------------------------------------

static void init_event(struct mp_pump *pump, ngx_event_t *event, ngx_event_handler_pt handler)
{
	event->handler = handler;
	event->data = &pump->none;
	event->log = ngx_cycle->log;
	event->cancelable = 1; // a worker that goes does not wait for it
}

// Where the module's exit_process is not called, because nginx did not load it as a module.
static void on_cycle_end(void *data)
{
	if (data == of_worker)
		mp_pump_end();
}

// A module's exit_process is called before nginx looks for what is left open; a pool's cleanup, afterwards.
static bool is_module(void)
{
	for (ngx_uint_t i = 0; ngx_cycle->modules[i] != NULL; i++)
		if (ngx_cycle->modules[i] == &ngx_moonpool_module)
			return true;
	return false;
}

static bool watch_backend(struct mp_pump *pump)
{
	ngx_connection_t *conn = ngx_get_connection(mp_loop_fd(pump->loop), ngx_cycle->log);
	if (conn == NULL)
		return false;
	pump->conn = conn;
	conn->read->handler = on_readable;
	conn->write->handler = on_write;
	conn->read->log = conn->write->log = ngx_cycle->log;
	conn->data = pump;
	conn->idle = 1; // so that it hears of the worker's end
	conn->read->channel = !is_module();
	if (ngx_add_event(conn->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
		conn->fd = (ngx_socket_t)-1;
		ngx_free_connection(conn);
		return false;
	}
	return true;
}

struct mp_pump *mp_pump_start(struct mp_loop *loop, size_t (*requests)(void *data), void (*end)(void *data),
                              void *data)
{
	struct mp_pump *pump = mp_calloc(1, sizeof(*pump));
	if (pump == NULL)
		return NULL;
	*pump = (struct mp_pump){.loop = loop, .requests = requests, .end = end, .data = data};
	pump->none.fd = (ngx_socket_t)-1;
	init_event(pump, &pump->timer, on_timer);
	init_event(pump, &pump->next, on_next);
	init_event(pump, &pump->flush, on_flush);
	init_event(pump, &pump->after, on_after);
	init_event(pump, &pump->hold, on_hold);
	pump->hold.cancelable = 0;
	ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(ngx_cycle->pool, 0);
	if (cleanup == NULL || !watch_backend(pump)) {
		mp_free(pump);
		return NULL;
	}
	cleanup->handler = on_cycle_end;
	cleanup->data = pump;
	of_worker = pump;
	mp_loop_on_touch(loop, on_touched, pump);
	ngx_post_event(&pump->next,
	               &ngx_posted_next_events); // the first round looks at nothing else that is posted
	return pump;
}

static void drop_event(ngx_event_t *event)
{
	stop_timer(event);
	if (event->posted) {
		ngx_delete_posted_event(event);
	}
}

void mp_pump_end(void)
{
	struct mp_pump *pump = of_worker;
	if (pump == NULL || pump->ending)
		return;
	pump->ending = true;
	mp_loop_on_touch(pump->loop, NULL, NULL);
	drop_event(&pump->timer);
	drop_event(&pump->next);
	drop_event(&pump->flush);
	drop_event(&pump->after);
	drop_event(&pump->hold);
	ngx_connection_t *conn = pump->conn;
	if (conn->read->active) {
		(void)ngx_del_event(conn->read, NGX_READ_EVENT, 0);
	}
	drop_event(conn->read);
	ngx_free_connection(conn);
	conn->fd = (ngx_socket_t)-1; // nginx complains of what is left open; the loop closes it
	pump->end(pump->data);
	of_worker = NULL;
	mp_free(pump);
}
