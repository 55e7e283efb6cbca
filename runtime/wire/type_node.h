// SPDX-License-Identifier: Apache-2.0
// Making type nodes, shared by the reader of [option]s and the parser of CQL text.
#pragma once

#include "wire/type.h"

struct mp_type *mp_type_scalar(uint16_t id); // a constant; NULL when `id` is not a scalar
// A node with room for its children, which the caller fills; NULL: no memory.
struct mp_type *mp_type_node(struct mp_arena *arena, uint16_t id, size_t child_count) MP_MUST_CHECK;
// A CUSTOM type, or the scalar that older protocol versions call by this class; NULL: no memory.
struct mp_type *mp_type_custom(struct mp_str java_class, struct mp_arena *arena) MP_MUST_CHECK;
