// SPDX-License-Identifier: Apache-2.0
// The C API: the life of a session. It may be closed at any time; its object is given back behind its last callback, so
// whoever still holds the handle is told that it is closed.
#include <stdio.h>

#include "api/internal.h"

// ---- opening ----------------------------------------------------------------------------------------------

static void reap(void *data);

static struct moonpool_session *make(struct mp_api_opening *opening, struct mp_api_loop *loop)
{
	struct mp_api_session *session = mp_api_take(MP_API_SESSION, sizeof(*session));
	opening->code = MOONPOOL_NO_MEMORY;
	if (session == NULL)
		return NULL;
	opening->session = session;
	session->engine = (struct mp_engine){.loop = loop->loop};
	if (mp_api_configure(opening) != 0) {
		mp_api_give(session);
		return NULL;
	}
	session->loop = loop;
	session->connecting = session->closing = false;
	session->shown_plan = NULL;
	session->shown_health = session->shown_performance = NULL;
	session->shown_connections = NULL;
	session->shown_connection_count = 0;
	mp_list_init(&session->nodes);
	mp_list_init(&session->traces);
	mp_list_init(&session->statements);
	mp_list_init(&session->unsent);
	session->newest = NULL;
	mp_task_init(&session->reap, reap, session);
	mp_list_node_init(&session->node);
	mp_list_push_back(&loop->sessions, &session->node);
	session->on_event = NULL;
	mp_api_news_init(session);
	mp_api_events_listen(session);
	mp_api_watch(session);
	return mp_api_handle(session);
}

static struct moonpool_session *open_session(struct mp_api_opening *opening, struct moonpool_loop *handle,
                                             bool is_complete, char *message, size_t message_size,
                                             const char *function)
{
	struct mp_api_loop *loop = mp_api_loop_of(handle, function);
	struct moonpool_session *session = NULL;
	if (loop != NULL && !is_complete) {
		mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the configuration's path or text is NULL");
	} else if (loop != NULL) {
		opening->loop = loop->loop;
		session = make(opening, loop);
		if (session == NULL)
			mp_api_refuse_text(function, opening->code,
			                   opening->message[0] != '\0' ? opening->message : mp_err_text(opening->code));
	}
	if (message == NULL || message_size == 0)
		return session;
	message[0] = '\0';
	if (session == NULL && loop != NULL && opening->message[0] != '\0')
		snprintf(message, message_size, "%s", opening->message);
	else if (session == NULL)
		snprintf(message, message_size, "%s", moonpool_last_message());
	return session;
}

struct moonpool_session *moonpool_session_from_file(struct moonpool_loop *loop, const char *path,
                                                    char *message, size_t message_size)
{
	struct mp_api_opening opening = {.path = path, .name = ""};
	return open_session(&opening, loop, path != NULL, message, message_size, __func__);
}

struct moonpool_session *moonpool_session_from_text(struct moonpool_loop *loop, const char *text,
                                                    const char *name, char *message, size_t message_size)
{
	struct mp_api_opening opening = {.text = text, .name = name != NULL ? name : "configuration"};
	return open_session(&opening, loop, text != NULL, message, message_size, __func__);
}

// ---- life -------------------------------------------------------------------------------------------------

struct mp_api_session *mp_api_session_of(const struct moonpool_session *handle, const char *function)
{
	struct mp_api_session *session = mp_api_object(handle, MP_API_SESSION, MOONPOOL_CLOSED, function);
	return session != NULL && mp_api_may(session->loop, function) ? session : NULL;
}

struct mp_api_session *mp_api_open_session(const struct moonpool_session *handle, const char *function)
{
	struct mp_api_session *session = mp_api_session_of(handle, function);
	if (session == NULL || !session->closing)
		return session;
	mp_api_refuse(function, MOONPOOL_CLOSED, "the session is being closed");
	return NULL;
}

struct mp_api_session *mp_api_connected_session(const struct moonpool_session *handle, const char *function)
{
	struct mp_api_session *session = mp_api_open_session(handle, function);
	if (session == NULL || mp_session_version(session->engine.session) != 0)
		return session;
	mp_api_refuse(function, MOONPOOL_CLOSED, "the session is not connected");
	return NULL;
}

void mp_api_tell(struct mp_api_session *session,
                 void (*on_done)(void *data, const struct moonpool_error *error), void *data,
                 const struct mp_error *error)
{
	struct mp_api_loop *loop = session->loop;
	if (!mp_api_enter(loop))
		return;
	uint64_t since_ns = mp_api_clock(loop);
	mp_api_answer_begin(loop, NULL, error);
	on_done(data, mp_api_error(loop));
	mp_api_answer_end(loop);
	mp_api_leave(loop);
	mp_api_note_slow(loop, since_ns, "end", data);
}

static void connected(void *data, const struct mp_error *error)
{
	struct mp_api_session *session = data;
	session->connecting = false;
	mp_api_tell(session, session->on_connected, session->connect_data, error);
}

int moonpool_session_connect(struct moonpool_session *handle,
                             void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	struct mp_api_session *session = mp_api_open_session(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	if (on_done == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "the callback is NULL");
	if (session->connecting)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "the session is being connected already");
	session->connecting = true;
	session->on_connected = on_done;
	session->connect_data = data;
	mp_session_connect(session->engine.session, connected, session);
	return 0;
}

static void reap(void *data)
{
	struct mp_api_session *session = data;
	struct mp_api_loop *loop = session->loop;
	mp_api_nodes_end(session);
	mp_api_traces_end(session);
	mp_api_requests_drop(session);
	while (session->statements.count > 0)
		mp_api_statement_drop(
			MP_CONTAINER_OF(mp_list_first(&session->statements), struct mp_api_statement, node));
	mp_api_news_drop(session);
	mp_api_connections_drop(session);
	mp_api_plan_drop(session);
	mp_api_reports_drop(session);
	mp_engine_free(&session->engine);
	mp_api_configuration_drop(session);
	mp_list_remove(&loop->sessions, &session->node);
	void (*on_closed)(void *) = session->on_closed;
	void *close_data = session->close_data;
	mp_api_give(session);
	if (on_closed == NULL || !mp_api_enter(loop))
		return;
	uint64_t since_ns = mp_api_clock(loop);
	on_closed(close_data);
	mp_api_leave(loop);
	mp_api_note_slow(loop, since_ns, "end", close_data);
}

static void closed(void *data)
{
	struct mp_api_session *session = data;
	mp_task_post(session->engine.loop, &session->reap, MP_PHASE_RUN);
}

int moonpool_session_close(struct moonpool_session *handle, void (*on_closed)(void *data), void *data)
{
	struct mp_api_session *session = mp_api_open_session(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	session->closing = true;
	session->on_closed = on_closed;
	session->close_data = data;
	mp_session_close(session->engine.session, session->engine.close_drain_ms, closed, session);
	return 0;
}
