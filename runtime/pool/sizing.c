// SPDX-License-Identifier: Apache-2.0
// How many connections, and which one next. A pool grows by one connection at a time, when even the least
// busy one is at its mark, and shrinks when connections beyond the core have carried nothing for the idle
// time: between the two lies enough that it does not flap. Or the measured load decides (pool/adaptive.h).
#include "pool/pool.h"

#include <stdio.h>

#include "pool/pool_internal.h"

static struct mp_member *member_of(struct mp_list_node *node)
{
	return MP_CONTAINER_OF(node, struct mp_member, node);
}

uint32_t mp_pool_fresh_count(const struct mp_pool *pool)
{
	uint32_t count = 0;
	struct mp_list_node *node = mp_list_first(&pool->conns);
	for (; node != NULL; node = mp_list_next(&pool->conns, node)) {
		const struct mp_member *member = member_of(node);
		bool counts = member->part == MP_MEMBER_OPENING || member->part == MP_MEMBER_READY;
		if (counts && !member->stale)
			count++;
	}
	return count;
}

void mp_pool_set_target(struct mp_pool *pool, uint32_t target, const char *why)
{
	if (pool->target == target)
		return;
	pool->target = target;
	snprintf(pool->why, sizeof(pool->why), "%s", why);
	mp_pool_review_later(pool);
}

// ---- taking, growing --------------------------------------------------------------------------------------

static uint64_t idle_tick_ms(const struct mp_pool *pool)
{
	return pool->limits.idle_timeout_ms / 4 + 1;
}

static void watch_idle(struct mp_pool *pool)
{
	bool never = pool->limits.idle_timeout_ms == 0 || pool->limits.adaptive.enabled;
	if (never || mp_timer_active(&pool->idle_timer))
		return;
	if (mp_timer_start_ms(&pool->idle_timer, idle_tick_ms(pool)) != 0)
		mp_log_write(mp_pool_log(pool), MP_LOG_ERROR, "out of memory for an idle timer");
}

static struct mp_adaptive_pool as_it_stands(const struct mp_pool *pool)
{
	return (struct mp_adaptive_pool){
		.size = pool->target,
		.min = pool->limits.core,
		.max = pool->limits.max,
		.room = pool->settings->max_streams,
	};
}

static void rush(struct mp_pool *pool)
{
	struct mp_adaptive_pool now = as_it_stands(pool);
	uint32_t size = mp_adaptive_rush(&pool->adaptive, &pool->limits.adaptive, &now);
	if (size > pool->target)
		pool->at_once = size - pool->target;
	mp_pool_set_target(pool, size, "no connection has room");
}

static void grow(struct mp_pool *pool)
{
	bool settled = pool->opening_count == 0 && !mp_timer_active(&pool->retry_timer) &&
	               mp_pool_fresh_count(pool) >= pool->target;
	if (pool->target == 0 || pool->target >= pool->limits.max || !settled)
		return;
	if (pool->limits.adaptive.enabled) {
		rush(pool);
		return;
	}
	mp_pool_set_target(pool, pool->target + 1, "every connection is busy");
	watch_idle(pool);
}

void mp_pool_reach(struct mp_pool *pool, uint32_t count)
{
	uint32_t wanted = count < pool->limits.max ? count : pool->limits.max;
	if (!pool->opened || pool->limits.core == 0 || pool->target >= wanted)
		return;
	mp_pool_set_target(pool, wanted, "it was asked for");
	pool->at_once = wanted;
	mp_adaptive_init(&pool->adaptive); // what was seen before does not take them away
	watch_idle(pool);
}

struct mp_conn *mp_pool_take(struct mp_pool *pool)
{
	struct mp_conn *best = NULL;
	uint32_t best_load = 0;
	for (uint32_t i = 0; i < pool->ready_count; i++) {
		struct mp_conn *conn = pool->ready[i];
		if (mp_conn_room(conn) == 0)
			continue;
		uint32_t load = mp_conn_in_flight(conn);
		bool better = best == NULL || load < best_load ||
		              (load == best_load && mp_conn_last_used_ms(conn) > mp_conn_last_used_ms(best));
		if (better) {
			best = conn;
			best_load = load;
		}
	}
	if (MP_LIKELY(best != NULL && best_load < pool->limits.grow_at))
		return best;
	if (best == NULL) {
		pool->had_no_room = true;
		mp_pool_review_later(pool); // a connection may have begun to drain, or a timer been missing
	}
	grow(pool);
	return best;
}

