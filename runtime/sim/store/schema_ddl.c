// SPDX-License-Identifier: Apache-2.0
// What CREATE, ALTER and DROP do to the schema, with Cassandra's checks and its words for what is wrong.
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "sim/cql/parse.h"
#include "sim/store/schema.h"

bool mp_sim_is_system(struct mp_str keyspace)
{
	static const char *const names[] = {
		"system",        "system_schema", "system_auth",          "system_distributed",
		"system_traces", "system_views",  "system_virtual_schema"};
	for (size_t i = 0; i < MP_ARRAY_LEN(names); i++) {
		if (mp_str_is(keyspace, names[i]))
			return true;
	}
	return false;
}

// ---- keyspaces --------------------------------------------------------------------------------------------

int mp_sim_check_name(struct mp_str name, const char *what, struct mp_sim_error *err)
{
	bool fits = name.len > 0 && name.len <= MP_SIM_NAME_MAX;
	for (size_t i = 0; fits && i < name.len; i++) {
		char c = name.data[i];
		fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
	}
	if (fits)
		return 0;
	return mp_sim_fail(err, MP_SE_INVALID,
	                   "%s name must not be empty, more than %d characters long, or contain "
	                   "non-alphanumeric-underscore characters (got \"%.*s\")",
	                   what, MP_SIM_NAME_MAX, MP_SIM_S(name));
}

static void name_object(struct mp_sim_error *err, struct mp_str keyspace, struct mp_str table)
{
	memcpy(err->keyspace, keyspace.data, keyspace.len <= MP_SIM_NAME_MAX ? keyspace.len : 0);
	if (table.len > 0)
		memcpy(err->table, table.data, table.len <= MP_SIM_NAME_MAX ? table.len : 0);
}

static int no_keyspace(struct mp_str name, struct mp_sim_error *err)
{
	return mp_sim_fail(err, MP_SE_INVALID, "Keyspace '%.*s' doesn't exist", MP_SIM_S(name));
}

static int create_keyspace(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                           struct mp_sim_change *change, struct mp_sim_error *err)
{
	struct mp_sim_strategy strategy;
	bool has_replication = false, durable = true;
	MP_SIM_TRY(mp_sim_check_name(stmt->keyspace, "Keyspace", err));
	MP_SIM_TRY(mp_sim_keyspace_options(schema, stmt, &strategy, &has_replication, &durable, err));
	if (!has_replication)
		return mp_sim_fail(err, MP_SE_CONFIG_ERROR, "Missing mandatory option 'replication'");
	if (mp_sim_schema_keyspace(schema, stmt->keyspace) != NULL) {
		if (stmt->if_not_exists)
			return 0;
		name_object(err, stmt->keyspace, (struct mp_str){"", 0});
		return mp_sim_fail(err, MP_SE_ALREADY_EXISTS, "Cannot add existing keyspace \"%.*s\"",
		                   MP_SIM_S(stmt->keyspace));
	}
	struct mp_sim_keyspace *ks = mp_sim_schema_add_keyspace(schema, stmt->keyspace, &strategy);
	if (ks == NULL)
		return mp_sim_fail_nomem(err);
	ks->durable_writes = durable;
	*change = (struct mp_sim_change){.change = "CREATED", .target = "KEYSPACE", .keyspace = stmt->keyspace};
	return 0;
}

static int alter_keyspace(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                          struct mp_sim_change *change, struct mp_sim_error *err)
{
	struct mp_sim_keyspace *ks = mp_sim_schema_keyspace(schema, stmt->keyspace);
	if (ks == NULL)
		return stmt->if_exists ? 0 : no_keyspace(stmt->keyspace, err);
	struct mp_sim_strategy strategy;
	bool has_replication = false;
	bool durable = ks->durable_writes;
	MP_SIM_TRY(mp_sim_keyspace_options(schema, stmt, &strategy, &has_replication, &durable, err));
	ks->durable_writes = durable;
	if (has_replication) {
		ks->strategy = strategy;
		mp_sim_placement_deinit(&ks->placement);
	}
	schema->version++;
	*change = (struct mp_sim_change){.change = "UPDATED", .target = "KEYSPACE", .keyspace = stmt->keyspace};
	return 0;
}

