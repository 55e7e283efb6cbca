// SPDX-License-Identifier: Apache-2.0
// DESCRIBE, as Cassandra serves it since 4.0: rows of names, or of names with the statement that makes each again.
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "sim/coord.h"
#include "sim/cql/parse.h"
#include "sim/cql/term.h"

struct describe {
	struct mp_sim_request *req;
	const struct mp_sim_describe *asked;
	struct mp_str keyspace; // that is asked for, or in force
	struct mp_buf rows;
	struct mp_buf text; // of one statement
	uint32_t count;
	bool with_text; // a column create_statement
};

static void put_cell(struct mp_buf *buf, const void *data, size_t len)
{
	mp_buf_i32(buf, (int32_t)len);
	mp_buf_bytes(buf, data, len);
}

static void add_row(struct describe *d, struct mp_str keyspace, const char *type, struct mp_str name)
{
	put_cell(&d->rows, keyspace.data, keyspace.len);
	put_cell(&d->rows, type, strlen(type));
	put_cell(&d->rows, name.data, name.len);
	if (d->with_text)
		put_cell(&d->rows, d->text.data, d->text.len);
	d->count++;
	d->rows.failed = d->rows.failed || d->text.failed;
	mp_buf_clear(&d->text);
}

// ---- statements that make things --------------------------------------------------------------------------

static void put_replication(struct describe *d, const struct mp_sim_strategy *strategy)
{
	const struct mp_sim_cluster *cluster = d->req->conn->owner->cluster;
	if (strategy->kind == MP_SIM_LOCAL_STRATEGY) {
		mp_buf_text(&d->text, "{'class': 'LocalStrategy'}");
	} else if (strategy->kind == MP_SIM_SIMPLE_STRATEGY) {
		mp_buf_printf(&d->text, "{'class': 'SimpleStrategy', 'replication_factor': '%u'}", strategy->rf);
	} else {
		mp_buf_text(&d->text, "{'class': 'NetworkTopologyStrategy'");
		for (size_t i = 0; i < cluster->dc_count; i++) {
			if (strategy->dc_rf[i] > 0)
				mp_buf_printf(&d->text, ", '%s': '%u'", cluster->dc_names[i], strategy->dc_rf[i]);
		}
		mp_buf_u8(&d->text, '}');
	}
}

static void tell_keyspace(struct describe *d, const struct mp_sim_keyspace *ks)
{
	if (d->with_text) {
		mp_buf_text(&d->text, "CREATE KEYSPACE ");
		mp_sim_put_name(&d->text, ks->name);
		mp_buf_text(&d->text, " WITH replication = ");
		put_replication(d, &ks->strategy);
		mp_buf_printf(&d->text, "  AND durable_writes = %s;", ks->durable_writes ? "true" : "false");
	}
	add_row(d, ks->name, "keyspace", ks->name);
}

static void put_of(struct describe *d, const char *create, struct mp_str keyspace, struct mp_str name)
{
	mp_buf_text(&d->text, create);
	mp_sim_put_name(&d->text, keyspace);
	mp_buf_u8(&d->text, '.');
	mp_sim_put_name(&d->text, name);
	mp_buf_text(&d->text, " (\n");
}

static void put_type(struct describe *d, struct mp_str type)
{
	mp_buf_u8(&d->text, ' ');
	mp_buf_bytes(&d->text, type.data, type.len);
}

static void tell_type(struct describe *d, const struct mp_sim_keyspace *ks, const struct mp_sim_udt *udt)
{
	if (d->with_text) {
		put_of(d, "CREATE TYPE ", ks->name, udt->name);
		for (uint16_t i = 0; i < udt->field_count; i++) {
			mp_buf_text(&d->text, "    ");
			mp_sim_put_name(&d->text, udt->fields[i].name);
			put_type(d, udt->fields[i].type_text);
			mp_buf_text(&d->text, i + 1 < udt->field_count ? ",\n" : "\n");
		}
		mp_buf_text(&d->text, ");");
	}
	add_row(d, ks->name, "type", udt->name);
}

