// SPDX-License-Identifier: Apache-2.0
// What a CQL statement is, as far as repeating it goes, read off its words in one pass. What it does not understand
// counts as the worse of what it could be.
//
// A counter is written by a sum in which a column stands: n = n + 1, n = n -1, n = 5 + n, n += ?, "n" -= (int) f(x). A
// sum with a collection is a list, a set or a map; a sum without a column is a number. So the reader follows what
// stands behind each = as far as its parts, and looks into no brackets but to find where they end.
#include <string.h>

#include "cluster/request/replay.h"
#include "cluster/request/words.h"

// What stands in a sum besides its first column.
enum part {
	PART_BRACES = 1, // {1, 2}: a set or a map
	PART_LIST = 2,   // [1, 2]
	PART_MARKER = 4, // ? or :name
	PART_OTHER = 8,  // a number, a string, a call, another column, or what is not clear
};

// The value behind an = that is being read.
struct value {
	bool active;
	unsigned depth; // of brackets around it
	bool column;
	bool adds;    // + is in it
	bool sum;     // + or - is in it
	bool group;   // ( ... ) was just read: a cast if a part follows, a part of its own if not
	bool named;   // a : was just read: the name behind it is a marker's
	bool part_on; // a part was just read: what follows a [ belongs to it
	unsigned parts;
};

struct reader {
	struct mp_words words;
	struct mp_word before;
	struct mp_word word;
	unsigned depth;
	bool into; // INSERT INTO t: the brackets behind it are no call
	enum mp_markers markers;
	struct value value;
	struct mp_statement *found;
};

static bool is_one_of(const struct mp_word *word, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (mp_word_is(word, names[i]))
			return true;
	return false;
}

#define IS_ONE_OF(word, names) is_one_of((word), (names), sizeof(names) / sizeof((names)[0]))

static bool is_sign(const struct mp_word *word, char sign)
{
	return word->kind == MP_WORD_SIGN && word->sign == sign;
}

static bool is_name(const struct mp_word *word)
{
	return word->kind == MP_WORD_NAME || word->kind == MP_WORD_QUOTED;
}

// ---- sums -------------------------------------------------------------------------------------------------

static void add_part(struct value *value, enum part part)
{
	value->parts |= part;
	value->group = false;
	value->part_on = true;
}

static void add_column(struct value *value)
{
	if (value->column)
		value->parts |= PART_OTHER;
	value->column = true;
	value->group = false;
	value->part_on = true;
}

// A group that no part follows: whatever is in it.
static void settle_group(struct value *value)
{
	if (!value->group)
		return;
	add_column(value);
	add_part(value, PART_OTHER);
}

static void begin_value(struct reader *reader, bool is_sum)
{
	reader->value = (struct value){.active = true, .depth = reader->depth, .column = is_sum, .sum = is_sum};
}

static void end_value(struct reader *reader)
{
	struct value *value = &reader->value;
	if (!value->active)
		return;
	settle_group(value);
	value->active = false;
	if (!value->sum || !value->column)
		return;
	bool marker_counts = (value->parts & PART_MARKER) && reader->markers != MP_MARKERS_NO_COUNTER;
	if (value->parts == 0 || (value->parts & PART_OTHER) || marker_counts)
		reader->found->may_count = true;
	if (value->adds && value->parts != PART_BRACES)
		reader->found->is_plain = false; // a list would have it twice
}

static void read_name(struct reader *reader, struct value *value)
{
	static const char *const constants[] = {"NULL", "TRUE", "FALSE", "NAN", "INFINITY"};
	static const char *const ends[] = {"WHERE", "IF", "AND", "USING", "APPLY", "INSERT", "UPDATE", "DELETE"};
	struct mp_word next = mp_words_peek(&reader->words);
	if (IS_ONE_OF(&reader->word, ends))
		end_value(reader);
	else if (value->named)
		add_part(value, PART_MARKER);
	else if (IS_ONE_OF(&reader->word, constants) || is_sign(&next, '('))
		add_part(value, PART_OTHER);
	else if (!is_sign(&next, '.')) // before a dot it names a keyspace
		add_column(value);
}

