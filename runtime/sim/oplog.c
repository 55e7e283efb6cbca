// SPDX-License-Identifier: Apache-2.0
// The memory of which operations reached a node. An operation's id is a run of letters, digits, "-", "_", ":" and "."
// that begins with the cluster's prefix, anywhere in a statement's text or bound values.
#define HASH_NONFATAL_OOM 1
#include "sim/world.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"

#define uthash_malloc(size)    mp_alloc(size)
#define uthash_free(ptr, size) mp_free(ptr)
#include <uthash.h>

#define OP_MAX 64 // longer ids are cut

struct mp_sim_oplog {
	UT_hash_handle hh;
	uint64_t received;
	uint64_t executed;
	uint8_t len;
	char op[OP_MAX];
};

static bool belongs(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' || c == ':' || c == '.';
}

static void note(struct mp_sim_node *node, const char *op, size_t len, bool executed)
{
	struct mp_sim_oplog *entry;
	len = len < OP_MAX ? len : OP_MAX;
	HASH_FIND(hh, node->oplog, op, len, entry);
	if (entry == NULL) {
		entry = mp_calloc(1, sizeof(*entry));
		if (entry == NULL)
			return;
		memcpy(entry->op, op, len);
		entry->len = (uint8_t)len;
		HASH_ADD_KEYPTR(hh, node->oplog, entry->op, len, entry);
		if (entry->hh.tbl == NULL) {
			mp_free(entry);
			return;
		}
	}
	(*(executed ? &entry->executed : &entry->received))++;
}

void mp_sim_oplog_note(struct mp_sim_node *node, struct mp_str text, bool executed)
{
	const char *prefix = node->cluster->op_prefix, *end = text.data + text.len, *at = text.data;
	size_t prefix_len = strlen(prefix);
	while (prefix_len > 0 && at < end && (at = memmem(at, (size_t)(end - at), prefix, prefix_len)) != NULL) {
		const char *stop = at + prefix_len;
		while (stop < end && belongs(*stop))
			stop++;
		note(node, at, (size_t)(stop - at), executed);
		at = stop;
	}
}

uint64_t mp_sim_oplog_count(const struct mp_sim_node *node, struct mp_str op, bool executed)
{
	struct mp_sim_oplog *entry;
	HASH_FIND(hh, node->oplog, op.data, op.len < OP_MAX ? op.len : OP_MAX, entry);
	return entry == NULL ? 0 : executed ? entry->executed : entry->received;
}

void mp_sim_oplog_clear(struct mp_sim_node *node)
{
	struct mp_sim_oplog *entry, *next;
	HASH_ITER(hh, node->oplog, entry, next)
	{
		HASH_DEL(node->oplog, entry);
		mp_free(entry);
	}
}
