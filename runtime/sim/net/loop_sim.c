// SPDX-License-Identifier: Apache-2.0
// The simulated body: its life, its clock and its turns. Events of the network and timers of the program are
// two heaps; a turn goes to the time of the earliest of both, hands out all events due there in order, then
// fires timers, then runs tasks. An event made during a turn belongs to a later one, except after a sleep,
// when everything that came in meanwhile is handed out before any timer.
#include "sim/net/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define NS_PER_MS       1000000u
#define FIRST_NOW_NS    1000000000u
#define FIRST_WALL_US   1704067200000000u
#define LATENCY_NS      250000u
#define JITTER_NS       50000u
#define RESOLVE_NS      1000000u
#define BUFFER_BYTES    (256u * 1024)
#define TURN_NS         2000u // a turn takes up to so long
#define LATE_EVENTS_MAX 1000000u

// ---- events -----------------------------------------------------------------------------------------------

int mp_sim_reserve(struct mp_loop_sim *world, size_t events)
{
	int rc = mp_timer_heap_reserve(&world->events, world->event_places + events);
	if (rc == 0)
		world->event_places += events;
	return rc;
}

void mp_sim_unreserve(struct mp_loop_sim *world, size_t events)
{
	mp_assert(world->event_places >= events);
	world->event_places -= events;
}

void mp_sim_at(struct mp_loop_sim *world, struct mp_timer *event, uint64_t at_ns)
{
	uint64_t now_ns = world->base.now_ns;
	mp_timer_heap_put(&world->events, event, at_ns < now_ns ? now_ns : at_ns);
}

void mp_sim_in(struct mp_loop_sim *world, struct mp_timer *event, uint64_t delay_ns)
{
	mp_sim_at(world, event, world->base.now_ns + delay_ns);
}

void mp_sim_stop(struct mp_loop_sim *world, struct mp_timer *event)
{
	if (mp_timer_active(event))
		mp_timer_heap_remove(&world->events, event);
}

uint64_t mp_sim_below(struct mp_loop_sim *world, uint64_t bound)
{
	return bound == 0 ? 0 : mp_rand_u64(&world->chance) % bound;
}

#define FNV_BEGIN UINT64_C(0xcbf29ce484222325) // FNV-1a

static uint64_t fold(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash;
}

void mp_sim_note(struct mp_loop_sim *world, const char *kind, uint32_t id, const void *bytes, size_t len)
{
	if (world->trace == NULL && world->trace_hash == NULL)
		return;
	char line[128];
	int length =
		snprintf(line, sizeof(line), "%llu %s %u %zu %016llx\n", (unsigned long long)world->base.now_ns, kind,
	             id, len, (unsigned long long)fold(FNV_BEGIN, bytes, bytes == NULL ? 0 : len));
	mp_assert(length > 0 && (size_t)length < sizeof(line));
	if (world->trace != NULL)
		mp_buf_bytes(world->trace, line, (size_t)length);
	if (world->trace_hash != NULL)
		*world->trace_hash = fold(*world->trace_hash, line, (size_t)length);
}

// ---- turns ------------------------------------------------------------------------------------------------

static void hand_out_events(struct mp_loop_sim *world)
{
	uint64_t first_new = world->events.next_order;
	uint64_t left = LATE_EVENTS_MAX;
	struct mp_timer *event;
	while ((event = mp_timer_heap_first(&world->events)) != NULL) {
		if (event->deadline_ns > world->base.now_ns)
			break;
		if (event->order >= first_new && (!world->late || --left == 0))
			break;
		mp_timer_heap_remove(&world->events, event);
		event->fn(event->data);
	}
}

static uint64_t next_ns(const struct mp_loop_sim *world)
{
	if (mp_loop_has_tasks(&world->base))
		return world->base.now_ns;
	uint64_t next = mp_loop_next_deadline(&world->base);
	const struct mp_timer *event = mp_timer_heap_first(&world->events);
	return event != NULL && event->deadline_ns < next ? event->deadline_ns : next;
}

// One turn that begins at `limit_ns` at the latest. False: nothing is to happen until then, and it is then
// now.
static bool turn(struct mp_loop_sim *world, uint64_t limit_ns)
{
	struct mp_loop *loop = &world->base;
	loop->now_ns += world->sleep_ns;
	world->sleep_ns = 0;
	uint64_t next = next_ns(world);
	if (next == UINT64_MAX || (next > limit_ns && next > loop->now_ns)) {
		if (limit_ns != UINT64_MAX && limit_ns > loop->now_ns)
			loop->now_ns = limit_ns;
		return false;
	}
	if (next > loop->now_ns)
		loop->now_ns = next;
	uint64_t deadline_ns = mp_loop_next_deadline(loop);
	world->late = deadline_ns < loop->now_ns && loop->now_ns - deadline_ns > MP_LOOP_LATE_NS;
	hand_out_events(world);
	world->late = false;
	if (mp_loop_next_deadline(loop) <= loop->now_ns)
		mp_sim_note(world, "timers", 0, NULL, 0);
	mp_loop_fire_timers(loop);
	mp_loop_run_tasks(loop);
	mp_sim_sweep(world);
	uint64_t took_ns = mp_sim_below(world, TURN_NS);
	if (loop->now_ns < limit_ns)
		loop->now_ns += took_ns < limit_ns - loop->now_ns ? took_ns : limit_ns - loop->now_ns;
	return true;
}

static void sim_run(struct mp_loop *loop)
{
	struct mp_loop_sim *world = mp_sim_of(loop);
	while (!loop->stopping && loop->holds > 0) {
		if (!turn(world, UINT64_MAX))
			break;
	}
}

