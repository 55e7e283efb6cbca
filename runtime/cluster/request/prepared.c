// SPDX-License-Identifier: Apache-2.0
// The cache of prepared statements: found by text and keyspace, dropped in the order of their last use. A dropped
// statement lives on as long as somebody holds it.
//
// Invariant: the cache holds one reference of every entry that is linked in `lru` (and then in its bucket too).
#include <string.h>

#include "base/mem.h"
#include "cluster/request/prepare.h"
#include "cluster/session_internal.h"

int mp_prepares_init(struct mp_prepares *prepares, struct mp_session *session)
{
	*prepares = (struct mp_prepares){.session = session, .bucket_count = 64};
	while (prepares->bucket_count < session->config.prepared_max && prepares->bucket_count < 65536)
		prepares->bucket_count *= 2;
	mp_list_init(&prepares->lru);
	mp_list_init(&prepares->flights);
	prepares->buckets = mp_calloc(prepares->bucket_count, sizeof(struct mp_list));
	if (prepares->buckets == NULL)
		return MP_ENOMEM;
	for (uint32_t i = 0; i < prepares->bucket_count; i++)
		mp_list_init(&prepares->buckets[i]);
	return 0;
}

static struct mp_list *bucket_of(const struct mp_prepares *prepares, uint64_t hash)
{
	return &prepares->buckets[hash & (prepares->bucket_count - 1)];
}

static void drop(struct mp_prepares *prepares, struct mp_prepared_entry *entry)
{
	mp_list_remove(&prepares->lru, &entry->lru);
	mp_list_remove(bucket_of(prepares, entry->hash), &entry->bucket);
	mp_prepared_unref(&entry->pub);
}

static struct mp_prepared_entry *oldest(struct mp_prepares *prepares)
{
	struct mp_list_node *node = mp_list_first(&prepares->lru);
	return node == NULL ? NULL : MP_CONTAINER_OF(node, struct mp_prepared_entry, lru);
}

void mp_prepares_deinit(struct mp_prepares *prepares)
{
	if (prepares->session == NULL)
		return;
	mp_assert(prepares->flights.count == 0);
	struct mp_prepared_entry *entry;
	while ((entry = oldest(prepares)) != NULL) {
		entry->pub.session = NULL;
		drop(prepares, entry);
	}
	mp_free(prepares->buckets);
}

uint64_t mp_prepared_hash(struct mp_str cql, struct mp_str keyspace)
{
	return mp_names_hash(mp_names_hash(keyspace.len, keyspace.data, keyspace.len), cql.data, cql.len);
}

struct mp_prepared *mp_prepares_find(struct mp_prepares *prepares, struct mp_str cql, struct mp_str keyspace)
{
	uint64_t hash = mp_prepared_hash(cql, keyspace);
	struct mp_list *bucket = bucket_of(prepares, hash);
	struct mp_list_node *node = mp_list_first(bucket);
	for (; node != NULL; node = mp_list_next(bucket, node)) {
		struct mp_prepared_entry *entry = MP_CONTAINER_OF(node, struct mp_prepared_entry, bucket);
		if (entry->hash != hash || !mp_str_eq(entry->pub.cql, cql) ||
		    !mp_str_eq(entry->pub.keyspace, keyspace))
			continue;
		mp_list_remove(&prepares->lru, &entry->lru);
		mp_list_push_back(&prepares->lru, &entry->lru);
		return &entry->pub;
	}
	return NULL;
}

// ---- statements -------------------------------------------------------------------------------------------

struct mp_prepared *mp_prepared_ref(struct mp_prepared *prepared)
{
	if (prepared != NULL)
		prepared->refs++;
	return prepared;
}

static void free_str(struct mp_str text)
{
	mp_free((void *)(uintptr_t)text.data);
}

void mp_prepared_unref(struct mp_prepared *prepared)
{
	if (prepared == NULL || --prepared->refs > 0)
		return;
	if (prepared->user_free != NULL)
		prepared->user_free(prepared->user);
	free_str(prepared->cql);
	free_str(prepared->keyspace);
	free_str(prepared->id);
	free_str(prepared->result_metadata_id);
	mp_metadata_unref(prepared->params);
	mp_metadata_unref(prepared->result);
	mp_free(prepared);
}

