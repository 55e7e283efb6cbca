// SPDX-License-Identifier: Apache-2.0
// Room on connections: the queue of those that found none, and the signal that some came free. Whatever may have made
// room says so here: an answer, a new connection, a host that came or went, another configuration, another datacentre
// that serves. The session's chores then let those that wait look again, the first to come first.
#pragma once

#include "base/list.h"

struct mp_request;
struct mp_session;

struct mp_room {
	struct mp_session *session;
	struct mp_list waiting; // requests that are WAITING, by state.node, in the order they came
	bool came_free;         // since those that wait looked
};

void mp_room_init(struct mp_room *room, struct mp_session *session);
void mp_room_came_free(struct mp_room *room);
// The request waits. MP_EBUSY: as many as may do already; MP_ECLOSED: the session closes; MP_ENOMEM.
int mp_room_wait(struct mp_room *room, struct mp_request *request) MP_MUST_CHECK;
void mp_room_serve(struct mp_room *room); // the chores: those that wait look, if any came free
