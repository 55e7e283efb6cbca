// SPDX-License-Identifier: Apache-2.0
// Column metadata: its life, and its form on the wire. One arena holds the columns and all they point to;
// keyspace and table, nearly always the same for all columns, are copied once.
#include "wire/metadata.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "wire/notation.h"

static struct mp_metadata *new_with_room(uint32_t count, size_t room)
{
	struct mp_metadata *metadata = mp_calloc(1, sizeof(*metadata));
	if (metadata == NULL)
		return NULL;
	metadata->refs = 1;
	metadata->column_count = count;
	mp_arena_init(&metadata->arena);
	metadata->arena.limit = MP_METADATA_BYTES_MAX;
	if (room > 0 && mp_arena_reserve(&metadata->arena, room) != 0) {
		mp_metadata_unref(metadata);
		return NULL;
	}
	if (count == 0)
		return metadata;
	metadata->columns = mp_arena_alloc(&metadata->arena, count * sizeof(struct mp_column));
	if (metadata->columns == NULL) {
		mp_metadata_unref(metadata);
		return NULL;
	}
	return metadata;
}

struct mp_metadata *mp_metadata_new(uint32_t count)
{
	return new_with_room(count, 0);
}

struct mp_metadata *mp_metadata_ref(struct mp_metadata *metadata)
{
	if (metadata != NULL)
		metadata->refs++;
	return metadata;
}

void mp_metadata_unref(struct mp_metadata *metadata)
{
	if (metadata == NULL)
		return;
	mp_assert(metadata->refs > 0);
	if (--metadata->refs > 0)
		return;
	mp_arena_deinit(&metadata->arena);
	mp_free(metadata);
}

int mp_metadata_find(const struct mp_metadata *metadata, struct mp_str name)
{
	for (uint32_t i = 0; i < metadata->column_count; i++) {
		if (mp_str_eq(metadata->columns[i].name, name))
			return (int)i;
	}
	return MP_ENOTFOUND;
}

bool mp_metadata_same_columns(const struct mp_metadata *a, const struct mp_metadata *b)
{
	uint32_t count = a != NULL ? a->column_count : 0;
	if (count != (b != NULL ? b->column_count : 0))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!mp_str_eq(a->columns[i].name, b->columns[i].name) ||
		    !mp_type_eq(a->columns[i].type, b->columns[i].type))
			return false;
	return true;
}

bool mp_metadata_same_key(const struct mp_metadata *a, const struct mp_metadata *b)
{
	uint16_t count = a != NULL ? a->pk_count : 0;
	if (count != (b != NULL ? b->pk_count : 0))
		return false;
	return count == 0 || memcmp(a->pk_indexes, b->pk_indexes, count * sizeof(uint16_t)) == 0;
}

// ---- reading
// --------------------------------------------------------------------------------------------------------

static uint32_t read_column_count(struct mp_cursor *cur)
{
	int32_t count = mp_cursor_i32(cur);
	if (count < 0 || count > MP_COLUMNS_MAX)
		mp_cursor_fail(cur, "a number of columns that is negative or over 65535");
	return cur->failed ? 0 : (uint32_t)count;
}

void mp_metadata_read_head(struct mp_cursor *cur, uint8_t version, struct mp_metadata_head *head)
{
	head->flags = mp_cursor_u32(cur);
	head->column_count = read_column_count(cur);
	head->paging_state = (struct mp_bytes){NULL, -1};
	head->new_id = (struct mp_str){NULL, 0};
	if (head->flags & MP_META_MORE_PAGES)
		head->paging_state = mp_cursor_bytes(cur);
	if (version >= 5 && (head->flags & MP_META_CHANGED) != 0)
		head->new_id = mp_cursor_string(cur);
}

// A copy of `text`, or of nothing new when the last column said the same.
static int copy_str(struct mp_arena *arena, struct mp_str text, const struct mp_str *last, struct mp_str *out)
{
	if (last != NULL && last->data != NULL && mp_str_eq(text, *last)) {
		*out = *last;
		return 0;
	}
	*out = mp_arena_str(arena, text);
	return out->data == NULL ? MP_ENOMEM : 0;
}

