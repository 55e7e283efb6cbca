// SPDX-License-Identifier: Apache-2.0
// News for the session's listener: queued where it happens, told later in the same turn from the session's own task, so
// a listener may do anything. A host that is named in a waiting event is not freed.
//
// At most MP_EVENTS_MAX wait. What comes beyond them, or finds no memory, is dropped and counted, and behind those that
// waited the listener is told how many that were (EVENTS_DROPPED).
#pragma once

#include "cluster/session.h"

enum { MP_EVENTS_MAX = 16384 };

struct mp_events {
	struct mp_list queue;
	void (*on_event)(void *data, const struct mp_session_event *event);
	void *data;
	uint32_t untold; // dropped ones that the listener does not know of yet
};

void mp_events_init(struct mp_events *events);
void mp_events_clear(struct mp_events *events); // forget what waits
void mp_events_deliver(struct mp_events *events);
// `host` and `to` may be NULL; `reason` NULL is "".
void mp_session_tell(struct mp_session *session, enum mp_session_event_kind kind, struct mp_host *host,
                     struct mp_host *to, const char *reason);
// DC_FAILOVER.
void mp_session_tell_dc(struct mp_session *session, const char *from, const char *to, const char *reason);
// POOL_RESIZED.
void mp_session_tell_size(struct mp_session *session, struct mp_host *host, uint32_t from, uint32_t to,
                          const char *why);
void mp_session_tell_schema(struct mp_session *session, struct mp_str keyspace, struct mp_str table,
                            struct mp_str change);
