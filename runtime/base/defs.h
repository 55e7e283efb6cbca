// SPDX-License-Identifier: Apache-2.0
// Words every file uses: assertion, attributes, small macros. No types of ours, no functions but the assert's end.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A result that may be an error must be looked at.
#define MP_MUST_CHECK         __attribute__((warn_unused_result))
#define MP_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define MP_NORETURN           __attribute__((noreturn))
// What is seldom called stays out of its callers, which then save no registers for it.
#define MP_COLD __attribute__((cold, noinline))
// For small functions whose arguments are constants where they are called.
#define MP_INLINE       static inline __attribute__((always_inline))
#define MP_LIKELY(x)    __builtin_expect(!!(x), 1)
#define MP_UNLIKELY(x)  __builtin_expect(!!(x), 0)
#define MP_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

// The struct that embeds `member` at `ptr`.
#define MP_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

// A broken invariant is a bug of ours: it stops the process with the place. On in every build.
#define mp_assert(cond) (MP_LIKELY(cond) ? (void)0 : mp_assert_failed(#cond, __FILE__, __LINE__))

void mp_assert_failed(const char *cond, const char *file, int line) MP_NORETURN;
