// SPDX-License-Identifier: Apache-2.0
// Opening, losing, and opening again. One retry timer serves the pool: after a failure nothing is opened
// until it fires, so a host is knocked at as often as the backoff allows, however many connections it owes.
//
// Invariants: a member is in `conns` until it is freed; `ready` holds the connections of the READY members;
// the three counts are those of the parts. Work that events or callers ask for is done in review(), from the
// loop.
#include "pool/pool.h"

#include <stdio.h>

#include "base/mem.h"
#include "pool/pool_internal.h"

#define STABLE_MS 1000u // a connection that lived so long was a success: the backoff starts anew
// Wrong credentials or the wrong node: trying often helps nobody and locks accounts.
#define REFUSED_MS     10000u
#define REFUSED_JITTER 5000u
#define HINTED_MS      100u

// ---- parts ------------------------------------------------------------------------------------------------

static uint32_t *count_of(struct mp_pool *pool, enum mp_member_part part)
{
	switch (part) {
	case MP_MEMBER_OPENING: return &pool->opening_count;
	case MP_MEMBER_READY: return &pool->ready_count;
	case MP_MEMBER_DRAINING: return &pool->draining_count;
	case MP_MEMBER_GONE: break;
	}
	return NULL;
}

static bool may_follow(enum mp_member_part from, enum mp_member_part to)
{
	return to == MP_MEMBER_GONE || to == from + 1;
}

static void remove_ready(struct mp_pool *pool, const struct mp_conn *conn)
{
	uint32_t at = 0;
	while (at < pool->ready_count && pool->ready[at] != conn)
		at++;
	mp_assert(at < pool->ready_count);
	// The order is kept: ties between connections go to the first.
	for (; at + 1 < pool->ready_count; at++)
		pool->ready[at] = pool->ready[at + 1];
}

void mp_pool_set_part(struct mp_member *member, enum mp_member_part part)
{
	struct mp_pool *pool = member->pool;
	mp_assert(member->part != MP_MEMBER_GONE && may_follow(member->part, part));
	if (member->part == MP_MEMBER_READY)
		remove_ready(pool, member->conn);
	--*count_of(pool, member->part);
	member->part = part;
	if (part == MP_MEMBER_READY) {
		mp_assert(pool->ready_count < pool->capacity);
		pool->ready[pool->ready_count] = member->conn;
	}
	if (part == MP_MEMBER_GONE)
		mp_list_remove(&pool->conns, &member->node);
	else
		++*count_of(pool, part);
}

const struct mp_log *mp_pool_log(const struct mp_pool *pool)
{
	return pool->settings->log != NULL ? pool->settings->log : mp_loop_log(pool->loop);
}

// ---- retries ----------------------------------------------------------------------------------------------

static void wait_ms(struct mp_pool *pool, uint64_t delay_ms, bool backing_off)
{
	pool->backing_off = backing_off;
	if (mp_timer_start_ms(&pool->retry_timer, delay_ms) != 0)
		mp_log_write(mp_pool_log(pool), MP_LOG_ERROR,
		             "out of memory for a retry timer: trying with the next request");
}

static uint64_t remaining_ms(const struct mp_pool *pool)
{
	if (!mp_timer_active(&pool->retry_timer))
		return 0;
	uint64_t now = mp_loop_now_ns(pool->loop);
	uint64_t deadline = pool->retry_timer.deadline_ns;
	return deadline > now ? (deadline - now) / 1000000 : 0;
}

// The owner's wish, within bounds, or the backoff.
static uint64_t next_delay_ms(struct mp_pool *pool, enum mp_close_reason reason)
{
	uint64_t backoff_ms = mp_reconnect_next_ms(&pool->reconnect, mp_loop_rand(pool->loop));
	uint64_t wish_ms;
	const struct mp_pool_events *events = pool->events;
	if (events->retry_delay == NULL ||
	    !events->retry_delay(pool->owner, pool->reconnect.attempt, reason, &wish_ms))
		return backoff_ms;
	return wish_ms < MP_POOL_RETRY_LEAST_MS ? MP_POOL_RETRY_LEAST_MS : wish_ms;
}

