// SPDX-License-Identifier: Apache-2.0
// SELECT, and the relations of WHERE and IF.
#include "sim/cql/parse.h"

#include "base/err.h"
#include "sim/cql/term.h"

static int parse_operator(struct mp_sim_parser *p, enum mp_sim_op *op)
{
	static const struct {
		const char *mark;
		enum mp_sim_op op;
	} marks[] = {{"=", MP_SIM_EQ}, {"<", MP_SIM_LT},  {"<=", MP_SIM_LE},
	             {">", MP_SIM_GT}, {">=", MP_SIM_GE}, {"!=", MP_SIM_NE}};
	for (size_t i = 0; i < MP_ARRAY_LEN(marks); i++) {
		if (mp_sim_at_mark(p, marks[i].mark)) {
			*op = marks[i].op;
			return mp_sim_parser_step(p);
		}
	}
	int taken;
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "IN"));
	if (taken > 0) {
		*op = MP_SIM_IN;
		return 0;
	}
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "CONTAINS"));
	if (taken == 0)
		return mp_sim_expected(p, "an operator");
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "KEY"));
	*op = taken > 0 ? MP_SIM_CONTAINS_KEY : MP_SIM_CONTAINS;
	return 0;
}

static int parse_left_side(struct mp_sim_parser *p, struct mp_sim_relation *rel)
{
	int taken;
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "TOKEN"));
	if (taken > 0) {
		MP_SIM_TRY(mp_sim_expect_mark(p, "("));
		MP_SIM_TRY(mp_sim_parse_names(p, &rel->token));
		return mp_sim_expect_mark(p, ")");
	}
	if (mp_sim_at_mark(p, "("))
		return mp_sim_fail(
			p->err, MP_SE_INVALID,
			"line %u:%u relations on several columns are not supported by the simulated cluster", p->tok.line,
			p->tok.column);
	MP_SIM_TRY(mp_sim_parse_name(p, &rel->column));
	MP_SIM_TRY(taken = mp_sim_accept_mark(p, "["));
	if (taken == 0)
		return 0;
	MP_SIM_TRY(mp_sim_parse_term(p, &rel->element));
	return mp_sim_expect_mark(p, "]");
}

int mp_sim_parse_where(struct mp_sim_parser *p, struct mp_sim_relation **list)
{
	int more;
	do {
		struct mp_sim_relation *rel = mp_sim_parser_alloc(p, sizeof(*rel));
		if (rel == NULL)
			return MP_ESERVER;
		MP_SIM_TRY(parse_left_side(p, rel));
		MP_SIM_TRY(parse_operator(p, &rel->op));
		MP_SIM_TRY(mp_sim_parse_term(p, &rel->value));
		if (rel->op == MP_SIM_IN && rel->value->kind != MP_SIM_TERM_TUPLE &&
		    rel->value->kind != MP_SIM_TERM_MARKER)
			return mp_sim_expected(p, "( values ) behind IN");
		*list = rel;
		list = &rel->next;
		MP_SIM_TRY(more = mp_sim_accept_word(p, "AND"));
	} while (more > 0);
	return 0;
}

// count(*), count(1), token(k), writetime(c), ttl(c), or a call without columns. `name` is the word before "(".
static int parse_function(struct mp_sim_parser *p, struct mp_sim_selector *sel, struct mp_sim_token name)
{
	static const char *const aggregates[] = {"min", "max", "sum", "avg", "count"};
	for (size_t i = 0; i < MP_ARRAY_LEN(aggregates); i++) {
		if (!mp_str_is_nocase(name.text, aggregates[i]))
			continue;
		MP_SIM_TRY(mp_sim_expect_mark(p, "("));
		bool all = mp_sim_at_mark(p, "*") || (p->tok.kind == MP_SIM_TOK_INT && mp_str_is(p->tok.text, "1"));
		sel->kind = all && i == MP_SIM_COUNT_OF ? MP_SIM_SELECT_COUNT : MP_SIM_SELECT_AGGREGATE;
		sel->aggregate = (enum mp_sim_aggregate_kind)i;
		MP_SIM_TRY(sel->kind == MP_SIM_SELECT_COUNT ? mp_sim_parser_step(p)
		                                            : mp_sim_parse_name(p, &sel->column));
		return mp_sim_expect_mark(p, ")");
	}
	bool time = mp_str_is_nocase(name.text, "writetime"), ttl = mp_str_is_nocase(name.text, "ttl");
	if (time || ttl) {
		sel->kind = time ? MP_SIM_SELECT_WRITETIME : MP_SIM_SELECT_TTL;
		MP_SIM_TRY(mp_sim_expect_mark(p, "("));
		MP_SIM_TRY(mp_sim_parse_name(p, &sel->column));
		return mp_sim_expect_mark(p, ")");
	}
	return mp_sim_fail(p->err, MP_SE_INVALID, "line %u:%u unknown function '%.*s' in a selection", name.line,
	                   name.column, MP_SIM_S(name.text));
}

