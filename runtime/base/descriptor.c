// SPDX-License-Identifier: Apache-2.0
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void mp_descriptor_fill_standard(void)
{
	for (int standard = 0; standard <= STDERR_FILENO; standard++) {
		if (fcntl(standard, F_GETFD) >= 0 || errno != EBADF)
			continue;
		int fd = open("/dev/null", O_RDWR); // the lowest that is free
		if (fd > STDERR_FILENO)
			close(fd); // another thread was quicker
		if (fd < 0)
			return;
	}
}

bool mp_descriptor_is_free(void)
{
	int fd = open("/", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno != EMFILE && errno != ENFILE;
	close(fd);
	return true;
}

int mp_descriptor_raise(int fd)
{
	if (MP_LIKELY(fd < 0 || fd > STDERR_FILENO))
		return fd;
	int above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int code = errno;
	close(fd);
	errno = code;
	return above;
}
