// SPDX-License-Identifier: Apache-2.0
// What a log line looks like: a sentence, logfmt, or JSON. Pure: text in, text out.
#pragma once

#include "base/log.h"

#define MP_LOG_SENTENCE 2048 // bytes of a sentence that a line holds, with its end
#define MP_LOG_VALUE    384  // the same of a field
#define MP_LOG_BEYOND   512  // more of either is looked at for secrets

struct mp_log_line {
	enum mp_log_format format;
	enum mp_log_level level;
	uint64_t wall_us;  // 0: without a time
	const char *event; // NULL: it is only a sentence
	const struct mp_log_field *fields;
	size_t count;
	const char *sentence;
};

#define MP_LOG_LINE_MAX 12288
// Never more than that, whole in its format, on one line, with control characters blanked and without what has the
// shape of a secret.
void mp_log_line_write(const struct mp_log_line *line, char out[MP_LOG_LINE_MAX]);
