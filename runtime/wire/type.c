// SPDX-License-Identifier: Apache-2.0
// Type trees: reading and writing [option]s, comparing. CQL text is in type_text.c. Scalars are constants and
// take no memory, so what an [option] costs stays in proportion to its bytes.
#include "wire/type.h"

#include <string.h>

#include "base/err.h"
#include "wire/notation.h"
#include "wire/type_node.h"

#define MARSHAL "org.apache.cassandra.db.marshal."

#define SCALAR(type_id)         \
	{                           \
		.id = MP_TYPE_##type_id \
	}
static const struct mp_type scalars[] = {
	SCALAR(ASCII),    SCALAR(BIGINT),  SCALAR(BLOB),     SCALAR(BOOLEAN),   SCALAR(COUNTER),
	SCALAR(DECIMAL),  SCALAR(DOUBLE),  SCALAR(FLOAT),    SCALAR(INT),       SCALAR(UUID),
	SCALAR(VARCHAR),  SCALAR(VARINT),  SCALAR(INET),     SCALAR(DATE),      SCALAR(TIME),
	SCALAR(SMALLINT), SCALAR(TINYINT), SCALAR(DURATION), SCALAR(TIMESTAMP), SCALAR(TIMEUUID),
};

// Types that came with a later protocol version; before it they are CUSTOM with this class.
struct later_type {
	uint16_t id;
	uint8_t since;
	const char *java_class;
};
static const struct later_type later_types[] = {
	{MP_TYPE_DATE, 4, MARSHAL "SimpleDateType"},   {MP_TYPE_TIME, 4, MARSHAL "TimeType"},
	{MP_TYPE_SMALLINT, 4, MARSHAL "ShortType"},    {MP_TYPE_TINYINT, 4, MARSHAL "ByteType"},
	{MP_TYPE_DURATION, 5, MARSHAL "DurationType"},
};

struct mp_type *mp_type_scalar(uint16_t id)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(scalars); i++) {
		// Nodes never change; only the field that a parent keeps them in is not const.
		if (scalars[i].id == id)
			return (struct mp_type *)(uintptr_t)&scalars[i];
	}
	return NULL;
}

struct mp_type *mp_type_node(struct mp_arena *arena, uint16_t id, size_t child_count)
{
	struct mp_type *type = mp_arena_alloc(arena, sizeof(*type));
	if (type == NULL)
		return NULL;
	type->id = id;
	type->child_count = (uint16_t)child_count;
	if (child_count > 0) {
		type->children = mp_arena_alloc(arena, child_count * sizeof(struct mp_type *));
		if (type->children == NULL)
			return NULL;
	}
	return type;
}

struct mp_type *mp_type_custom(struct mp_str java_class, struct mp_arena *arena)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(later_types); i++) {
		if (mp_str_is(java_class, later_types[i].java_class))
			return mp_type_scalar(later_types[i].id);
	}
	struct mp_type *type = mp_type_node(arena, MP_TYPE_CUSTOM, 0);
	if (type == NULL)
		return NULL;
	type->name = mp_arena_str(arena, java_class);
	return type->name.data == NULL ? NULL : type;
}

// ---- reading
// --------------------------------------------------------------------------------------------------------

struct reader {
	struct mp_cursor *cur;
	struct mp_arena *arena;
	int err;
};

static struct mp_type *out_of_memory(struct reader *in)
{
	in->err = MP_ENOMEM;
	return NULL;
}

static struct mp_type *malformed(struct reader *in)
{
	in->cur->failed = true;
	in->err = MP_EPROTO;
	return NULL;
}

static struct mp_type *read_option(struct reader *in, unsigned depth);

static struct mp_type *read_children(struct reader *in, uint16_t id, size_t count, unsigned depth)
{
	struct mp_type *type = mp_type_node(in->arena, id, count);
	if (type == NULL)
		return out_of_memory(in);
	for (size_t i = 0; i < count; i++) {
		type->children[i] = read_option(in, depth + 1);
		if (type->children[i] == NULL)
			return NULL;
	}
	return type;
}

static bool read_str(struct reader *in, struct mp_str *out)
{
	struct mp_str text = mp_cursor_string(in->cur);
	if (in->cur->failed) {
		malformed(in);
		return false;
	}
	*out = mp_arena_str(in->arena, text);
	if (out->data == NULL)
		out_of_memory(in);
	return out->data != NULL;
}