static void read_sign(struct reader *reader, struct value *value)
{
	char sign = reader->word.sign;
	switch (sign) {
	case '+':
	case '-':
		settle_group(value);
		value->sum = true;
		value->adds = value->adds || sign == '+';
		value->part_on = false;
		break;
	case '*':
	case '/':
	case '%':
		settle_group(value);
		value->part_on = false;
		break;
	case '?': add_part(value, PART_MARKER); break;
	case '{': add_part(value, PART_BRACES); break;
	case '[':
		if (!value->part_on)
			add_part(value, PART_LIST);
		break;
	case '(': value->group = !is_name(&reader->before); break;
	case '.':
	case ':': break;
	default: end_value(reader); break;
	}
}

// The word is part of a value at its own depth.
static void read_value(struct reader *reader)
{
	struct value *value = &reader->value;
	switch (reader->word.kind) {
	case MP_WORD_NAME:
	case MP_WORD_QUOTED: read_name(reader, value); break;
	case MP_WORD_SIGN: read_sign(reader, value); break;
	default: add_part(value, PART_OTHER); break;
	}
	value->named = is_sign(&reader->word, ':');
}

// ---- calls ------------------------------------------------------------------------------------------------

// Functions whose value depends on their arguments alone. Any other, also one of the user's own, may give another value
// each time, as now() and uuid() do.
static bool is_steady(const struct mp_word *name)
{
	static const char *const steady[] = {
		"token",
		"cast",
		"toDate",
		"toTimestamp",
		"toUnixTimestamp",
		"to_date",
		"to_timestamp",
		"dateOf",
		"fromJson",
		"to_unix_timestamp",
		"unixTimestampOf",
		"from_json",
		"minTimeuuid",
		"min_timeuuid",
		"toJson",
		"maxTimeuuid",
		"max_timeuuid",
		"to_json",
		"abs",
		"exp",
		"log",
		"log10",
		"round",
	};
	struct mp_str text = name->text;
	if (name->kind != MP_WORD_NAME)
		return false;
	bool to_blob = text.len > 6 && mp_str_is_nocase((struct mp_str){text.data + text.len - 6, 6}, "asBlob");
	bool to_blob_new =
		text.len > 7 && mp_str_is_nocase((struct mp_str){text.data + text.len - 7, 7}, "as_blob");
	bool of_blob = text.len > 6 && mp_str_is_nocase((struct mp_str){text.data, 6}, "blobAs");
	bool of_blob_new = text.len > 7 && mp_str_is_nocase((struct mp_str){text.data, 7}, "blob_as");
	return to_blob || to_blob_new || of_blob || of_blob_new || IS_ONE_OF(name, steady);
}

// Names that brackets may follow without being called.
static bool is_called(const struct reader *reader)
{
	static const char *const words[] = {"VALUES", "IN", "AND", "WHERE"};
	return is_name(&reader->before) && !reader->into && !IS_ONE_OF(&reader->before, words);
}

// ---- a write ----------------------------------------------------------------------------------------------

// What the word says wherever it stands. Behind a name, [ 'x' ] is an entry of a map; anything else may be a place of
// a list, where another element stands when the first attempt has taken effect.
static void read_word(struct reader *reader)
{
	struct mp_statement *found = reader->found;
	const struct mp_word *word = &reader->word;
	if (mp_word_is(word, "IF"))
		found->is_lwt = true;
	else if (mp_word_is(word, "IN"))
		found->is_keyed = false;
	else if (mp_word_is(word, "INTO"))
		reader->into = true;
	else if (is_sign(word, '(') && is_called(reader) && !is_steady(&reader->before))
		found->is_plain = false;
	else if (is_sign(word, '[') && is_name(&reader->before))
		found->is_plain = found->is_plain && mp_words_peek(&reader->words).kind == MP_WORD_STRING;
	if (!is_name(word) && word->sign != '.')
		reader->into = false;
}

