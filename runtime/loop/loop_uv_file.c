// SPDX-License-Identifier: Apache-2.0
// Files that change, of the libuv body. A file that is replaced by rename is a new file, so the directory is
// watched: the one that holds the name, and, where the name is a symbolic link, the one that holds its
// target. An event that names the file is a change; after any other event (a link on the way was swapped) the
// file's identity, size and times are compared. Changes are told 20 ms after the first event.
#include "loop/loop_uv.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/mem.h"

#define SETTLE_MS 20
#define RETRY_MS  1000 // a directory that went away is looked for again

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
	char name[NAME_MAX + 1]; // of the file in it
	char path[PATH_MAX];     // empty: none
};

struct uv_watch {
	struct mp_watch base;
	struct mp_timer settle;
	struct file_mark mark;
	bool named; // an event named the file since the last call
	unsigned handles_open;
	struct watched_dir dirs[2]; // of the name, of a symbolic link's target
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
static bool split(const char *path, struct watched_dir *dir)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	size_t dir_len = slash == NULL ? 0 : (size_t)(slash - path);
	size_t name_len = strlen(name);
	if (name_len == 0 || name_len > NAME_MAX || dir_len >= PATH_MAX)
		return false;
	memcpy(dir->name, name, name_len + 1);
	if (slash == NULL) {
		memcpy(dir->path, ".", 2);
	} else if (dir_len == 0) {
		memcpy(dir->path, "/", 2);
	} else {
		memcpy(dir->path, path, dir_len);
		dir->path[dir_len] = '\0';
	}
	return true;
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status);

// Watch dir->path, unless that very directory is watched already. True when it is watched then.
static bool attach(struct watched_dir *dir)
{
	struct stat st;
	bool there = dir->path[0] != '\0' && stat(dir->path, &st) == 0 && S_ISDIR(st.st_mode);
	if (dir->active && there && dir->device == st.st_dev && dir->inode == st.st_ino)
		return true;
	if (dir->active)
		uv_fs_event_stop(&dir->event);
	dir->active = there && uv_fs_event_start(&dir->event, on_event, dir->path, 0) == 0;
	if (dir->active) {
		dir->device = st.st_dev;
		dir->inode = st.st_ino;
		uv_unref((uv_handle_t *)&dir->event);
	}
	return dir->active;
}

// Follow the links of the path as they are now.
static bool attach_all(struct uv_watch *self)
{
	struct watched_dir *target = &self->dirs[1];
	char real[PATH_MAX];
	if (realpath(self->path, real) == NULL || !split(real, target))
		target->path[0] = '\0';
	bool watched = attach(&self->dirs[0]);
	attach(target);
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
	mp_loop_stamp(dir->watch->base.loop);
	if (status == 0 && (name == NULL || strcmp(name, dir->name) == 0))
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
	size_t len = strnlen(path, PATH_MAX);
	if (len >= PATH_MAX || !split(path, &self->dirs[0])) {
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
		*err = stat(self->dirs[0].path, &st) == 0 && S_ISDIR(st.st_mode) ? MP_ELOCAL : MP_ENOTFOUND;
		close_dirs(self);
		return NULL;
	}
	self->mark = mark_of(self->path);
	return &self->base;
}

void mp_uv_unwatch(struct mp_watch *watch)
{
	struct uv_watch *self = MP_CONTAINER_OF(watch, struct uv_watch, base);
	mp_timer_stop(&self->settle);
	close_dirs(self);
}
