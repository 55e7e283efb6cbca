// SPDX-License-Identifier: Apache-2.0
#include "policy/gauge/token.h"

#include <string.h>

void mp_tokens_init(struct mp_tokens *tokens, const char *text, size_t len)
{
	*tokens = (struct mp_tokens){.at = text, .end = text + len, .line = 1};
}

// ---- letters ----------------------------------------------------------------------------------------------

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool is_name(int c)
{
	return c == '_' || is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static bool is_end_of_line(int c)
{
	return c == '\n' || c == '\r';
}

static bool is_space(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

// The letter `ahead` of the next one, 0 behind the end.
static int letter(const struct mp_tokens *tokens, size_t ahead)
{
	size_t left = (size_t)(tokens->end - tokens->at);
	return ahead < left ? (unsigned char)tokens->at[ahead] : 0;
}

static bool is_over(const struct mp_tokens *tokens)
{
	return tokens->at == tokens->end;
}

// "\n", "\r", "\r\n" and "\n\r" are one end of a line each.
static void skip_end_of_line(struct mp_tokens *tokens)
{
	int first = letter(tokens, 0);
	int second = letter(tokens, 1);
	tokens->at += is_end_of_line(second) && second != first ? 2 : 1;
	tokens->line++;
}

static void skip_letter(struct mp_tokens *tokens)
{
	if (is_end_of_line(letter(tokens, 0)))
		skip_end_of_line(tokens);
	else
		tokens->at++;
}

// ---- what may hold anything -------------------------------------------------------------------------------

// How many signs stand between two `bracket`s from here on, or -1.
static int long_level(const struct mp_tokens *tokens, int bracket)
{
	size_t level = 0;
	if (letter(tokens, 0) != bracket)
		return -1;
	while (letter(tokens, level + 1) == '=')
		level++;
	return letter(tokens, level + 1) == bracket ? (int)level : -1;
}

static void skip_long(struct mp_tokens *tokens, int level)
{
	tokens->at += level + 2;
	while (!is_over(tokens)) {
		if (letter(tokens, 0) != ']') {
			skip_letter(tokens);
			continue;
		}
		int closes = long_level(tokens, ']');
		if (closes == level) {
			tokens->at += level + 2;
			return;
		}
		// The second bracket of one that closes another level may be the first of the one that closes this.
		tokens->at++;
		while (letter(tokens, 0) == '=')
			tokens->at++;
	}
}

static void skip_escape(struct mp_tokens *tokens)
{
	tokens->at++;
	if (is_over(tokens))
		return;
	bool spaces = letter(tokens, 0) == 'z';
	skip_letter(tokens);
	while (spaces && is_space(letter(tokens, 0)))
		skip_letter(tokens);
}

static void skip_quoted(struct mp_tokens *tokens)
{
	int quote = letter(tokens, 0);
	tokens->at++;
	while (!is_over(tokens)) {
		int c = letter(tokens, 0);
		if (c == '\\') {
			skip_escape(tokens);
			continue;
		}
		if (is_end_of_line(c))
			return; // does not end
		tokens->at++;
		if (c == quote)
			return;
	}
}

static void skip_comment(struct mp_tokens *tokens)
{
	tokens->at += 2;
	int level = long_level(tokens, '[');
	if (level >= 0) {
		skip_long(tokens, level);
		return;
	}
	while (!is_over(tokens) && !is_end_of_line(letter(tokens, 0)))
		tokens->at++;
}

static void skip_number(struct mp_tokens *tokens)
{
	int before = letter(tokens, 0);
	int exponent = 'e';
	if (before == '0' && (letter(tokens, 1) | 0x20) == 'x')
		exponent = 'p';
	for (;;) {
		int c = letter(tokens, 0);
		bool is_sign = (c == '-' || c == '+') && (before | 0x20) == exponent;
		if (is_over(tokens) || !(is_name(c) || c == '.' || is_sign))
			return;
		before = c;
		tokens->at++;
	}
}

// ---- words ------------------------------------------------------------------------------------------------

static int kind_of_name(const char *name, size_t len)
{
	static const char *const reserved[] = {
		"and", "break", "do",  "else", "elseif", "end",    "false",  "for",  "function", "goto",  "if",
		"in",  "local", "nil", "not",  "or",     "repeat", "return", "then", "true",     "until", "while",
	};
	for (size_t i = 0; i < MP_ARRAY_LEN(reserved); i++)
		if (name[0] == reserved[i][0] && strlen(reserved[i]) == len && memcmp(name, reserved[i], len) == 0)
			return MP_TOKEN_AND + (int)i;
	return MP_TOKEN_NAME;
}

static void skip_blanks(struct mp_tokens *tokens)
{
	for (;;) {
		if (is_space(letter(tokens, 0)))
			skip_letter(tokens);
		else if (letter(tokens, 0) == '-' && letter(tokens, 1) == '-')
			skip_comment(tokens);
		else
			return;
	}
}

// Signs of two or three letters.
static int read_sign(struct mp_tokens *tokens)
{
	static const struct {
		const char *text;
		int kind;
	} signs[] = {
		{"...", MP_TOKEN_DOTS}, {"..", MP_TOKEN_CONCAT}, {"::", MP_TOKEN_LABEL}, {"==", MP_TOKEN_EQ},
		{"~=", MP_TOKEN_NE},    {"<=", MP_TOKEN_LE},     {">=", MP_TOKEN_GE},
	};
	for (size_t i = 0; i < MP_ARRAY_LEN(signs); i++) {
		size_t len = strlen(signs[i].text);
		if ((size_t)(tokens->end - tokens->at) >= len && memcmp(tokens->at, signs[i].text, len) == 0) {
			tokens->at += len;
			return signs[i].kind;
		}
	}
	return (unsigned char)*tokens->at++;
}

void mp_tokens_next(struct mp_tokens *tokens, struct mp_token *token)
{
	skip_blanks(tokens);
	const char *at = tokens->at;
	int c = letter(tokens, 0);
	*token = (struct mp_token){.at = at, .line = tokens->line};
	if (is_over(tokens)) {
		token->kind = MP_TOKEN_END;
	} else if (is_digit(c) || (c == '.' && is_digit(letter(tokens, 1)))) {
		skip_number(tokens);
		token->kind = MP_TOKEN_NUMBER;
	} else if (is_name(c)) {
		while (!is_over(tokens) && is_name(letter(tokens, 0)))
			tokens->at++;
		token->kind = kind_of_name(at, (size_t)(tokens->at - at));
	} else if (c == '"' || c == '\'') {
		skip_quoted(tokens);
		token->kind = MP_TOKEN_STRING;
	} else if (c == '[' && long_level(tokens, '[') >= 0) {
		skip_long(tokens, long_level(tokens, '['));
		token->kind = MP_TOKEN_STRING;
	} else {
		token->kind = read_sign(tokens);
	}
	token->len = (size_t)(tokens->at - at);
}
