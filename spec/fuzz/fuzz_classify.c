// SPDX-License-Identifier: Apache-2.0
// The classifier of statements: words end, comments and case change nothing, what is less known is sent less often.
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/request/replay.h"
#include "cluster/request/words.h"
#include "fuzz.h"

static bool same(const struct mp_statement *a, const struct mp_statement *b)
{
	return a->is_known == b->is_known && a->is_read == b->is_read && a->is_use == b->is_use &&
	       a->is_lwt == b->is_lwt && a->may_count == b->may_count && a->is_plain == b->is_plain &&
	       a->is_keyed == b->is_keyed;
}

static void count_words(const char *cql, size_t len)
{
	struct mp_words words = mp_words_of(cql, len);
	struct mp_word word;
	size_t count = 0;
	do {
		word = mp_words_next(&words);
		mp_assert(count++ <= len);
	} while (word.kind != MP_WORD_END);
	mp_assert(mp_words_next(&words).kind == MP_WORD_END);
}

static void judge(const char *cql, size_t len)
{
	struct mp_statement unknown = mp_statement_read(cql, len, MP_MARKERS_UNKNOWN);
	struct mp_statement none = mp_statement_read(cql, len, MP_MARKERS_NO_COUNTER);
	struct mp_statement counter = mp_statement_read(cql, len, MP_MARKERS_COUNTER);
	mp_assert(unknown.may_count || !none.may_count);
	mp_assert(counter.may_count || !unknown.may_count);
	mp_assert(!unknown.is_read || (unknown.is_known && !unknown.is_use && !unknown.may_count));
	enum mp_replay_class by_itself = mp_statement_class(&unknown, false);
	enum mp_replay_class promised = mp_statement_class(&unknown, true);
	mp_assert((by_itself == MP_REPLAY_READ) == (promised == MP_REPLAY_READ));
	mp_assert(by_itself != MP_REPLAY_IDEMPOTENT);
	mp_assert(!(unknown.is_lwt && promised == MP_REPLAY_IDEMPOTENT));
}

// A comment and a blank in front of it, and nothing else.
static void commented(const char *cql, size_t len)
{
	static const char before[] = "/* a */ -- b\n ";
	char *text = mp_alloc(sizeof(before) + len);
	mp_assert(text != NULL);
	memcpy(text, before, sizeof(before) - 1);
	memcpy(text + sizeof(before) - 1, cql, len);
	struct mp_statement bare = mp_statement_read(cql, len, MP_MARKERS_UNKNOWN);
	struct mp_statement with = mp_statement_read(text, sizeof(before) - 1 + len, MP_MARKERS_UNKNOWN);
	mp_assert(same(&bare, &with));
	mp_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *cql = mp_alloc(size); // of exactly its size, so that every read too far is seen
	mp_assert(cql != NULL);
	if (size > 0)
		memcpy(cql, data, size);
	count_words(cql, size);
	judge(cql, size);
	commented(cql, size);
	mp_free(cql);
	return 0;
}
