// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/marks.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"

#define TAG_MAX 256

static bool is_text(const struct mp_mark *mark, const char *text, size_t len)
{
	return mark->text != NULL && strncmp(mark->text, text, len) == 0 && mark->text[len] == '\0';
}

// The bit that this text has, a free one, or that of the list nobody asked for the longest; -1: there is none.
static int find_bit(const struct mp_view *view, const char *text, size_t len, bool is_list)
{
	int free_bit = -1;
	int oldest = -1;
	for (int i = 0; i < MP_MARKS_MAX; i++) {
		const struct mp_mark *mark = &view->marks->of[i];
		if (mark->text == NULL) {
			free_bit = free_bit < 0 ? i : free_bit;
			continue;
		}
		if (mark->is_list == is_list && is_text(mark, text, len))
			return i;
		if (mark->is_list && (oldest < 0 || mark->used < view->marks->of[oldest].used))
			oldest = i;
	}
	return free_bit >= 0 ? free_bit : oldest;
}

static void clear_bit(struct mp_view *view, int bit)
{
	for (uint32_t i = 0; i < view->host_count; i++)
		view->hosts[i].marks &= ~(UINT32_C(1) << bit);
}

// Sets *fresh when the bit has this meaning only now.
static int take_bit(struct mp_view *view, const char *text, size_t len, bool is_list, bool *fresh)
{
	*fresh = false;
	int bit = view->marks == NULL || memchr(text, 0, len) != NULL ? -1 : find_bit(view, text, len, is_list);
	if (bit < 0)
		return MP_ETOOBIG;
	struct mp_mark *mark = &view->marks->of[bit];
	if (!is_text(mark, text, len) || mark->is_list != is_list) {
		char *copy = mp_alloc(len + 1);
		if (copy == NULL)
			return MP_ENOMEM;
		memcpy(copy, text, len);
		copy[len] = '\0';
		clear_bit(view, bit);
		mp_free(mark->text);
		*mark = (struct mp_mark){.text = copy, .is_list = is_list, .stamp = mark->stamp + 1};
		*fresh = true;
	}
	mark->used = ++view->marks->clock;
	return bit;
}

// ---- tags ---------------------------------------------------------------------------------------------------------

int mp_view_tag(struct mp_view *view, const char *text, size_t len)
{
	bool fresh;
	return len > TAG_MAX ? MP_ETOOBIG : take_bit(view, text, len, false, &fresh);
}

static uint32_t tag_bits(const struct mp_view *view)
{
	uint32_t bits = 0;
	for (int i = 0; i < MP_MARKS_MAX; i++)
		if (view->marks->of[i].text != NULL && !view->marks->of[i].is_list)
			bits |= UINT32_C(1) << i;
	return bits;
}

int mp_view_set_tags(struct mp_view *view, uint16_t slot, const char *const *names, size_t count)
{
	uint32_t bits = 0;
	for (size_t i = 0; i < count; i++) {
		int bit = mp_view_tag(view, names[i], strlen(names[i]));
		if (bit < 0)
			return bit;
		bits |= UINT32_C(1) << bit;
	}
	struct mp_host_view *host = &view->hosts[slot];
	host->marks = (host->marks & ~tag_bits(view)) | bits;
	return 0;
}

// ---- lists --------------------------------------------------------------------------------------------------------

static bool line_is(const char *line, size_t len, const char *text)
{
	return strlen(text) == len && strncasecmp(line, text, len) == 0;
}

// "10.0.0.1" and "[::1]" or "::1" name the host of any port.
static bool line_is_address(const char *line, size_t len, const char *address)
{
	if (line_is(line, len, address))
		return true;
	const char *colon = strrchr(address, ':');
	size_t host_len = colon != NULL ? (size_t)(colon - address) : strlen(address);
	if (len == host_len && strncasecmp(line, address, len) == 0)
		return true;
	return address[0] == '[' && len + 2 == host_len && strncasecmp(line, address + 1, len) == 0;
}

static bool list_has(const struct mp_view *view, const char *lines, uint32_t slot)
{
	const struct mp_host_view *host = &view->hosts[slot];
	const struct mp_host_label *names = &view->names[slot];
	const char *dc = host->dcId < view->dc_count ? view->dc_names[host->dcId] : "";
	const char *rack = mp_names_text(&view->racks, host->rackId + 1u);
	rack = rack != NULL ? rack : "";
	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n");
		if (len > 0 && (line_is_address(lines, len, names->address) || line_is(lines, len, names->id) ||
		                (strlen(dc) == len && memcmp(dc, lines, len) == 0) ||
		                (strlen(rack) == len && memcmp(rack, lines, len) == 0)))
			return true;
		lines += len + (lines[len] == '\n');
	}
	return false;
}

static void mark_host(struct mp_view *view, int bit, uint32_t slot)
{
	if (list_has(view, view->marks->of[bit].text, slot))
		view->hosts[slot].marks |= UINT32_C(1) << bit;
	else
		view->hosts[slot].marks &= ~(UINT32_C(1) << bit);
}

int mp_view_list(struct mp_view *view, const char *lines, size_t len)
{
	bool fresh;
	int bit = take_bit(view, lines, len, true, &fresh);
	if (bit >= 0 && fresh)
		for (uint32_t i = 0; i < view->host_count; i++)
			mark_host(view, bit, i);
	return bit;
}

bool mp_view_mark_holds(struct mp_view *view, uint32_t mark, uint64_t stamp)
{
	struct mp_mark *found = &view->marks->of[mark];
	found->used = ++view->marks->clock;
	return found->stamp == stamp;
}

// ---- hosts --------------------------------------------------------------------------------------------------------

static void copy_name(char *to, size_t size, const char *from)
{
	size_t len = strlen(from);
	len = len < size ? len : size - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}

void mp_view_name_host(struct mp_view *view, uint16_t slot, const char *address, const char *host_id)
{
	struct mp_host_label *names = &view->names[slot];
	if (strcmp(names->id, host_id) != 0)
		view->hosts[slot].marks = 0;
	copy_name(names->address, sizeof(names->address), address);
	copy_name(names->id, sizeof(names->id), host_id);
	for (int i = 0; i < MP_MARKS_MAX; i++)
		if (view->marks->of[i].text != NULL && view->marks->of[i].is_list)
			mark_host(view, i, slot);
}

void mp_view_marks_deinit(struct mp_view *view)
{
	for (int i = 0; view->marks != NULL && i < MP_MARKS_MAX; i++)
		mp_free(view->marks->of[i].text);
	mp_free(view->marks);
	view->marks = NULL;
}
