// SPDX-License-Identifier: Apache-2.0
// Objects that are not in use stand in a queue for each kind, so that a handle comes back as late as can be. The queues
// are the process's, as a loop may be made in one thread after another was freed in another one: they have a lock,
// which is held over fork() so that a child never finds them half changed.
#include "api/handle.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fork.h"
#include "base/log.h"
#include "base/mem.h"
#include "moonpool.h"

#define CHUNK_BYTES   8192u
#define MISTAKES_KEPT 128 // more kinds than there are

static enum mp_api_kind kind_of(const struct mp_api_object *object)
{
	return (enum mp_api_kind)((object->mark >> 8 & 0xff) - 1);
}

static uintptr_t turn_of(const struct mp_api_object *object)
{
	return object->mark & 0xff;
}

// 0: it is in nobody's use.
static uint32_t process_of(const struct mp_api_object *object)
{
	return (uint32_t)(object->mark >> 32);
}

// ---- objects ----------------------------------------------------------------------------------------------

static struct {
	pthread_mutex_t lock;
	struct {
		struct mp_api_object *first, *last;
	} unused[MP_API_KINDS];
	struct chunk {
		struct chunk *next;
	} * chunks; // all, for whoever looks for leaks
} objects = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void lock(void)
{
	pthread_mutex_lock(&objects.lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&objects.lock);
}

static void watch_forks(void)
{
	int rc = pthread_atfork(lock, unlock, unlock);
	mp_assert(rc == 0);
}

static void put(struct mp_api_object *object)
{
	enum mp_api_kind kind = kind_of(object);
	object->next = NULL;
	if (objects.unused[kind].first == NULL)
		objects.unused[kind].first = object;
	else
		objects.unused[kind].last->next = object;
	objects.unused[kind].last = object;
}

// More objects of a kind.
static void grow(enum mp_api_kind kind, size_t size)
{
	size_t stride = (size + MP_API_ALIGN - 1) / MP_API_ALIGN * MP_API_ALIGN;
	size_t count = stride * 8 < CHUNK_BYTES ? CHUNK_BYTES / stride : 8;
	struct chunk *chunk = mp_calloc(1, sizeof(*chunk) + MP_API_ALIGN + stride * count);
	if (chunk == NULL)
		return;
	chunk->next = objects.chunks;
	objects.chunks = chunk;
	uintptr_t at = ((uintptr_t)(chunk + 1) + MP_API_ALIGN - 1) / MP_API_ALIGN * MP_API_ALIGN;
	for (size_t i = 0; i < count; i++) {
		struct mp_api_object *object = (struct mp_api_object *)(at + i * stride);
		object->mark = mp_api_mark(kind, 0, 0);
		put(object);
	}
}

void *mp_api_take(enum mp_api_kind kind, size_t size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, watch_forks);
	lock();
	if (objects.unused[kind].first == NULL)
		grow(kind, size);
	struct mp_api_object *object = objects.unused[kind].first;
	if (object != NULL)
		objects.unused[kind].first = object->next;
	unlock();
	if (object != NULL)
		mp_api_reuse(object);
	return object;
}

void mp_api_put(struct mp_api_object *retired)
{
	lock();
	put(retired);
	unlock();
}

void mp_api_give(void *object)
{
	mp_api_retire(object);
	mp_api_put(object);
}

// ---- handles ----------------------------------------------------------------------------------------------

static struct mp_api_object *peek(const void *handle, enum mp_api_kind kind)
{
	uintptr_t at = (uintptr_t)handle;
	struct mp_api_object *object = (struct mp_api_object *)(at - at % MP_API_ALIGN);
	return object != NULL && kind_of(object) == kind ? object : NULL;
}

static bool is_good(const void *handle, const struct mp_api_object *object)
{
	return process_of(object) != 0 && turn_of(object) == (uintptr_t)handle % MP_API_ALIGN;
}

void *mp_api_forked(const void *handle, enum mp_api_kind kind)
{
	struct mp_api_object *object = peek(handle, kind);
	bool other = object != NULL && is_good(handle, object) && process_of(object) != mp_fork_generation();
	return other ? object : NULL;
}

void *mp_api_retired(const void *handle, enum mp_api_kind kind)
{
	struct mp_api_object *object = peek(handle, kind);
	bool is_last = object != NULL && process_of(object) == 0 &&
	               turn_of(object) == ((uintptr_t)handle + 1) % MP_API_ALIGN;
	return is_last ? object : NULL;
}

static const char *sentence(enum mp_api_kind kind, bool gone)
{
	static const char *const missing[] = {
		"the loop is NULL",    "the session is NULL",         "the statement is NULL",
		"the request is NULL", "the result or error is NULL",
	};
	static const char *const over[] = {
		"the loop was freed already",
		"the session is closed",
		"the statement was freed already, or its session is closed",
		"the request was executed or freed already, or its session is closed",
		"the result or error is used after its callback",
	};
	return gone ? over[kind] : missing[kind];
}

void mp_api_explain(const void *handle, enum mp_api_kind kind, int gone, const char *function)
{
	const struct mp_api_object *object = peek(handle, kind);
	if (handle == NULL)
		mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, sentence(kind, false));
	else if (object == NULL)
		mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the handle is one of another kind");
	else if (is_good(handle, object))
		mp_api_refuse(function, MOONPOOL_FORKED, NULL);
	else if (gone == MOONPOOL_INVALID_ARGUMENT)
		mp_api_mistake(function, gone, sentence(kind, true));
	else
		mp_api_refuse(function, gone, sentence(kind, true));
}

// ---- failures ---------------------------------------------------------------------------------------------

static _Thread_local struct {
	int code;
	const char *function;
	const char *why; // NULL: that of the code
	char copy[256];  // of a text that was not static
	char text[320];
} last;

// The sentences that were told already.
static _Atomic(const char *) told[MISTAKES_KEPT];

static bool is_new(const char *why)
{
	for (size_t i = 0; i < MISTAKES_KEPT; i++) {
		const char *other = NULL;
		if (atomic_compare_exchange_strong(&told[i], &other, why))
			return true;
		if (strcmp(other, why) == 0)
			return false;
	}
	return false;
}

int mp_api_refuse(const char *function, int code, const char *why)
{
	last.code = code;
	last.function = function;
	last.why = why;
	return code;
}

int mp_api_refuse_text(const char *function, int code, const char *text)
{
	snprintf(last.copy, sizeof(last.copy), "%s", text);
	return mp_api_refuse(function, code, last.copy);
}

int mp_api_mistake(const char *function, int code, const char *why)
{
	mp_api_refuse(function, code, why);
	if (is_new(why)) {
		struct mp_log log;
		mp_log_init(&log);
		mp_log_write(&log, MP_LOG_ERROR, "%s (a mistake of this program, which is told once)",
		             moonpool_last_message());
	}
	return code;
}

bool mp_api_failed_in(const char *begin)
{
	return last.function != NULL && strncmp(last.function, begin, strlen(begin)) == 0;
}

int moonpool_last_code(void)
{
	return last.code;
}

const char *moonpool_last_message(void)
{
	if (last.function == NULL)
		return "";
	snprintf(last.text, sizeof(last.text), "%s: %s", last.function,
	         last.why != NULL ? last.why : mp_err_text(last.code));
	return last.text;
}
