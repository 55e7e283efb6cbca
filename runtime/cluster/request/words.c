// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/words.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static const char *skip_to(const char *pos, const char *end, const char *close)
{
	size_t len = strlen(close);
	for (; (size_t)(end - pos) >= len; pos++)
		if (memcmp(pos, close, len) == 0)
			return pos + len;
	return end;
}

// A comment of one line ends at either of the two ends of a line: one that was read too far would hide words.
static const char *skip_line(const char *pos, const char *end)
{
	while (pos < end && *pos != '\n' && *pos != '\r')
		pos++;
	return pos;
}

static void skip_blank(struct mp_words *words)
{
	while (words->pos < words->end) {
		const char *pos = words->pos;
		bool two = words->end - pos >= 2;
		if (*pos == ' ' || *pos == '\t' || *pos == '\n' || *pos == '\r' || *pos == '\f')
			words->pos++;
		else if (two && (memcmp(pos, "--", 2) == 0 || memcmp(pos, "//", 2) == 0))
			words->pos = skip_line(pos, words->end);
		else if (two && memcmp(pos, "/*", 2) == 0)
			words->pos = skip_to(pos + 2, words->end, "*/");
		else
			return;
	}
}

// Behind the closing quote; a doubled one stands for itself.
static const char *skip_quoted(const char *pos, const char *end)
{
	char quote = *pos++;
	while (pos < end) {
		bool closes = *pos++ == quote;
		if (closes && (pos == end || *pos != quote))
			return pos;
		if (closes)
			pos++;
	}
	return end;
}

// 8-4-4-4-12 hexadecimal digits: what a reader of names and numbers would take for a subtraction.
static bool is_uuid(const char *pos, const char *end)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	if ((size_t)(end - pos) < sizeof(shape) - 1)
		return false;
	for (size_t i = 0; i < sizeof(shape) - 1; i++)
		if (shape[i] == '-' ? pos[i] != '-' : !is_hex(pos[i]))
			return false;
	return true;
}

static const char *skip_name(const char *pos, const char *end)
{
	while (pos < end && (is_letter(*pos) || is_digit(*pos)))
		pos++;
	return pos;
}

// Digits with all that may hang on them; the sign of an exponent and what is behind it are words of their own.
static const char *skip_number(const char *pos, const char *end)
{
	while (pos < end && (is_letter(*pos) || is_digit(*pos) || *pos == '.'))
		pos++;
	return pos;
}

struct mp_words mp_words_of(const char *cql, size_t len)
{
	return (struct mp_words){cql, cql + len};
}

struct mp_word mp_words_next(struct mp_words *words)
{
	skip_blank(words);
	const char *start = words->pos, *end = words->end;
	struct mp_word word = {MP_WORD_END, {start, 0}, 0};
	if (start == end)
		return word;
	char c = *start;
	if (is_hex(c) && is_uuid(start, end)) {
		words->pos = start + 36;
		word.kind = MP_WORD_NUMBER;
	} else if (is_letter(c)) {
		words->pos = skip_name(start, end);
		word.kind = MP_WORD_NAME;
	} else if (is_digit(c)) {
		words->pos = skip_number(start, end);
		word.kind = MP_WORD_NUMBER;
	} else if (c == '\'' || c == '"') {
		words->pos = skip_quoted(start, end);
		word.kind = c == '"' ? MP_WORD_QUOTED : MP_WORD_STRING;
	} else if (c == '$' && end - start >= 2 && start[1] == '$') {
		words->pos = skip_to(start + 2, end, "$$");
		word.kind = MP_WORD_STRING;
	} else {
		words->pos = start + 1;
		word.kind = MP_WORD_SIGN;
		word.sign = c;
	}
	word.text.len = (size_t)(words->pos - start);
	return word;
}

struct mp_word mp_words_peek(const struct mp_words *words)
{
	struct mp_words ahead = *words;
	return mp_words_next(&ahead);
}

bool mp_word_is(const struct mp_word *word, const char *keyword)
{
	return word->kind == MP_WORD_NAME && mp_str_is_nocase(word->text, keyword);
}

static bool is_sign_of(const struct mp_word *word, const char *signs)
{
	return word->kind == MP_WORD_SIGN && word->sign != '\0' && strchr(signs, word->sign) != NULL;
}

struct mp_marker_count mp_words_count_markers(const char *cql, size_t len)
{
	struct mp_marker_count count = {0, 0};
	struct mp_words words = mp_words_of(cql, len);
	struct mp_word before = {.kind = MP_WORD_END};
	size_t braces = 0;
	for (struct mp_word word = mp_words_next(&words); word.kind != MP_WORD_END;
	     word = mp_words_next(&words)) {
		// In braces the colon behind a part of a term stands between a key and its value.
		bool opens_term = before.kind == MP_WORD_SIGN && !is_sign_of(&before, "?)]}");
		if (is_sign_of(&word, "?"))
			count.places++;
		else if (is_sign_of(&word, ":") && (braces == 0 || opens_term))
			count.names++;
		else if (is_sign_of(&word, "{"))
			braces++;
		else if (is_sign_of(&word, "}") && braces > 0)
			braces--;
		before = word;
	}
	return count;
}
