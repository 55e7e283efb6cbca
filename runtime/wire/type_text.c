// SPDX-License-Identifier: Apache-2.0
// Types as CQL text. The parser is a recursive descent over words and the marks < > , with a bounded depth;
// names of scalars and collections are matched in any case.
#include <string.h>

#include "base/err.h"
#include "wire/type.h"
#include "wire/type_node.h"

struct name {
	uint16_t id;
	const char *text;
};

// The first name of an id is the one that is written.
static const struct name names[] = {
	{MP_TYPE_ASCII, "ascii"},         {MP_TYPE_BIGINT, "bigint"},   {MP_TYPE_BLOB, "blob"},
	{MP_TYPE_BOOLEAN, "boolean"},     {MP_TYPE_COUNTER, "counter"}, {MP_TYPE_DECIMAL, "decimal"},
	{MP_TYPE_DOUBLE, "double"},       {MP_TYPE_FLOAT, "float"},     {MP_TYPE_INT, "int"},
	{MP_TYPE_TIMESTAMP, "timestamp"}, {MP_TYPE_UUID, "uuid"},       {MP_TYPE_VARCHAR, "text"},
	{MP_TYPE_VARCHAR, "varchar"},     {MP_TYPE_VARINT, "varint"},   {MP_TYPE_TIMEUUID, "timeuuid"},
	{MP_TYPE_INET, "inet"},           {MP_TYPE_DATE, "date"},       {MP_TYPE_TIME, "time"},
	{MP_TYPE_SMALLINT, "smallint"},   {MP_TYPE_TINYINT, "tinyint"}, {MP_TYPE_DURATION, "duration"},
	{MP_TYPE_LIST, "list"},           {MP_TYPE_MAP, "map"},         {MP_TYPE_SET, "set"},
	{MP_TYPE_TUPLE, "tuple"},         {MP_TYPE_CUSTOM, "custom"},   {MP_TYPE_UDT, "udt"},
	{MP_TYPE_VECTOR, "vector"},
};

const char *mp_type_id_name(uint16_t id)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(names); i++) {
		if (names[i].id == id)
			return names[i].text;
	}
	return "?";
}

// ---- parsing
// --------------------------------------------------------------------------------------------------------

struct parser {
	const char *pos;
	const char *end;
	struct mp_arena *arena;
	const struct mp_type_names *names; // NULL: none
};

static void skip_blanks(struct parser *in)
{
	while (in->pos < in->end && (*in->pos == ' ' || (*in->pos >= '\t' && *in->pos <= '\r')))
		in->pos++;
}

static bool take_mark(struct parser *in, char mark)
{
	skip_blanks(in);
	if (in->pos == in->end || *in->pos != mark)
		return false;
	in->pos++;
	return true;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct mp_str take_word(struct parser *in)
{
	skip_blanks(in);
	const char *start = in->pos;
	while (in->pos < in->end && is_word(*in->pos))
		in->pos++;
	return (struct mp_str){start, (size_t)(in->pos - start)};
}

static struct mp_type *parse_type(struct parser *in, unsigned depth);

// A Java class in single quotes, as schema tables write a type without a CQL name.
static struct mp_type *parse_custom(struct parser *in)
{
	const char *close = memchr(in->pos, '\'', (size_t)(in->end - in->pos));
	if (close == NULL || close == in->pos)
		return NULL;
	struct mp_str java_class = {in->pos, (size_t)(close - in->pos)};
	in->pos = close + 1;
	return mp_type_of_class(java_class, 1, in->arena); // how deep it is in all is looked at in the end
}

static struct mp_type *parse_children(struct parser *in, uint16_t id, size_t count, unsigned depth)
{
	struct mp_type *type = mp_type_node(in->arena, id, count);
	if (type == NULL || !take_mark(in, '<'))
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && !take_mark(in, ','))
			return NULL;
		type->children[i] = parse_type(in, depth + 1);
		if (type->children[i] == NULL)
			return NULL;
	}
	return take_mark(in, '>') ? type : NULL;
}

// How many types stand between the '<' that follows and its '>'. False: there is no such pair.
static bool count_children(struct parser in, size_t *children)
{
	*children = 0;
	if (!take_mark(&in, '<'))
		return false;
	if (take_mark(&in, '>'))
		return true;
	size_t count = 1;
	unsigned open = 1;
	char quote = '\0'; // of a class, or of the name of a user's type, that is not over
	for (; in.pos < in.end; in.pos++) {
		if (quote != '\0')
			quote = *in.pos == quote ? '\0' : quote;
		else if (*in.pos == '\'' || *in.pos == '"')
			quote = *in.pos;
		else if (*in.pos == '<')
			open++;
		else if (*in.pos == '>' && --open == 0) {
			*children = count;
			return count <= UINT16_MAX;
		} else if (*in.pos == ',' && open == 1)
			count++;
	}
	return false;
}

static struct mp_type *parse_vector(struct parser *in, unsigned depth)
{
	if (!take_mark(in, '<'))
		return NULL;
	struct mp_type *element = parse_type(in, depth + 1);
	if (element == NULL || !take_mark(in, ','))
		return NULL;
	struct mp_str digits = take_word(in);
	int64_t dimension = 0;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '9' || dimension > INT32_MAX)
			return NULL;
		dimension = dimension * 10 + (digits.data[i] - '0');
	}
	int err;
	return take_mark(in, '>') ? mp_type_vector(in->arena, element, dimension, &err) : NULL;
}

