// SPDX-License-Identifier: Apache-2.0
// A file that lines are added to, and a few older ones beside it: log, log.1, log.2, log.3. Each is a quarter of what
// may be kept; a full one is renamed, and the oldest goes.
//
// Invariant: a call adds whole lines or, without room on the disk, a part that the next reader can tell by its missing
// end. Processes may share a file (workers of nginx do): each looks whether its descriptor is still the file of that
// name, and only the one that holds its lock renames it.
#pragma once

#include "base/defs.h"
#include "base/log.h"

enum { MP_DECISION_FILES = 4 };

struct mp_decision_file {
	char *path; // NULL: there is none
	uint64_t keep_bytes;
	int fd; // -1: closed
	struct mp_log_gate gate;
};

void mp_decision_file_init(struct mp_decision_file *file);
int mp_decision_file_open(struct mp_decision_file *file, const char *path, uint64_t keep_bytes,
                          const struct mp_log *log, uint64_t now_ms) MP_MUST_CHECK; // 0 or MP_ENOMEM
void mp_decision_file_close(struct mp_decision_file *file);
// 0 or MP_ELOCAL, which is logged at most once in a while.
int mp_decision_file_add(struct mp_decision_file *file, const void *lines, size_t len,
                         const struct mp_log *log, uint64_t now_ms);
