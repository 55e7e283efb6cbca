// SPDX-License-Identifier: Apache-2.0
// Prepared statements: a cache by text and keyspace for the whole session (least recently used goes first), one PREPARE
// at a time for each, and preparing again on a host that forgot.
#pragma once

#include "cluster/session.h"
#include "cluster/topology/query.h"

#define MP_SCHEMA_CHANGES     16           // the last ones are remembered
#define MP_PREPARED_BYTES_MAX (128u << 20) // of those that are cached; a single one may have more

struct mp_schema_change {
	uint64_t hash; // of keyspace and table
	uint64_t at_ns;
};

struct mp_prepares {
	struct mp_session *session;
	struct mp_list *buckets; // of struct mp_prepared_entry, by hash
	uint32_t bucket_count;   // a power of two
	struct mp_list live;     // of struct mp_prepared_entry: cached, or held by somebody
	struct mp_list lru;      // those that are cached, the least recently used first
	size_t bytes;            // that these have
	struct mp_schema_change changes[MP_SCHEMA_CHANGES];
	struct mp_list flights; // struct mp_prepare_flight
	bool fails;             // the flights end with MP_ECLOSED in this turn's chores
};

// A statement and its place. `pub` comes first, so the two are cast into each other.
struct mp_prepared_entry {
	struct mp_prepared pub;
	uint64_t hash;
	struct mp_list_node bucket;
	struct mp_list_node live; // linked: in its bucket, too
	struct mp_list_node lru;  // linked: cached
	size_t bytes;             // of it in the cache's
};

int mp_prepares_init(struct mp_prepares *prepares, struct mp_session *session) MP_MUST_CHECK;
void mp_prepares_deinit(struct mp_prepares *prepares);
// Flights under way end with MP_ECLOSED, told by the chores.
void mp_prepares_fail_all(struct mp_prepares *prepares);
void mp_prepares_tell_failed(struct mp_prepares *prepares);
void mp_prepares_wake(struct mp_prepares *prepares); // there is room again

// ---- prepared.c: the cache
uint64_t mp_prepared_hash(struct mp_str cql, struct mp_str keyspace);
struct mp_prepared *mp_prepares_known(struct mp_prepares *prepares, struct mp_str cql,
                                      struct mp_str keyspace); // also if it is not cached
struct mp_prepared *mp_prepares_find(struct mp_prepares *prepares, struct mp_str cql, struct mp_str keyspace);
void mp_prepares_trim(struct mp_prepares *prepares); // to what the configuration and the bytes allow
// A statement from the answer to PREPARE, which was sent at `asked_ns`: the one that is known, renewed, or a new one.
// In the cache, which holds it. NULL: out of memory.
struct mp_prepared *mp_prepares_add(struct mp_prepares *prepares, struct mp_str cql, struct mp_str keyspace,
                                    struct mp_result_body *result, uint64_t asked_ns);
void mp_prepared_describe(struct mp_prepared *prepared); // what follows from its text and parameters
// The server said that the rows of this statement look different now. Memory short: the old stays.
void mp_prepared_set_result(struct mp_prepared *prepared, struct mp_str metadata_id,
                            struct mp_metadata *result);
// Bytes of ours, NUL-terminated. data NULL: out of memory.
struct mp_str mp_str_copy(struct mp_str text);

// ---- renew.c
// A keyspace (empty: any) or a table of it (empty: any) is another one now, so all that is known of it is doubted.
// `change`: "CREATED", "UPDATED", "DROPPED".
void mp_prepares_doubt(struct mp_prepares *prepares, struct mp_str keyspace, struct mp_str table,
                       struct mp_str change);
void mp_prepares_doubt_result(struct mp_prepares *prepares, const struct mp_result_body *result); // SCHEMA
// A host is about to be told this text, and knows it before we know what it has made of it.
void mp_prepares_doubt_text(struct mp_prepares *prepares, struct mp_str cql, struct mp_str keyspace);
// The server does not like its values, which may be encoded for another table than there is: is it time to look? A
// program may send what is invalid all day.
bool mp_prepared_is_due(const struct mp_prepared *prepared);
void mp_prepared_begin(struct mp_prepared *prepared, uint64_t asked_ns); // a new one
void mp_prepared_check(struct mp_prepared *prepared, uint64_t asked_ns);
// What the answer to PREPARE says, and the copy holds from now on.
void mp_prepared_renew(struct mp_prepared *prepared, const struct mp_result_body *result, uint64_t asked_ns);

// Read an answer to PREPARE. 0: `result` holds metadata that the caller unrefs. MP_ESERVER: `error` says why.
int mp_prepare_read(const struct mp_envelope *answer, struct mp_result_body *result,
                    struct mp_error_body *error) MP_MUST_CHECK;
// MP_EPROTO of it: ends the connection, and says why.
void mp_prepare_refuse(struct mp_conn *conn, const struct mp_result_body *result);
#define MP_USE_REFUSAL                                                                                   \
	"USE would change one connection of many: name the keyspace in the configuration, in the request's " \
	"options, or before the table"
