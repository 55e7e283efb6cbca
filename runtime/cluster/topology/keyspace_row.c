// SPDX-License-Identifier: Apache-2.0
#include "cluster/topology/keyspace_row.h"

#include "base/err.h"
#include "wire/value.h"

#define COLUMNS_MAX 64

static void read_options(struct mp_bytes map, struct mp_keyspace_row *out)
{
	struct mp_cursor elements;
	uint32_t count;
	if (map.len < 0 || mp_value_elements(map, &elements, &count) != 0)
		return;
	uint32_t most = 2 * MP_KEYSPACE_OPTIONS_MAX; // some may be empty
	for (uint32_t i = 0; i < count && i < most && out->option_count < MP_KEYSPACE_OPTIONS_MAX; i++) {
		struct mp_bytes key = mp_cursor_bytes(&elements);
		struct mp_bytes value = mp_cursor_bytes(&elements);
		if (elements.failed)
			return;
		if (key.len <= 0 || value.len < 0)
			continue;
		out->keys[out->option_count] = (struct mp_str){(const char *)key.data, (size_t)key.len};
		out->values[out->option_count++] = (struct mp_str){(const char *)value.data, (size_t)value.len};
	}
}

int mp_keyspace_reader_begin(struct mp_keyspace_reader *reader, const struct mp_result_body *result)
{
	if (result->kind != MP_RESULT_ROWS || result->metadata == NULL || result->column_count > COLUMNS_MAX)
		return MP_EPROTO;
	*reader = (struct mp_keyspace_reader){
		.rows = result->rows,
		.left = result->row_count,
		.column_count = result->column_count,
		.name_at = mp_metadata_find(result->metadata, mp_str_of("keyspace_name")),
		.replication_at = mp_metadata_find(result->metadata, mp_str_of("replication")),
	};
	return reader->name_at < 0 || reader->replication_at < 0 ? MP_EPROTO : 0;
}

int mp_keyspace_reader_next(struct mp_keyspace_reader *reader, struct mp_keyspace_row *row)
{
	struct mp_bytes values[COLUMNS_MAX];
	if (reader->left == 0)
		return MP_EEOF;
	reader->left--;
	int rc = mp_row_read(&reader->rows, values, reader->column_count);
	if (rc != 0)
		return rc;
	struct mp_bytes name = values[reader->name_at];
	row->name = (struct mp_str){(const char *)name.data, name.len > 0 ? (size_t)name.len : 0};
	row->option_count = 0;
	read_options(values[reader->replication_at], row);
	return 0;
}