struct mp_str mp_str_copy(struct mp_str text)
{
	return (struct mp_str){mp_strndup(text.len > 0 ? text.data : "", text.len), text.len};
}

void mp_prepared_set_result(struct mp_prepared *prepared, struct mp_str metadata_id,
                            struct mp_metadata *result)
{
	struct mp_str id = mp_str_copy(metadata_id);
	if (id.data == NULL)
		return;
	free_str(prepared->result_metadata_id);
	prepared->result_metadata_id = id;
	struct mp_metadata *old = prepared->result;
	prepared->result = mp_metadata_ref(result);
	mp_metadata_unref(old);
}

static enum mp_markers markers_of(const struct mp_metadata *params)
{
	for (uint32_t i = 0; i < params->column_count; i++)
		if (params->columns[i].type != NULL && params->columns[i].type->id == MP_TYPE_COUNTER)
			return MP_MARKERS_COUNTER;
	return MP_MARKERS_NO_COUNTER;
}

static void describe(struct mp_session *session, struct mp_prepared *prepared)
{
	const struct mp_metadata *params = prepared->params;
	const struct mp_str *cql = &prepared->cql;
	struct mp_str keyspace = prepared->keyspace;
	if (params->column_count > 0 && params->columns[0].keyspace.len > 0)
		keyspace = params->columns[0].keyspace;
	prepared->keyspace_id = mp_session_keyspace_id(session, keyspace);
	// So that the first request finds its replicas.
	mp_keyspaces_use(&session->keyspaces, prepared->keyspace_id);
	struct mp_statement statement = mp_statement_read(cql->data, cql->len, markers_of(params));
	prepared->replay_class[0] = (uint8_t)mp_statement_class(&statement, false);
	prepared->replay_class[1] = (uint8_t)mp_statement_class(&statement, true);
	prepared->is_lwt = statement.is_lwt;
	prepared->is_plain = statement.is_plain;
}

static bool copy_texts(struct mp_prepared *prepared, struct mp_str cql, struct mp_str keyspace,
                       const struct mp_result_body *result)
{
	prepared->cql = mp_str_copy(cql);
	prepared->keyspace = mp_str_copy(keyspace);
	prepared->id = mp_str_copy(result->prepared_id);
	prepared->result_metadata_id = mp_str_copy(result->result_metadata_id);
	const char *own = prepared->session->config.keyspace;
	bool is_own = own != NULL && mp_str_is(keyspace, own);
	prepared->sent_keyspace = is_own ? (struct mp_str){"", 0} : prepared->keyspace;
	return prepared->cql.data != NULL && prepared->keyspace.data != NULL && prepared->id.data != NULL &&
	       prepared->result_metadata_id.data != NULL;
}

struct mp_prepared *mp_prepares_add(struct mp_prepares *prepares, struct mp_str cql, struct mp_str keyspace,
                                    struct mp_result_body *result)
{
	struct mp_prepared_entry *entry = mp_calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	struct mp_prepared *prepared = &entry->pub;
	prepared->session = prepares->session;
	prepared->refs = 1;
	prepared->params = mp_metadata_ref(result->params);
	prepared->result = mp_metadata_ref(result->result);
	if (!copy_texts(prepared, cql, keyspace, result)) {
		mp_prepared_unref(prepared);
		return NULL;
	}
	describe(prepares->session, prepared);
	entry->hash = mp_prepared_hash(cql, keyspace);
	mp_list_node_init(&entry->bucket);
	mp_list_node_init(&entry->lru);
	mp_list_push_back(&prepares->lru, &entry->lru);
	mp_list_push_back(bucket_of(prepares, entry->hash), &entry->bucket);
	mp_prepares_trim(prepares);
	return prepared;
}

void mp_prepares_trim(struct mp_prepares *prepares)
{
	size_t max = prepares->session->config.prepared_max > 0 ? prepares->session->config.prepared_max : 1;
	while (prepares->lru.count > max)
		drop(prepares, oldest(prepares));
}
