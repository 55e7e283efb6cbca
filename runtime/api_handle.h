// SPDX-License-Identifier: Apache-2.0
// What the opaque pointers of moonpool.h are: a handle is the address of an object, with the object's turn in the low
// bits. An object that is given back is never freed, only taken again, for the same kind of thing, with another turn.
// So each handle that a program ever got may be looked at, whatever became of it, and what it does with one twice, too
// late, or in a child of fork() is found out by looking.
//
// Also here: what is remembered of the last call that failed in this thread.
#pragma once

#include "base/defs.h"

enum mp_api_kind {
	MP_API_LOOP,
	MP_API_SESSION,
	MP_API_STATEMENT,
	MP_API_REQUEST,
	MP_API_ANSWER, // a result or an error, while its callback runs
	MP_API_KINDS
};

#define MP_API_ALIGN 128 // turns until a handle comes back that was given before

// The beginning of each object.
struct mp_api_object {
	uint8_t kind;
	uint8_t turn;
	bool in_use;
	uint32_t process;           // mp_fork_generation() of the one that took it
	struct mp_api_object *next; // while it is not in use
};

// Zeroed behind its beginning when it is taken for the first time, later as it was given back. NULL: out of memory.
void *mp_api_take(enum mp_api_kind kind, size_t size) MP_MUST_CHECK;
void mp_api_give(void *object);
// The same in two steps, for those who keep objects at hand: retired, its handle is void; reused, it has another one;
// put, it is nobody's again.
void mp_api_retire(void *object);
void mp_api_reuse(void *object);
void mp_api_put(struct mp_api_object *retired);

void *mp_api_handle(void *object);
// NULL, and the failure noted under `function`: no handle (MP_EINVAL), what it stood for is gone (`gone`), or it was
// made before fork() (MP_EFORKED).
void *mp_api_object(const void *handle, enum mp_api_kind kind, int gone, const char *function) MP_MUST_CHECK;
// The object of a handle that was good in the parent of this process; NULL otherwise, and nothing is noted.
void *mp_api_forked(const void *handle, enum mp_api_kind kind) MP_MUST_CHECK;

// Note a failure of a function and return its code. A mistake is the program's: the first of each kind is logged, too.
// A refusal may happen to any program. `why` is a sentence in static storage; NULL: that of the code.
int mp_api_mistake(const char *function, int code, const char *why);
int mp_api_refuse(const char *function, int code, const char *why);
int mp_api_refuse_text(const char *function, int code, const char *text); // which is copied
// The failure that was noted last is one of a function whose name begins like this.
bool mp_api_failed_in(const char *begin) MP_MUST_CHECK;
