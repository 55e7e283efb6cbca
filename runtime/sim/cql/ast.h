// SPDX-License-Identifier: Apache-2.0
// A parsed CQL statement. Everything lies in the arena it was parsed into, except texts that point into the statement,
// which must live as long. Names are already in their stored case. Lists are chained by `next`, in their order.
#pragma once

#include "base/arena.h"
#include "base/cursor.h"

enum mp_sim_term_kind {
	MP_SIM_TERM_NULL,
	MP_SIM_TERM_INT,
	MP_SIM_TERM_FLOAT,
	MP_SIM_TERM_STRING,
	MP_SIM_TERM_BOOL,
	MP_SIM_TERM_UUID,
	MP_SIM_TERM_BLOB,
	MP_SIM_TERM_DURATION,
	MP_SIM_TERM_MARKER,
	MP_SIM_TERM_CALL,  // `text` is the function, `items` its arguments
	MP_SIM_TERM_LIST,  // [a, b]
	MP_SIM_TERM_SET,   // {a, b}; with no items it may also be a map
	MP_SIM_TERM_MAP,   // {a: b}: `items` are key, value, key, value
	MP_SIM_TERM_FIELD, // the key of {a: b} that is a name: a field of a user's type
	MP_SIM_TERM_TUPLE, // (a, b)
};

struct mp_sim_term {
	enum mp_sim_term_kind kind;
	struct mp_str text;        // the literal without quotes; a marker's name or empty
	uint32_t marker;           // MARKER: its position
	struct mp_sim_term *items; // chained by next
	uint32_t count;
	struct mp_sim_term *next;
};

enum mp_sim_op {
	MP_SIM_EQ,
	MP_SIM_LT,
	MP_SIM_LE,
	MP_SIM_GT,
	MP_SIM_GE,
	MP_SIM_NE,
	MP_SIM_IN,
	MP_SIM_CONTAINS,
	MP_SIM_CONTAINS_KEY,
};
const char *mp_sim_op_name(enum mp_sim_op op);

struct mp_sim_word { // a list of names
	struct mp_str name;
	struct mp_sim_word *next;
};

struct mp_sim_relation { // of WHERE and IF
	struct mp_str column;
	struct mp_sim_word *token;   // token(a, b) instead of a column
	struct mp_sim_term *element; // IF m['k'] = ...
	enum mp_sim_op op;
	struct mp_sim_term *value; // IN (a, b): a TUPLE; IN ?: a MARKER
	struct mp_sim_relation *next;
};

enum mp_sim_assign_kind {
	MP_SIM_ASSIGN_SET,     // c = value
	MP_SIM_ASSIGN_ADD,     // c = c + value, c += value
	MP_SIM_ASSIGN_SUB,     // c = c - value, c -= value
	MP_SIM_ASSIGN_PREPEND, // c = value + c
	MP_SIM_ASSIGN_ELEMENT, // c[element] = value
	MP_SIM_ASSIGN_FIELD,   // c.field = value
};

struct mp_sim_assign { // of UPDATE; of INSERT (all SET); of DELETE (SET with value NULL)
	struct mp_str column;
	enum mp_sim_assign_kind kind;
	struct mp_str field;
	struct mp_sim_term *element;
	struct mp_sim_term *value;
	struct mp_sim_assign *next;
};

enum mp_sim_selector_kind {
	MP_SIM_SELECT_COLUMN,
	MP_SIM_SELECT_FIELD, // of a user's type: `fields` lead there
	MP_SIM_SELECT_COUNT,
	MP_SIM_SELECT_AGGREGATE, // of a column
	MP_SIM_SELECT_TOKEN,
	MP_SIM_SELECT_WRITETIME,
	MP_SIM_SELECT_TTL,
	MP_SIM_SELECT_TERM, // a function of no column: now(), toTimestamp(now())
	MP_SIM_SELECT_CALL, // a function of a column's value: toDate(c); `term` names it
};

enum mp_sim_aggregate_kind { MP_SIM_MIN, MP_SIM_MAX, MP_SIM_SUM, MP_SIM_AVG, MP_SIM_COUNT_OF };

struct mp_sim_selector {
	enum mp_sim_selector_kind kind;
	struct mp_str column;
	enum mp_sim_aggregate_kind aggregate;
	struct mp_sim_word *fields;
	struct mp_sim_word *token;
	struct mp_sim_term *term;
	struct mp_str alias; // len 0: none
	struct mp_str raw;   // as written: names the result's column
	struct mp_sim_selector *next;
};

struct mp_sim_column_def {
	struct mp_str name;
	struct mp_str type; // with one way of spacing; users' types in double quotes, as NAME or KEYSPACE.NAME
	bool is_static;
	struct mp_sim_column_def *next;
};

struct mp_sim_property { // WITH name = value
	struct mp_str name;
	struct mp_sim_term *value;
	struct mp_sim_property *next;
};

struct mp_sim_order { // ORDER BY, CLUSTERING ORDER BY
	struct mp_str column;
	bool descending;
	struct mp_sim_order *next;
};

enum mp_sim_describe_what {
	MP_SIM_DESCRIBE_ANY, // whatever has the name
	MP_SIM_DESCRIBE_KEYSPACES,
	MP_SIM_DESCRIBE_TABLES,
	MP_SIM_DESCRIBE_TYPES,
	MP_SIM_DESCRIBE_FUNCTIONS, // and aggregates: there are none
	MP_SIM_DESCRIBE_CLUSTER,
	MP_SIM_DESCRIBE_SCHEMA,
	MP_SIM_DESCRIBE_KEYSPACE,
	MP_SIM_DESCRIBE_TABLE,
	MP_SIM_DESCRIBE_TYPE,
	MP_SIM_DESCRIBE_INDEX,
};

