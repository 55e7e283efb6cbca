// SPDX-License-Identifier: Apache-2.0
// The order that Cassandra gives to the values of a type: of clustering columns, of set elements and map keys, and of
// ranges in WHERE. Total for any bytes, so that a wrong value cannot break a tree.
#pragma once

#include "base/cursor.h"
#include "wire/type.h"

int mp_sim_compare(const struct mp_type *type, struct mp_bytes a,
                   struct mp_bytes b); // -1, 0, 1; null comes first
// Are these bytes a value of the type? MP_ETYPE when not.
int mp_sim_check_value(const struct mp_type *type, struct mp_bytes value) MP_MUST_CHECK;
// A field of a user's type, `depth` places down; null where the way ends.
struct mp_bytes mp_sim_field(struct mp_bytes value, const uint16_t *path, uint16_t depth);
