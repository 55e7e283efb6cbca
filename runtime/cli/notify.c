// SPDX-License-Identifier: Apache-2.0
#include "cli/notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/descriptor.h"

void mp_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	size_t len = path != NULL ? strlen(path) : 0;
	if (len < 2 || len >= sizeof(at.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(at.sun_path, path, len);
	if (path[0] == '@') // in the abstract namespace
		at.sun_path[0] = '\0';
	int fd = mp_descriptor_raise(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (fd < 0)
		return;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&at, size);
	(void)sent; // there is nobody to tell
	close(fd);
}

unsigned mp_notify_watchdog_ms(void)
{
	const char *text = getenv("WATCHDOG_USEC");
	const char *process = getenv("WATCHDOG_PID");
	if (text == NULL || (process != NULL && strtol(process, NULL, 10) != getpid()))
		return 0;
	unsigned long us = strtoul(text, NULL, 10);
	return us / 1000 > 3600000 ? 3600000u : (unsigned)(us / 1000);
}