// ---- shrinking --------------------------------------------------------------------------------------------

static void drain(struct mp_member *member, enum mp_close_reason reason)
{
	mp_pool_set_part(member, MP_MEMBER_DRAINING);
	mp_conn_drain(member->conn, reason);
}

void mp_pool_drain_stale(struct mp_pool *pool)
{
	uint32_t fresh = 0;
	struct mp_list_node *node = mp_list_first(&pool->conns);
	for (; node != NULL; node = mp_list_next(&pool->conns, node))
		fresh += member_of(node)->part == MP_MEMBER_READY && !member_of(node)->stale ? 1 : 0;
	if (fresh == 0 && pool->target > 0)
		return;
	// Of an old address all leave at once; of the present one those that have been replaced.
	uint32_t keep = pool->rotating && fresh < pool->target ? pool->target - fresh : 0;
	for (node = mp_list_first(&pool->conns); node != NULL; node = mp_list_next(&pool->conns, node)) {
		struct mp_member *member = member_of(node);
		if (member->part != MP_MEMBER_READY || !member->stale)
			continue;
		if (keep > 0)
			keep--;
		else
			drain(member, MP_CLOSE_DRAINED);
	}
}

void mp_pool_sweep(struct mp_pool *pool, struct mp_conn_end *why)
{
	struct mp_list_node *node = mp_list_first(&pool->conns);
	for (; node != NULL; node = mp_list_next(&pool->conns, node)) {
		struct mp_member *member = member_of(node);
		bool leaves = member->part == MP_MEMBER_READY && mp_conn_state(member->conn) == MP_CONN_DRAINING;
		if (!leaves)
			continue;
		mp_pool_set_part(member, MP_MEMBER_DRAINING);
		why->reason = MP_CLOSE_ORPHANS;
		why->err = MP_ELOST;
	}
}

static struct mp_member *least_busy_ready(struct mp_pool *pool)
{
	struct mp_member *best = NULL;
	struct mp_list_node *node = mp_list_first(&pool->conns);
	for (; node != NULL; node = mp_list_next(&pool->conns, node)) {
		struct mp_member *member = member_of(node);
		if (member->part != MP_MEMBER_READY || member->stale)
			continue;
		if (best == NULL || mp_conn_in_flight(member->conn) < mp_conn_in_flight(best->conn))
			best = member;
	}
	return best;
}

// Closing leaves a connection that opens in `conns` until its end was told: it is counted out here.
static uint32_t close_opening(struct mp_pool *pool, uint32_t surplus)
{
	struct mp_list_node *node = mp_list_first(&pool->conns);
	for (; node != NULL && surplus > 0; node = mp_list_next(&pool->conns, node)) {
		struct mp_member *member = member_of(node);
		if (member->part != MP_MEMBER_OPENING || member->stale)
			continue;
		member->stale = true;
		mp_conn_close(member->conn, MP_CLOSE_ASKED, NULL);
		surplus--;
	}
	return surplus;
}

void mp_pool_trim(struct mp_pool *pool)
{
	uint32_t count = mp_pool_fresh_count(pool);
	uint32_t surplus = count > pool->target ? count - pool->target : 0;
	surplus = close_opening(pool, surplus);
	for (; surplus > 0; surplus--) {
		struct mp_member *member = least_busy_ready(pool);
		if (member == NULL)
			return;
		drain(member, MP_CLOSE_DRAINED);
	}
}

void mp_pool_set_limits(struct mp_pool *pool, const struct mp_pool_limits *limits)
{
	mp_timer_stop(&pool->sample_timer); // its pace may be another one
	pool->limits = *limits;
	pool->reconnect.base_ms = limits->reconnect_base_ms;
	pool->reconnect.max_ms = limits->reconnect_max_ms;
	if (!pool->opened)
		return;
	if (!pool->backing_off)
		mp_timer_stop(&pool->retry_timer); // who limits all hosts may say something else now
	uint32_t target = pool->target < limits->core ? limits->core : pool->target;
	target = target > limits->max ? limits->max : target;
	mp_pool_set_target(pool, limits->core == 0 ? 0 : target, "its limits are others now");
	mp_pool_sample(pool);
	mp_pool_trim(pool);
	mp_pool_drain_stale(pool);
	mp_timer_stop(&pool->idle_timer); // its pace may be another one
	if (pool->target > limits->core)
		watch_idle(pool);
	mp_pool_review_later(pool);
}

