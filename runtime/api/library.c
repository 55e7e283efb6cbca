// SPDX-License-Identifier: Apache-2.0
// The C API: version, codes, loops.
#include <errno.h>
#include <sys/random.h>

#include "api/internal.h"
#include "base/mem.h"

const char *moonpool_version(void)
{
	return MOONPOOL_VERSION;
}

uint64_t moonpool_allocations(void)
{
	return mp_mem_stats().allocs;
}

const char *moonpool_code_name(int code)
{
	return mp_err_name(code);
}

const char *moonpool_code_text(int code)
{
	return mp_err_text(code);
}

// ---- callbacks --------------------------------------------------------------------------------------------

bool mp_api_enter(struct mp_api_loop *loop)
{
	if (mp_loop_is_forked(loop->loop))
		return false;
	loop->inside++;
	return true;
}

void mp_api_leave(struct mp_api_loop *loop)
{
	loop->inside--;
}

// ---- loops ------------------------------------------------------------------------------------------------

struct mp_api_loop *mp_api_loop_of(const struct moonpool_loop *handle, const char *function)
{
	struct mp_api_loop *loop = mp_api_object(handle, MP_API_LOOP, MOONPOOL_INVALID_ARGUMENT, function);
	return loop != NULL && mp_api_may(loop, function) ? loop : NULL;
}

bool mp_api_may_not(struct mp_api_loop *loop, const char *function)
{
	uintptr_t turned_by = atomic_load_explicit(&loop->turned_by, memory_order_relaxed);
	if (turned_by != 0 && turned_by != mp_api_thread())
		mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT,
		               "another thread turns the loop: only that one may call it and what was made from it");
	else
		mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT,
		               "inside of the callback of the log, which writes the line and does nothing else");
	return false;
}

// Around a run or turn.
static void turn_begins(struct mp_api_loop *loop)
{
	atomic_store_explicit(&loop->turned_by, mp_api_thread(), memory_order_relaxed);
}

static void turn_ends(struct mp_api_loop *loop)
{
	atomic_store_explicit(&loop->turned_by, 0, memory_order_relaxed);
}

static struct moonpool_loop *make_loop(void *uv_loop)
{
	uint64_t seed = 0;
	while (getrandom(&seed, sizeof(seed), 0) < 0)
		mp_assert(errno == EINTR);
	struct mp_api_loop *loop = mp_api_take(MP_API_LOOP, sizeof(*loop));
	if (loop == NULL)
		return NULL;
	loop->is_own = uv_loop == NULL;
	loop->inside = loop->telling = 0;
	turn_ends(loop);
	loop->on_line = NULL;
	loop->on_slow = NULL;
	loop->on_answer = mp_api_on_answer;
	loop->requests = NULL;
	mp_list_init(&loop->sessions);
	loop->answer = mp_api_take(MP_API_ANSWER, sizeof(*loop->answer));
	loop->loop = loop->answer != NULL ? mp_loop_uv_new(uv_loop, seed) : NULL;
	if (loop->loop != NULL) {
		mp_uuid_clock_init(&loop->uuids, mp_loop_rand(loop->loop));
		loop->answer->loop = loop;
		mp_api_retire(loop->answer); // until there is one
		return mp_api_handle(loop);
	}
	if (loop->answer != NULL)
		mp_api_give(loop->answer);
	mp_api_give(loop);
	return NULL;
}

struct moonpool_loop *moonpool_loop_new(void *uv_loop)
{
	struct moonpool_loop *loop = make_loop(uv_loop);
	if (loop == NULL)
		mp_api_refuse(__func__, MOONPOOL_LOCAL_ERROR, "no memory or no descriptors are left");
	return loop;
}

static bool is_idle(const struct mp_api_loop *loop, const char *function)
{
	if (loop->inside == 0 && !mp_loop_is_running(loop->loop))
		return true;
	mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT,
	               "inside of a callback of this loop, which goes on when the callback has returned");
	return false;
}

// A loop of moonpool's own; NULL: the mistake is told. Turned from inside of a callback of the program's, libuv would
// lose its way, and which callbacks that has on the stack cannot be seen.
static struct mp_api_loop *own_loop(struct moonpool_loop *handle, const char *function)
{
	struct mp_api_loop *loop = mp_api_loop_of(handle, function);
	if (loop == NULL || loop->is_own)
		return loop;
	mp_api_mistake(
		function, MOONPOOL_INVALID_ARGUMENT,
		"the loop is one over the program's own uv_loop_t, which uv_run() turns and uv_stop() stops");
	return NULL;
}

