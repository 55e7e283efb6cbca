// SPDX-License-Identifier: Apache-2.0
// Keyspaces and tables of the simulated cluster, one schema for all nodes. A table is shared by reference count: it
// lives on while a prepared statement, a hint or stored data holds it. A table only grows (ALTER ... ADD), so the
// position of a column never changes.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/uuid.h"
#include "sim/cql/ast.h"
#include "sim/cql/error.h"
#include "sim/store/ring.h"
#include "wire/type.h"

enum mp_sim_column_kind { MP_SIM_PARTITION_KEY, MP_SIM_CLUSTERING, MP_SIM_REGULAR, MP_SIM_STATIC };

struct mp_sim_column {
	struct mp_str name;
	struct mp_str type_text; // "frozen<list<int>>"
	struct mp_type *type;
	enum mp_sim_column_kind kind;
	uint16_t index;    // in the table's columns
	uint16_t position; // within its kind
	bool descending;   // CLUSTERING
	bool multi;        // a collection or user's type that is not frozen: its parts are written one by one
	bool counter;
};

struct mp_sim_index { // lies in its table's arena, also when it was dropped
	struct mp_str name;
	struct mp_str target; // as system_schema tells it: "v", "keys(m)"
	struct mp_sim_column *column;
	enum mp_sim_index_target kind;
	struct mp_str class_name; // len 0: Cassandra's own
	bool ranges;              // also < and >, and beside others: storage-attached
	struct mp_str *options;   // key, value, key, value: of a class
	uint16_t option_count;
	struct mp_sim_index *next; // by name
};

struct mp_sim_table {
	uint32_t refs;
	struct mp_arena arena;
	struct mp_str keyspace;
	struct mp_str name;
	struct mp_uuid id;
	struct mp_sim_column **columns; // partition key, clustering, regular (in order of creation)
	uint16_t column_count;
	uint16_t column_cap;
	uint16_t partition_count;
	uint16_t clustering_count;
	bool counters; // has counter columns
	bool statics;  // has static columns
	bool dropped;
	struct mp_str comment;
	int32_t default_ttl;
	struct mp_sim_index *indexes;
	const struct mp_sim_virtual *source; // a table made from the live state; NULL: stored
	struct mp_sim_keyspace *owner;       // NULL once dropped
	struct mp_sim_table *next;
};

struct mp_sim_udt_field {
	struct mp_str name;
	struct mp_str type_text;
};

struct mp_sim_udt { // lies in its keyspace's arena, as do its older forms
	struct mp_str name;
	struct mp_sim_udt_field *fields;
	uint16_t field_count;
	struct mp_type *type;
	struct mp_sim_udt *next; // by name
};

struct mp_sim_keyspace {
	struct mp_str name;
	struct mp_arena arena;
	struct mp_sim_strategy strategy;
	struct mp_sim_placement placement;
	bool durable_writes;
	bool is_virtual;             // belongs to system_virtual_schema
	struct mp_sim_table *tables; // by name
	struct mp_sim_udt *types;
	struct mp_sim_keyspace *next; // by name
};

struct mp_sim_schema {
	struct mp_sim_keyspace *keyspaces;
	struct mp_sim_table **table_index; // open addressing over all tables
	size_t table_cap;
	size_t table_count;
	uint64_t version;                      // counts the changes
	char (*dc_names)[MP_SIM_NAME_MAX + 1]; // known datacentres, the cluster's
	size_t dc_count;
	uint64_t id_state; // for table ids
};

void mp_sim_schema_init(struct mp_sim_schema *schema, uint64_t seed);
void mp_sim_schema_deinit(struct mp_sim_schema *schema);
struct mp_sim_keyspace *mp_sim_schema_keyspace(const struct mp_sim_schema *schema,
                                               struct mp_str name); // NULL: none
struct mp_sim_table *mp_sim_schema_table(const struct mp_sim_schema *schema, struct mp_str keyspace,
                                         struct mp_str name);

