// SPDX-License-Identifier: Apache-2.0
// Levelled log lines with one sink, as sentences, logfmt or JSON. Never a secret, never a bound value. A line is made
// only if its level is on.
//
// A fact is a line with a name and fields beside its sentence: a reader of text gets the sentence, a program the
// fields.
#pragma once

#include "base/defs.h"

enum mp_log_level { MP_LOG_ERROR, MP_LOG_WARN, MP_LOG_INFO, MP_LOG_DEBUG, MP_LOG_OFF = -1 };
enum mp_log_format {
	MP_LOG_TEXT,
	MP_LOG_LOGFMT,
	MP_LOG_JSON,
	MP_LOG_JOURNAL
}; // the last is chosen by where it goes
enum mp_log_target { MP_LOG_STDERR, MP_LOG_SYSLOG, MP_LOG_SYSTEMD };

// Facts that are written whatever the level says (but OFF), because somebody asked for them by name.
enum { MP_LOG_CONNECTIONS = 1, MP_LOG_REQUESTS = 2, MP_LOG_ERRORS = 4, MP_LOG_SLOW = 8 };

struct mp_log {
	int level;                        // lines above it are dropped; changeable at any time, as all of this
	uint8_t format;                   // enum mp_log_format
	uint8_t to;                       // enum mp_log_target, without a sink
	uint8_t wanted;                   // MP_LOG_CONNECTIONS ...
	bool stamped;                     // lines begin with their time, if there is a clock
	uint64_t (*wall_us)(void *clock); // microseconds since 1970; NULL: there is none
	void *clock;
	// `line` has no newline and is valid during the call only. NULL sink: stderr.
	void (*sink)(void *data, enum mp_log_level level, const char *line);
	void *data;
};

struct mp_log_field {
	const char *name;
	const char *text; // NULL: the number
	double number;
};

void mp_log_init(struct mp_log *log);
bool mp_log_on(const struct mp_log *log, enum mp_log_level level);
bool mp_log_wants(const struct mp_log *log, enum mp_log_level level, unsigned what); // a fact of this kind
void mp_log_write(const struct mp_log *log, enum mp_log_level level, const char *format, ...) MP_PRINTF(3, 4);
// Without a look at the level: for who has asked mp_log_wants(). The sentence is for readers of text; at most
// MP_LOG_FIELDS fields.
#define MP_LOG_FIELDS 8
void mp_log_fact(const struct mp_log *log, enum mp_log_level level, const char *event,
                 const struct mp_log_field *fields, size_t count, const char *format, ...) MP_PRINTF(6, 7);
// log_print.c: what a log without a sink does with a line, its end included: the standard error gets it, if it takes it
// at once.
void mp_log_print(const char *line);
// log_send.c: false: there is no such daemon, or it does not take it at once.
bool mp_log_send(enum mp_log_target to, enum mp_log_level level, const char *line) MP_MUST_CHECK;
const char *mp_log_level_name(enum mp_log_level level);            // "error", "warn", "info", "debug"
int mp_log_level_from(const char *name, int *level) MP_MUST_CHECK; // "off" too; MP_EINVAL when unknown

// At most one line per `every_ms` of one kind; the line that gets through says how many were held back.
struct mp_log_gate {
	uint64_t next_ms;
	uint64_t held;
};
bool mp_log_gate_open(struct mp_log_gate *gate, uint64_t now_ms, uint64_t every_ms, uint64_t *held);
