// SPDX-License-Identifier: Apache-2.0
// The bytes of vectors: their elements end to end, as many as the type says. Those of a type whose values are of one
// width (mp_type_width) stand as they are, others behind their length, an unsigned [vint]. No element is null.
#pragma once

#include "base/buf.h"
#include "base/cursor.h"
#include "wire/type.h"

// The elements of a value: 0, or MP_ETYPE when it cannot have as many.
int mp_vector_elements(const struct mp_type *type, struct mp_bytes value,
                       struct mp_cursor *elements) MP_MUST_CHECK;
struct mp_bytes mp_vector_next(struct mp_cursor *elements, const struct mp_type *type); // or the cursor fails
// The [value] that was appended from `begin` on, length and bytes, becomes an element. MP_ETYPE: it is null, unset, or
// of another width than all.
int mp_vector_close(struct mp_buf *buf, size_t begin, const struct mp_type *type) MP_MUST_CHECK;