// A user's type: a word in any case, which means small letters, or what stands in double quotes, as it is.
static struct mp_type *parse_name(struct parser *in, struct mp_str word, bool quoted)
{
	if (in->names == NULL || word.len == 0)
		return NULL;
	struct mp_str name = mp_arena_str(in->arena, word);
	if (name.data == NULL)
		return NULL;
	char *at = (char *)(uintptr_t)name.data; // our own copy
	size_t len = 0;
	for (size_t i = 0; i < name.len; i++) {
		at[len++] = !quoted && at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] + 32) : at[i];
		i += quoted && at[i] == '"'; // a double quote inside is written twice
	}
	return in->names->find(in->names->user, (struct mp_str){name.data, len}, in->arena);
}

static struct mp_type *parse_quoted(struct parser *in)
{
	const char *start = in->pos;
	while (in->pos < in->end && (*in->pos != '"' || (in->end - in->pos > 1 && in->pos[1] == '"')))
		in->pos += *in->pos == '"' ? 2 : 1;
	if (in->pos == in->end)
		return NULL;
	return parse_name(in, (struct mp_str){start, (size_t)(in->pos++ - start)}, true);
}

static struct mp_type *parse_frozen(struct parser *in, unsigned depth)
{
	if (!take_mark(in, '<'))
		return NULL;
	struct mp_type *type = parse_type(in, depth + 1);
	return type != NULL && take_mark(in, '>') ? type : NULL;
}

static struct mp_type *parse_type(struct parser *in, unsigned depth)
{
	if (depth > 2 * MP_TYPE_DEPTH_MAX) // each level may be written inside of a frozen<>
		return NULL;
	if (take_mark(in, '\''))
		return parse_custom(in);
	if (take_mark(in, '"'))
		return parse_quoted(in);
	struct mp_str word = take_word(in);
	if (mp_str_is_nocase(word, "frozen"))
		return parse_frozen(in, depth);
	for (size_t i = 0; i < MP_ARRAY_LEN(names); i++) {
		if (!mp_str_is_nocase(word, names[i].text))
			continue;
		switch (names[i].id) {
		case MP_TYPE_LIST:
		case MP_TYPE_SET: return parse_children(in, names[i].id, 1, depth);
		case MP_TYPE_MAP: return parse_children(in, names[i].id, 2, depth);
		case MP_TYPE_TUPLE: {
			size_t count; // CQL knows none without fields; classes do, and so do schema tables
			return count_children(*in, &count) ? parse_children(in, names[i].id, count, depth) : NULL;
		}
		case MP_TYPE_VECTOR: return parse_vector(in, depth);
		case MP_TYPE_CUSTOM: // no words of CQL's
		case MP_TYPE_UDT: return parse_name(in, word, false);
		default: return mp_type_scalar(names[i].id);
		}
	}
	return parse_name(in, word, false);
}

unsigned mp_type_depth(const struct mp_type *type)
{
	unsigned deepest = 0;
	for (size_t i = 0; i < type->child_count; i++) {
		unsigned depth = mp_type_depth(type->children[i]);
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

struct mp_type *mp_type_parse(struct mp_str cql, struct mp_arena *arena)
{
	return mp_type_parse_with(cql, arena, NULL);
}

struct mp_type *mp_type_parse_with(struct mp_str cql, struct mp_arena *arena,
                                   const struct mp_type_names *user_types)
{
	if (cql.len == 0)
		return NULL;
	struct parser in = {.pos = cql.data, .end = cql.data + cql.len, .arena = arena, .names = user_types};
	struct mp_type *type = parse_type(&in, 1);
	skip_blanks(&in);
	return type != NULL && in.pos == in.end && mp_type_depth(type) <= MP_TYPE_DEPTH_MAX ? type : NULL;
}

// ---- formatting
// -------------------------------------------------------------------------------------------------------

// A name that CQL reads back as it is, or one in double quotes.
static void put_name(struct mp_buf *buf, struct mp_str name)
{
	bool plain = name.len > 0 && name.data[0] >= 'a' && name.data[0] <= 'z';
	for (size_t i = 0; i < name.len && plain; i++)
		plain = is_word(name.data[i]) && !(name.data[i] >= 'A' && name.data[i] <= 'Z');
	if (plain) {
		mp_buf_bytes(buf, name.data, name.len);
		return;
	}
	mp_buf_u8(buf, '"');
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '"')
			mp_buf_u8(buf, '"');
		mp_buf_u8(buf, (uint8_t)name.data[i]);
	}
	mp_buf_u8(buf, '"');
}

static void format(struct mp_buf *buf, const struct mp_type *type, bool nested)
{
	bool composed = (type->child_count > 0 && type->id != MP_TYPE_VECTOR) || type->id == MP_TYPE_UDT ||
	                type->id == MP_TYPE_TUPLE;
	if (nested && composed) // CQL accepts a composed type inside of another one only when it is frozen
		mp_buf_text(buf, "frozen<");
	if (type->id == MP_TYPE_CUSTOM) {
		mp_buf_u8(buf, '\'');
		mp_buf_bytes(buf, type->name.data, type->name.len);
		mp_buf_u8(buf, '\'');
	} else if (type->id == MP_TYPE_UDT) {
		put_name(buf, type->name);
	} else {
		mp_buf_text(buf, mp_type_id_name(type->id));
	}
	if ((type->child_count > 0 && type->id != MP_TYPE_UDT) || type->id == MP_TYPE_TUPLE) {
		mp_buf_u8(buf, '<');
		for (size_t i = 0; i < type->child_count; i++) {
			if (i > 0)
				mp_buf_text(buf, ", ");
			format(buf, type->children[i], true);
		}
		if (type->id == MP_TYPE_VECTOR)
			mp_buf_printf(buf, ", %d", (int)type->dimension);
		mp_buf_u8(buf, '>');
	}
	if (nested && composed)
		mp_buf_u8(buf, '>');
}

void mp_type_format(struct mp_buf *buf, const struct mp_type *type)
{
	format(buf, type, false);
}
