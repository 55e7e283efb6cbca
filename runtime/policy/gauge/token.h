// SPDX-License-Identifier: Apache-2.0
// The words of a Lua text, exactly as LuaJIT's own lexer divides it, in time that grows with the text alone. Whether
// the text is good Lua is for LuaJIT to say: what is read here for more than its words was loaded before.
#pragma once

#include "base/defs.h"

// A sign of one letter is that letter.
enum mp_token_kind {
	MP_TOKEN_END = 256, // of the text
	MP_TOKEN_NAME,
	MP_TOKEN_NUMBER,
	MP_TOKEN_STRING,
	MP_TOKEN_CONCAT, // ..
	MP_TOKEN_DOTS,   // ...
	MP_TOKEN_LABEL,  // ::
	MP_TOKEN_EQ,     // and the other comparisons of two letters
	MP_TOKEN_NE,
	MP_TOKEN_LE,
	MP_TOKEN_GE,
	MP_TOKEN_AND, // the reserved words, in the order of the alphabet; `goto` is reserved by what stands behind it
	MP_TOKEN_BREAK,
	MP_TOKEN_DO,
	MP_TOKEN_ELSE,
	MP_TOKEN_ELSEIF,
	MP_TOKEN_END_OF_BLOCK,
	MP_TOKEN_FALSE,
	MP_TOKEN_FOR,
	MP_TOKEN_FUNCTION,
	MP_TOKEN_GOTO,
	MP_TOKEN_IF,
	MP_TOKEN_IN,
	MP_TOKEN_LOCAL,
	MP_TOKEN_NIL,
	MP_TOKEN_NOT,
	MP_TOKEN_OR,
	MP_TOKEN_REPEAT,
	MP_TOKEN_RETURN,
	MP_TOKEN_THEN,
	MP_TOKEN_TRUE,
	MP_TOKEN_UNTIL,
	MP_TOKEN_WHILE,
};

struct mp_token {
	int kind;
	uint32_t line; // where it begins, from 1
	const char *at;
	size_t len;
};

struct mp_tokens {
	const char *at, *end;
	uint32_t line;
};

void mp_tokens_init(struct mp_tokens *tokens, const char *text, size_t len);
// What does not end (a text, a comment) goes to the end of the text.
void mp_tokens_next(struct mp_tokens *tokens, struct mp_token *token);
