// SPDX-License-Identifier: Apache-2.0
// Nothing moves in a hurry and nothing twice in one: a datacentre serves only when its hosts that are up have the
// connections of local ones (so that a return is no herd on a single connection), and stays for a while at least,
// whatever the policy says.
#include "cluster/serving.h"

#include <stdio.h>
#include <string.h>

#include "cluster/session_internal.h"
#include "cluster/topology/host_internal.h"
#include "cluster/topology/remotes.h"

#define STAY_MS           5000u
#define PATIENCE_MS       5000u  // for connections of a datacentre that is to replace a broken one
#define HOME_PATIENCE_MS  60000u // of home, which nothing hurries
#define COMPLAIN_EVERY_MS 10000u

void mp_serving_init(struct mp_serving *serving, struct mp_session *session)
{
	*serving = (struct mp_serving){.session = session, .wanted = MP_NO_HOST, .preparing = MP_NO_HOST};
	serving->dcs.home = serving->dcs.serving = MP_NO_HOST;
}

void mp_serving_deinit(struct mp_serving *serving)
{
	mp_datacentres_deinit(&serving->dcs);
}

void mp_serving_forget(struct mp_serving *serving)
{
	mp_datacentres_deinit(&serving->dcs);
	mp_serving_init(serving, serving->session);
	serving->session->away = false;
}

// ---- looking ----------------------------------------------------------------------------------------------

static bool count_hosts(struct mp_serving *serving)
{
	struct mp_session *session = serving->session;
	struct mp_view *view = &session->view;
	uint32_t up[MP_DCS_MAX];
	uint32_t total[MP_DCS_MAX] = {0};
	if (serving->dcs.home == MP_NO_HOST && session->cluster.local_dc != NULL) {
		int home = mp_view_dc_id(view, session->cluster.local_dc);
		serving->dcs.home = serving->dcs.serving = home < 0 ? MP_NO_HOST : (uint16_t)home;
	}
	for (uint16_t dc = 0; dc < view->dc_count; dc++)
		up[dc] = view->dcs[dc].count;
	for (uint32_t i = 0; i < session->hosts.live_count; i++) {
		uint16_t dc = view->hosts[session->hosts.live[i]->index].dcId;
		if (dc < MP_DCS_MAX)
			total[dc]++;
	}
	return serving->dcs.home != MP_NO_HOST &&
	       mp_datacentres_look(&serving->dcs, view, up, total, mp_loop_now_ms(session->loop));
}

bool mp_serving_prepares(const struct mp_serving *serving, uint16_t dc)
{
	return dc != MP_NO_HOST && dc == serving->preparing;
}

// ---- preparing --------------------------------------------------------------------------------------------

static void prepare(struct mp_serving *serving, uint16_t dc)
{
	struct mp_hosts *hosts = &serving->session->hosts;
	serving->preparing = dc;
	serving->wanted_ms = serving->dcs.now_ms;
	for (uint32_t i = 0; i < hosts->live_count; i++)
		mp_host_resize(hosts->live[i]);
}

static bool is_prepared(const struct mp_serving *serving)
{
	const struct mp_session *session = serving->session;
	uint32_t up = 0;
	bool complete = true;
	for (uint32_t i = 0; i < session->hosts.live_count; i++) {
		const struct mp_host *host = session->hosts.live[i];
		if (host->state != MP_HOST_UP || session->view.hosts[host->index].dcId != serving->preparing)
			continue;
		up++;
		complete = complete && host->pool.ready_count >= host->pool.limits.core;
	}
	uint32_t patience_ms = serving->preparing == serving->dcs.home ? HOME_PATIENCE_MS : PATIENCE_MS;
	return up > 0 && (complete || serving->dcs.now_ms - serving->wanted_ms >= patience_ms);
}

// ---- moving -----------------------------------------------------------------------------------------------

static const char *name_of(const struct mp_serving *serving, uint16_t dc)
{
	return serving->session->view.dc_names[dc];
}

static void explain(const struct mp_serving *serving, struct mp_serving_wish *wish)
{
	bool returns = wish->dc == serving->dcs.home;
	const struct mp_dc_view *dc = &serving->dcs.dcs[returns ? wish->dc : serving->dcs.serving];
	if (wish->why[0] == '\0')
		snprintf(wish->why, sizeof(wish->why), "%s%s: %u of %u hosts are up",
		         name_of(serving, (uint16_t)dc->index), returns ? " is back" : "", dc->up, dc->total);
}

static void hand_over(struct mp_serving *serving, const struct mp_serving_wish *wish)
{
	struct mp_session *session = serving->session;
	uint16_t from = serving->dcs.serving;
	serving->dcs.serving = wish->dc;
	serving->preparing = MP_NO_HOST;
	serving->changed_ms = serving->dcs.now_ms;
	serving->changes++;
	session->counters.dc_changes++;
	session->away = wish->dc != serving->dcs.home;
	for (uint32_t i = 0; i < session->hosts.live_count; i++)
		mp_host_relocate(session->hosts.live[i]);
	session->view.local_dc = wish->dc;
	// Plans that are made from now on see nothing in between.
	if (mp_view_rebuild(&session->view) != 0)
		mp_session_view_changed(session);
	mp_room_came_free(&session->room);
	mp_log_write(&session->log, MP_LOG_WARN, "datacentre %s serves instead of %s: %s",
	             name_of(serving, wish->dc), name_of(serving, from), wish->why);
	mp_session_tell_dc(session, name_of(serving, from), name_of(serving, wish->dc), wish->why);
}

