// SPDX-License-Identifier: Apache-2.0
// Nothing moves in a hurry and nothing twice in one: a datacentre serves only when its hosts that are up have the
// connections of local ones (so that a return is no herd on a single connection), and stays for a while at least,
// whatever the policy says.
#include "cluster/failover.h"

#include <stdio.h>
#include <string.h>

#include "cluster/host_internal.h"
#include "cluster/session_internal.h"

#define STAY_MS           5000u
#define PATIENCE_MS       5000u  // for connections of a datacentre that is to replace a broken one
#define HOME_PATIENCE_MS  60000u // of home, which nothing hurries
#define COMPLAIN_EVERY_MS 10000u

void mp_failover_init(struct mp_failover *failover, struct mp_session *session)
{
	*failover = (struct mp_failover){.session = session, .preparing = MP_NO_HOST};
	failover->dcs.home = failover->dcs.serving = MP_NO_HOST;
}

void mp_failover_deinit(struct mp_failover *failover)
{
	mp_datacentres_deinit(&failover->dcs);
}

void mp_failover_forget(struct mp_failover *failover)
{
	mp_datacentres_deinit(&failover->dcs);
	mp_failover_init(failover, failover->session);
	failover->session->away = false;
}

// ---- looking ------------------------------------------------------------------------------------------------------

static bool look(struct mp_failover *failover)
{
	struct mp_session *session = failover->session;
	struct mp_view *view = &session->view;
	uint32_t up[MP_DCS_MAX];
	uint32_t total[MP_DCS_MAX] = {0};
	if (failover->dcs.home == MP_NO_HOST && session->cluster.local_dc != NULL) {
		int home = mp_view_dc_id(view, session->cluster.local_dc);
		failover->dcs.home = failover->dcs.serving = home < 0 ? MP_NO_HOST : (uint16_t)home;
	}
	for (uint16_t dc = 0; dc < view->dc_count; dc++)
		up[dc] = view->dcs[dc].count;
	for (uint32_t i = 0; i < session->hosts.live_count; i++) {
		uint16_t dc = view->hosts[session->hosts.live[i]->index].dcId;
		if (dc < MP_DCS_MAX)
			total[dc]++;
	}
	return failover->dcs.home != MP_NO_HOST &&
	       mp_datacentres_look(&failover->dcs, view, up, total, mp_loop_now_ms(session->loop));
}

bool mp_failover_prepares(const struct mp_failover *failover, uint16_t dc)
{
	return dc != MP_NO_HOST && dc == failover->preparing;
}

// ---- preparing ----------------------------------------------------------------------------------------------------

static void prepare(struct mp_failover *failover, uint16_t dc)
{
	struct mp_hosts *hosts = &failover->session->hosts;
	failover->preparing = dc;
	failover->wanted_ms = failover->dcs.now_ms;
	for (uint32_t i = 0; i < hosts->live_count; i++)
		mp_host_resize(hosts->live[i]);
}

static bool is_prepared(const struct mp_failover *failover)
{
	const struct mp_session *session = failover->session;
	uint32_t up = 0;
	bool complete = true;
	for (uint32_t i = 0; i < session->hosts.live_count; i++) {
		const struct mp_host *host = session->hosts.live[i];
		if (host->state != MP_HOST_UP || session->view.hosts[host->index].dcId != failover->preparing)
			continue;
		up++;
		complete = complete && host->pool.ready_count >= host->pool.limits.core;
	}
	uint32_t patience_ms = failover->preparing == failover->dcs.home ? HOME_PATIENCE_MS : PATIENCE_MS;
	return up > 0 && (complete || failover->dcs.now_ms - failover->wanted_ms >= patience_ms);
}

// ---- moving -------------------------------------------------------------------------------------------------------

static const char *name_of(const struct mp_failover *failover, uint16_t dc)
{
	return failover->session->view.dc_names[dc];
}

static void explain(const struct mp_failover *failover, struct mp_failover_wish *wish)
{
	bool returns = wish->dc == failover->dcs.home;
	const struct mp_dc_view *dc = &failover->dcs.dcs[returns ? wish->dc : failover->dcs.serving];
	if (wish->why[0] == '\0')
		snprintf(wish->why, sizeof(wish->why), "%s%s: %u of %u hosts are up",
		         name_of(failover, (uint16_t)dc->index), returns ? " is back" : "", dc->up, dc->total);
}

