// SPDX-License-Identifier: Apache-2.0
// The C API: what an answer says beside its rows: how it came about, warnings, the number of its trace.
#include <string.h>

#include "api/internal.h"
#include "wire/message.h"

static const char no_place[] = "the place for the value is NULL";

bool moonpool_result_was_applied(const struct moonpool_result *handle)
{
	const struct mp_api_answer *answer = mp_api_answer_of(handle, __func__);
	if (answer == NULL)
		return false;
	const struct mp_outcome *outcome = answer->outcome;
	if (outcome->result->kind != MP_RESULT_ROWS || outcome->metadata == NULL)
		return true;
	return mp_result_applied(outcome->result, outcome->metadata) != 0;
}

uint32_t moonpool_result_attempts(const struct moonpool_result *handle)
{
	const struct mp_api_answer *answer = mp_api_answer_of(handle, __func__);
	return answer != NULL ? answer->outcome->attempts : 0;
}

bool moonpool_result_schema_agrees(const struct moonpool_result *handle)
{
	const struct mp_api_answer *answer = mp_api_answer_of(handle, __func__);
	return answer != NULL && !answer->outcome->schema_disagrees;
}

int moonpool_result_trace_id(const struct moonpool_result *handle, uint8_t id[16])
{
	const struct mp_api_answer *answer = mp_api_answer_of(handle, __func__);
	if (answer == NULL)
		return moonpool_last_code();
	if (id == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_place);
	const struct mp_response_prefix *prefix = answer->outcome->prefix;
	if (prefix == NULL || !prefix->has_trace_id)
		return mp_api_refuse(__func__, MOONPOOL_NOT_FOUND, "the request was not traced");
	memcpy(id, prefix->trace_id.bytes, sizeof(prefix->trace_id.bytes));
	return 0;
}

uint32_t moonpool_result_warnings(const struct moonpool_result *handle)
{
	const struct mp_api_answer *answer = mp_api_answer_of(handle, __func__);
	return answer != NULL && answer->outcome->prefix != NULL ? answer->outcome->prefix->warning_count : 0;
}

int moonpool_result_warning(const struct moonpool_result *handle, uint32_t i, const char **text, size_t *len)
{
	const struct mp_api_answer *answer = mp_api_answer_of(handle, __func__);
	if (answer == NULL)
		return moonpool_last_code();
	if (text == NULL || len == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_place);
	const struct mp_response_prefix *prefix = answer->outcome->prefix;
	if (prefix == NULL || i >= prefix->warning_count)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "there are fewer warnings");
	struct mp_cursor cursor = prefix->warnings;
	struct mp_str warning = {"", 0};
	for (uint32_t n = 0; n <= i; n++)
		warning = mp_cursor_string(&cursor);
	if (mp_cursor_status(&cursor) != 0)
		return mp_api_refuse(__func__, MOONPOOL_PROTOCOL_ERROR, "the node sent less than it said");
	*text = warning.data;
	*len = warning.len;
	return 0;
}

uint32_t moonpool_result_payloads(const struct moonpool_result *handle)
{
	const struct mp_api_answer *answer = mp_api_answer_of(handle, __func__);
	return answer != NULL && answer->outcome->prefix != NULL ? answer->outcome->prefix->payload_count : 0;
}

int moonpool_result_payload(const struct moonpool_result *handle, uint32_t i, const char **name,
                            size_t *name_len, const void **bytes, size_t *len)
{
	const struct mp_api_answer *answer = mp_api_answer_of(handle, __func__);
	if (answer == NULL)
		return moonpool_last_code();
	if (name == NULL || name_len == NULL || bytes == NULL || len == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_place);
	const struct mp_response_prefix *prefix = answer->outcome->prefix;
	if (prefix == NULL || i >= prefix->payload_count)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "the payload has less entries");
	struct mp_cursor cursor = prefix->payload; // was looked through when the answer came
	struct mp_str key = {"", 0};
	struct mp_bytes value = {NULL, 0};
	for (uint32_t n = 0; n <= i; n++) {
		key = mp_cursor_string(&cursor);
		value = mp_cursor_bytes(&cursor);
	}
	*name = key.data;
	*name_len = key.len;
	*bytes = value.data;
	*len = value.len > 0 ? (size_t)value.len : 0;
	return 0;
}
