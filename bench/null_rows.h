// SPDX-License-Identifier: Apache-2.0
// The statements that the null server prepares, and the rows that EXECUTE gets for each, made once.
#pragma once

#include "wire/message.h"

#define NULL_KEYSPACE "bench"
#define NULL_ID_BYTES 16 // of a prepared statement; the last one says the kind

enum null_rows_kind {
	NULL_ROWS_KV,   // SELECT value FROM bench.kv WHERE key = ?: a row of 100 bytes
	NULL_ROWS_1K,   // bench.kv1k: of 1,024
	NULL_ROWS_10K,  // bench.kv10k: of 10,240
	NULL_ROWS_WIDE, // SELECT * FROM bench.wide WHERE key = ?: a row of 100 texts of 10 bytes
	NULL_ROWS_PAGE, // SELECT * FROM bench.page WHERE key = ?: 5,000 rows of uuid, bigint, text, text, double
	NULL_ROWS_KINDS
};

// Of those whose statement asks this table for this column; NULL_ROWS_KINDS: none.
enum null_rows_kind null_rows_kind_of(struct mp_str table, struct mp_str column);
struct mp_str null_rows_id(enum null_rows_kind kind); // of its prepared statement
enum null_rows_kind null_rows_of(struct mp_str id);   // and the other way round
struct mp_metadata *null_rows_params(void);           // what every statement has: key
struct mp_metadata *null_rows_metadata(enum null_rows_kind kind);
// Append the rows that EXECUTE gets, for stream 0.
void null_rows(struct mp_buf *out, enum null_rows_kind kind, uint8_t version, bool skip_metadata);
