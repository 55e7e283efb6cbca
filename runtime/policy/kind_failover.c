// SPDX-License-Identifier: Apache-2.0
// Failover policies: which datacentre serves now. A script sees a copy of what the cluster knows about its datacentres
// and answers with one of them; what makes of it a move, and when, is C's (cluster/serving.c).
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cluster/plan/datacentres.h"
#include "policy/policies_internal.h"
#include "policy/words.h"

#define NO_DC 0xffffu

struct scratch {
	struct mp_dc_view views[MP_DCS_MAX]; // what a script sees
	const struct mp_datacentres *dcs;    // of the decision that is running
	struct mp_serving_wish wish;
};

static struct scratch *of(struct mp_policy_context *context)
{
	return context->scratch;
}

// ---- what scripts call ------------------------------------------------------------------------------------

static uint32_t call_nth_dc(struct mp_policy_context *context, int position)
{
	const struct mp_datacentres *dcs = of(context)->dcs;
	bool known = dcs != NULL && position >= 0 && position < dcs->order_count;
	return known ? dcs->order[position] : NO_DC;
}

static uint32_t call_home(struct mp_policy_context *context)
{
	return of(context)->dcs != NULL ? of(context)->dcs->home : NO_DC;
}

static uint32_t call_serving(struct mp_policy_context *context)
{
	return of(context)->dcs != NULL ? of(context)->dcs->serving : NO_DC;
}

// A number of hosts, or UINT32_MAX for what is none.
static uint32_t hosts_of(double hosts)
{
	return hosts >= 0 && hosts <= MP_HOSTS_MAX ? (uint32_t)ceil(hosts) : UINT32_MAX;
}

static double call_up_for(struct mp_policy_context *context, uint32_t dc, double hosts)
{
	uint32_t count = hosts_of(hosts);
	if (of(context)->dcs == NULL || dc >= of(context)->dcs->count || count == UINT32_MAX)
		return -1;
	return (double)mp_datacentres_up_ms(of(context)->dcs, (uint16_t)dc, count);
}

static double call_down_for(struct mp_policy_context *context, uint32_t dc, double hosts)
{
	uint32_t count = hosts_of(hosts);
	if (of(context)->dcs == NULL || dc >= of(context)->dcs->count || count == UINT32_MAX)
		return -1;
	return (double)mp_datacentres_down_ms(of(context)->dcs, (uint16_t)dc, count);
}

static const char *call_name(struct mp_policy_context *context, uint32_t dc)
{
	return of(context)->dcs != NULL && dc < of(context)->dcs->count ? of(context)->dcs->names[dc] : "";
}

static int call_choose(struct mp_policy_context *context, uint32_t dc)
{
	if (of(context)->dcs == NULL || dc >= of(context)->dcs->count)
		return MP_EINVAL;
	of(context)->wish.dc = (uint16_t)dc;
	return 0;
}

static int call_choose_named(struct mp_policy_context *context, const char *name, size_t len)
{
	for (uint16_t i = 0; of(context)->dcs != NULL && i < of(context)->dcs->order_count; i++) {
		const char *known = of(context)->dcs->names[of(context)->dcs->order[i]];
		if (strlen(known) == len && memcmp(known, name, len) == 0)
			return call_choose(context, of(context)->dcs->order[i]);
	}
	// While it is tried out, the cluster is another one.
	return context->fuel.limit_ns != MP_POLICY_SERVE_NS ? 0 : MP_EINVAL;
}

