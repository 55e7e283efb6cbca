// SPDX-License-Identifier: Apache-2.0
// Types as the names of Cassandra's classes: NAME, or NAME(parameters), where the parameters of a user's type are its
// keyspace, its name and fields in hexadecimal, and those of a vector its elements' type and their number. The text is
// a node's: its depth is bounded, one walk over it makes each node once, and what is not known, or not so written,
// becomes CUSTOM with its whole text, never an error.
#include <string.h>

#include "base/err.h"
#include "base/text/hex.h"
#include "wire/type.h"
#include "wire/type_node.h"

#define MARSHAL "org.apache.cassandra.db.marshal."

// The first name of an id is the one that is written.
static const struct class
{
	uint16_t id;
	const char *name;
} classes[] = {
	{MP_TYPE_ASCII, "AsciiType"},
	{MP_TYPE_BIGINT, "LongType"},
	{MP_TYPE_BLOB, "BytesType"},
	{MP_TYPE_BOOLEAN, "BooleanType"},
	{MP_TYPE_COUNTER, "CounterColumnType"},
	{MP_TYPE_DECIMAL, "DecimalType"},
	{MP_TYPE_DOUBLE, "DoubleType"},
	{MP_TYPE_FLOAT, "FloatType"},
	{MP_TYPE_INT, "Int32Type"},
	{MP_TYPE_TIMESTAMP, "TimestampType"},
	{MP_TYPE_TIMESTAMP, "DateType"},
	{MP_TYPE_UUID, "UUIDType"},
	{MP_TYPE_VARCHAR, "UTF8Type"},
	{MP_TYPE_VARINT, "IntegerType"},
	{MP_TYPE_TIMEUUID, "TimeUUIDType"},
	{MP_TYPE_INET, "InetAddressType"},
	{MP_TYPE_DATE, "SimpleDateType"},
	{MP_TYPE_TIME, "TimeType"},
	{MP_TYPE_SMALLINT, "ShortType"},
	{MP_TYPE_TINYINT, "ByteType"},
	{MP_TYPE_DURATION, "DurationType"},
	{MP_TYPE_LIST, "ListType"},
	{MP_TYPE_SET, "SetType"},
	{MP_TYPE_MAP, "MapType"},
	{MP_TYPE_TUPLE, "TupleType"},
	{MP_TYPE_UDT, "UserType"},
	{MP_TYPE_VECTOR, "VectorType"},
};

void mp_type_put_class(struct mp_buf *buf, uint16_t id)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(classes); i++) {
		if (classes[i].id != id)
			continue;
		mp_buf_text(buf, MARSHAL);
		mp_buf_text(buf, classes[i].name);
		return;
	}
}

// ---- reading ----------------------------------------------------------------------------------------------

struct reader {
	const char *pos;
	const char *end;
	struct mp_arena *arena;
	unsigned nested; // wrappers, too
	bool no_memory;
};

struct part { // of a tuple or a user's type, while their number is not known
	struct mp_str name;
	struct mp_type *type;
	struct part *next;
};

static struct mp_type *no_memory(struct reader *in)
{
	in->no_memory = true;
	return NULL;
}

static void skip_blanks(struct reader *in)
{
	while (in->pos < in->end && (*in->pos == ' ' || *in->pos == '\t' || *in->pos == '\n'))
		in->pos++;
}

static bool take_mark(struct reader *in, char mark)
{
	skip_blanks(in);
	if (in->pos == in->end || *in->pos != mark)
		return false;
	in->pos++;
	return true;
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
	       c == '_' || c == '-' || c == '+' || c == '&';
}

static struct mp_str take_name(struct reader *in)
{
	skip_blanks(in);
	const char *start = in->pos;
	while (in->pos < in->end && is_name(*in->pos))
		in->pos++;
	return (struct mp_str){start, (size_t)(in->pos - start)};
}

static bool take_hex(struct reader *in, struct mp_str *out)
{
	struct mp_str text = take_name(in);
	if (text.len % 2 != 0)
		return false;
	uint8_t *bytes = mp_arena_alloc(in->arena, text.len / 2 + 1);
	if (bytes == NULL) {
		no_memory(in);
		return false;
	}
	if (!mp_hex_read(text.data, bytes, text.len / 2))
		return false;
	*out = (struct mp_str){(const char *)bytes, text.len / 2};
	return true;
}

static struct mp_type *read_class(struct reader *in, unsigned depth);

