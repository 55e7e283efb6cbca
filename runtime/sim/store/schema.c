// SPDX-License-Identifier: Apache-2.0
// The schema's storage: looking up, adding and taking away. What a DDL statement means is in schema_ddl.c.
#include "sim/store/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

void mp_sim_schema_init(struct mp_sim_schema *schema, uint64_t seed)
{
	memset(schema, 0, sizeof(*schema));
	schema->id_state = seed ^ 0x6a09e667f3bcc909u;
	schema->version = 1;
}

// ---- the index of tables: open addressing, rebuilt when it grows or shrinks -------------------------------

static uint64_t hash_names(struct mp_str keyspace, struct mp_str name)
{
	uint64_t hash = 14695981039346656037u;
	for (size_t i = 0; i < keyspace.len; i++)
		hash = (hash ^ (uint8_t)keyspace.data[i]) * 1099511628211u;
	hash = (hash ^ 0xff) * 1099511628211u;
	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (uint8_t)name.data[i]) * 1099511628211u;
	return hash ^ hash >> 29;
}

static void index_put(struct mp_sim_schema *schema, struct mp_sim_table *table)
{
	size_t at = hash_names(table->keyspace, table->name) & (schema->table_cap - 1);
	while (schema->table_index[at] != NULL)
		at = (at + 1) & (schema->table_cap - 1);
	schema->table_index[at] = table;
}

static void index_rebuild(struct mp_sim_schema *schema)
{
	memset(schema->table_index, 0, schema->table_cap * sizeof(*schema->table_index));
	for (struct mp_sim_keyspace *ks = schema->keyspaces; ks != NULL; ks = ks->next) {
		for (struct mp_sim_table *table = ks->tables; table != NULL; table = table->next)
			index_put(schema, table);
	}
}

static int index_reserve(struct mp_sim_schema *schema)
{
	if ((schema->table_count + 1) * 2 <= schema->table_cap)
		return 0;
	size_t cap = schema->table_cap == 0 ? 128 : schema->table_cap * 2;
	struct mp_sim_table **index = mp_calloc(cap, sizeof(struct mp_sim_table *));
	if (index == NULL)
		return MP_ENOMEM;
	mp_free(schema->table_index);
	schema->table_index = index;
	schema->table_cap = cap;
	index_rebuild(schema);
	return 0;
}

struct mp_sim_table *mp_sim_schema_table(const struct mp_sim_schema *schema, struct mp_str keyspace,
                                         struct mp_str name)
{
	if (schema->table_cap == 0)
		return NULL;
	size_t at = hash_names(keyspace, name) & (schema->table_cap - 1);
	for (; schema->table_index[at] != NULL; at = (at + 1) & (schema->table_cap - 1)) {
		struct mp_sim_table *table = schema->table_index[at];
		if (mp_str_eq(table->name, name) && mp_str_eq(table->keyspace, keyspace))
			return table;
	}
	return NULL;
}

struct mp_sim_keyspace *mp_sim_schema_keyspace(const struct mp_sim_schema *schema, struct mp_str name)
{
	struct mp_sim_keyspace *ks = schema->keyspaces;
	while (ks != NULL && !mp_str_eq(ks->name, name))
		ks = ks->next;
	return ks;
}

// ---- tables -----------------------------------------------------------------------------------------------

struct mp_sim_table *mp_sim_table_ref(struct mp_sim_table *table)
{
	table->refs++;
	return table;
}

void mp_sim_table_unref(struct mp_sim_table *table)
{
	if (table == NULL)
		return;
	mp_assert(table->refs > 0);
	if (--table->refs > 0)
		return;
	mp_arena_deinit(&table->arena);
	mp_free(table);
}

struct mp_sim_column *mp_sim_table_column(const struct mp_sim_table *table, struct mp_str name)
{
	for (uint16_t i = 0; i < table->column_count; i++) {
		if (mp_str_eq(table->columns[i]->name, name))
			return table->columns[i];
	}
	return NULL;
}

