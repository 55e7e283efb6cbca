// SPDX-License-Identifier: Apache-2.0
// The C API: values of a query that is not prepared. Nobody says what types its parameters have, so the program does,
// or each value has that of its C type. What was told stands in request->held, where the types of a prepared
// statement stand while one of its values is begun. And which of its values lead it to a replica.
#include <string.h>

#include "api/internal.h"
#include "base/mem.h"
#include "wire/message.h"

#define VALUES_MOST UINT16_MAX

bool mp_api_is_query(const struct mp_api_request *request)
{
	return request->cql_len > 0;
}

bool mp_api_query_lacks_values(const struct mp_api_request *request)
{
	return mp_api_is_query(request) && request->held != NULL && request->next < request->held->column_count &&
	       request->depth == 0;
}

const struct mp_type *mp_api_query_type(struct mp_api_request *request, const struct mp_type *own,
                                        const char *function)
{
	const struct mp_metadata *told = request->held;
	uint32_t most = told != NULL ? told->column_count : VALUES_MOST;
	const char *why = "the statement has no more parameters";
	if (mp_api_is_query(request) && request->next < most) {
		const struct mp_type *type = told != NULL ? told->columns[request->next].type : own;
		if (type != NULL) {
			request->next++;
			return type;
		}
		why = "of a query a value with parts needs its type: moonpool_request_set_types()";
	}
	mp_api_spoil(request, function, MOONPOOL_INVALID_ARGUMENT, why);
	return NULL;
}

// "int, map<text, int>" is what stands between the brackets of a tuple.
static const struct mp_type *parse(const char *types, struct mp_arena *arena)
{
	struct mp_buf text;
	mp_buf_init(&text);
	mp_buf_bytes(&text, "tuple<", 6);
	mp_buf_bytes(&text, types, strlen(types));
	mp_buf_u8(&text, '>');
	const struct mp_type *type = NULL;
	if (mp_buf_status(&text) == 0)
		type = mp_type_parse((struct mp_str){(const char *)text.data, text.len}, arena);
	mp_buf_deinit(&text);
	return type;
}

// The parameters of these types; NULL, and *rc: a code of an error.
static struct mp_metadata *told(const char *types, int *rc)
{
	uint64_t refused = mp_mem_stats().refused;
	struct mp_metadata *params = mp_metadata_new(0);
	const struct mp_type *tuple = params != NULL ? parse(types, &params->arena) : NULL;
	if (tuple != NULL)
		params->columns = mp_arena_alloc(&params->arena, tuple->child_count * sizeof(params->columns[0]));
	if (tuple == NULL || params->columns == NULL) {
		mp_metadata_unref(params);
		*rc = mp_mem_stats().refused != refused ? MP_ENOMEM : MP_EINVAL;
		return NULL;
	}
	params->column_count = tuple->child_count;
	for (uint32_t i = 0; i < tuple->child_count; i++)
		params->columns[i] = (struct mp_column){.name = {"", 0}, .type = tuple->children[i]};
	return params;
}

int moonpool_request_set_types(struct moonpool_request *handle, const char *types)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL || !mp_api_may(request->session->loop, __func__))
		return moonpool_last_code();
	if (types == NULL)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, "the types are NULL");
	if (!mp_api_is_query(request))
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT,
		                    "only a query that is not prepared needs types");
	if (request->next > 0 || request->held != NULL)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT,
		                    "types are told once, before the first value");
	int rc = 0;
	request->held = told(types, &rc);
	if (request->held != NULL)
		return 0;
	return mp_api_spoil(request, __func__, rc,
	                    rc == MP_EINVAL ? "CQL types with commas between them expected" : NULL);
}

// ---- where it goes ----------------------------------------------------------------------------------------

// The value that was bound for a parameter; NULL data: none, or null.
static struct mp_bytes bound(const struct mp_api_request *request, uint32_t parameter)
{
	const struct mp_buf *values = &request->request->values;
	struct mp_cursor cursor = mp_cursor_on(values->data, values->len);
	struct mp_bytes value = {NULL, -1};
	for (uint32_t i = 0; i <= parameter && parameter < request->next; i++)
		value = mp_cursor_bytes(&cursor);
	return value.len >= 0 && mp_cursor_status(&cursor) == 0 ? value : (struct mp_bytes){NULL, -1};
}

// What is wrong with the parameter as a part of the key; NULL: nothing, and it was appended.
static const char *append(struct mp_buf *key, const struct mp_api_request *request, uint32_t parameter,
                          bool is_alone)
{
	struct mp_bytes value = bound(request, parameter);
	if (value.len < 0)
		return "a parameter of the partition key has no value yet, or null";
	if (!is_alone && value.len > UINT16_MAX)
		return "a part of a partition key has 65,535 bytes at most";
	if (!is_alone)
		mp_buf_u16(key, (uint16_t)value.len);
	mp_buf_bytes(key, value.data, (size_t)value.len);
	if (!is_alone)
		mp_buf_u8(key, 0);
	return NULL;
}

int moonpool_request_set_routing_parameters(struct moonpool_request *handle, const uint32_t *parameters,
                                            size_t count)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL || !mp_api_may(request->session->loop, __func__))
		return moonpool_last_code();
	const char *why = NULL;
	if (request->request->batch != NULL)
		why = "a batch has no parameters of its own";
	else if (parameters == NULL || count == 0 || count > VALUES_MOST)
		why = "a parameter or more expected";
	else if (request->depth > 0)
		why = "a value was begun and not ended";
	struct mp_buf key;
	mp_buf_init(&key);
	for (size_t i = 0; why == NULL && i < count; i++)
		why = append(&key, request, parameters[i], count == 1);
	if (why == NULL && key.len == 0 && mp_buf_status(&key) == 0)
		why = "a partition key of a byte or more expected";
	int rc = mp_buf_status(&key);
	if (why != NULL)
		rc = mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, why);
	else if (rc != 0)
		rc = mp_api_spoil(request, __func__, rc, NULL);
	else
		mp_request_options_route(&request->request->options,
		                         (struct mp_str){(const char *)key.data, key.len});
	mp_buf_deinit(&key);
	return rc;
}
