// SPDX-License-Identifier: Apache-2.0
// Whether bytes are a value of a type, so that reading them later cannot fail: what an answer is asked before its bytes
// are kept. The verdict is that of the readers (value.h, vector.h), part by part; nothing is converted.
#pragma once

#include "base/cursor.h"
#include "wire/type.h"

#define MP_FITS_ANY (-1) // any bytes are one
#define MP_FITS_ASK (-2) // mp_value_fits() knows

// How long every value of the type is, none and null apart; or one of the above. Asked once per column.
int32_t mp_fits_width(const struct mp_type *type);
bool mp_value_fits(const struct mp_type *type, struct mp_bytes value);
