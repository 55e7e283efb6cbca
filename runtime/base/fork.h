// SPDX-License-Identifier: Apache-2.0
// Which process this is, as far as fork() goes. A number that each child of fork() counts on, so that whatever was
// made before it can be told from what was made since, at the cost of reading a number. Only the C library's fork()
// counts, not a raw system call.
#pragma once

#include "base/defs.h"

// For this header only: read it by the function below.
extern uint32_t mp_fork_number;

// From the first call on, forks count. Called by whoever keeps the number.
void mp_fork_watch(void);

#ifndef MP_CDEF
static inline uint32_t mp_fork_generation(void)
{
	return mp_fork_number;
}
#endif
