// SPDX-License-Identifier: Apache-2.0
// What the two halves of the fuel gauge's reader share: read.c (words, edits, expressions) and fuel.c (statements,
// the text). It reads one word ahead, walks over a text that is good Lua, and notes edits, which are made at its end.
// After a refusal there is only the end of the text, so that everything comes to its own end.
#pragma once

#include "policy/gauge/fuel.h"
#include "policy/gauge/token.h"

enum mp_fuel_edit_kind {
	MP_FUEL_TICK,
	MP_FUEL_FIT,
	MP_FUEL_FIT_END,
	MP_FUEL_NOTHING, // yet: around an expression in brackets, which may become
	MP_FUEL_KEY,
	MP_FUEL_KEY_END,
};

struct mp_fuel_edit {
	size_t at;
	uint32_t order; // of those at one place
	enum mp_fuel_edit_kind kind;
	uint32_t ticks;
};

struct mp_fuel_reader {
	struct mp_tokens tokens;
	struct mp_token token;
	const char *text;
	size_t behind; // where the last token ended
	struct mp_buf edits;
	uint32_t edit_count;
	struct mp_fuel_text *fuel;
	uint32_t depth;
	uint32_t functions; // around what is read
	uint32_t work;      // operations of the statement that is read
	uint32_t run;       // operations since the last tick
	bool has_key;       // what was read last ends with an expression in brackets, between these two edits
	uint32_t key, key_end;
	bool is_wrong;
};

void mp_fuel_refuse(struct mp_fuel_reader *reader, uint32_t line, const char *why);
bool mp_fuel_deeper(struct mp_fuel_reader *reader); // false: refused; else `depth` is to be taken back

void mp_fuel_next(struct mp_fuel_reader *reader);
bool mp_fuel_take(struct mp_fuel_reader *reader, int kind); // false: it is another one
void mp_fuel_expect(struct mp_fuel_reader *reader, int kind);
void mp_fuel_name(struct mp_fuel_reader *reader);
int mp_fuel_kind_ahead(const struct mp_fuel_reader *reader); // of the token behind this one
static inline bool mp_fuel_is(const struct mp_fuel_reader *reader, int kind)
{
	return reader->token.kind == kind;
}
static inline size_t mp_fuel_here(const struct mp_fuel_reader *reader)
{
	return (size_t)(reader->token.at - reader->text);
}

// The number of the edit, for mp_fuel_pay().
uint32_t mp_fuel_edit(struct mp_fuel_reader *reader, size_t at, enum mp_fuel_edit_kind kind, uint32_t ticks);
// Behind the last token: what can begin again ticks first, and pays for `work` that each turn of it does elsewhere.
uint32_t mp_fuel_tick(struct mp_fuel_reader *reader, uint32_t work);
void mp_fuel_pay(struct mp_fuel_reader *reader, uint32_t number, uint32_t work);

void mp_fuel_expression(struct mp_fuel_reader *reader,
                        int limit); // what binds more strongly than `limit`; 0: all
void mp_fuel_expressions(struct mp_fuel_reader *reader);
void mp_fuel_primary(
	struct mp_fuel_reader *reader); // a name or something in brackets, and what is asked of it
// Something is stored in what was read last: if it ends with a key in brackets, that is looked at.
void mp_fuel_store(struct mp_fuel_reader *reader);
void mp_fuel_function(struct mp_fuel_reader *reader); // from its parameters to its end
void mp_fuel_block(struct mp_fuel_reader *reader);