static void put_key(struct describe *d, const struct mp_sim_table *table)
{
	uint16_t keys = (uint16_t)(table->partition_count + table->clustering_count);
	mp_buf_printf(&d->text, "    PRIMARY KEY (%s", table->partition_count > 1 ? "(" : "");
	for (uint16_t i = 0; i < keys; i++) {
		mp_buf_text(&d->text, i > 0 ? ", " : "");
		mp_sim_put_name(&d->text, table->columns[i]->name);
		if (table->partition_count > 1 && i + 1 == table->partition_count)
			mp_buf_u8(&d->text, ')');
	}
	mp_buf_text(&d->text, ")\n)");
}

static void put_order(struct describe *d, const struct mp_sim_table *table)
{
	for (uint16_t i = 0; i < table->clustering_count; i++) {
		const struct mp_sim_column *column = table->columns[table->partition_count + i];
		mp_buf_text(&d->text, i == 0 ? "CLUSTERING ORDER BY (" : ", ");
		mp_sim_put_name(&d->text, column->name);
		mp_buf_text(&d->text, column->descending ? " DESC" : " ASC");
	}
	mp_buf_text(&d->text, table->clustering_count > 0 ? ")\n    AND " : "");
}

static void put_quoted(struct mp_buf *buf, struct mp_str text)
{
	mp_buf_u8(buf, '\'');
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\'')
			mp_buf_u8(buf, '\'');
		mp_buf_u8(buf, (uint8_t)text.data[i]);
	}
	mp_buf_u8(buf, '\'');
}

static void put_options(struct describe *d, const struct mp_sim_table *table)
{
	mp_buf_text(&d->text, " WITH ");
	put_order(d, table);
	mp_buf_text(&d->text, "additional_write_policy = '99p'\n"
	                      "    AND bloom_filter_fp_chance = 0.01\n"
	                      "    AND caching = {'keys': 'ALL', 'rows_per_partition': 'NONE'}\n"
	                      "    AND comment = ");
	put_quoted(&d->text, table->comment);
	mp_buf_printf(&d->text,
	              "\n    AND compaction = {'class': 'org.apache.cassandra.db.compaction."
	              "SizeTieredCompactionStrategy', 'max_threshold': '32', 'min_threshold': '4'}\n"
	              "    AND compression = {'chunk_length_in_kb': '16', 'class': 'org.apache.cassandra.io."
	              "compress.LZ4Compressor'}\n"
	              "    AND crc_check_chance = 1.0\n"
	              "    AND default_time_to_live = %d\n"
	              "    AND extensions = {}\n"
	              "    AND gc_grace_seconds = 864000\n"
	              "    AND max_index_interval = 2048\n"
	              "    AND memtable_flush_period_in_ms = 0\n"
	              "    AND min_index_interval = 128\n"
	              "    AND read_repair = 'BLOCKING'\n"
	              "    AND speculative_retry = '99p';",
	              (int)table->default_ttl);
}

static void tell_index(struct describe *d, const struct mp_sim_table *table, const struct mp_sim_index *index)
{
	mp_sim_index_tell(&d->text, table, index);
	add_row(d, table->keyspace, "index", index->name);
}

static int tell_table(struct describe *d, const struct mp_sim_table *table)
{
	if (d->with_text) {
		const struct mp_sim_column **columns =
			mp_arena_alloc(&d->req->arena, table->column_count * sizeof(*columns));
		if (columns == NULL)
			return mp_sim_fail_nomem(&d->req->err);
		mp_sim_table_order(table, columns);
		put_of(d, "CREATE TABLE ", table->keyspace, table->name);
		for (uint16_t i = 0; i < table->column_count; i++) {
			mp_buf_text(&d->text, "    ");
			mp_sim_put_name(&d->text, columns[i]->name);
			put_type(d, columns[i]->type_text);
			mp_buf_text(&d->text, columns[i]->kind == MP_SIM_STATIC ? " static,\n" : ",\n");
		}
		put_key(d, table);
		put_options(d, table);
	}
	add_row(d, table->keyspace, "table", table->name);
	for (const struct mp_sim_index *index = table->indexes; d->with_text && index != NULL;
	     index = index->next)
		tell_index(d, table, index);
	return 0;
}