struct mp_sim_table *mp_sim_table_ref(struct mp_sim_table *table);
void mp_sim_table_unref(struct mp_sim_table *table); // NULL is fine
// The columns as SELECT * gives them, into `out`: keys as declared, then static ones, then the others, each by name.
void mp_sim_table_order(const struct mp_sim_table *table, const struct mp_sim_column **out);
struct mp_sim_column *mp_sim_table_column(const struct mp_sim_table *table, struct mp_str name); // NULL: none
static inline bool mp_sim_is_key(const struct mp_sim_column *column)
{
	return column->kind == MP_SIM_PARTITION_KEY || column->kind == MP_SIM_CLUSTERING;
}
// Where the value of a column that is no key lies in a row, or in a partition's static row.
#define MP_SIM_SLOT(table, column) \
	((uint16_t)((column)->index - (table)->partition_count - (table)->clustering_count))

// What a DDL statement did, for the answer and the event. `change` NULL: nothing (IF [NOT] EXISTS).
struct mp_sim_change {
	const char *change; // "CREATED", "UPDATED", "DROPPED"
	const char *target; // "KEYSPACE", "TABLE", "TYPE"
	struct mp_str keyspace;
	struct mp_str name;
	struct mp_sim_table *table; // ALTER, DROP TABLE, INDEX: a reference for the caller to give back
};
// `keyspace` is the connection's, for names without one. The names of `change` borrow from the statement.
int mp_sim_schema_execute(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                          struct mp_str keyspace, struct mp_sim_change *change,
                          struct mp_sim_error *err) MP_MUST_CHECK;
bool mp_sim_is_system(struct mp_str keyspace); // cannot be changed by clients

// ---- making (also for the system tables) ------------------------------------------------------------------
struct mp_sim_keyspace *mp_sim_schema_add_keyspace(struct mp_sim_schema *schema, struct mp_str name,
                                                   const struct mp_sim_strategy *strategy) MP_MUST_CHECK;
struct mp_sim_table *mp_sim_schema_add_table(struct mp_sim_schema *schema, struct mp_sim_keyspace *keyspace,
                                             const struct mp_sim_stmt *create,
                                             struct mp_sim_error *err) MP_MUST_CHECK;

// ---- for schema_ddl.c -------------------------------------------------------------------------------------
int mp_sim_schema_reserve(struct mp_sim_schema *schema) MP_MUST_CHECK; // room for one more table
void mp_sim_schema_link_table(struct mp_sim_schema *schema, struct mp_sim_keyspace *ks,
                              struct mp_sim_table *table);
void mp_sim_schema_unlink_table(struct mp_sim_schema *schema,
                                struct mp_sim_table *table); // gives its reference back
void mp_sim_schema_unlink_keyspace(struct mp_sim_schema *schema, struct mp_sim_keyspace *ks);

void mp_sim_put_name(struct mp_buf *buf, struct mp_str name); // in double quotes where CQL wants them

// schema_index.c
int mp_sim_schema_change_index(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                               struct mp_sim_keyspace *ks, struct mp_sim_change *change,
                               struct mp_sim_error *err) MP_MUST_CHECK;
struct mp_sim_index *mp_sim_index_find(const struct mp_sim_keyspace *ks, struct mp_str name,
                                       struct mp_sim_table **table); // NULL: none
// Does it find the rows of the relation without looking at others?
bool mp_sim_index_serves(const struct mp_sim_index *index, const struct mp_sim_relation *rel);
// The statement that makes it again.
void mp_sim_index_tell(struct mp_buf *text, const struct mp_sim_table *table,
                       const struct mp_sim_index *index);

// schema_type.c: users' types, and what a type's text means where they are known.
int mp_sim_schema_change_type(struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                              struct mp_sim_keyspace *ks, struct mp_sim_change *change,
                              struct mp_sim_error *err) MP_MUST_CHECK;
struct mp_sim_typed {
	struct mp_type *type;
	struct mp_str text; // as Cassandra shows it
	bool multi;
};
int mp_sim_type_resolve(const struct mp_sim_keyspace *ks, struct mp_str text, struct mp_arena *arena,
                        struct mp_sim_typed *out, struct mp_sim_error *err) MP_MUST_CHECK;
int mp_sim_check_name(struct mp_str name, const char *what, struct mp_sim_error *err) MP_MUST_CHECK;

// replication.c: WITH of CREATE and ALTER KEYSPACE. What is not said keeps its value.
int mp_sim_keyspace_options(const struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                            struct mp_sim_strategy *strategy, bool *has_replication, bool *durable,
                            struct mp_sim_error *err) MP_MUST_CHECK;
