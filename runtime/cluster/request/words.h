// SPDX-License-Identifier: Apache-2.0
// CQL text as words. A reader, not a parser: it cuts a text where Cassandra's own lexer does, knows no grammar, and
// ends on any bytes. Strings, quoted names and comments are whole, so nothing inside of them is taken for a word.
#pragma once

#include "base/cursor.h"

enum mp_word_kind {
	MP_WORD_END,
	MP_WORD_NAME,   // a keyword or an unquoted name
	MP_WORD_QUOTED, // "a name"
	MP_WORD_NUMBER, // also 0xff, a uuid, a duration; the 1e of 1e-5
	MP_WORD_STRING, // 'text' or $$text$$, whole, with its doubled quotes
	MP_WORD_SIGN,   // any other byte
};

struct mp_word {
	enum mp_word_kind kind;
	struct mp_str text; // as it stands in the statement
	char sign;          // SIGN: the byte; otherwise 0
};

struct mp_words {
	const char *pos;
	const char *end;
};

struct mp_words mp_words_of(const char *cql, size_t len);
struct mp_word mp_words_next(struct mp_words *words); // END for ever at the end
struct mp_word mp_words_peek(const struct mp_words *words);
bool mp_word_is(const struct mp_word *word, const char *keyword); // an unquoted name, in any case

// Bind markers of a statement: ? and :name.
struct mp_marker_count {
	uint32_t places;
	uint32_t names;
};
struct mp_marker_count mp_words_count_markers(const char *cql, size_t len);
