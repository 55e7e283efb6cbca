// SPDX-License-Identifier: Apache-2.0
// DESCRIBE, in any of its forms.
#include "sim/cql/parse.h"

#include "base/err.h"

static const struct form {
	const char *word;
	enum mp_sim_describe_what what;
	bool named; // [keyspace.]name follows
} forms[] = {
	{"KEYSPACES", MP_SIM_DESCRIBE_KEYSPACES, false},
	{"TABLES", MP_SIM_DESCRIBE_TABLES, false},
	{"TYPES", MP_SIM_DESCRIBE_TYPES, false},
	{"FUNCTIONS", MP_SIM_DESCRIBE_FUNCTIONS, false},
	{"AGGREGATES", MP_SIM_DESCRIBE_FUNCTIONS, false},
	{"CLUSTER", MP_SIM_DESCRIBE_CLUSTER, false},
	{"SCHEMA", MP_SIM_DESCRIBE_SCHEMA, false},
	{"KEYSPACE", MP_SIM_DESCRIBE_KEYSPACE, false},
	{"TABLE", MP_SIM_DESCRIBE_TABLE, true},
	{"COLUMNFAMILY", MP_SIM_DESCRIBE_TABLE, true},
	{"TYPE", MP_SIM_DESCRIBE_TYPE, true},
	{"INDEX", MP_SIM_DESCRIBE_INDEX, true},
};

static int parse_named(struct mp_sim_parser *p)
{
	struct mp_sim_describe *describe = &p->stmt->describe;
	MP_SIM_TRY(mp_sim_parse_name(p, &describe->name));
	int dot = mp_sim_accept_mark(p, ".");
	if (dot <= 0)
		return dot;
	describe->keyspace = describe->name;
	return mp_sim_parse_name(p, &describe->name);
}

static int parse_form(struct mp_sim_parser *p)
{
	struct mp_sim_describe *describe = &p->stmt->describe;
	int full = mp_sim_accept_word(p, "FULL");
	MP_SIM_TRY(full);
	describe->full = full > 0;
	describe->what = MP_SIM_DESCRIBE_ANY;
	for (size_t i = 0; i < MP_ARRAY_LEN(forms); i++) {
		int taken = mp_sim_accept_word(p, forms[i].word);
		MP_SIM_TRY(taken);
		if (taken == 0)
			continue;
		describe->what = forms[i].what;
		if (forms[i].named)
			return parse_named(p);
		bool ends = p->tok.kind == MP_SIM_TOK_END || mp_sim_at_mark(p, ";") || mp_sim_at_word(p, "WITH");
		return forms[i].what == MP_SIM_DESCRIBE_KEYSPACE && !ends ? mp_sim_parse_name(p, &describe->name) : 0;
	}
	return parse_named(p);
}

int mp_sim_parse_describe(struct mp_sim_parser *p)
{
	p->stmt->kind = MP_SIM_DESCRIBE;
	MP_SIM_TRY(mp_sim_parser_step(p));
	int only = mp_sim_accept_word(p, "ONLY");
	MP_SIM_TRY(only);
	MP_SIM_TRY(parse_form(p));
	int with = mp_sim_accept_word(p, "WITH");
	return with <= 0 ? with : mp_sim_expect_word(p, "INTERNALS");
}