// A wish that cannot be meant.
static void complain(struct mp_serving *serving, uint16_t dc)
{
	uint64_t held;
	serving->refused++;
	if (!mp_log_gate_open(&serving->gate, serving->dcs.now_ms, COMPLAIN_EVERY_MS, &held))
		return;
	mp_log_write(
		&serving->session->log, MP_LOG_WARN,
		"the failover policy wants datacentre %u, which has no hosts: %s goes on (%llu more like it)", dc,
		name_of(serving, serving->dcs.serving), (unsigned long long)held);
}

// What should serve now: what the application wants, then what the policy says, and home when there is none any more.
static bool ask(struct mp_serving *serving, struct mp_serving_wish *wish)
{
	const struct mp_serving_policy *policy = &serving->session->policies.serving;
	*wish = (struct mp_serving_wish){.dc = serving->dcs.serving};
	if (serving->wanted != MP_NO_HOST) {
		wish->dc = serving->wanted;
		snprintf(wish->why, sizeof(wish->why), "the application wants it");
		return true;
	}
	if (policy->decide != NULL)
		return policy->decide(policy->self, &serving->dcs, wish);
	wish->dc = serving->dcs.home;
	return true;
}

void mp_serving_review(struct mp_serving *serving)
{
	struct mp_session *session = serving->session;
	bool is_idle = session->policies.serving.decide == NULL && !session->away &&
	               serving->wanted == MP_NO_HOST && serving->preparing == MP_NO_HOST;
	if (is_idle || session->state != MP_SESSION_OPEN || !count_hosts(serving))
		return;
	struct mp_datacentres *dcs = &serving->dcs;
	struct mp_serving_wish wish;
	bool decided = ask(serving, &wish);
	if (decided && wish.dc != dcs->serving && (wish.dc >= dcs->count || dcs->dcs[wish.dc].total == 0)) {
		complain(serving, wish.dc);
		decided = false;
	}
	uint16_t next = decided && wish.dc != dcs->serving ? wish.dc : MP_NO_HOST;
	if (next != serving->preparing)
		prepare(serving, next);
	bool is_settled = serving->changes == 0 || dcs->now_ms - serving->changed_ms >= STAY_MS;
	if (next == MP_NO_HOST || !is_settled || !is_prepared(serving))
		return;
	explain(serving, &wish);
	hand_over(serving, &wish);
}

// Its hosts must be connected before it can serve, and those of home while it does not.
void mp_serving_want(struct mp_serving *serving, uint16_t dc)
{
	struct mp_hosts *hosts = &serving->session->hosts;
	if (serving->wanted == dc)
		return;
	serving->wanted = dc;
	for (uint32_t i = 0; i < hosts->live_count; i++)
		mp_host_relocate(hosts->live[i]);
	mp_remotes_changed(hosts);
	mp_session_view_changed(serving->session);
}

// ---- requests that belong to home -------------------------------------------------------------------------

bool mp_serving_keeps(const struct mp_serving *serving, const struct mp_request_view *req)
{
	if (!req->isLocalConsistency)
		return false;
	// Two datacentres that each decide a lightweight transaction for themselves decide differently.
	bool is_serial = req->isLwt || req->consistency == MP_CL_LOCAL_SERIAL;
	return is_serial || !serving->session->config.local_may_follow;
}

void mp_serving_home_plan(const struct mp_serving *serving, const struct mp_request_view *req,
                          struct mp_plan *plan)
{
	uint16_t home = serving->dcs.home;
	mp_plan_replicas(plan, MP_SCOPE_DC, req->isLwt ? MP_ORDER_PRIMARY_FIRST : MP_ORDER_SHUFFLED, 0, home);
	mp_plan_hosts(plan, MP_SCOPE_DC, MP_ORDER_IN_TURN, 0, home);
}

__attribute__((noinline)) void mp_serving_bring_home(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	const struct mp_serving *serving = &request->session->serving;
	struct mp_request_view view;
	state->planned_serving = serving->changes;
	mp_request_view(request, &view);
	if (request->options.pinned_host != MP_NO_HOST || !mp_serving_keeps(serving, &view))
		return;
	struct mp_plan *plan = &state->plan;
	uint16_t seen[MP_PLAN_SEEN];
	uint16_t seen_count = plan->seen_count;
	memcpy(seen, plan->seen, sizeof(seen));
	mp_plan_init(plan, plan->view, plan->placement, plan->has_token, plan->token, plan->chance);
	memcpy(plan->seen, seen, sizeof(seen));
	plan->seen_count = seen_count;
	mp_serving_home_plan(serving, &view, plan);
}
