// SPDX-License-Identifier: Apache-2.0
// Invariant: `slice` is active exactly while there is something to build (or memory was short).
#include "cluster/topology/keyspaces.h"

#include <string.h>

#include "base/mem.h"
#include "cluster/topology/cluster.h"

#define SLICE_MS     1u
#define NO_MEMORY_MS 1000u

static void on_slice(void *data);

void mp_keyspaces_init(struct mp_keyspaces *keyspaces, const struct mp_cluster *cluster)
{
	*keyspaces = (struct mp_keyspaces){.cluster = cluster};
	mp_names_init(&keyspaces->names, MP_KEYSPACES_MAX);
	mp_timer_init(&keyspaces->slice, cluster->loop, on_slice, keyspaces);
}

static void drop_building(struct mp_keyspaces *keyspaces)
{
	mp_placement_unref(keyspaces->building);
	keyspaces->building = NULL;
}

void mp_keyspaces_stop(struct mp_keyspaces *keyspaces)
{
	mp_timer_stop(&keyspaces->slice);
	drop_building(keyspaces);
}

void mp_keyspaces_deinit(struct mp_keyspaces *keyspaces)
{
	mp_keyspaces_stop(keyspaces);
	for (uint32_t i = 0; i < keyspaces->capacity; i++) {
		if (keyspaces->entries[i] == NULL)
			continue;
		mp_placement_unref(keyspaces->entries[i]->current);
		mp_free(keyspaces->entries[i]);
	}
	mp_free(keyspaces->entries);
	mp_ring_unref(keyspaces->ring);
	mp_names_deinit(&keyspaces->names);
}

static bool reserve(struct mp_keyspaces *keyspaces, uint32_t id)
{
	if (id < keyspaces->capacity)
		return true;
	uint32_t capacity = keyspaces->capacity == 0 ? 16 : keyspaces->capacity;
	while (capacity <= id)
		capacity *= 2;
	struct mp_keyspace **entries = mp_realloc(keyspaces->entries, capacity * sizeof(*entries));
	if (entries == NULL)
		return false;
	memset(entries + keyspaces->capacity, 0, (capacity - keyspaces->capacity) * sizeof(*entries));
	keyspaces->entries = entries;
	keyspaces->capacity = capacity;
	return true;
}

uint16_t mp_keyspaces_id(struct mp_keyspaces *keyspaces, struct mp_str name)
{
	uint32_t id = mp_names_id(&keyspaces->names, name);
	if (id == 0 || !reserve(keyspaces, id))
		return 0;
	if (keyspaces->entries[id] == NULL)
		keyspaces->entries[id] = mp_calloc(1, sizeof(struct mp_keyspace));
	return keyspaces->entries[id] == NULL ? 0 : (uint16_t)id;
}

// ---- building ---------------------------------------------------------------------------------------------

static void build_later(struct mp_keyspaces *keyspaces)
{
	// Without memory for a timer the next refresh or first use tries again.
	if (!mp_timer_active(&keyspaces->slice) && mp_timer_start_ms(&keyspaces->slice, SLICE_MS) != 0)
		mp_log_write(keyspaces->cluster->log, MP_LOG_WARN, "out of memory for a timer of the token ring");
}

static void make_stale(struct mp_keyspaces *keyspaces, struct mp_keyspace *keyspace)
{
	keyspace->stale = true;
	if (keyspace->wanted)
		build_later(keyspaces);
}

extern inline struct mp_placement *mp_keyspaces_use(struct mp_keyspaces *keyspaces, uint16_t id);

void mp_keyspaces_want(struct mp_keyspaces *keyspaces, struct mp_keyspace *keyspace)
{
	keyspace->wanted = true;
	make_stale(keyspaces, keyspace);
}

static uint32_t next_to_build(const struct mp_keyspaces *keyspaces)
{
	for (uint32_t id = 1; id < keyspaces->capacity; id++) {
		const struct mp_keyspace *keyspace = keyspaces->entries[id];
		if (keyspace != NULL && keyspace->wanted && keyspace->stale)
			return id;
	}
	return 0;
}

static void finish(struct mp_keyspace *keyspace, struct mp_placement *placement)
{
	mp_placement_unref(keyspace->current);
	keyspace->current = placement;
	keyspace->stale = false;
}

