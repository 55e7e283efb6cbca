// SPDX-License-Identifier: Apache-2.0
// A thread wakes up twenty times a second and looks whether anything is noted. Only then it interrupts the watched
// thread by a signal, whose handler looks closer: there nothing that it reads can go away. A thread that does
// nothing, or waits in the loop, is never interrupted.
//
// Policies are timed by the processor's clock of their thread, so that a busy machine or a stopped process accuses
// nobody; handlers, which may wait in a system call, by the number of looks.
#include "cli/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fork.h"
#include "policy/vm.h"

#define LOOK_MS       50
#define POLICY_MAX_NS UINT64_C(100000000)
#define HANDLER_LOOKS (1000 / LOOK_MS)
#define SIGNAL        SIGURG // nothing happens when it comes too late

// One call as the signal handler saw it.
struct seen {
	const struct mp_watched *watched;
	uint64_t call;
	uint64_t since_ns;
	uint32_t looks;
	bool told;
};

// What signal handlers see cannot hang from anything.
static struct {
	struct mp_beat *beat; // NULL: there is no watchdog
	int fd;
	uint32_t process; // the fork generation it was started in
	pthread_t thread, watched;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool is_stopping;
	struct seen policy, handler;
	struct sigaction before;
} dog;

// ---- on the watched thread, inside of a signal ------------------------------------------------------------

static size_t put(char *line, size_t len, size_t size, const char *text)
{
	while (*text != '\0' && len < size) {
		unsigned char c = (unsigned char)*text++;
		line[len++] = c < ' ' || c == 0x7f ? ' ' : (char)c;
	}
	return len;
}

static void say(const char *what, const char *how)
{
	char line[512];
	size_t len = put(line, 0, sizeof(line) - 1, "moonpool warn: ");
	len = put(line, len, sizeof(line) - 1, what);
	len = put(line, len, sizeof(line) - 1, how);
	line[len++] = '\n';
	ssize_t written = write(dog.fd, line, len);
	(void)written; // there is nobody to tell
}

// Is this the call that was seen before? If not, it is from now on.
static bool is_same(struct seen *seen, const struct mp_watched *watched)
{
	if (watched != NULL && watched == seen->watched && *watched->calls == seen->call)
		return true;
	*seen = (struct seen){.watched = watched, .call = watched != NULL ? *watched->calls : 0};
	return false;
}

static void look_at_policy(struct mp_watched *watched)
{
	struct seen *seen = &dog.policy;
	if (!is_same(seen, watched)) {
		seen->since_ns = mp_vm_cpu_ns();
		return;
	}
	if (seen->told || mp_vm_cpu_ns() - seen->since_ns < POLICY_MAX_NS)
		return;
	seen->told = true;
	watched->is_stuck = true;
	if (watched->alarm != NULL)
		*watched->alarm = true;
	say(watched->what, " has been in one call for 100 ms: it gives way at its next one");
}

static void look_at_handler(struct mp_watched *watched)
{
	struct seen *seen = &dog.handler;
	if (!is_same(seen, watched) || seen->told || ++seen->looks < HANDLER_LOOKS)
		return;
	seen->told = true;
	say(watched->what, " has not come back for a second: nothing else goes on meanwhile");
}

static void on_look(int number)
{
	(void)number;
	int saved = errno;
	if (dog.beat != NULL && pthread_equal(pthread_self(), dog.watched)) {
		look_at_policy(dog.beat->policy);
		look_at_handler(dog.beat->handler);
	}
	errno = saved;
}

// ---- on its own thread ------------------------------------------------------------------------------------

// false: it is to end.
static bool sleep_a_while(void)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&dog.mutex);
	while (!dog.is_stopping && pthread_cond_timedwait(&dog.wake, &dog.mutex, &until) == 0) {}
	bool goes_on = !dog.is_stopping;
	pthread_mutex_unlock(&dog.mutex);
	return goes_on;
}

static void *watch(void *data)
{
	const struct mp_beat *beat = data;
	while (sleep_a_while())
		if (beat->policy != NULL || beat->handler != NULL)
			pthread_kill(dog.watched, SIGNAL);
	return NULL;
}

// Signals of the process are for the watched thread.
static int start_thread(void)
{
	sigset_t all, mask;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	int rc = pthread_create(&dog.thread, NULL, watch, dog.beat);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return rc == 0 ? 0 : MP_ENOMEM;
}

// ---- life -------------------------------------------------------------------------------------------------

int mp_watchdog_start(struct mp_beat *beat, int fd)
{
	if (dog.beat != NULL)
		return MP_EINVAL;
	memset(&dog, 0, sizeof(dog));
	dog.fd = fd;
	dog.process = mp_fork_generation();
	dog.watched = pthread_self();
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&dog.wake, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&dog.mutex, NULL);
	struct sigaction action;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_look;
	action.sa_flags = SA_RESTART;
	sigemptyset(&action.sa_mask);
	sigaction(SIGNAL, &action, &dog.before);
	dog.beat = beat;
	int rc = start_thread();
	if (rc != 0)
		dog.beat = NULL;
	return rc;
}

void mp_watchdog_stop(void)
{
	// In a child of fork() there is no thread to wait for.
	bool is_ours = dog.beat != NULL && dog.process == mp_fork_generation();
	if (is_ours) {
		pthread_mutex_lock(&dog.mutex);
		dog.is_stopping = true;
		pthread_cond_signal(&dog.wake);
		pthread_mutex_unlock(&dog.mutex);
		pthread_join(dog.thread, NULL);
		sigaction(SIGNAL, &dog.before, NULL);
		pthread_cond_destroy(&dog.wake);
		pthread_mutex_destroy(&dog.mutex);
	}
	dog.beat = NULL;
}
