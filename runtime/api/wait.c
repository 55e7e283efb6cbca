// SPDX-License-Identifier: Apache-2.0
#include "api/wait.h"

#include "base/mem.h"
#include "cluster/warmup.h"

static const char no_callback[] = "the callback is NULL";

// ---- errands ----------------------------------------------------------------------------------------------

static void on_errand_done(void *data, const struct mp_error *error)
{
	struct mp_api_waiting waiting = *(struct mp_api_waiting *)data;
	mp_free(data);
	mp_api_tell(waiting.session, waiting.on_done, waiting.data, error);
}

int mp_api_not_begun(const struct mp_error *error, const char *function)
{
	return mp_api_refuse_text(function, error->err, error->message);
}

int mp_api_await(const struct mp_api_waiting *waiting, struct mp_errand *errand, const struct mp_error *error,
                 const char *function)
{
	if (errand == NULL)
		return mp_api_not_begun(error, function);
	struct mp_api_waiting *kept = mp_calloc(1, sizeof(*kept));
	if (kept == NULL) {
		mp_errand_free(errand);
		return mp_api_refuse(function, MOONPOOL_NO_MEMORY, NULL);
	}
	*kept = *waiting;
	mp_errand_start(errand, on_errand_done, kept);
	return 0;
}

int moonpool_host_drain_within(struct moonpool_session *handle, const char *address, uint32_t timeout_ms,
                               void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	struct mp_api_session *session;
	const struct mp_host *host = mp_api_host(handle, address, &session, __func__);
	if (host == NULL)
		return moonpool_last_code();
	if (on_done == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_callback);
	struct mp_error error;
	return mp_api_await(&(struct mp_api_waiting){session, on_done, data},
	                    mp_errand_drain(session->engine.session, host, timeout_ms, &error), &error, __func__);
}

int moonpool_host_recover(struct moonpool_session *handle, const char *address, uint32_t attempts,
                          uint32_t delay_ms, void (*on_done)(void *data, const struct moonpool_error *error),
                          void *data)
{
	struct mp_api_session *session = mp_api_connected_session(handle, __func__);
	const struct mp_host *host = session != NULL ? mp_api_host(handle, address, &session, __func__) : NULL;
	if (host == NULL)
		return moonpool_last_code();
	if (on_done == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_callback);
	if (attempts == 0)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "an attempt or more expected");
	struct mp_error error;
	return mp_api_await(&(struct mp_api_waiting){session, on_done, data},
	                    mp_errand_recover(session->engine.session, host, attempts, delay_ms, &error), &error,
	                    __func__);
}

int moonpool_session_switch_datacenter(struct moonpool_session *handle, const char *datacenter,
                                       uint32_t timeout_ms,
                                       void (*on_done)(void *data, const struct moonpool_error *error),
                                       void *data)
{
	struct mp_api_session *session = mp_api_connected_session(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	if (on_done == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_callback);
	struct mp_error error;
	struct mp_str name = mp_str_of(mp_api_shown(datacenter));
	return mp_api_await(&(struct mp_api_waiting){session, on_done, data},
	                    mp_errand_serve(session->engine.session, name, timeout_ms, &error), &error, __func__);
}

// ---- connections ahead of the load ------------------------------------------------------------------------

static void on_warm(void *data, const struct mp_warmup_end *end)
{
	on_errand_done(data, end->error);
}

static int warm(const struct mp_api_waiting *waiting, struct mp_warmup *warmup, const char *function)
{
	struct mp_api_waiting *kept = warmup != NULL ? mp_calloc(1, sizeof(*kept)) : NULL;
	if (kept == NULL) {
		mp_warmup_free(warmup);
		return mp_api_refuse(function, MOONPOOL_NO_MEMORY, NULL);
	}
	*kept = *waiting;
	mp_warmup_start(warmup, on_warm, kept);
	return 0;
}

int moonpool_session_warmup(struct moonpool_session *handle,
                            void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	struct mp_api_session *session = mp_api_connected_session(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	if (on_done == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_callback);
	return warm(&(struct mp_api_waiting){session, on_done, data},
	            mp_warmup_new_for_all(session->engine.session), __func__);
}

int moonpool_host_preallocate(struct moonpool_session *handle, const char *address, uint32_t connections,
                              void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	struct mp_api_session *session = mp_api_connected_session(handle, __func__);
	const struct mp_host *host = session != NULL ? mp_api_host(handle, address, &session, __func__) : NULL;
	if (host == NULL)
		return moonpool_last_code();
	if (on_done == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_callback);
	if (connections == 0 || connections > MP_API_CONNECTIONS_MOST)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "1 to 4096 connections expected");
	struct mp_warmup *warmup = mp_warmup_new(session->engine.session, 1);
	if (warmup != NULL)
		mp_warmup_add(warmup, host, connections);
	return warm(&(struct mp_api_waiting){session, on_done, data}, warmup, __func__);
}
