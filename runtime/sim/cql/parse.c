// SPDX-License-Identifier: Apache-2.0
// The parser's ground: tokens, names, and which statement it is. Statements are in parse_ddl.c, parse_select.c
// and parse_change.c, values in parse_term.c.
#include "sim/cql/parse.h"

#include <ctype.h>
#include <string.h>

#include "base/err.h"

const char *mp_sim_op_name(enum mp_sim_op op)
{
	static const char *const names[] = {"=", "<", "<=", ">", ">=", "!=", "IN", "CONTAINS", "CONTAINS KEY"};
	return names[op];
}

void *mp_sim_parser_alloc(struct mp_sim_parser *p, size_t size)
{
	void *memory = mp_arena_alloc(p->arena, size);
	if (memory == NULL)
		mp_sim_fail_nomem(p->err);
	return memory;
}

int mp_sim_parser_step(struct mp_sim_parser *p)
{
	return mp_sim_lexer_next(&p->lex, &p->tok);
}

bool mp_sim_at_word(const struct mp_sim_parser *p, const char *word)
{
	return p->tok.kind == MP_SIM_TOK_WORD && mp_str_is_nocase(p->tok.text, word);
}

bool mp_sim_at_mark(const struct mp_sim_parser *p, const char *mark)
{
	return p->tok.kind == MP_SIM_TOK_MARK && mp_str_is(p->tok.text, mark);
}

int mp_sim_accept_word(struct mp_sim_parser *p, const char *word)
{
	if (!mp_sim_at_word(p, word))
		return 0;
	int rc = mp_sim_parser_step(p);
	return rc < 0 ? rc : 1;
}

int mp_sim_accept_mark(struct mp_sim_parser *p, const char *mark)
{
	if (!mp_sim_at_mark(p, mark))
		return 0;
	int rc = mp_sim_parser_step(p);
	return rc < 0 ? rc : 1;
}

int mp_sim_expected(struct mp_sim_parser *p, const char *what)
{
	if (p->tok.kind == MP_SIM_TOK_END)
		return mp_sim_fail(p->err, MP_SE_SYNTAX_ERROR,
		                   "line %u:%u no viable alternative at input '<EOF>' (expected %s)", p->tok.line,
		                   p->tok.column, what);
	return mp_sim_fail(p->err, MP_SE_SYNTAX_ERROR,
	                   "line %u:%u no viable alternative at input '%.*s' (expected %s)", p->tok.line,
	                   p->tok.column, MP_SIM_S(p->tok.raw), what);
}

int mp_sim_expect_word(struct mp_sim_parser *p, const char *word)
{
	int rc = mp_sim_accept_word(p, word);
	return rc == 0 ? mp_sim_expected(p, word) : rc < 0 ? rc : 0;
}

int mp_sim_expect_mark(struct mp_sim_parser *p, const char *mark)
{
	int rc = mp_sim_accept_mark(p, mark);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	char what[8] = "''";
	what[1] = mark[0];
	what[2] = mark[1] != '\0' ? mark[1] : '\'';
	if (mark[1] != '\0')
		what[3] = '\'';
	return mp_sim_expected(p, what);
}

// Words that cannot name a table or column unless quoted.
static bool is_reserved(struct mp_str word)
{
	static const char *const reserved[] = {
		"add",    "allow",       "alter",  "and",          "apply",    "asc",      "authorize",
		"batch",  "begin",       "by",     "columnfamily", "create",   "default",  "delete",
		"desc",   "describe",    "drop",   "entries",      "execute",  "from",     "full",
		"grant",  "if",          "in",     "index",        "infinity", "insert",   "into",
		"is",     "keyspace",    "limit",  "materialized", "mbean",    "mbeans",   "modify",
		"nan",    "norecursive", "not",    "null",         "of",       "on",       "or",
		"order",  "primary",     "rename", "replace",      "revoke",   "schema",   "select",
		"set",    "table",       "to",     "token",        "truncate", "unlogged", "unset",
		"update", "use",         "using",  "view",         "where",    "with"};
	for (size_t i = 0; i < MP_ARRAY_LEN(reserved); i++) {
		if (mp_str_is_nocase(word, reserved[i]))
			return true;
	}
	return false;
}

static int lower_case(struct mp_sim_parser *p, struct mp_str text, struct mp_str *out)
{
	bool upper = false;
	for (size_t i = 0; i < text.len; i++)
		upper = upper || isupper((unsigned char)text.data[i]);
	*out = text;
	if (!upper)
		return 0;
	char *copy = mp_sim_parser_alloc(p, text.len);
	if (copy == NULL)
		return MP_ESERVER;
	for (size_t i = 0; i < text.len; i++)
		copy[i] = (char)tolower((unsigned char)text.data[i]);
	out->data = copy;
	return 0;
}

int mp_sim_parse_name(struct mp_sim_parser *p, struct mp_str *name)
{
	if (p->tok.kind == MP_SIM_TOK_QUOTED)
		*name = p->tok.text;
	else if (p->tok.kind != MP_SIM_TOK_WORD || is_reserved(p->tok.text))
		return mp_sim_expected(p, "a name");
	else
		MP_SIM_TRY(lower_case(p, p->tok.text, name));
	if (name->len == 0)
		return mp_sim_expected(p, "a name that is not empty");
	return mp_sim_parser_step(p);
}

