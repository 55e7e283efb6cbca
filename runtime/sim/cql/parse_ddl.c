// SPDX-License-Identifier: Apache-2.0
// CREATE, ALTER and DROP of keyspaces and tables.
#include "sim/cql/parse.h"

#include "base/err.h"

static int unsupported(struct mp_sim_parser *p, const char *verb)
{
	return mp_sim_fail(p->err, MP_SE_INVALID, "line %u:%u %s %.*s is not supported by the simulated cluster",
	                   p->tok.line, p->tok.column, verb, MP_SIM_S(p->tok.raw));
}

int mp_sim_parse_if_exists(struct mp_sim_parser *p, bool create)
{
	int taken = mp_sim_accept_word(p, "IF");
	if (taken <= 0)
		return taken;
	if (create)
		MP_SIM_TRY(mp_sim_expect_word(p, "NOT"));
	*(create ? &p->stmt->if_not_exists : &p->stmt->if_exists) = true;
	return mp_sim_expect_word(p, "EXISTS");
}

static int parse_column(struct mp_sim_parser *p, struct mp_sim_column_def *column)
{
	MP_SIM_TRY(mp_sim_parse_name(p, &column->name));
	MP_SIM_TRY(mp_sim_parse_type(p, &column->type));
	int taken = mp_sim_accept_word(p, "STATIC");
	column->is_static = taken > 0;
	return taken < 0 ? taken : 0;
}

// PRIMARY KEY (a, b) or ((a, b), c, d); the words are taken already.
static int parse_primary_key(struct mp_sim_parser *p)
{
	struct mp_sim_stmt *stmt = p->stmt;
	int taken;
	MP_SIM_TRY(mp_sim_expect_mark(p, "("));
	MP_SIM_TRY(taken = mp_sim_accept_mark(p, "("));
	if (taken > 0) {
		MP_SIM_TRY(mp_sim_parse_names(p, &stmt->partition_key));
		MP_SIM_TRY(mp_sim_expect_mark(p, ")"));
	} else {
		stmt->partition_key = mp_sim_parser_alloc(p, sizeof(*stmt->partition_key));
		if (stmt->partition_key == NULL)
			return MP_ESERVER;
		MP_SIM_TRY(mp_sim_parse_name(p, &stmt->partition_key->name));
	}
	MP_SIM_TRY(taken = mp_sim_accept_mark(p, ","));
	if (taken > 0)
		MP_SIM_TRY(mp_sim_parse_names(p, &stmt->clustering_key));
	return mp_sim_expect_mark(p, ")");
}

static int parse_table_columns(struct mp_sim_parser *p)
{
	struct mp_sim_stmt *stmt = p->stmt;
	struct mp_sim_column_def **tail = &stmt->columns;
	int more, taken;
	MP_SIM_TRY(mp_sim_expect_mark(p, "("));
	do {
		MP_SIM_TRY(taken = mp_sim_accept_word(p, "PRIMARY"));
		if (taken > 0) {
			MP_SIM_TRY(mp_sim_expect_word(p, "KEY"));
			if (stmt->partition_key != NULL)
				return mp_sim_fail(p->err, MP_SE_INVALID,
				                   "Multiple PRIMARY KEYs specifed (exactly one required)");
			MP_SIM_TRY(parse_primary_key(p));
		} else {
			struct mp_sim_column_def *column = mp_sim_parser_alloc(p, sizeof(*column));
			if (column == NULL)
				return MP_ESERVER;
			MP_SIM_TRY(parse_column(p, column));
			*tail = column;
			tail = &column->next;
			MP_SIM_TRY(taken = mp_sim_accept_word(p, "PRIMARY"));
			if (taken > 0) {
				MP_SIM_TRY(mp_sim_expect_word(p, "KEY"));
				stmt->partition_key = mp_sim_parser_alloc(p, sizeof(*stmt->partition_key));
				if (stmt->partition_key == NULL)
					return MP_ESERVER;
				stmt->partition_key->name = column->name;
			}
		}
		MP_SIM_TRY(more = mp_sim_accept_mark(p, ","));
		if (more > 0 && mp_sim_at_mark(p, ")"))
			more = 0;
	} while (more > 0);
	return mp_sim_expect_mark(p, ")");
}

static int parse_clustering_order(struct mp_sim_parser *p)
{
	struct mp_sim_order **tail = &p->stmt->clustering_order;
	int more, taken;
	MP_SIM_TRY(mp_sim_expect_word(p, "ORDER"));
	MP_SIM_TRY(mp_sim_expect_word(p, "BY"));
	MP_SIM_TRY(mp_sim_expect_mark(p, "("));
	do {
		struct mp_sim_order *order = mp_sim_parser_alloc(p, sizeof(*order));
		if (order == NULL)
			return MP_ESERVER;
		MP_SIM_TRY(mp_sim_parse_name(p, &order->column));
		MP_SIM_TRY(taken = mp_sim_accept_word(p, "DESC"));
		order->descending = taken > 0;
		if (taken == 0)
			MP_SIM_TRY(mp_sim_accept_word(p, "ASC"));
		*tail = order;
		tail = &order->next;
		MP_SIM_TRY(more = mp_sim_accept_mark(p, ","));
	} while (more > 0);
	return mp_sim_expect_mark(p, ")");
}