static bool sim_turn(struct mp_loop *loop, int wait_ms)
{
	struct mp_loop_sim *world = mp_sim_of(loop);
	uint64_t limit_ns = UINT64_MAX;
	if (wait_ms >= 0)
		limit_ns = loop->now_ns + world->sleep_ns + (uint64_t)wait_ms * NS_PER_MS;
	loop->ran = false;
	while (!loop->ran && turn(world, limit_ns)) {}
	return loop->ran;
}

void mp_loop_sim_run_until(struct mp_loop *loop, uint64_t until_ns)
{
	mp_assert(!loop->running);
	loop->running = true;
	loop->stopping = false;
	while (!loop->stopping && turn(mp_sim_of(loop), until_ns)) {}
	loop->running = false;
}

void mp_loop_sim_run_for(struct mp_loop *loop, uint64_t span_ns)
{
	mp_loop_sim_run_until(loop, loop->now_ns + span_ns);
}

// ---- time -------------------------------------------------------------------------------------------------

static uint64_t sim_clock_ns(struct mp_loop *loop)
{
	return loop->now_ns + mp_sim_of(loop)->sleep_ns; // also for who holds the turn up
}

static uint64_t sim_wall_us(struct mp_loop *loop)
{
	return mp_sim_of(loop)->wall_offset_us + loop->now_ns / 1000u;
}

static void sim_keep(struct mp_loop *loop, bool alive)
{
	(void)loop;
	(void)alive;
}

void mp_loop_sim_set_now(struct mp_loop *loop, uint64_t now_ns)
{
	struct mp_loop_sim *world = mp_sim_of(loop);
	mp_assert(world->events.count == 0 && loop->timers.count == 0 && !loop->running);
	uint64_t wall_us = sim_wall_us(loop);
	loop->now_ns = now_ns;
	mp_loop_sim_set_wall(loop, wall_us);
}

// The offset may wrap: the sum comes out right.
void mp_loop_sim_set_wall(struct mp_loop *loop, uint64_t wall_us)
{
	mp_sim_of(loop)->wall_offset_us = wall_us - loop->now_ns / 1000u;
}

void mp_loop_sim_jump(struct mp_loop *loop, uint64_t sleep_ns)
{
	mp_sim_of(loop)->sleep_ns += sleep_ns;
}

// ---- life -------------------------------------------------------------------------------------------------

static void sim_free(struct mp_loop *loop)
{
	struct mp_loop_sim *world = mp_sim_of(loop);
	mp_sim_sweep(world);
	mp_assert(world->conns.count == 0);
	mp_sim_faults_deinit(world);
	mp_sim_names_deinit(world);
	mp_timer_heap_deinit(&world->events);
	mp_loop_deinit(loop);
	mp_free(world);
}

static const struct mp_loop_ops sim_ops = {
	.free = sim_free,
	.run = sim_run,
	.turn = sim_turn,
	.clock_ns = sim_clock_ns,
	.wall_us = sim_wall_us,
	.keep = sim_keep,
	.connect = mp_sim_connect,
	.writev = mp_sim_writev,
	.unconfirmed = mp_sim_unconfirmed,
	.can_gather = mp_sim_can_gather,
	.write_all = mp_sim_write_all,
	.read_changed = mp_sim_read_changed,
	.close = mp_sim_close,
	.shutdown = mp_sim_shutdown,
	.listen = mp_sim_listen,
	.unlisten = mp_sim_unlisten,
	.resolve = mp_sim_resolve,
	.cancel = mp_sim_cancel,
	.watch = mp_sim_watch,
	.unwatch = mp_sim_unwatch,
};

struct mp_loop *mp_loop_sim_new(uint64_t seed)
{
	struct mp_loop_sim *world = mp_calloc(1, sizeof(*world));
	if (world == NULL)
		return NULL;
	mp_loop_init(&world->base, &sim_ops, seed);
	// The network's chance is another stream of the same seed: a program that draws once more keeps its
	// weather.
	mp_rand_seed(&world->chance, seed ^ 0x6e6574776f726b73u);
	mp_timer_heap_init(&world->events);
	mp_list_init(&world->conns);
	mp_list_init(&world->graveyard);
	mp_list_init(&world->listeners);
	mp_list_init(&world->hosts);
	mp_list_init(&world->names);
	mp_list_init(&world->watches);
	world->latency_ns = LATENCY_NS;
	world->jitter_ns = JITTER_NS;
	world->resolve_delay_ns = RESOLVE_NS;
	world->buffer_bytes = BUFFER_BYTES;
	world->gathers = seed % 2 == 0;
	world->next_id = 1;
	world->next_port = 49152;
	world->base.now_ns = FIRST_NOW_NS;
	mp_loop_sim_set_wall(&world->base, FIRST_WALL_US);
	return &world->base;
}

void mp_loop_sim_set_buffer(struct mp_loop *loop, size_t bytes)
{
	mp_assert(bytes > 0);
	mp_sim_of(loop)->buffer_bytes = bytes;
}

void mp_loop_sim_set_chunk(struct mp_loop *loop, size_t most)
{
	mp_sim_of(loop)->chunk_bytes = most;
}

void mp_loop_sim_trace(struct mp_loop *loop, struct mp_buf *to)
{
	mp_sim_of(loop)->trace = to;
}

void mp_loop_sim_hash(struct mp_loop *loop, uint64_t *hash)
{
	mp_sim_of(loop)->trace_hash = hash;
	*hash = FNV_BEGIN;
}

void mp_loop_sim_census(struct mp_loop *loop, struct mp_loop_census *out)
{
	mp_loop_census(loop, out);
}
