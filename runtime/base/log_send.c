// SPDX-License-Identifier: Apache-2.0
// Lines to a daemon of the system: syslog's, or the journal's by its native protocol. A datagram each, which either is
// taken at once or not: nobody waits. The daemon may come and go, so a socket lives for one line.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/log.h"

#define DAEMON 24 // the facility, as syslog counts it
#define PREFIX 64

static const int severities[] = {3, 4, 6, 7}; // of enum mp_log_level

static bool send_to(const char *path, const char *bytes, size_t len)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(at.sun_path))
		return false;
	memcpy(at.sun_path, path, strlen(path));
	int fd = mp_descriptor_raise(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (fd < 0)
		return false;
	ssize_t sent = sendto(fd, bytes, len, MSG_NOSIGNAL, (struct sockaddr *)&at, sizeof(at));
	close(fd);
	return sent == (ssize_t)len;
}

static const char *place(const char *variable, const char *usual)
{
	const char *given = getenv(variable);
	return given != NULL && given[0] != '\0' ? given : usual;
}

bool mp_log_send(enum mp_log_target to, enum mp_log_level level, const char *line)
{
	char text[PREFIX + 16384];
	int severity = (size_t)level < MP_ARRAY_LEN(severities) ? severities[level] : 6;
	int len;
	if (to == MP_LOG_SYSTEMD)
		len = snprintf(text, sizeof(text), "PRIORITY=%d\nSYSLOG_IDENTIFIER=moonpool\n%s", severity, line);
	else
		len = snprintf(text, sizeof(text), "<%d>moonpool[%d]: %s", DAEMON + severity, (int)getpid(), line);
	if (len < 0 || (size_t)len >= sizeof(text))
		return false;
	const char *path = to == MP_LOG_SYSTEMD ? place("MOONPOOL_JOURNAL", "/run/systemd/journal/socket")
	                                        : place("MOONPOOL_SYSLOG", "/dev/log");
	return send_to(path, text, (size_t)len);
}
