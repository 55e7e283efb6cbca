// SPDX-License-Identifier: Apache-2.0
// A line is built on the stack and handed to the sink. Text from outside may stand in a line, so control characters are
// blanked: one call is one line. What has the shape of a secret is taken out (log_line.c).
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log_line.h"

#define PREFIX 32 // "moonpool error: ", and the end of the line

static const char *const names[] = {"error", "warn", "info", "debug"};

void mp_log_init(struct mp_log *log)
{
	*log = (struct mp_log){.level = MP_LOG_INFO};
}

bool mp_log_on(const struct mp_log *log, enum mp_log_level level)
{
	return (int)level >= 0 && (int)level <= log->level;
}

bool mp_log_wants(const struct mp_log *log, enum mp_log_level level, unsigned what)
{
	return mp_log_on(log, level) || ((log->wanted & what) != 0 && log->level != MP_LOG_OFF);
}

static void emit(const struct mp_log *log, struct mp_log_line *line)
{
	char text[MP_LOG_LINE_MAX];
	bool is_sent = log->sink == NULL && log->to != MP_LOG_STDERR;
	line->format = is_sent && log->to == MP_LOG_SYSTEMD ? MP_LOG_JOURNAL : (enum mp_log_format)log->format;
	line->wall_us = log->stamped && log->wall_us != NULL ? log->wall_us(log->clock) : 0;
	mp_log_line_write(line, text);
	if (log->sink != NULL) {
		log->sink(log->data, line->level, text);
		return;
	}
	if (is_sent && mp_log_send((enum mp_log_target)log->to, line->level, text))
		return;
	if (line->format == MP_LOG_JOURNAL) { // nobody is there
		line->format = (enum mp_log_format)log->format;
		mp_log_line_write(line, text);
	}
	char printed[MP_LOG_LINE_MAX + PREFIX];
	if (log->format != MP_LOG_TEXT)
		snprintf(printed, sizeof(printed), "%s\n", text);
	else
		snprintf(printed, sizeof(printed), "moonpool %s: %s\n", mp_log_level_name(line->level), text);
	mp_log_print(printed);
}

void mp_log_write(const struct mp_log *log, enum mp_log_level level, const char *format, ...)
{
	if (!mp_log_on(log, level))
		return;
	char sentence[MP_LOG_SENTENCE + MP_LOG_BEYOND];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	struct mp_log_line line = {.level = level, .sentence = sentence};
	if (len >= 0)
		emit(log, &line);
}

void mp_log_fact(const struct mp_log *log, enum mp_log_level level, const char *event,
                 const struct mp_log_field *fields, size_t count, const char *format, ...)
{
	char sentence[MP_LOG_SENTENCE + MP_LOG_BEYOND];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	struct mp_log_line line = {
		.level = level, .event = event, .fields = fields, .count = count, .sentence = sentence};
	if (len >= 0)
		emit(log, &line);
}

const char *mp_log_level_name(enum mp_log_level level)
{
	return (int)level >= 0 && (size_t)level < MP_ARRAY_LEN(names) ? names[level] : "off";
}

int mp_log_level_from(const char *name, int *level)
{
	if (strcmp(name, "off") == 0) {
		*level = MP_LOG_OFF;
		return 0;
	}
	for (size_t i = 0; i < MP_ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) == 0) {
			*level = (int)i;
			return 0;
		}
	}
	return MP_EINVAL;
}

bool mp_log_gate_open(struct mp_log_gate *gate, uint64_t now_ms, uint64_t every_ms, uint64_t *held)
{
	if (now_ms < gate->next_ms) {
		gate->held++;
		return false;
	}
	if (held != NULL)
		*held = gate->held;
	gate->held = 0;
	gate->next_ms = every_ms < UINT64_MAX - now_ms ? now_ms + every_ms : UINT64_MAX;
	return true;
}
