// SPDX-License-Identifier: Apache-2.0
// INSERT, UPDATE, DELETE.
#include "sim/cql/parse.h"

#include "base/err.h"

static int parse_using(struct mp_sim_parser *p)
{
	int more = mp_sim_accept_word(p, "USING");
	if (more <= 0)
		return more;
	do {
		int taken;
		MP_SIM_TRY(taken = mp_sim_accept_word(p, "TTL"));
		if (taken > 0) {
			MP_SIM_TRY(mp_sim_parse_term(p, &p->stmt->ttl));
		} else {
			MP_SIM_TRY(mp_sim_expect_word(p, "TIMESTAMP"));
			MP_SIM_TRY(mp_sim_parse_term(p, &p->stmt->timestamp));
		}
		MP_SIM_TRY(more = mp_sim_accept_word(p, "AND"));
	} while (more > 0);
	return 0;
}

// IF NOT EXISTS (INSERT), IF EXISTS, IF a = 1 AND ...
static int parse_if(struct mp_sim_parser *p)
{
	int taken = mp_sim_accept_word(p, "IF");
	if (taken <= 0)
		return taken;
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "EXISTS"));
	p->stmt->if_exists = taken > 0;
	return taken > 0 ? 0 : mp_sim_parse_where(p, &p->stmt->conditions);
}

static int parse_insert(struct mp_sim_parser *p)
{
	struct mp_sim_stmt *stmt = p->stmt;
	stmt->kind = MP_SIM_INSERT;
	MP_SIM_TRY(mp_sim_expect_word(p, "INTO"));
	MP_SIM_TRY(mp_sim_parse_table(p));
	if (mp_sim_at_word(p, "JSON"))
		return mp_sim_fail(p->err, MP_SE_INVALID,
		                   "line %u:%u INSERT JSON is not supported by the simulated cluster", p->tok.line,
		                   p->tok.column);
	struct mp_sim_word *names = NULL;
	MP_SIM_TRY(mp_sim_expect_mark(p, "("));
	MP_SIM_TRY(mp_sim_parse_names(p, &names));
	MP_SIM_TRY(mp_sim_expect_mark(p, ")"));
	MP_SIM_TRY(mp_sim_expect_word(p, "VALUES"));
	struct mp_sim_token at = p->tok;
	MP_SIM_TRY(mp_sim_expect_mark(p, "("));
	struct mp_sim_assign **tail = &stmt->assigns;
	int more = 1;
	while (more > 0) {
		struct mp_sim_assign *assign = mp_sim_parser_alloc(p, sizeof(*assign));
		if (assign == NULL)
			return MP_ESERVER;
		MP_SIM_TRY(mp_sim_parse_term(p, &assign->value));
		if (names == NULL)
			return mp_sim_fail(p->err, MP_SE_INVALID, "Unmatched column names/values");
		assign->column = names->name;
		names = names->next;
		*tail = assign;
		tail = &assign->next;
		MP_SIM_TRY(more = mp_sim_accept_mark(p, ","));
	}
	MP_SIM_TRY(mp_sim_expect_mark(p, ")"));
	if (names != NULL)
		return mp_sim_fail(p->err, MP_SE_INVALID, "Unmatched column names/values (line %u:%u)", at.line,
		                   at.column);
	int taken = mp_sim_accept_word(p, "IF");
	MP_SIM_TRY(taken);
	if (taken > 0) {
		MP_SIM_TRY(mp_sim_expect_word(p, "NOT"));
		MP_SIM_TRY(mp_sim_expect_word(p, "EXISTS"));
		stmt->if_not_exists = true;
	}
	return parse_using(p);
}

// Behind "column =": column + value, column - value, value + column, or a value.
static int parse_right_side(struct mp_sim_parser *p, struct mp_sim_assign *assign)
{
	struct mp_sim_lexer ahead = p->lex;
	struct mp_sim_token next = {0};
	MP_SIM_TRY(mp_sim_lexer_next(&ahead, &next));
	bool name = p->tok.kind == MP_SIM_TOK_QUOTED || p->tok.kind == MP_SIM_TOK_WORD;
	bool plus = mp_str_is(next.text, "+"), minus = mp_str_is(next.text, "-");
	// "c = c -1" gives the lexer a negative number.
	bool negative = next.kind == MP_SIM_TOK_INT && next.text.data[0] == '-';
	if (name && ((next.kind == MP_SIM_TOK_MARK && (plus || minus)) || negative)) {
		struct mp_sim_token at = p->tok;
		struct mp_str column;
		MP_SIM_TRY(mp_sim_parse_name(p, &column));
		if (!mp_str_eq(column, assign->column))
			return mp_sim_fail(p->err, MP_SE_SYNTAX_ERROR,
			                   "line %u:%u Only expressions of the form X = X %s <value> are supported",
			                   at.line, at.column, plus ? "+" : "-");
		assign->kind = plus || negative ? MP_SIM_ASSIGN_ADD : MP_SIM_ASSIGN_SUB;
		if (!negative)
			MP_SIM_TRY(mp_sim_parser_step(p));
		return mp_sim_parse_term(p, &assign->value);
	}
	MP_SIM_TRY(mp_sim_parse_term(p, &assign->value));
	int taken = mp_sim_accept_mark(p, "+");
	if (taken <= 0)
		return taken;
	struct mp_sim_token at = p->tok;
	struct mp_str column;
	MP_SIM_TRY(mp_sim_parse_name(p, &column));
	if (!mp_str_eq(column, assign->column))
		return mp_sim_fail(p->err, MP_SE_SYNTAX_ERROR,
		                   "line %u:%u Only expressions of the form X = <value> + X are supported", at.line,
		                   at.column);
	assign->kind = MP_SIM_ASSIGN_PREPEND;
	return 0;
}

