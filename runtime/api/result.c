// SPDX-License-Identifier: Apache-2.0
// The C API: results, read in place. A result is the loop's one answer while its callback runs; then its handle is
// void. What is asked of none, or of a column that is not there, gives 0, NULL or false, and a noted reason.
#include <string.h>

#include "api/scalar.h"
#include "base/mem.h"
#include "wire/message.h"

static const char no_place[] = "the place for the value is NULL";
static const char no_column[] = "there is no such column";

// ---- while a callback runs --------------------------------------------------------------------------------

// Room for the values of a row of more columns than there was any before. 0 or MP_ENOMEM.
static MP_COLD int widen(struct mp_api_loop *loop, uint32_t count)
{
	struct mp_bytes *values = mp_realloc(loop->values, count * sizeof(*values));
	if (values == NULL)
		return MP_ENOMEM;
	loop->values = values;
	loop->value_capacity = count;
	return 0;
}

static MP_COLD void answer_no_memory(struct mp_api_answer *answer)
{
	// Large, so not made anew for each answer.
	static const struct mp_error no_memory = {.err = MP_ENOMEM, .server_code = -1};
	answer->error = &no_memory;
	answer->outcome = NULL;
}

void mp_api_answer_begin(struct mp_api_loop *loop, const struct mp_outcome *outcome,
                         const struct mp_error *error)
{
	struct mp_api_answer *answer = loop->answer;
	if (MP_UNLIKELY(mp_api_is_in_use(&answer->object)))
		mp_api_retire(answer); // of a callback in which a program turns its own loop
	mp_api_reuse(answer);
	answer->rows_left = answer->columns = answer->at_hand = 0;
	answer->error = error;
	answer->outcome = error == NULL ? outcome : NULL;
	if (answer->outcome == NULL || outcome->result->kind != MP_RESULT_ROWS)
		return;
	const struct mp_result_body *body = outcome->result;
	answer->rows = body->rows;
	answer->rows_left = body->row_count;
	if (MP_LIKELY(outcome->metadata != NULL))
		answer->columns = outcome->metadata->column_count < body->column_count
		                      ? outcome->metadata->column_count
		                      : body->column_count;
	if (MP_UNLIKELY(body->column_count > loop->value_capacity) && widen(loop, body->column_count) != 0)
		answer_no_memory(answer);
}

// ---- columns ----------------------------------------------------------------------------------------------

// NULL, and why was noted.
MP_INLINE struct mp_api_answer *answer_of(const struct moonpool_result *handle, const char *function)
{
	struct mp_api_answer *answer = mp_api_object(handle, MP_API_ANSWER, MOONPOOL_INVALID_ARGUMENT, function);
	if (MP_LIKELY(answer == NULL || answer->outcome != NULL))
		return answer;
	mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "an error is no result");
	return NULL;
}

const struct mp_api_answer *mp_api_answer_of(const struct moonpool_result *handle, const char *function)
{
	return answer_of(handle, function);
}

static const struct mp_column *column_of(const struct moonpool_result *handle, uint32_t column,
                                         const char *function)
{
	const struct mp_api_answer *answer = answer_of(handle, function);
	const struct mp_metadata *metadata = answer != NULL ? answer->outcome->metadata : NULL;
	if (metadata != NULL && column < metadata->column_count)
		return &metadata->columns[column];
	if (answer != NULL)
		mp_api_refuse(function, MOONPOOL_INVALID_ARGUMENT, no_column);
	return NULL;
}

uint32_t moonpool_result_columns(const struct moonpool_result *handle)
{
	const struct mp_api_answer *answer = answer_of(handle, __func__);
	const struct mp_metadata *metadata = answer != NULL ? answer->outcome->metadata : NULL;
	return metadata != NULL ? metadata->column_count : 0;
}

const char *moonpool_result_column_name(const struct moonpool_result *result, uint32_t column)
{
	const struct mp_column *found = column_of(result, column, __func__);
	return found != NULL ? found->name.data : NULL; // in an arena, NUL-terminated
}

int moonpool_result_column(const struct moonpool_result *handle, const char *name)
{
	const struct mp_api_answer *answer = answer_of(handle, __func__);
	if (answer == NULL)
		return moonpool_last_code();
	if (name == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "the name is NULL");
	const struct mp_metadata *metadata = answer->outcome->metadata;
	int index = metadata != NULL ? mp_metadata_find(metadata, mp_str_of(name)) : MP_ENOTFOUND;
	return index >= 0 ? index : mp_api_refuse(__func__, index, "there is no such column");
}

uint16_t moonpool_result_column_type(const struct moonpool_result *result, uint32_t column)
{
	const struct mp_column *found = column_of(result, column, __func__);
	return found != NULL ? found->type->id : 0;
}

int moonpool_result_column_type_text(const struct moonpool_result *result, uint32_t column, char *text,
                                     size_t size)
{
	const struct mp_column *found = column_of(result, column, __func__);
	return found != NULL ? mp_api_type_text(found->type, text, size, __func__) : moonpool_last_code();
}

uint32_t moonpool_result_rows(const struct moonpool_result *handle)
{
	const struct mp_api_answer *answer = answer_of(handle, __func__);
	const struct mp_result_body *body = answer != NULL ? answer->outcome->result : NULL;
	return body != NULL && body->kind == MP_RESULT_ROWS ? body->row_count : 0;
}