static int drop_keyspace(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                         struct mp_sim_change *change, struct mp_sim_error *err)
{
	struct mp_sim_keyspace *ks = mp_sim_schema_keyspace(schema, stmt->keyspace);
	if (ks == NULL)
		return stmt->if_exists ? 0 : no_keyspace(stmt->keyspace, err);
	mp_sim_schema_unlink_keyspace(schema, ks);
	*change = (struct mp_sim_change){.change = "DROPPED", .target = "KEYSPACE", .keyspace = stmt->keyspace};
	return 0;
}

// ---- tables -----------------------------------------------------------------------------------------------

static bool in_list(const struct mp_sim_word *list, struct mp_str name, uint16_t *position)
{
	for (*position = 0; list != NULL; list = list->next, (*position)++) {
		if (mp_str_eq(list->name, name))
			return true;
	}
	return false;
}

static int add_column(const struct mp_sim_keyspace *ks, struct mp_sim_table *table,
                      const struct mp_sim_column_def *def, struct mp_sim_error *err)
{
	if (mp_sim_table_column(table, def->name) != NULL)
		return mp_sim_fail(err, MP_SE_INVALID, "Duplicate column '%.*s' declaration for table '%.*s'",
		                   MP_SIM_S(def->name), MP_SIM_S(table->name));
	if (def->name.len > MP_SIM_NAME_MAX) // any characters will do
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Column names of more than %d bytes are not supported by the simulated cluster",
		                   MP_SIM_NAME_MAX);
	if (table->column_count == table->column_cap) {
		uint16_t cap = (uint16_t)(table->column_cap * 2 + 8);
		struct mp_sim_column **columns = mp_arena_alloc(&table->arena, cap * sizeof(struct mp_sim_column *));
		if (columns == NULL)
			return mp_sim_fail_nomem(err);
		if (table->column_count > 0)
			memcpy(columns, table->columns, table->column_count * sizeof(struct mp_sim_column *));
		table->columns = columns;
		table->column_cap = cap;
	}
	struct mp_sim_column *column = mp_arena_alloc(&table->arena, sizeof(*column));
	if (column == NULL)
		return mp_sim_fail_nomem(err);
	column->name = mp_arena_str(&table->arena, def->name);
	if (column->name.data == NULL)
		return mp_sim_fail_nomem(err);
	struct mp_sim_typed typed;
	MP_SIM_TRY(mp_sim_type_resolve(ks, def->type, &table->arena, &typed, err));
	column->type = typed.type;
	column->type_text = typed.text;
	column->multi = typed.multi;
	column->counter = column->type->id == MP_TYPE_COUNTER;
	column->kind = def->is_static ? MP_SIM_STATIC : MP_SIM_REGULAR;
	table->statics = table->statics || def->is_static;
	column->index = table->column_count;
	table->columns[table->column_count++] = column;
	return 0;
}

static const struct mp_sim_column_def *find_def(const struct mp_sim_stmt *stmt, struct mp_str name)
{
	const struct mp_sim_column_def *def = stmt->columns;
	while (def != NULL && !mp_str_eq(def->name, name))
		def = def->next;
	return def;
}

