// SPDX-License-Identifier: Apache-2.0
// What a policy leaves out of its plan, and what a step says in words.
#include <stdio.h>
#include <string.h>

#include "cluster/plan/plan.h"

void mp_plan_only(struct mp_plan *plan, uint32_t marks)
{
	plan->care |= marks;
	plan->want |= marks;
}

void mp_plan_avoid(struct mp_plan *plan, uint32_t marks)
{
	plan->care |= marks;
	plan->want &= ~marks;
}

void mp_plan_avoid_slow(struct mp_plan *plan, double times, double retry_ms, uint32_t least_us, double now_ms)
{
	double limit = times * mp_view_best_us(plan->view, now_ms);
	if (limit < least_us)
		limit = least_us;
	plan->avoids_slow = true;
	plan->slow_us = limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX;
	plan->slow_since_ms = now_ms - retry_ms;
}

void mp_plan_no_filter(struct mp_plan *plan)
{
	plan->avoids_slow = false;
	plan->care = 0;
	plan->want = 0;
}

void mp_plan_refuse(struct mp_plan *plan)
{
	plan->refused = true;
}

// ---- words ------------------------------------------------------------------------------------------------

struct words {
	char *text;
	size_t size;
	size_t at;
};

static void say(struct words *words, const char *text)
{
	size_t len = strlen(text);
	if (words->at + len >= words->size)
		len = words->size - words->at - 1;
	memcpy(words->text + words->at, text, len);
	words->at += len;
	words->text[words->at] = '\0';
}

static const char *dc_name(const struct mp_plan *plan, uint16_t dc)
{
	return dc < plan->view->dc_count ? plan->view->dc_names[dc] : "?";
}

static void say_scope(struct words *words, const struct mp_plan *plan, const struct mp_plan_step *step)
{
	static const char *const scopes[] = {
#define X(name, word, phrase) phrase,
		MP_SCOPES(X)
#undef X
	};
	if (step->scope < MP_ARRAY_LEN(scopes)) {
		say(words, scopes[step->scope]);
		return;
	}
	say(words, " of datacentre ");
	say(words, dc_name(plan, step->arg));
}

static void say_marks(struct words *words, const struct mp_plan *plan, uint32_t marks, const char *verb)
{
	for (int i = 0; plan->view->marks != NULL && i < MP_MARKS_MAX; i++) {
		const struct mp_mark *mark = &plan->view->marks->of[i];
		if ((marks >> i & 1) == 0)
			continue;
		say(words, verb);
		say(words, mark->is_list ? "the list " : "tag ");
		char name[48];
		snprintf(name, sizeof(name), "%.40s", mark->text != NULL ? mark->text : "?");
		for (char *at = strchr(name, '\n'); at != NULL; at = strchr(at, '\n'))
			*at = ' ';
		say(words, name);
	}
}

const char *mp_plan_step_text(const struct mp_plan *plan, uint8_t step_index, char *text, size_t size)
{
	static const char *const orders[] = {
#define X(name, word, phrase) phrase,
		MP_ORDERS(X)
#undef X
	};
	struct words words = {text, size, 0};
	text[0] = '\0';
	if (step_index >= plan->step_count)
		return text;
	const struct mp_plan_step *step = &plan->steps[step_index];
	if (step->kind == MP_STEP_HOST) {
		say(&words, "the named host");
	} else {
		say(&words, step->kind == MP_STEP_REPLICAS ? "replicas" : "hosts");
		say_scope(&words, plan, step);
		say(&words, ", ");
		say(&words, step->order < MP_ARRAY_LEN(orders) ? orders[step->order] : "?");
	}
	if (step->limit > 0) {
		char limit[32];
		snprintf(limit, sizeof(limit), ", at most %u%s", step->limit,
		         step->scope == MP_SCOPE_REMOTE_DCS ? " of each" : "");
		say(&words, limit);
	}
	say_marks(&words, plan, step->want, ", only ");
	say_marks(&words, plan, step->care & ~step->want, ", without ");
	if (step->avoids_slow)
		say(&words, ", without slow ones");
	return text;
}