static int call_because(struct mp_policy_context *context, const char *text, size_t len)
{
	char *why = of(context)->wish.why;
	size_t count = len < sizeof(of(context)->wish.why) - 1 ? len : sizeof(of(context)->wish.why) - 1;
	for (size_t i = 0; i < count; i++)
		why[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
	why[count] = '\0';
	return 0;
}

static void push(lua_State *L, struct mp_policy_state *state)
{
	static const struct mp_word_field fields[] = {
		{"index", offsetof(struct mp_dc_view, index)},
		{"up", offsetof(struct mp_dc_view, up)},
		{"total", offsetof(struct mp_dc_view, total)},
		{"priority", offsetof(struct mp_dc_view, priority)},
		{"isHome", offsetof(struct mp_dc_view, isHome)},
		{"isServing", offsetof(struct mp_dc_view, isServing)},
	};
	mp_policy_push_layout(L, "dc", sizeof(struct mp_dc_view), fields, MP_ARRAY_LEN(fields));
	mp_policy_push_code(L, "NO_DC", NO_DC);
	mp_policy_push_code(L, "HOSTS_MAX", MP_HOSTS_MAX);
	mp_policy_push_call(L, "dcs", (uintptr_t)of(&state->context)->views);
	mp_policy_push_call(L, "nthDc", (uintptr_t)call_nth_dc);
	mp_policy_push_call(L, "home", (uintptr_t)call_home);
	mp_policy_push_call(L, "serving", (uintptr_t)call_serving);
	mp_policy_push_call(L, "upFor", (uintptr_t)call_up_for);
	mp_policy_push_call(L, "downFor", (uintptr_t)call_down_for);
	mp_policy_push_call(L, "dcName", (uintptr_t)call_name);
	mp_policy_push_call(L, "choose", (uintptr_t)call_choose);
	mp_policy_push_call(L, "chooseNamed", (uintptr_t)call_choose_named);
	mp_policy_push_call(L, "because", (uintptr_t)call_because);
}

// ---- asking -----------------------------------------------------------------------------------------------

static bool decide(struct mp_policy_state *state, const struct mp_datacentres *dcs,
                   struct mp_serving_wish *wish)
{
	struct scratch *scratch = of(&state->context);
	memcpy(scratch->views, dcs->dcs, sizeof(scratch->views));
	scratch->dcs = dcs;
	scratch->wish = (struct mp_serving_wish){.dc = dcs->serving};
	int status = mp_policy_state_enter(state);
	scratch->dcs = NULL;
	if (status != 0)
		return mp_policy_state_failed(state, status);
	*wish = scratch->wish;
	return true;
}

// The sample cluster with each of its datacentres at home and serving, all of them up or down for no time and for long.
static bool ask_all(struct mp_policy_state *state, const struct mp_view *view, struct mp_datacentres *dcs)
{
	static const uint64_t times_ms[] = {0, 1000, 100000, UINT64_C(100000000)};
	uint32_t none[MP_DCS_MAX] = {0};
	uint32_t total[MP_DCS_MAX] = {0};
	uint32_t up[MP_DCS_MAX];
	for (uint32_t i = 0; i < view->host_count; i++)
		total[view->hosts[i].dcId]++;
	for (uint16_t dc = 0; dc < view->dc_count; dc++)
		up[dc] = view->dcs[dc].count;
	uint64_t now_ms = 1;
	for (uint32_t n = 0; n < 18 * MP_ARRAY_LEN(times_ms); n++) {
		struct mp_serving_wish wish;
		dcs->home = (uint16_t)(n % 3 % view->dc_count);
		dcs->serving = (uint16_t)(n / 3 % 3 % view->dc_count);
		now_ms += times_ms[n / 18];
		if (!mp_datacentres_look(dcs, view, n / 9 % 2 == 0 ? up : none, total, now_ms)) {
			snprintf(state->error, sizeof(state->error), "out of memory");
			return false;
		}
		if (!decide(state, dcs, &wish))
			return false;
	}
	return true;
}

static bool check(struct mp_policy_state *state, struct mp_sample *sample)
{
	struct mp_datacentres *dcs = mp_calloc(1, sizeof(*dcs));
	if (dcs == NULL) {
		snprintf(state->error, sizeof(state->error), "out of memory");
		return false;
	}
	bool ok = ask_all(state, &sample->view, dcs);
	mp_datacentres_deinit(dcs);
	mp_free(dcs);
	return ok;
}

// ---- in service -------------------------------------------------------------------------------------------

// A datacentre serves all requests, so a candidate is only asked what it would do.
static MP_COLD void ask_candidate(struct mp_policy_slot *slot, const struct mp_datacentres *dcs, bool ok,
                                  uint16_t dc)
{
	struct mp_policy_state *candidate = mp_canary_policy(slot);
	struct mp_serving_wish other = {.dc = dcs->serving};
	bool said = decide(candidate, dcs, &other);
	struct mp_tally_pair pair = {
		.host = {UINT32_MAX, UINT32_MAX},
		.failed = {[MP_IN_FORCE] = !ok, [MP_CANDIDATE] = !said},
		.differs = ok && said && other.dc != dc,
	};
	mp_canary_asked(slot, &pair);
}

static bool serve_decide(void *self, const struct mp_datacentres *dcs, struct mp_serving_wish *wish)
{
	struct mp_policy_slot *slot = self;
	if (!mp_policy_may_ask(slot))
		return false;
	uint64_t from_ns = mp_policy_called(slot);
	bool ok = mp_policy_ended(slot, from_ns, decide(slot->current->state, dcs, wish));
	if (MP_UNLIKELY(slot->canary != NULL))
		ask_candidate(slot, dcs, ok, wish->dc);
	return ok;
}

static void serve(struct mp_policy_slot *slot, struct mp_policy_calls *policies)
{
	policies->serving = (struct mp_serving_policy){.self = slot, .decide = serve_decide};
}

const struct mp_policy_ops mp_policy_failover = {
	.name = "failover",
	.key = "failover",
	.is_beside = true,
	.canary_least = 30,
	.push = push,
	.scratch_bytes = sizeof(struct scratch),
	.check = check,
	.serve = serve,
};
