// SPDX-License-Identifier: Apache-2.0
#include "null_rows.h"

#include <stdio.h>
#include <string.h>

#include "wire/value.h"

#define WIDE_COLUMNS 100
#define PAGE_ROWS    5000
#define NOTE_BYTES   84

static const char *const tables[NULL_ROWS_KINDS] = {"kv", "kv1k", "kv10k", "wide", "page"};

struct column {
	const char *name, *type;
};

// ---- statements
// ---------------------------------------------------------------------------------------------------------

static struct mp_metadata *metadata_of(const char *table, const struct column *columns, uint32_t count)
{
	struct mp_metadata *metadata = mp_metadata_new(count);
	mp_assert(metadata != NULL);
	for (uint32_t i = 0; i < count; i++) {
		metadata->columns[i] = (struct mp_column){
			.keyspace = mp_str_of(NULL_KEYSPACE),
			.table = mp_str_of(table),
			.name = mp_str_of(columns[i].name),
			.type = mp_type_parse(mp_str_of(columns[i].type), &metadata->arena),
		};
		mp_assert(metadata->columns[i].type != NULL);
	}
	return metadata;
}

static struct mp_metadata *wide_metadata(void)
{
	static char names[WIDE_COLUMNS][8];
	static struct column columns[WIDE_COLUMNS];
	for (int i = 0; i < WIDE_COLUMNS; i++) {
		snprintf(names[i], sizeof(names[i]), "c%d", i);
		columns[i] = (struct column){names[i], "text"};
	}
	return metadata_of(tables[NULL_ROWS_WIDE], columns, WIDE_COLUMNS);
}

struct mp_metadata *null_rows_metadata(enum null_rows_kind kind)
{
	static const struct column value = {"value", "text"};
	static const struct column page[] = {
		{"id", "uuid"}, {"seq", "bigint"}, {"name", "text"}, {"note", "text"}, {"score", "double"},
	};
	if (kind == NULL_ROWS_WIDE)
		return wide_metadata();
	return kind == NULL_ROWS_PAGE ? metadata_of(tables[kind], page, MP_ARRAY_LEN(page))
	                              : metadata_of(tables[kind], &value, 1);
}

struct mp_metadata *null_rows_params(void)
{
	static const struct column key = {"key", "bigint"};
	struct mp_metadata *params = metadata_of(tables[NULL_ROWS_KV], &key, 1);
	params->pk_count = 1;
	params->pk_indexes = mp_arena_alloc(&params->arena, sizeof(params->pk_indexes[0]));
	mp_assert(params->pk_indexes != NULL);
	return params;
}

enum null_rows_kind null_rows_kind_of(struct mp_str table, struct mp_str column)
{
	size_t skip = sizeof(NULL_KEYSPACE ".") - 1;
	if (table.len > skip && mp_str_is_nocase((struct mp_str){table.data, skip}, NULL_KEYSPACE "."))
		table = (struct mp_str){table.data + skip, table.len - skip};
	for (int kind = 0; kind < NULL_ROWS_KINDS; kind++)
		if (mp_str_is_nocase(table, tables[kind]) &&
		    mp_str_is_nocase(column, kind >= NULL_ROWS_WIDE ? "*" : "value"))
			return (enum null_rows_kind)kind;
	return NULL_ROWS_KINDS;
}

struct mp_str null_rows_id(enum null_rows_kind kind)
{
	static const char *const ids[NULL_ROWS_KINDS] = {
		"0123456789abcdea", "0123456789abcdeb", "0123456789abcdec", "0123456789abcded", "0123456789abcdee"};
	return (struct mp_str){ids[kind], NULL_ID_BYTES};
}

enum null_rows_kind null_rows_of(struct mp_str id)
{
	unsigned kind = id.len == NULL_ID_BYTES ? (unsigned)(id.data[NULL_ID_BYTES - 1] - 'a') : 0;
	return kind < NULL_ROWS_KINDS ? (enum null_rows_kind)kind : NULL_ROWS_KV;
}

// ---- rows
// ---------------------------------------------------------------------------------------------------------

static void letters(struct mp_buf *out, uint32_t from, uint32_t count)
{
	mp_buf_i32(out, (int32_t)count);
	for (uint32_t i = 0; i < count; i++)
		mp_buf_u8(out, (uint8_t)('a' + (from + i) % 26));
}

static void write_page_row(struct mp_buf *out, uint32_t row)
{
	char name[32];
	mp_buf_i32(out, 16);
	mp_buf_i64(out, INT64_C(0x6d6f6f6e706f4f6c));
	mp_buf_i64(out, INT64_MIN + (int64_t)row);
	mp_buf_i32(out, 8);
	mp_buf_i64(out, row * INT64_C(1000003));
	snprintf(name, sizeof(name), "the name of row %04u", row);
	size_t begin = mp_write_value_begin(out);
	mp_buf_text(out, name);
	mp_write_value_end(out, begin);
	begin = mp_write_value_begin(out);
	mp_buf_printf(out, "%04u", row);
	for (uint32_t i = 4; i < NOTE_BYTES; i++)
		mp_buf_u8(out, (uint8_t)('a' + (row + i) % 26));
	mp_write_value_end(out, begin);
	mp_buf_i32(out, 8);
	mp_write_f64(out, row / 7.0);
}

void null_rows(struct mp_buf *out, enum null_rows_kind kind, uint8_t version, bool skip_metadata)
{
	static const uint32_t bytes[] = {100, 1024, 10240};
	struct mp_metadata *metadata = null_rows_metadata(kind);
	struct mp_rows_head head = {.metadata = metadata, .skip_metadata = skip_metadata};
	struct mp_rows_mark mark = mp_encode_rows_begin(out, version, 0, &head);
	uint32_t rows = kind == NULL_ROWS_PAGE ? PAGE_ROWS : 1;
	if (kind == NULL_ROWS_WIDE)
		for (uint32_t i = 0; i < WIDE_COLUMNS; i++)
			letters(out, i, 10);
	else if (kind == NULL_ROWS_PAGE)
		for (uint32_t row = 0; row < PAGE_ROWS; row++)
			write_page_row(out, row);
	else
		letters(out, 0, bytes[kind]);
	mp_encode_rows_end(out, mark, rows);
	mp_metadata_unref(metadata);
}
