// SPDX-License-Identifier: Apache-2.0
#include "base/text/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool are_ascii(const char *eight)
{
	uint64_t bytes;
	memcpy(&bytes, eight, sizeof(bytes));
	return (bytes & HIGH_BITS) == 0;
}

// Where the run of ASCII from `at` on ends, in steps of eight bytes and then of one.
static size_t skip_ascii(const char *text, size_t at, size_t len)
{
	while (len - at >= 8 && are_ascii(text + at))
		at += 8;
	while (at < len && (uint8_t)text[at] < 0x80)
		at++;
	return at;
}

bool mp_ascii_is_valid(const char *text, size_t len)
{
	if (len < 8)
		return skip_ascii(text, 0, len) == len;
	for (size_t at = 0; at < len - 8; at += 8)
		if (!are_ascii(text + at))
			return false;
	return are_ascii(text + len - 8); // may overlap the bytes before
}

// The bytes of a code point that begins with `first`, and the range of its second byte, which is what rules out long
// forms, surrogates and what is above U+10FFFF. 0: nothing begins so.
static size_t shape_of(uint8_t first, uint8_t *least, uint8_t *most)
{
	*least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	*most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

bool mp_utf8_is_valid(const char *text, size_t len)
{
	if (MP_LIKELY(mp_ascii_is_valid(text, len)))
		return true;
	const uint8_t *bytes = (const uint8_t *)text;
	size_t at = skip_ascii(text, 0, len);
	while (at < len) {
		uint8_t least, most;
		size_t size = shape_of(bytes[at], &least, &most);
		if (size == 0 || size > len - at || bytes[at + 1] < least || bytes[at + 1] > most)
			return false;
		for (size_t i = 2; i < size; i++)
			if ((bytes[at + i] & 0xc0) != 0x80)
				return false;
		at = skip_ascii(text, at + size, len);
	}
	return true;
}