bool moonpool_result_paging_state(const struct moonpool_result *handle, const void **bytes, size_t *len)
{
	const struct mp_api_answer *answer = answer_of(handle, __func__);
	if (answer == NULL)
		return false;
	if (bytes == NULL || len == NULL) {
		mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_place);
		return false;
	}
	const struct mp_result_body *body = answer->outcome->result;
	if (body->kind != MP_RESULT_ROWS || !body->has_more_pages || body->paging_state.data == NULL)
		return false;
	*bytes = body->paging_state.data;
	*len = (size_t)body->paging_state.len;
	return true;
}

const char *moonpool_result_host(const struct moonpool_result *handle)
{
	const struct mp_api_answer *answer = answer_of(handle, __func__);
	return answer != NULL && answer->outcome->host != NULL ? answer->outcome->host->addr_text : "";
}

uint64_t moonpool_result_latency_ns(const struct moonpool_result *handle)
{
	const struct mp_api_answer *answer = answer_of(handle, __func__);
	return answer != NULL ? answer->outcome->latency_ns : 0;
}

// ---- rows -------------------------------------------------------------------------------------------------

int moonpool_result_next(const struct moonpool_result *handle)
{
	struct mp_api_answer *answer = answer_of(handle, __func__);
	if (answer == NULL)
		return moonpool_last_code();
	answer->at_hand = 0;
	if (answer->rows_left == 0)
		return 0;
	answer->rows_left--;
	int rc = mp_row_read(&answer->rows, answer->loop->values, answer->outcome->result->column_count);
	if (rc != 0) {
		answer->rows_left = 0;
		return mp_api_refuse(__func__, rc, "the node sent less than it said");
	}
	answer->at_hand = answer->columns;
	return 1;
}

// Why a value cannot be given. The code that was noted.
static MP_COLD int explain_value(const struct moonpool_result *handle, uint32_t column, const void *place,
                                 const char *function)
{
	const struct mp_api_answer *answer = answer_of(handle, function);
	if (answer == NULL)
		return moonpool_last_code();
	if (place == NULL)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, no_place);
	if (column >= answer->columns)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, no_column);
	return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT,
	                      "there is no row: moonpool_result_next() comes first");
}

// The value and its type for a place of the program's. 0, or the code that was noted; null is no mistake.
MP_INLINE int value_at(const struct moonpool_result *handle, uint32_t column, const void *place,
                       struct mp_bytes *value, uint16_t *type, const char *function)
{
	const struct mp_api_answer *answer = mp_api_good(handle, MP_API_ANSWER);
	*value = (struct mp_bytes){NULL, -1};
	*type = MP_TYPE_CUSTOM;
	// An error has no columns.
	if (MP_UNLIKELY(answer == NULL || place == NULL || column >= answer->at_hand))
		return explain_value(handle, column, place, function);
	*value = answer->loop->values[column];
	*type = answer->outcome->metadata->columns[column].type->id;
	return value->len < 0 ? MOONPOOL_NOT_FOUND : 0;
}

static int other_type(const char *function)
{
	return mp_api_refuse(function, MOONPOOL_TYPE_MISMATCH, NULL);
}

// What a reader said of the value, noted when it did not fit.
MP_INLINE int given(int rc, const char *function)
{
	return MP_LIKELY(rc != MOONPOOL_TYPE_MISMATCH) ? rc : other_type(function);
}

int moonpool_get_int64(const struct moonpool_result *result, uint32_t column, int64_t *value)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = value_at(result, column, value, &bytes, &type, __func__);
	return rc != 0 ? rc : given(mp_api_read_whole(type, bytes, value), __func__);
}

int moonpool_get_int32(const struct moonpool_result *result, uint32_t column, int32_t *value)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = value_at(result, column, value, &bytes, &type, __func__);
	return rc != 0 ? rc : given(mp_api_read_int32(type, bytes, value), __func__);
}

int moonpool_get_double(const struct moonpool_result *result, uint32_t column, double *value)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = value_at(result, column, value, &bytes, &type, __func__);
	return rc != 0 ? rc : given(mp_api_read_real(type, bytes, value), __func__);
}

int moonpool_get_bool(const struct moonpool_result *result, uint32_t column, bool *value)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = value_at(result, column, value, &bytes, &type, __func__);
	return rc != 0 ? rc : given(mp_api_read_bool(type, bytes, value), __func__);
}

int moonpool_get_uuid(const struct moonpool_result *result, uint32_t column, uint8_t value[16])
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = value_at(result, column, value, &bytes, &type, __func__);
	return rc != 0 ? rc : given(mp_api_read_uuid(type, bytes, value), __func__);
}

int moonpool_get_text(const struct moonpool_result *result, uint32_t column, const char **text, size_t *len)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = value_at(result, column, len != NULL ? text : NULL, &bytes, &type, __func__);
	if (rc != 0)
		return rc;
	if (type != MP_TYPE_ASCII && type != MP_TYPE_VARCHAR)
		return other_type(__func__);
	*text = (const char *)bytes.data;
	*len = (size_t)bytes.len;
	return 0;
}

int moonpool_get_bytes(const struct moonpool_result *result, uint32_t column, const void **bytes, size_t *len)
{
	struct mp_bytes value;
	uint16_t type;
	int rc = value_at(result, column, len != NULL ? bytes : NULL, &value, &type, __func__);
	if (rc != 0)
		return rc;
	*bytes = value.data;
	*len = (size_t)value.len;
	return 0;
}

int moonpool_get_value(const struct moonpool_result *result, uint32_t column, struct moonpool_value *value)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = value_at(result, column, value, &bytes, &type, __func__);
	if (rc != 0 && rc != MOONPOOL_NOT_FOUND)
		return rc;
	const struct mp_api_answer *answer = mp_api_good(result, MP_API_ANSWER);
	mp_api_value_make(value, result, answer->outcome->metadata->columns[column].type, bytes);
	return rc;
}
