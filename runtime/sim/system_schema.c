// SPDX-License-Identifier: Apache-2.0
// system_schema and system_virtual_schema: the schema told in its own tables.
#include "sim/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define CLASS "org.apache.cassandra."

static bool shown(const struct mp_sim_teller *t, const struct mp_sim_keyspace *ks)
{
	bool asked_virtual = mp_str_is(t->table->keyspace, "system_virtual_schema");
	return ks->is_virtual == asked_virtual;
}

static struct mp_str number(struct mp_sim_teller *t, unsigned value)
{
	char text[12];
	snprintf(text, sizeof(text), "%u", value);
	struct mp_str copy = mp_arena_str(t->arena, mp_str_of(text));
	t->failed = t->failed || copy.data == NULL;
	return copy;
}

static void tell_replication(struct mp_sim_teller *t, const struct mp_sim_keyspace *ks)
{
	struct mp_str map[2 + 2 * MP_SIM_DCS_MAX] = {mp_str_of("class")};
	size_t count = 2;
	const struct mp_sim_cluster *cluster = t->node->cluster;
	switch (ks->strategy.kind) {
	case MP_SIM_LOCAL_STRATEGY: map[1] = mp_str_of(CLASS "locator.LocalStrategy"); break;
	case MP_SIM_SIMPLE_STRATEGY:
		map[1] = mp_str_of(CLASS "locator.SimpleStrategy");
		map[count++] = mp_str_of("replication_factor");
		map[count++] = number(t, ks->strategy.rf);
		break;
	case MP_SIM_NETWORK_STRATEGY:
		map[1] = mp_str_of(CLASS "locator.NetworkTopologyStrategy");
		for (size_t i = 0; i < cluster->dc_count; i++) {
			if (ks->strategy.dc_rf[i] == 0)
				continue;
			map[count++] = mp_str_of(cluster->dc_names[i]);
			map[count++] = number(t, ks->strategy.dc_rf[i]);
		}
		break;
	}
	mp_sim_tell_texts(t, "replication", map, count, true);
}