// FUNCTION(column): 1 taken, 0 something else stands there.
static int accept_call(struct mp_sim_parser *p, struct mp_sim_selector *sel)
{
	struct mp_sim_lexer ahead = p->lex;
	struct mp_sim_token open = {0}, argument = {0}, close = {0};
	MP_SIM_TRY(mp_sim_lexer_next(&ahead, &open));
	MP_SIM_TRY(mp_sim_lexer_next(&ahead, &argument));
	MP_SIM_TRY(mp_sim_lexer_next(&ahead, &close));
	bool name = argument.kind == MP_SIM_TOK_QUOTED ||
	            (argument.kind == MP_SIM_TOK_WORD && !mp_str_is_nocase(argument.text, "null"));
	if (!name || close.kind != MP_SIM_TOK_MARK || !mp_str_is(close.text, ")"))
		return 0;
	sel->kind = MP_SIM_SELECT_CALL;
	sel->term = mp_sim_parser_alloc(p, sizeof(*sel->term));
	if (sel->term == NULL)
		return MP_ESERVER;
	*sel->term = (struct mp_sim_term){.kind = MP_SIM_TERM_CALL, .count = 1};
	MP_SIM_TRY(mp_sim_parse_name(p, &sel->term->text));
	MP_SIM_TRY(mp_sim_expect_mark(p, "("));
	MP_SIM_TRY(mp_sim_parse_name(p, &sel->column));
	MP_SIM_TRY(mp_sim_expect_mark(p, ")"));
	return 1;
}

// column, or column.field.field
static int parse_column(struct mp_sim_parser *p, struct mp_sim_selector *sel)
{
	struct mp_sim_word **tail = &sel->fields;
	int dot;
	sel->kind = MP_SIM_SELECT_COLUMN;
	MP_SIM_TRY(mp_sim_parse_name(p, &sel->column));
	while ((dot = mp_sim_accept_mark(p, ".")) > 0) {
		sel->kind = MP_SIM_SELECT_FIELD;
		*tail = mp_sim_parser_alloc(p, sizeof(**tail));
		if (*tail == NULL)
			return MP_ESERVER;
		MP_SIM_TRY(mp_sim_parse_name(p, &(*tail)->name));
		tail = &(*tail)->next;
	}
	return dot;
}

static int parse_selector(struct mp_sim_parser *p, struct mp_sim_selector *sel)
{
	struct mp_sim_token name = p->tok;
	const char *from = p->tok.raw.data;
	struct mp_sim_lexer ahead = p->lex;
	struct mp_sim_token next = {0};
	MP_SIM_TRY(mp_sim_lexer_next(&ahead, &next));
	bool call = next.kind == MP_SIM_TOK_MARK && mp_str_is(next.text, "(");
	int taken;
	if (mp_sim_at_word(p, "CAST") && call)
		return mp_sim_fail(p->err, MP_SE_INVALID, "line %u:%u CAST is not supported by the simulated cluster",
		                   name.line, name.column);
	if (mp_sim_at_word(p, "TOKEN")) {
		sel->kind = MP_SIM_SELECT_TOKEN;
		MP_SIM_TRY(mp_sim_parser_step(p));
		MP_SIM_TRY(mp_sim_expect_mark(p, "("));
		MP_SIM_TRY(mp_sim_parse_names(p, &sel->token));
		MP_SIM_TRY(mp_sim_expect_mark(p, ")"));
	} else if (call && mp_sim_function_type(name.text) != 0) {
		MP_SIM_TRY(taken = accept_call(p, sel));
		if (taken == 0) {
			sel->kind = MP_SIM_SELECT_TERM;
			MP_SIM_TRY(mp_sim_parse_term(p, &sel->term));
		}
	} else if (call) {
		MP_SIM_TRY(mp_sim_parser_step(p));
		MP_SIM_TRY(parse_function(p, sel, name));
	} else {
		MP_SIM_TRY(parse_column(p, sel));
	}
	// The current token begins behind the selector and the blanks that follow it.
	const char *to = p->tok.raw.data;
	while (to > from && (to[-1] == ' ' || to[-1] == '\n' || to[-1] == '\t' || to[-1] == '\r'))
		to--;
	sel->raw = (struct mp_str){from, (size_t)(to - from)};
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "AS"));
	return taken > 0 ? mp_sim_parse_name(p, &sel->alias) : 0;
}

