// SPDX-License-Identifier: Apache-2.0
// What the opaque pointers of moonpool.h are: a handle is the address of an object, with the object's turn in the low
// bits. An object that is given back is never freed, only taken again, for the same kind of thing, with another turn.
// So each handle that a program ever got may be looked at, whatever became of it, and what it does with one twice, too
// late, or in a child of fork() is found out by looking.
//
// Also here: what is remembered of the last call that failed in this thread.
#pragma once

#include "base/defs.h"
#include "base/fork.h"

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
	uint64_t mark;              // what it is: mp_api_mark()
	struct mp_api_object *next; // while it is not in use
};

// An object in use, of a kind, in its present turn, of a process: one number, so that one comparison sees all of it.
static inline uint64_t mp_api_mark(enum mp_api_kind kind, uintptr_t turn, uint32_t process)
{
	return ((uint64_t)process << 32) + ((uint64_t)(kind + 1) << 8) + turn; // sums: one instruction
}

// Zeroed behind its beginning when it is taken for the first time, later as it was given back. NULL: out of memory.
void *mp_api_take(enum mp_api_kind kind, size_t size) MP_MUST_CHECK;
void mp_api_give(void *object);
// The same in two steps, for those who keep objects at hand: retired, its handle is void; reused, it has another one;
// put, it is nobody's again.
static inline void mp_api_retire(void *object)
{
	struct mp_api_object *self = object;
	self->mark = (self->mark & 0xff00) | (self->mark + 1) % MP_API_ALIGN;
}
static inline void mp_api_reuse(void *object)
{
	((struct mp_api_object *)object)->mark |= (uint64_t)mp_fork_generation() << 32;
}
void mp_api_put(struct mp_api_object *retired);
static inline bool mp_api_is_in_use(const struct mp_api_object *object)
{
	return object->mark >> 32 != 0;
}

static inline void *mp_api_handle(void *object)
{
	return (char *)object + (((struct mp_api_object *)object)->mark & 0xff);
}
// NULL: not a handle of this kind, in its present turn, of this process.
static inline void *mp_api_good(const void *handle, enum mp_api_kind kind)
{
	uintptr_t at = (uintptr_t)handle;
	struct mp_api_object *object = (struct mp_api_object *)(at - at % MP_API_ALIGN);
	if (MP_LIKELY(object != NULL &&
	              object->mark == mp_api_mark(kind, at % MP_API_ALIGN, mp_fork_generation())))
		return object;
	return NULL;
}
// The object whose handle this was before it was retired, until it is used again; NULL: there is none.
void *mp_api_retired(const void *handle, enum mp_api_kind kind) MP_MUST_CHECK;
// NULL, and the failure noted under `function`: no handle (MP_EINVAL), what it stood for is gone (`gone`), or it was
// made before fork() (MP_EFORKED).
void mp_api_explain(const void *handle, enum mp_api_kind kind, int gone, const char *function);
static inline void *mp_api_object(const void *handle, enum mp_api_kind kind, int gone, const char *function)
{
	void *object = mp_api_good(handle, kind);
	if (MP_UNLIKELY(object == NULL))
		mp_api_explain(handle, kind, gone, function);
	return object;
}
// The object of a handle that was good in the parent of this process; NULL otherwise, and nothing is noted.
void *mp_api_forked(const void *handle, enum mp_api_kind kind) MP_MUST_CHECK;

// Note a failure of a function and return its code. A mistake is the program's: the first of each kind is logged, too.
// A refusal may happen to any program. `why` is a sentence in static storage; NULL: that of the code.
int mp_api_mistake(const char *function, int code, const char *why);
int mp_api_refuse(const char *function, int code, const char *why);
int mp_api_refuse_text(const char *function, int code, const char *text); // which is copied
// The failure that was noted last is one of a function whose name begins like this.
bool mp_api_failed_in(const char *begin) MP_MUST_CHECK;
