// SPDX-License-Identifier: Apache-2.0
// C values as [value]s of a CQL type, length and bytes, if they lose nothing: what the two APIs have in common. The
// range is the type's, not that of the integer that carries it, and a text is what its type calls one.
//
// Each returns NULL when the value was appended, or when there was no memory for it (mp_buf_status() says so).
// Otherwise why not: what was given, in words that follow "got", never the value itself, for it may be a secret and
// ends in logs. Then nothing was appended.
#pragma once

#include "base/buf.h"
#include "base/cursor.h"
#include "wire/type.h"

// tinyint to bigint, counter, timestamp, time, varint, decimal
const char *mp_scalar_put_whole(struct mp_buf *out, uint16_t type, int64_t value) MP_MUST_CHECK;
const char *mp_scalar_put_real(struct mp_buf *out, uint16_t type,
                               double value) MP_MUST_CHECK; // float, double
const char *mp_scalar_put_boolean(struct mp_buf *out, uint16_t type, bool value) MP_MUST_CHECK;
// ascii, text, blob and CUSTOM as they are; uuid, timeuuid, inet, date, varint, decimal as their text
const char *mp_scalar_put_text(struct mp_buf *out, uint16_t type, struct mp_str text) MP_MUST_CHECK;
const char *mp_scalar_put_uuid(struct mp_buf *out, uint16_t type, const uint8_t uuid[16]) MP_MUST_CHECK;
const char *mp_scalar_put_duration(struct mp_buf *out, int64_t months, int64_t days,
                                   int64_t nanos) MP_MUST_CHECK;