static int parse_assignment(struct mp_sim_parser *p, struct mp_sim_assign *assign)
{
	int taken;
	MP_SIM_TRY(mp_sim_parse_name(p, &assign->column));
	MP_SIM_TRY(taken = mp_sim_accept_mark(p, "["));
	if (taken > 0) {
		assign->kind = MP_SIM_ASSIGN_ELEMENT;
		MP_SIM_TRY(mp_sim_parse_term(p, &assign->element));
		MP_SIM_TRY(mp_sim_expect_mark(p, "]"));
		MP_SIM_TRY(mp_sim_expect_mark(p, "="));
		return mp_sim_parse_term(p, &assign->value);
	}
	MP_SIM_TRY(taken = mp_sim_accept_mark(p, "."));
	if (taken > 0) {
		assign->kind = MP_SIM_ASSIGN_FIELD;
		MP_SIM_TRY(mp_sim_parse_name(p, &assign->field));
		MP_SIM_TRY(mp_sim_expect_mark(p, "="));
		return mp_sim_parse_term(p, &assign->value);
	}
	MP_SIM_TRY(taken = mp_sim_accept_mark(p, "+="));
	if (taken > 0) {
		assign->kind = MP_SIM_ASSIGN_ADD;
		return mp_sim_parse_term(p, &assign->value);
	}
	MP_SIM_TRY(taken = mp_sim_accept_mark(p, "-="));
	if (taken > 0) {
		assign->kind = MP_SIM_ASSIGN_SUB;
		return mp_sim_parse_term(p, &assign->value);
	}
	MP_SIM_TRY(mp_sim_expect_mark(p, "="));
	return parse_right_side(p, assign);
}

static int parse_update(struct mp_sim_parser *p)
{
	struct mp_sim_stmt *stmt = p->stmt;
	stmt->kind = MP_SIM_UPDATE;
	MP_SIM_TRY(mp_sim_parse_table(p));
	MP_SIM_TRY(parse_using(p));
	MP_SIM_TRY(mp_sim_expect_word(p, "SET"));
	struct mp_sim_assign **tail = &stmt->assigns;
	int more;
	do {
		struct mp_sim_assign *assign = mp_sim_parser_alloc(p, sizeof(*assign));
		if (assign == NULL)
			return MP_ESERVER;
		MP_SIM_TRY(parse_assignment(p, assign));
		*tail = assign;
		tail = &assign->next;
		MP_SIM_TRY(more = mp_sim_accept_mark(p, ","));
	} while (more > 0);
	MP_SIM_TRY(mp_sim_expect_word(p, "WHERE"));
	MP_SIM_TRY(mp_sim_parse_where(p, &stmt->where));
	return parse_if(p);
}

static int parse_deletion(struct mp_sim_parser *p, struct mp_sim_assign *assign)
{
	MP_SIM_TRY(mp_sim_parse_name(p, &assign->column));
	assign->value = mp_sim_parser_alloc(p, sizeof(*assign->value)); // zeroed: null
	if (assign->value == NULL)
		return MP_ESERVER;
	int taken = mp_sim_accept_mark(p, ".");
	MP_SIM_TRY(taken);
	if (taken > 0) {
		assign->kind = MP_SIM_ASSIGN_FIELD;
		return mp_sim_parse_name(p, &assign->field);
	}
	MP_SIM_TRY(taken = mp_sim_accept_mark(p, "["));
	if (taken == 0)
		return 0;
	assign->kind = MP_SIM_ASSIGN_ELEMENT;
	MP_SIM_TRY(mp_sim_parse_term(p, &assign->element));
	return mp_sim_expect_mark(p, "]");
}

static int parse_delete(struct mp_sim_parser *p)
{
	struct mp_sim_stmt *stmt = p->stmt;
	stmt->kind = MP_SIM_DELETE;
	struct mp_sim_assign **tail = &stmt->assigns;
	int more = !mp_sim_at_word(p, "FROM");
	while (more > 0) {
		struct mp_sim_assign *assign = mp_sim_parser_alloc(p, sizeof(*assign));
		if (assign == NULL)
			return MP_ESERVER;
		MP_SIM_TRY(parse_deletion(p, assign));
		*tail = assign;
		tail = &assign->next;
		MP_SIM_TRY(more = mp_sim_accept_mark(p, ","));
	}
	MP_SIM_TRY(mp_sim_expect_word(p, "FROM"));
	MP_SIM_TRY(mp_sim_parse_table(p));
	MP_SIM_TRY(parse_using(p));
	if (stmt->ttl != NULL)
		return mp_sim_fail(p->err, MP_SE_SYNTAX_ERROR, "DELETE takes no TTL");
	MP_SIM_TRY(mp_sim_expect_word(p, "WHERE"));
	MP_SIM_TRY(mp_sim_parse_where(p, &stmt->where));
	return parse_if(p);
}

int mp_sim_parse_change(struct mp_sim_parser *p)
{
	bool insert = mp_sim_at_word(p, "INSERT"), update = mp_sim_at_word(p, "UPDATE");
	MP_SIM_TRY(mp_sim_parser_step(p));
	return insert ? parse_insert(p) : update ? parse_update(p) : parse_delete(p);
}
