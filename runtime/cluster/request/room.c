// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/room.h"

#include "cluster/request/request.h"
#include "cluster/session_internal.h"

void mp_room_init(struct mp_room *room, struct mp_session *session)
{
	room->session = session;
	room->came_free = false;
	mp_list_init(&room->waiting);
}

void mp_room_came_free(struct mp_room *room)
{
	room->came_free = true;
	mp_session_post(room->session);
}

int mp_room_wait(struct mp_room *room, struct mp_request *request)
{
	if (room->session->state != MP_SESSION_OPEN)
		return MP_ECLOSED; // its hosts take nothing new: nothing will come free
	if (room->waiting.count >= room->session->config.max_queued) {
		room->session->counters.busy++;
		return MP_EBUSY;
	}
	int rc = mp_request_watch(request);
	if (rc != 0)
		return rc;
	mp_request_rewind(request);
	mp_request_enter(request, MP_REQUEST_WAITING);
	room->session->counters.queued++;
	return 0;
}

static void give_up(struct mp_request *request, int rc)
{
	char text[MP_REFUSAL_TEXT];
	mp_request_fail(request, MP_REQUEST_LATER, rc, "%s", mp_request_refusal(request, rc, text));
}

static uint32_t count_bits(uint32_t bits)
{
	return (uint32_t)__builtin_popcount(bits);
}

static void wake_requests(struct mp_room *room)
{
	struct mp_list_node *node = mp_list_first(&room->waiting);
	while (node != NULL) {
		struct mp_list_node *next = mp_list_next(&room->waiting, node);
		struct mp_request *request = mp_request_at(node);
		struct mp_request_state *state = request->state;
		int rc = mp_attempt_to_next_host(&state->first);
		if (rc == 0) {
			mp_speculation_again(request);
		} else if (rc == MP_EBUSY) {
			bool all_full = count_bits(state->passed) >= room->session->view.up_count;
			mp_request_rewind(request);
			if (all_full)
				return;
		} else {
			give_up(request, rc);
		}
		node = next;
	}
}

void mp_room_serve(struct mp_room *room)
{
	if (!room->came_free)
		return;
	room->came_free = false;
	wake_requests(room);
	mp_prepares_wake(&room->session->prepares);
}
