// SPDX-License-Identifier: Apache-2.0
// An io_uring that refuses when a spec says so: these stand in front of liburing's in the spec host. Off, they only
// pass on.
#include <stdbool.h>
#include <stdint.h>

void spec_ring_refuse(int code);
void spec_ring_take(unsigned submissions, unsigned sends);
void spec_ring_interrupt(void);
bool spec_ring_is_possible(void);
uint64_t spec_ring_count(void);

static int refused;                 // a new ring is refused with this code
static unsigned whole = UINT32_MAX; // submissions from now on that are taken whole
static unsigned part;               // how many sends the next one takes
static bool interrupted;
static uint64_t count; // sends that were taken

// 0: it is not refused.
void spec_ring_refuse(int code)
{
	refused = code;
}

// After so many submissions one takes only so many of its sends, or fails with 0. UINT32_MAX: none does.
void spec_ring_take(unsigned submissions, unsigned sends)
{
	whole = submissions;
	part = sends;
}

// The next submission is interrupted by a signal before it takes anything.
void spec_ring_interrupt(void)
{
	interrupted = true;
}

uint64_t spec_ring_count(void)
{
	return count;
}

#ifdef MP_WITH_LIBURING
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <sys/syscall.h>
#include <unistd.h>

int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
	if (refused != 0)
		return -refused;
	int (*real)(unsigned, struct io_uring *, unsigned);
	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_queue_init");
	return real(entries, ring, flags);
}

static int submit(struct io_uring *ring, unsigned wait_nr)
{
	int (*real)(struct io_uring *, unsigned);
	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_submit_and_wait");
	int rc = real(ring, wait_nr);
	count += rc > 0 ? (unsigned)rc : 0;
	return rc;
}

// The kernel takes the first of what it is given and leaves the rest where it is.
int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait_nr)
{
	if (interrupted) {
		interrupted = false;
		return -EINTR;
	}
	if (whole != 0) {
		whole -= whole != UINT32_MAX;
		return submit(ring, wait_nr);
	}
	if (part == 0)
		return -EBUSY;
	unsigned end = ring->sq.sqe_tail;
	unsigned taken = part < wait_nr ? part : wait_nr;
	ring->sq.sqe_tail -= wait_nr - taken;
	int rc = submit(ring, taken);
	ring->sq.sqe_tail = end;
	return rc;
}

// As the kernel says, without what is tried.
bool spec_ring_is_possible(void)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SUBMIT_ALL};
	long fd = syscall(SYS_io_uring_setup, 1, &params);
	if (fd >= 0)
		close((int)fd);
	return fd >= 0;
}
#else
bool spec_ring_is_possible(void)
{
	return false;
}
#endif
