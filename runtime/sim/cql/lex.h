// SPDX-License-Identifier: Apache-2.0
// CQL text to tokens. One token of look-ahead is kept by the parser; the lexer itself only moves forward.
// Positions are counted as Cassandra counts them: lines from 1, columns from 0.
#pragma once

#include "base/arena.h"
#include "base/cursor.h"
#include "sim/cql/error.h"

enum mp_sim_token_kind {
	MP_SIM_TOK_END,
	MP_SIM_TOK_WORD,   // a keyword or a name without quotes; `text` as written
	MP_SIM_TOK_QUOTED, // "Name": `text` without the quotes
	MP_SIM_TOK_STRING, // 'it''s' or $$text$$: `text` is the content
	MP_SIM_TOK_INT,
	MP_SIM_TOK_FLOAT,
	MP_SIM_TOK_UUID,
	MP_SIM_TOK_BLOB,     // 0xCAFE; `text` with 0x
	MP_SIM_TOK_DURATION, // 1h30m, P1Y2M
	MP_SIM_TOK_MARK,     // punctuation: `text` is one or two characters
};

struct mp_sim_token {
	enum mp_sim_token_kind kind;
	struct mp_str text; // in the statement or, unescaped, in the arena
	struct mp_str raw;  // as it stands in the statement
	uint32_t line;
	uint32_t column;
};

struct mp_sim_lexer {
	const char *start;
	const char *pos;
	const char *end;
	const char *line_start;
	uint32_t line;
	struct mp_arena *arena;
	struct mp_sim_error *err;
};

void mp_sim_lexer_init(struct mp_sim_lexer *lex, struct mp_str cql, struct mp_arena *arena,
                       struct mp_sim_error *err);
// The next token; MP_ESERVER with `err` filled when no token starts there.
int mp_sim_lexer_next(struct mp_sim_lexer *lex, struct mp_sim_token *token) MP_MUST_CHECK;
