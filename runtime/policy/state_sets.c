// SPDX-License-Identifier: Apache-2.0
// The primitives of a policy that leave hosts out of a plan, and those of a retry policy that are not its verdict. A
// set of hosts (a tag, a list) is a number of this policy state; which bit of the hosts' marks it is, is found for
// each view and found again when the bit went to another list (cluster/plan/marks.h).
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cluster/plan/marks.h"
#include "policy/state.h"
#include "wire/message.h"

#define SET_TEXT_MAX ((size_t)1 << 20)

enum { FILTER_ONLY, FILTER_AVOID, FILTERS };
enum { DONE, BAD_SET, TOO_MANY_SETS };

void mp_policy_sets_deinit(struct mp_policy_context *context)
{
	for (uint32_t i = 0; i < context->set_count; i++)
		mp_free(context->sets[i].text);
	context->set_count = 0;
}

// The number of a tag's or a list's set in this state, or -1: too many, too long, out of memory.
static int call_set(struct mp_policy_context *context, const char *text, size_t len, int is_tag)
{
	if (len == 0 || len > SET_TEXT_MAX || memchr(text, 0, len) != NULL ||
	    context->set_count == MP_POLICY_SETS)
		return -1;
	struct mp_policy_set *set = &context->sets[context->set_count];
	char *copy = mp_alloc(len + 1);
	if (copy == NULL)
		return -1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*set = (struct mp_policy_set){.text = copy, .len = len, .is_tag = is_tag != 0};
	return (int)context->set_count++;
}

// The set's bit among the marks of the plan's hosts, or a negative number.
static int resolve(struct mp_policy_context *context, uint32_t number)
{
	struct mp_policy_set *set = &context->sets[number];
	struct mp_view *view = context->plan->view;
	if (MP_LIKELY(set->marks == view->marks && mp_view_mark_holds(view, set->bit, set->stamp)))
		return (int)set->bit;
	int bit = set->is_tag ? mp_view_tag(view, set->text, set->len) : mp_view_list(view, set->text, set->len);
	if (bit < 0)
		return bit;
	set->marks = view->marks;
	set->bit = (uint32_t)bit;
	set->stamp = view->marks->of[bit].stamp;
	return bit;
}

static int call_filter(struct mp_policy_context *context, int number, int filter)
{
	if (number < 0 || (uint32_t)number >= context->set_count || filter < 0 || filter >= FILTERS)
		return BAD_SET;
	if (context->plan->view->marks == NULL)
		return DONE; // there are no hosts
	int bit = resolve(context, (uint32_t)number);
	if (bit < 0)
		return TOO_MANY_SETS;
	if (filter == FILTER_ONLY)
		mp_plan_only(context->plan, UINT32_C(1) << bit);
	else
		mp_plan_avoid(context->plan, UINT32_C(1) << bit);
	return DONE;
}

static int call_avoid_slow(struct mp_policy_context *context, double times, double retry_ms, double least_ms)
{
	if (!(times >= 1 && times <= 1e6) || !(retry_ms >= 0 && retry_ms <= 1e9) ||
	    !(least_ms >= 0 && least_ms <= 1e6))
		return BAD_SET;
	mp_plan_avoid_slow(context->plan, times, retry_ms, (uint32_t)(least_ms * 1000),
	                   (double)mp_loop_now_ms(context->loop));
	return DONE;
}

static int call_no_filter(struct mp_policy_context *context)
{
	mp_plan_no_filter(context->plan);
	return DONE;
}

static int call_refuse(struct mp_policy_context *context)
{
	mp_plan_refuse(context->plan);
	return DONE;
}

// 1: the host in that slot is in the set.
static int call_in_set(struct mp_policy_context *context, uint32_t slot, int number)
{
	if (slot >= MP_HOSTS_MAX || context->plan->view->marks == NULL || number < 0 ||
	    (uint32_t)number >= context->set_count)
		return 0;
	int bit = resolve(context, (uint32_t)number);
	return bit < 0 ? 0 : (int)(context->plan->view->hosts[slot].marks >> bit & 1);
}

// ---- beside a verdict ---------------------------------------------------------------------------------------------

// The consistency of the next attempt; the cluster takes it only where it may (cluster/request/retry.c).
static int call_lower(struct mp_policy_context *context, double consistency)
{
	if (!(consistency >= 0 && consistency <= MP_CL_LOCAL_ONE) || consistency != floor(consistency))
		return BAD_SET;
	context->lower_to = (uint16_t)consistency;
	return DONE;
}

// At most a line in a second, so that a policy cannot flood the log.
static int call_log(struct mp_policy_context *context, const char *text, size_t len)
{
	uint64_t held;
	if (context->fuel.limit_ns != MP_POLICY_SERVE_NS) // it is only being tried
		return DONE;
	if (!mp_log_gate_open(&context->log_gate, mp_loop_now_ms(context->loop), 1000, &held))
		return DONE;
	char line[256];
	size_t count = len < sizeof(line) - 1 ? len : sizeof(line) - 1;
	memcpy(line, text, count);
	line[count] = '\0';
	for (size_t i = 0; i < count; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	mp_log_write(context->log, MP_LOG_WARN, "policy %s: %s (%llu more since the last line)",
	             context->policy_name != NULL ? context->policy_name : "?", line, (unsigned long long)held);
	return DONE;
}

void mp_policy_push_sets(lua_State *L)
{
	mp_policy_set_call(L, "set", (uintptr_t)call_set);
	mp_policy_set_call(L, "filter", (uintptr_t)call_filter);
	mp_policy_set_call(L, "avoidSlow", (uintptr_t)call_avoid_slow);
	mp_policy_set_call(L, "noFilter", (uintptr_t)call_no_filter);
	mp_policy_set_call(L, "refuse", (uintptr_t)call_refuse);
	mp_policy_set_call(L, "inSet", (uintptr_t)call_in_set);
	mp_policy_set_call(L, "lower", (uintptr_t)call_lower);
	mp_policy_set_call(L, "log", (uintptr_t)call_log);
}
