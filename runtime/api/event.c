// SPDX-License-Identifier: Apache-2.0
// The C API: what a session tells by itself: events, and the lines of the log. Events come from the loop, outside of
// every call; what a call of the program's changes in the configuration is told in a later turn.
#include <stdio.h>

#include "api/internal.h"
#include "base/mem.h"

// In the order of enum moonpool_event_kind; as in Lua.
static const char *const names[] = {
	"hostUp",         "hostDown",    "hostAdded",    "hostRemoved",   "connectionAdded", "connectionRemoved",
	"connectionLost", "failover",    "failover",     "breakerOpen",   "breakerHalfOpen", "breakerClose",
	"schemaChange",   "poolResize",  "metrics",      "eventsDropped", "policyReload",    "policyError",
	"configReload",   "configError", "policyCanary",
};

static struct moonpool_event blank(enum moonpool_event_kind kind)
{
	return (struct moonpool_event){
		.kind = kind,
		.name = names[kind],
		.host = "",
		.from = "",
		.to = "",
		.reason = "",
		.keyspace = "",
		.table = "",
		.policy = "",
		.file = "",
	};
}

static void tell(struct mp_api_session *session, const struct moonpool_event *event)
{
	struct mp_api_loop *loop = session->loop;
	void *data = session->event_data;
	if (session->on_event == NULL || !mp_api_enter(loop))
		return;
	uint64_t since_ns = mp_api_clock(loop);
	session->on_event(data, event);
	mp_api_leave(loop);
	mp_api_note_slow(loop, since_ns, "event", data);
}

static const char *host_text(const struct mp_host *host)
{
	return host != NULL ? host->addr_text : "";
}

// In the order of enum mp_session_event_kind.
static const uint8_t kinds[] = {
	[MP_EVENT_HOST_UP] = MOONPOOL_EVENT_HOST_UP,
	[MP_EVENT_HOST_DOWN] = MOONPOOL_EVENT_HOST_DOWN,
	[MP_EVENT_HOST_ADDED] = MOONPOOL_EVENT_HOST_ADDED,
	[MP_EVENT_HOST_REMOVED] = MOONPOOL_EVENT_HOST_REMOVED,
	[MP_EVENT_CONNECTION_ADDED] = MOONPOOL_EVENT_CONNECTION_ADDED,
	[MP_EVENT_CONNECTION_REMOVED] = MOONPOOL_EVENT_CONNECTION_REMOVED,
	[MP_EVENT_CONNECTION_LOST] = MOONPOOL_EVENT_CONNECTION_LOST,
	[MP_EVENT_FAILOVER] = MOONPOOL_EVENT_FAILOVER,
	[MP_EVENT_DC_FAILOVER] = MOONPOOL_EVENT_DATACENTER_FAILOVER,
	[MP_EVENT_SCHEMA_CHANGED] = MOONPOOL_EVENT_SCHEMA_CHANGED,
	[MP_EVENT_POOL_RESIZED] = MOONPOOL_EVENT_POOL_RESIZED,
	[MP_EVENT_BREAKER_OPEN] = MOONPOOL_EVENT_BREAKER_OPEN,
	[MP_EVENT_BREAKER_HALF_OPEN] = MOONPOOL_EVENT_BREAKER_HALF_OPEN,
	[MP_EVENT_BREAKER_CLOSE] = MOONPOOL_EVENT_BREAKER_CLOSE,
	[MP_EVENT_METRICS] = MOONPOOL_EVENT_METRICS,
	[MP_EVENT_EVENTS_DROPPED] = MOONPOOL_EVENT_DROPPED,
};

static void on_session_event(void *data, const struct mp_session_event *from)
{
	struct moonpool_event event = blank((enum moonpool_event_kind)kinds[from->kind]);
	event.host = host_text(from->host);
	event.to = from->to != NULL ? host_text(from->to) : from->to_dc;
	event.from = from->from_dc;
	event.reason = from->kind == MP_EVENT_SCHEMA_CHANGED ? from->change : from->reason;
	event.keyspace = from->keyspace;
	event.table = from->table;
	event.from_size = from->from_size;
	event.to_size = from->to_size;
	event.count = from->count;
	tell(data, &event);
}

