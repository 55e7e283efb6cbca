// SPDX-License-Identifier: Apache-2.0
// CREATE INDEX and DROP INDEX. An index decides which questions are taken and nothing else: rows are looked at one by
// one, with an index as without it.
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "sim/cql/parse.h"
#include "sim/store/schema.h"

#define SAI  "StorageAttachedIndex"
#define SASI "org.apache.cassandra.index.sasi.SASIIndex"

struct mp_sim_index *mp_sim_index_find(const struct mp_sim_keyspace *ks, struct mp_str name,
                                       struct mp_sim_table **table)
{
	for (*table = ks->tables; *table != NULL; *table = (*table)->next) {
		struct mp_sim_index *index = (*table)->indexes;
		while (index != NULL && !mp_str_eq(index->name, name))
			index = index->next;
		if (index != NULL)
			return index;
	}
	return NULL;
}

bool mp_sim_index_serves(const struct mp_sim_index *index, const struct mp_sim_relation *rel)
{
	if (rel->token != NULL || !mp_str_eq(index->column->name, rel->column))
		return false;
	if (rel->element != NULL)
		return index->kind == MP_SIM_INDEX_ENTRIES;
	uint16_t type = index->column->type->id;
	bool text = type == MP_TYPE_VARCHAR || type == MP_TYPE_ASCII;
	switch (rel->op) {
	case MP_SIM_EQ: return index->kind == MP_SIM_INDEX_VALUE || index->kind == MP_SIM_INDEX_FULL;
	case MP_SIM_CONTAINS: return index->kind == MP_SIM_INDEX_VALUES;
	case MP_SIM_CONTAINS_KEY: return index->kind == MP_SIM_INDEX_KEYS;
	case MP_SIM_LT:
	case MP_SIM_LE:
	case MP_SIM_GT:
	case MP_SIM_GE: return index->ranges && index->kind == MP_SIM_INDEX_VALUE && !text;
	default: return false;
	}
}

// ---- as text ----------------------------------------------------------------------------------------------

static const char *target_word(enum mp_sim_index_target kind)
{
	static const char *const words[] = {"", "values", "keys", "entries", "full"};
	return words[kind];
}

void mp_sim_index_tell(struct mp_buf *text, const struct mp_sim_table *table,
                       const struct mp_sim_index *index)
{
	mp_buf_printf(text, "CREATE %sINDEX ", index->class_name.len > 0 ? "CUSTOM " : "");
	mp_sim_put_name(text, index->name);
	mp_buf_text(text, " ON ");
	mp_sim_put_name(text, table->keyspace);
	mp_buf_u8(text, '.');
	mp_sim_put_name(text, table->name);
	mp_buf_printf(text, " (%.*s)", MP_SIM_S(index->target));
	if (index->class_name.len > 0)
		mp_buf_printf(text, " USING '%.*s'", MP_SIM_S(index->class_name));
	for (uint16_t i = 0; i < index->option_count; i += 2)
		mp_buf_printf(text, "%s'%.*s': '%.*s'", i == 0 ? " WITH OPTIONS = {" : ", ",
		              MP_SIM_S(index->options[i]), MP_SIM_S(index->options[i + 1]));
	mp_buf_text(text, index->option_count > 0 ? "};" : ";");
}

static int name_target(struct mp_sim_table *table, struct mp_sim_index *index)
{
	struct mp_buf text;
	mp_buf_init(&text);
	mp_buf_printf(&text, "%s%s", target_word(index->kind), index->kind != MP_SIM_INDEX_VALUE ? "(" : "");
	mp_sim_put_name(&text, index->column->name);
	mp_buf_text(&text, index->kind != MP_SIM_INDEX_VALUE ? ")" : "");
	if (!text.failed)
		index->target = mp_arena_str(&table->arena, (struct mp_str){(const char *)text.data, text.len});
	mp_buf_deinit(&text);
	return index->target.data == NULL ? MP_ENOMEM : 0;
}

