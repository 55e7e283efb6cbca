// SPDX-License-Identifier: Apache-2.0
// Opened without blocking and looked at through the descriptor, so a pipe put in the place of a policy is
// told apart before anything is read from it.
#include "policy/source.h"

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
#include "base/text/nearest.h"

static int refuse(char *message, size_t size, int rc, const char *path, const char *why)
{
	snprintf(message, size, "%s: %s", path, why);
	return rc;
}

static int refuse_size(char *message, size_t size, const char *path, size_t max_bytes)
{
	snprintf(message, size, "%s: the file is too big: more than %zu KiB", path, max_bytes >> 10);
	return MP_ETOOBIG;
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
			return refuse_size(message, size, path, max_bytes);
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
		rc = refuse_size(message, message_size, path, max_bytes);
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

// The next NAME of a line `name = "NAME"` behind *at; data NULL: there is no more.
static struct mp_str next_declared(const char **at)
{
	while ((*at = strstr(*at, "name")) != NULL) {
		const char *pos = *at += 4;
		pos += strspn(pos, " \t");
		if (*pos++ != '=')
			continue;
		pos += strspn(pos, " \t");
		const char *end = *pos == '"' || *pos == '\'' ? strchr(pos + 1, *pos) : NULL;
		if (end != NULL)
			return (struct mp_str){pos + 1, (size_t)(end - pos - 1)};
	}
	return (struct mp_str){NULL, 0};
}

static bool declares(const char *text, const char *name)
{
	for (struct mp_str found = next_declared(&text); found.data != NULL; found = next_declared(&text))
		if (mp_str_is(found, name))
			return true;
	return false;
}

// Each Lua file of a folder, until `on_file` is content with one, whose path is then in `path`.
static bool each_file(char *path, size_t size, const char *folder,
                      bool (*on_file)(void *data, const char *text), void *data)
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
		        mp_source_read(path, MP_SOURCE_POLICY_MAX, &text, message, sizeof(message)) == 0 &&
		        on_file(data, (const char *)text.data);
	}
	mp_buf_deinit(&text);
	closedir(dir);
	return found;
}

static bool has_name(void *data, const char *text)
{
	return declares(text, data);
}

static bool declared_in(char *path, size_t size, const char *folder, const char *name)
{
	return each_file(path, size, folder, has_name, (void *)(uintptr_t)name);
}

static bool find_in(const char *folder, const char *name, const char *snake, char *path, size_t size)
{
	return exists(path, size, folder, snake) || exists(path, size, folder, name) ||
	       declared_in(path, size, folder, name);
}

// "DefaultRetryPolicy" is retry/default.lua, "ConstantReconnectionPolicy" reconnect/constant.lua: the folder says what
// is asked already.
static void cut_question(char *snake, const char *folder, const char *tail_word)
{
	char own[32], other[32] = "";
	snprintf(own, sizeof(own), "_%s", folder);
	if (tail_word != NULL)
		snprintf(other, sizeof(other), "_%s", tail_word);
	const char *tails[] = {own, other};
	size_t len = strlen(snake);
	for (size_t i = 0; i < MP_ARRAY_LEN(tails) && tails[i][0] != '\0'; i++) {
		size_t tail = strlen(tails[i]);
		if (len > tail && strcmp(snake + len - tail, tails[i]) == 0) {
			snake[len - tail] = '\0';
			return;
		}
	}
}

// ---- a name that is none ----------------------------------------------------------------------------------

#define KNOWN_MOST 48

struct known {
	char names[KNOWN_MOST][64];
	const char *list[KNOWN_MOST];
	size_t count;
};

// The first name of a policy's file is its own; in order, because folders have none.
static bool note_name(void *data, const char *text)
{
	struct known *known = data;
	struct mp_str name = next_declared(&text);
	if (name.data == NULL || name.len == 0 || name.len >= sizeof(known->names[0]) ||
	    known->count == KNOWN_MOST)
		return false;
	char *own = known->names[known->count];
	memcpy(own, name.data, name.len);
	own[name.len] = '\0';
	size_t place = known->count++;
	for (; place > 0 && strcmp(known->list[place - 1], own) > 0; place--)
		known->list[place] = known->list[place - 1];
	known->list[place] = own;
	return false;
}

static void tell_unknown(const struct mp_source_path *where, const char *folder, const char *name,
                         const char *snake, char *message, size_t size)
{
	char path[PATH_MAX], in[PATH_MAX];
	struct known known = {.count = 0};
	int used =
		snprintf(message, size, "there is no %s policy \"%s\": looked for %s.lua in ", folder, name, snake);
	for (size_t i = 0; i <= where->path_count; i++) {
		bool last = i == where->path_count;
		const char *root = last ? where->home : where->paths[i];
		snprintf(in, sizeof(in), last ? "%s/policies/%s" : "%s/%s", root, folder);
		each_file(path, sizeof(path), in, note_name, &known);
		if (used >= 0 && (size_t)used < size)
			used += snprintf(message + used, size - (size_t)used, "%s%s", last ? in : root, last ? "" : ", ");
	}
	mp_nearest_tell(message, size, mp_str_of(name), known.list, known.count);
}

int mp_source_find(const struct mp_source_path *where, const char *folder, const char *tail, const char *name,
                   char *path, size_t path_size, char *message, size_t message_size)
{
	if (is_path(name)) {
		int len = snprintf(path, path_size, "%s", name);
		if (len > 0 && (size_t)len < path_size && access(path, F_OK) == 0)
			return 0;
		return refuse(message, message_size, MP_ENOTFOUND, name, "there is no such file");
	}
	char snake[128];
	mp_source_snake(name, snake, sizeof(snake));
	cut_question(snake, folder, tail);
	char in[PATH_MAX];
	bool found = false;
	for (size_t i = 0; i < where->path_count && !found; i++) {
		snprintf(in, sizeof(in), "%s/%s", where->paths[i], folder);
		found = find_in(where->paths[i], name, snake, path, path_size) ||
		        find_in(in, name, snake, path, path_size);
	}
	snprintf(in, sizeof(in), "%s/policies/%s", where->home, folder);
	if (found || find_in(in, name, snake, path, path_size))
		return 0;
	tell_unknown(where, folder, name, snake, message, message_size);
	return MP_ENOTFOUND;
}
