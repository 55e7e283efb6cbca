// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/marks.h"

#include <stdlib.h>
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

// ---- lines ------------------------------------------------------------------------------------------------

static int by_folded(const void *a, const void *b)
{
	const struct mp_str *x = a;
	const struct mp_str *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = len > 0 ? strncasecmp(x->data, y->data, len) : 0;
	return order != 0 ? order : x->len < y->len ? -1 : x->len > y->len;
}

// The lines of a text, sorted: a host is looked up in them, so a list of a thousand costs each host ten steps.
static int sort_lines(struct mp_mark *mark)
{
	size_t count = 1;
	for (const char *at = mark->text; *at != '\0'; at++)
		count += *at == '\n' ? 1 : 0;
	mark->lines = mp_alloc(count * sizeof(*mark->lines));
	if (mark->lines == NULL)
		return MP_ENOMEM;
	for (const char *at = mark->text; *at != '\0';) {
		size_t len = strcspn(at, "\n");
		if (len > 0)
			mark->lines[mark->line_count++] = (struct mp_str){at, len};
		at += len + (at[len] == '\n');
	}
	if (mark->line_count > 1)
		qsort(mark->lines, mark->line_count, sizeof(*mark->lines), by_folded);
	return 0;
}

static void free_mark(struct mp_mark *mark)
{
	mp_free(mark->text);
	mp_free(mark->lines);
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
		struct mp_mark made = {.is_list = is_list, .stamp = mark->stamp + 1, .text = mp_strndup(text, len)};
		if (made.text == NULL || (is_list && sort_lines(&made) != 0)) {
			free_mark(&made);
			return MP_ENOMEM;
		}
		clear_bit(view, bit);
		free_mark(mark);
		*mark = made;
		*fresh = true;
	}
	mark->used = ++view->marks->clock;
	return bit;
}

// ---- tags -------------------------------------------------------------------------------------------------

// The tag at a bit of a copy's marks has another bit in its original, or none.
static void copy_tag(struct mp_view *view, int bit, const struct mp_host_view *hosts)
{
	const struct mp_marks *from = view->marks->original->marks;
	const char *text = view->marks->of[bit].text;
	int other = 0;
	while (other < MP_MARKS_MAX &&
	       (from->of[other].is_list || !is_text(&from->of[other], text, strlen(text))))
		other++;
	for (uint32_t i = 0; other < MP_MARKS_MAX && i < view->host_count; i++)
		view->hosts[i].marks |= (hosts[i].marks >> other & 1) << bit;
}

int mp_view_tag(struct mp_view *view, const char *text, size_t len)
{
	bool fresh;
	int bit = len > TAG_MAX ? MP_ETOOBIG : take_bit(view, text, len, false, &fresh);
	if (bit >= 0 && fresh && view->marks->original != NULL)
		copy_tag(view, bit, view->marks->original->hosts);
	return bit;
}

static uint32_t tag_bits(const struct mp_view *view)
{
	uint32_t bits = 0;
	for (int i = 0; i < MP_MARKS_MAX; i++)
		if (view->marks->of[i].text != NULL && !view->marks->of[i].is_list)
			bits |= UINT32_C(1) << i;
	return bits;
}

const char *mp_view_tag_at(const struct mp_view *view, uint16_t slot, int bit)
{
	const struct mp_mark *mark = view->marks != NULL ? &view->marks->of[bit] : NULL;
	bool has = mark != NULL && !mark->is_list && (view->hosts[slot].marks >> bit & 1) != 0;
	return has ? mark->text : NULL;
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

// ---- lists ------------------------------------------------------------------------------------------------

// The first line that is not less, or the number of lines.
static size_t lower_bound(const struct mp_mark *mark, const struct mp_str *text)
{
	size_t low = 0;
	size_t high = mark->line_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_folded(&mark->lines[middle], text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_line(const struct mp_mark *mark, struct mp_str text)
{
	size_t at = lower_bound(mark, &text);
	return text.len > 0 && at < mark->line_count && by_folded(&mark->lines[at], &text) == 0;
}

// The names of datacentres and racks differ by case.
static bool has_exact_line(const struct mp_mark *mark, struct mp_str text)
{
	for (size_t at = lower_bound(mark, &text); text.len > 0 && at < mark->line_count; at++) {
		if (by_folded(&mark->lines[at], &text) != 0)
			return false;
		if (memcmp(mark->lines[at].data, text.data, text.len) == 0)
			return true;
	}
	return false;
}

// "10.0.0.1" and "[::1]" or "::1" name the host of any port.
static bool has_address(const struct mp_mark *mark, const char *address)
{
	const char *colon = strrchr(address, ':');
	size_t host_len = colon != NULL ? (size_t)(colon - address) : strlen(address);
	bool bracketed = address[0] == '[' && host_len >= 2;
	return has_line(mark, mp_str_of(address)) || has_line(mark, (struct mp_str){address, host_len}) ||
	       (bracketed && has_line(mark, (struct mp_str){address + 1, host_len - 2}));
}

static bool list_has(const struct mp_view *view, const struct mp_mark *mark, uint32_t slot)
{
	const struct mp_host_view *host = &view->hosts[slot];
	const struct mp_host_label *names = &view->names[slot];
	const char *dc = host->dcId < view->dc_count ? view->dc_names[host->dcId] : "";
	const char *rack = mp_names_text(&view->racks, host->rackId + 1u);
	return has_address(mark, names->address) || has_line(mark, mp_str_of(names->id)) ||
	       has_exact_line(mark, mp_str_of(dc)) || (rack != NULL && has_exact_line(mark, mp_str_of(rack)));
}

static void mark_host(struct mp_view *view, int bit, uint32_t slot)
{
	if (list_has(view, &view->marks->of[bit], slot))
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

// ---- hosts ------------------------------------------------------------------------------------------------

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

void mp_view_copy_marks(struct mp_view *view, const struct mp_host_view *hosts, bool renamed)
{
	for (int bit = 0; bit < MP_MARKS_MAX; bit++) {
		const struct mp_mark *mark = &view->marks->of[bit];
		if (mark->text != NULL && !mark->is_list)
			copy_tag(view, bit, hosts);
		else if (mark->text != NULL && renamed)
			for (uint32_t i = 0; i < view->host_count; i++)
				mark_host(view, bit, i);
	}
}

void mp_view_marks_deinit(struct mp_view *view)
{
	for (int i = 0; view->marks != NULL && i < MP_MARKS_MAX; i++)
		free_mark(&view->marks->of[i]);
	mp_free(view->marks);
	view->marks = NULL;
}
