// SPDX-License-Identifier: Apache-2.0
#include "sim/damage.h"

#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "wire/frame.h"
#include "wire/message.h"

#define CHANCE_OF_COLUMN 4 // one in so many is damaged as a whole
#define CHANCE_OF_VALUE  3 // of those columns that are not
#define CHANCE_OF_TWIN   4 // of a row
#define LONGEST_RANDOM   40
#define LONG_TEXT        70000u

struct damage {
	struct mp_rand rand;
	const struct mp_result_body *result;
	struct mp_bytes *values; // of all rows
	uint32_t *order;         // of rows, some of them twice
	uint32_t row_count;
	bool *dropped; // by column
	bool *spared;
	struct mp_metadata *metadata; // of what goes out
	uint8_t *junk;                // LONG_TEXT bytes
};

static bool one_in(struct damage *damage, uint32_t n)
{
	return mp_rand_below(&damage->rand, n) == 0;
}

static bool is_spared(struct mp_str name, struct mp_str spared)
{
	for (size_t at = 0; at < spared.len;) {
		const char *comma = memchr(spared.data + at, ',', spared.len - at);
		size_t len = comma != NULL ? (size_t)(comma - spared.data) - at : spared.len - at;
		if (len == name.len && memcmp(spared.data + at, name.data, len) == 0)
			return true;
		at += len + 1;
	}
	return false;
}

static bool allocate(struct damage *damage)
{
	const struct mp_result_body *result = damage->result;
	size_t cells = (size_t)result->row_count * result->column_count;
	damage->values = mp_calloc(cells + 1, sizeof(*damage->values));
	damage->order = mp_calloc(2 * (size_t)result->row_count + 1, sizeof(*damage->order));
	damage->dropped = mp_calloc(result->column_count + 1, sizeof(bool));
	damage->spared = mp_calloc(result->column_count + 1, sizeof(bool));
	damage->metadata = mp_metadata_new(result->column_count);
	damage->junk = mp_alloc(LONG_TEXT);
	return damage->values != NULL && damage->order != NULL && damage->dropped != NULL &&
	       damage->spared != NULL && damage->metadata != NULL && damage->junk != NULL;
}

static void release(struct damage *damage)
{
	mp_free(damage->values);
	mp_free(damage->order);
	mp_free(damage->dropped);
	mp_free(damage->spared);
	mp_free(damage->junk);
	mp_metadata_unref(damage->metadata);
}

// Names and types, and which columns are there at all. Types and texts are those of the original, which lives longer.
static void damage_columns(struct damage *damage, struct mp_str spared)
{
	const struct mp_metadata *from = damage->result->metadata;
	uint32_t count = 0;
	for (uint32_t i = 0; i < from->column_count; i++) {
		struct mp_column column = from->columns[i];
		damage->spared[i] = is_spared(column.name, spared);
		if (!damage->spared[i] && one_in(damage, CHANCE_OF_COLUMN)) {
			uint32_t what = mp_rand_below(&damage->rand, 3);
			damage->dropped[i] = what == 0;
			if (what == 1)
				column.name = mp_str_of("a_column_nobody_knows");
			if (what == 2)
				column.type = from->columns[mp_rand_below(&damage->rand, from->column_count)].type;
		}
		if (!damage->dropped[i])
			damage->metadata->columns[count++] = column;
	}
	damage->metadata->column_count = count;
}

static void order_rows(struct damage *damage)
{
	for (uint32_t i = 0; i < damage->result->row_count; i++) {
		damage->order[damage->row_count++] = i;
		if (one_in(damage, CHANCE_OF_TWIN))
			damage->order[damage->row_count++] = i;
	}
	for (uint32_t i = damage->row_count; i > 1; i--) {
		uint32_t j = mp_rand_below(&damage->rand, i);
		uint32_t row = damage->order[i - 1];
		damage->order[i - 1] = damage->order[j];
		damage->order[j] = row;
	}
}

static struct mp_bytes damage_value(struct damage *damage, struct mp_bytes value)
{
	uint32_t cells = damage->result->row_count * damage->result->column_count;
	uint32_t what = mp_rand_below(&damage->rand, 6);
	for (int i = 0; i < LONGEST_RANDOM; i++)
		damage->junk[i] = (uint8_t)mp_rand_u64(&damage->rand);
	switch (what) {
	case 0: return (struct mp_bytes){NULL, -1};
	case 1: return (struct mp_bytes){damage->junk, 0};
	case 2: return (struct mp_bytes){value.data, value.len > 0 ? value.len / 2 : value.len};
	case 3: return damage->values[mp_rand_below(&damage->rand, cells)];
	case 4: return (struct mp_bytes){damage->junk, (int32_t)mp_rand_below(&damage->rand, LONGEST_RANDOM)};
	default: return (struct mp_bytes){damage->junk, (int32_t)LONG_TEXT};
	}
}

static void write_row(struct damage *damage, struct mp_buf *out, uint32_t row)
{
	uint32_t columns = damage->result->column_count;
	for (uint32_t i = 0; i < columns; i++) {
		struct mp_bytes value = damage->values[(size_t)row * columns + i];
		if (damage->dropped[i])
			continue;
		if (!damage->spared[i] && one_in(damage, CHANCE_OF_VALUE))
			value = damage_value(damage, value);
		mp_buf_i32(out, value.len);
		if (value.len > 0)
			mp_buf_bytes(out, value.data, (size_t)value.len);
	}
}

static bool read_values(struct damage *damage)
{
	struct mp_cursor rows = damage->result->rows;
	uint32_t columns = damage->result->column_count;
	for (uint32_t i = 0; i < damage->result->row_count; i++)
		if (mp_row_read(&rows, damage->values + (size_t)i * columns, columns) != 0)
			return false;
	return true;
}

static void rewrite(struct damage *damage, struct mp_buf *envelope, uint8_t version, struct mp_str spared)
{
	struct mp_buf out;
	mp_buf_init(&out);
	if (allocate(damage) && read_values(damage)) {
		memset(damage->junk, 'x', LONG_TEXT);
		damage_columns(damage, spared);
		order_rows(damage);
		struct mp_rows_head head = {.metadata = damage->metadata, .paging_state = {NULL, -1}};
		int16_t stream = (int16_t)(envelope->data[2] << 8 | envelope->data[3]);
		struct mp_rows_mark mark = mp_encode_rows_begin(&out, version, stream, &head);
		for (uint32_t i = 0; i < damage->row_count; i++)
			write_row(damage, &out, damage->order[i]);
		mp_encode_rows_end(&out, mark, damage->row_count);
		mp_buf_clear(envelope);
		mp_buf_bytes(envelope, out.data, out.len);
		envelope->failed = envelope->failed || out.failed;
	}
	mp_buf_deinit(&out);
}

void mp_sim_damage(struct mp_buf *envelope, uint8_t version, uint64_t seed, struct mp_str spared)
{
	struct mp_result_body result;
	if (envelope->len < MP_ENVELOPE_HEADER || envelope->data[4] != MP_OP_RESULT)
		return;
	struct mp_cursor body =
		mp_cursor_on(envelope->data + MP_ENVELOPE_HEADER, envelope->len - MP_ENVELOPE_HEADER);
	if (mp_decode_result(body, version, &result) != 0)
		return;
	struct damage damage = {.result = &result};
	mp_rand_seed(&damage.rand, seed);
	if (result.kind == MP_RESULT_ROWS && result.metadata != NULL && result.column_count > 0)
		rewrite(&damage, envelope, version, spared);
	release(&damage);
	mp_result_drop(&result);
}
