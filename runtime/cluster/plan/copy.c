// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/copy.h"

#include "base/mem.h"
#include "cluster/plan/marks.h"

struct mp_view_copy *mp_view_copy_new(void)
{
	struct mp_view_copy *copy = mp_calloc(1, sizeof(*copy));
	if (copy == NULL)
		return NULL;
	copy->epoch = UINT64_MAX;
	copy->view.hosts = mp_calloc(MP_HOSTS_MAX, sizeof(*copy->view.hosts));
	copy->view.marks = mp_calloc(1, sizeof(*copy->view.marks));
	if (copy->view.hosts != NULL && copy->view.marks != NULL)
		return copy;
	mp_view_copy_free(copy);
	return NULL;
}

void mp_view_copy_free(struct mp_view_copy *copy)
{
	if (copy == NULL)
		return;
	mp_free(copy->view.hosts);
	mp_view_marks_deinit(&copy->view);
	mp_free(copy);
}

static uint32_t lists_of(const struct mp_marks *marks)
{
	uint32_t bits = 0;
	for (int bit = 0; bit < MP_MARKS_MAX; bit++)
		bits |= marks->of[bit].text != NULL && marks->of[bit].is_list ? UINT32_C(1) << bit : 0;
	return bits;
}

void mp_view_copy_show(struct mp_view_copy *copy, const struct mp_view *original,
                       const struct mp_host_view *hosts, uint32_t count)
{
	struct mp_host_view *slots = copy->view.hosts;
	struct mp_marks *marks = copy->view.marks;
	copy->view = *original;
	copy->view.hosts = slots;
	copy->view.host_count = count;
	copy->view.marks = marks;
	uint32_t lists = lists_of(marks);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t kept = slots[i].marks & lists; // a list is of the names, which stay for long
		slots[i] = hosts[i];
		slots[i].marks = kept;
	}
	marks->original = original;
	if (original->marks != NULL)
		mp_view_copy_marks(&copy->view, hosts, copy->epoch != original->epoch);
	copy->epoch = original->epoch;
}
