// SPDX-License-Identifier: Apache-2.0
// Written by a child of fork() only, when it has one thread, so it needs no lock.
#include "base/fork.h"

#include <pthread.h>

uint32_t mp_fork_number = 1; // 0 is nobody's

static void count(void)
{
	mp_fork_number++;
}

static void watch(void)
{
	int rc = pthread_atfork(NULL, NULL, count);
	mp_assert(rc == 0);
}

void mp_fork_watch(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, watch);
}
