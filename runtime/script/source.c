// SPDX-License-Identifier: Apache-2.0
// Opened without blocking and looked at through the descriptor, so a pipe put in the place of a policy is
// told apart before anything is read from it.
#include "script/source.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

static int refuse(char *message, size_t size, int rc, const char *path, const char *why)
{
	snprintf(message, size, "%s: %s", path, why);
	return rc;
}

static int read_all(int fd, const char *path, size_t max_bytes, struct mp_buf *text, char *message,
                    size_t size)
{
	for (;;) {
		uint8_t *room = mp_buf_reserve(text, 16384);
		if (room == NULL)
			return refuse(message, size, MP_ENOMEM, path, "out of memory");
		ssize_t got = read(fd, room, 16384);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return refuse(message, size, MP_EINVAL, path, strerror(errno));
		if (got == 0)
			return 0;
		text->len += (size_t)got;
		if (text->len > max_bytes)
			return refuse(message, size, MP_ETOOBIG, path, "the file is too big");
	}
}

static int check_text(const char *path, struct mp_buf *text, char *message, size_t size)
{
	if (text->len > 0 && text->data[0] == 0x1b)
		return refuse(message, size, MP_EINVAL, path, "this is bytecode, not Lua source text");
	if (text->len > 0 && memchr(text->data, 0, text->len) != NULL)
		return refuse(message, size, MP_EINVAL, path, "this is not text");
	mp_buf_u8(text, 0);
	if (mp_buf_status(text) != 0)
		return refuse(message, size, MP_ENOMEM, path, "out of memory");
	text->len--;
	return 0;
}

int mp_source_read(const char *path, size_t max_bytes, struct mp_buf *text, char *message,
                   size_t message_size)
{
	mp_buf_clear(text);
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return refuse(message, message_size, errno == ENOENT ? MP_ENOTFOUND : MP_EINVAL, path,
		              strerror(errno));
	struct stat info;
	int rc = 0;
	if (fstat(fd, &info) != 0)
		rc = refuse(message, message_size, MP_EINVAL, path, strerror(errno));
	else if (!S_ISREG(info.st_mode))
		rc = refuse(message, message_size, MP_EINVAL, path, "this is not a regular file");
	else if ((uint64_t)info.st_size > max_bytes)
		rc = refuse(message, message_size, MP_ETOOBIG, path, "the file is too big");
	if (rc == 0)
		rc = read_all(fd, path, max_bytes, text, message, message_size);
	close(fd);
	return rc != 0 ? rc : check_text(path, text, message, message_size);
}

void mp_source_snake(const char *name, char *snake, size_t size)
{
	size_t len = strlen(name);
	if (len > 6 && strcmp(name + len - 6, "Policy") == 0)
		len -= 6;
	size_t out = 0;
	for (size_t i = 0; i < len && out + 2 < size; i++) {
		unsigned char c = (unsigned char)name[i];
		unsigned char before = i > 0 ? (unsigned char)name[i - 1] : 0;
		unsigned char after = i + 1 < len ? (unsigned char)name[i + 1] : 0;
		// A word begins where a capital follows a small letter, and at the last capital of a run.
		if (isupper(c) && i > 0 &&
		    (islower(before) || isdigit(before) || (isupper(before) && islower(after))))
			snake[out++] = '_';
		snake[out++] = isalnum(c) ? (char)tolower(c) : '_';
	}
	snake[out] = '\0';
}

static bool is_path(const char *name)
{
	size_t len = strlen(name);
	return strchr(name, '/') != NULL || (len > 4 && strcmp(name + len - 4, ".lua") == 0);
}

static bool exists(char *path, size_t size, const char *folder, const char *file)
{
	int len = snprintf(path, size, "%s/%s.lua", folder, file);
	return len > 0 && (size_t)len < size && access(path, F_OK) == 0;
}

