// SPDX-License-Identifier: Apache-2.0
// The CQL subset of the simulated cluster: one statement in, a tree out, or an error that says where and at which word.
#pragma once

#include "sim/cql/ast.h"
#include "sim/cql/error.h"
#include "sim/cql/lex.h"

#define MP_SIM_DEPTH_MAX   32 // nested literals and types
#define MP_SIM_MARKERS_MAX 4096

// NULL with `err` filled. The tree borrows from `cql` and lies in `arena`.
struct mp_sim_stmt *mp_sim_parse(struct mp_str cql, struct mp_arena *arena,
                                 struct mp_sim_error *err) MP_MUST_CHECK;

// ---- for the parser's own files ---------------------------------------------------------------------------
struct mp_sim_parser {
	struct mp_sim_lexer lex;
	struct mp_sim_token tok; // the one to be looked at
	struct mp_arena *arena;
	struct mp_sim_error *err;
	struct mp_sim_stmt *stmt;
	uint32_t depth;
	struct mp_sim_term *last_marker;
};

void *mp_sim_parser_alloc(struct mp_sim_parser *p, size_t size) MP_MUST_CHECK; // NULL with `err` filled
int mp_sim_parser_step(struct mp_sim_parser *p) MP_MUST_CHECK;                 // on to the next token
bool mp_sim_at_word(const struct mp_sim_parser *p, const char *word);          // an unquoted word, any case
bool mp_sim_at_mark(const struct mp_sim_parser *p, const char *mark);
// Take the word or mark if it stands here: 1 taken, 0 not, negative an error.
int mp_sim_accept_word(struct mp_sim_parser *p, const char *word) MP_MUST_CHECK;
int mp_sim_accept_mark(struct mp_sim_parser *p, const char *mark) MP_MUST_CHECK;
int mp_sim_expect_word(struct mp_sim_parser *p, const char *word) MP_MUST_CHECK;
int mp_sim_expect_mark(struct mp_sim_parser *p, const char *mark) MP_MUST_CHECK;
int mp_sim_expected(struct mp_sim_parser *p, const char *what) MP_MUST_CHECK; // fails at the current token
int mp_sim_parse_name(struct mp_sim_parser *p, struct mp_str *name) MP_MUST_CHECK;
int mp_sim_parse_table(struct mp_sim_parser *p) MP_MUST_CHECK; // [keyspace.]table into the statement
int mp_sim_parse_term(struct mp_sim_parser *p, struct mp_sim_term **term) MP_MUST_CHECK;
int mp_sim_parse_names(struct mp_sim_parser *p, struct mp_sim_word **list) MP_MUST_CHECK; // a, b, c

int mp_sim_parse_type(struct mp_sim_parser *p, struct mp_str *type) MP_MUST_CHECK;
int mp_sim_parse_user_type(struct mp_sim_parser *p, enum mp_sim_stmt_kind kind) MP_MUST_CHECK;

int mp_sim_parse_role(struct mp_sim_parser *p, enum mp_sim_stmt_kind kind,
                      bool user) MP_MUST_CHECK;                             // behind CREATE, ALTER, DROP ROLE
int mp_sim_parse_grant(struct mp_sim_parser *p) MP_MUST_CHECK;              // GRANT, REVOKE, LIST
int mp_sim_parse_index(struct mp_sim_parser *p, bool create) MP_MUST_CHECK; // behind CREATE or DROP
int mp_sim_parse_if_exists(struct mp_sim_parser *p,
                           bool create) MP_MUST_CHECK; // IF [NOT] EXISTS, if it is there

int mp_sim_parse_describe(struct mp_sim_parser *p) MP_MUST_CHECK;
int mp_sim_parse_ddl(struct mp_sim_parser *p) MP_MUST_CHECK;
int mp_sim_parse_select(struct mp_sim_parser *p) MP_MUST_CHECK;
int mp_sim_parse_change(struct mp_sim_parser *p) MP_MUST_CHECK; // INSERT, UPDATE, DELETE
int mp_sim_parse_where(struct mp_sim_parser *p, struct mp_sim_relation **list) MP_MUST_CHECK; // a = 1 AND ...

// return early on an error
#define MP_SIM_TRY(call)        \
	do {                        \
		int mp_sim_rc = (call); \
		if (mp_sim_rc < 0)      \
			return mp_sim_rc;   \
	} while (0)