// ---- many of them -----------------------------------------------------------------------------------------

// Types in an order in which each can be made: one whose parts were told before.
static void tell_types(struct describe *d, const struct mp_sim_keyspace *ks)
{
	const struct mp_sim_udt *last = NULL;
	for (;;) {
		// The deepest tree comes last, and among equals the name decides.
		const struct mp_sim_udt *next = NULL;
		for (const struct mp_sim_udt *udt = ks->types; udt != NULL; udt = udt->next) {
			unsigned depth = mp_type_depth(udt->type), from = last != NULL ? mp_type_depth(last->type) : 0;
			bool behind = last == NULL || depth > from ||
			              (depth == from && strcmp(udt->name.data, last->name.data) > 0);
			bool before = next == NULL || depth < mp_type_depth(next->type) ||
			              (depth == mp_type_depth(next->type) && strcmp(udt->name.data, next->name.data) < 0);
			if (behind && before)
				next = udt;
		}
		if (next == NULL)
			return;
		tell_type(d, ks, next);
		last = next;
	}
}

static int tell_tables(struct describe *d, const struct mp_sim_keyspace *ks)
{
	for (const struct mp_sim_table *table = ks->tables; table != NULL; table = table->next) {
		if (mp_sim_system_has(d->req->conn->owner, table))
			MP_SIM_TRY(tell_table(d, table));
	}
	return 0;
}

static int tell_all(struct describe *d, const struct mp_sim_keyspace *ks)
{
	tell_keyspace(d, ks);
	tell_types(d, ks);
	return tell_tables(d, ks);
}

static const struct mp_sim_keyspace *first_keyspace(const struct describe *d)
{
	return d->req->conn->owner->cluster->schema.keyspaces;
}

// Lists are of the keyspace in force, or of all.
static int tell_list(struct describe *d)
{
	for (const struct mp_sim_keyspace *ks = first_keyspace(d); ks != NULL; ks = ks->next) {
		bool wanted = d->keyspace.len == 0 || mp_str_eq(ks->name, d->keyspace);
		switch (d->asked->what) {
		case MP_SIM_DESCRIBE_KEYSPACES: tell_keyspace(d, ks); break;
		case MP_SIM_DESCRIBE_TABLES:
			if (wanted)
				MP_SIM_TRY(tell_tables(d, ks));
			break;
		case MP_SIM_DESCRIBE_TYPES:
			if (wanted)
				tell_types(d, ks);
			break;
		case MP_SIM_DESCRIBE_SCHEMA:
			if (!mp_sim_is_system(ks->name) || d->asked->full)
				MP_SIM_TRY(tell_all(d, ks));
			break;
		default: break; // there are no functions
		}
	}
	return 0;
}

static int not_found(struct describe *d, const char *what, struct mp_str name, struct mp_str keyspace)
{
	if (keyspace.len == 0)
		return mp_sim_fail(&d->req->err, MP_SE_INVALID, "'%.*s' not found in keyspaces", MP_SIM_S(name));
	return mp_sim_fail(&d->req->err, MP_SE_INVALID, "%s'%.*s' not found in keyspace '%.*s'", what,
	                   MP_SIM_S(name), MP_SIM_S(keyspace));
}

