// SPDX-License-Identifier: Apache-2.0
#include "api/wait.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "cluster/request/request.h"
#include "cluster/steer.h"
#include "cluster/warmup.h"

#define LOOK_EVERY_MS 5

// ---- waits ------------------------------------------------------------------------------------------------

void mp_api_wait_drop(struct mp_api_wait *wait)
{
	mp_timer_stop(&wait->again);
	if (wait->resolve != NULL)
		mp_resolve_cancel(wait->resolve);
	mp_free(wait);
}

static void end(struct mp_api_wait *wait)
{
	mp_list_remove(&wait->session->waits, &wait->node);
	mp_timer_stop(&wait->again);
	mp_api_tell(wait->session, wait->on_done, wait->data, wait->error.err != 0 ? &wait->error : NULL);
	mp_api_wait_drop(wait);
}

bool mp_api_wait_fail(struct mp_api_wait *wait, int err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	mp_error_vset(&wait->error, err, -1, format, args);
	va_end(args);
	return true;
}

static void look(void *data)
{
	struct mp_api_wait *wait = data;
	bool is_over = wait->session->closing
	                   ? mp_api_wait_fail(wait, MP_ECLOSED, "the session is being closed")
	                   : wait->look(wait, mp_loop_now_ns(wait->session->engine.loop) >= wait->deadline_ns);
	if (!is_over && mp_timer_start_ms(&wait->again, LOOK_EVERY_MS) != 0)
		is_over = mp_api_wait_fail(wait, MP_ENOMEM, "%s", mp_err_text(MP_ENOMEM));
	if (is_over)
		end(wait);
}

struct mp_api_wait *mp_api_wait_new(struct mp_api_session *session,
                                    void (*on_done)(void *data, const struct moonpool_error *error),
                                    void *data, const char *function)
{
	if (on_done == NULL) {
		mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the callback is NULL");
		return NULL;
	}
	struct mp_api_wait *wait = mp_calloc(1, sizeof(*wait));
	if (wait == NULL) {
		mp_api_refuse(function, MOONPOOL_NO_MEMORY, NULL);
		return NULL;
	}
	wait->session = session;
	wait->on_done = on_done;
	wait->data = data;
	mp_list_node_init(&wait->node);
	mp_timer_init(&wait->again, session->engine.loop, look, wait);
	return wait;
}

void mp_api_wait_from_now(struct mp_api_wait *wait)
{
	wait->deadline_ns = mp_loop_now_ns(wait->session->engine.loop) + wait->timeout_ms * UINT64_C(1000000);
}

int mp_api_wait_begin(struct mp_api_wait *wait, uint32_t timeout_ms,
                      bool (*is_over)(struct mp_api_wait *wait, bool is_late), const char *function)
{
	wait->look = is_over;
	wait->timeout_ms = timeout_ms;
	mp_api_wait_from_now(wait);
	if (mp_timer_start_ms(&wait->again, 0) != 0) {
		mp_api_wait_drop(wait);
		return mp_api_refuse(function, MOONPOOL_NO_MEMORY, NULL);
	}
	mp_list_push_back(&wait->session->waits, &wait->node);
	return 0;
}

void mp_api_waits_end(struct mp_api_session *session)
{
	while (session->waits.count > 0) {
		struct mp_api_wait *wait = MP_CONTAINER_OF(mp_list_first(&session->waits), struct mp_api_wait, node);
		(void)mp_api_wait_fail(wait, MP_ECLOSED, "the session is closed");
		end(wait);
	}
}

// ---- drained ----------------------------------------------------------------------------------------------

static bool is_drained(struct mp_api_wait *wait, bool is_late)
{
	const struct mp_host *host = mp_session_host_find(wait->session->engine.session, wait->host);
	if (host == NULL) // it has left the cluster
		return true;
	if (host->hold != MP_HOLD_DRAINING)
		return mp_api_wait_fail(wait, MP_ECANCELLED, "%s was resumed meanwhile", wait->host);
	size_t left = host->pool.conns.count;
	if (left == 0 || !is_late)
		return left == 0;
	return mp_api_wait_fail(wait, MP_ETIMEOUT,
	                        "%s: %zu connections still carry requests: they close when those have ended",
	                        wait->host, left);
}

int moonpool_host_drain_within(struct moonpool_session *handle, const char *address, uint32_t timeout_ms,
                               void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	struct mp_api_session *session;
	const struct mp_host *host = mp_api_host(handle, address, &session, __func__);
	struct mp_api_wait *wait = host != NULL ? mp_api_wait_new(session, on_done, data, __func__) : NULL;
	if (wait == NULL)
		return moonpool_last_code();
	snprintf(wait->host, sizeof(wait->host), "%s", host->addr_text);
	uint16_t slot = host->index;
	int rc = mp_api_wait_begin(wait, timeout_ms, is_drained, __func__);
	if (rc == 0)
		mp_session_hold(session->engine.session, slot, MP_HOLD_DRAINING);
	return rc;
}

// ---- connections ahead of the load ------------------------------------------------------------------------

struct warming {
	struct mp_api_session *session;
	void (*on_done)(void *data, const struct moonpool_error *error);
	void *data;
};

static void on_warm(void *data, const struct mp_warmup_end *end)
{
	struct warming warming = *(struct warming *)data;
	mp_free(data);
	mp_api_tell(warming.session, warming.on_done, warming.data, end->error);
}

static int warm(struct mp_api_session *session, struct mp_warmup *warmup,
                void (*on_done)(void *data, const struct moonpool_error *error), void *data,
                const char *function)
{
	struct warming *warming = warmup != NULL ? mp_calloc(1, sizeof(*warming)) : NULL;
	if (warming == NULL) {
		mp_warmup_free(warmup);
		return mp_api_refuse(function, MOONPOOL_NO_MEMORY, NULL);
	}
	*warming = (struct warming){session, on_done, data};
	mp_warmup_start(warmup, on_warm, warming);
	return 0;
}

int moonpool_session_warmup(struct moonpool_session *handle,
                            void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	struct mp_api_session *session = mp_api_connected_session(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	if (on_done == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "the callback is NULL");
	return warm(session, mp_warmup_new_for_all(session->engine.session), on_done, data, __func__);
}

int moonpool_host_preallocate(struct moonpool_session *handle, const char *address, uint32_t connections,
                              void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	struct mp_api_session *session = mp_api_connected_session(handle, __func__);
	const struct mp_host *host = session != NULL ? mp_api_host(handle, address, &session, __func__) : NULL;
	if (host == NULL)
		return moonpool_last_code();
	if (on_done == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "the callback is NULL");
	if (connections == 0 || connections > MP_API_CONNECTIONS_MOST)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "1 to 4096 connections expected");
	struct mp_warmup *warmup = mp_warmup_new(session->engine.session, 1);
	if (warmup != NULL)
		mp_warmup_add(warmup, host, connections);
	return warm(session, warmup, on_done, data, __func__);
}
