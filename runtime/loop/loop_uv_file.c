// SPDX-License-Identifier: Apache-2.0
// Files that change, of the libuv body. A file that is replaced by rename is a new file, so the directory is
// watched: the one that holds the name, and, where the name is a symbolic link, the one that holds its
// target; and where a folder on the way is a link ("current/pool.lua"), the one that holds that link. An event
// that names the file or such a link is a change; after any other event (a link on the way was swapped) the
// file's identity, size and times are compared. Changes are told 20 ms after the first event.
#include "loop/loop_uv.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/descriptor.h"
#include "base/err.h"
#include "base/mem.h"

#define SETTLE_MS 20
#define RETRY_MS  1000 // a directory that went away is looked for again
#define LINKS_MAX 4    // folders on the way that are links
#define DIRS      (2 + LINKS_MAX)

// What tells two states of a file apart; all zero when there is none.
struct file_mark {
	uint64_t device;
	uint64_t inode;
	int64_t size;
	struct timespec modified;
	struct timespec changed;
};

struct watched_dir {
	uv_fs_event_t event;
	struct uv_watch *watch;
	uint64_t device;
	uint64_t inode;
	bool active;
	bool only_name;          // nothing else in it matters
	char name[NAME_MAX + 1]; // of the file or link in it
};

struct uv_watch {
	struct mp_watch base;
	struct mp_uv_held held;
	struct mp_timer settle;
	struct file_mark mark;
	bool named; // an event named the file since the last call
	unsigned handles_open;
	struct watched_dir dirs[DIRS]; // of the name, of a symbolic link's target, of links on the way
	char path[PATH_MAX];
};

static struct file_mark mark_of(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return (struct file_mark){0};
	return (struct file_mark){
		.device = st.st_dev,
		.inode = st.st_ino,
		.size = st.st_size,
		.modified = st.st_mtim,
		.changed = st.st_ctim,
	};
}

