// SPDX-License-Identifier: Apache-2.0
// Numbers without a width. Bytes that have a text must be what the text gives, in its shortest form; text that is
// accepted must come back as a number that is written the same.
#include <string.h>

#include "base/err.h"
#include "fuzz.h"
#include "wire/value.h"

typedef int reader(struct mp_bytes v, struct mp_buf *out);
typedef int writer(struct mp_buf *buf, struct mp_str text);

static struct mp_bytes as_bytes(const struct mp_buf *buf)
{
	return (struct mp_bytes){buf->data, (int32_t)buf->len};
}

static struct mp_str as_str(const struct mp_buf *buf)
{
	return (struct mp_str){(const char *)buf->data, buf->len};
}

static void round_trip(reader *read, writer *write, struct mp_bytes v)
{
	struct mp_buf text;
	struct mp_buf bytes;
	struct mp_buf again;
	mp_buf_init(&text);
	mp_buf_init(&bytes);
	mp_buf_init(&again);
	if (read(v, &text) == 0) {
		mp_assert(write(&bytes, as_str(&text)) == 0);
		mp_assert((size_t)v.len >= bytes.len);
		mp_assert(read(as_bytes(&bytes), &again) == 0);
		mp_assert(mp_str_eq(as_str(&text), as_str(&again)));
	}
	mp_buf_deinit(&text);
	mp_buf_deinit(&bytes);
	mp_buf_deinit(&again);
}

static void parse(reader *read, writer *write, struct mp_str text)
{
	struct mp_buf bytes;
	struct mp_buf out;
	mp_buf_init(&bytes);
	mp_buf_init(&out);
	if (write(&bytes, text) == 0) {
		mp_assert(read(as_bytes(&bytes), &out) == 0);
		round_trip(read, write, as_bytes(&bytes));
	}
	mp_buf_deinit(&bytes);
	mp_buf_deinit(&out);
}

static void duration(struct mp_bytes v)
{
	int32_t months;
	int32_t days;
	int64_t nanos;
	if (mp_value_duration(v, &months, &days, &nanos) != 0)
		return;
	struct mp_buf bytes;
	mp_buf_init(&bytes);
	mp_write_duration(&bytes, months, days, nanos);
	mp_assert((size_t)v.len >= bytes.len); // ours is the shortest
	int32_t months2;
	int32_t days2;
	int64_t nanos2;
	mp_assert(mp_value_duration(as_bytes(&bytes), &months2, &days2, &nanos2) == 0);
	mp_assert(months == months2 && days == days2 && nanos == nanos2);
	mp_buf_deinit(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 4000) // beyond it lies the limit of what is converted
		return 0;
	const struct mp_bytes v = {data, (int32_t)size};
	const struct mp_str text = {(const char *)data, size};
	round_trip(mp_value_varint_text, mp_write_varint_text, v);
	round_trip(mp_value_decimal_text, mp_write_decimal_text, v);
	parse(mp_value_varint_text, mp_write_varint_text, text);
	parse(mp_value_decimal_text, mp_write_decimal_text, text);
	duration(v);
	return 0;
}
