// SPDX-License-Identifier: Apache-2.0
// The protocol's notations (section 3) for encoders: what has a length that is not a plain number. Text that
// does not fit its length field marks the buffer as failed; it is never cut.
#pragma once

#include "base/buf.h"
#include "base/cursor.h"

void mp_put_string(struct mp_buf *buf, struct mp_str text);      // [string], also [short bytes]
void mp_put_long_string(struct mp_buf *buf, struct mp_str text); // [long string]
void mp_put_bytes(struct mp_buf *buf, const void *bytes,
                  size_t len);                          // [bytes]; NULL with len 0 is empty, not null
void mp_put_text(struct mp_buf *buf, const char *text); // [string] of NUL-terminated text

// <change_type><target><options> of a SCHEMA_CHANGE event or result (section 4.2.6).
void mp_put_schema_change(struct mp_buf *buf, const char *change, const char *target, struct mp_str keyspace,
                          struct mp_str name);