int mp_sim_parse_names(struct mp_sim_parser *p, struct mp_sim_word **list)
{
	int more;
	do {
		struct mp_sim_word *word = mp_sim_parser_alloc(p, sizeof(*word));
		if (word == NULL)
			return MP_ESERVER;
		MP_SIM_TRY(mp_sim_parse_name(p, &word->name));
		*list = word;
		list = &word->next;
		MP_SIM_TRY(more = mp_sim_accept_mark(p, ","));
	} while (more > 0);
	return 0;
}

int mp_sim_parse_table(struct mp_sim_parser *p)
{
	MP_SIM_TRY(mp_sim_parse_name(p, &p->stmt->table));
	int dot = mp_sim_accept_mark(p, ".");
	if (dot <= 0)
		return dot;
	p->stmt->keyspace = p->stmt->table;
	return mp_sim_parse_name(p, &p->stmt->table);
}

static int parse_use(struct mp_sim_parser *p)
{
	p->stmt->kind = MP_SIM_USE;
	MP_SIM_TRY(mp_sim_parser_step(p));
	return mp_sim_parse_name(p, &p->stmt->keyspace);
}

static int parse_truncate(struct mp_sim_parser *p)
{
	p->stmt->kind = MP_SIM_TRUNCATE;
	MP_SIM_TRY(mp_sim_parser_step(p));
	int skip = mp_sim_accept_word(p, "TABLE");
	if (skip == 0)
		skip = mp_sim_accept_word(p, "COLUMNFAMILY");
	MP_SIM_TRY(skip);
	return mp_sim_parse_table(p);
}

static int parse_statement(struct mp_sim_parser *p)
{
	if (mp_sim_at_word(p, "SELECT"))
		return mp_sim_parse_select(p);
	if (mp_sim_at_word(p, "INSERT") || mp_sim_at_word(p, "UPDATE") || mp_sim_at_word(p, "DELETE"))
		return mp_sim_parse_change(p);
	if (mp_sim_at_word(p, "CREATE") || mp_sim_at_word(p, "ALTER") || mp_sim_at_word(p, "DROP"))
		return mp_sim_parse_ddl(p);
	if (mp_sim_at_word(p, "DESCRIBE") || mp_sim_at_word(p, "DESC"))
		return mp_sim_parse_describe(p);
	if (mp_sim_at_word(p, "GRANT") || mp_sim_at_word(p, "REVOKE") || mp_sim_at_word(p, "LIST"))
		return mp_sim_parse_grant(p);
	if (mp_sim_at_word(p, "USE"))
		return parse_use(p);
	if (mp_sim_at_word(p, "TRUNCATE"))
		return parse_truncate(p);
	if (mp_sim_at_word(p, "BEGIN"))
		return mp_sim_fail(p->err, MP_SE_INVALID,
		                   "line %u:%u BATCH is not supported by the simulated cluster", p->tok.line,
		                   p->tok.column);
	return mp_sim_expected(p, "a statement that the simulated cluster knows");
}

// Positions of the markers, so that they can be looked up by index.
static int index_markers(struct mp_sim_parser *p, struct mp_sim_term *first)
{
	struct mp_sim_stmt *stmt = p->stmt;
	if (stmt->marker_count == 0)
		return 0;
	stmt->markers = mp_sim_parser_alloc(p, stmt->marker_count * sizeof(*stmt->markers));
	if (stmt->markers == NULL)
		return MP_ESERVER;
	// Markers were chained backwards through `items`, which a marker does not use otherwise.
	for (struct mp_sim_term *term = first, *before; term != NULL; term = before) {
		before = term->items;
		term->items = NULL;
		stmt->markers[term->marker] = term;
	}
	return 0;
}

static int parse_all(struct mp_sim_parser *p)
{
	MP_SIM_TRY(mp_sim_parser_step(p));
	MP_SIM_TRY(parse_statement(p));
	int semicolon;
	do {
		MP_SIM_TRY(semicolon = mp_sim_accept_mark(p, ";"));
	} while (semicolon > 0);
	if (p->tok.kind != MP_SIM_TOK_END)
		return mp_sim_fail(p->err, MP_SE_SYNTAX_ERROR, "line %u:%u mismatched input '%.*s' expecting EOF",
		                   p->tok.line, p->tok.column, MP_SIM_S(p->tok.raw));
	return index_markers(p, p->last_marker);
}

struct mp_sim_stmt *mp_sim_parse(struct mp_str cql, struct mp_arena *arena, struct mp_sim_error *err)
{
	struct mp_sim_parser p = {.arena = arena, .err = err};
	mp_sim_lexer_init(&p.lex, cql, arena, err);
	p.stmt = mp_sim_parser_alloc(&p, sizeof(*p.stmt));
	if (p.stmt == NULL || parse_all(&p) < 0)
		return NULL;
	return p.stmt;
}
