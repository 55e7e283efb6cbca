// SPDX-License-Identifier: Apache-2.0
// System calls of sockets that fail when a spec says so: these stand in front of the C library's in the spec host. Off,
// they only pass on. Per thread, as what is counted is the loop's.
#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void spec_syscalls_fail_at(uint64_t nth, int code);
uint64_t spec_syscalls_count(void);

static _Thread_local uint64_t count; // since the last fail_at
static _Thread_local uint64_t fail_in;
static _Thread_local int fail_code;

// The n-th from now fails with `code`; 0: none. Counts anew.
void spec_syscalls_fail_at(uint64_t nth, int code)
{
	count = 0;
	fail_in = nth;
	fail_code = code;
}

uint64_t spec_syscalls_count(void)
{
	return count;
}

static int fails(void)
{
	count++;
	if (fail_in == 0 || --fail_in > 0)
		return 0;
	errno = fail_code;
	return 1;
}

#define PASS(...) (fails() ? -1 : syscall(__VA_ARGS__))

int socket(int domain, int type, int protocol)
{
	return (int)PASS(SYS_socket, domain, type, protocol);
}

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return (int)PASS(SYS_connect, fd, addr, len);
}

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return (int)PASS(SYS_accept4, fd, addr, len, flags);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return (int)PASS(SYS_setsockopt, fd, level, name, value, len);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return (int)PASS(SYS_getsockopt, fd, level, name, value, len);
}

ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
	return PASS(SYS_recvfrom, fd, bytes, len, flags, NULL, NULL);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
	return PASS(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	return PASS(SYS_sendmsg, fd, message, flags);
}
