// SPDX-License-Identifier: Apache-2.0
// The C API: the connections of a session, as they were when they were counted. They come and go in every turn of the
// loop, so what is shown is a copy.
#include <stdio.h>

#include "api/internal.h"
#include "base/mem.h"

struct mp_api_connection {
	struct moonpool_connection shown;
	char host[MP_ADDR_TEXT];
};

static void count(void *data, const struct mp_host *host, const struct mp_conn *conn)
{
	(void)host, (void)conn;
	++*(uint32_t *)data;
}

static void show(void *data, const struct mp_host *host, const struct mp_conn *conn)
{
	struct mp_api_session *session = data;
	struct mp_loop *loop = session->engine.loop;
	uint64_t used_ms = mp_conn_last_used_ms(conn);
	struct mp_api_connection *to = &session->shown_connections[session->shown_connection_count++];
	snprintf(to->host, sizeof(to->host), "%s", host->addr_text);
	to->shown = (struct moonpool_connection){
		.id = mp_conn_id(conn),
		.host = to->host,
		.state = mp_conn_state_name(mp_conn_state(conn)),
		.in_flight = mp_conn_in_flight(conn),
		.created_ms = (uint64_t)mp_loop_wall_ms_of(loop, mp_conn_created_ms(conn)),
		.last_used_ms = used_ms != 0 ? (uint64_t)mp_loop_wall_ms_of(loop, used_ms) : 0,
	};
}

int moonpool_session_connections(struct moonpool_session *handle)
{
	struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	uint32_t there = 0;
	mp_session_each_conn(session->engine.session, count, &there);
	mp_api_connections_drop(session);
	if (there == 0)
		return 0;
	session->shown_connections = mp_calloc(there, sizeof(session->shown_connections[0]));
	if (session->shown_connections == NULL)
		return mp_api_refuse(__func__, MOONPOOL_NO_MEMORY, NULL);
	mp_session_each_conn(session->engine.session, show, session);
	return (int)there;
}

const struct moonpool_connection *moonpool_session_connection(struct moonpool_session *handle, uint32_t i)
{
	struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return NULL;
	if (i < session->shown_connection_count)
		return &session->shown_connections[i].shown;
	mp_api_refuse(__func__, MOONPOOL_NOT_FOUND, "moonpool_session_connections() has counted fewer");
	return NULL;
}

void mp_api_connections_drop(struct mp_api_session *session)
{
	mp_free(session->shown_connections);
	session->shown_connections = NULL;
	session->shown_connection_count = 0;
}