static void retry_later(struct mp_pool *pool, enum mp_close_reason reason)
{
	struct mp_rand *rand = mp_loop_rand(pool->loop);
	bool refused = reason == MP_CLOSE_AUTH || reason == MP_CLOSE_IDENTITY;
	uint64_t long_ms = refused ? REFUSED_MS + mp_rand_below(rand, REFUSED_JITTER) : 0;
	// Connections that failed together are one failure.
	if (mp_timer_active(&pool->retry_timer) && pool->backing_off) {
		if (remaining_ms(pool) < long_ms)
			wait_ms(pool, long_ms, true);
		return;
	}
	uint64_t now = mp_loop_now_ms(pool->loop);
	if (pool->ready_ms != 0 && now - pool->ready_ms >= STABLE_MS)
		mp_reconnect_reset(&pool->reconnect);
	pool->ready_ms = 0;
	uint64_t delay_ms = next_delay_ms(pool, reason);
	wait_ms(pool, delay_ms > long_ms ? delay_ms : long_ms, true);
}

void mp_pool_open_now(struct mp_pool *pool)
{
	if (pool->backing_off || !mp_timer_active(&pool->retry_timer))
		return;
	mp_timer_stop(&pool->retry_timer);
	mp_pool_review_later(pool);
}

void mp_pool_retry_now(struct mp_pool *pool)
{
	if (pool->backing_off && remaining_ms(pool) > HINTED_MS)
		wait_ms(pool, HINTED_MS, true);
}

// ---- events of connections --------------------------------------------------------------------------------

static void tell_down(struct mp_pool *pool, const struct mp_conn_end *why)
{
	bool attempt = !why->was_ready;
	if (!pool->closing && pool->ready_count > 0 && attempt && pool->events->on_refused != NULL)
		pool->events->on_refused(pool->owner, why);
	if (pool->closing || pool->ready_count > 0)
		return;
	if (!pool->up && !attempt)
		return;
	pool->up = false;
	pool->events->on_down(pool->owner, why);
}

static void tell_room(struct mp_pool *pool)
{
	if (!pool->had_no_room || pool->closing)
		return;
	pool->had_no_room = false;
	pool->events->on_room(pool->owner);
}

static void tell_tried(struct mp_pool *pool)
{
	if (pool->events->on_tried != NULL)
		pool->events->on_tried(pool->owner);
}

static void on_conn_ready(void *owner, struct mp_conn *conn)
{
	struct mp_member *member = owner;
	struct mp_pool *pool = member->pool;
	member->ready_ms = mp_loop_now_ms(pool->loop);
	pool->ready_ms = member->ready_ms;
	pool->opened_total++;
	mp_pool_set_part(member, MP_MEMBER_READY);
	mp_pool_drain_stale(pool);
	mp_pool_review_later(pool);
	tell_tried(pool);
	pool->events->on_added(pool->owner, conn);
	if (!pool->up && !pool->closing && pool->ready_count > 0) {
		pool->up = true;
		pool->events->on_up(pool->owner);
	}
	tell_room(pool);
}

static bool by_our_will(enum mp_close_reason reason)
{
	return reason == MP_CLOSE_ASKED || reason == MP_CLOSE_IDLE || reason == MP_CLOSE_DRAINED;
}

static void on_conn_closed(void *owner, struct mp_conn *conn, const struct mp_conn_end *end)
{
	struct mp_member *member = owner;
	struct mp_pool *pool = member->pool;
	bool lost = !by_our_will(end->reason);
	mp_pool_set_part(member, MP_MEMBER_GONE);
	if (lost && end->was_ready)
		pool->lost_total++;
	else if (lost)
		pool->failed_total++;
	if (lost && !end->was_ready && pool->rotating && pool->ready_count > 0) {
		char addr[MP_ADDR_TEXT];
		mp_addr_format(&pool->addr, addr);
		mp_log_write(mp_pool_log(pool), MP_LOG_WARN,
		             "%s: a connection could not be replaced, the old ones stay: %s", addr, end->message);
	}
	// The connection of an address that the host has left says nothing about the host.
	if (lost && !pool->closing && !member->stale)
		retry_later(pool, end->reason);
	mp_pool_review_later(pool);
	if (!end->was_ready)
		tell_tried(pool);
	else
		pool->events->on_removed(pool->owner, conn, end, lost);
	if (end->was_ready || (lost && !member->stale))
		tell_down(pool, end);
	mp_conn_free(conn);
	mp_free(member);
}

static void on_conn_writable(void *owner, struct mp_conn *conn)
{
	(void)conn;
	struct mp_member *member = owner;
	tell_room(member->pool);
}

// ---- opening ----------------------------------------------------------------------------------------------

static int reserve_ready(struct mp_pool *pool)
{
	uint32_t want = pool->ready_count + pool->opening_count + 1;
	if (want <= pool->capacity)
		return 0;
	struct mp_conn **ready = mp_realloc(pool->ready, want * sizeof(ready[0]));
	if (ready == NULL)
		return MP_ENOMEM;
	pool->ready = ready;
	pool->capacity = want;
	return 0;
}

