// SPDX-License-Identifier: Apache-2.0
// Statements of the fuel gauge's reader, and the text that comes of it.
#include "policy/gauge/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

// ---- statements -------------------------------------------------------------------------------------------

static bool is_over(const struct mp_fuel_reader *reader)
{
	int kind = reader->token.kind;
	return kind == MP_TOKEN_END || kind == MP_TOKEN_END_OF_BLOCK || kind == MP_TOKEN_ELSE ||
	       kind == MP_TOKEN_ELSEIF || kind == MP_TOKEN_UNTIL;
}

static void note_loop(struct mp_fuel_reader *reader)
{
	if (reader->fuel->loop_line == 0)
		reader->fuel->loop_line = reader->token.line;
}

// From `do` on; `work` is done before each turn.
static void body(struct mp_fuel_reader *reader, uint32_t work)
{
	uint32_t run = reader->run;
	mp_fuel_expect(reader, MP_TOKEN_DO);
	mp_fuel_tick(reader, work);
	mp_fuel_block(reader);
	mp_fuel_expect(reader, MP_TOKEN_END_OF_BLOCK);
	reader->run = run;
}

static void while_loop(struct mp_fuel_reader *reader)
{
	note_loop(reader);
	mp_fuel_next(reader);
	mp_fuel_expression(reader, 0);
	body(reader, reader->work);
}

static void for_loop(struct mp_fuel_reader *reader)
{
	note_loop(reader);
	mp_fuel_next(reader);
	mp_fuel_name(reader);
	bool is_numeric = mp_fuel_is(reader, '=');
	while (mp_fuel_take(reader, ','))
		mp_fuel_name(reader);
	mp_fuel_expect(reader, is_numeric ? '=' : MP_TOKEN_IN);
	mp_fuel_expressions(reader);
	body(reader, 0);
}

static void repeat_loop(struct mp_fuel_reader *reader)
{
	uint32_t run = reader->run;
	note_loop(reader);
	mp_fuel_next(reader);
	uint32_t number = mp_fuel_tick(reader, 0);
	mp_fuel_block(reader);
	mp_fuel_expect(reader, MP_TOKEN_UNTIL);
	mp_fuel_expression(reader, 0);
	mp_fuel_pay(reader, number, reader->work);
	reader->run = run;
}

static void branches(struct mp_fuel_reader *reader)
{
	do {
		mp_fuel_next(reader);
		mp_fuel_expression(reader, 0);
		mp_fuel_expect(reader, MP_TOKEN_THEN);
		mp_fuel_block(reader);
	} while (mp_fuel_is(reader, MP_TOKEN_ELSEIF));
	if (mp_fuel_take(reader, MP_TOKEN_ELSE))
		mp_fuel_block(reader);
	mp_fuel_expect(reader, MP_TOKEN_END_OF_BLOCK);
}

static void named_function(struct mp_fuel_reader *reader)
{
	mp_fuel_next(reader);
	mp_fuel_name(reader);
	while (mp_fuel_take(reader, '.') || mp_fuel_take(reader, ':'))
		mp_fuel_name(reader);
	mp_fuel_function(reader);
}

static void declaration(struct mp_fuel_reader *reader)
{
	mp_fuel_next(reader);
	if (mp_fuel_is(reader, MP_TOKEN_FUNCTION)) {
		named_function(reader);
		return;
	}
	do
		mp_fuel_name(reader);
	while (mp_fuel_take(reader, ','));
	if (mp_fuel_take(reader, '='))
		mp_fuel_expressions(reader);
}

// Labels, and a tick behind them, because every loop of gotos passes one. Not where nothing follows: a goto may jump to
// the end of its block over declarations, if only labels stand there.
static void labels(struct mp_fuel_reader *reader)
{
	while (mp_fuel_is(reader, MP_TOKEN_LABEL) || mp_fuel_is(reader, ';')) {
		if (mp_fuel_take(reader, ';'))
			continue;
		mp_fuel_next(reader);
		mp_fuel_name(reader);
		mp_fuel_expect(reader, MP_TOKEN_LABEL);
	}
	if (!is_over(reader) || mp_fuel_is(reader, MP_TOKEN_UNTIL))
		mp_fuel_tick(reader, 0);
}

static void assignment_or_call(struct mp_fuel_reader *reader)
{
	do {
		mp_fuel_primary(reader);
		mp_fuel_store(reader);
	} while (mp_fuel_take(reader, ','));
	if (mp_fuel_take(reader, '='))
		mp_fuel_expressions(reader);
}