static int add_key_columns(const struct mp_sim_keyspace *ks, struct mp_sim_table *table,
                           const struct mp_sim_stmt *stmt, const struct mp_sim_word *names,
                           enum mp_sim_column_kind kind, struct mp_sim_error *err)
{
	uint16_t position = 0;
	for (; names != NULL; names = names->next, position++) {
		const struct mp_sim_column_def *def = find_def(stmt, names->name);
		if (def == NULL)
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "Unknown column '%.*s' referenced in PRIMARY KEY for table '%.*s'",
			                   MP_SIM_S(names->name), MP_SIM_S(stmt->table));
		MP_SIM_TRY(add_column(ks, table, def, err));
		struct mp_sim_column *column = table->columns[table->column_count - 1];
		if (def->is_static)
			return mp_sim_fail(err, MP_SE_INVALID, "Static column %.*s cannot be part of the PRIMARY KEY",
			                   MP_SIM_S(column->name));
		column->kind = kind;
		column->position = position;
		if (column->multi)
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "Invalid non-frozen collection type %.*s for PRIMARY KEY column '%.*s'",
			                   MP_SIM_S(column->type_text), MP_SIM_S(column->name));
		if (column->counter)
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "counter type is not supported for PRIMARY KEY column '%.*s'",
			                   MP_SIM_S(column->name));
		if (column->type->id == MP_TYPE_DURATION)
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "duration type is not supported for PRIMARY KEY column '%.*s'",
			                   MP_SIM_S(column->name));
	}
	*(kind == MP_SIM_PARTITION_KEY ? &table->partition_count : &table->clustering_count) = position;
	return 0;
}

static int order_clustering(struct mp_sim_table *table, const struct mp_sim_stmt *stmt,
                            struct mp_sim_error *err)
{
	for (const struct mp_sim_order *order = stmt->clustering_order; order != NULL; order = order->next) {
		struct mp_sim_column *column = mp_sim_table_column(table, order->column);
		if (column == NULL || column->kind != MP_SIM_CLUSTERING)
			return mp_sim_fail(
				err, MP_SE_INVALID,
				"Only clustering columns can be defined in CLUSTERING ORDER directive: %.*s are not "
				"clustering columns",
				MP_SIM_S(order->column));
		column->descending = order->descending;
	}
	return 0;
}

static int table_options(struct mp_sim_table *table, const struct mp_sim_stmt *stmt, struct mp_sim_error *err)
{
	for (const struct mp_sim_property *p = stmt->properties; p != NULL; p = p->next) {
		if (mp_str_is(p->name, "comment")) {
			table->comment = mp_arena_str(&table->arena, p->value->text);
			if (table->comment.data == NULL)
				return mp_sim_fail_nomem(err);
		} else if (mp_str_is(p->name, "default_time_to_live")) {
			char text[12] = {0};
			memcpy(text, p->value->text.data, p->value->text.len < 11 ? p->value->text.len : 11);
			table->default_ttl = (int32_t)strtol(text, NULL, 10);
		}
	}
	return 0;
}

static int fill_table(const struct mp_sim_keyspace *ks, struct mp_sim_table *table,
                      const struct mp_sim_stmt *stmt, struct mp_sim_error *err)
{
	uint16_t position;
	if (stmt->partition_key == NULL)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "No PRIMARY KEY specifed for table '%.*s' (exactly one required)",
		                   MP_SIM_S(stmt->table));
	MP_SIM_TRY(add_key_columns(ks, table, stmt, stmt->partition_key, MP_SIM_PARTITION_KEY, err));
	MP_SIM_TRY(add_key_columns(ks, table, stmt, stmt->clustering_key, MP_SIM_CLUSTERING, err));
	bool plain = false;
	for (const struct mp_sim_column_def *def = stmt->columns; def != NULL; def = def->next) {
		bool key = in_list(stmt->partition_key, def->name, &position) ||
		           in_list(stmt->clustering_key, def->name, &position);
		if (key && find_def(stmt, def->name) == def)
			continue;
		MP_SIM_TRY(add_column(ks, table, def, err));
		struct mp_sim_column *column = table->columns[table->column_count - 1];
		*(column->counter ? &table->counters : &plain) = true;
	}
	if (table->statics && table->clustering_count == 0)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Static columns are only useful (and thus allowed) if the table has at least one "
		                   "clustering column");
	if (table->counters && plain)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Cannot mix counter and non counter columns in the same table");
	MP_SIM_TRY(order_clustering(table, stmt, err));
	return table_options(table, stmt, err);
}

