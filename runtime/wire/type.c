// SPDX-License-Identifier: Apache-2.0
// Type trees: reading and writing [option]s, comparing. CQL text is in type_text.c, names of classes in type_class.c.
// Scalars are constants and take no memory, so what an [option] costs stays in proportion to its bytes.
#include "wire/type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "wire/notation.h"
#include "wire/type_node.h"

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

// Types that came with a later protocol version; before it they are CUSTOM with their class.
static const struct later_type {
	uint16_t id;
	uint8_t since;
} later_types[] = {
	{MP_TYPE_DATE, 4}, {MP_TYPE_TIME, 4}, {MP_TYPE_SMALLINT, 4}, {MP_TYPE_TINYINT, 4}, {MP_TYPE_DURATION, 5},
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

static int compare_names(const void *a, const void *b)
{
	const struct mp_str *one = a, *other = b;
	if (one->len != other->len)
		return one->len < other->len ? -1 : 1;
	return one->len > 0 ? memcmp(one->data, other->data, one->len) : 0;
}

int mp_type_check_fields(const struct mp_type *udt)
{
	size_t count = udt->child_count;
	struct mp_str few[32];
	struct mp_str *names = count <= MP_ARRAY_LEN(few) ? few : mp_alloc(count * sizeof(*names));
	if (names == NULL)
		return MP_ENOMEM;
	for (size_t i = 0; i < count; i++)
		names[i] = udt->fields[i];
	qsort(names, count, sizeof(*names), compare_names);
	bool twice = false;
	for (size_t i = 1; i < count && !twice; i++)
		twice = mp_str_eq(names[i - 1], names[i]);
	if (names != few)
		mp_free(names);
	return twice ? MP_ETYPE : 0;
}

struct mp_type *mp_type_vector(struct mp_arena *arena, struct mp_type *element, int64_t dimension, int *err)
{
	// The elements' bytes are of no length that could be told without knowing the class.
	bool sound = element->id != MP_TYPE_CUSTOM && dimension > 0 && dimension <= INT32_MAX &&
	             mp_type_width(element) <= INT32_MAX / dimension;
	struct mp_type *type = sound ? mp_type_node(arena, MP_TYPE_VECTOR, 1) : NULL;
	if (type == NULL) {
		*err = sound ? MP_ENOMEM : MP_ETYPE;
		return NULL;
	}
	type->children[0] = element;
	type->dimension = (int32_t)dimension;
	return type;
}

// Not every type whose values are of one width: Cassandra writes a tinyint, a smallint, a date and a time of a vector
// behind a length.
int32_t mp_type_width(const struct mp_type *type)
{
	switch (type->id) {
	case MP_TYPE_BOOLEAN: return 1;
	case MP_TYPE_INT:
	case MP_TYPE_FLOAT: return 4;
	case MP_TYPE_BIGINT:
	case MP_TYPE_DOUBLE:
	case MP_TYPE_TIMESTAMP: return 8;
	case MP_TYPE_UUID:
	case MP_TYPE_TIMEUUID: return 16;
	case MP_TYPE_VECTOR: return mp_type_width(type->children[0]) * type->dimension;
	default: return 0;
	}
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

static struct mp_type *malformed(struct reader *in, const char *why)
{
	mp_cursor_fail(in->cur, why);
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
		malformed(in, NULL);
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
		return malformed(in, "a tuple of more parts than its bytes could hold");
	return read_children(in, MP_TYPE_TUPLE, count, depth);
}

static struct mp_type *checked(struct reader *in, struct mp_type *udt)
{
	int rc = mp_type_check_fields(udt);
	if (rc == MP_ENOMEM)
		return out_of_memory(in);
	return rc == 0 ? udt : malformed(in, "a user's type with two fields of one name");
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
		return malformed(in, "a user's type of more fields than its bytes could hold");
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
	return checked(in, type);
}

static struct mp_type *read_custom(struct reader *in, unsigned depth)
{
	struct mp_str java_class = mp_cursor_string(in->cur);
	if (in->cur->failed)
		return malformed(in, NULL);
	struct mp_type *type = mp_type_of_class(java_class, depth, in->arena);
	return type != NULL ? type : out_of_memory(in);
}

// A scalar's number that is not known here: its values are bytes. What has parts cannot be skipped without knowing how.
static struct mp_type *read_unknown(struct reader *in, uint16_t id)
{
	if (id >= MP_TYPE_LIST)
		return malformed(in, "a composed type of a number that nobody knows");
	char name[8];
	snprintf(name, sizeof(name), "0x%04x", (unsigned)id);
	struct mp_type *type = mp_type_node(in->arena, MP_TYPE_CUSTOM, 0);
	if (type == NULL)
		return out_of_memory(in);
	type->name = mp_arena_str(in->arena, mp_str_of(name));
	return type->name.data != NULL ? type : out_of_memory(in);
}

static struct mp_type *read_option(struct reader *in, unsigned depth)
{
	uint16_t id = mp_cursor_u16(in->cur);
	if (in->cur->failed || depth > MP_TYPE_DEPTH_MAX)
		return malformed(in, "types in types, more than 32 deep");
	switch (id) {
	case MP_TYPE_CUSTOM: return read_custom(in, depth);
	case MP_TYPE_LIST:
	case MP_TYPE_SET: return read_children(in, id, 1, depth);
	case MP_TYPE_MAP: return read_children(in, id, 2, depth);
	case MP_TYPE_UDT: return read_udt(in, depth);
	case MP_TYPE_TUPLE: return read_tuple(in, depth);
	default: {
		struct mp_type *type = mp_type_scalar(id);
		return type != NULL ? type : read_unknown(in, id);
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

static bool is_custom(uint16_t id, uint8_t version)
{
	if (id == MP_TYPE_VECTOR)
		return true;
	for (size_t i = 0; i < MP_ARRAY_LEN(later_types); i++) {
		if (later_types[i].id == id)
			return version < later_types[i].since;
	}
	return false;
}

static void write_class(struct mp_buf *buf, const struct mp_type *type)
{
	mp_buf_u16(buf, MP_TYPE_CUSTOM);
	size_t at = buf->len;
	mp_buf_u16(buf, 0);
	mp_type_format_class(buf, type);
	size_t len = buf->failed ? 0 : buf->len - at - 2;
	if (len > UINT16_MAX)
		buf->failed = true; // a [string] has no more
	if (buf->failed)
		return;
	buf->data[at] = (uint8_t)(len >> 8);
	buf->data[at + 1] = (uint8_t)len;
}

void mp_type_write(struct mp_buf *buf, const struct mp_type *type, uint8_t version)
{
	if (is_custom(type->id, version)) {
		write_class(buf, type);
		return;
	}
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
	if (a->id != b->id || a->child_count != b->child_count || a->dimension != b->dimension ||
	    !mp_str_eq(a->name, b->name) || !mp_str_eq(a->keyspace, b->keyspace))
		return false;
	for (size_t i = 0; i < a->child_count; i++) {
		if (a->id == MP_TYPE_UDT && !mp_str_eq(a->fields[i], b->fields[i]))
			return false;
		if (!mp_type_eq(a->children[i], b->children[i]))
			return false;
	}
	return true;
}