// TABLE_COLUMN_idx in word characters, with a number where that is taken.
static int make_name(const struct mp_sim_keyspace *ks, struct mp_sim_table *table, struct mp_sim_index *index)
{
	char base[2 * MP_SIM_NAME_MAX + 8], name[sizeof(base) + 12];
	struct mp_str parts[] = {table->name, mp_str_of("_"), index->column->name, mp_str_of("_idx")};
	size_t len = 0;
	for (size_t i = 0; i < MP_ARRAY_LEN(parts); i++) {
		for (size_t at = 0; at < parts[i].len; at++) {
			char c = parts[i].data[at];
			bool word =
				(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
			if (word)
				base[len++] = c;
		}
	}
	struct mp_sim_table *other;
	snprintf(name, sizeof(name), "%.*s", (int)len, base);
	for (unsigned i = 1; mp_sim_index_find(ks, mp_str_of(name), &other) != NULL; i++)
		snprintf(name, sizeof(name), "%.*s_%u", (int)len, base, i);
	index->name = mp_arena_str(&table->arena, mp_str_of(name));
	return index->name.data == NULL ? MP_ENOMEM : 0;
}

// ---- making -----------------------------------------------------------------------------------------------

static bool is_collection(const struct mp_sim_column *column)
{
	uint16_t type = column->type->id;
	return type == MP_TYPE_LIST || type == MP_TYPE_SET || type == MP_TYPE_MAP;
}

static int check_target(const struct mp_sim_table *table, const struct mp_sim_index *index,
                        struct mp_sim_error *err)
{
	const struct mp_sim_column *column = index->column;
	struct mp_str name = column->name;
	bool collection = is_collection(column), frozen = collection && !column->multi;
	bool keyed = index->kind == MP_SIM_INDEX_KEYS || index->kind == MP_SIM_INDEX_ENTRIES;
	const char *word = target_word(index->kind);
	if (column->type->id == MP_TYPE_DURATION)
		return mp_sim_fail(err, MP_SE_INVALID, "Secondary indexes are not supported on duration columns");
	if (column->kind == MP_SIM_PARTITION_KEY && table->partition_count == 1)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Cannot create secondary index on the only partition key column %.*s",
		                   MP_SIM_S(name));
	if (frozen && index->kind != MP_SIM_INDEX_FULL)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Cannot create %s() index on frozen column %.*s. Frozen collections are immutable "
		                   "and must be fully indexed by using the 'full(%.*s)' modifier",
		                   word, MP_SIM_S(name), MP_SIM_S(name));
	if (!frozen && index->kind == MP_SIM_INDEX_FULL)
		return mp_sim_fail(err, MP_SE_INVALID, "full() indexes can only be created on frozen collections");
	if (!collection && index->kind != MP_SIM_INDEX_VALUE)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Cannot create %s() index on %.*s. Non-collection columns only support simple "
		                   "indexes",
		                   word, MP_SIM_S(name));
	if (keyed && column->type->id != MP_TYPE_MAP)
		return mp_sim_fail(err, MP_SE_INVALID, "Cannot create index on %s() of column %.*s with non-map type",
		                   word, MP_SIM_S(name));
	if (column->type->id == MP_TYPE_UDT && column->multi)
		return mp_sim_fail(err, MP_SE_INVALID, "Cannot create index on non-frozen UDT column %.*s",
		                   MP_SIM_S(name));
	return 0;
}

static int take_class(struct mp_sim_table *table, const struct mp_sim_index_def *def,
                      struct mp_sim_index *index, struct mp_sim_error *err)
{
	struct mp_str name = def->class_name;
	if (!def->custom && (name.len == 0 || mp_str_is_nocase(name, "legacy_local_table")))
		return def->options == NULL
		           ? 0
		           : mp_sim_fail(err, MP_SE_INVALID, "Cannot specify options for a non-CUSTOM index");
	if (name.len == 0)
		return mp_sim_fail(err, MP_SE_INVALID, "CUSTOM index requires specifying the index class");
	if (mp_str_is(name, SASI))
		return mp_sim_fail(err, MP_SE_INVALID, "SASI indexes are disabled. Enable in cassandra.yaml to use.");
	size_t tail = strlen(SAI);
	bool is_sai =
		mp_str_is_nocase(name, "sai") ||
		(name.len >= tail && mp_str_is_nocase((struct mp_str){name.data + name.len - tail, tail}, SAI));
	if (!is_sai)
		return mp_sim_fail(err, MP_SE_CONFIG_ERROR, "Unable to find custom indexer class '%.*s'",
		                   MP_SIM_S(name));
	index->ranges = true;
	index->class_name = mp_arena_str(&table->arena, name);
	index->option_count = def->options != NULL ? (uint16_t)def->options->count : 0;
	index->options = mp_arena_alloc(&table->arena, (index->option_count + 1u) * sizeof(*index->options));
	if (index->class_name.data == NULL || index->options == NULL)
		return mp_sim_fail_nomem(err);
	const struct mp_sim_term *at = index->option_count > 0 ? def->options->items : NULL;
	for (uint16_t i = 0; at != NULL; at = at->next, i++) {
		index->options[i] = mp_arena_str(&table->arena, at->text);
		if (index->options[i].data == NULL)
			return mp_sim_fail_nomem(err);
	}
	return 0;
}