static void make_id(struct mp_sim_schema *schema, struct mp_uuid *id)
{
	for (size_t half = 0; half < 2; half++) {
		schema->id_state += 0x9e3779b97f4a7c15u;
		uint64_t x = schema->id_state;
		x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
		x = (x ^ x >> 27) * 0x94d049bb133111ebu;
		x ^= x >> 31;
		memcpy(id->bytes + half * 8, &x, 8);
	}
	id->bytes[6] = (uint8_t)((id->bytes[6] & 0x0f) | 0x40);
	id->bytes[8] = (uint8_t)((id->bytes[8] & 0x3f) | 0x80);
}

struct mp_sim_table *mp_sim_schema_add_table(struct mp_sim_schema *schema, struct mp_sim_keyspace *keyspace,
                                             const struct mp_sim_stmt *create, struct mp_sim_error *err)
{
	struct mp_sim_table *table = mp_calloc(1, sizeof(*table));
	if (table == NULL || mp_sim_schema_reserve(schema) < 0) {
		mp_free(table);
		mp_sim_fail_nomem(err);
		return NULL;
	}
	table->refs = 1;
	mp_arena_init(&table->arena);
	table->keyspace = mp_arena_str(&table->arena, keyspace->name);
	table->name = mp_arena_str(&table->arena, create->table);
	if (table->keyspace.data == NULL || table->name.data == NULL)
		mp_sim_fail_nomem(err);
	else if (fill_table(keyspace, table, create, err) == 0) {
		make_id(schema, &table->id);
		mp_sim_schema_link_table(schema, keyspace, table);
		schema->version++;
		return table;
	}
	mp_sim_table_unref(table);
	return NULL;
}

static int create_table(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt, struct mp_str keyspace,
                        struct mp_sim_change *change, struct mp_sim_error *err)
{
	struct mp_sim_keyspace *ks = mp_sim_schema_keyspace(schema, keyspace);
	if (ks == NULL)
		return no_keyspace(keyspace, err);
	MP_SIM_TRY(mp_sim_check_name(stmt->table, "Table", err));
	if (mp_sim_schema_table(schema, keyspace, stmt->table) != NULL) {
		if (stmt->if_not_exists)
			return 0;
		name_object(err, keyspace, stmt->table);
		return mp_sim_fail(err, MP_SE_ALREADY_EXISTS,
		                   "Cannot add already existing table \"%.*s\" to keyspace \"%.*s\"",
		                   MP_SIM_S(stmt->table), MP_SIM_S(keyspace));
	}
	if (mp_sim_schema_add_table(schema, ks, stmt, err) == NULL)
		return MP_ESERVER;
	*change = (struct mp_sim_change){
		.change = "CREATED", .target = "TABLE", .keyspace = keyspace, .name = stmt->table};
	return 0;
}

static int alter_table(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                       struct mp_sim_table *table, struct mp_sim_change *change, struct mp_sim_error *err)
{
	for (const struct mp_sim_column_def *def = stmt->columns; def != NULL; def = def->next) {
		bool counter = mp_str_is(def->type, "counter");
		if (mp_sim_table_column(table, def->name) != NULL)
			return mp_sim_fail(err, MP_SE_INVALID, "Column with name '%.*s' already exists",
			                   MP_SIM_S(def->name));
		if (def->is_static && table->clustering_count == 0)
			return mp_sim_fail(
				err, MP_SE_INVALID,
				"Static columns are only useful (and thus allowed) if the table has at least one "
				"clustering column");
		if (counter != table->counters)
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "Cannot mix counter and non counter columns in the same table");
	}
	for (const struct mp_sim_column_def *def = stmt->columns; def != NULL; def = def->next)
		MP_SIM_TRY(add_column(table->owner, table, def, err));
	MP_SIM_TRY(table_options(table, stmt, err));
	schema->version++;
	*change = (struct mp_sim_change){.change = "UPDATED",
	                                 .target = "TABLE",
	                                 .keyspace = table->keyspace,
	                                 .name = table->name,
	                                 .table = mp_sim_table_ref(table)};
	return 0;
}