static void move(struct mp_failover *failover, const struct mp_failover_wish *wish)
{
	struct mp_session *session = failover->session;
	uint16_t from = failover->dcs.serving;
	failover->dcs.serving = wish->dc;
	failover->preparing = MP_NO_HOST;
	failover->moved_ms = failover->dcs.now_ms;
	failover->moves++;
	session->counters.dc_moves++;
	session->away = wish->dc != failover->dcs.home;
	for (uint32_t i = 0; i < session->hosts.live_count; i++)
		mp_host_relocate(session->hosts.live[i]);
	session->view.local_dc = wish->dc;
	// Plans that are made from now on see nothing in between.
	if (mp_view_rebuild(&session->view) != 0)
		mp_session_view_changed(session);
	mp_room_came_free(&session->room);
	mp_log_write(&session->log, MP_LOG_WARN, "datacentre %s serves instead of %s: %s",
	             name_of(failover, wish->dc), name_of(failover, from), wish->why);
	mp_session_tell_dc(session, name_of(failover, from), name_of(failover, wish->dc), wish->why);
}

// A wish that cannot be meant.
static void complain(struct mp_failover *failover, uint16_t dc)
{
	uint64_t held;
	failover->refused++;
	if (!mp_log_gate_open(&failover->gate, failover->dcs.now_ms, COMPLAIN_EVERY_MS, &held))
		return;
	mp_log_write(
		&failover->session->log, MP_LOG_WARN,
		"the failover policy wants datacentre %u, which has no hosts: %s goes on (%llu more like it)", dc,
		name_of(failover, failover->dcs.serving), (unsigned long long)held);
}

// What should serve now: what the policy says, and home when there is none any more.
static bool ask(struct mp_failover *failover, struct mp_failover_wish *wish)
{
	const struct mp_failover_policy *policy = &failover->session->policies.failover;
	*wish = (struct mp_failover_wish){.dc = failover->dcs.serving};
	if (policy->decide != NULL)
		return policy->decide(policy->self, &failover->dcs, wish);
	wish->dc = failover->dcs.home;
	return true;
}

void mp_failover_review(struct mp_failover *failover)
{
	struct mp_session *session = failover->session;
	bool is_idle =
		session->policies.failover.decide == NULL && !session->away && failover->preparing == MP_NO_HOST;
	if (is_idle || session->state != MP_SESSION_OPEN || !look(failover))
		return;
	struct mp_datacentres *dcs = &failover->dcs;
	struct mp_failover_wish wish;
	bool decided = ask(failover, &wish);
	if (decided && wish.dc != dcs->serving && (wish.dc >= dcs->count || dcs->dcs[wish.dc].total == 0)) {
		complain(failover, wish.dc);
		decided = false;
	}
	uint16_t next = decided && wish.dc != dcs->serving ? wish.dc : MP_NO_HOST;
	if (next != failover->preparing)
		prepare(failover, next);
	bool is_settled = failover->moves == 0 || dcs->now_ms - failover->moved_ms >= STAY_MS;
	if (next == MP_NO_HOST || !is_settled || !is_prepared(failover))
		return;
	explain(failover, &wish);
	move(failover, &wish);
}

// ---- requests that belong to home ---------------------------------------------------------------------------------

bool mp_failover_keeps(const struct mp_failover *failover, const struct mp_request_view *req)
{
	if (!req->isLocalConsistency)
		return false;
	// Two datacentres that each decide a lightweight transaction for themselves decide differently.
	bool is_serial = req->isLwt || req->consistency == MP_CL_LOCAL_SERIAL;
	return is_serial || !failover->session->config.failover_allows_local;
}

void mp_failover_home_plan(const struct mp_failover *failover, const struct mp_request_view *req,
                           struct mp_plan *plan)
{
	uint16_t home = failover->dcs.home;
	mp_plan_replicas(plan, MP_SCOPE_DC, req->isLwt ? MP_ORDER_PRIMARY_FIRST : MP_ORDER_SHUFFLED, 0, home);
	mp_plan_hosts(plan, MP_SCOPE_DC, MP_ORDER_IN_TURN, 0, home);
}

__attribute__((noinline)) void mp_failover_bring_home(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	const struct mp_failover *failover = &request->session->failover;
	struct mp_request_view view;
	state->planned_moves = failover->moves;
	mp_request_view(request, &view);
	if (request->options.pinned_host != MP_NO_HOST || !mp_failover_keeps(failover, &view))
		return;
	struct mp_plan *plan = &state->plan;
	uint16_t seen[MP_PLAN_SEEN];
	uint16_t seen_count = plan->seen_count;
	memcpy(seen, plan->seen, sizeof(seen));
	mp_plan_init(plan, plan->view, plan->placement, plan->has_token, plan->token, plan->chance);
	memcpy(plan->seen, seen, sizeof(seen));
	plan->seen_count = seen_count;
	mp_failover_home_plan(failover, &view, plan);
}
