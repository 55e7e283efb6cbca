// SPDX-License-Identifier: Apache-2.0
// Words, edits and expressions of the fuel gauge's reader.
#include "policy/gauge/internal.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 250u // LuaJIT takes 200
#define UNARY     8    // how strongly `not`, `#` and `-` bind
#define CONCAT    5
// Other operations are one each, as is each of several expressions.
#define WORK_OF_OPERATOR 2u  // it may turn two texts into numbers
#define WORK_OF_VARARGS  16u // they may be many

void mp_fuel_refuse(struct mp_fuel_reader *reader, uint32_t line, const char *why)
{
	if (reader->is_wrong)
		return;
	reader->is_wrong = true;
	reader->fuel->wrong_line = line;
	snprintf(reader->fuel->why, sizeof(reader->fuel->why), "%s", why);
	reader->token.kind = MP_TOKEN_END; // everything comes to its end
}

// ---- words ------------------------------------------------------------------------------------------------

// What must not be named: the gauge and its refill live under names of this kind.
static bool is_reserved(const struct mp_token *token)
{
	return token->kind == MP_TOKEN_NAME && token->len >= 5 && memcmp(token->at, "__mp_", 5) == 0;
}

// Could LuaJIT turn it into a number? Only what hardly any other text is made of; a sign stands at its beginning or
// behind an exponent's letter, which an address and a UUID have not.
static bool may_be_number(const struct mp_token *token)
{
	static const char parts[] = "0123456789abcdefABCDEFxXpP. \t\n\r\"'[]=\\zuUlLiI{}";
	for (size_t i = 0; i < token->len; i++) {
		char c = token->at[i];
		bool is_sign = c == '-' || c == '+';
		bool fits = is_sign ? i == 0 || memchr("eEpP \"'[\\", token->at[i - 1], 9) != NULL
		                    : memchr(parts, c, sizeof(parts) - 1) != NULL;
		if (!fits)
			return false;
	}
	return true;
}

void mp_fuel_next(struct mp_fuel_reader *reader)
{
	struct mp_token *token = &reader->token;
	if (reader->is_wrong)
		return;
	reader->behind = (size_t)(token->at - reader->text) + token->len;
	mp_tokens_next(&reader->tokens, token);
	if (is_reserved(token))
		mp_fuel_refuse(reader, token->line, "names that begin with __mp_ are moonpool's own");
	if (token->kind != MP_TOKEN_STRING)
		return;
	if (token->len > MP_FUEL_STRING_MAX)
		mp_fuel_refuse(reader, token->line, "a text of more than 4096 bytes");
	if (token->len > MP_FUEL_NUMBER_MAX + 2 && may_be_number(token))
		reader->fuel->has_long_number = true;
}

bool mp_fuel_take(struct mp_fuel_reader *reader, int kind)
{
	if (!mp_fuel_is(reader, kind))
		return false;
	mp_fuel_next(reader);
	return true;
}

void mp_fuel_expect(struct mp_fuel_reader *reader, int kind)
{
	if (!mp_fuel_take(reader, kind))
		mp_fuel_refuse(reader, reader->token.line, "this is not understood");
}

// `goto` is a name wherever it cannot be the statement.
void mp_fuel_name(struct mp_fuel_reader *reader)
{
	if (!mp_fuel_take(reader, MP_TOKEN_GOTO))
		mp_fuel_expect(reader, MP_TOKEN_NAME);
}

int mp_fuel_kind_ahead(const struct mp_fuel_reader *reader)
{
	struct mp_tokens tokens = reader->tokens;
	struct mp_token token;
	mp_tokens_next(&tokens, &token);
	return token.kind;
}

bool mp_fuel_deeper(struct mp_fuel_reader *reader)
{
	if (++reader->depth > DEPTH_MAX)
		mp_fuel_refuse(reader, reader->token.line, "this is nested too deeply");
	return !reader->is_wrong;
}

// ---- edits ------------------------------------------------------------------------------------------------