// False: memory is short.
static bool begin_next(struct mp_keyspaces *keyspaces)
{
	uint32_t id;
	while (keyspaces->building == NULL && (id = next_to_build(keyspaces)) != 0) {
		struct mp_keyspace *keyspace = keyspaces->entries[id];
		if (keyspaces->ring == NULL || keyspaces->ring->count == 0 ||
		    keyspace->replication.strategy == MP_STRATEGY_NONE) {
			finish(keyspace, NULL);
			continue;
		}
		keyspaces->building =
			mp_placement_new(keyspaces->ring, &keyspace->replication, keyspaces->cluster->view);
		keyspaces->building_id = id;
		if (keyspaces->building == NULL)
			return false;
	}
	return true;
}

// False: memory was short, and may be there later; too many slots will be too many then, too.
static bool end_building(struct mp_keyspaces *keyspaces)
{
	struct mp_placement *placement = keyspaces->building;
	struct mp_keyspace *keyspace = keyspaces->entries[keyspaces->building_id];
	int err = placement->err;
	keyspaces->building = NULL;
	if (err == 0) {
		finish(keyspace, placement);
		return true;
	}
	mp_placement_unref(placement);
	if (err == MP_ENOMEM)
		return false;
	mp_log_write(keyspaces->cluster->log, MP_LOG_WARN,
	             "keyspace %s has too many replicas to keep in mind: its requests go without token awareness",
	             mp_names_text(&keyspaces->names, keyspaces->building_id));
	finish(keyspace, NULL);
	return true;
}

static void on_slice(void *data)
{
	struct mp_keyspaces *keyspaces = data;
	bool has_memory = begin_next(keyspaces);
	if (keyspaces->building != NULL &&
	    mp_placement_step(keyspaces->building, keyspaces->cluster->view, MP_PLACEMENT_ROWS_PER_TURN))
		has_memory = end_building(keyspaces) && has_memory;
	if (keyspaces->building == NULL && next_to_build(keyspaces) == 0)
		return;
	if (mp_timer_start_ms(&keyspaces->slice, has_memory ? SLICE_MS : NO_MEMORY_MS) != 0)
		mp_log_write(keyspaces->cluster->log, MP_LOG_WARN, "out of memory for a timer of the token ring");
}

// ---- what the cluster says --------------------------------------------------------------------------------

void mp_keyspaces_begin(struct mp_keyspaces *keyspaces)
{
	for (uint32_t id = 1; id < keyspaces->capacity; id++)
		if (keyspaces->entries[id] != NULL)
			keyspaces->entries[id]->seen = false;
}

static void set_replication(struct mp_keyspaces *keyspaces, uint32_t id,
                            const struct mp_replication *replication)
{
	struct mp_keyspace *keyspace = keyspaces->entries[id];
	if (memcmp(&keyspace->replication, replication, sizeof(*replication)) == 0)
		return;
	keyspace->replication = *replication;
	if (keyspaces->building != NULL && keyspaces->building_id == id)
		drop_building(keyspaces);
	make_stale(keyspaces, keyspace);
}

void mp_keyspaces_row(struct mp_keyspaces *keyspaces, const struct mp_keyspace_row *row)
{
	uint16_t id = mp_keyspaces_id(keyspaces, row->name);
	if (id == 0)
		return;
	struct mp_replication replication;
	memset(&replication, 0, sizeof(replication)); // padding too: replications are compared as bytes
	mp_replication_parse(&replication, keyspaces->cluster->view, row->option_count, row->keys, row->values);
	keyspaces->entries[id]->seen = true;
	set_replication(keyspaces, id, &replication);
}

void mp_keyspaces_end(struct mp_keyspaces *keyspaces)
{
	struct mp_replication none;
	memset(&none, 0, sizeof(none));
	for (uint32_t id = 1; id < keyspaces->capacity; id++)
		if (keyspaces->entries[id] != NULL && !keyspaces->entries[id]->seen)
			set_replication(keyspaces, id, &none);
}

bool mp_keyspaces_have_ring(const struct mp_keyspaces *keyspaces, uint64_t print)
{
	return keyspaces->ring != NULL && keyspaces->ring_print == print;
}

void mp_keyspaces_set_ring(struct mp_keyspaces *keyspaces, struct mp_ring *ring, uint64_t print)
{
	mp_ring_unref(keyspaces->ring);
	keyspaces->ring = ring;
	keyspaces->ring_print = print;
	drop_building(keyspaces);
	for (uint32_t id = 1; id < keyspaces->capacity; id++)
		if (keyspaces->entries[id] != NULL)
			make_stale(keyspaces, keyspaces->entries[id]);
}
