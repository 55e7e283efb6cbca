// SPDX-License-Identifier: Apache-2.0
// Random calls that look at what came: results and their values, errors, statements.
#include <moonpool.h>
#include <stdlib.h>
#include <string.h>

#include "random_arguments.h"

// What is cut ends within its place, and is as long as it is told to be at most.
static void cut(const char *what, int len, const char *text, size_t size)
{
	if (got(what, len) >= 0 && strnlen(text, size) >= size)
		abort();
}

// ---- values -----------------------------------------------------------------------------------------------

// As every type but its own, most of the time.
static void read_scalar(const struct moonpool_value *value)
{
	char text[16];
	const char *words;
	const void *bytes;
	size_t len = 1 + below(sizeof(text) - 1);
	int32_t small, other;
	int64_t large;
	double real;
	bool flag;
	uint8_t uuid[16];
	(void)moonpool_value_is_null(value);
	switch (below(11)) {
	case 0: got("int32", moonpool_value_int32(value, below(6) == 0 ? NULL : &small)); return;
	case 1: got("int64", moonpool_value_int64(value, below(6) == 0 ? NULL : &large)); return;
	case 2: got("double", moonpool_value_double(value, below(6) == 0 ? NULL : &real)); return;
	case 3: got("bool", moonpool_value_bool(value, below(6) == 0 ? NULL : &flag)); return;
	case 4: got("uuid", moonpool_value_uuid(value, below(6) == 0 ? NULL : uuid)); return;
	case 5:
		got("duration", moonpool_value_duration(value, below(6) == 0 ? NULL : &small, &other, &large));
		return;
	case 6: got("text", moonpool_value_text(value, &words, below(6) == 0 ? NULL : &len)); return;
	case 7: got("bytes", moonpool_value_bytes(value, below(6) == 0 ? NULL : &bytes, &len)); return;
	case 8: cut("format", moonpool_value_format(value, text, len), text, len); return;
	case 9: cut("type_text", moonpool_value_type_text(value, text, len), text, len); return;
	default: got("type", moonpool_value_type(value));
	}
}

// Of the program's own memory: what was given, or anything at all.
static void read_parts(const struct moonpool_result *result, uint32_t column)
{
	static struct moonpool_value kept;
	static struct moonpool_cursor cursor;
	struct moonpool_value part;
	if (below(2) == 0)
		got("get_value", moonpool_get_value(result, column, &kept));
	if (below(8) == 0)
		((unsigned char *)&kept)[below(sizeof(kept))] ^= (unsigned char)below(256);
	if (below(2) == 0)
		got("cursor_begin", moonpool_cursor_begin(&kept, &cursor));
	if (below(16) == 0)
		((unsigned char *)&cursor)[below(sizeof(cursor))] ^= (unsigned char)below(256);
	for (uint32_t i = 0; i < below(40) && moonpool_cursor_next(&cursor, &part) == 1; i++) {
		got("value_parts", moonpool_value_parts(&part));
		read_scalar(&part);
	}
	got("value_parts", moonpool_value_parts(&kept));
	got("value_field", moonpool_value_field(&kept, odd_text(), &part));
	const char *field = moonpool_value_field_name(&kept, below(3));
	(void)(field != NULL ? strlen(field) : 0);
	read_scalar(&kept);
}

// ---- results ----------------------------------------------------------------------------------------------

static void read_column(const struct moonpool_result *result, uint32_t column)
{
	const void *bytes;
	const char *text = moonpool_result_column_name(result, column);
	size_t len;
	int32_t small;
	int64_t large;
	double real;
	bool flag;
	uint8_t uuid[16];
	(void)(text != NULL ? strlen(text) : 0);
	(void)moonpool_result_column_type(result, column);
	switch (below(7)) {
	case 0: got("int64", moonpool_get_int64(result, column, below(6) == 0 ? NULL : &large)); return;
	case 1: got("double", moonpool_get_double(result, column, &real)); return;
	case 2: got("bool", moonpool_get_bool(result, column, &flag)); return;
	case 3: got("uuid", moonpool_get_uuid(result, column, uuid)); return;
	case 4: got("text", moonpool_get_text(result, column, &text, below(6) == 0 ? NULL : &len)); return;
	case 5: got("int32", moonpool_get_int32(result, column, &small)); return;
	default: got("bytes", moonpool_get_bytes(result, column, &bytes, &len)); return;
	}
}

