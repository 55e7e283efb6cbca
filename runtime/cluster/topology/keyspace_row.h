// SPDX-License-Identifier: Apache-2.0
// What system_schema.keyspaces says about one keyspace. Pure: rows in, structs out.
#pragma once

#include "wire/message.h"

#define MP_KEYSPACE_OPTIONS_MAX 65 // a class and every datacentre

struct mp_keyspace_row {
	struct mp_str name;
	size_t option_count;
	struct mp_str keys[MP_KEYSPACE_OPTIONS_MAX];
	struct mp_str values[MP_KEYSPACE_OPTIONS_MAX];
};

// Reads the rows of a SELECT * FROM system_schema.keyspaces in steps.
struct mp_keyspace_reader {
	struct mp_cursor rows;
	uint32_t left; // rows to be read
	uint32_t column_count;
	int name_at, replication_at;
};

// MP_EPROTO: no such rows. The result must outlive the reader.
int mp_keyspace_reader_begin(struct mp_keyspace_reader *reader,
                             const struct mp_result_body *result) MP_MUST_CHECK;
// The next row; its strings are borrowed from the result. 0; MP_EEOF: there is none; MP_EPROTO.
int mp_keyspace_reader_next(struct mp_keyspace_reader *reader, struct mp_keyspace_row *row) MP_MUST_CHECK;
