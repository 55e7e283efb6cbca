// SPDX-License-Identifier: Apache-2.0
#include "base/text/nearest.h"

#include <stdio.h>
#include <string.h>

#define LONGEST 64 // a longer name is no mistyped one

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

// The number of letters to add, drop, change, or swap with their neighbour to turn `a` into `b`; neither is longer than
// LONGEST.
static unsigned distance(struct mp_str a, struct mp_str b)
{
	unsigned rows[3][LONGEST + 1];
	unsigned *older = rows[0], *before = rows[1], *row = rows[2];
	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned *spare = older;
		older = before;
		before = row;
		row = spare;
		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			char from = lower(a.data[i - 1]), to = lower(b.data[j - 1]);
			row[j] = least(least(before[j] + 1, row[j - 1] + 1), before[j - 1] + (from == to ? 0 : 1));
			if (i > 1 && j > 1 && from == lower(b.data[j - 2]) && lower(a.data[i - 2]) == to)
				row[j] = least(row[j], older[j - 2] + 1);
		}
	}
	return row[b.len];
}

const char *mp_nearest(struct mp_str given, const char *const *names, size_t count)
{
	const char *best = NULL;
	unsigned best_distance = given.len < 6 ? 1 : (unsigned)(given.len / 3);
	if (given.len > LONGEST)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct mp_str name = mp_str_of(names[i]);
		unsigned far = name.len <= LONGEST ? distance(given, name) : LONGEST;
		if (far > best_distance || (best != NULL && far == best_distance && strcmp(names[i], best) > 0))
			continue;
		best = names[i];
		best_distance = far;
	}
	return best;
}

void mp_nearest_tell(char *message, size_t size, struct mp_str given, const char *const *names, size_t count)
{
	const char *close = mp_nearest(given, names, count);
	size_t used = strlen(message);
	if (close != NULL)
		snprintf(message + used, size - used, ", did you mean %s? There are: ", close);
	else
		snprintf(message + used, size - used, "; there are: ");
	for (size_t i = 0; i < count; i++) {
		used += strlen(message + used);
		snprintf(message + used, size - used, "%s%s", i > 0 ? ", " : "", names[i]);
	}
}
