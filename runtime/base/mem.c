// SPDX-License-Identifier: Apache-2.0
// The counters are thread-local, the one state that does not hang from an object: an allocation has no object yet, and
// a runtime never crosses threads, so per thread is per runtime for everyone who runs one.
#include "base/mem.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct mp_mem_stats stats;
static _Thread_local uint64_t fail_in; // 0: off
static _Thread_local bool fail_forever;
static _Thread_local bool spared;

static bool must_fail(void)
{
	if (MP_LIKELY(fail_in == 0))
		return false;
	if (spared)
		return false;
	if (fail_in > 1) {
		fail_in--;
		return false;
	}
	if (!fail_forever)
		fail_in = 0;
	stats.refused++;
	return true;
}

static void *counted(void *ptr)
{
	if (MP_UNLIKELY(ptr == NULL)) {
		stats.refused++;
		return NULL;
	}
	stats.allocs++;
	stats.bytes += (int64_t)malloc_usable_size(ptr);
	return ptr;
}

void *mp_alloc(size_t size)
{
	return must_fail() ? NULL : counted(malloc(size > 0 ? size : 1));
}

void *mp_calloc(size_t count, size_t size)
{
	return must_fail() ? NULL : counted(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *mp_alloc_lines(size_t size)
{
	size_t whole = (size + MP_CACHE_LINE - 1) / MP_CACHE_LINE * MP_CACHE_LINE;
	return must_fail() ? NULL : counted(aligned_alloc(MP_CACHE_LINE, whole > 0 ? whole : MP_CACHE_LINE));
}

void *mp_realloc(void *ptr, size_t size)
{
	if (must_fail())
		return NULL;
	int64_t before = (int64_t)malloc_usable_size(ptr);
	void *moved = counted(realloc(ptr, size > 0 ? size : 1));
	if (ptr == NULL || moved == NULL)
		return moved;
	stats.frees++;
	stats.bytes -= before;
	return moved;
}

void mp_free(void *ptr)
{
	if (ptr == NULL)
		return;
	stats.frees++;
	stats.bytes -= (int64_t)malloc_usable_size(ptr);
	free(ptr);
}

void mp_free_secret(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	mp_free(text);
}

char *mp_strndup(const char *text, size_t len)
{
	char *copy = mp_alloc(len + 1);
	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *mp_strdup(const char *text)
{
	return mp_strndup(text, strlen(text));
}

struct mp_mem_stats mp_mem_stats(void)
{
	return stats;
}

void mp_mem_fail_at(uint64_t nth, bool forever)
{
	fail_in = nth;
	fail_forever = forever;
}

bool mp_mem_spare(bool on)
{
	bool before = spared;
	spared = on;
	return before;
}