uint32_t mp_fuel_edit(struct mp_fuel_reader *reader, size_t at, enum mp_fuel_edit_kind kind, uint32_t ticks)
{
	struct mp_fuel_edit edit = {.at = at, .order = reader->edit_count, .kind = kind, .ticks = ticks};
	mp_buf_bytes(&reader->edits, &edit, sizeof(edit));
	return reader->edit_count++;
}

uint32_t mp_fuel_tick(struct mp_fuel_reader *reader, uint32_t work)
{
	reader->run = 0;
	return mp_fuel_edit(reader, reader->behind, MP_FUEL_TICK, 1 + work / MP_FUEL_WORK);
}

void mp_fuel_pay(struct mp_fuel_reader *reader, uint32_t number, uint32_t work)
{
	if (mp_buf_status(&reader->edits) == 0)
		((struct mp_fuel_edit *)(void *)reader->edits.data)[number].ticks += work / MP_FUEL_WORK;
}

// ---- expressions ------------------------------------------------------------------------------------------

void mp_fuel_expressions(struct mp_fuel_reader *reader)
{
	do {
		reader->work++;
		mp_fuel_expression(reader, 0);
	} while (mp_fuel_take(reader, ','));
}

void mp_fuel_function(struct mp_fuel_reader *reader)
{
	uint32_t work = reader->work + 1, run = reader->run;
	reader->functions++;
	mp_fuel_expect(reader, '(');
	while (mp_fuel_is(reader, MP_TOKEN_NAME) || mp_fuel_is(reader, MP_TOKEN_GOTO) ||
	       mp_fuel_is(reader, MP_TOKEN_DOTS)) {
		mp_fuel_next(reader);
		mp_fuel_take(reader, ',');
	}
	mp_fuel_expect(reader, ')');
	mp_fuel_tick(reader, 0);
	mp_fuel_block(reader);
	mp_fuel_expect(reader, MP_TOKEN_END_OF_BLOCK);
	reader->functions--;
	reader->work = work;
	reader->run = run;
}

// Behind '[', to ']'. A constant is no NaN.
static void key(struct mp_fuel_reader *reader)
{
	bool is_constant = (mp_fuel_is(reader, MP_TOKEN_STRING) || mp_fuel_is(reader, MP_TOKEN_NUMBER)) &&
	                   mp_fuel_kind_ahead(reader) == ']';
	uint32_t from = is_constant ? 0 : mp_fuel_edit(reader, mp_fuel_here(reader), MP_FUEL_NOTHING, 0);
	mp_fuel_expression(reader, 0);
	reader->has_key = !is_constant;
	reader->key = from;
	reader->key_end = is_constant ? 0 : mp_fuel_edit(reader, reader->behind, MP_FUEL_NOTHING, 0);
	mp_fuel_expect(reader, ']');
}

void mp_fuel_store(struct mp_fuel_reader *reader)
{
	if (!reader->has_key || mp_buf_status(&reader->edits) != 0)
		return;
	struct mp_fuel_edit *edits = (struct mp_fuel_edit *)(void *)reader->edits.data;
	edits[reader->key].kind = MP_FUEL_KEY;
	edits[reader->key_end].kind = MP_FUEL_KEY_END;
	reader->work++;
}

static void table(struct mp_fuel_reader *reader)
{
	mp_fuel_expect(reader, '{');
	while (!mp_fuel_is(reader, '}') && !reader->is_wrong) {
		if (mp_fuel_take(reader, '[')) {
			key(reader);
			mp_fuel_store(reader);
			mp_fuel_expect(reader, '=');
		} else if ((mp_fuel_is(reader, MP_TOKEN_NAME) || mp_fuel_is(reader, MP_TOKEN_GOTO)) &&
		           mp_fuel_kind_ahead(reader) == '=') {
			mp_fuel_next(reader);
			mp_fuel_next(reader);
		}
		reader->work++;
		mp_fuel_expression(reader, 0);
		if (!mp_fuel_take(reader, ',') && !mp_fuel_take(reader, ';'))
			break;
	}
	reader->work++;
	mp_fuel_expect(reader, '}');
}