static void on_canary(void *data, const struct mp_policy_event *from)
{
	struct moonpool_event event = blank(MOONPOOL_EVENT_POLICY_CANARY);
	event.policy = mp_policy_kind_name(from->policy);
	event.from = from->canary->name;
	event.to = mp_canary_state_name(from->canary->state);
	event.file = from->canary->file;
	event.reason = from->canary->reason;
	event.generation = from->canary->generation;
	tell(data, &event);
}

static void on_policy_event(void *data, const struct mp_policy_event *from)
{
	if (from->kind == MP_POLICY_CANARY) {
		if (from->canary != NULL)
			on_canary(data, from);
		return;
	}
	bool is_error = from->kind == MP_POLICY_ERROR;
	struct moonpool_event event =
		blank(is_error ? MOONPOOL_EVENT_POLICY_ERROR : MOONPOOL_EVENT_POLICY_RELOADED);
	event.policy = mp_policy_kind_name(from->policy);
	event.from = from->name;
	event.file = from->file;
	event.reason = from->message;
	event.generation = from->generation;
	tell(data, &event);
}

void mp_api_events_listen(struct mp_api_session *session)
{
	mp_session_set_listener(session->engine.session, on_session_event, session);
	mp_policies_listen(session->engine.policies, on_policy_event, session);
}

int moonpool_session_on_event(struct moonpool_session *handle,
                              void (*on_event)(void *data, const struct moonpool_event *event), void *data)
{
	struct mp_api_session *session = mp_api_open_session(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	session->on_event = on_event;
	session->event_data = data;
	return 0;
}

// ---- news of the configuration ----------------------------------------------------------------------------

// One that waits to be told.
struct mp_api_news {
	struct mp_list_node node; // in session->news
	enum moonpool_event_kind kind;
	char file[256];
	char text[512];
};

static void tell_news(void *data)
{
	struct mp_api_session *session = data;
	for (size_t left = session->news.count; left > 0; left--) {
		struct mp_api_news *news =
			MP_CONTAINER_OF(mp_list_pop_front(&session->news), struct mp_api_news, node);
		struct moonpool_event event = blank(news->kind);
		event.file = news->file;
		event.reason = news->text;
		tell(session, &event);
		mp_free(news);
	}
}

void mp_api_news_init(struct mp_api_session *session)
{
	mp_list_init(&session->news);
	mp_task_init(&session->tell_news, tell_news, session);
}

void mp_api_news_add(struct mp_api_session *session, enum moonpool_event_kind kind, const char *file,
                     const char *text)
{
	struct mp_api_news *news = session->on_event != NULL ? mp_calloc(1, sizeof(*news)) : NULL;
	if (news == NULL) // it is in the log
		return;
	news->kind = kind;
	snprintf(news->file, sizeof(news->file), "%s", file);
	snprintf(news->text, sizeof(news->text), "%s", text);
	mp_list_node_init(&news->node);
	mp_list_push_back(&session->news, &news->node);
	mp_task_post(session->engine.loop, &session->tell_news, MP_PHASE_RUN);
}

void mp_api_news_drop(struct mp_api_session *session)
{
	mp_task_cancel(session->engine.loop, &session->tell_news);
	while (session->news.count > 0)
		mp_free(MP_CONTAINER_OF(mp_list_pop_front(&session->news), struct mp_api_news, node));
}

// ---- the log ----------------------------------------------------------------------------------------------

static void write_line(void *data, enum mp_log_level level, const char *line)
{
	struct mp_api_loop *loop = data;
	loop->telling++;
	loop->on_line(loop->line_data, (enum moonpool_log_level)level, line);
	loop->telling--;
}

static void use_log(struct mp_api_loop *loop, struct mp_log *log)
{
	log->sink = loop->on_line != NULL ? write_line : NULL;
	log->data = loop;
}

int moonpool_loop_on_log(struct moonpool_loop *handle,
                         void (*on_line)(void *data, enum moonpool_log_level level, const char *line),
                         void *data)
{
	struct mp_api_loop *loop = mp_api_loop_of(handle, __func__);
	if (loop == NULL)
		return moonpool_last_code();
	loop->on_line = on_line;
	loop->line_data = data;
	use_log(loop, mp_loop_log(loop->loop));
	struct mp_list_node *node = mp_list_first(&loop->sessions);
	for (; node != NULL; node = mp_list_next(&loop->sessions, node))
		use_log(loop, mp_session_log(MP_CONTAINER_OF(node, struct mp_api_session, node)->engine.session));
	return 0;
}
