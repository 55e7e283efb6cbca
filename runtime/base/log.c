// SPDX-License-Identifier: Apache-2.0
// A line is built on the stack and handed to the sink. Text from outside may stand in a line, so control
// characters are blanked: one call is one line. What has the shape of a secret is taken out.
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/text/redact.h"

#define LINE_MAX_BYTES 2048

static const char *const names[] = {"error", "warn", "info", "debug"};

void mp_log_init(struct mp_log *log)
{
	*log = (struct mp_log){.level = MP_LOG_INFO};
}

bool mp_log_on(const struct mp_log *log, enum mp_log_level level)
{
	return (int)level >= 0 && (int)level <= log->level;
}

void mp_log_write(const struct mp_log *log, enum mp_log_level level, const char *format, ...)
{
	if (!mp_log_on(log, level))
		return;
	char line[LINE_MAX_BYTES];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len < 0)
		return;
	if ((size_t)len >= sizeof(line))
		memcpy(line + sizeof(line) - 4, "...", 4);
	mp_redact_line(line);
	for (char *at = line; *at != '\0'; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
	}
	if (log->sink != NULL)
		log->sink(log->data, level, line);
	else
		fprintf(stderr, "moonpool %s: %s\n", mp_log_level_name(level), line);
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
