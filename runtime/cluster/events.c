// SPDX-License-Identifier: Apache-2.0
#include "cluster/events.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/session_internal.h"

struct queued {
	struct mp_list_node node;
	struct mp_session_event event; // its strings point into the arrays below
	struct mp_host *host;
	struct mp_host *to;
	char reason[160];
	char keyspace[64], table[64], change[16];
	char from_dc[64], to_dc[64];
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
}

static struct queued *enqueue(struct mp_session *session, enum mp_session_event_kind kind)
{
	struct mp_events *events = &session->events;
	if (events->on_event == NULL)
		return NULL;
	struct queued *queued = mp_calloc(1, sizeof(*queued));
	if (queued == NULL) {
		events->lost++;
		return NULL;
	}
	queued->event = (struct mp_session_event){
		.kind = kind,
		.reason = queued->reason,
		.keyspace = queued->keyspace,
		.table = queued->table,
		.change = queued->change,
		.from_dc = queued->from_dc,
		.to_dc = queued->to_dc,
	};
	mp_list_node_init(&queued->node);
	mp_list_push_back(&events->queue, &queued->node);
	mp_session_post(session);
	return queued;
}

void mp_session_tell(struct mp_session *session, enum mp_session_event_kind kind, struct mp_host *host,
                     struct mp_host *to, const char *reason)
{
	struct queued *queued = enqueue(session, kind);
	if (queued == NULL)
		return;
	queued->event.host = queued->host = host;
	queued->event.to = queued->to = to;
	pin(host, 1);
	pin(to, 1);
	snprintf(queued->reason, sizeof(queued->reason), "%s", reason == NULL ? "" : reason);
}

static void copy(char *to, size_t size, struct mp_str text)
{
	size_t len = text.len < size - 1 ? text.len : size - 1;
	if (len > 0)
		memcpy(to, text.data, len);
	to[len] = '\0';
}

void mp_session_tell_schema(struct mp_session *session, struct mp_str keyspace, struct mp_str table,
                            struct mp_str change)
{
	struct queued *queued = enqueue(session, MP_EVENT_SCHEMA_CHANGED);
	if (queued == NULL)
		return;
	copy(queued->keyspace, sizeof(queued->keyspace), keyspace);
	copy(queued->table, sizeof(queued->table), table);
	copy(queued->change, sizeof(queued->change), change);
}

void mp_session_tell_dc(struct mp_session *session, const char *from, const char *to, const char *reason)
{
	struct queued *queued = enqueue(session, MP_EVENT_DC_FAILOVER);
	if (queued == NULL)
		return;
	snprintf(queued->from_dc, sizeof(queued->from_dc), "%s", from);
	snprintf(queued->to_dc, sizeof(queued->to_dc), "%s", to);
	snprintf(queued->reason, sizeof(queued->reason), "%s", reason);
}
