// SPDX-License-Identifier: Apache-2.0
#include "base/recent.h"

// A span that nobody asked in is longer, and ends with the next question.
static void turn(struct mp_recent *recent, const struct mp_hist *hist, uint64_t now_ms)
{
	if (recent->has_begun && now_ms - recent->since_ms < MP_RECENT_SPAN_MS)
		return;
	recent->from[0] = recent->from[1];
	if (recent->has_begun)
		recent->from[1] = *hist;
	recent->has_begun = true;
	recent->since_ms = now_ms;
}

static void compute(const struct mp_recent *recent, const struct mp_hist *hist,
                    struct mp_recent_answer *answer)
{
	const struct mp_hist *from = &recent->from[0];
	struct mp_hist gained = {.count = hist->count - from->count, .max = hist->max};
	for (size_t i = 0; i < MP_HIST_BUCKETS; i++)
		gained.buckets[i] = hist->buckets[i] - from->buckets[i];
	answer->count = gained.count;
	answer->value = mp_hist_quantile(&gained, answer->quantile);
}

bool mp_recent_quantile(struct mp_recent *recent, const struct mp_hist *hist, uint64_t now_ms, double q,
                        uint64_t least, uint64_t *value)
{
	struct mp_recent_answer *answer = NULL;
	for (size_t i = 0; i < MP_RECENT_ANSWERS && answer == NULL; i++)
		if (recent->answers[i].quantile == q)
			answer = &recent->answers[i];
	bool is_new = answer == NULL;
	if (is_new)
		answer = &recent->answers[recent->next++ % MP_RECENT_ANSWERS];
	if (is_new || now_ms - answer->at_ms >= MP_RECENT_REFRESH_MS) {
		turn(recent, hist, now_ms);
		answer->quantile = q;
		answer->at_ms = now_ms;
		compute(recent, hist, answer);
	}
	*value = answer->value;
	return answer->count > 0 && answer->count >= least;
}
