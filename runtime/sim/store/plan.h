// SPDX-License-Identifier: Apache-2.0
// A statement bound to the schema: which table, which columns, what the markers are, what the result looks like.
// This is what PREPARE keeps; QUERY makes one and forgets it. Shared by reference count.
#pragma once

#include "sim/cql/term.h"
#include "sim/store/schema.h"
#include "wire/message.h"

#define MP_SIM_KEY_MAX    32 // components of a partition or clustering key
#define MP_SIM_FILTER_MAX 32 // relations of one statement

// WHERE, taken apart.
struct mp_sim_where {
	const struct mp_sim_relation *keys[MP_SIM_KEY_MAX];  // of each partition key component: =, IN; NULL
	bool full_key;                                       // all of them are given
	const struct mp_sim_relation *equal[MP_SIM_KEY_MAX]; // of the first clustering columns
	uint16_t equal_count;
	const struct mp_sim_relation *low; // of the clustering column behind them, in the order of the values
	const struct mp_sim_relation *high;
	const struct mp_sim_relation *token_low;
	const struct mp_sim_relation *token_high;
	const struct mp_sim_relation *token_equal;
	const struct mp_sim_relation *filters[MP_SIM_FILTER_MAX]; // what is left: looked at row by row
	uint16_t filter_count;
	bool filters_by_key; // all filters are IN on clustering columns
};

struct mp_sim_selected {
	enum mp_sim_selector_kind kind;
	const struct mp_sim_column *column;
	const struct mp_type *type;
	enum mp_sim_aggregate_kind aggregate;
	const uint16_t *path; // FIELD: from the column's value down, `depth` places
	uint16_t depth;
	const struct mp_sim_term *term;
	struct mp_str name; // of the result's column
};

struct mp_sim_plan {
	uint32_t refs;
	struct mp_arena arena;
	struct mp_str cql;      // a copy, the statement's texts lie in it
	struct mp_str keyspace; // of the table, or the one in force
	struct mp_sim_stmt *stmt;
	struct mp_sim_table *table; // a reference; NULL for statements without one
	struct mp_metadata *params;
	struct mp_metadata *result; // 0 columns: no rows
	uint8_t id[16];
	uint8_t result_id[16];
	bool conditional; // IF
	bool only_static; // changes static columns only, of a partition without saying a row
	struct mp_sim_where where;
	struct mp_sim_selected *selected;
	uint32_t selected_count;
	bool aggregates;        // SELECT count(*), max(v): a row for each group, without GROUP BY one for all
	bool groups;            // GROUP BY
	uint16_t group_columns; // rows are of one group that have so many columns of the primary key in common
	bool reversed;
	const struct mp_sim_column **assigned; // columns of stmt->assigns, in their order
};

// NULL with `err` filled. `keyspace`: the connection's or the request's, len 0: none.
struct mp_sim_plan *mp_sim_plan_new(const struct mp_sim_schema *schema, struct mp_str cql,
                                    struct mp_str keyspace, struct mp_sim_error *err) MP_MUST_CHECK;
struct mp_sim_plan *mp_sim_plan_ref(struct mp_sim_plan *plan);
void mp_sim_plan_unref(struct mp_sim_plan *plan); // NULL is fine

// ---- for the plan's own files -----------------------------------------------------------------------------
// A marker in `term` (or inside it) receives a value of this type.
int mp_sim_plan_marker(struct mp_sim_plan *plan, const struct mp_sim_term *term, struct mp_str name,
                       const struct mp_type *type, struct mp_sim_error *err) MP_MUST_CHECK;
int mp_sim_plan_where(struct mp_sim_plan *plan, struct mp_sim_error *err) MP_MUST_CHECK;
int mp_sim_plan_select(struct mp_sim_plan *plan, struct mp_sim_error *err) MP_MUST_CHECK;
const struct mp_sim_column *
mp_sim_plan_column(const struct mp_sim_plan *plan, struct mp_str name,
                   struct mp_sim_error *err) MP_MUST_CHECK; // NULL with `err` filled
const struct mp_type *mp_sim_plan_list_of(struct mp_sim_plan *plan, const struct mp_type *type,
                                          struct mp_sim_error *err) MP_MUST_CHECK;
void mp_sim_hash_id(uint8_t id[16], const void *a, size_t a_len, const void *b, size_t b_len);