static int order_of(struct mp_str a, struct mp_str b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *a, const void *b)
{
	const struct mp_sim_column *x = *(const struct mp_sim_column *const *)a;
	const struct mp_sim_column *y = *(const struct mp_sim_column *const *)b;
	if (x->kind != y->kind)
		return x->kind == MP_SIM_STATIC ? -1 : 1;
	return order_of(x->name, y->name);
}

void mp_sim_table_order(const struct mp_sim_table *table, const struct mp_sim_column **out)
{
	uint16_t keys = (uint16_t)(table->partition_count + table->clustering_count);
	for (uint16_t i = 0; i < table->column_count; i++)
		out[i] = table->columns[i];
	if (table->source == NULL)
		qsort(out + keys, (size_t)(table->column_count - keys), sizeof(*out), by_name);
}

int mp_sim_schema_reserve(struct mp_sim_schema *schema)
{
	return index_reserve(schema);
}

void mp_sim_schema_link_table(struct mp_sim_schema *schema, struct mp_sim_keyspace *ks,
                              struct mp_sim_table *table)
{
	struct mp_sim_table **link = &ks->tables;
	while (*link != NULL && order_of((*link)->name, table->name) < 0)
		link = &(*link)->next;
	table->next = *link;
	table->owner = ks;
	*link = table;
	schema->table_count++;
	index_put(schema, table);
}

void mp_sim_schema_unlink_table(struct mp_sim_schema *schema, struct mp_sim_table *table)
{
	struct mp_sim_table **link = &table->owner->tables;
	while (*link != table)
		link = &(*link)->next;
	*link = table->next;
	table->next = NULL;
	table->owner = NULL;
	table->dropped = true;
	schema->table_count--;
	index_rebuild(schema);
	mp_sim_table_unref(table);
}

// ---- names ------------------------------------------------------------------------------------------------

static bool is_plain(struct mp_str name)
{
	bool plain = name.len > 0 && !(name.data[0] >= '0' && name.data[0] <= '9');
	for (size_t i = 0; i < name.len && plain; i++) {
		char c = name.data[i];
		plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
	}
	return plain;
}

void mp_sim_put_name(struct mp_buf *buf, struct mp_str name)
{
	const char *quote = is_plain(name) ? "" : "\"";
	mp_buf_printf(buf, "%s%.*s%s", quote, MP_SIM_S(name), quote);
}

// ---- keyspaces --------------------------------------------------------------------------------------------

struct mp_sim_keyspace *mp_sim_schema_add_keyspace(struct mp_sim_schema *schema, struct mp_str name,
                                                   const struct mp_sim_strategy *strategy)
{
	struct mp_sim_keyspace *ks = mp_calloc(1, sizeof(*ks));
	if (ks == NULL)
		return NULL;
	mp_arena_init(&ks->arena);
	ks->name = mp_arena_str(&ks->arena, name);
	if (ks->name.data == NULL) {
		mp_arena_deinit(&ks->arena);
		mp_free(ks);
		return NULL;
	}
	ks->strategy = *strategy;
	ks->durable_writes = true;
	struct mp_sim_keyspace **link = &schema->keyspaces;
	while (*link != NULL && order_of((*link)->name, name) < 0)
		link = &(*link)->next;
	ks->next = *link;
	*link = ks;
	schema->version++;
	return ks;
}

void mp_sim_schema_unlink_keyspace(struct mp_sim_schema *schema, struct mp_sim_keyspace *ks)
{
	while (ks->tables != NULL)
		mp_sim_schema_unlink_table(schema, ks->tables);
	struct mp_sim_keyspace **link = &schema->keyspaces;
	while (*link != ks)
		link = &(*link)->next;
	*link = ks->next;
	mp_sim_placement_deinit(&ks->placement);
	mp_arena_deinit(&ks->arena);
	mp_free(ks);
	schema->version++;
}

void mp_sim_schema_deinit(struct mp_sim_schema *schema)
{
	while (schema->keyspaces != NULL)
		mp_sim_schema_unlink_keyspace(schema, schema->keyspaces);
	mp_free(schema->table_index);
	memset(schema, 0, sizeof(*schema));
}
