// SPDX-License-Identifier: Apache-2.0
#include "cluster/decisions/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define TELL_EVERY_MS 60000u

static void complain(struct mp_decision_file *file, const struct mp_log *log, uint64_t now_ms,
                     const char *why)
{
	uint64_t held;
	if (mp_log_gate_open(&file->gate, now_ms, TELL_EVERY_MS, &held))
		mp_log_write(log, MP_LOG_WARN, "decisionLog: %s: %s (%llu more since the last time)", file->path, why,
		             (unsigned long long)held);
}

static void close_fd(struct mp_decision_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

void mp_decision_file_init(struct mp_decision_file *file)
{
	*file = (struct mp_decision_file){.fd = -1};
}

void mp_decision_file_close(struct mp_decision_file *file)
{
	close_fd(file);
	mp_free(file->path);
	file->path = NULL;
}

// It may be anything by now: only a file is written to, and a pipe without a reader is not waited for.
static const char *open_fd(struct mp_decision_file *file)
{
	file->fd = open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (file->fd < 0)
		return strerror(errno);
	struct stat is;
	if (fstat(file->fd, &is) == 0 && S_ISREG(is.st_mode))
		return NULL;
	close_fd(file);
	return "it is no file";
}

int mp_decision_file_open(struct mp_decision_file *file, const char *path, uint64_t keep_bytes,
                          const struct mp_log *log, uint64_t now_ms)
{
	char *copy = mp_strdup(path);
	if (copy == NULL)
		return MP_ENOMEM;
	mp_decision_file_close(file);
	file->path = copy;
	file->keep_bytes = keep_bytes;
	const char *why = open_fd(file);
	if (why != NULL)
		complain(file, log, now_ms, why);
	return 0;
}

// Is the descriptor the file of that name still? Somebody may have renamed or removed it.
static bool is_current(const struct mp_decision_file *file, uint64_t *size)
{
	struct stat mine, named;
	if (fstat(file->fd, &mine) != 0 || stat(file->path, &named) != 0)
		return false;
	*size = (uint64_t)mine.st_size;
	return mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

// log.2 becomes log.3, log.1 becomes log.2, log becomes log.1.
static void shift(const struct mp_decision_file *file)
{
	char from[PATH_MAX], to[PATH_MAX];
	for (int i = MP_DECISION_FILES - 2; i >= 0; i--) {
		int len = i > 0 ? snprintf(from, sizeof(from), "%s.%d", file->path, i)
		                : snprintf(from, sizeof(from), "%s", file->path);
		if (len < 0 || (size_t)len + 2 >= sizeof(from))
			return;
		snprintf(to, sizeof(to), "%.*s.%d", (int)sizeof(to) - 16, file->path, i + 1);
		if (rename(from, to) != 0 && errno != ENOENT)
			return; // it goes on where it is
	}
}

// Room in the file of that name for `len` bytes more, in a fresh one if need be. NULL, or why there is none.
static const char *make_room(struct mp_decision_file *file, size_t len)
{
	uint64_t most = file->keep_bytes / MP_DECISION_FILES;
	for (int i = 0; i < 3; i++) {
		uint64_t size = 0;
		const char *why = file->fd < 0 ? open_fd(file) : NULL;
		if (why != NULL)
			return why;
		if (is_current(file, &size)) {
			if (size == 0 || size + len <= most)
				return NULL;
			if (flock(file->fd, LOCK_EX | LOCK_NB) != 0)
				return NULL; // somebody else is renaming it just now: these lines still go into it
			if (is_current(file, &size))
				shift(file);
		}
		close_fd(file); // and the lock
	}
	return NULL;
}

int mp_decision_file_add(struct mp_decision_file *file, const void *lines, size_t len,
                         const struct mp_log *log, uint64_t now_ms)
{
	const char *why = make_room(file, len);
	if (why == NULL && file->fd < 0)
		why = open_fd(file);
	const uint8_t *at = lines;
	while (why == NULL && len > 0) {
		ssize_t written = write(file->fd, at, len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			why = strerror(errno);
			break;
		}
		at += written;
		len -= (size_t)written;
	}
	if (why == NULL)
		return 0;
	complain(file, log, now_ms, why);
	return MP_ELOCAL;
}
