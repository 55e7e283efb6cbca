// SPDX-License-Identifier: Apache-2.0
// The cache of prepared statements: found by text and keyspace, dropped in the order of their last use. A dropped
// statement lives on as long as somebody holds it.
//
// Invariants: a statement is in `live` and in its bucket as long as it lives, so that one text is one object for all
// who hold it; the cache holds one reference of every entry that is linked in `lru`, and `bytes` is the sum of theirs.
#include <string.h>

#include "base/mem.h"
#include "cluster/request/prepare.h"
#include "cluster/session_internal.h"

int mp_prepares_init(struct mp_prepares *prepares, struct mp_session *session)
{
	*prepares = (struct mp_prepares){.session = session, .bucket_count = 64};
	while (prepares->bucket_count < session->config.prepared_max && prepares->bucket_count < 65536)
		prepares->bucket_count *= 2;
	mp_list_init(&prepares->live);
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

static void enter(struct mp_prepares *prepares, struct mp_prepared_entry *entry)
{
	mp_list_push_back(&prepares->live, &entry->live);
	mp_list_push_front(bucket_of(prepares, entry->hash), &entry->bucket);
}

static void leave(struct mp_prepares *prepares, struct mp_prepared_entry *entry)
{
	mp_list_remove(&prepares->live, &entry->live);
	mp_list_remove(bucket_of(prepares, entry->hash), &entry->bucket);
}

static size_t bytes_of(const struct mp_prepared *prepared)
{
	size_t bytes = sizeof(struct mp_prepared_entry) + prepared->cql.len;
	bytes += prepared->params != NULL ? prepared->params->arena.total_bytes : 0;
	return bytes + (prepared->result != NULL ? prepared->result->arena.total_bytes : 0);
}

static void weigh(struct mp_prepares *prepares, struct mp_prepared_entry *entry, size_t bytes)
{
	prepares->bytes = prepares->bytes - entry->bytes + bytes;
	entry->bytes = bytes;
}

// The last to go from the cache.
static void use(struct mp_prepares *prepares, struct mp_prepared_entry *entry)
{
	if (mp_list_node_linked(&entry->lru))
		mp_list_remove(&prepares->lru, &entry->lru);
	else
		mp_prepared_ref(&entry->pub);
	mp_list_push_back(&prepares->lru, &entry->lru);
	weigh(prepares, entry, bytes_of(&entry->pub));
}

static void drop(struct mp_prepares *prepares, struct mp_prepared_entry *entry)
{
	mp_list_remove(&prepares->lru, &entry->lru);
	weigh(prepares, entry, 0);
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
	struct mp_list_node *node;
	while ((node = mp_list_first(&prepares->live)) != NULL) {
		struct mp_prepared_entry *entry = MP_CONTAINER_OF(node, struct mp_prepared_entry, live);
		leave(prepares, entry);
		entry->pub.session = NULL;
		if (mp_list_node_linked(&entry->lru))
			drop(prepares, entry);
	}
	mp_free(prepares->buckets);
}

uint64_t mp_prepared_hash(struct mp_str cql, struct mp_str keyspace)
{
	return mp_names_hash(mp_names_hash(keyspace.len, keyspace.data, keyspace.len), cql.data, cql.len);
}

// The newest: an older one of the same text had another id.
static struct mp_prepared_entry *find(struct mp_prepares *prepares, uint64_t hash, struct mp_str cql,
                                      struct mp_str keyspace)
{
	struct mp_list *bucket = bucket_of(prepares, hash);
	struct mp_list_node *node = mp_list_first(bucket);
	for (; node != NULL; node = mp_list_next(bucket, node)) {
		struct mp_prepared_entry *entry = MP_CONTAINER_OF(node, struct mp_prepared_entry, bucket);
		if (entry->hash == hash && mp_str_eq(entry->pub.cql, cql) && mp_str_eq(entry->pub.keyspace, keyspace))
			return entry;
	}
	return NULL;
}

struct mp_prepared *mp_prepares_known(struct mp_prepares *prepares, struct mp_str cql, struct mp_str keyspace)
{
	struct mp_prepared_entry *entry = find(prepares, mp_prepared_hash(cql, keyspace), cql, keyspace);
	return entry != NULL ? &entry->pub : NULL;
}

struct mp_prepared *mp_prepares_find(struct mp_prepares *prepares, struct mp_str cql, struct mp_str keyspace)
{
	uint64_t hash = mp_prepared_hash(cql, keyspace);
	struct mp_prepared_entry *entry = find(prepares, hash, cql, keyspace);
	if (entry == NULL || !mp_list_node_linked(&entry->lru))
		return NULL;
	use(prepares, entry);
	return &entry->pub;
}

void mp_session_each_prepared(const struct mp_session *session,
                              void (*fn)(void *data, const struct mp_prepared *prepared), void *data)
{
	const struct mp_list *lru = &session->prepares.lru;
	for (struct mp_list_node *node = mp_list_first(lru); node != NULL; node = mp_list_next(lru, node))
		fn(data, &MP_CONTAINER_OF(node, struct mp_prepared_entry, lru)->pub);
}

// ---- statements -------------------------------------------------------------------------------------------

extern inline struct mp_prepared *mp_prepared_ref(struct mp_prepared *prepared);
extern inline void mp_prepared_unref(struct mp_prepared *prepared);

static void free_str(struct mp_str text)
{
	mp_free((void *)(uintptr_t)text.data);
}

void mp_prepared_free(struct mp_prepared *prepared)
{
	struct mp_prepared_entry *entry = (struct mp_prepared_entry *)prepared;
	if (prepared->session != NULL && mp_list_node_linked(&entry->live))
		leave(&prepared->session->prepares, entry);
	if (prepared->user_free != NULL)
		prepared->user_free(prepared->user);
	free_str(prepared->cql);
	free_str(prepared->id);
	free_str(prepared->result_metadata_id);
	mp_metadata_unref(prepared->params);
	mp_metadata_unref(prepared->result);
	mp_free(prepared->change);
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
	struct mp_prepared_entry *entry = (struct mp_prepared_entry *)prepared;
	if (prepared->session == NULL || !mp_list_node_linked(&entry->lru))
		return;
	use(&prepared->session->prepares, entry); // so that another one goes if it has become large
	mp_prepares_trim(&prepared->session->prepares);
}

static enum mp_markers markers_of(const struct mp_metadata *params)
{
	for (uint32_t i = 0; i < params->column_count; i++)
		if (params->columns[i].type != NULL && params->columns[i].type->id == MP_TYPE_COUNTER)
			return MP_MARKERS_COUNTER;
	return MP_MARKERS_NO_COUNTER;
}

void mp_prepared_describe(struct mp_prepared *prepared)
{
	struct mp_session *session = prepared->session;
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
	prepared->is_keyed = statement.is_keyed;
}

static struct mp_str put_str(char *to, struct mp_str text)
{
	if (text.len > 0)
		memcpy(to, text.data, text.len);
	to[text.len] = '\0';
	return (struct mp_str){to, text.len};
}

static bool copy_texts(struct mp_prepared *prepared, struct mp_str cql, struct mp_str keyspace,
                       const struct mp_result_body *result)
{
	char *texts = mp_alloc(cql.len + 1 + keyspace.len + 1);
	if (texts == NULL)
		return false;
	prepared->cql = put_str(texts, cql);
	prepared->keyspace = put_str(texts + cql.len + 1, keyspace);
	prepared->id = mp_str_copy(result->prepared_id);
	prepared->result_metadata_id = mp_str_copy(result->result_metadata_id);
	const char *own = prepared->session->config.keyspace;
	bool is_own = own != NULL && mp_str_is(keyspace, own);
	prepared->sent_keyspace = is_own ? (struct mp_str){"", 0} : prepared->keyspace;
	return prepared->id.data != NULL && prepared->result_metadata_id.data != NULL;
}

static struct mp_prepared_entry *make(struct mp_prepares *prepares, struct mp_str cql, struct mp_str keyspace,
                                      const struct mp_result_body *result)
{
	struct mp_prepared_entry *entry = mp_calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	struct mp_prepared *prepared = &entry->pub;
	prepared->session = prepares->session;
	prepared->refs = 1;
	prepared->params = mp_metadata_ref(result->params);
	prepared->result = mp_metadata_ref(result->result);
	mp_list_node_init(&entry->bucket);
	mp_list_node_init(&entry->live);
	mp_list_node_init(&entry->lru);
	if (!copy_texts(prepared, cql, keyspace, result)) {
		mp_prepared_unref(prepared);
		return NULL;
	}
	mp_prepared_describe(prepared);
	return entry;
}

struct mp_prepared *mp_prepares_add(struct mp_prepares *prepares, struct mp_str cql, struct mp_str keyspace,
                                    struct mp_result_body *result, uint64_t asked_ns)
{
	result->params = mp_metadata_packed(result->params); // some will be kept
	result->result = mp_metadata_packed(result->result);
	uint64_t hash = mp_prepared_hash(cql, keyspace);
	struct mp_prepared_entry *entry = find(prepares, hash, cql, keyspace);
	if (entry != NULL && mp_str_eq(entry->pub.id, result->prepared_id)) {
		mp_prepared_renew(&entry->pub, result, asked_ns);
		use(prepares, entry);
	} else {
		if (entry != NULL && mp_list_node_linked(&entry->lru))
			drop(prepares, entry);
		entry = make(prepares, cql, keyspace, result);
		if (entry == NULL)
			return NULL;
		entry->hash = hash;
		enter(prepares, entry);
		mp_list_push_back(&prepares->lru, &entry->lru); // which takes the first reference
		weigh(prepares, entry, bytes_of(&entry->pub));
		mp_prepared_begin(&entry->pub, asked_ns);
	}
	mp_prepares_trim(prepares);
	return &entry->pub;
}

void mp_prepares_trim(struct mp_prepares *prepares)
{
	size_t max = prepares->session->config.prepared_max > 0 ? prepares->session->config.prepared_max : 1;
	while (prepares->lru.count > max || (prepares->bytes > MP_PREPARED_BYTES_MAX && prepares->lru.count > 1))
		drop(prepares, oldest(prepares));
}
