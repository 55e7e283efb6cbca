// SPDX-License-Identifier: Apache-2.0
// All memory of the runtime comes from here, so that a counter can prove that the request path allocates nothing and a
// torture build can make the n-th allocation fail. Counters are per thread: a runtime never crosses threads.
#pragma once

#include "base/defs.h"

#define MP_CACHE_LINE ((size_t)64) // of the processors that moonpool is built for

void *mp_alloc(size_t size) MP_MUST_CHECK;                // uninitialised; NULL when out of memory
void *mp_calloc(size_t count, size_t size) MP_MUST_CHECK; // zeroed; NULL on overflow or out of memory
// Uninitialised, in cache lines of its own: for what thousands have and each touches little of.
void *mp_alloc_lines(size_t size) MP_MUST_CHECK;
void *mp_realloc(void *ptr, size_t size) MP_MUST_CHECK; // NULL keeps `ptr` alive
void mp_free(void *ptr);                                // NULL is fine
void mp_free_secret(char *text);                        // nothing of it is left; NULL is fine
char *mp_strdup(const char *text) MP_MUST_CHECK;
char *mp_strndup(const char *text, size_t len) MP_MUST_CHECK; // always NUL-terminated

// The difference of the first two is how many blocks this thread holds.
struct mp_mem_stats {
	uint64_t allocs; // calls of alloc, calloc, realloc that gave memory, in this thread since its start
	uint64_t frees;  // calls of free with a pointer, and of realloc that gave other memory for it
	int64_t bytes;   // that it holds, what the C library adds to round a block up included
	uint64_t
		refused; // calls that gave none: two equal readings prove that nothing failed for lack of memory in between
};
struct mp_mem_stats mp_mem_stats(void);

// Torture: the n-th allocation from now (1 = the next) fails once, as do all after it when `forever`; 0 switches off.
void mp_mem_fail_at(uint64_t nth, bool forever);
// What is allocated between true and false neither fails nor counts: it is another's. Gives what it was before.
bool mp_mem_spare(bool on);
