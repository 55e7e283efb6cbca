// SPDX-License-Identifier: Apache-2.0
// Making type nodes, shared by the readers of [option]s, of CQL text and of classes.
#pragma once

#include "wire/type.h"

struct mp_type *mp_type_scalar(uint16_t id); // a constant; NULL when `id` is not a scalar
// A node with room for its children, which the caller fills; NULL: no memory.
struct mp_type *mp_type_node(struct mp_arena *arena, uint16_t id, size_t child_count) MP_MUST_CHECK;
// A vector of `dimension` elements; NULL with *err MP_ETYPE: there is no such vector, or MP_ENOMEM.
struct mp_type *mp_type_vector(struct mp_arena *arena, struct mp_type *element, int64_t dimension,
                               int *err) MP_MUST_CHECK;
// MP_ETYPE: two fields of a user's type have one name, of which a table could keep one value. MP_ENOMEM.
int mp_type_check_fields(const struct mp_type *udt) MP_MUST_CHECK;
// ---- type_class.c: the type of a class, `depth` levels below the top; CUSTOM when it is not known. NULL: no memory.
struct mp_type *mp_type_of_class(struct mp_str java_class, unsigned depth,
                                 struct mp_arena *arena) MP_MUST_CHECK;
// "org.apache.cassandra.db.marshal.Int32Type"; of scalars only
void mp_type_put_class(struct mp_buf *buf, uint16_t id);