// Is there a line `name = "NAME"` in the text?
static bool declares(const char *text, const char *name)
{
	size_t len = strlen(name);
	for (const char *at = strstr(text, "name"); at != NULL; at = strstr(at + 4, "name")) {
		const char *pos = at + 4;
		pos += strspn(pos, " \t");
		if (*pos++ != '=')
			continue;
		pos += strspn(pos, " \t");
		char quote = *pos;
		if ((quote == '"' || quote == '\'') && strncmp(pos + 1, name, len) == 0 && pos[1 + len] == quote)
			return true;
	}
	return false;
}

static bool declared_in(char *path, size_t size, const char *folder, const char *name)
{
	DIR *dir = opendir(folder);
	if (dir == NULL)
		return false;
	struct mp_buf text;
	mp_buf_init(&text);
	bool found = false;
	for (struct dirent *entry = readdir(dir); entry != NULL && !found; entry = readdir(dir)) {
		size_t len = strlen(entry->d_name);
		char message[16];
		if (len < 5 || strcmp(entry->d_name + len - 4, ".lua") != 0)
			continue;
		int written = snprintf(path, size, "%s/%s", folder, entry->d_name);
		found = written > 0 && (size_t)written < size &&
		        mp_source_read(path, MP_SOURCE_MAX_BYTES, &text, message, sizeof(message)) == 0 &&
		        declares((const char *)text.data, name);
	}
	mp_buf_deinit(&text);
	closedir(dir);
	return found;
}

static bool find_in(const char *folder, const char *name, const char *snake, char *path, size_t size)
{
	return exists(path, size, folder, snake) || exists(path, size, folder, name) ||
	       declared_in(path, size, folder, name);
}

// "DefaultRetryPolicy" is retry/default.lua, "ConstantReconnectionPolicy" reconnect/constant.lua: the folder says what
// is asked already.
static void cut_question(char *snake, const char *folder)
{
	static const struct {
		const char *folder, *tail;
	} questions[] = {
		{"balance", "_load_balancing"},
		{"reconnect", "_reconnection"},
		{"speculate", "_speculative_execution"},
	};
	char own[32];
	snprintf(own, sizeof(own), "_%s", folder);
	const char *tails[] = {own, NULL};
	for (size_t i = 0; i < MP_ARRAY_LEN(questions); i++)
		if (strcmp(questions[i].folder, folder) == 0)
			tails[1] = questions[i].tail;
	size_t len = strlen(snake);
	for (size_t i = 0; i < MP_ARRAY_LEN(tails) && tails[i] != NULL; i++) {
		size_t tail = strlen(tails[i]);
		if (len > tail && strcmp(snake + len - tail, tails[i]) == 0) {
			snake[len - tail] = '\0';
			return;
		}
	}
}

int mp_source_find(const struct mp_source_path *where, const char *folder, const char *name, char *path,
                   size_t path_size, char *message, size_t message_size)
{
	if (is_path(name)) {
		int len = snprintf(path, path_size, "%s", name);
		if (len > 0 && (size_t)len < path_size && access(path, F_OK) == 0)
			return 0;
		return refuse(message, message_size, MP_ENOTFOUND, name, "there is no such file");
	}
	char snake[128];
	mp_source_snake(name, snake, sizeof(snake));
	cut_question(snake, folder);
	char in[PATH_MAX];
	struct mp_buf looked;
	mp_buf_init(&looked);
	bool found = false;
	for (size_t i = 0; i < where->path_count && !found; i++) {
		snprintf(in, sizeof(in), "%s/%s", where->paths[i], folder);
		found = find_in(where->paths[i], name, snake, path, path_size) ||
		        find_in(in, name, snake, path, path_size);
		mp_buf_printf(&looked, "%s, ", where->paths[i]);
	}
	snprintf(in, sizeof(in), "%s/policies/%s", where->home, folder);
	if (!found)
		found = find_in(in, name, snake, path, path_size);
	mp_buf_printf(&looked, "%s", in);
	mp_buf_u8(&looked, 0);
	if (!found)
		snprintf(message, message_size, "there is no %s policy \"%s\": looked for %s.lua in %s", folder, name,
		         snake, mp_buf_status(&looked) == 0 ? (const char *)looked.data : in);
	mp_buf_deinit(&looked);
	return found ? 0 : MP_ENOTFOUND;
}
