// SPDX-License-Identifier: Apache-2.0
// Types in CQL text, and what is done to users' types. The words of a type are put together again with one way of
// spacing and case; what a user's type is, only the schema knows.
#include "sim/cql/parse.h"

#include "base/buf.h"
#include "base/err.h"
#include "wire/type.h"

struct place {
	bool frozen; // inside of frozen<>, a tuple or a vector: what is composed need not say that it is frozen
	bool top;
};

static int type_name(struct mp_sim_parser *p, struct mp_buf *out, struct place place);

// <T, ...>, each in its place.
static int parameters(struct mp_sim_parser *p, struct mp_buf *out, uint32_t least, uint32_t most,
                      struct place inside)
{
	int more = 1;
	uint32_t count = 0;
	MP_SIM_TRY(mp_sim_expect_mark(p, "<"));
	mp_buf_u8(out, '<');
	while (more > 0) {
		if (count > 0)
			mp_buf_text(out, ", ");
		MP_SIM_TRY(type_name(p, out, inside));
		if (++count == most)
			break;
		MP_SIM_TRY(more = mp_sim_accept_mark(p, ","));
	}
	return count < least ? mp_sim_expected(p, "','") : 0;
}

static int end_parameters(struct mp_sim_parser *p, struct mp_buf *out)
{
	mp_buf_u8(out, '>');
	p->depth--;
	return mp_sim_expect_mark(p, ">");
}

static int dimension(struct mp_sim_parser *p, struct mp_buf *out)
{
	MP_SIM_TRY(mp_sim_expect_mark(p, ","));
	if (p->tok.kind != MP_SIM_TOK_INT)
		return mp_sim_expected(p, "the number of elements of a vector");
	mp_buf_text(out, ", ");
	mp_buf_bytes(out, p->tok.text.data, p->tok.text.len);
	return mp_sim_parser_step(p);
}

static int composed(struct mp_sim_parser *p, struct mp_buf *out, struct mp_str name, struct place place)
{
	bool freezes = mp_str_is(name, "frozen"), map = mp_str_is(name, "map");
	bool tuple = mp_str_is(name, "tuple"), vector = mp_str_is(name, "vector");
	if (++p->depth > MP_SIM_DEPTH_MAX)
		return mp_sim_fail(p->err, MP_SE_SYNTAX_ERROR, "line %u:%u nested too deeply", p->tok.line,
		                   p->tok.column);
	mp_buf_bytes(out, name.data, name.len);
	struct place inside = {.frozen = place.frozen || freezes || tuple || vector};
	uint32_t most = tuple ? UINT16_MAX : map ? 2 : 1;
	MP_SIM_TRY(parameters(p, out, map ? 2 : 1, most, inside));
	if (vector)
		MP_SIM_TRY(dimension(p, out));
	return end_parameters(p, out);
}

// NAME or KEYSPACE.NAME, of which the first word is taken.
static int user_type(struct mp_sim_parser *p, struct mp_buf *out, struct mp_str name, struct mp_sim_token at,
                     struct place place)
{
	struct mp_str keyspace = {"", 0};
	int dot = mp_sim_accept_mark(p, ".");
	MP_SIM_TRY(dot);
	if (dot > 0) {
		keyspace = name;
		MP_SIM_TRY(mp_sim_parse_name(p, &name));
	}
	if (!place.top && !place.frozen)
		return mp_sim_fail(p->err, MP_SE_INVALID,
		                   "line %u:%u Non-frozen UDTs are not allowed inside collections: %.*s", at.line,
		                   at.column, MP_SIM_S(name));
	mp_buf_u8(out, '"');
	mp_buf_bytes(out, keyspace.data, keyspace.len);
	if (keyspace.len > 0)
		mp_buf_u8(out, '.');
	mp_buf_bytes(out, name.data, name.len);
	mp_buf_u8(out, '"');
	return 0;
}

static bool is_scalar(struct mp_str name)
{
	struct mp_arena scratch;
	mp_arena_init(&scratch);
	bool scalar = mp_type_parse(name, &scratch) != NULL;
	mp_arena_deinit(&scratch);
	return scalar;
}

