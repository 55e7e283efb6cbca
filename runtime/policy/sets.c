// SPDX-License-Identifier: Apache-2.0
// Sets of hosts, by which a policy filters and asks. A set (a tag, a list) is a number of this policy state; which bit
// of the hosts' marks it is, is found for each view and found again when the bit went to another list
// (cluster/plan/marks.h).
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cluster/plan/marks.h"
#include "policy/state.h"
#include "policy/words.h"

#define SET_TEXT_MAX ((size_t)1 << 20)

void mp_words_free_sets(struct mp_policy_context *context)
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

int mp_words_set_bit(struct mp_policy_context *context, uint32_t number)
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

// 1: the host in that slot is in the set.
static int call_in_set(struct mp_policy_context *context, uint32_t slot, int number)
{
	if (slot >= MP_HOSTS_MAX || context->plan->view->marks == NULL || number < 0 ||
	    (uint32_t)number >= context->set_count)
		return 0;
	int bit = mp_words_set_bit(context, (uint32_t)number);
	return bit < 0 ? 0 : (int)(context->plan->view->hosts[slot].marks >> bit & 1);
}

void mp_words_push_sets(lua_State *L)
{
	mp_policy_push_call(L, "set", (uintptr_t)call_set);
	mp_policy_push_call(L, "inSet", (uintptr_t)call_in_set);
	mp_policy_push_code(L, "SET", MP_WORD_SET);
}
