// SPDX-License-Identifier: Apache-2.0
// Programs that are run for us, of the libuv body. What a program reads, prints and complains is one stream socket, so
// that nothing but a socket has to be watched; its end is looked for, never waited for, and no signal handler is set:
// SIGCHLD belongs to the application.
#include "loop/loop_uv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/err.h"

extern char **environ;

// It leads a group of its own, has every signal as a program expects it, and no descriptor but the one of its stream.
static int spawn(const char *const argv[], int stream, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	if (posix_spawn_file_actions_init(&files) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&files);
		return ENOMEM;
	}
	int code = 0;
	for (int fd = 0; fd < 3 && code == 0; fd++)
		code = posix_spawn_file_actions_adddup2(&files, stream, fd);
	if (code == 0)
		code = posix_spawn_file_actions_addclosefrom_np(&files, 3);
	short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	if (code == 0)
		code = posix_spawnattr_setflags(&attributes, flags);
	(void)posix_spawnattr_setpgroup(&attributes, 0);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	if (code == 0)
		code = posix_spawn(pid, argv[0], &files, &attributes, (char *const *)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return code;
}

static int error_of(int code)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR: return MP_ENOTFOUND;
	case EACCES:
	case EPERM:
	case ENOEXEC: return MP_EAUTH;
	case E2BIG: return MP_ETOOBIG;
	default: return MP_ELOCAL;
	}
}

static bool set_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

struct mp_sock *mp_uv_spawn(struct mp_loop *loop, const char *const argv[], int32_t *pid, int *err)
{
	int ends[2];
	*err = MP_ELOCAL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
		return NULL;
	ends[0] = mp_descriptor_raise(ends[0]);
	ends[1] = mp_descriptor_raise(ends[1]);
	if (ends[0] < 0 || ends[1] < 0) {
		close(ends[0] < 0 ? ends[1] : ends[0]);
		return NULL;
	}
	// The program's end blocks, as programs expect of where they print.
	int code = set_blocking(ends[1]) ? 0 : errno;
	pid_t child = 0;
	if (code == 0)
		code = spawn(argv, ends[1], &child);
	close(ends[1]);
	if (code != 0) {
		close(ends[0]);
		*err = error_of(code);
		return NULL;
	}
	*pid = child;
	struct mp_sock *sock = mp_uv_sock_accepted(loop, ends[0]);
	if (sock == NULL) {
		mp_process_kill(child);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return sock;
}

void mp_process_kill(int32_t pid)
{
	(void)kill(-pid, SIGKILL);
	(void)kill(pid, SIGKILL); // it may not lead its group yet
}

bool mp_process_ended(int32_t pid, int *status, int *signal)
{
	int how = 0;
	pid_t got = waitpid(pid, &how, WNOHANG);
	*status = *signal = -1;
	if (got == 0 || (got < 0 && errno == EINTR))
		return false;
	if (got == pid && WIFEXITED(how))
		*status = WEXITSTATUS(how);
	else if (got == pid && WIFSIGNALED(how))
		*signal = WTERMSIG(how);
	return true; // also when somebody else took the news
}