static int read_column(struct mp_cursor *cur, bool global, const struct mp_column *last,
                       struct mp_metadata *metadata, struct mp_column *column)
{
	struct mp_arena *arena = &metadata->arena;
	int rc = 0;
	if (!global) {
		struct mp_str keyspace = mp_cursor_string(cur);
		struct mp_str table = mp_cursor_string(cur);
		rc = copy_str(arena, keyspace, last != NULL ? &last->keyspace : NULL, &column->keyspace);
		if (rc == 0)
			rc = copy_str(arena, table, last != NULL ? &last->table : NULL, &column->table);
	}
	if (rc == 0)
		rc = copy_str(arena, mp_cursor_string(cur), NULL, &column->name);
	if (rc != 0)
		return rc;
	column->type = mp_type_read(cur, arena, &rc);
	return column->type == NULL ? rc : 0;
}

static int fill_columns(struct mp_cursor *cur, uint32_t flags, struct mp_metadata *metadata)
{
	struct mp_str keyspace = {"", 0};
	struct mp_str table = {"", 0};
	bool global = (flags & MP_META_GLOBAL_TABLE) != 0;
	if (global) {
		keyspace = mp_arena_str(&metadata->arena, mp_cursor_string(cur));
		table = mp_arena_str(&metadata->arena, mp_cursor_string(cur));
		if (keyspace.data == NULL || table.data == NULL)
			return MP_ENOMEM;
	}
	for (uint32_t i = 0; i < metadata->column_count; i++) {
		struct mp_column *column = &metadata->columns[i];
		column->keyspace = keyspace;
		column->table = table;
		int rc = read_column(cur, global, i > 0 ? column - 1 : NULL, metadata, column);
		if (rc != 0)
			return rc;
	}
	return mp_cursor_status(cur);
}

static int keep_wire(struct mp_metadata *metadata, uint32_t flags, const uint8_t *start, const uint8_t *end)
{
	struct mp_str wire = {(const char *)start, (size_t)(end - start)};
	metadata->wire = mp_arena_str(&metadata->arena, wire);
	metadata->wire_global = (flags & MP_META_GLOBAL_TABLE) != 0;
	return metadata->wire.data == NULL ? MP_ENOMEM : 0;
}

bool mp_metadata_take_known(struct mp_cursor *cur, uint32_t flags, uint32_t count,
                            const struct mp_metadata *known)
{
	bool global = (flags & MP_META_GLOBAL_TABLE) != 0;
	if (known == NULL || known->wire.data == NULL || known->column_count != count ||
	    known->wire_global != global || known->wire.len > mp_cursor_left(cur) ||
	    memcmp(known->wire.data, cur->pos, known->wire.len) != 0)
		return false;
	cur->pos += known->wire.len;
	return true;
}

// `room`: what all that it holds takes, where that is known.
static int read_into(struct mp_cursor *cur, uint32_t flags, uint32_t count, size_t room,
                     struct mp_metadata **out)
{
	struct mp_metadata *metadata = new_with_room(count, room);
	if (metadata == NULL)
		return MP_ENOMEM;
	const uint8_t *start = cur->pos;
	int rc = fill_columns(cur, flags, metadata);
	if (rc == 0)
		rc = keep_wire(metadata, flags, start, cur->pos);
	if (rc == MP_ENOMEM && metadata->arena.full) {
		mp_cursor_fail(cur, "names and types of columns that would take more than 16 MiB");
		rc = MP_EPROTO;
	}
	if (rc != 0) {
		mp_metadata_unref(metadata);
		return rc;
	}
	*out = metadata;
	return 0;
}

int mp_metadata_read_columns(struct mp_cursor *cur, uint32_t flags, uint32_t count, struct mp_metadata **out)
{
	if (cur->failed ||
	    count > mp_cursor_left(cur) / 4) { // a column is at least the length of its name and a type
		mp_cursor_fail(cur, "more columns than its bytes could hold");
		return MP_EPROTO;
	}
	return read_into(cur, flags, count, 0, out);
}

// The partition key's indexes are looked through first and stored when the columns are there.
static uint16_t read_pk(struct mp_cursor *cur, uint32_t column_count, struct mp_cursor *indexes)
{
	uint32_t count = mp_cursor_count(cur, 2);
	*indexes = *cur;
	if (count > column_count)
		mp_cursor_fail(cur, "a partition key of more columns than there are");
	for (uint32_t i = 0; i < count && !cur->failed; i++) {
		if (mp_cursor_u16(cur) >= column_count)
			mp_cursor_fail(cur, "a partition key of a column that there is not");
	}
	return cur->failed ? 0 : (uint16_t)count;
}

