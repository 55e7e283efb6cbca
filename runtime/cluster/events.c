// SPDX-License-Identifier: Apache-2.0
#include "cluster/events.h"

#include <string.h>

#include "base/mem.h"
#include "cluster/session_internal.h"

#define TEXT_MAX 159u // of each text of an event

struct queued {
	struct mp_list_node node;
	struct mp_session_event event; // its strings point into `bytes`, or are ""
	struct mp_host *host;
	struct mp_host *to;
	char bytes[];
};

void mp_events_init(struct mp_events *events)
{
	*events = (struct mp_events){.on_event = NULL};
	mp_list_init(&events->queue);
}

static void pin(struct mp_host *host, int by)
{
	if (host != NULL)
		host->pins = (uint32_t)((int64_t)host->pins + by);
}

static void forget(struct queued *queued)
{
	pin(queued->host, -1);
	pin(queued->to, -1);
	mp_free(queued);
}

static struct queued *first(struct mp_events *events)
{
	struct mp_list_node *node = mp_list_pop_front(&events->queue);
	return node == NULL ? NULL : MP_CONTAINER_OF(node, struct queued, node);
}

void mp_events_clear(struct mp_events *events)
{
	struct queued *queued;
	while ((queued = first(events)) != NULL)
		forget(queued);
}

static struct mp_session_event blank(enum mp_session_event_kind kind)
{
	return (struct mp_session_event){
		.kind = kind, .reason = "", .keyspace = "", .table = "", .change = "", .from_dc = "", .to_dc = ""};
}

static void tell_dropped(struct mp_events *events)
{
	struct mp_session_event event = blank(MP_EVENT_EVENTS_DROPPED);
	event.count = events->untold;
	events->untold = 0;
	if (event.count > 0 && events->on_event != NULL)
		events->on_event(events->data, &event);
}

// Those queued meanwhile by the listener itself wait for the next round.
void mp_events_deliver(struct mp_events *events)
{
	for (size_t left = events->queue.count; left > 0; left--) {
		struct queued *queued = first(events);
		if (queued == NULL)
			return;
		if (events->on_event != NULL)
			events->on_event(events->data, &queued->event);
		forget(queued);
	}
	tell_dropped(events);
}

// ---- telling ----------------------------------------------------------------------------------------------

// A text of the event, and where it belongs.
struct text {
	const char **to;
	struct mp_str from;
};

static size_t room_for(const struct text *text)
{
	return (text->from.len < TEXT_MAX ? text->from.len : TEXT_MAX) + 1;
}

static void drop(struct mp_session *session)
{
	struct mp_events *events = &session->events;
	session->counters.events_dropped++;
	if (events->untold < UINT32_MAX)
		events->untold++;
	mp_session_post(session);
}

// The texts belong to `event`, which is copied.
static void enqueue(struct mp_session *session, struct mp_session_event *event, struct mp_host *host,
                    struct mp_host *to, const struct text *texts, size_t count)
{
	struct mp_events *events = &session->events;
	size_t size = 0;
	if (events->on_event == NULL)
		return;
	for (size_t i = 0; i < count; i++)
		size += room_for(&texts[i]);
	struct queued *queued = events->queue.count < MP_EVENTS_MAX ? mp_calloc(1, sizeof(*queued) + size) : NULL;
	if (queued == NULL) {
		drop(session);
		return;
	}
	char *at = queued->bytes;
	for (size_t i = 0; i < count; i++) {
		size_t len = room_for(&texts[i]);
		if (len > 1)
			memcpy(at, texts[i].from.data, len - 1);
		*texts[i].to = at;
		at += len;
	}
	queued->event = *event;
	queued->event.host = queued->host = host;
	queued->event.to = queued->to = to;
	pin(host, 1);
	pin(to, 1);
	mp_list_node_init(&queued->node);
	mp_list_push_back(&events->queue, &queued->node);
	mp_session_post(session);
}

void mp_session_tell(struct mp_session *session, enum mp_session_event_kind kind, struct mp_host *host,
                     struct mp_host *to, const char *reason)
{
	struct mp_session_event event = blank(kind);
	const struct text texts[] = {{&event.reason, mp_str_of(reason == NULL ? "" : reason)}};
	enqueue(session, &event, host, to, texts, MP_ARRAY_LEN(texts));
}

void mp_session_tell_schema(struct mp_session *session, struct mp_str keyspace, struct mp_str table,
                            struct mp_str change)
{
	struct mp_session_event event = blank(MP_EVENT_SCHEMA_CHANGED);
	const struct text texts[] = {{&event.keyspace, keyspace}, {&event.table, table}, {&event.change, change}};
	enqueue(session, &event, NULL, NULL, texts, MP_ARRAY_LEN(texts));
}

void mp_session_tell_dc(struct mp_session *session, const char *from, const char *to, const char *reason)
{
	struct mp_session_event event = blank(MP_EVENT_DC_FAILOVER);
	const struct text texts[] = {
		{&event.from_dc, mp_str_of(from)}, {&event.to_dc, mp_str_of(to)}, {&event.reason, mp_str_of(reason)}};
	enqueue(session, &event, NULL, NULL, texts, MP_ARRAY_LEN(texts));
}

void mp_session_tell_size(struct mp_session *session, struct mp_host *host, uint32_t from, uint32_t to,
                          const char *why)
{
	struct mp_session_event event = blank(MP_EVENT_POOL_RESIZED);
	const struct text texts[] = {{&event.reason, mp_str_of(why)}};
	event.from_size = from;
	event.to_size = to;
	enqueue(session, &event, host, NULL, texts, MP_ARRAY_LEN(texts));
}