static int type_name(struct mp_sim_parser *p, struct mp_buf *out, struct place place)
{
	struct mp_sim_token at = p->tok;
	if (at.kind == MP_SIM_TOK_STRING)
		return mp_sim_fail(p->err, MP_SE_INVALID,
		                   "line %u:%u custom type '%.*s' is not supported by the simulated cluster", at.line,
		                   at.column, MP_SIM_S(at.text));
	bool set = at.kind == MP_SIM_TOK_WORD && mp_str_is_nocase(at.text, "set"); // a reserved word otherwise
	struct mp_str name = mp_str_of("set");
	MP_SIM_TRY(set ? mp_sim_parser_step(p) : mp_sim_parse_name(p, &name));
	bool quoted = at.kind == MP_SIM_TOK_QUOTED;
	bool collection = !quoted && (set || mp_str_is(name, "list") || mp_str_is(name, "map"));
	if (collection && !place.top && !place.frozen)
		return mp_sim_fail(p->err, MP_SE_INVALID,
		                   "line %u:%u Non-frozen collections are not allowed inside collections", at.line,
		                   at.column);
	if (collection ||
	    (!quoted && (mp_str_is(name, "frozen") || mp_str_is(name, "tuple") || mp_str_is(name, "vector"))))
		return composed(p, out, name, place);
	if (quoted || !is_scalar(name))
		return user_type(p, out, name, at, place);
	mp_buf_text(out, mp_str_is(name, "varchar") ? "text" : "");
	if (!mp_str_is(name, "varchar"))
		mp_buf_bytes(out, name.data, name.len);
	return 0;
}

int mp_sim_parse_type(struct mp_sim_parser *p, struct mp_str *type)
{
	struct mp_buf text;
	mp_buf_init(&text);
	int rc = type_name(p, &text, (struct place){.top = true});
	if (rc == 0 && mp_buf_status(&text) < 0)
		rc = mp_sim_fail_nomem(p->err);
	if (rc == 0) {
		*type = mp_arena_str(p->arena, (struct mp_str){(const char *)text.data, text.len});
		if (type->data == NULL)
			rc = mp_sim_fail_nomem(p->err);
	}
	mp_buf_deinit(&text);
	return rc;
}

// ---- CREATE, ALTER, DROP TYPE: behind the word TYPE -------------------------------------------------------

static int parse_field(struct mp_sim_parser *p, struct mp_sim_column_def ***tail)
{
	struct mp_sim_column_def *field = mp_sim_parser_alloc(p, sizeof(*field));
	if (field == NULL)
		return MP_ESERVER;
	MP_SIM_TRY(mp_sim_parse_name(p, &field->name));
	MP_SIM_TRY(mp_sim_parse_type(p, &field->type));
	**tail = field;
	*tail = &field->next;
	return 0;
}

static int parse_renames(struct mp_sim_parser *p)
{
	struct mp_sim_word **tail = &p->stmt->renames;
	int more;
	do {
		for (int i = 0; i < 2; i++) {
			if (i == 1)
				MP_SIM_TRY(mp_sim_expect_word(p, "TO"));
			struct mp_sim_word *word = mp_sim_parser_alloc(p, sizeof(*word));
			if (word == NULL)
				return MP_ESERVER;
			MP_SIM_TRY(mp_sim_parse_name(p, &word->name));
			*tail = word;
			tail = &word->next;
		}
		MP_SIM_TRY(more = mp_sim_accept_word(p, "AND"));
	} while (more > 0);
	return 0;
}

static int parse_alter(struct mp_sim_parser *p)
{
	struct mp_sim_column_def **tail = &p->stmt->columns;
	int taken = mp_sim_accept_word(p, "RENAME");
	MP_SIM_TRY(taken);
	if (taken > 0)
		return parse_renames(p);
	MP_SIM_TRY(mp_sim_expect_word(p, "ADD"));
	return parse_field(p, &tail);
}

int mp_sim_parse_user_type(struct mp_sim_parser *p, enum mp_sim_stmt_kind kind)
{
	struct mp_sim_stmt *stmt = p->stmt;
	stmt->kind = kind;
	MP_SIM_TRY(mp_sim_parse_if_exists(p, kind == MP_SIM_CREATE_TYPE));
	MP_SIM_TRY(mp_sim_parse_table(p));
	if (kind == MP_SIM_ALTER_TYPE)
		return parse_alter(p);
	if (kind == MP_SIM_DROP_TYPE)
		return 0;
	struct mp_sim_column_def **tail = &stmt->columns;
	int more = 1;
	MP_SIM_TRY(mp_sim_expect_mark(p, "("));
	while (more > 0) {
		MP_SIM_TRY(parse_field(p, &tail));
		MP_SIM_TRY(more = mp_sim_accept_mark(p, ","));
	}
	return mp_sim_expect_mark(p, ")");
}