// `count` types in parentheses.
static struct mp_type *read_children(struct reader *in, uint16_t id, size_t count, unsigned depth)
{
	if (!take_mark(in, '('))
		return NULL;
	struct mp_type *type = mp_type_node(in->arena, id, count);
	if (type == NULL)
		return no_memory(in);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && !take_mark(in, ','))
			return NULL;
		type->children[i] = read_class(in, depth + 1);
		if (type->children[i] == NULL)
			return NULL;
	}
	return take_mark(in, ')') ? type : NULL;
}

static struct mp_type *read_wrapped(struct reader *in, unsigned depth)
{
	if (!take_mark(in, '('))
		return NULL;
	struct mp_type *type = read_class(in, depth);
	return type != NULL && take_mark(in, ')') ? type : NULL;
}

static struct mp_type *read_vector(struct reader *in, unsigned depth)
{
	if (!take_mark(in, '('))
		return NULL;
	struct mp_type *element = read_class(in, depth + 1);
	if (element == NULL || !take_mark(in, ','))
		return NULL;
	struct mp_str text = take_name(in);
	int64_t dimension = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || dimension > INT32_MAX)
			return NULL;
		dimension = dimension * 10 + (text.data[i] - '0');
	}
	if (!take_mark(in, ')'))
		return NULL;
	int err = 0;
	struct mp_type *type = mp_type_vector(in->arena, element, dimension, &err);
	return type == NULL && err == MP_ENOMEM ? no_memory(in) : type;
}

// A node of the parts that were read; `with_names`: a user's type.
static struct mp_type *of_parts(struct reader *in, uint16_t id, const struct part *part, size_t count)
{
	struct mp_type *type = mp_type_node(in->arena, id, count);
	if (type == NULL)
		return no_memory(in);
	if (id == MP_TYPE_UDT && count > 0) {
		type->fields = mp_arena_alloc(in->arena, count * sizeof(struct mp_str));
		if (type->fields == NULL)
			return no_memory(in);
	}
	for (size_t i = 0; i < count; i++, part = part->next) {
		type->children[i] = part->type;
		if (type->fields != NULL)
			type->fields[i] = part->name;
	}
	return type;
}

// [name:]type, ... up to the closing parenthesis; a user's type has names.
static struct mp_type *read_parts(struct reader *in, uint16_t id, bool first, unsigned depth)
{
	struct part *parts = NULL, **tail = &parts;
	size_t count = 0;
	for (; !take_mark(in, ')'); first = false, count++) {
		if ((!first && !take_mark(in, ',')) || count == UINT16_MAX)
			return NULL;
		struct part *part = mp_arena_alloc(in->arena, sizeof(*part));
		if (part == NULL)
			return no_memory(in);
		if (id == MP_TYPE_UDT && !(take_hex(in, &part->name) && take_mark(in, ':')))
			return NULL;
		part->type = read_class(in, depth + 1);
		if (part->type == NULL)
			return NULL;
		*tail = part;
		tail = &part->next;
	}
	return of_parts(in, id, parts, count);
}

static struct mp_type *read_udt(struct reader *in, unsigned depth)
{
	if (!take_mark(in, '('))
		return NULL;
	struct mp_str keyspace = take_name(in), name;
	if (!take_mark(in, ',') || !take_hex(in, &name))
		return NULL;
	struct mp_type *type = read_parts(in, MP_TYPE_UDT, false, depth);
	int rc = type != NULL ? mp_type_check_fields(type) : MP_ETYPE;
	if (rc != 0)
		return rc == MP_ENOMEM ? no_memory(in) : NULL;
	type->name = name;
	type->keyspace = mp_arena_str(in->arena, keyspace);
	return type->keyspace.data != NULL ? type : no_memory(in);
}

static struct mp_type *custom(struct reader *in, struct mp_str text)
{
	struct mp_type *type = mp_type_node(in->arena, MP_TYPE_CUSTOM, 0);
	if (type == NULL)
		return no_memory(in);
	type->name = mp_arena_str(in->arena, text);
	return type->name.data != NULL ? type : no_memory(in);
}

// A class that is not known, with its parameters, whatever they are.
static struct mp_type *read_unknown(struct reader *in, const char *start)
{
	unsigned open = 0;
	skip_blanks(in);
	if (in->pos < in->end && *in->pos == '(') {
		do {
			open += *in->pos == '(';
			open -= *in->pos == ')';
			in->pos++;
		} while (open > 0 && in->pos < in->end);
	}
	return open == 0 ? custom(in, (struct mp_str){start, (size_t)(in->pos - start)}) : NULL;
}