static int tell_keyspaces(struct mp_sim_teller *t)
{
	bool plain = mp_str_is(t->table->keyspace, "system_schema");
	const struct mp_sim_keyspace *ks = t->node->cluster->schema.keyspaces;
	for (; ks != NULL; ks = ks->next) {
		if (!shown(t, ks))
			continue;
		mp_sim_tell_text(t, "keyspace_name", ks->name);
		if (plain) {
			mp_sim_tell_bool(t, "durable_writes", ks->durable_writes);
			tell_replication(t, ks);
		}
		int rc = mp_sim_tell_row(t);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static void tell_options(struct mp_sim_teller *t, const struct mp_sim_table *table)
{
	struct mp_str caching[] = {mp_str_of("keys"), mp_str_of("ALL"), mp_str_of("rows_per_partition"),
	                           mp_str_of("NONE")};
	struct mp_str compaction[] = {
		mp_str_of("class"),         mp_str_of(CLASS "db.compaction.SizeTieredCompactionStrategy"),
		mp_str_of("max_threshold"), mp_str_of("32"),
		mp_str_of("min_threshold"), mp_str_of("4")};
	struct mp_str compression[] = {mp_str_of("chunk_length_in_kb"), mp_str_of("16"), mp_str_of("class"),
	                               mp_str_of(CLASS "io.compress.LZ4Compressor")};
	struct mp_str flags[] = {mp_str_of("compound")};
	mp_sim_tell_text(t, "additional_write_policy", mp_str_of("99p"));
	mp_sim_tell_double(t, "bloom_filter_fp_chance", 0.01);
	mp_sim_tell_texts(t, "caching", caching, MP_ARRAY_LEN(caching), true);
	mp_sim_tell_text(t, "comment", table->comment);
	mp_sim_tell_texts(t, "compaction", compaction, MP_ARRAY_LEN(compaction), true);
	mp_sim_tell_texts(t, "compression", compression, MP_ARRAY_LEN(compression), true);
	mp_sim_tell_double(t, "crc_check_chance", 1.0);
	mp_sim_tell_double(t, "dclocal_read_repair_chance", 0.0);
	mp_sim_tell_int(t, "default_time_to_live", table->default_ttl);
	mp_sim_tell_texts(t, "extensions", NULL, 0, true);
	mp_sim_tell_texts(t, "flags", flags, 1, false);
	mp_sim_tell_int(t, "gc_grace_seconds", 864000);
	mp_sim_tell_bytes(t, "id", table->id.bytes, sizeof(table->id.bytes));
	mp_sim_tell_int(t, "max_index_interval", 2048);
	mp_sim_tell_int(t, "memtable_flush_period_in_ms", 0);
	mp_sim_tell_int(t, "min_index_interval", 128);
	mp_sim_tell_text(t, "read_repair", mp_str_of("BLOCKING"));
	mp_sim_tell_text(t, "speculative_retry", mp_str_of("99p"));
}

static int tell_tables(struct mp_sim_teller *t)
{
	bool plain = mp_str_is(t->table->keyspace, "system_schema");
	const struct mp_sim_keyspace *ks = t->node->cluster->schema.keyspaces;
	for (; ks != NULL; ks = ks->next) {
		for (const struct mp_sim_table *table = ks->tables; shown(t, ks) && table != NULL;
		     table = table->next) {
			if (!mp_sim_system_has(t->node, table))
				continue;
			mp_sim_tell_text(t, "keyspace_name", ks->name);
			mp_sim_tell_text(t, "table_name", table->name);
			if (plain)
				tell_options(t, table);
			else
				mp_sim_tell_text(t, "comment", table->comment);
			int rc = mp_sim_tell_row(t);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

static int tell_column(struct mp_sim_teller *t, const struct mp_sim_table *table,
                       const struct mp_sim_column *column)
{
	static const char *const kinds[] = {"partition_key", "clustering", "regular", "static"};
	bool regular = !mp_sim_is_key(column), clustering = column->kind == MP_SIM_CLUSTERING;
	mp_sim_tell_text(t, "keyspace_name", table->keyspace);
	mp_sim_tell_text(t, "table_name", table->name);
	mp_sim_tell_text(t, "column_name", column->name);
	mp_sim_tell_text(t, "clustering_order",
	                 mp_str_of(!clustering          ? "none"
	                           : column->descending ? "desc"
	                                                : "asc"));
	mp_sim_tell_bytes(t, "column_name_bytes", column->name.data, column->name.len);
	mp_sim_tell_text(t, "kind", mp_str_of(kinds[column->kind]));
	mp_sim_tell_int(t, "position", regular ? -1 : column->position);
	mp_sim_tell_text(t, "type", column->type_text);
	return mp_sim_tell_row(t);
}

static int compare_names(const void *a, const void *b)
{
	const struct mp_sim_column *x = *(const struct mp_sim_column *const *)a;
	const struct mp_sim_column *y = *(const struct mp_sim_column *const *)b;
	return strcmp(x->name.data, y->name.data); // in an arena, NUL-terminated
}

// The order of a table whose clustering key is their name. NULL: no memory, which the teller knows.
static const struct mp_sim_column **by_name(struct mp_sim_teller *t, const struct mp_sim_table *table)
{
	const struct mp_sim_column **columns = mp_arena_alloc(t->arena, table->column_count * sizeof(*columns));
	t->failed = t->failed || columns == NULL;
	for (uint16_t i = 0; columns != NULL && i < table->column_count; i++)
		columns[i] = table->columns[i];
	if (columns != NULL)
		qsort(columns, table->column_count, sizeof(*columns), compare_names);
	return columns;
}

static int tell_columns(struct mp_sim_teller *t)
{
	const struct mp_sim_keyspace *ks = t->node->cluster->schema.keyspaces;
	for (; ks != NULL; ks = ks->next) {
		for (const struct mp_sim_table *table = ks->tables; shown(t, ks) && table != NULL;
		     table = table->next) {
			if (!mp_sim_system_has(t->node, table))
				continue;
			const struct mp_sim_column **columns = by_name(t, table);
			for (uint16_t i = 0; columns != NULL && i < table->column_count; i++) {
				int rc = tell_column(t, table, columns[i]);
				if (rc != 0)
					return rc;
			}
		}
	}
	return 0;
}

static int tell_types(struct mp_sim_teller *t)
{
	const struct mp_sim_keyspace *ks = t->node->cluster->schema.keyspaces;
	for (; ks != NULL; ks = ks->next) {
		for (const struct mp_sim_udt *udt = ks->types; udt != NULL; udt = udt->next) {
			struct mp_str *texts =
				mp_arena_alloc(t->arena, (size_t)(udt->field_count + 1) * 2 * sizeof(*texts));
			if (texts == NULL)
				return MP_ENOMEM;
			for (uint16_t i = 0; i < udt->field_count; i++) {
				texts[i] = udt->fields[i].name;
				texts[udt->field_count + i] = udt->fields[i].type_text;
			}
			mp_sim_tell_text(t, "keyspace_name", ks->name);
			mp_sim_tell_text(t, "type_name", udt->name);
			mp_sim_tell_texts(t, "field_names", texts, udt->field_count, false);
			mp_sim_tell_texts(t, "field_types", texts + udt->field_count, udt->field_count, false);
			int rc = mp_sim_tell_row(t);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

static void tell_index_options(struct mp_sim_teller *t, const struct mp_sim_index *index)
{
	size_t count = 0;
	struct mp_str *map = mp_arena_alloc(t->arena, (index->option_count + 4u) * sizeof(*map));
	if (map == NULL) {
		t->failed = true;
		return;
	}
	if (index->class_name.len > 0) {
		map[count++] = mp_str_of("class_name");
		map[count++] = index->class_name;
	}
	for (uint16_t i = 0; i < index->option_count; i++)
		map[count++] = index->options[i];
	map[count++] = mp_str_of("target");
	map[count++] = index->target;
	mp_sim_tell_texts(t, "options", map, count, true);
}

static int tell_indexes_of(struct mp_sim_teller *t, const struct mp_sim_table *table)
{
	for (const struct mp_sim_index *index = table->indexes; index != NULL; index = index->next) {
		mp_sim_tell_text(t, "keyspace_name", table->keyspace);
		mp_sim_tell_text(t, "table_name", table->name);
		mp_sim_tell_text(t, "index_name", index->name);
		mp_sim_tell_text(t, "kind", mp_str_of(index->class_name.len > 0 ? "CUSTOM" : "COMPOSITES"));
		tell_index_options(t, index);
		int rc = mp_sim_tell_row(t);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int tell_indexes(struct mp_sim_teller *t)
{
	const struct mp_sim_keyspace *ks = t->node->cluster->schema.keyspaces;
	for (; ks != NULL; ks = ks->next) {
		for (const struct mp_sim_table *table = ks->tables; table != NULL; table = table->next) {
			int rc = tell_indexes_of(t, table);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

#define COLUMNS                                                                                              \
	"keyspace_name text, table_name text, column_name text, clustering_order text, column_name_bytes blob, " \
	"kind text, "                                                                                            \
	"position int, type text, PRIMARY KEY (keyspace_name, table_name, column_name)"

const struct mp_sim_virtual mp_sim_schema_tables[] = {
	{"system_schema",
     "keyspace_name text PRIMARY KEY, durable_writes boolean, replication frozen<map<text, text>>",
     "keyspaces", 0, tell_keyspaces},
	{"system_schema",
     "keyspace_name text, table_name text, additional_write_policy text, bloom_filter_fp_chance double, "
     "caching frozen<map<text, text>>, cdc boolean, comment text, compaction frozen<map<text, text>>, "
     "compression frozen<map<text, text>>, crc_check_chance double, dclocal_read_repair_chance double, "
     "default_time_to_live int, extensions frozen<map<text, blob>>, flags frozen<set<text>>, "
     "gc_grace_seconds int, "
     "id uuid, max_index_interval int, memtable_flush_period_in_ms int, min_index_interval int, read_repair "
     "text, "
     "speculative_retry text, PRIMARY KEY (keyspace_name, table_name)",
     "tables", 0, tell_tables},
	{"system_schema", COLUMNS, "columns", 0, tell_columns},
	{"system_schema",
     "keyspace_name text, table_name text, column_name text, dropped_time timestamp, kind text, type text, "
     "PRIMARY KEY (keyspace_name, table_name, column_name)",
     "dropped_columns", 0, NULL},
	{"system_schema",
     "keyspace_name text, type_name text, field_names frozen<list<text>>, field_types frozen<list<text>>, "
     "PRIMARY KEY (keyspace_name, type_name)",
     "types", 0, tell_types},
	{"system_schema",
     "keyspace_name text, function_name text, argument_types frozen<list<text>>, argument_names "
     "frozen<list<text>>, "
     "body text, called_on_null_input boolean, language text, return_type text, "
     "PRIMARY KEY (keyspace_name, function_name, argument_types)",
     "functions", 0, NULL},
	{"system_schema",
     "keyspace_name text, aggregate_name text, argument_types frozen<list<text>>, final_func text, initcond "
     "text, "
     "return_type text, state_func text, state_type text, PRIMARY KEY (keyspace_name, aggregate_name, "
     "argument_types)",
     "aggregates", 0, NULL},
	{"system_schema",
     "keyspace_name text, table_name text, trigger_name text, options frozen<map<text, text>>, "
     "PRIMARY KEY (keyspace_name, table_name, trigger_name)",
     "triggers", 0, NULL},
	{"system_schema",
     "keyspace_name text, table_name text, index_name text, kind text, options frozen<map<text, text>>, "
     "PRIMARY KEY (keyspace_name, table_name, index_name)",
     "indexes", 0, tell_indexes},
	{"system_schema",
     "keyspace_name text, view_name text, base_table_id uuid, base_table_name text, comment text, id uuid, "
     "include_all_columns boolean, where_clause text, PRIMARY KEY (keyspace_name, view_name)",
     "views", 0, NULL},
	{"system_virtual_schema", "keyspace_name text PRIMARY KEY", "keyspaces", 5, tell_keyspaces},
	{"system_virtual_schema",
     "keyspace_name text, table_name text, comment text, PRIMARY KEY (keyspace_name, table_name)", "tables",
     5, tell_tables},
	{"system_virtual_schema", COLUMNS, "columns", 5, tell_columns},
	{NULL, NULL, NULL, 0, NULL},
};