static bool is_idle(const struct mp_pool *pool, const struct mp_member *member, uint64_t now_ms)
{
	uint64_t used_ms = mp_conn_last_used_ms(member->conn);
	uint64_t since_ms = used_ms > member->ready_ms ? used_ms : member->ready_ms;
	return member->part == MP_MEMBER_READY && !member->stale && mp_conn_in_flight(member->conn) == 0 &&
	       now_ms - since_ms >= pool->limits.idle_timeout_ms;
}

void mp_pool_on_idle(void *data)
{
	struct mp_pool *pool = data;
	uint64_t now_ms = mp_loop_now_ms(pool->loop);
	// What was wanted in a rush and could not be opened since is not wanted any more.
	uint32_t count = mp_pool_fresh_count(pool);
	if (pool->target > count)
		mp_pool_set_target(pool, count > pool->limits.core ? count : pool->limits.core, "idle");
	struct mp_list_node *node = mp_list_first(&pool->conns);
	for (; node != NULL && pool->target > pool->limits.core; node = mp_list_next(&pool->conns, node)) {
		struct mp_member *member = member_of(node);
		if (!is_idle(pool, member, now_ms))
			continue;
		mp_pool_set_target(pool, pool->target - 1, "idle");
		drain(member, MP_CLOSE_IDLE);
	}
	if (pool->target > pool->limits.core)
		watch_idle(pool);
	mp_pool_review_later(pool);
}

// ---- by the measured load ---------------------------------------------------------------------------------

static void resize(struct mp_pool *pool)
{
	struct mp_adaptive_pool now = as_it_stands(pool);
	uint32_t size = mp_adaptive_decide(&pool->adaptive, &pool->limits.adaptive, &now);
	if (size == pool->target)
		return;
	char why[sizeof(pool->why)];
	snprintf(why, sizeof(why), "utilization was %.2f", pool->adaptive.utilization);
	if (size > pool->target)
		pool->at_once = size - pool->target;
	mp_pool_set_target(pool, size, why);
	mp_pool_trim(pool);
}

void mp_pool_sample(struct mp_pool *pool)
{
	const struct mp_adaptive_rules *rules = &pool->limits.adaptive;
	if (!rules->enabled || pool->target == 0 || mp_timer_active(&pool->sample_timer))
		return;
	uint64_t pause_ms = rules->interval_ms / MP_ADAPTIVE_SAMPLES;
	if (mp_timer_start_ms(&pool->sample_timer, pause_ms > 0 ? pause_ms : 1) != 0)
		mp_log_write(mp_pool_log(pool), MP_LOG_ERROR, "out of memory for a timer: the pool keeps its size");
}

void mp_pool_on_sample(void *data)
{
	struct mp_pool *pool = data;
	// A host that is down has no load, which says nothing about what it needs.
	if (pool->ready_count > 0 && mp_adaptive_note(&pool->adaptive, mp_pool_in_flight(pool)))
		resize(pool);
	mp_pool_sample(pool);
}

// ---- questions --------------------------------------------------------------------------------------------

uint32_t mp_pool_in_flight(const struct mp_pool *pool)
{
	uint32_t sum = 0;
	struct mp_list_node *node = mp_list_first(&pool->conns);
	for (; node != NULL; node = mp_list_next(&pool->conns, node))
		sum += mp_conn_in_flight(member_of(node)->conn);
	return sum;
}

uint64_t mp_pool_ended_total(const struct mp_pool *pool)
{
	return pool->opened_total - pool->ready_count - pool->draining_count;
}

double mp_pool_utilization(const struct mp_pool *pool)
{
	double room = (double)pool->ready_count * pool->settings->max_streams;
	double in_flight = mp_pool_in_flight(pool);
	return room == 0 ? 0 : in_flight < room ? in_flight / room : 1;
}

uint32_t mp_pool_busy_count(const struct mp_pool *pool)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < pool->ready_count; i++)
		count += mp_conn_in_flight(pool->ready[i]) > 0 ? 1 : 0;
	return count;
}

void mp_pool_each(const struct mp_pool *pool, void (*fn)(void *arg, struct mp_conn *conn), void *arg)
{
	struct mp_list_node *node = mp_list_first(&pool->conns);
	for (; node != NULL; node = mp_list_next(&pool->conns, node)) {
		struct mp_conn *conn = member_of(node)->conn;
		if (mp_conn_state(conn) != MP_CONN_CLOSED)
			fn(arg, conn);
	}
}