static int parse_selection(struct mp_sim_parser *p)
{
	int rc = mp_sim_accept_mark(p, "*");
	p->stmt->select_all = rc > 0;
	if (rc != 0)
		return rc < 0 ? rc : 0;
	struct mp_sim_selector **tail = &p->stmt->selectors;
	do {
		struct mp_sim_selector *sel = mp_sim_parser_alloc(p, sizeof(*sel));
		if (sel == NULL)
			return MP_ESERVER;
		MP_SIM_TRY(parse_selector(p, sel));
		*tail = sel;
		tail = &sel->next;
		MP_SIM_TRY(rc = mp_sim_accept_mark(p, ","));
	} while (rc > 0);
	return 0;
}

static int parse_order(struct mp_sim_parser *p)
{
	MP_SIM_TRY(mp_sim_expect_word(p, "BY"));
	struct mp_sim_order **tail = &p->stmt->order;
	int more;
	do {
		struct mp_sim_order *order = mp_sim_parser_alloc(p, sizeof(*order));
		if (order == NULL)
			return MP_ESERVER;
		MP_SIM_TRY(mp_sim_parse_name(p, &order->column));
		int taken = mp_sim_accept_word(p, "ASC");
		if (taken == 0) {
			MP_SIM_TRY(taken = mp_sim_accept_word(p, "DESC"));
			order->descending = taken > 0;
		}
		MP_SIM_TRY(taken);
		*tail = order;
		tail = &order->next;
		MP_SIM_TRY(more = mp_sim_accept_mark(p, ","));
	} while (more > 0);
	return 0;
}

// What may follow the table's name, in CQL's order.
static int parse_tail(struct mp_sim_parser *p)
{
	struct mp_sim_stmt *stmt = p->stmt;
	int taken;
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "WHERE"));
	if (taken > 0)
		MP_SIM_TRY(mp_sim_parse_where(p, &stmt->where));
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "GROUP"));
	if (taken > 0) {
		MP_SIM_TRY(mp_sim_expect_word(p, "BY"));
		MP_SIM_TRY(mp_sim_parse_names(p, &stmt->groups));
	}
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "ORDER"));
	if (taken > 0)
		MP_SIM_TRY(parse_order(p));
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "PER"));
	if (taken > 0) {
		MP_SIM_TRY(mp_sim_expect_word(p, "PARTITION"));
		MP_SIM_TRY(mp_sim_expect_word(p, "LIMIT"));
		MP_SIM_TRY(mp_sim_parse_term(p, &stmt->partition_limit));
	}
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "LIMIT"));
	if (taken > 0)
		MP_SIM_TRY(mp_sim_parse_term(p, &stmt->limit));
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "ALLOW"));
	if (taken > 0)
		MP_SIM_TRY(mp_sim_expect_word(p, "FILTERING"));
	stmt->allow_filtering = taken > 0;
	return 0;
}

int mp_sim_parse_select(struct mp_sim_parser *p)
{
	p->stmt->kind = MP_SIM_SELECT;
	MP_SIM_TRY(mp_sim_parser_step(p));
	if (mp_sim_at_word(p, "JSON"))
		return mp_sim_fail(p->err, MP_SE_INVALID,
		                   "line %u:%u SELECT JSON is not supported by the simulated cluster", p->tok.line,
		                   p->tok.column);
	int distinct = mp_sim_accept_word(p, "DISTINCT");
	MP_SIM_TRY(distinct);
	p->stmt->distinct = distinct > 0;
	MP_SIM_TRY(parse_selection(p));
	MP_SIM_TRY(mp_sim_expect_word(p, "FROM"));
	MP_SIM_TRY(mp_sim_parse_table(p));
	return parse_tail(p);
}