static bool same_mark(const struct file_mark *a, const struct file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

// Splits "dir/name". False when it is too long or names nothing.
static bool split(const char *path, struct watched_dir *dir, char folder[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	size_t dir_len = slash == NULL ? 0 : (size_t)(slash - path);
	size_t name_len = strlen(name);
	if (name_len == 0 || name_len > NAME_MAX || dir_len >= PATH_MAX)
		return false;
	memcpy(dir->name, name, name_len + 1);
	if (slash == NULL) {
		memcpy(folder, ".", 2);
	} else if (dir_len == 0) {
		memcpy(folder, "/", 2);
	} else {
		memcpy(folder, path, dir_len);
		folder[dir_len] = '\0';
	}
	return true;
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status);

// Watch that directory (NULL: none), unless it is watched already. True when it is watched then.
static bool attach(struct watched_dir *dir, const char *path)
{
	struct stat st;
	bool there = path != NULL && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	if (dir->active && there && dir->device == st.st_dev && dir->inode == st.st_ino)
		return true;
	if (dir->active)
		uv_fs_event_stop(&dir->event);
	dir->active = there && uv_fs_event_start(&dir->event, on_event, path, 0) == 0;
	if (dir->active) {
		dir->device = st.st_dev;
		dir->inode = st.st_ino;
		uv_unref((uv_handle_t *)&dir->event);
	}
	return dir->active;
}

static bool is_link(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

// The folders on the way that are links: each is watched where it stands.
static void attach_links(struct uv_watch *self)
{
	char part[PATH_MAX], folder[PATH_MAX];
	size_t next = 2;
	for (const char *at = strchr(self->path + 1, '/'); at != NULL && next < DIRS; at = strchr(at + 1, '/')) {
		size_t len = (size_t)(at - self->path);
		memcpy(part, self->path, len);
		part[len] = '\0';
		if (!is_link(part) || !split(part, &self->dirs[next], folder))
			continue;
		self->dirs[next].only_name = true;
		attach(&self->dirs[next++], folder);
	}
	for (; next < DIRS; next++)
		attach(&self->dirs[next], NULL);
}

// Follow the links of the path as they are now.
static bool attach_all(struct uv_watch *self)
{
	char real[PATH_MAX], folder[PATH_MAX];
	bool watched = split(self->path, &self->dirs[0], folder) && attach(&self->dirs[0], folder);
	bool has_target = realpath(self->path, real) != NULL && split(real, &self->dirs[1], folder);
	attach(&self->dirs[1], has_target ? folder : NULL);
	attach_links(self);
	return watched;
}

static void settle_in(struct uv_watch *self, uint64_t delay_ms)
{
	// Without memory for the timer the change is not lost but found with the next event.
	if (!mp_timer_active(&self->settle))
		(void)!mp_timer_start_ms(&self->settle, delay_ms);
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
	(void)events;
	struct watched_dir *dir = event->data;
	if (mp_loop_is_forked(dir->watch->base.loop))
		return;
	mp_loop_stamp(dir->watch->base.loop);
	bool named = status == 0 && (name == NULL || strcmp(name, dir->name) == 0);
	if (dir->only_name && !named)
		return;
	if (named)
		dir->watch->named = true;
	settle_in(dir->watch, SETTLE_MS);
}

static void on_settled(void *data)
{
	struct uv_watch *self = data;
	if (!attach_all(self))
		settle_in(self, RETRY_MS);
	struct file_mark mark = mark_of(self->path);
	bool changed = self->named || !same_mark(&mark, &self->mark);
	self->mark = mark;
	self->named = false;
	if (changed)
		self->base.on_change(self->base.data);
}

static void on_dir_closed(uv_handle_t *handle)
{
	struct watched_dir *dir = handle->data;
	struct uv_watch *self = dir->watch;
	if (--self->handles_open == 0)
		mp_free(self);
}

static void leave(struct mp_uv_held *held)
{
	struct uv_watch *self = MP_CONTAINER_OF(held, struct uv_watch, held);
	for (size_t i = 0; i < MP_ARRAY_LEN(self->dirs); i++)
		uv_close((uv_handle_t *)&self->dirs[i].event, NULL);
}

static void close_dirs(struct uv_watch *self)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(self->dirs); i++)
		uv_close((uv_handle_t *)&self->dirs[i].event, on_dir_closed);
}

struct mp_watch *mp_uv_watch(struct mp_loop *loop, const char *path, int *err)
{
	struct uv_watch *self = mp_calloc(1, sizeof(*self));
	if (self == NULL) {
		*err = MP_ENOMEM;
		return NULL;
	}
	mp_descriptor_fill_standard(); // libuv opens its own for the first
	size_t len = strnlen(path, PATH_MAX);
	char folder[PATH_MAX];
	if (len == 0 || len >= PATH_MAX || !split(path, &self->dirs[0], folder)) {
		mp_free(self);
		*err = MP_EINVAL;
		return NULL;
	}
	memcpy(self->path, path, len + 1);
	self->base.loop = loop;
	mp_timer_init(&self->settle, loop, on_settled, self);
	for (size_t i = 0; i < MP_ARRAY_LEN(self->dirs); i++) {
		struct watched_dir *dir = &self->dirs[i];
		int rc = uv_fs_event_init(mp_loop_uv_of(loop)->uv, &dir->event);
		mp_assert(rc == 0);
		uv_unref((uv_handle_t *)&dir->event);
		dir->event.data = dir;
		dir->watch = self;
		self->handles_open++;
	}
	if (!attach_all(self)) {
		struct stat st;
		*err = stat(folder, &st) == 0 && S_ISDIR(st.st_mode) ? MP_ELOCAL : MP_ENOTFOUND;
		close_dirs(self);
		return NULL;
	}
	self->mark = mark_of(self->path);
	mp_uv_hold(loop, &self->held, leave);
	return &self->base;
}

void mp_uv_unwatch(struct mp_watch *watch)
{
	struct uv_watch *self = MP_CONTAINER_OF(watch, struct uv_watch, base);
	mp_uv_drop(watch->loop, &self->held);
	mp_timer_stop(&self->settle);
	close_dirs(self);
}
