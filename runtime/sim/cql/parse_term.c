// SPDX-License-Identifier: Apache-2.0
// Values in CQL text: literals, bind markers, function calls, collections.
#include "sim/cql/parse.h"

#include "base/err.h"

static int parse_marker(struct mp_sim_parser *p, struct mp_sim_term *term)
{
	bool named = mp_sim_at_mark(p, ":");
	term->kind = MP_SIM_TERM_MARKER;
	term->text = (struct mp_str){"", 0};
	term->text = (struct mp_str){"", 0}; // without a name of its own it gets the column's
	MP_SIM_TRY(mp_sim_parser_step(p));
	if (named)
		MP_SIM_TRY(mp_sim_parse_name(p, &term->text));
	if (p->stmt->marker_count >= MP_SIM_MARKERS_MAX)
		return mp_sim_fail(p->err, MP_SE_INVALID, "too many bind markers (%u allowed)", MP_SIM_MARKERS_MAX);
	term->marker = p->stmt->marker_count++;
	term->items = p->last_marker;
	p->last_marker = term;
	return 0;
}

// Does a name stand here, and a colon behind it? A field of a user's type.
static int at_field(const struct mp_sim_parser *p)
{
	bool word = p->tok.kind == MP_SIM_TOK_WORD && !mp_sim_at_word(p, "true") && !mp_sim_at_word(p, "false") &&
	            !mp_sim_at_word(p, "nan") && !mp_sim_at_word(p, "infinity");
	if (!word && p->tok.kind != MP_SIM_TOK_QUOTED)
		return 0;
	struct mp_sim_lexer ahead = p->lex;
	struct mp_sim_token next = {0};
	MP_SIM_TRY(mp_sim_lexer_next(&ahead, &next));
	return next.kind == MP_SIM_TOK_MARK && mp_str_is(next.text, ":");
}

static int parse_field(struct mp_sim_parser *p, struct mp_sim_term **out)
{
	*out = mp_sim_parser_alloc(p, sizeof(**out));
	if (*out == NULL)
		return MP_ESERVER;
	(*out)->kind = MP_SIM_TERM_FIELD;
	return mp_sim_parse_name(p, &(*out)->text);
}

// Items up to the closing mark, which is taken. `map` allows (and then demands) key: value.
static int parse_items(struct mp_sim_parser *p, struct mp_sim_term *term, const char *close, bool map)
{
	struct mp_sim_term **tail = &term->items;
	int rc = mp_sim_accept_mark(p, close);
	if (rc != 0)
		return rc;
	if (++p->depth > MP_SIM_DEPTH_MAX)
		return mp_sim_fail(p->err, MP_SE_SYNTAX_ERROR, "line %u:%u nested too deeply", p->tok.line,
		                   p->tok.column);
	do {
		int field = map ? at_field(p) : 0;
		MP_SIM_TRY(field);
		MP_SIM_TRY(field > 0 ? parse_field(p, tail) : mp_sim_parse_term(p, tail));
		struct mp_sim_term *key = *tail;
		tail = &key->next;
		term->count++;
		if (map && term->count == 1 && mp_sim_at_mark(p, ":"))
			term->kind = MP_SIM_TERM_MAP;
		if (term->kind == MP_SIM_TERM_MAP) {
			MP_SIM_TRY(mp_sim_expect_mark(p, ":"));
			MP_SIM_TRY(mp_sim_parse_term(p, tail));
			tail = &(*tail)->next;
			term->count++;
		}
		MP_SIM_TRY(rc = mp_sim_accept_mark(p, ","));
	} while (rc > 0);
	p->depth--;
	return mp_sim_expect_mark(p, close);
}

static int parse_call(struct mp_sim_parser *p, struct mp_sim_term *term)
{
	term->kind = MP_SIM_TERM_CALL;
	if (mp_sim_at_word(p, "token")) {
		term->text = mp_str_of("token");
		MP_SIM_TRY(mp_sim_parser_step(p));
	} else {
		MP_SIM_TRY(mp_sim_parse_name(p, &term->text));
	}
	if (!mp_sim_at_mark(p, "("))
		return mp_sim_expected(p, "'(' behind a function's name");
	MP_SIM_TRY(mp_sim_parser_step(p));
	return parse_items(p, term, ")", false);
}

static int parse_word(struct mp_sim_parser *p, struct mp_sim_term *term)
{
	term->text = p->tok.text;
	if (mp_sim_at_word(p, "true") || mp_sim_at_word(p, "false"))
		term->kind = MP_SIM_TERM_BOOL;
	else if (mp_sim_at_word(p, "null"))
		term->kind = MP_SIM_TERM_NULL;
	else if (mp_sim_at_word(p, "nan") || mp_sim_at_word(p, "infinity"))
		term->kind = MP_SIM_TERM_FLOAT;
	else
		return parse_call(p, term);
	return mp_sim_parser_step(p);
}

static int parse_mark(struct mp_sim_parser *p, struct mp_sim_term *term)
{
	if (mp_sim_at_mark(p, "?") || mp_sim_at_mark(p, ":"))
		return parse_marker(p, term);
	const char *close;
	if (mp_sim_at_mark(p, "[")) {
		term->kind = MP_SIM_TERM_LIST;
		close = "]";
	} else if (mp_sim_at_mark(p, "{")) {
		term->kind = MP_SIM_TERM_SET;
		close = "}";
	} else if (mp_sim_at_mark(p, "(")) {
		term->kind = MP_SIM_TERM_TUPLE;
		close = ")";
	} else if (mp_sim_at_mark(p, "-")) {
		MP_SIM_TRY(mp_sim_parser_step(p));
		if (!mp_sim_at_word(p, "infinity") && !mp_sim_at_word(p, "nan"))
			return mp_sim_expected(p, "a number");
		term->kind = MP_SIM_TERM_FLOAT;
		term->text = mp_str_of(mp_sim_at_word(p, "nan") ? "nan" : "-infinity");
		return mp_sim_parser_step(p);
	} else {
		return mp_sim_expected(p, "a value");
	}
	MP_SIM_TRY(mp_sim_parser_step(p));
	return parse_items(p, term, close, term->kind == MP_SIM_TERM_SET);
}

int mp_sim_parse_term(struct mp_sim_parser *p, struct mp_sim_term **out)
{
	struct mp_sim_term *term = mp_sim_parser_alloc(p, sizeof(*term));
	if (term == NULL)
		return MP_ESERVER;
	*out = term;
	term->text = p->tok.text;
	switch (p->tok.kind) {
	case MP_SIM_TOK_INT: term->kind = MP_SIM_TERM_INT; break;
	case MP_SIM_TOK_FLOAT: term->kind = MP_SIM_TERM_FLOAT; break;
	case MP_SIM_TOK_STRING: term->kind = MP_SIM_TERM_STRING; break;
	case MP_SIM_TOK_UUID: term->kind = MP_SIM_TERM_UUID; break;
	case MP_SIM_TOK_BLOB: term->kind = MP_SIM_TERM_BLOB; break;
	case MP_SIM_TOK_DURATION: term->kind = MP_SIM_TERM_DURATION; break;
	case MP_SIM_TOK_WORD: return parse_word(p, term);
	case MP_SIM_TOK_MARK: return parse_mark(p, term);
	case MP_SIM_TOK_QUOTED: return parse_call(p, term);
	case MP_SIM_TOK_END: return mp_sim_expected(p, "a value");
	}
	return mp_sim_parser_step(p);
}
