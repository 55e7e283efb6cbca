// SPDX-License-Identifier: Apache-2.0
#include "cluster/outline.h"

#include <string.h>

#include "cluster/request/words.h"

static bool is_constant(const struct mp_word *word)
{
	return word->kind == MP_WORD_NUMBER || word->kind == MP_WORD_STRING || mp_word_is(word, "true") ||
	       mp_word_is(word, "false");
}

static bool is_secret_name(const struct mp_word *word)
{
	return mp_word_is(word, "password") || mp_word_is(word, "hashed");
}

void mp_outline(struct mp_str cql, char out[MP_OUTLINE_MAX])
{
	struct mp_words words = mp_words_of(cql.data, cql.len);
	size_t len = 0;
	const char *end = NULL; // of the word before, in the statement
	bool hides = false;     // the next word that is no sign is a secret
	for (;;) {
		struct mp_word word = mp_words_next(&words);
		if (word.kind == MP_WORD_END)
			break;
		bool hidden = is_constant(&word) || (hides && word.kind != MP_WORD_SIGN);
		struct mp_str text = hidden ? mp_str_of("?") : word.text;
		size_t gap = end != NULL && word.text.data > end ? 1 : 0;
		if (len + gap + text.len + 4 > MP_OUTLINE_MAX) {
			memcpy(out + len, "...", 3);
			len += 3;
			break;
		}
		if (gap > 0)
			out[len++] = ' ';
		memcpy(out + len, text.data, text.len);
		len += text.len;
		end = word.text.data + word.text.len;
		hides = is_secret_name(&word) || (hides && word.kind == MP_WORD_SIGN);
	}
	out[len] = '\0';
}
