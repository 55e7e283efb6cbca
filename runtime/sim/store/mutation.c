// SPDX-License-Identifier: Apache-2.0
// Mutations that travel: copies for hints and slow replicas, and whole partitions streamed to a new owner.
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "sim/cql/parse.h"
#include "sim/store/store.h"

static int copy_bytes(struct mp_arena *arena, struct mp_bytes from, struct mp_bytes *to)
{
	*to = from;
	if (from.len <= 0)
		return 0;
	uint8_t *data = mp_arena_alloc(arena, (size_t)from.len);
	if (data == NULL)
		return MP_ENOMEM;
	memcpy(data, from.data, (size_t)from.len);
	to->data = data;
	return 0;
}

static int copy_ops(struct mp_arena *arena, const struct mp_sim_edit *from, struct mp_sim_edit **to)
{
	for (; from != NULL; from = from->next) {
		struct mp_sim_edit *op = mp_arena_alloc(arena, sizeof(*op));
		if (op == NULL)
			return MP_ENOMEM;
		*op = *from;
		op->next = NULL;
		MP_SIM_TRY(copy_bytes(arena, from->path, &op->path));
		MP_SIM_TRY(copy_bytes(arena, from->value, &op->value));
		*to = op;
		to = &op->next;
	}
	return 0;
}

static int copy_range(struct mp_arena *arena, const struct mp_sim_range_delete *from,
                      struct mp_sim_mutation *to)
{
	if (from == NULL)
		return 0;
	struct mp_sim_range_delete *range = mp_arena_alloc(arena, sizeof(*range));
	if (range == NULL)
		return MP_ENOMEM;
	*range = *from;
	to->range = range;
	MP_SIM_TRY(copy_bytes(arena, from->low.prefix, &range->low.prefix));
	return copy_bytes(arena, from->high.prefix, &range->high.prefix);
}

static int copy_into(struct mp_sim_mutation *to, const struct mp_sim_mutation *from)
{
	MP_SIM_TRY(copy_bytes(&to->arena, from->key, &to->key));
	MP_SIM_TRY(copy_range(&to->arena, from->range, to));
	struct mp_sim_row_change **tail = &to->rows;
	for (const struct mp_sim_row_change *row = from->rows; row != NULL; row = row->next) {
		struct mp_sim_row_change *copy = mp_arena_alloc(&to->arena, sizeof(*copy));
		if (copy == NULL)
			return MP_ENOMEM;
		*copy = *row;
		copy->next = NULL;
		copy->ops = NULL;
		MP_SIM_TRY(copy_bytes(&to->arena, row->clustering, &copy->clustering));
		MP_SIM_TRY(copy_ops(&to->arena, row->ops, &copy->ops));
		*tail = copy;
		tail = &copy->next;
	}
	return 0;
}

struct mp_sim_mutation *mp_sim_mutation_copy(const struct mp_sim_mutation *mutation)
{
	struct mp_sim_mutation *copy = mp_calloc(1, sizeof(*copy));
	if (copy == NULL)
		return NULL;
	mp_arena_init(&copy->arena);
	copy->refs = 1;
	copy->table = mp_sim_table_ref(mutation->table);
	copy->token = mutation->token;
	copy->deleted = mutation->deleted;
	if (copy_into(copy, mutation) < 0) {
		mp_sim_mutation_unref(copy);
		return NULL;
	}
	return copy;
}

struct mp_sim_mutation *mp_sim_mutation_ref(struct mp_sim_mutation *mutation)
{
	mutation->refs++;
	return mutation;
}

void mp_sim_mutation_unref(struct mp_sim_mutation *mutation)
{
	if (mutation == NULL || --mutation->refs > 0)
		return;
	mp_sim_table_unref(mutation->table);
	mp_arena_deinit(&mutation->arena);
	mp_free(mutation);
}

// ---- streaming --------------------------------------------------------------------------------------------

static struct mp_sim_edit *op_of(struct mp_arena *arena, const struct mp_sim_cell *cell, uint16_t slot,
                                 struct mp_sim_edit ***tail)
{
	struct mp_sim_edit *op = mp_arena_alloc(arena, sizeof(*op));
	if (op == NULL)
		return NULL;
	op->slot = slot;
	op->ts = cell->ts;
	op->expires = cell->expires;
	op->ttl = cell->ttl;
	op->value = (struct mp_bytes){cell->data, cell->len};
	**tail = op;
	*tail = &op->next;
	return op;
}

static int ops_of_row(struct mp_arena *arena, const struct mp_sim_table *table, const struct mp_sim_row *row,
                      struct mp_sim_row_change *change)
{
	struct mp_sim_edit **tail = &change->ops, *op;
	for (uint16_t i = 0; i < row->slot_count; i++) {
		const struct mp_sim_slot *slot = &row->slots[i];
		if (slot->cell.len != -2) {
			if ((op = op_of(arena, &slot->cell, i, &tail)) == NULL)
				return MP_ENOMEM;
			op->kind = table->counters ? MP_SIM_OP_COUNTER : MP_SIM_OP_CELL;
		}
		if (slot->deleted != MP_SIM_NEVER) {
			struct mp_sim_cell clear = {.ts = slot->deleted, .len = -1};
			if ((op = op_of(arena, &clear, i, &tail)) == NULL)
				return MP_ENOMEM;
			op->kind = MP_SIM_OP_CLEAR;
		}
		for (uint32_t k = 0; k < slot->count; k++) {
			if ((op = op_of(arena, &slot->elements[k].cell, i, &tail)) == NULL)
				return MP_ENOMEM;
			op->kind = MP_SIM_OP_ELEMENT;
			op->path = (struct mp_bytes){slot->elements[k].path, slot->elements[k].path_len};
		}
	}
	return 0;
}

static int stream_row(struct mp_sim_store *to, struct mp_sim_mutation *mutation, const struct mp_sim_row *row,
                      bool is_static)
{
	struct mp_arena arena;
	mp_arena_init(&arena);
	struct mp_sim_row_change change = {
		.clustering = mp_sim_row_clustering(row),
		.is_static = is_static,
		.marker = row->marker.len != -2,
		.ts = row->marker.ts,
		.expires = row->marker.expires,
		.ttl = row->marker.ttl,
		.deleted = row->deleted,
	};
	mutation->rows = &change;
	int rc = ops_of_row(&arena, mutation->table, row, &change);
	if (rc == 0)
		rc = mp_sim_apply(to, mutation);
	mp_arena_deinit(&arena);
	return rc;
}

int mp_sim_stream_partition(struct mp_sim_store *to, struct mp_sim_table *table,
                            const struct mp_sim_partition *from)
{
	struct mp_sim_mutation mutation = {
		.table = table, .token = from->token, .key = {from->key, from->key_len}, .deleted = from->deleted};
	MP_SIM_TRY(mp_sim_apply(to, &mutation));
	for (uint32_t i = 0; i < from->range_count; i++) {
		mutation.range = &from->ranges[i];
		MP_SIM_TRY(mp_sim_apply(to, &mutation));
	}
	mutation.range = NULL;
	if (mp_sim_row_statics(from) != NULL)
		MP_SIM_TRY(stream_row(to, &mutation, mp_sim_row_statics(from), true));
	for (const struct mp_sim_row *row = mp_sim_row_seek(from, NULL); row != NULL; row = mp_sim_row_next(row))
		MP_SIM_TRY(stream_row(to, &mutation, row, false));
	return 0;
}
