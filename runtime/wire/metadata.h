// SPDX-License-Identifier: Apache-2.0
// <metadata> of ROWS and PREPARED on the wire (sections 4.2.5.2 and 4.2.5.4).
#pragma once

#include "wire/message.h"

enum mp_metadata_flag {
	MP_META_GLOBAL_TABLE = 0x01,
	MP_META_MORE_PAGES = 0x02,
	MP_META_NONE = 0x04,
	MP_META_CHANGED = 0x08, // v5
};

// A select list or the markers of a statement cannot be longer, so a count beyond it is hostile.
#define MP_COLUMNS_MAX        65535
#define MP_METADATA_BYTES_MAX (16u << 20) // of one: a type of two bytes takes a hundred

// What stands before the columns of a result.
struct mp_metadata_head {
	uint32_t flags;
	uint32_t column_count;
	struct mp_bytes paging_state; // data NULL: none
	struct mp_str new_id;
};
void mp_metadata_read_head(struct mp_cursor *cur, uint8_t version, struct mp_metadata_head *head);
// [<global_table_spec>]<col_spec>...: 0, MP_EPROTO or MP_ENOMEM. A new metadata with one reference in *out.
int mp_metadata_read_columns(struct mp_cursor *cur, uint32_t flags, uint32_t count,
                             struct mp_metadata **out) MP_MUST_CHECK;
// Do the columns that follow say the same as those that `known` (may be NULL) was read from? If so they are skipped.
bool mp_metadata_take_known(struct mp_cursor *cur, uint32_t flags, uint32_t count,
                            const struct mp_metadata *known);
// The whole of a bind markers' metadata, with the partition key's indexes since v4.
int mp_metadata_read_params(struct mp_cursor *cur, uint8_t version, struct mp_metadata **out) MP_MUST_CHECK;

void mp_metadata_write(struct mp_buf *buf, uint8_t version, const struct mp_rows_head *head);
void mp_metadata_write_params(struct mp_buf *buf, uint8_t version, const struct mp_metadata *params);