static struct mp_type *read_known(struct reader *in, uint16_t id, unsigned depth)
{
	switch (id) {
	case MP_TYPE_LIST:
	case MP_TYPE_SET: return read_children(in, id, 1, depth);
	case MP_TYPE_MAP: return read_children(in, id, 2, depth);
	case MP_TYPE_TUPLE: return take_mark(in, '(') ? read_parts(in, id, true, depth) : NULL;
	case MP_TYPE_UDT: return read_udt(in, depth);
	case MP_TYPE_VECTOR: return read_vector(in, depth);
	default: return mp_type_scalar(id);
	}
}

static struct mp_type *read_named(struct reader *in, unsigned depth)
{
	skip_blanks(in);
	const char *start = in->pos;
	struct mp_str name = take_name(in);
	if (name.len == 0)
		return NULL;
	size_t prefix = strlen(MARSHAL);
	if (name.len > prefix && memcmp(name.data, MARSHAL, prefix) == 0)
		name = (struct mp_str){name.data + prefix, name.len - prefix};
	// How a column is ordered and whether it is frozen is no matter of its values.
	if (mp_str_is(name, "FrozenType") || mp_str_is(name, "ReversedType"))
		return read_wrapped(in, depth);
	for (size_t i = 0; i < MP_ARRAY_LEN(classes); i++) {
		if (mp_str_is(name, classes[i].name))
			return read_known(in, classes[i].id, depth);
	}
	return read_unknown(in, start);
}

// NULL: it is not so written, too deep, or there is no memory.
static struct mp_type *read_class(struct reader *in, unsigned depth)
{
	if (depth > MP_TYPE_DEPTH_MAX || in->nested >= 2 * MP_TYPE_DEPTH_MAX)
		return NULL;
	in->nested++;
	struct mp_type *type = read_named(in, depth);
	in->nested--;
	return type;
}

struct mp_type *mp_type_of_class(struct mp_str java_class, unsigned depth, struct mp_arena *arena)
{
	struct reader in = {.pos = java_class.data, .end = java_class.data + java_class.len, .arena = arena};
	struct mp_type *type = read_class(&in, depth);
	skip_blanks(&in);
	if (in.no_memory)
		return NULL;
	return type != NULL && in.pos == in.end ? type : custom(&in, java_class);
}

// ---- writing ----------------------------------------------------------------------------------------------

static void put_hex(struct mp_buf *buf, struct mp_str text)
{
	for (size_t i = 0; i < text.len; i++)
		mp_buf_printf(buf, "%02x", (unsigned)(uint8_t)text.data[i]);
}

// `freezes`: a composed type says here that it is frozen, as Cassandra's classes do; inside of one that did it goes
// without saying.
static void put_type(struct mp_buf *buf, const struct mp_type *type, bool freezes)
{
	if (type->id == MP_TYPE_CUSTOM) {
		mp_buf_bytes(buf, type->name.data, type->name.len);
		return;
	}
	bool composed = type->child_count > 0 || type->id == MP_TYPE_UDT || type->id == MP_TYPE_TUPLE;
	bool wrap = freezes && composed && type->id != MP_TYPE_TUPLE && type->id != MP_TYPE_VECTOR;
	if (wrap)
		mp_buf_text(buf, MARSHAL "FrozenType(");
	mp_type_put_class(buf, type->id);
	if (composed)
		mp_buf_u8(buf, '(');
	if (type->id == MP_TYPE_UDT) {
		mp_buf_bytes(buf, type->keyspace.data, type->keyspace.len);
		mp_buf_u8(buf, ',');
		put_hex(buf, type->name);
	}
	for (size_t i = 0; i < type->child_count; i++) {
		if (i > 0 || type->id == MP_TYPE_UDT)
			mp_buf_u8(buf, ',');
		if (type->id == MP_TYPE_UDT) {
			put_hex(buf, type->fields[i]);
			mp_buf_u8(buf, ':');
		}
		put_type(buf, type->children[i], freezes && type->id == MP_TYPE_VECTOR);
	}
	if (type->id == MP_TYPE_VECTOR)
		mp_buf_printf(buf, " , %d", (int)type->dimension);
	if (composed)
		mp_buf_u8(buf, ')');
	if (wrap)
		mp_buf_u8(buf, ')');
}

void mp_type_format_class(struct mp_buf *buf, const struct mp_type *type)
{
	put_type(buf, type, type->id == MP_TYPE_VECTOR);
}