static void statement_of(struct mp_fuel_reader *reader)
{
	switch (reader->token.kind) {
	case MP_TOKEN_IF: branches(reader); return;
	case MP_TOKEN_WHILE: while_loop(reader); return;
	case MP_TOKEN_FOR: for_loop(reader); return;
	case MP_TOKEN_REPEAT: repeat_loop(reader); return;
	case MP_TOKEN_FUNCTION: named_function(reader); return;
	case MP_TOKEN_LOCAL: declaration(reader); return;
	case MP_TOKEN_LABEL: labels(reader); return;
	case MP_TOKEN_BREAK: mp_fuel_next(reader); return;
	case MP_TOKEN_DO:
		mp_fuel_next(reader);
		mp_fuel_block(reader);
		mp_fuel_expect(reader, MP_TOKEN_END_OF_BLOCK);
		return;
	case MP_TOKEN_RETURN:
		if (reader->functions == 0)
			reader->fuel->return_line = reader->token.line;
		mp_fuel_next(reader);
		if (!is_over(reader) && !mp_fuel_is(reader, ';'))
			mp_fuel_expressions(reader);
		return;
	case MP_TOKEN_GOTO:
		if (mp_fuel_kind_ahead(reader) != MP_TOKEN_NAME)
			break;
		note_loop(reader);
		mp_fuel_next(reader);
		mp_fuel_name(reader);
		return;
	default: break;
	}
	assignment_or_call(reader);
}

static void statement(struct mp_fuel_reader *reader)
{
	size_t from = mp_fuel_here(reader);
	uint32_t line = reader->token.line, outer = reader->work;
	uint32_t due = reader->run >= MP_FUEL_WORK;
	reader->work = 0;
	if (due)
		reader->run = 0;
	statement_of(reader);
	uint32_t work = reader->work;
	reader->work = outer;
	reader->run += work % MP_FUEL_WORK;
	if (reader->functions > 0 && work > MP_FUEL_STATEMENT_MAX)
		mp_fuel_refuse(reader, line, "this statement does too much at once: divide it");
	if (due > 0 || work >= MP_FUEL_WORK)
		mp_fuel_edit(reader, from, MP_FUEL_TICK, due + work / MP_FUEL_WORK);
}

void mp_fuel_block(struct mp_fuel_reader *reader)
{
	if (!mp_fuel_deeper(reader))
		return;
	while (!is_over(reader)) {
		statement(reader);
		while (mp_fuel_take(reader, ';')) {}
	}
	reader->depth--;
}

// ---- the text ---------------------------------------------------------------------------------------------

static int in_order(const void *a, const void *b)
{
	const struct mp_fuel_edit *x = a, *y = b;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void write(struct mp_buf *out, const struct mp_fuel_edit *edit)
{
	switch (edit->kind) {
	case MP_FUEL_TICK:
		mp_buf_printf(out, " __mp_fuel=__mp_fuel-%u if __mp_fuel<0 then __mp_fuel=__mp_more()end ",
		              edit->ticks);
		break;
	case MP_FUEL_FIT: mp_buf_text(out, " __mp_fit("); break;
	case MP_FUEL_KEY: mp_buf_text(out, " __mp_key("); break;
	case MP_FUEL_FIT_END:
	case MP_FUEL_KEY_END: mp_buf_text(out, ")"); break;
	case MP_FUEL_NOTHING: break;
	}
}

static int write_all(struct mp_fuel_reader *reader, size_t len)
{
	struct mp_buf *out = &reader->fuel->text;
	if (mp_buf_status(&reader->edits) != 0)
		return MP_ENOMEM;
	struct mp_fuel_edit *edits = (struct mp_fuel_edit *)(void *)reader->edits.data;
	if (reader->edit_count > 0)
		qsort(edits, reader->edit_count, sizeof(*edits), in_order);
	size_t done = 0;
	for (uint32_t i = 0; i < reader->edit_count; i++) {
		mp_buf_bytes(out, reader->text + done, edits[i].at - done);
		write(out, &edits[i]);
		done = edits[i].at;
	}
	mp_buf_bytes(out, reader->text + done, len - done);
	return mp_buf_status(out);
}

void mp_fuel_init(struct mp_fuel_text *fuel)
{
	memset(fuel, 0, sizeof(*fuel));
	mp_buf_init(&fuel->text);
}

void mp_fuel_deinit(struct mp_fuel_text *fuel)
{
	mp_buf_deinit(&fuel->text);
}

int mp_fuel_inject(struct mp_fuel_text *fuel, const char *text, size_t len)
{
	struct mp_fuel_reader reader = {.text = text, .fuel = fuel};
	mp_buf_init(&reader.edits);
	mp_buf_clear(&fuel->text);
	fuel->loop_line = fuel->return_line = fuel->wrong_line = 0;
	fuel->has_long_number = false;
	mp_tokens_init(&reader.tokens, text, len);
	reader.token.at = text;
	mp_fuel_next(&reader);
	mp_fuel_block(&reader);
	mp_fuel_expect(&reader, MP_TOKEN_END);
	int rc = reader.is_wrong ? MP_EINVAL : write_all(&reader, len);
	mp_buf_deinit(&reader.edits);
	return rc;
}
