// SPDX-License-Identifier: Apache-2.0
// Values with parts with every mistake: handles that are nothing, places that are not there, memory of the program's
// own that was never given a value or was changed since.
#include "misuse.h"

#include <string.h>

void part_binds(struct moonpool_request *bad, const char *why)
{
	IS(moonpool_bind_begin(bad), INVALID, why);
	IS(moonpool_bind_field(bad, "x"), INVALID, why);
	IS(moonpool_bind_end(bad), INVALID, why);
	IS(moonpool_bind_duration(bad, 1, 1, 1), INVALID, why);
}

static void refused_value(const struct moonpool_value *bad, const char *why)
{
	struct moonpool_value part;
	struct moonpool_cursor cursor;
	int32_t small;
	int64_t large;
	double real;
	bool flag;
	uint8_t uuid[16];
	char text[8];
	const char *data;
	const void *bytes;
	size_t len;
	IS(moonpool_value_type(bad), INVALID, why);
	IS(moonpool_value_type_text(bad, text, sizeof(text)), INVALID, why);
	IS(moonpool_value_is_null(bad), false, why);
	IS(moonpool_value_parts(bad), INVALID, why);
	NONE(moonpool_value_field_name(bad, 0), INVALID, why);
	IS(moonpool_value_field(bad, "x", &part), INVALID, why);
	IS(moonpool_cursor_begin(bad, &cursor), INVALID, why);
	IS(moonpool_value_int32(bad, &small), INVALID, why);
	IS(moonpool_value_int64(bad, &large), INVALID, why);
	IS(moonpool_value_double(bad, &real), INVALID, why);
	IS(moonpool_value_bool(bad, &flag), INVALID, why);
	IS(moonpool_value_uuid(bad, uuid), INVALID, why);
	IS(moonpool_value_duration(bad, &small, &small, &large), INVALID, why);
	IS(moonpool_value_text(bad, &data, &len), INVALID, why);
	IS(moonpool_value_bytes(bad, &bytes, &len), INVALID, why);
	IS(moonpool_value_format(bad, text, sizeof(text)), INVALID, why);
}

static void no_places(const struct moonpool_value *value)
{
	struct moonpool_value part;
	char text[8];
	const char *why = "place for the value";
	IS(moonpool_value_type_text(value, NULL, 8), INVALID, "no place");
	IS(moonpool_value_type_text(value, text, 0), INVALID, "no place");
	IS(moonpool_value_field(value, NULL, &part), INVALID, "is NULL");
	IS(moonpool_value_field(value, "x", NULL), INVALID, "is NULL");
	IS(moonpool_cursor_begin(value, NULL), INVALID, "the cursor is NULL");
	IS(moonpool_value_int32(value, NULL), INVALID, why);
	IS(moonpool_value_int64(value, NULL), INVALID, why);
	IS(moonpool_value_double(value, NULL), INVALID, why);
	IS(moonpool_value_bool(value, NULL), INVALID, why);
	IS(moonpool_value_uuid(value, NULL), INVALID, why);
	IS(moonpool_value_duration(value, NULL, NULL, NULL), INVALID, why);
	IS(moonpool_value_text(value, NULL, NULL), INVALID, why);
	IS(moonpool_value_bytes(value, NULL, NULL), INVALID, why);
	IS(moonpool_value_format(value, NULL, 8), INVALID, why);
	IS(moonpool_value_format(value, text, 0), INVALID, why);
}

static struct moonpool_value kept;
static struct moonpool_cursor kept_cursor;

// Inside of a callback, with a row at hand: a column that is a set of texts.
void parts_of_result(const struct moonpool_result *result, uint32_t column)
{
	struct moonpool_value part, value;
	struct moonpool_cursor cursor;
	IS(moonpool_get_value(result, column, NULL), INVALID, "is NULL");
	IS(moonpool_get_value(result, 99, &value), INVALID, "no such column");
	IS(moonpool_get_value(result, column, &kept), 0, NULL);
	no_places(&kept);
	IS(moonpool_cursor_begin(&kept, &kept_cursor), 0, NULL);
	IS(moonpool_cursor_next(NULL, &part), INVALID, "is NULL");
	IS(moonpool_cursor_next(&kept_cursor, NULL), INVALID, "is NULL");
	for (size_t i = 0; i < sizeof(value); i++) {
		value = kept;
		((unsigned char *)&value)[i] ^= 0x55;
		check(__LINE__, "a changed value", moonpool_value_parts(&value), INVALID, NULL);
	}
	for (size_t i = 0; i < sizeof(cursor) - sizeof(uint32_t); i++) { // behind it may be nothing
		cursor = kept_cursor;
		((unsigned char *)&cursor)[i] ^= 0x55;
		check(__LINE__, "a changed cursor", moonpool_cursor_next(&cursor, &part), INVALID, NULL);
	}
}

void parts(const struct moonpool_result *old_result)
{
	struct moonpool_value none, part;
	struct moonpool_cursor cursor;
	refused_value(NULL, "the value is NULL");
	memset(&none, 0, sizeof(none));
	refused_value(&none, "was not given by moonpool");
	memset(&none, 0xaa, sizeof(none));
	refused_value(&none, "was not given by moonpool");
	refused_value(&kept, "after its callback");
	IS(moonpool_cursor_next(&kept_cursor, &part), INVALID, "after its callback");
	memset(&cursor, 0, sizeof(cursor));
	IS(moonpool_cursor_next(&cursor, &part), INVALID, NULL);
	IS(moonpool_get_value(old_result, 0, &part), INVALID, "after its callback");
	IS(moonpool_get_value(NULL, 0, &part), INVALID, "NULL");
}