static int change_table(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt, struct mp_str keyspace,
                        struct mp_sim_change *change, struct mp_sim_error *err)
{
	struct mp_sim_table *table = mp_sim_schema_table(schema, keyspace, stmt->table);
	if (table == NULL) {
		if (stmt->if_exists)
			return 0;
		if (mp_sim_schema_keyspace(schema, keyspace) == NULL)
			return no_keyspace(keyspace, err);
		return mp_sim_fail(err, MP_SE_INVALID, "Table '%.*s.%.*s' doesn't exist", MP_SIM_S(keyspace),
		                   MP_SIM_S(stmt->table));
	}
	if (stmt->kind == MP_SIM_ALTER_TABLE)
		return alter_table(schema, stmt, table, change, err);
	*change = (struct mp_sim_change){.change = "DROPPED",
	                                 .target = "TABLE",
	                                 .keyspace = table->keyspace,
	                                 .name = table->name,
	                                 .table = mp_sim_table_ref(table)};
	mp_sim_schema_unlink_table(schema, table);
	schema->version++;
	return 0;
}

static int change_type(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt, struct mp_str keyspace,
                       struct mp_sim_change *change, struct mp_sim_error *err)
{
	struct mp_sim_keyspace *ks = mp_sim_schema_keyspace(schema, keyspace);
	return ks == NULL ? no_keyspace(keyspace, err) : mp_sim_schema_change_type(schema, stmt, ks, change, err);
}

static int change_index(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt, struct mp_str keyspace,
                        struct mp_sim_change *change, struct mp_sim_error *err)
{
	struct mp_sim_keyspace *ks = mp_sim_schema_keyspace(schema, keyspace);
	return ks == NULL ? no_keyspace(keyspace, err)
	                  : mp_sim_schema_change_index(schema, stmt, ks, change, err);
}

int mp_sim_schema_execute(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                          struct mp_str keyspace, struct mp_sim_change *change, struct mp_sim_error *err)
{
	memset(change, 0, sizeof(*change));
	if (stmt->keyspace.len > 0)
		keyspace = stmt->keyspace;
	if (keyspace.len == 0)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "No keyspace has been specified. USE a keyspace, or explicitly specify "
		                   "keyspace.tablename");
	if (mp_sim_is_system(keyspace))
		return mp_sim_fail(err, MP_SE_UNAUTHORIZED, "%.*s keyspace is not user-modifiable.",
		                   MP_SIM_S(keyspace));
	switch (stmt->kind) {
	case MP_SIM_CREATE_KEYSPACE: return create_keyspace(schema, stmt, change, err);
	case MP_SIM_ALTER_KEYSPACE: return alter_keyspace(schema, stmt, change, err);
	case MP_SIM_DROP_KEYSPACE: return drop_keyspace(schema, stmt, change, err);
	case MP_SIM_CREATE_TABLE: return create_table(schema, stmt, keyspace, change, err);
	case MP_SIM_ALTER_TABLE:
	case MP_SIM_DROP_TABLE: return change_table(schema, stmt, keyspace, change, err);
	case MP_SIM_CREATE_TYPE:
	case MP_SIM_ALTER_TYPE:
	case MP_SIM_DROP_TYPE: return change_type(schema, stmt, keyspace, change, err);
	case MP_SIM_CREATE_INDEX:
	case MP_SIM_DROP_INDEX: return change_index(schema, stmt, keyspace, change, err);
	default: return mp_sim_fail(err, MP_SE_SERVER_ERROR, "not a schema statement");
	}
}
