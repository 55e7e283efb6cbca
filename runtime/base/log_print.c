// SPDX-License-Identifier: Apache-2.0
// Lines to the standard error, without ever waiting for whoever reads them: a pipe that nobody empties, a terminal that
// was stopped or a full disk costs lines, never a turn of the loop. How many is told as soon as there is room again.
//
// The descriptor is shared with the program and with other processes, so its flags are not ours to change: a socket
// is asked not to wait, everything else whether it has room for a page, which is what one write of ours is at most.
// That no line fits is a fact about the descriptor, of which a process has one: hence the state without an object.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define PAGE 4096u // a pipe that has room has room for so much

static _Thread_local uint64_t lost;
static _Thread_local bool torn; // the last line is not whole

static ptrdiff_t offer(int fd, const char *bytes, size_t len)
{
	ptrdiff_t taken = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (taken >= 0 || errno != ENOTSOCK)
		return taken;
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	if (poll(&ready, 1, 0) != 1 || (ready.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
		return -1;
	return write(fd, bytes, len);
}

// False: only a part of it, or nothing.
static bool put(int fd, const char *bytes, size_t len)
{
	size_t done = 0;
	while (done < len) {
		size_t piece = len - done < PAGE ? len - done : PAGE;
		ptrdiff_t taken = offer(fd, bytes + done, piece);
		if (taken <= 0 && errno != EINTR)
			break;
		done += taken > 0 ? (size_t)taken : 0;
	}
	torn = done > 0 ? bytes[done - 1] != '\n' : torn;
	return done == len;
}

static bool catch_up(int fd)
{
	if (torn && !put(fd, "\n", 1))
		return false;
	if (lost == 0)
		return true;
	char text[80];
	int len = snprintf(text, sizeof(text), "moonpool warn: %llu lines were lost: nobody took them\n",
	                   (unsigned long long)lost);
	if (!put(fd, text, (size_t)len))
		return false;
	lost = 0;
	return true;
}

void mp_log_print(const char *line)
{
	int fd = fileno(stderr), before = errno;
	if (!catch_up(fd) || !put(fd, line, strlen(line)))
		lost++;
	errno = before;
}