static int open_one(struct mp_pool *pool)
{
	static const struct mp_conn_events events = {
		.on_ready = on_conn_ready,
		.on_closed = on_conn_closed,
		.on_writable = on_conn_writable,
	};
	int rc = reserve_ready(pool);
	if (rc != 0)
		return rc;
	struct mp_member *member = mp_calloc(1, sizeof(*member));
	if (member == NULL)
		return MP_ENOMEM;
	member->pool = pool;
	member->part = MP_MEMBER_OPENING;
	mp_list_node_init(&member->node);
	member->conn =
		mp_conn_open(pool->loop, pool->settings, &pool->addr, &pool->host_id, false, &events, member, &rc);
	if (member->conn == NULL) {
		mp_free(member);
		return rc;
	}
	mp_list_push_back(&pool->conns, &member->node);
	pool->opening_count++;
	return 0;
}

// It could not even begin: an attempt that failed like others.
static void could_not_open(struct mp_pool *pool, int rc)
{
	bool local = rc == MP_ENOMEM || rc == MP_ELOCAL;
	struct mp_conn_end end = {
		.reason = local ? MP_CLOSE_LOCAL : MP_CLOSE_CONNECT,
		.err = rc,
		.server_code = -1,
	};
	snprintf(end.message, sizeof(end.message), "%s", mp_err_text(rc));
	pool->failed_total++;
	retry_later(pool, end.reason);
	tell_tried(pool);
	tell_down(pool, &end);
}

static bool wants_more(const struct mp_pool *pool)
{
	uint32_t parallel = pool->limits.core > 0 ? pool->limits.core : 1;
	if (parallel < pool->at_once)
		parallel = pool->at_once;
	return !pool->closing && !mp_timer_active(&pool->retry_timer) && pool->opening_count < parallel &&
	       mp_pool_fresh_count(pool) < pool->target;
}

static void fill(struct mp_pool *pool)
{
	while (wants_more(pool)) {
		uint64_t delay_ms =
			pool->events->open_delay_ms != NULL ? pool->events->open_delay_ms(pool->owner) : 0;
		if (delay_ms > 0) {
			wait_ms(pool, delay_ms, false);
			return;
		}
		if (pool->closing) {
			tell_tried(pool);
			return;
		}
		int rc = open_one(pool);
		if (rc != 0) {
			could_not_open(pool, rc);
			return;
		}
	}
	if (mp_pool_fresh_count(pool) >= pool->target)
		pool->at_once = 0;
}

static void on_retry(void *data)
{
	struct mp_pool *pool = data;
	pool->backing_off = false;
	fill(pool);
}

static void tell_size(struct mp_pool *pool)
{
	uint32_t from = pool->told_target;
	pool->told_target = pool->target;
	if (from != pool->target && pool->events->on_resized != NULL)
		pool->events->on_resized(pool->owner, from, pool->target, pool->why);
}

static void on_review(void *data)
{
	struct mp_pool *pool = data;
	if (pool->closing) {
		bool tell = pool->conns.count == 0 && !pool->empty_told && pool->events->on_empty != NULL;
		if (!tell)
			return;
		pool->empty_told = true;
		pool->events->on_empty(pool->owner);
		return;
	}
	struct mp_conn_end why = {
		.reason = MP_CLOSE_DRAINED, .err = MP_ECLOSED, .server_code = -1, .was_ready = true};
	mp_pool_sweep(pool, &why);
	snprintf(why.message, sizeof(why.message), "%s", mp_close_reason_text(why.reason));
	fill(pool);
	tell_size(pool);
	tell_down(pool, &why);
}

void mp_pool_review_later(struct mp_pool *pool)
{
	mp_task_post(pool->loop, &pool->review_task, MP_PHASE_RUN);
}

// ---- life -------------------------------------------------------------------------------------------------

void mp_pool_init(struct mp_pool *pool, struct mp_loop *loop, const struct mp_conn_settings *settings,
                  const struct mp_addr *addr, const struct mp_uuid *host_id,
                  const struct mp_pool_limits *limits, const struct mp_pool_events *events, void *owner)
{
	*pool = (struct mp_pool){
		.loop = loop,
		.settings = settings,
		.events = events,
		.owner = owner,
		.addr = *addr,
		.limits = *limits,
		.reconnect = {.base_ms = limits->reconnect_base_ms, .max_ms = limits->reconnect_max_ms},
	};
	if (host_id != NULL)
		pool->host_id = *host_id;
	mp_list_init(&pool->conns);
	mp_timer_init(&pool->retry_timer, loop, on_retry, pool);
	mp_timer_init(&pool->idle_timer, loop, mp_pool_on_idle, pool);
	mp_timer_init(&pool->sample_timer, loop, mp_pool_on_sample, pool);
	mp_task_init(&pool->review_task, on_review, pool);
}