// What came beside the rows.
static void read_told(const struct moonpool_result *result)
{
	const void *bytes;
	const char *text;
	size_t len, name_len;
	uint8_t id[16];
	(void)(strlen(moonpool_result_host(result)) + moonpool_result_latency_ns(result) +
	       moonpool_result_attempts(result) + moonpool_result_was_applied(result) +
	       moonpool_result_schema_agrees(result));
	got("trace_id", moonpool_result_trace_id(result, below(6) == 0 ? NULL : id));
	uint32_t which = below(moonpool_result_warnings(result) + 2);
	got("warning", moonpool_result_warning(result, which, &text, &len));
	which = below(moonpool_result_payloads(result) + 2);
	got("payload", moonpool_result_payload(result, which, &text, &name_len, &bytes, &len));
	(void)moonpool_result_paging_state(result, below(4) == 0 ? NULL : &bytes, &len);
}

void random_result_call(const struct moonpool_result *result)
{
	uint32_t columns = moonpool_result_columns(result), column = below(4) == 0 ? below(columns + 2) : 0;
	(void)moonpool_result_rows(result);
	got("column", moonpool_result_column(result, below(4) == 0 ? odd_text() : "id"));
	char type[8];
	size_t room = below(sizeof(type) + 1);
	cut("column_type", moonpool_result_column_type_text(result, column, type, room), type, room);
	got("next", moonpool_result_next(result));
	read_parts(result, column);
	read_column(result, column);
	read_told(result);
}

// ---- errors and statements --------------------------------------------------------------------------------

void random_error_call(const struct moonpool_error *error)
{
	const char *host, *message;
	int code = moonpool_error_code(error);
	(void)(moonpool_error_server_code(error) + moonpool_error_maybe_applied(error));
	(void)(strlen(moonpool_code_name(code)) + strlen(moonpool_code_text(code - (int)below(40))));
	(void)(strlen(moonpool_error_name(error)) + strlen(moonpool_error_message(error)));
	(void)strlen(moonpool_error_host(error));
	uint32_t count = moonpool_error_attempts(error);
	const char *called = moonpool_error_attempt_name(error, below(count + 2));
	(void)(called != NULL ? strlen(called) : 0);
	if (got("attempt", moonpool_error_attempt(error, below(count + 2), &host, &message, NULL)) == 0)
		(void)(strlen(host) + strlen(message));
}

void random_statement_call(struct moonpool_statement *statement)
{
	char text[8];
	if (below(3) == 0)
		got("set_defaults", moonpool_statement_set_defaults(statement, pick(REQUESTS).at));
	uint32_t parameter = below(moonpool_statement_parameters(statement) + 2);
	const char *name = moonpool_statement_parameter_name(statement, parameter);
	(void)(name != NULL ? strlen(name) : 0);
	uint32_t column = below(moonpool_statement_columns(statement) + 2);
	name = moonpool_statement_column_name(statement, column);
	(void)(name != NULL ? strlen(name) : 0);
	got("column", moonpool_statement_column(statement, odd_text()));
	(void)moonpool_statement_column_type(statement, column);
	char type[8];
	size_t room = below(sizeof(type) + 1);
	cut("column_type", moonpool_statement_column_type_text(statement, column, type, room), type, room);
	got("parameter", moonpool_statement_parameter(statement, odd_text()));
	(void)moonpool_statement_parameter_type(statement, parameter);
	size_t size = below(sizeof(text) + 1);
	int len = moonpool_statement_parameter_type_text(statement, parameter, text, size);
	cut("parameter_type", len, text, size);
}