// One thing: a keyspace, a table with its indexes, a type, an index, or whatever has the name.
static int tell_one(struct describe *d)
{
	const struct mp_sim_describe *asked = d->asked;
	const struct mp_sim_schema *schema = &d->req->conn->owner->cluster->schema;
	bool any = asked->what == MP_SIM_DESCRIBE_ANY;
	struct mp_str name =
		asked->what == MP_SIM_DESCRIBE_KEYSPACE && asked->name.len == 0 ? d->keyspace : asked->name;
	const struct mp_sim_keyspace *named = mp_sim_schema_keyspace(schema, name);
	if (asked->what == MP_SIM_DESCRIBE_KEYSPACE || (any && asked->keyspace.len == 0 && named != NULL))
		return named != NULL ? tell_all(d, named) : not_found(d, "", name, (struct mp_str){"", 0});
	const struct mp_sim_keyspace *ks = mp_sim_schema_keyspace(schema, d->keyspace);
	if (ks == NULL)
		return not_found(d, "", d->keyspace.len > 0 ? d->keyspace : name, (struct mp_str){"", 0});
	const struct mp_sim_table *table = mp_sim_schema_table(schema, ks->name, name);
	if ((any || asked->what == MP_SIM_DESCRIBE_TABLE) && table != NULL)
		return tell_table(d, table);
	for (const struct mp_sim_udt *udt = ks->types;
	     (any || asked->what == MP_SIM_DESCRIBE_TYPE) && udt != NULL; udt = udt->next) {
		if (mp_str_eq(udt->name, name)) {
			tell_type(d, ks, udt);
			return 0;
		}
	}
	struct mp_sim_table *of;
	const struct mp_sim_index *index = mp_sim_index_find(ks, name, &of);
	if ((any || asked->what == MP_SIM_DESCRIBE_INDEX) && index != NULL) {
		tell_index(d, of, index);
		return 0;
	}
	if (asked->what == MP_SIM_DESCRIBE_INDEX)
		return mp_sim_fail(&d->req->err, MP_SE_INVALID, "Table for existing index '%.*s' not found in '%.*s'",
		                   MP_SIM_S(name), MP_SIM_S(ks->name));
	return not_found(d,
	                 asked->what == MP_SIM_DESCRIBE_TABLE ? "Table "
	                 : any                                ? ""
	                                                      : "User defined type ",
	                 name, ks->name);
}

// ---- the answer -------------------------------------------------------------------------------------------

static int answer(struct describe *d, const char *const *names, uint32_t count)
{
	struct mp_sim_listed columns[4];
	for (uint32_t i = 0; i < count; i++)
		columns[i] = (struct mp_sim_listed){names[i], mp_sim_scalar_type(MP_TYPE_VARCHAR)};
	return mp_sim_answer_list(d->req, "system", "describe", columns, count, &d->rows, d->count);
}

static int describe(struct describe *d)
{
	static const char *const things[] = {"keyspace_name", "type", "name", "create_statement"};
	static const char *const cluster[] = {"cluster", "partitioner", "snitch"};
	enum mp_sim_describe_what what = d->asked->what;
	if (what == MP_SIM_DESCRIBE_CLUSTER) {
		const char *values[] = {d->req->conn->owner->cluster->name, "Murmur3Partitioner", "SimulatedSnitch"};
		for (size_t i = 0; i < MP_ARRAY_LEN(values); i++)
			put_cell(&d->rows, values[i], strlen(values[i]));
		d->count = 1;
		return answer(d, cluster, 3);
	}
	bool one = what == MP_SIM_DESCRIBE_KEYSPACE || what == MP_SIM_DESCRIBE_TABLE ||
	           what == MP_SIM_DESCRIBE_TYPE || what == MP_SIM_DESCRIBE_INDEX || what == MP_SIM_DESCRIBE_ANY;
	d->with_text = one || what == MP_SIM_DESCRIBE_SCHEMA;
	MP_SIM_TRY(one ? tell_one(d) : tell_list(d));
	return answer(d, things, d->with_text ? 4 : 3);
}

int mp_sim_describe(struct mp_sim_request *req, const struct mp_sim_plan *plan)
{
	struct describe d = {.req = req, .asked = &plan->stmt->describe, .keyspace = plan->keyspace};
	if (d.asked->keyspace.len > 0)
		d.keyspace = d.asked->keyspace;
	mp_buf_init(&d.rows);
	mp_buf_init(&d.text);
	int rc = describe(&d);
	mp_buf_deinit(&d.rows);
	mp_buf_deinit(&d.text);
	return rc;
}