void mp_pool_deinit(struct mp_pool *pool)
{
	mp_assert(pool->conns.count == 0);
	mp_timer_stop(&pool->retry_timer);
	mp_timer_stop(&pool->idle_timer);
	mp_timer_stop(&pool->sample_timer);
	mp_task_cancel(pool->loop, &pool->review_task);
	mp_free(pool->ready);
	pool->ready = NULL;
	pool->capacity = 0;
}

void mp_pool_open(struct mp_pool *pool)
{
	pool->opened = true;
	pool->closing = false;
	pool->empty_told = false;
	if (pool->target < pool->limits.core) {
		mp_pool_set_target(pool, pool->limits.core, "");
		pool->told_target = pool->target;
		mp_adaptive_init(&pool->adaptive);
	}
	mp_pool_sample(pool);
	mp_pool_review_later(pool);
}

static void end_member(struct mp_member *member, bool drain)
{
	if (member->part == MP_MEMBER_OPENING || !drain) {
		mp_conn_close(member->conn, MP_CLOSE_ASKED, NULL);
		return;
	}
	if (member->part == MP_MEMBER_READY)
		mp_pool_set_part(member, MP_MEMBER_DRAINING);
	mp_conn_drain(member->conn, MP_CLOSE_DRAINED);
}

void mp_pool_close(struct mp_pool *pool, bool drain)
{
	pool->opened = false;
	pool->closing = true;
	pool->up = false;
	mp_pool_set_target(pool, 0, "");
	mp_timer_stop(&pool->retry_timer);
	mp_timer_stop(&pool->idle_timer);
	mp_timer_stop(&pool->sample_timer);
	struct mp_list_node *node = mp_list_first(&pool->conns);
	for (; node != NULL; node = mp_list_next(&pool->conns, node))
		end_member(MP_CONTAINER_OF(node, struct mp_member, node), drain);
	mp_pool_review_later(pool);
}

static void replace_all(struct mp_pool *pool, const char *why)
{
	struct mp_list_node *node = mp_list_first(&pool->conns);
	for (; node != NULL; node = mp_list_next(&pool->conns, node)) {
		struct mp_member *member = MP_CONTAINER_OF(node, struct mp_member, node);
		member->stale = true;
		if (member->part == MP_MEMBER_OPENING)
			mp_conn_close(member->conn, MP_CLOSE_ASKED, why);
	}
	mp_timer_stop(&pool->retry_timer);
	mp_reconnect_reset(&pool->reconnect);
	mp_pool_review_later(pool);
}

// Connections of that address are as good as new ones, those of others are in the way of none.
static void move_to(struct mp_pool *pool, const struct mp_addr *addr)
{
	pool->addr = *addr;
	pool->rotating = false;
	struct mp_list_node *node = mp_list_first(&pool->conns);
	for (; node != NULL; node = mp_list_next(&pool->conns, node)) {
		struct mp_member *member = MP_CONTAINER_OF(node, struct mp_member, node);
		member->stale = !mp_addr_eq(mp_conn_addr(member->conn), addr);
		if (member->stale && member->part == MP_MEMBER_OPENING)
			mp_conn_close(member->conn, MP_CLOSE_ASKED, "the host has another address now");
	}
	mp_pool_review_later(pool);
}

void mp_pool_set_addr(struct mp_pool *pool, const struct mp_addr *addr)
{
	if (mp_addr_eq(&pool->addr, addr))
		return;
	move_to(pool, addr);
	mp_timer_stop(&pool->retry_timer);
	mp_reconnect_reset(&pool->reconnect);
}

void mp_pool_try_addr(struct mp_pool *pool, const struct mp_addr *addr, bool now)
{
	move_to(pool, addr);
	if (now && pool->backing_off)
		mp_timer_stop(&pool->retry_timer);
}

void mp_pool_rotate(struct mp_pool *pool, const char *why)
{
	if (!pool->opened)
		return;
	pool->rotating = true;
	replace_all(pool, why);
}

bool mp_pool_is_empty(const struct mp_pool *pool)
{
	return pool->conns.count == 0;
}

bool mp_pool_is_up(const struct mp_pool *pool)
{
	return pool->ready_count > 0;
}
