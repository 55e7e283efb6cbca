// SPDX-License-Identifier: Apache-2.0
#include "sim/cql/lex.h"

#include <ctype.h>
#include <string.h>

#include "base/uuid.h"

void mp_sim_lexer_init(struct mp_sim_lexer *lex, struct mp_str cql, struct mp_arena *arena,
                       struct mp_sim_error *err)
{
	lex->start = lex->pos = lex->line_start = cql.data;
	lex->end = cql.len > 0 ? cql.data + cql.len : cql.data;
	lex->line = 1;
	lex->arena = arena;
	lex->err = err;
}

static size_t left(const struct mp_sim_lexer *lex)
{
	return (size_t)(lex->end - lex->pos);
}

static char peek(const struct mp_sim_lexer *lex, size_t ahead)
{
	return ahead < left(lex) ? lex->pos[ahead] : '\0';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static void newline(struct mp_sim_lexer *lex, const char *at)
{
	lex->line++;
	lex->line_start = at + 1;
}

static void skip_to_line_end(struct mp_sim_lexer *lex)
{
	while (left(lex) > 0 && *lex->pos != '\n' && *lex->pos != '\r')
		lex->pos++;
}

static void skip_block_comment(struct mp_sim_lexer *lex)
{
	lex->pos += 2;
	while (left(lex) > 0 && !(peek(lex, 0) == '*' && peek(lex, 1) == '/')) {
		if (*lex->pos == '\n')
			newline(lex, lex->pos);
		lex->pos++;
	}
	lex->pos += left(lex) >= 2 ? 2 : left(lex);
}

static void skip_blank(struct mp_sim_lexer *lex)
{
	while (left(lex) > 0) {
		char c = *lex->pos;
		if (c == '\n')
			newline(lex, lex->pos);
		if (isspace((unsigned char)c))
			lex->pos++;
		else if ((c == '-' && peek(lex, 1) == '-') || (c == '/' && peek(lex, 1) == '/'))
			skip_to_line_end(lex);
		else if (c == '/' && peek(lex, 1) == '*')
			skip_block_comment(lex);
		else
			return;
	}
}

static int bad(struct mp_sim_lexer *lex, const struct mp_sim_token *token, const char *what)
{
	return mp_sim_fail(lex->err, MP_SE_SYNTAX_ERROR, "line %u:%u %s", token->line, token->column, what);
}

// A quoted run; a doubled quote stands for one. `pos` stands on the opening quote.
static int quoted(struct mp_sim_lexer *lex, struct mp_sim_token *token, char quote)
{
	const char *from = ++lex->pos;
	size_t doubled = 0;
	for (;; lex->pos++) {
		if (left(lex) == 0)
			return bad(lex, token, quote == '"' ? "the quoted name has no end" : "the string has no end");
		if (*lex->pos == '\n')
			newline(lex, lex->pos);
		if (*lex->pos != quote)
			continue;
		if (peek(lex, 1) != quote)
			break;
		doubled++;
		lex->pos++;
	}
	size_t len = (size_t)(lex->pos - from);
	lex->pos++;
	token->kind = quote == '"' ? MP_SIM_TOK_QUOTED : MP_SIM_TOK_STRING;
	token->text = (struct mp_str){from, len};
	if (doubled == 0)
		return 0;
	char *copy = mp_arena_alloc(lex->arena, len);
	if (copy == NULL)
		return mp_sim_fail_nomem(lex->err);
	size_t to = 0;
	for (size_t i = 0; i < len; i++) {
		copy[to++] = from[i];
		if (from[i] == quote)
			i++;
	}
	token->text = (struct mp_str){copy, to};
	return 0;
}

static int dollar_string(struct mp_sim_lexer *lex, struct mp_sim_token *token)
{
	const char *from = lex->pos + 2;
	lex->pos = from;
	while (left(lex) > 0 && !(peek(lex, 0) == '$' && peek(lex, 1) == '$')) {
		if (*lex->pos == '\n')
			newline(lex, lex->pos);
		lex->pos++;
	}
	if (left(lex) == 0)
		return bad(lex, token, "the string has no end");
	token->kind = MP_SIM_TOK_STRING;
	token->text = (struct mp_str){from, (size_t)(lex->pos - from)};
	lex->pos += 2;
	return 0;
}

static bool uuid_here(const struct mp_sim_lexer *lex)
{
	struct mp_uuid uuid;
	return left(lex) >= 36 && lex->pos[8] == '-' && !is_word(peek(lex, 36)) &&
	       mp_uuid_parse(lex->pos, 36, &uuid) == 0;
}

// How many characters of a number with unit letters ("1h30m", "2mo") stand here; 0: none.
static size_t duration_here(const struct mp_sim_lexer *lex)
{
	static const char *const units[] = {"mo", "ms", "us", "ns", "y", "w", "d", "h", "m", "s"};
	size_t at = 0;
	while (is_digit(peek(lex, at))) {
		while (is_digit(peek(lex, at)))
			at++;
		size_t unit = 0;
		for (size_t i = 0; i < MP_ARRAY_LEN(units) && unit == 0; i++) {
			size_t len = strlen(units[i]);
			if (left(lex) - at >= len && strncasecmp(lex->pos + at, units[i], len) == 0)
				unit = len;
		}
		if (unit == 0)
			return 0;
		at += unit;
	}
	return is_word(peek(lex, at)) ? 0 : at;
}

static void number(struct mp_sim_lexer *lex, struct mp_sim_token *token)
{
	const char *from = lex->pos;
	token->kind = MP_SIM_TOK_INT;
	if (*lex->pos == '-')
		lex->pos++;
	size_t units = duration_here(lex);
	if (units > 0) {
		token->kind = MP_SIM_TOK_DURATION;
		lex->pos += units;
		token->text = (struct mp_str){from, (size_t)(lex->pos - from)};
		return;
	}
	while (is_digit(peek(lex, 0)))
		lex->pos++;
	if (peek(lex, 0) == '.' && peek(lex, 1) != '.') {
		token->kind = MP_SIM_TOK_FLOAT;
		lex->pos++;
		while (is_digit(peek(lex, 0)))
			lex->pos++;
	}
	size_t sign = peek(lex, 1) == '-' || peek(lex, 1) == '+' ? 2 : 1;
	if ((peek(lex, 0) | 0x20) == 'e' && is_digit(peek(lex, sign))) {
		token->kind = MP_SIM_TOK_FLOAT;
		lex->pos += sign;
		while (is_digit(peek(lex, 0)))
			lex->pos++;
	}
	token->text = (struct mp_str){from, (size_t)(lex->pos - from)};
}

static void word(struct mp_sim_lexer *lex, struct mp_sim_token *token)
{
	const char *from = lex->pos;
	while (is_word(peek(lex, 0)))
		lex->pos++;
	token->kind = MP_SIM_TOK_WORD;
	token->text = (struct mp_str){from, (size_t)(lex->pos - from)};
	// ISO 8601 durations look like a name: P1Y2M3DT4H, PT5M, P2W.
	if ((*from | 0x20) != 'p' || token->text.len < 3)
		return;
	bool digits = false;
	for (size_t i = 1; i < token->text.len; i++) {
		digits = digits || is_digit(from[i]);
		if (!is_digit(from[i]) && strchr("YMDTHWSymdthws", from[i]) == NULL)
			return;
	}
	if (digits && (is_digit(from[1]) || ((from[1] | 0x20) == 't' && is_digit(from[2]))))
		token->kind = MP_SIM_TOK_DURATION;
}

static int punctuation(struct mp_sim_lexer *lex, struct mp_sim_token *token)
{
	char a = *lex->pos, b = peek(lex, 1);
	size_t len = 1;
	if ((b == '=' && strchr("<>!+-", a) != NULL) || (a == '.' && b == '.'))
		len = 2;
	else if (strchr("(){}[]<>,;:.=+-*?/%", a) == NULL || a == '\0') {
		char text[64] = "no viable alternative at character '?'";
		text[strlen(text) - 2] = a >= ' ' && a < 127 ? a : '?';
		return bad(lex, token, text);
	}
	token->kind = MP_SIM_TOK_MARK;
	token->text = (struct mp_str){lex->pos, len};
	lex->pos += len;
	return 0;
}

static int scan(struct mp_sim_lexer *lex, struct mp_sim_token *token)
{
	char c = *lex->pos;
	if (c == '\'' || c == '"')
		return quoted(lex, token, c);
	if (c == '$' && peek(lex, 1) == '$')
		return dollar_string(lex, token);
	if (isxdigit((unsigned char)c) && uuid_here(lex)) {
		token->kind = MP_SIM_TOK_UUID;
		token->text = (struct mp_str){lex->pos, 36};
		lex->pos += 36;
		return 0;
	}
	if (c == '0' && (peek(lex, 1) | 0x20) == 'x') {
		const char *from = lex->pos;
		lex->pos += 2;
		while (isxdigit((unsigned char)peek(lex, 0)))
			lex->pos++;
		token->kind = MP_SIM_TOK_BLOB;
		token->text = (struct mp_str){from, (size_t)(lex->pos - from)};
		return 0;
	}
	if (is_digit(c) || (c == '-' && is_digit(peek(lex, 1)))) {
		number(lex, token);
		return 0;
	}
	if (isalpha((unsigned char)c)) {
		word(lex, token);
		return 0;
	}
	return punctuation(lex, token);
}

int mp_sim_lexer_next(struct mp_sim_lexer *lex, struct mp_sim_token *token)
{
	skip_blank(lex);
	token->line = lex->line;
	token->column = (uint32_t)(lex->pos - lex->line_start);
	token->kind = MP_SIM_TOK_END;
	token->text = token->raw = (struct mp_str){lex->pos, 0};
	if (left(lex) == 0)
		return 0;
	const char *from = lex->pos;
	int rc = scan(lex, token);
	token->raw = (struct mp_str){from, (size_t)(lex->pos - from)};
	return rc;
}
