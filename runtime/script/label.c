// SPDX-License-Identifier: Apache-2.0
#include "script/label.h"

#include <string.h>

#include "base/mem.h"

struct mp_label *mp_label_new(const char *text)
{
	size_t size = strlen(text) + 1;
	struct mp_label *label = mp_calloc(1, sizeof(*label) + size);
	if (label == NULL)
		return NULL;
	memcpy(label->text, text, size);
	label->watched = (struct mp_watched){.what = label->text, .calls = &label->resumes};
	label->refs = 1;
	return label;
}

struct mp_label *mp_label_ref(struct mp_label *label)
{
	if (label != NULL)
		label->refs++;
	return label;
}

void mp_label_unref(struct mp_label *label)
{
	if (label != NULL && --label->refs == 0)
		mp_free(label);
}
