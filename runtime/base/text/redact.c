// SPDX-License-Identifier: Apache-2.0
// Two passes, each over the text once. Both replace in place: what is read is never behind what is written.
#include "base/text/redact.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/defs.h"

#define MASK     "***"
#define MASK_LEN 3

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'' || c == '`';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

struct text {
	char *data;
	size_t len;   // what is there
	size_t read;  // up to here it was looked at
	size_t wrote; // up to here the result stands
};

// What lies between `read` and `until` stays.
static void keep(struct text *text, size_t until)
{
	memmove(text->data + text->wrote, text->data + text->read, until - text->read);
	text->wrote += until - text->read;
	text->read = until;
}

// What lies between `read` and `until` goes; a mask stands for it, as far as there is room.
static void mask(struct text *text, size_t until)
{
	size_t room = until - text->wrote;
	size_t len = room < MASK_LEN ? room : MASK_LEN;
	memcpy(text->data + text->wrote, MASK, len);
	text->wrote += len;
	text->read = until;
}

// ---- user:password@host -----------------------------------------------------------------------------------

// One word: what stands between its first colon (behind the scheme's) and its last @.
static void redact_word(struct text *text, size_t until)
{
	const char *word = text->data + text->read;
	size_t len = until - text->read;
	size_t at = len;
	while (at > 0 && word[at - 1] != '@')
		at--;
	if (at <= 1) {
		keep(text, until);
		return;
	}
	at--; // of the @
	size_t begin = 0;
	for (size_t i = 0; i + 2 < at && begin == 0; i++)
		if (memcmp(word + i, "://", 3) == 0)
			begin = i + 3;
	const char *colon = memchr(word + begin, ':', at - begin);
	if (colon != NULL || begin > 0) {
		size_t from = text->read;
		keep(text, from + (colon != NULL ? (size_t)(colon - word) + 1 : begin));
		if (text->read < from + at)
			mask(text, from + at);
	}
	keep(text, until);
}

static size_t redact_words(char *data, size_t len)
{
	struct text text = {.data = data, .len = len};
	while (text.read < len) {
		size_t until = text.read;
		while (until < len && (is_blank(data[until]) || is_quote(data[until])))
			until++;
		keep(&text, until);
		while (until < len && !is_blank(data[until]) && !is_quote(data[until]))
			until++;
		redact_word(&text, until);
	}
	return text.wrote;
}

// ---- password = ... ---------------------------------------------------------------------------------------

// The length of the secret's name that begins at `at`, with what belongs to the same word, or 0.
static size_t name_at(const struct text *text, size_t at)
{
	static const char *const names[] = {"password", "passwd", "pwd", "secret", "credential"};
	size_t end = 0;
	for (size_t i = 0; i < MP_ARRAY_LEN(names) && end == 0; i++) {
		size_t len = strlen(names[i]);
		if (at + len <= text->len && strncasecmp(text->data + at, names[i], len) == 0)
			end = at + len;
	}
	while (end > 0 && end < text->len && is_letter(text->data[end]))
		end++;
	return end == 0 ? 0 : end - at;
}

static size_t skip_blanks(const struct text *text, size_t at)
{
	while (at < text->len && is_blank(text->data[at]))
		at++;
	return at;
}

// Behind `password"] = ` or `password: got `: where the secret begins, or 0 when none follows.
static size_t value_behind(const struct text *text, size_t at)
{
	if (at < text->len && is_quote(text->data[at]))
		at++;
	if (at < text->len && text->data[at] == ']')
		at++;
	at = skip_blanks(text, at);
	if (at >= text->len || (text->data[at] != '=' && text->data[at] != ':'))
		return 0;
	bool is_given = text->data[at] == '=' && !(at + 1 < text->len && text->data[at + 1] == '=');
	at = skip_blanks(text, at + 1);
	bool is_got = at + 4 < text->len && memcmp(text->data + at, "got ", 4) == 0 &&
	              !(at + 6 <= text->len && memcmp(text->data + at + 4, "a ", 2) == 0);
	if (is_got)
		at = skip_blanks(text, at + 4);
	// In JSON a text follows the colon.
	bool is_text = at < text->len && is_quote(text->data[at]);
	return (is_given || is_got || is_text) && at < text->len ? at : 0;
}

// Quotes stay where they are.
static size_t end_of_value(const struct text *text, size_t *begin)
{
	size_t at = *begin;
	char quote = text->data[at];
	if (is_quote(quote)) {
		*begin = ++at;
		const char *end = memchr(text->data + at, quote, text->len - at);
		return end != NULL ? (size_t)(end - text->data) : text->len;
	}
	while (at < text->len && !is_blank(text->data[at]) && strchr(",;})]", text->data[at]) == NULL)
		at++;
	return at;
}

static size_t redact_values(char *data, size_t len)
{
	struct text text = {.data = data, .len = len};
	size_t at = 0;
	while (at < len) {
		size_t name = name_at(&text, at);
		size_t value = name > 0 ? value_behind(&text, at + name) : 0;
		if (value > 0 && value < len) {
			size_t end = end_of_value(&text, &value);
			keep(&text, value);
			if (end > value)
				mask(&text, end);
			at = end > value ? end : value + 1;
		} else {
			at += name > 0 ? name : 1;
		}
	}
	keep(&text, len);
	return text.wrote;
}

size_t mp_redact(char *text, size_t len)
{
	size_t left = memchr(text, '@', len) != NULL ? redact_words(text, len) : len;
	return redact_values(text, left);
}

void mp_redact_line(char *text)
{
	text[mp_redact(text, strlen(text))] = '\0';
}
