// SPDX-License-Identifier: Apache-2.0
#include "cluster/start.h"

#include "cluster/session_internal.h"

#define LOOK_MS   5u
#define NS_PER_MS UINT64_C(1000000)
// A host that says nothing is waited for as long as this many times what the others took, and this long at least.
#define SILENCE_TIMES 4u
#define SILENCE_MS    2000u

// Those that have answered have their connections, and the others have been silent for much longer than they took.
static bool rest_is_silent(struct mp_start *start, uint64_t now_ns)
{
	bool complete = mp_hosts_rest_is_silent(&start->session->hosts);
	if (!complete || start->complete_ns == 0)
		start->complete_ns = complete ? now_ns : 0;
	if (!complete)
		return false;
	uint64_t took_ns = start->complete_ns - start->opened_ns;
	uint64_t patience_ns = SILENCE_TIMES * took_ns;
	if (patience_ns < SILENCE_MS * NS_PER_MS)
		patience_ns = SILENCE_MS * NS_PER_MS;
	return now_ns - start->complete_ns >= patience_ns;
}

// Enough to begin with. A host of the local datacentre, if there is one, and what warmup asks for.
static bool is_ready(struct mp_start *start, bool all_tried, uint64_t now_ns)
{
	struct mp_session *session = start->session;
	bool any_up = mp_hosts_any_up(&session->hosts, MP_DISTANCE_REMOTE);
	if (all_tried || !any_up)
		return any_up;
	uint64_t warm_ms = session->config.warmup_timeout_ms;
	bool is_late =
		warm_ms > 0 ? now_ns - start->opened_ns >= warm_ms * NS_PER_MS : now_ns >= start->give_up_ns;
	if (session->config.warmup && !is_late && !rest_is_silent(start, now_ns))
		return false;
	return mp_hosts_any_up(&session->hosts, MP_DISTANCE_LOCAL) || now_ns >= start->give_up_ns;
}

// The pools report one by one and some not at all: looked at until there is enough, or time is up.
static void on_look(void *data)
{
	struct mp_start *start = data;
	struct mp_session *session = start->session;
	uint64_t now_ns = mp_loop_now_ns(session->loop);
	bool all_tried = mp_hosts_are_tried(&session->hosts);
	if (is_ready(start, all_tried, now_ns)) {
		mp_session_become_open(session);
		return;
	}
	bool any_up = mp_hosts_any_up(&session->hosts, MP_DISTANCE_REMOTE);
	bool goes_on = any_up || (!all_tried && now_ns < start->give_up_ns);
	if (goes_on && mp_timer_start_ms(&start->timer, LOOK_MS) == 0)
		return;
	mp_session_describe_hosts(session);
	mp_session_fail_connect(session);
}

void mp_start_init(struct mp_start *start, struct mp_session *session)
{
	*start = (struct mp_start){.session = session};
	mp_timer_init(&start->timer, session->loop, on_look, start);
}

void mp_start_begin(struct mp_start *start)
{
	struct mp_session *session = start->session;
	start->opened_ns = mp_loop_now_ns(session->loop);
	start->complete_ns = 0;
	// One deadline for all behind the control connection, but pools have some of it for themselves.
	uint64_t least_ns = start->opened_ns + session->config.connect_timeout_ms * NS_PER_MS / 4;
	start->give_up_ns = session->topology.due_ns > least_ns ? session->topology.due_ns : least_ns;
	if (mp_timer_start_ms(&start->timer, LOOK_MS) == 0)
		return;
	mp_error_set(&session->connect_error, MP_ENOMEM, -1, "out of memory");
	mp_session_fail_connect(session);
}

void mp_start_stop(struct mp_start *start)
{
	mp_timer_stop(&start->timer);
}
