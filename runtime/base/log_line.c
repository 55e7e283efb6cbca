// SPDX-License-Identifier: Apache-2.0
// Values are cut and cleaned first and quoted then, so that a line is whole in its format whatever it holds.
#include "base/log_line.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text/redact.h"
#include "base/text/utf8.h"

struct out {
	char *text;
	size_t len;
};

static void put(struct out *out, const char *text, size_t len)
{
	mp_assert(out->len + len < MP_LOG_LINE_MAX); // by the sizes of what goes in
	memcpy(out->text + out->len, text, len);
	out->len += len;
	out->text[out->len] = '\0';
}

static void put_text(struct out *out, const char *text)
{
	put(out, text, strlen(text));
}

// A text from anywhere, as it may stand in a line. What has the shape of a secret must not lose it by a cut, so more is
// looked at than stays.
static void clean(const char *text, char *to, size_t size)
{
	char whole[MP_LOG_SENTENCE + MP_LOG_BEYOND];
	size_t len = strnlen(text, size - 1 + MP_LOG_BEYOND);
	memcpy(whole, text, len);
	whole[len] = '\0';
	mp_redact_line(whole);
	len = strnlen(whole, size - 1);
	memcpy(to, whole, len);
	to[len] = '\0';
	if (whole[len] != '\0' && len > 3)
		memcpy(to + len - 3, "...", 3);
	bool is_text = mp_utf8_is_valid(to, strlen(to));
	for (char *at = to; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;
		if (c < ' ' || c == 0x7f)
			*at = ' ';
		else if (c >= 0x80 && !is_text)
			*at = '?';
	}
}

static void put_quoted(struct out *out, const char *text)
{
	put_text(out, "\"");
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			put_text(out, "\\");
		put(out, text, 1);
	}
	put_text(out, "\"");
}

// logfmt quotes what a reader could take apart.
static void put_bare(struct out *out, const char *text)
{
	if (*text != '\0' && strpbrk(text, " =\"\\") == NULL)
		put_text(out, text);
	else
		put_quoted(out, text);
}

static void put_name(struct out *out, bool json, const char *name)
{
	if (out->len > (json ? 1u : 0u))
		put_text(out, json ? "," : " ");
	if (json)
		put_quoted(out, name);
	else
		put_text(out, name);
	put_text(out, json ? ":" : "=");
}

static void put_value(struct out *out, bool json, const char *name, const char *text)
{
	put_name(out, json, name);
	if (json)
		put_quoted(out, text);
	else
		put_bare(out, text);
}

// A double that has no digits, which JSON does not know, is none.
static void value_of(const struct mp_log_field *field, char text[MP_LOG_VALUE])
{
	if (field->text != NULL) {
		clean(field->text, text, MP_LOG_VALUE);
		return;
	}
	double number = field->number - field->number == 0 ? field->number : 0;
	snprintf(text, MP_LOG_VALUE, number == (double)(int64_t)number ? "%.0f" : "%.3f", number);
}

static void put_field(struct out *out, bool json, const struct mp_log_field *field)
{
	char text[MP_LOG_VALUE];
	value_of(field, text);
	if (field->text != NULL) {
		put_value(out, json, field->name, text);
		return;
	}
	put_name(out, json, field->name);
	put_text(out, text);
}

static void stamp(uint64_t wall_us, char text[40])
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm;
	if (gmtime_r(&seconds, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	size_t len = strftime(text, 24, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, 40 - len, ".%03uZ", (unsigned)(wall_us / 1000 % 1000));
}

// What the journal takes: a field a line, their names in capital letters.
static void write_fields(const struct mp_log_line *line, const char *sentence, struct out *out)
{
	put_text(out, "MESSAGE=");
	put_text(out, sentence);
	put_text(out, "\n");
	if (line->event != NULL) {
		put_text(out, "MOONPOOL_EVENT=");
		put_text(out, line->event);
		put_text(out, "\n");
	}
	for (size_t i = 0; i < line->count && i < MP_LOG_FIELDS; i++) {
		const struct mp_log_field *field = &line->fields[i];
		char text[MP_LOG_VALUE];
		put_text(out, "MOONPOOL_");
		for (const char *at = field->name; *at != '\0'; at++) {
			char letter = (char)toupper((unsigned char)*at);
			if (letter == *at && letter >= 'A' && letter <= 'Z')
				put_text(out, "_");
			put(out, &letter, 1);
		}
		put_text(out, "=");
		value_of(field, text);
		put_text(out, text);
		put_text(out, "\n");
	}
}

void mp_log_line_write(const struct mp_log_line *line, char text[MP_LOG_LINE_MAX])
{
	struct out out = {text, 0};
	char time[40], sentence[MP_LOG_SENTENCE];
	clean(line->sentence, sentence, sizeof(sentence));
	stamp(line->wall_us, time);
	text[0] = '\0';
	if (line->format == MP_LOG_TEXT) {
		if (line->wall_us != 0)
			put_text(&out, time), put_text(&out, " ");
		put_text(&out, sentence);
		return;
	}
	if (line->format == MP_LOG_JOURNAL) {
		write_fields(line, sentence, &out);
		return;
	}
	bool json = line->format == MP_LOG_JSON;
	if (json)
		put_text(&out, "{");
	if (line->wall_us != 0)
		put_value(&out, json, "ts", time);
	put_value(&out, json, "level", mp_log_level_name(line->level));
	if (line->event != NULL)
		put_value(&out, json, "event", line->event);
	for (size_t i = 0; i < line->count && i < MP_LOG_FIELDS; i++)
		put_field(&out, json, &line->fields[i]);
	put_value(&out, json, "msg", sentence);
	if (json)
		put_text(&out, "}");
}
