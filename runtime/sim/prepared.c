// SPDX-License-Identifier: Apache-2.0
// A node's prepared statements: by id, the least recently used leaves first when there are too many.
#define HASH_NONFATAL_OOM 1
#include "sim/world.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define uthash_malloc(size)    mp_alloc(size)
#define uthash_free(ptr, size) mp_free(ptr)
#include <uthash.h>

struct mp_sim_prepared {
	UT_hash_handle hh;
	struct mp_list_node use;
	struct mp_sim_plan *plan;
	uint8_t id[16];
};

static void drop(struct mp_sim_node *node, struct mp_sim_prepared *entry)
{
	HASH_DEL(node->prepared, entry);
	mp_list_remove(&node->prepared_use, &entry->use);
	mp_sim_plan_unref(entry->plan);
	mp_free(entry);
}

static struct mp_sim_prepared *find(struct mp_sim_node *node, const void *id)
{
	struct mp_sim_prepared *entry;
	HASH_FIND(hh, node->prepared, id, sizeof(entry->id), entry);
	return entry;
}

struct mp_sim_plan *mp_sim_prepared_find(struct mp_sim_node *node, struct mp_str id)
{
	struct mp_sim_prepared *entry = id.len == sizeof(entry->id) ? find(node, id.data) : NULL;
	if (entry == NULL)
		return NULL;
	mp_list_remove(&node->prepared_use, &entry->use);
	mp_list_push_back(&node->prepared_use, &entry->use);
	return entry->plan;
}

int mp_sim_prepared_add(struct mp_sim_node *node, struct mp_sim_plan *plan)
{
	struct mp_sim_prepared *entry = find(node, plan->id);
	if (entry != NULL)
		drop(node, entry);
	entry = mp_calloc(1, sizeof(*entry));
	if (entry == NULL)
		return MP_ENOMEM;
	memcpy(entry->id, plan->id, sizeof(entry->id));
	HASH_ADD(hh, node->prepared, id, sizeof(entry->id), entry);
	if (entry->hh.tbl == NULL) {
		mp_free(entry);
		return MP_ENOMEM;
	}
	entry->plan = mp_sim_plan_ref(plan);
	mp_list_node_init(&entry->use);
	mp_list_push_back(&node->prepared_use, &entry->use);
	while (node->prepared_use.count > node->cluster->options.prepared_limit)
		drop(node, MP_CONTAINER_OF(mp_list_first(&node->prepared_use), struct mp_sim_prepared, use));
	return 0;
}

void mp_sim_prepared_clear(struct mp_sim_node *node)
{
	struct mp_list_node *first;
	while ((first = mp_list_first(&node->prepared_use)) != NULL)
		drop(node, MP_CONTAINER_OF(first, struct mp_sim_prepared, use));
}

void mp_sim_prepared_drop_table(struct mp_sim_node *node, const struct mp_sim_table *table)
{
	struct mp_list_node *at = mp_list_first(&node->prepared_use);
	while (at != NULL) {
		struct mp_sim_prepared *entry = MP_CONTAINER_OF(at, struct mp_sim_prepared, use);
		at = mp_list_next(&node->prepared_use, at);
		const struct mp_sim_table *used = entry->plan->table;
		if (used != NULL && (used == table || used->dropped))
			drop(node, entry);
	}
}

uint32_t mp_sim_prepared_count(const struct mp_sim_node *node)
{
	return (uint32_t)node->prepared_use.count;
}