static bool add_pk(struct mp_metadata *metadata, uint16_t count)
{
	if (count == 0)
		return true;
	metadata->pk_indexes = mp_arena_alloc(&metadata->arena, count * sizeof(uint16_t));
	metadata->pk_count = metadata->pk_indexes != NULL ? count : 0;
	return metadata->pk_indexes != NULL;
}

int mp_metadata_read_params(struct mp_cursor *cur, uint8_t version, struct mp_metadata **out)
{
	uint32_t flags = mp_cursor_u32(cur);
	uint32_t count = read_column_count(cur);
	struct mp_cursor indexes = *cur;
	uint16_t pk_count = version >= 4 ? read_pk(cur, count, &indexes) : 0;
	struct mp_metadata *metadata;
	int rc = mp_metadata_read_columns(cur, flags, count, &metadata);
	if (rc != 0)
		return rc;
	if (!add_pk(metadata, pk_count)) {
		mp_metadata_unref(metadata);
		return MP_ENOMEM;
	}
	for (uint16_t i = 0; i < pk_count; i++)
		metadata->pk_indexes[i] = mp_cursor_u16(&indexes);
	*out = metadata;
	return 0;
}

struct mp_metadata *mp_metadata_packed(struct mp_metadata *metadata)
{
	if (metadata == NULL || metadata->wire.data == NULL)
		return metadata;
	struct mp_cursor cur = mp_cursor_on((const uint8_t *)metadata->wire.data, metadata->wire.len);
	struct mp_metadata *packed;
	int rc = read_into(&cur, metadata->wire_global ? MP_META_GLOBAL_TABLE : 0, metadata->column_count,
	                   metadata->arena.used_bytes, &packed);
	if (rc != 0)
		return metadata;
	if (!add_pk(packed, metadata->pk_count)) {
		mp_metadata_unref(packed);
		return metadata;
	}
	if (metadata->pk_count > 0)
		memcpy(packed->pk_indexes, metadata->pk_indexes, metadata->pk_count * sizeof(uint16_t));
	mp_metadata_unref(metadata);
	return packed;
}

// ---- writing
// --------------------------------------------------------------------------------------------------------

static bool same_table(const struct mp_metadata *metadata)
{
	for (uint32_t i = 1; i < metadata->column_count; i++) {
		if (!mp_str_eq(metadata->columns[i].keyspace, metadata->columns[0].keyspace) ||
		    !mp_str_eq(metadata->columns[i].table, metadata->columns[0].table))
			return false;
	}
	return metadata->column_count > 0;
}

static void write_columns(struct mp_buf *buf, uint8_t version, const struct mp_metadata *metadata,
                          bool global)
{
	for (uint32_t i = 0; i < metadata->column_count; i++) {
		const struct mp_column *column = &metadata->columns[i];
		if (i == 0 || !global) {
			mp_put_string(buf, column->keyspace);
			mp_put_string(buf, column->table);
		}
		mp_put_string(buf, column->name);
		mp_type_write(buf, column->type, version);
	}
}

void mp_metadata_write(struct mp_buf *buf, uint8_t version, const struct mp_rows_head *head)
{
	bool changed = version >= 5 && head->new_metadata_id.len > 0;
	bool skip = head->skip_metadata && !changed;
	bool global = !skip && same_table(head->metadata);
	bool more = head->paging_state.data != NULL;
	mp_buf_u32(buf, (uint32_t)((global ? MP_META_GLOBAL_TABLE : 0) | (more ? MP_META_MORE_PAGES : 0) |
	                           (skip ? MP_META_NONE : 0) | (changed ? MP_META_CHANGED : 0)));
	mp_buf_u32(buf, head->metadata->column_count);
	if (more)
		mp_put_bytes(buf, head->paging_state.data, (size_t)head->paging_state.len);
	if (changed)
		mp_put_string(buf, head->new_metadata_id);
	if (!skip)
		write_columns(buf, version, head->metadata, global);
}

void mp_metadata_write_params(struct mp_buf *buf, uint8_t version, const struct mp_metadata *params)
{
	bool global = same_table(params);
	mp_buf_u32(buf, global ? MP_META_GLOBAL_TABLE : 0);
	mp_buf_u32(buf, params->column_count);
	if (version >= 4) {
		mp_buf_u32(buf, params->pk_count);
		for (uint16_t i = 0; i < params->pk_count; i++)
			mp_buf_u16(buf, params->pk_indexes[i]);
	}
	write_columns(buf, version, params, global);
}