static int parse_with(struct mp_sim_parser *p)
{
	struct mp_sim_property **tail = &p->stmt->properties;
	int more = mp_sim_accept_word(p, "WITH");
	if (more <= 0)
		return more;
	do {
		int taken;
		MP_SIM_TRY(taken = mp_sim_accept_word(p, "CLUSTERING"));
		if (taken > 0) {
			MP_SIM_TRY(parse_clustering_order(p));
		} else if (mp_sim_at_word(p, "COMPACT")) {
			return unsupported(p, "WITH");
		} else {
			struct mp_sim_property *property = mp_sim_parser_alloc(p, sizeof(*property));
			if (property == NULL)
				return MP_ESERVER;
			MP_SIM_TRY(mp_sim_parse_name(p, &property->name));
			MP_SIM_TRY(mp_sim_expect_mark(p, "="));
			MP_SIM_TRY(mp_sim_parse_term(p, &property->value));
			*tail = property;
			tail = &property->next;
		}
		MP_SIM_TRY(more = mp_sim_accept_word(p, "AND"));
	} while (more > 0);
	return 0;
}

static int parse_alter(struct mp_sim_parser *p, bool table)
{
	struct mp_sim_stmt *stmt = p->stmt;
	stmt->kind = table ? MP_SIM_ALTER_TABLE : MP_SIM_ALTER_KEYSPACE;
	MP_SIM_TRY(table ? mp_sim_parse_table(p) : mp_sim_parse_name(p, &stmt->keyspace));
	if (!table || mp_sim_at_word(p, "WITH")) {
		if (!mp_sim_at_word(p, "WITH"))
			return mp_sim_expected(p, "WITH");
		return parse_with(p);
	}
	if (mp_sim_at_word(p, "DROP") || mp_sim_at_word(p, "RENAME") || mp_sim_at_word(p, "ALTER"))
		return unsupported(p, "ALTER TABLE ...");
	MP_SIM_TRY(mp_sim_expect_word(p, "ADD"));
	int parenthesis = mp_sim_accept_mark(p, "("), more;
	MP_SIM_TRY(parenthesis);
	struct mp_sim_column_def **tail = &stmt->columns;
	do {
		struct mp_sim_column_def *column = mp_sim_parser_alloc(p, sizeof(*column));
		if (column == NULL)
			return MP_ESERVER;
		MP_SIM_TRY(parse_column(p, column));
		*tail = column;
		tail = &column->next;
		MP_SIM_TRY(more = mp_sim_accept_mark(p, ","));
	} while (more > 0);
	return parenthesis > 0 ? mp_sim_expect_mark(p, ")") : 0;
}

static int parse_create(struct mp_sim_parser *p, bool table)
{
	struct mp_sim_stmt *stmt = p->stmt;
	stmt->kind = table ? MP_SIM_CREATE_TABLE : MP_SIM_CREATE_KEYSPACE;
	MP_SIM_TRY(mp_sim_parse_if_exists(p, true));
	if (table) {
		MP_SIM_TRY(mp_sim_parse_table(p));
		MP_SIM_TRY(parse_table_columns(p));
	} else {
		MP_SIM_TRY(mp_sim_parse_name(p, &stmt->keyspace));
		if (!mp_sim_at_word(p, "WITH"))
			return mp_sim_expected(p, "WITH");
	}
	return parse_with(p);
}

static int parse_drop(struct mp_sim_parser *p, bool table)
{
	struct mp_sim_stmt *stmt = p->stmt;
	stmt->kind = table ? MP_SIM_DROP_TABLE : MP_SIM_DROP_KEYSPACE;
	MP_SIM_TRY(mp_sim_parse_if_exists(p, false));
	return table ? mp_sim_parse_table(p) : mp_sim_parse_name(p, &stmt->keyspace);
}

int mp_sim_parse_ddl(struct mp_sim_parser *p)
{
	bool create = mp_sim_at_word(p, "CREATE"), alter = mp_sim_at_word(p, "ALTER");
	MP_SIM_TRY(mp_sim_parser_step(p));
	int type = mp_sim_accept_word(p, "TYPE");
	MP_SIM_TRY(type);
	if (type > 0)
		return mp_sim_parse_user_type(p, create  ? MP_SIM_CREATE_TYPE
		                                 : alter ? MP_SIM_ALTER_TYPE
		                                         : MP_SIM_DROP_TYPE);
	bool user = mp_sim_at_word(p, "USER");
	if (user || mp_sim_at_word(p, "ROLE"))
		return mp_sim_parse_role(p,
		                         create  ? MP_SIM_CREATE_ROLE
		                         : alter ? MP_SIM_ALTER_ROLE
		                                 : MP_SIM_DROP_ROLE,
		                         user);
	if (!alter && (mp_sim_at_word(p, "INDEX") || (create && mp_sim_at_word(p, "CUSTOM"))))
		return mp_sim_parse_index(p, create);
	bool table = mp_sim_at_word(p, "TABLE") || mp_sim_at_word(p, "COLUMNFAMILY");
	if (!table && !mp_sim_at_word(p, "KEYSPACE") && !mp_sim_at_word(p, "SCHEMA"))
		return p->tok.kind == MP_SIM_TOK_WORD ? unsupported(p, create  ? "CREATE"
		                                                       : alter ? "ALTER"
		                                                               : "DROP")
		                                      : mp_sim_expected(p, "KEYSPACE or TABLE");
	MP_SIM_TRY(mp_sim_parser_step(p));
	return create ? parse_create(p, table) : alter ? parse_alter(p, table) : parse_drop(p, table);
}
