// SPDX-License-Identifier: Apache-2.0
// What a CQL statement is, as far as repeating it goes, read off its words. A reader of words, not a parser:
// strings, quoted names and comments are skipped, and what it does not understand is unsafe.
#include "cluster/replay.h"

#include <string.h>
#include <strings.h>

#include "base/cursor.h"

enum word_kind { WORD_END, WORD_NAME, WORD_MARK, WORD_STRING, WORD_SIGN };

struct word {
	enum word_kind kind;
	struct mp_str text;
	char sign; // SIGN: the character
};

struct reader {
	const char *pos;
	const char *end;
};

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

static const char *skip_to(const char *pos, const char *end, const char *close)
{
	size_t len = strlen(close);
	for (; (size_t)(end - pos) >= len; pos++)
		if (memcmp(pos, close, len) == 0)
			return pos + len;
	return end;
}

// Over white space and comments.
static void skip_blank(struct reader *reader)
{
	while (reader->pos < reader->end) {
		size_t left = (size_t)(reader->end - reader->pos);
		char c = *reader->pos;
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f')
			reader->pos++;
		else if (left >= 2 && (memcmp(reader->pos, "--", 2) == 0 || memcmp(reader->pos, "//", 2) == 0))
			reader->pos = skip_to(reader->pos, reader->end, "\n");
		else if (left >= 2 && memcmp(reader->pos, "/*", 2) == 0)
			reader->pos = skip_to(reader->pos + 2, reader->end, "*/");
		else
			return;
	}
}

static struct word next_word(struct reader *reader)
{
	skip_blank(reader);
	struct word word = {.kind = WORD_END, .text = {reader->pos, 0}};
	if (reader->pos == reader->end)
		return word;
	const char *start = reader->pos;
	char c = *start;
	if (is_name_char(c)) {
		while (reader->pos < reader->end && is_name_char(*reader->pos))
			reader->pos++;
		word.kind = WORD_NAME;
	} else if (c == '\'' || c == '"') {
		// A doubled quote is two strings side by side here, which does no harm.
		reader->pos = skip_to(start + 1, reader->end, c == '"' ? "\"" : "'");
		word.kind = c == '"' ? WORD_NAME : WORD_STRING;
	} else if (c == '$' && reader->end - start >= 2 && start[1] == '$') {
		reader->pos = skip_to(start + 2, reader->end, "$$");
		word.kind = WORD_STRING;
	} else {
		reader->pos++;
		word.kind = c == '?' || c == ':' ? WORD_MARK : WORD_SIGN;
		word.sign = c;
	}
	word.text = (struct mp_str){start, (size_t)(reader->pos - start)};
	return word;
}

static bool is(const struct word *word, const char *text)
{
	return word->kind == WORD_NAME && mp_str_is_nocase(word->text, text);
}

// What UPDATE and INSERT can hold besides plain values.
struct findings {
	bool condition; // IF
	bool counter;   // COUNTER batch
	bool addition;  // x = x + (something that may be a number)
};

// Called behind "=": a sum whose right side may be a number makes it a counter update; a collection does not.
static void read_sum(struct reader *reader, struct findings *findings)
{
	struct reader ahead = *reader;
	struct word left = next_word(&ahead);
	struct word sign = next_word(&ahead);
	if (left.kind != WORD_NAME || sign.kind != WORD_SIGN || (sign.sign != '+' && sign.sign != '-'))
		return;
	struct word right = next_word(&ahead);
	if (right.kind != WORD_SIGN || (right.sign != '[' && right.sign != '{'))
		findings->addition = true;
}

static struct findings read_write(struct reader *reader)
{
	struct findings findings = {false, false, false};
	for (struct word word = next_word(reader); word.kind != WORD_END; word = next_word(reader)) {
		if (is(&word, "IF"))
			findings.condition = true;
		else if (is(&word, "COUNTER"))
			findings.counter = true;
		else if (word.kind == WORD_SIGN && word.sign == '+' && reader->pos < reader->end &&
		         *reader->pos == '=') {
			findings.addition = true;
		} else if (word.kind == WORD_SIGN && word.sign == '=')
			read_sum(reader, &findings);
	}
	return findings;
}

static bool is_write(const struct word *word)
{
	return is(word, "INSERT") || is(word, "UPDATE") || is(word, "DELETE") || is(word, "BEGIN");
}

// Does calling this function give another value each time? It may be quoted, and may name its keyspace before a dot.
static bool is_moody(struct mp_str name)
{
	static const char *const moody[] = {
		"now",
		"uuid",
		"currentTimestamp",
		"currentDate",
		"currentTime",
		"currentTimeUUID",
		"current_timestamp",
		"current_date",
		"current_time",
		"current_timeuuid",
	};
	for (size_t i = name.len; i > 0; i--)
		if (name.data[i - 1] == '.')
			name = (struct mp_str){name.data + i, name.len - i};
	if (name.len >= 2 && name.data[0] == '"')
		name = (struct mp_str){name.data + 1, name.len - 2};
	for (size_t i = 0; i < sizeof(moody) / sizeof(moody[0]); i++)
		if (mp_str_is_nocase(name, moody[i]))
			return true;
	return false;
}

// What is added may be a list, which would have it twice; a set or a map would not.
static bool may_append(const struct word *word, struct reader behind)
{
	return word->kind == WORD_SIGN && word->sign == '+' && next_word(&behind).sign != '{';
}

bool mp_replay_is_plain(const char *cql, size_t len)
{
	struct reader reader = {cql, cql + len};
	struct word before = next_word(&reader);
	if (is(&before, "SELECT"))
		return true;
	if (!is_write(&before))
		return false;
	for (struct word word = next_word(&reader); word.kind != WORD_END; word = next_word(&reader)) {
		bool is_call = before.kind == WORD_NAME && word.kind == WORD_SIGN && word.sign == '(';
		if ((is_call && is_moody(before.text)) || may_append(&word, reader))
			return false;
		before = word;
	}
	return true;
}

enum mp_replay_class mp_replay_classify(const char *cql, size_t len, bool idempotent, int counters)
{
	struct reader reader = {cql, cql + len};
	struct word first = next_word(&reader);
	if (is(&first, "SELECT"))
		return MP_REPLAY_READ;
	if (!is_write(&first))
		return idempotent && first.kind == WORD_NAME ? MP_REPLAY_IDEMPOTENT : MP_REPLAY_UNSAFE;
	struct findings findings = read_write(&reader);
	bool may_count = counters == 1 || findings.counter || (counters == -1 && findings.addition);
	if (findings.condition || may_count)
		return MP_REPLAY_FRAGILE;
	return idempotent ? MP_REPLAY_IDEMPOTENT : MP_REPLAY_UNSAFE;
}