static const struct mp_sim_index *find_equal(const struct mp_sim_table *table,
                                             const struct mp_sim_index *index)
{
	for (const struct mp_sim_index *at = table->indexes; at != NULL; at = at->next) {
		bool same_class = (at->class_name.len > 0) == (index->class_name.len > 0);
		if (at->column == index->column && at->kind == index->kind && same_class)
			return at;
	}
	return NULL;
}

static struct mp_sim_change changed(struct mp_sim_table *table)
{
	return (struct mp_sim_change){.change = "UPDATED",
	                              .target = "TABLE",
	                              .keyspace = table->keyspace,
	                              .name = table->name,
	                              .table = mp_sim_table_ref(table)};
}

static int fill_index(const struct mp_sim_keyspace *ks, struct mp_sim_table *table,
                      const struct mp_sim_index_def *def, struct mp_sim_index *index,
                      struct mp_sim_error *err)
{
	index->column = mp_sim_table_column(table, def->column);
	if (index->column == NULL)
		return mp_sim_fail(err, MP_SE_INVALID, "Undefined column name %.*s in table %.*s.%.*s",
		                   MP_SIM_S(def->column), MP_SIM_S(table->keyspace), MP_SIM_S(table->name));
	index->kind = def->target;
	if (index->kind == MP_SIM_INDEX_VALUE && is_collection(index->column))
		index->kind = MP_SIM_INDEX_VALUES;
	MP_SIM_TRY(check_target(table, index, err));
	MP_SIM_TRY(take_class(table, def, index, err));
	int rc = name_target(table, index);
	if (rc == 0 && def->name.len == 0)
		rc = make_name(ks, table, index);
	if (rc == 0 && def->name.len > 0) {
		index->name = mp_arena_str(&table->arena, def->name);
		rc = index->name.data == NULL ? MP_ENOMEM : 0;
	}
	return rc < 0 ? mp_sim_fail_nomem(err) : 0;
}

static int create_index(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                        struct mp_sim_keyspace *ks, struct mp_sim_change *change, struct mp_sim_error *err)
{
	struct mp_sim_table *table = mp_sim_schema_table(schema, ks->name, stmt->table), *other;
	struct mp_str name = stmt->index.name;
	if (table == NULL)
		return mp_sim_fail(err, MP_SE_INVALID, "Table '%.*s' doesn't exist", MP_SIM_S(stmt->table));
	if (name.len > 0 && mp_sim_index_find(ks, name, &other) != NULL)
		return stmt->if_not_exists
		           ? 0
		           : mp_sim_fail(err, MP_SE_INVALID, "Index '%.*s' already exists", MP_SIM_S(name));
	if (table->counters)
		return mp_sim_fail(err, MP_SE_INVALID, "Secondary indexes on counter tables aren't supported");
	struct mp_sim_index *index = mp_arena_alloc(&table->arena, sizeof(*index));
	if (index == NULL)
		return mp_sim_fail_nomem(err);
	MP_SIM_TRY(fill_index(ks, table, &stmt->index, index, err));
	const struct mp_sim_index *equal = find_equal(table, index);
	if (equal != NULL)
		return stmt->if_not_exists
		           ? 0
		           : mp_sim_fail(err, MP_SE_INVALID, "Index %.*s is a duplicate of existing index %.*s",
		                         MP_SIM_S(index->name), MP_SIM_S(equal->name));
	struct mp_sim_index **link = &table->indexes;
	while (*link != NULL && strcmp((*link)->name.data, index->name.data) < 0)
		link = &(*link)->next;
	index->next = *link;
	*link = index;
	schema->version++;
	*change = changed(table);
	return 0;
}

int mp_sim_schema_change_index(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                               struct mp_sim_keyspace *ks, struct mp_sim_change *change,
                               struct mp_sim_error *err)
{
	if (stmt->kind == MP_SIM_CREATE_INDEX)
		return create_index(schema, stmt, ks, change, err);
	struct mp_sim_table *table;
	struct mp_sim_index *index = mp_sim_index_find(ks, stmt->table, &table);
	if (index == NULL)
		return stmt->if_exists ? 0
		                       : mp_sim_fail(err, MP_SE_INVALID, "Index '%.*s.%.*s' doesn't exist'",
		                                     MP_SIM_S(ks->name), MP_SIM_S(stmt->table));
	struct mp_sim_index **link = &table->indexes;
	while (*link != index)
		link = &(*link)->next;
	*link = index->next;
	schema->version++;
	*change = changed(table);
	return 0;
}
