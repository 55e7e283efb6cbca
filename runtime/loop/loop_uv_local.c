// SPDX-License-Identifier: Apache-2.0
// Sockets at a path of the file system, of the libuv body: who may listen there, and who is asked. A path is taken over
// only from a process that is gone, which is found by knocking; two that start at once are kept apart by a lock on the
// folder. Nobody but this user can connect (the socket has mode 0600), nobody else is let in if that mode was changed
// (the kernel says who a peer is), and nobody else's socket is spoken to.
#include "loop/loop_uv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/err.h"

#define LOCK_TRIES 20
#define LOCK_MS    10

static int error_of(int code)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR: return MP_ENOTFOUND;
	case EACCES:
	case EPERM: return MP_EAUTH;
	case ECONNREFUSED: return MP_EREFUSED;
	default: return MP_ELOCAL;
	}
}

static int address_of(const char *path, struct sockaddr_un *at)
{
	*at = (struct sockaddr_un){.sun_family = AF_UNIX};
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof(at->sun_path))
		return MP_ETOOBIG;
	memcpy(at->sun_path, path, len + 1);
	return 0;
}

static int open_socket(void)
{
	return mp_descriptor_raise(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// -1: no lock; then a second process that starts this very moment may win.
static int lock_folder(const char *path)
{
	char folder[PATH_MAX] = ".";
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
	if (slash != NULL && len < sizeof(folder)) {
		memcpy(folder, path, len);
		folder[len] = '\0';
	}
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = LOCK_MS * 1000000}, NULL);
	return fd;
}

// What stands at the path is removed if it is a socket where nobody listens any more.
static int remove_stale(const char *path, const struct sockaddr_un *at)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : error_of(errno);
	if (!S_ISSOCK(st.st_mode))
		return MP_EINVAL;
	int fd = open_socket();
	if (fd < 0)
		return MP_ELOCAL;
	int code = connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 ? 0 : errno;
	close(fd);
	if (code == 0 || code == EAGAIN)
		return MP_EBUSY;
	if (code != ECONNREFUSED)
		return error_of(code);
	return unlink(path) == 0 || errno == ENOENT ? 0 : error_of(errno);
}

static int bind_private(int fd, const struct sockaddr_un *at)
{
	mode_t before = umask(S_IRWXG | S_IRWXO | S_IXUSR);
	int code = bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 ? 0 : errno;
	umask(before);
	return code;
}

int mp_uv_local_listen(const char *path, int *err)
{
	struct sockaddr_un at;
	*err = address_of(path, &at);
	if (*err != 0)
		return -1;
	int fd = open_socket();
	if (fd < 0) {
		*err = MP_ELOCAL;
		return -1;
	}
	int lock = lock_folder(path);
	*err = remove_stale(path, &at);
	if (*err == 0) {
		int code = bind_private(fd, &at);
		*err = code == 0 ? 0 : code == EADDRINUSE ? MP_EBUSY : error_of(code);
	}
	if (*err == 0 && listen(fd, SOMAXCONN) != 0)
		*err = MP_ELOCAL;
	if (lock >= 0)
		close(lock);
	if (*err != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool mp_uv_local_is_ours(int fd, uint32_t *user)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0;
	*user = known ? peer.uid : UINT32_MAX;
	return known && (peer.uid == geteuid() || peer.uid == 0);
}

int mp_uv_local_connect(const char *path, int *err)
{
	struct sockaddr_un to;
	*err = address_of(path, &to);
	if (*err != 0)
		return -1;
	int fd = open_socket();
	uint32_t user;
	if (fd < 0)
		*err = MP_ELOCAL;
	else if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		*err = error_of(errno);
	// A process of somebody else that was quicker with a name in /tmp must not be told anything.
	else if (!mp_uv_local_is_ours(fd, &user))
		*err = MP_EAUTH;
	if (*err != 0 && fd >= 0)
		close(fd);
	return *err == 0 ? fd : -1;
}

void mp_uv_local_mark(const char *path, uint64_t *device, uint64_t *inode)
{
	struct stat st;
	bool there = lstat(path, &st) == 0;
	*device = there ? st.st_dev : 0;
	*inode = there ? st.st_ino : 0;
}

void mp_uv_local_remove(const char *path, uint64_t device, uint64_t inode)
{
	struct stat st;
	if (lstat(path, &st) == 0 && st.st_dev == device && st.st_ino == inode)
		(void)unlink(path);
}