static struct mp_type *read_tuple(struct reader *in, unsigned depth)
{
	size_t count = mp_cursor_u16(in->cur);
	if (in->cur->failed || count > mp_cursor_left(in->cur) / 2) // a part is at least a type id
		return malformed(in);
	return read_children(in, MP_TYPE_TUPLE, count, depth);
}

static struct mp_type *read_udt(struct reader *in, unsigned depth)
{
	struct mp_str keyspace;
	struct mp_str name;
	if (!read_str(in, &keyspace) || !read_str(in, &name))
		return NULL;
	size_t count = mp_cursor_u16(in->cur);
	if (in->cur->failed ||
	    count > mp_cursor_left(in->cur) / 4) // a field is at least the length of its name and a type id
		return malformed(in);
	struct mp_type *type = mp_type_node(in->arena, MP_TYPE_UDT, count);
	if (type == NULL)
		return out_of_memory(in);
	type->keyspace = keyspace;
	type->name = name;
	type->fields = mp_arena_alloc(in->arena, count * sizeof(struct mp_str));
	if (type->fields == NULL)
		return out_of_memory(in);
	for (size_t i = 0; i < count; i++) {
		if (!read_str(in, &type->fields[i]))
			return NULL;
		type->children[i] = read_option(in, depth + 1);
		if (type->children[i] == NULL)
			return NULL;
	}
	return type;
}

static struct mp_type *read_custom(struct reader *in)
{
	struct mp_str java_class = mp_cursor_string(in->cur);
	if (in->cur->failed)
		return malformed(in);
	struct mp_type *type = mp_type_custom(java_class, in->arena);
	return type != NULL ? type : out_of_memory(in);
}

static struct mp_type *read_option(struct reader *in, unsigned depth)
{
	uint16_t id = mp_cursor_u16(in->cur);
	if (in->cur->failed || depth > MP_TYPE_DEPTH_MAX)
		return malformed(in);
	switch (id) {
	case MP_TYPE_CUSTOM: return read_custom(in);
	case MP_TYPE_LIST:
	case MP_TYPE_SET: return read_children(in, id, 1, depth);
	case MP_TYPE_MAP: return read_children(in, id, 2, depth);
	case MP_TYPE_UDT: return read_udt(in, depth);
	case MP_TYPE_TUPLE: return read_tuple(in, depth);
	default: {
		struct mp_type *type = mp_type_scalar(id);
		return type != NULL ? type : malformed(in);
	}
	}
}

struct mp_type *mp_type_read(struct mp_cursor *cur, struct mp_arena *arena, int *err)
{
	struct reader in = {.cur = cur, .arena = arena};
	struct mp_type *type = read_option(&in, 1);
	*err = in.err;
	return type;
}

// ---- writing
// --------------------------------------------------------------------------------------------------------

static bool write_as_custom(struct mp_buf *buf, uint16_t id, uint8_t version)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(later_types); i++) {
		if (later_types[i].id == id && version < later_types[i].since) {
			mp_buf_u16(buf, MP_TYPE_CUSTOM);
			mp_put_text(buf, later_types[i].java_class);
			return true;
		}
	}
	return false;
}

void mp_type_write(struct mp_buf *buf, const struct mp_type *type, uint8_t version)
{
	if (write_as_custom(buf, type->id, version))
		return;
	mp_buf_u16(buf, type->id);
	if (type->id == MP_TYPE_UDT)
		mp_put_string(buf, type->keyspace);
	if (type->id == MP_TYPE_UDT || type->id == MP_TYPE_CUSTOM)
		mp_put_string(buf, type->name);
	if (type->id == MP_TYPE_UDT || type->id == MP_TYPE_TUPLE)
		mp_buf_u16(buf, type->child_count);
	for (size_t i = 0; i < type->child_count; i++) {
		if (type->id == MP_TYPE_UDT)
			mp_put_string(buf, type->fields[i]);
		mp_type_write(buf, type->children[i], version);
	}
}

bool mp_type_eq(const struct mp_type *a, const struct mp_type *b)
{
	if (a == b)
		return true;
	if (a->id != b->id || a->child_count != b->child_count || !mp_str_eq(a->name, b->name) ||
	    !mp_str_eq(a->keyspace, b->keyspace))
		return false;
	for (size_t i = 0; i < a->child_count; i++) {
		if (a->id == MP_TYPE_UDT && !mp_str_eq(a->fields[i], b->fields[i]))
			return false;
		if (!mp_type_eq(a->children[i], b->children[i]))
			return false;
	}
	return true;
}
