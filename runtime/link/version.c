// SPDX-License-Identifier: Apache-2.0
// Refusals seen in the wild:
//   "Invalid or unsupported protocol version (6); supported versions are (3/v3, 4/v4, 5/v5,
//   6/v6-beta)"   4.x, 5.x "Invalid or unsupported protocol version (5); the lowest supported version is 3
//   and the greatest is 4"  2.x, 3.x "Beta version of the protocol used (5/v5-beta), but USE_BETA flag is
//   unset"                            3.11
#include "link/version.h"

#include <stdio.h>
#include <string.h>

#include "wire/message.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

uint8_t mp_version_listed(struct mp_str entry)
{
	// "N/vN" and nothing behind it.
	bool shape = entry.len == 4 && is_digit(entry.data[0]) && entry.data[1] == '/' && entry.data[2] == 'v' &&
	             entry.data[3] == entry.data[0];
	return (uint8_t)(shape && entry.data[0] < '8' ? 1u << (entry.data[0] - '0') : 0u);
}

uint8_t mp_version_highest(uint8_t bits)
{
	for (uint8_t version = MP_PROTOCOL_MAX; version >= MP_PROTOCOL_MIN; version--) {
		if ((bits >> version & 1) != 0)
			return version;
	}
	return 0;
}

static bool has_word(struct mp_str text, const char *word)
{
	return text.len > 0 && memmem(text.data, text.len, word, strlen(word)) != NULL;
}

bool mp_version_is_refusal(uint8_t answered, uint8_t wanted, int32_t code, struct mp_str message)
{
	if (answered != wanted)
		return true;
	return code == MP_SE_PROTOCOL_ERROR && (has_word(message, "version") || has_word(message, "Version"));
}

// Every "N/vN" of the sentence.
static uint8_t listed_in(struct mp_str message)
{
	uint8_t bits = 0;
	for (size_t i = 0; i + 4 <= message.len; i++) {
		bool ends = i + 4 == message.len || message.data[i + 4] == ',' || message.data[i + 4] == ')' ||
		            message.data[i + 4] == ' ';
		if (ends)
			bits |= mp_version_listed((struct mp_str){message.data + i, 4});
	}
	return bits;
}

static uint8_t greatest_in(struct mp_str message)
{
	static const char words[] = "greatest is ";
	const char *at = message.len > 0 ? memmem(message.data, message.len, words, sizeof(words) - 1) : NULL;
	if (at == NULL)
		return 0;
	at += sizeof(words) - 1;
	bool one_digit = at < message.data + message.len && is_digit(*at);
	return one_digit ? (uint8_t)(*at - '0') : 0;
}

uint8_t mp_version_hint(uint8_t answered, uint8_t wanted, struct mp_str message)
{
	uint8_t below = (uint8_t)((1u << wanted) - 1);
	uint8_t said = mp_version_highest(listed_in(message) & below);
	if (said == 0)
		said = greatest_in(message);
	if (said == 0 && answered < wanted)
		said = answered;
	if (said == 0 && has_word(message, "USE_BETA"))
		said = (uint8_t)(wanted - 1);
	return said >= MP_PROTOCOL_MIN && said < wanted ? said : 0;
}

void mp_version_show_bytes(const uint8_t *bytes, size_t len, char *text, size_t size)
{
	size_t used = 0;
	for (size_t i = 0; i < len && used + 5 <= size; i++) {
		bool plain = bytes[i] >= ' ' && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\';
		if (plain)
			text[used++] = (char)bytes[i];
		else
			used += (size_t)snprintf(text + used, size - used, "\\x%02x", bytes[i]);
	}
	text[used] = '\0';
}
