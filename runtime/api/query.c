// SPDX-License-Identifier: Apache-2.0
// The C API: values of a query that is not prepared. Nobody says what types its parameters have, so the program does,
// or each value has that of its C type. What was told stands in request->held, where the types of a prepared
// statement stand while one of its values is begun.
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