// One that may be turned now, or NULL.
static struct mp_api_loop *idle_loop(struct moonpool_loop *handle, const char *function)
{
	struct mp_api_loop *loop = own_loop(handle, function);
	return loop != NULL && is_idle(loop, function) ? loop : NULL;
}

int moonpool_loop_run(struct moonpool_loop *handle)
{
	struct mp_api_loop *loop = idle_loop(handle, __func__);
	if (loop == NULL)
		return moonpool_last_code();
	turn_begins(loop);
	mp_loop_run(loop->loop);
	turn_ends(loop);
	return mp_loop_is_forked(loop->loop) ? mp_api_refuse(__func__, MOONPOOL_FORKED, NULL) : 0;
}

int moonpool_loop_turn(struct moonpool_loop *handle, int wait_ms)
{
	struct mp_api_loop *loop = idle_loop(handle, __func__);
	if (loop == NULL)
		return moonpool_last_code();
	if (wait_ms < -1)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT,
		                      "a time to wait of -1 (for ever) or more expected");
	turn_begins(loop);
	bool ran = mp_loop_turn(loop->loop, wait_ms);
	turn_ends(loop);
	if (mp_loop_is_forked(loop->loop))
		return mp_api_refuse(__func__, MOONPOOL_FORKED, NULL);
	return ran ? 1 : 0;
}

int moonpool_loop_stop(struct moonpool_loop *handle)
{
	struct mp_api_loop *loop = own_loop(handle, __func__);
	if (loop == NULL)
		return moonpool_last_code();
	mp_loop_stop(loop->loop);
	return 0;
}

int moonpool_loop_flush(struct moonpool_loop *handle)
{
	struct mp_api_loop *loop = mp_api_loop_of(handle, __func__);
	if (loop == NULL)
		return moonpool_last_code();
	// What a callback submits leaves at the end of its turn.
	if (loop->inside == 0)
		mp_loop_flush(loop->loop);
	return 0;
}

// A loop for somebody who turns it himself; NULL: the mistake is told.
static struct mp_api_loop *turned_loop(struct moonpool_loop *handle, const char *function)
{
	struct mp_api_loop *loop = own_loop(handle, function);
	if (loop == NULL)
		return NULL;
	if (mp_loop_is_forked(loop->loop)) {
		mp_api_refuse(function, MOONPOOL_FORKED, NULL);
		return NULL;
	}
	return loop;
}

int moonpool_fd(struct moonpool_loop *handle)
{
	struct mp_api_loop *loop = turned_loop(handle, __func__);
	return loop != NULL ? mp_loop_fd(loop->loop) : moonpool_last_code();
}

int moonpool_timeout_ms(struct moonpool_loop *handle)
{
	struct mp_api_loop *loop = turned_loop(handle, __func__);
	return loop != NULL ? mp_loop_wait_ms(loop->loop) : 0;
}

// A child of fork() gives back what it can of its copy. The object stays taken, and with it what it leads to.
static int leave(struct mp_api_loop *loop, const char *function)
{
	if (!is_idle(loop, function))
		return moonpool_last_code();
	struct mp_list_node *node = mp_list_first(&loop->sessions);
	for (; node != NULL; node = mp_list_next(&loop->sessions, node)) {
		struct mp_api_session *session = MP_CONTAINER_OF(node, struct mp_api_session, node);
		mp_engine_leave(&session->engine);
		mp_api_configuration_drop(session);
	}
	mp_api_retire(loop);
	mp_loop_free(loop->loop);
	return 0;
}

static void free_loop(struct mp_api_loop *loop)
{
	mp_loop_free(loop->loop);
	while (loop->requests != NULL) {
		struct mp_api_object *object = loop->requests;
		loop->requests = object->next;
		mp_buf_deinit(&((struct mp_api_request *)object)->text);
		mp_api_put(object);
	}
	mp_free(loop->values);
	loop->values = NULL;
	loop->value_capacity = 0;
	mp_api_put(&loop->answer->object);
	mp_api_give(loop);
}

int moonpool_loop_free(struct moonpool_loop *handle)
{
	if (handle == NULL)
		return 0;
	struct mp_api_loop *copy = mp_api_forked(handle, MP_API_LOOP);
	if (copy != NULL)
		return leave(copy, __func__);
	struct mp_api_loop *loop = mp_api_loop_of(handle, __func__);
	if (loop == NULL || !is_idle(loop, __func__))
		return moonpool_last_code();
	if (loop->sessions.count > 0)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT,
		                      "a session on the loop is not closed: close it and run the loop until it is");
	free_loop(loop);
	return 0;
}