// = begins a value; so do += and its like, which are a sum with their column.
static bool begins_value(struct reader *reader)
{
	if (!is_sign(&reader->word, '='))
		return false;
	const struct mp_word *before = &reader->before;
	bool is_sum = before->kind == MP_WORD_SIGN && strchr("+-*/%", before->sign) != NULL && before->sign != 0;
	bool adds = is_sum && before->sign == '+';
	end_value(reader);
	begin_value(reader, is_sum);
	reader->value.adds = adds;
	return true;
}

static void close_bracket(struct reader *reader)
{
	struct value *value = &reader->value;
	if (value->active && reader->depth == value->depth)
		end_value(reader);
	if (reader->depth > 0)
		reader->depth--;
}

static void read_write(struct reader *reader)
{
	for (;;) {
		reader->word = mp_words_next(&reader->words);
		if (reader->word.kind == MP_WORD_END)
			break;
		char sign = reader->word.sign;
		bool opens = sign == '(' || sign == '[' || sign == '{';
		bool closes = sign == ')' || sign == ']' || sign == '}';
		read_word(reader);
		if (closes)
			close_bracket(reader);
		else if (!begins_value(reader) && reader->value.active && reader->depth == reader->value.depth)
			read_value(reader);
		reader->depth += opens ? 1 : 0;
		reader->before = reader->word;
	}
	end_value(reader);
}

// ---- statements -------------------------------------------------------------------------------------------

// No server takes several statements in one text; one that would is not known.
static bool is_alone(struct mp_words words)
{
	if (memchr(words.pos, ';', (size_t)(words.end - words.pos)) == NULL)
		return true;
	bool ended = false;
	for (struct mp_word word = mp_words_next(&words); word.kind != MP_WORD_END;
	     word = mp_words_next(&words)) {
		if (ended && !is_sign(&word, ';'))
			return false;
		ended = ended || is_sign(&word, ';');
	}
	return true;
}

struct mp_statement mp_statement_read(const char *cql, size_t len, enum mp_markers markers)
{
	struct mp_statement found = {.may_count = markers == MP_MARKERS_COUNTER};
	struct mp_words words = mp_words_of(cql, len);
	struct mp_word first = mp_words_next(&words);
	struct mp_word second = mp_words_peek(&words);
	bool is_batch = mp_word_is(&first, "BEGIN");
	found.is_use = mp_word_is(&first, "USE");
	found.is_known = first.kind == MP_WORD_NAME && (is_batch || is_alone(words));
	if (mp_word_is(&first, "SELECT")) {
		found.is_read = found.is_plain = found.is_known;
		return found;
	}
	if (!is_batch && !mp_word_is(&first, "INSERT") && !mp_word_is(&first, "UPDATE") &&
	    !mp_word_is(&first, "DELETE"))
		return found;
	found.is_plain = found.is_known;
	found.is_keyed = found.is_known && !is_batch;
	found.is_lwt = is_batch && mp_word_is(&second, "TRANSACTION");
	found.may_count = found.may_count || (is_batch && mp_word_is(&second, "COUNTER"));
	struct reader reader = {.words = words, .before = first, .markers = markers, .found = &found};
	read_write(&reader);
	return found;
}

enum mp_replay_class mp_statement_class(const struct mp_statement *statement, bool idempotent)
{
	if (statement->is_read)
		return MP_REPLAY_READ;
	if (statement->is_lwt || statement->may_count)
		return MP_REPLAY_FRAGILE;
	return idempotent && statement->is_known ? MP_REPLAY_IDEMPOTENT : MP_REPLAY_UNSAFE;
}
