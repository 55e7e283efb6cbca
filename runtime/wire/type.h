// SPDX-License-Identifier: Apache-2.0
// CQL types as trees, from the wire ([option], section 4.2.5.2), from CQL text ("map<text, frozen<list<int>>>") and
// from the names of Cassandra's classes ("org.apache.cassandra.db.marshal.VectorType(...)"), which is how the wire says
// what has no number. Nodes live in an arena and never change. What a type says of freezing is no part of its tree:
// values look the same.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

enum mp_type_id {
	MP_TYPE_CUSTOM = 0x00,
	MP_TYPE_ASCII = 0x01,
	MP_TYPE_BIGINT = 0x02,
	MP_TYPE_BLOB = 0x03,
	MP_TYPE_BOOLEAN = 0x04,
	MP_TYPE_COUNTER = 0x05,
	MP_TYPE_DECIMAL = 0x06,
	MP_TYPE_DOUBLE = 0x07,
	MP_TYPE_FLOAT = 0x08,
	MP_TYPE_INT = 0x09,
	MP_TYPE_TIMESTAMP = 0x0b,
	MP_TYPE_UUID = 0x0c,
	MP_TYPE_VARCHAR = 0x0d,
	MP_TYPE_VARINT = 0x0e,
	MP_TYPE_TIMEUUID = 0x0f,
	MP_TYPE_INET = 0x10,
	MP_TYPE_DATE = 0x11,
	MP_TYPE_TIME = 0x12,
	MP_TYPE_SMALLINT = 0x13,
	MP_TYPE_TINYINT = 0x14,
	MP_TYPE_DURATION = 0x15, // v5
	MP_TYPE_LIST = 0x20,
	MP_TYPE_MAP = 0x21,
	MP_TYPE_SET = 0x22,
	MP_TYPE_UDT = 0x30,
	MP_TYPE_TUPLE = 0x31,
	MP_TYPE_VECTOR = 0xff00, // ours: on the wire it is CUSTOM with a class
};

#define MP_TYPE_DEPTH_MAX 32

struct mp_type {
	uint16_t id;          // enum mp_type_id
	uint16_t child_count; // list, set, vector: 1; map: 2 (key, value); tuple, UDT: fields
	int32_t dimension;    // vector: how many elements
	struct mp_type **children;
	struct mp_str name;     // CUSTOM: the Java class; UDT: its name; otherwise empty
	struct mp_str keyspace; // UDT
	struct mp_str *fields;  // UDT: child_count names
};

// Read an [option]. NULL with the cursor failed (malformed, too deep) or *err MP_ENOMEM. A CUSTOM type whose class is
// one that is known becomes that type; any other, and numbers below 0x20 that nobody knows, stay CUSTOM: bytes.
struct mp_type *mp_type_read(struct mp_cursor *cur, struct mp_arena *arena, int *err) MP_MUST_CHECK;
void mp_type_write(struct mp_buf *buf, const struct mp_type *type, uint8_t version);

// What a name means that is no type of CQL's own: a user's type in its stored case. NULL: there is none.
struct mp_type_names {
	struct mp_type *(*find)(void *user, struct mp_str name, struct mp_arena *arena);
	void *user;
};
// Parse a CQL type; `names` NULL: no user's types are known, but by their class in single quotes. NULL when it is not
// one that is known.
struct mp_type *mp_type_parse(struct mp_str cql, struct mp_arena *arena) MP_MUST_CHECK;
struct mp_type *mp_type_parse_with(struct mp_str cql, struct mp_arena *arena,
                                   const struct mp_type_names *names) MP_MUST_CHECK;
// "map<text, frozen<list<int>>>", as CQL says it
void mp_type_format(struct mp_buf *buf, const struct mp_type *type);
// The same as classes: "org.apache.cassandra.db.marshal.MapType(...)"
void mp_type_format_class(struct mp_buf *buf, const struct mp_type *type);
const char *mp_type_id_name(uint16_t id); // "bigint"; "?" when unknown
bool mp_type_eq(const struct mp_type *a, const struct mp_type *b);
unsigned mp_type_depth(const struct mp_type *type); // 1: a scalar
// How many bytes each value of the type has, where Cassandra lays down one number for its vectors; 0: any number.
int32_t mp_type_width(const struct mp_type *type);
