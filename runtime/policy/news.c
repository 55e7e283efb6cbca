// SPDX-License-Identifier: Apache-2.0
// What listeners hear of policies. News are kept until the loop's next turn, so a listener is never inside a request or
// a reload and may do what it likes, also free the policies.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text/redact.h"
#include "policy/policies_internal.h"

void mp_policies_listen(struct mp_policies *policies,
                        void (*on_event)(void *data, const struct mp_policy_event *event), void *data)
{
	policies->on_event = on_event;
	policies->event_data = data;
}

void mp_policy_tell(struct mp_policy_slot *slot, enum mp_policy_event_kind kind, const char *message)
{
	struct mp_policies *policies = slot->owner;
	// When nobody comes to read them, the oldest go.
	if (policies->news_count == MP_POLICY_EVENTS) {
		mp_free(policies->news[0].canary);
		memmove(policies->news, policies->news + 1, sizeof(policies->news[0]) * (MP_POLICY_EVENTS - 1));
		policies->news_count--;
	}
	struct mp_policy_news *news = &policies->news[policies->news_count++];
	news->kind = kind;
	news->canary = NULL;
	news->policy = slot->kind;
	news->generation = slot->current->number;
	snprintf(news->name, sizeof(news->name), "%s", slot->current->state->name);
	snprintf(news->file, sizeof(news->file), "%s", slot->current->state->files[0]);
	snprintf(news->message, sizeof(news->message), "%s", message);
	mp_redact_line(news->message);
	mp_task_post(policies->loop, &policies->cleanup, MP_PHASE_RUN);
}

void mp_policy_tell_canary(struct mp_policy_slot *slot, const struct mp_canary_info *info)
{
	struct mp_canary_info *copy = mp_alloc(sizeof(*copy));
	if (copy == NULL)
		return; // it is in the log
	*copy = *info;
	mp_redact_line(copy->reason);
	mp_policy_tell(slot, MP_POLICY_CANARY, "");
	slot->owner->news[slot->owner->news_count - 1].canary = copy;
}

void mp_policy_news_deinit(struct mp_policies *policies)
{
	while (policies->news_count > 0)
		mp_free(policies->news[--policies->news_count].canary);
}

static void tell_one(struct mp_policies *policies)
{
	struct mp_policy_news news = policies->news[0];
	policies->news_count--;
	memmove(policies->news, policies->news + 1, sizeof(policies->news[0]) * policies->news_count);
	struct mp_policy_event event = {
		.kind = news.kind,
		.policy = news.policy,
		.name = news.name,
		.file = news.file,
		.generation = news.generation,
		.message = news.message,
		.canary = news.canary,
	};
	if (policies->on_event != NULL)
		policies->on_event(policies->event_data, &event);
	mp_free(news.canary);
}

void mp_policy_tell_all(struct mp_policies *policies)
{
	policies->in_event = true;
	while (policies->news_count > 0 && !policies->free_wanted)
		tell_one(policies);
	policies->in_event = false;
	if (policies->free_wanted)
		mp_policies_free(policies);
}
