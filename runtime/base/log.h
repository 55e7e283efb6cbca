// SPDX-License-Identifier: Apache-2.0
// Levelled log lines with one sink. Never a secret, never a bound value. A line is formatted only if its level is on.
#pragma once

#include "base/defs.h"

enum mp_log_level { MP_LOG_ERROR, MP_LOG_WARN, MP_LOG_INFO, MP_LOG_DEBUG, MP_LOG_OFF = -1 };

struct mp_log {
	int level; // lines above it are dropped; changeable at any time
	// `line` has no newline and is valid during the call only. NULL sink: stderr.
	void (*sink)(void *data, enum mp_log_level level, const char *line);
	void *data;
};

void mp_log_init(struct mp_log *log);
bool mp_log_on(const struct mp_log *log, enum mp_log_level level);
void mp_log_write(const struct mp_log *log, enum mp_log_level level, const char *format, ...) MP_PRINTF(3, 4);
const char *mp_log_level_name(enum mp_log_level level);            // "error", "warn", "info", "debug"
int mp_log_level_from(const char *name, int *level) MP_MUST_CHECK; // "off" too; MP_EINVAL when unknown

// At most one line per `every_ms` of one kind; the line that gets through says how many were held back.
struct mp_log_gate {
	uint64_t next_ms;
	uint64_t held;
};
bool mp_log_gate_open(struct mp_log_gate *gate, uint64_t now_ms, uint64_t every_ms, uint64_t *held);