struct mp_sim_describe {
	enum mp_sim_describe_what what;
	bool full; // with the system's keyspaces
	struct mp_str keyspace;
	struct mp_str name;
};

enum mp_sim_index_target {
	MP_SIM_INDEX_VALUE,  // of a column without parts
	MP_SIM_INDEX_VALUES, // of a collection: what CONTAINS asks for
	MP_SIM_INDEX_KEYS,   // CONTAINS KEY
	MP_SIM_INDEX_ENTRIES,
	MP_SIM_INDEX_FULL, // of a frozen collection
};

struct mp_sim_index_def {
	struct mp_str name; // len 0: after its column
	struct mp_str column;
	enum mp_sim_index_target target;
	bool custom;
	struct mp_str class_name;          // USING
	const struct mp_sim_term *options; // a map of texts; NULL: none
};

// Cassandra's, in its order.
#define MP_SIM_PERMISSION_LIST(X) \
	X(CREATE)                     \
	X(ALTER)                      \
	X(DROP)                       \
	X(SELECT)                     \
	X(MODIFY)                     \
	X(AUTHORIZE)                  \
	X(DESCRIBE)                   \
	X(EXECUTE)                    \
	X(UNMASK)                     \
	X(SELECT_MASKED)
#define MP_SIM_PERMISSION(word) MP_SIM_MAY_##word,
enum mp_sim_permission { MP_SIM_PERMISSION_LIST(MP_SIM_PERMISSION) MP_SIM_PERMISSIONS };
#undef MP_SIM_PERMISSION
#define MP_SIM_ALL_PERMISSIONS ((1u << MP_SIM_PERMISSIONS) - 1)

enum mp_sim_resource { // what permissions are for
	MP_SIM_ON_ANYTHING,
	MP_SIM_ON_ALL_KEYSPACES,
	MP_SIM_ON_KEYSPACE,
	MP_SIM_ON_ALL_TABLES, // of a keyspace
	MP_SIM_ON_TABLE,
	MP_SIM_ON_ALL_ROLES,
	MP_SIM_ON_ROLE,
	MP_SIM_ON_ALL_FUNCTIONS,
	MP_SIM_ON_FUNCTIONS, // of a keyspace
};

enum mp_sim_said { MP_SIM_NOT_SAID, MP_SIM_SAID_FALSE, MP_SIM_SAID_TRUE };

struct mp_sim_role_def { // of all statements about roles and permissions
	struct mp_str role;  // len 0: not named
	struct mp_str other; // GRANT role TO other
	struct mp_str password;
	enum mp_sim_said login, superuser, has_password;
	bool user;            // CREATE USER and its like
	bool without_others;  // NORECURSIVE: of roles those between, of permissions those on what is above
	uint32_t permissions; // a bit for each
	enum mp_sim_resource resource;
	struct mp_str keyspace; // of the resource; len 0: the one in force
	struct mp_str name;
};

enum mp_sim_stmt_kind {
	MP_SIM_SELECT,
	MP_SIM_INSERT,
	MP_SIM_UPDATE,
	MP_SIM_DELETE,
	MP_SIM_TRUNCATE,
	MP_SIM_USE,
	MP_SIM_DESCRIBE,
	MP_SIM_CREATE_ROLE,
	MP_SIM_ALTER_ROLE,
	MP_SIM_DROP_ROLE,
	MP_SIM_GRANT_ROLE,
	MP_SIM_REVOKE_ROLE,
	MP_SIM_LIST_ROLES,
	MP_SIM_GRANT,
	MP_SIM_REVOKE,
	MP_SIM_LIST_PERMISSIONS,
	MP_SIM_CREATE_KEYSPACE, // from here on the schema changes
	MP_SIM_ALTER_KEYSPACE,
	MP_SIM_DROP_KEYSPACE,
	MP_SIM_CREATE_TABLE,
	MP_SIM_ALTER_TABLE,
	MP_SIM_DROP_TABLE,
	MP_SIM_CREATE_TYPE, // `table` is its name, `columns` are its fields
	MP_SIM_ALTER_TYPE,
	MP_SIM_DROP_TYPE,
	MP_SIM_CREATE_INDEX,
	MP_SIM_DROP_INDEX, // `table` is its name
};

struct mp_sim_stmt {
	enum mp_sim_stmt_kind kind;
	struct mp_str keyspace; // as given, len 0: the connection's
	struct mp_str table;
	bool if_exists;
	bool if_not_exists;

	// markers, in their order
	uint32_t marker_count;
	struct mp_sim_term **markers;

	// SELECT, UPDATE, DELETE, INSERT
	struct mp_sim_relation *where;
	struct mp_sim_relation *conditions;
	struct mp_sim_assign *assigns;
	struct mp_sim_term *timestamp; // USING TIMESTAMP
	struct mp_sim_term *ttl;

	// SELECT
	bool select_all;
	bool distinct;
	bool allow_filtering;
	struct mp_sim_selector *selectors;
	struct mp_sim_word *groups; // GROUP BY
	struct mp_sim_order *order;
	struct mp_sim_term *limit;
	struct mp_sim_term *partition_limit;

	struct mp_sim_describe describe;

	// CREATE, ALTER
	struct mp_sim_column_def *columns;
	struct mp_sim_word *renames; // from, to, from, to
	struct mp_sim_word *partition_key;
	struct mp_sim_word *clustering_key;
	struct mp_sim_order *clustering_order;
	struct mp_sim_property *properties;
	struct mp_sim_index_def index;

	struct mp_sim_role_def role;
};