static void arguments(struct mp_fuel_reader *reader)
{
	if (mp_fuel_take(reader, MP_TOKEN_STRING))
		return;
	if (mp_fuel_is(reader, '{')) {
		table(reader);
		return;
	}
	mp_fuel_expect(reader, '(');
	if (!mp_fuel_is(reader, ')'))
		mp_fuel_expressions(reader);
	mp_fuel_expect(reader, ')');
}

void mp_fuel_primary(struct mp_fuel_reader *reader)
{
	if (mp_fuel_take(reader, '(')) {
		mp_fuel_expression(reader, 0);
		mp_fuel_expect(reader, ')');
	} else {
		mp_fuel_name(reader);
	}
	reader->has_key = false;
	while (!reader->is_wrong) {
		if (mp_fuel_take(reader, '[')) {
			key(reader);
			reader->work++;
			continue;
		}
		if (mp_fuel_take(reader, '.')) {
			mp_fuel_name(reader);
		} else if (mp_fuel_is(reader, '(') || mp_fuel_is(reader, '{') ||
		           mp_fuel_is(reader, MP_TOKEN_STRING)) {
			arguments(reader);
		} else if (mp_fuel_take(reader, ':')) {
			mp_fuel_name(reader);
			reader->work++;
			arguments(reader);
		} else {
			return;
		}
		reader->has_key = false;
		reader->work++;
	}
}

static void simple(struct mp_fuel_reader *reader)
{
	switch (reader->token.kind) {
	case MP_TOKEN_DOTS:
		reader->work += WORK_OF_VARARGS;
		mp_fuel_next(reader);
		return;
	case MP_TOKEN_NUMBER:
	case MP_TOKEN_STRING:
	case MP_TOKEN_NIL:
	case MP_TOKEN_TRUE:
	case MP_TOKEN_FALSE: mp_fuel_next(reader); return;
	case MP_TOKEN_FUNCTION:
		mp_fuel_next(reader);
		mp_fuel_function(reader);
		return;
	case '{': table(reader); return;
	default: mp_fuel_primary(reader); return;
	}
}

// How strongly an operator binds to its left, 0: it is none.
static int strength(int kind)
{
	switch (kind) {
	case '^': return 10;
	case '*':
	case '/':
	case '%': return 7;
	case '+':
	case '-': return 6;
	case MP_TOKEN_CONCAT: return CONCAT;
	case MP_TOKEN_EQ:
	case MP_TOKEN_NE:
	case MP_TOKEN_LE:
	case MP_TOKEN_GE:
	case '<':
	case '>': return 3;
	case MP_TOKEN_AND: return 2;
	case MP_TOKEN_OR: return 1;
	default: return 0;
	}
}

// All that is put together in a row, from its second part on; `from` is where the first one begins.
static void concatenation(struct mp_fuel_reader *reader, size_t from)
{
	mp_fuel_edit(reader, from, MP_FUEL_FIT, 0);
	while (mp_fuel_take(reader, MP_TOKEN_CONCAT)) {
		reader->work += WORK_OF_OPERATOR;
		mp_fuel_expression(reader, CONCAT);
	}
	mp_fuel_edit(reader, reader->behind, MP_FUEL_FIT_END, 0);
}

void mp_fuel_expression(struct mp_fuel_reader *reader, int limit)
{
	size_t from = mp_fuel_here(reader);
	if (!mp_fuel_deeper(reader))
		return;
	if (mp_fuel_take(reader, MP_TOKEN_NOT) || mp_fuel_take(reader, '-') || mp_fuel_take(reader, '#')) {
		reader->work++;
		mp_fuel_expression(reader, UNARY);
	} else {
		simple(reader);
	}
	while (strength(reader->token.kind) > limit) {
		int kind = reader->token.kind;
		if (kind == MP_TOKEN_CONCAT) {
			concatenation(reader, from);
			continue;
		}
		mp_fuel_next(reader);
		if (kind != MP_TOKEN_AND && kind != MP_TOKEN_OR)
			reader->work += WORK_OF_OPERATOR;
		mp_fuel_expression(reader, kind == '^' ? strength(kind) - 1 : strength(kind));
	}
	reader->depth--;
}
