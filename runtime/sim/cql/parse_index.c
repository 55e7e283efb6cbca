// SPDX-License-Identifier: Apache-2.0
// CREATE [CUSTOM] INDEX and DROP INDEX.
#include "sim/cql/parse.h"

#include "base/err.h"

static int parse_target(struct mp_sim_parser *p, struct mp_sim_index_def *index)
{
	static const struct {
		const char *word;
		enum mp_sim_index_target target;
	} kinds[] = {{"VALUES", MP_SIM_INDEX_VALUES},
	             {"KEYS", MP_SIM_INDEX_KEYS},
	             {"ENTRIES", MP_SIM_INDEX_ENTRIES},
	             {"FULL", MP_SIM_INDEX_FULL}};
	struct mp_sim_lexer ahead = p->lex;
	struct mp_sim_token next = {0};
	MP_SIM_TRY(mp_sim_lexer_next(&ahead, &next));
	if (next.kind != MP_SIM_TOK_MARK || !mp_str_is(next.text, "("))
		return mp_sim_parse_name(p, &index->column);
	for (size_t i = 0; i < MP_ARRAY_LEN(kinds); i++) {
		if (!mp_sim_at_word(p, kinds[i].word))
			continue;
		index->target = kinds[i].target;
		MP_SIM_TRY(mp_sim_parser_step(p));
		MP_SIM_TRY(mp_sim_expect_mark(p, "("));
		MP_SIM_TRY(mp_sim_parse_name(p, &index->column));
		return mp_sim_expect_mark(p, ")");
	}
	return mp_sim_expected(p, "a column, or VALUES, KEYS, ENTRIES or FULL of one");
}

static int parse_class(struct mp_sim_parser *p, struct mp_sim_index_def *index)
{
	int taken = mp_sim_accept_word(p, "USING");
	MP_SIM_TRY(taken);
	if (taken > 0) {
		if (p->tok.kind != MP_SIM_TOK_STRING)
			return mp_sim_expected(p, "the name of a class");
		index->class_name = p->tok.text;
		MP_SIM_TRY(mp_sim_parser_step(p));
	}
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "WITH"));
	if (taken == 0)
		return 0;
	MP_SIM_TRY(mp_sim_expect_word(p, "OPTIONS"));
	MP_SIM_TRY(mp_sim_expect_mark(p, "="));
	struct mp_sim_term *options;
	MP_SIM_TRY(mp_sim_parse_term(p, &options));
	if (options->kind != MP_SIM_TERM_MAP && options->count > 0)
		return mp_sim_expected(p, "a map of options");
	index->options = options;
	return 0;
}

int mp_sim_parse_index(struct mp_sim_parser *p, bool create)
{
	struct mp_sim_index_def *index = &p->stmt->index;
	p->stmt->kind = create ? MP_SIM_CREATE_INDEX : MP_SIM_DROP_INDEX;
	int custom = create ? mp_sim_accept_word(p, "CUSTOM") : 0;
	MP_SIM_TRY(custom);
	index->custom = custom > 0;
	MP_SIM_TRY(mp_sim_expect_word(p, "INDEX"));
	MP_SIM_TRY(mp_sim_parse_if_exists(p, create));
	if (!create)
		return mp_sim_parse_table(p);
	if (!mp_sim_at_word(p, "ON"))
		MP_SIM_TRY(mp_sim_parse_name(p, &index->name));
	MP_SIM_TRY(mp_sim_expect_word(p, "ON"));
	MP_SIM_TRY(mp_sim_parse_table(p));
	MP_SIM_TRY(mp_sim_expect_mark(p, "("));
	MP_SIM_TRY(parse_target(p, index));
	if (mp_sim_at_mark(p, ","))
		return mp_sim_fail(p->err, MP_SE_INVALID, "Only CUSTOM indexes support multiple columns");
	MP_SIM_TRY(mp_sim_expect_mark(p, ")"));
	return parse_class(p, index);
}
