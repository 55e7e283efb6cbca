// SPDX-License-Identifier: Apache-2.0
// The C API: values with parts as parameters: collections, tuples, users' types and vectors, part by part. What is
// begun stands in the request's buffer with an open length and, of a collection, an open count; its end fills them in.
// The types are those of the moment in which the outermost value was begun, whatever is learned about the statement
// meanwhile.
#include <string.h>

#include "api/internal.h"
#include "wire/value.h"
#include "wire/vector.h"

static bool is_collection(const struct mp_type *type)
{
	return type->id == MP_TYPE_LIST || type->id == MP_TYPE_SET || type->id == MP_TYPE_MAP;
}

static bool has_parts(const struct mp_type *type)
{
	return is_collection(type) || type->id == MP_TYPE_TUPLE || type->id == MP_TYPE_UDT ||
	       type->id == MP_TYPE_VECTOR;
}

static struct mp_api_nest *innermost(struct mp_api_request *request)
{
	return &request->nest[request->depth - 1];
}

void mp_api_nest_drop(struct mp_api_request *request)
{
	mp_metadata_unref(request->held);
	request->held = NULL;
	request->depth = 0;
}

// ---- parts ------------------------------------------------------------------------------------------------

const struct mp_type *mp_api_next_part(struct mp_api_request *request, const char *function)
{
	struct mp_api_nest *nest = innermost(request);
	const struct mp_type *type = nest->type;
	bool fixed = type->id == MP_TYPE_TUPLE || type->id == MP_TYPE_UDT;
	uint32_t most = fixed                        ? type->child_count
	                : type->id == MP_TYPE_VECTOR ? (uint32_t)type->dimension
	                                             : INT32_MAX;
	if (nest->count >= most) {
		mp_api_spoil(request, function, MOONPOOL_INVALID_ARGUMENT, "the value has no more parts");
		return NULL;
	}
	nest->part_at = request->request->values.len;
	uint32_t place = nest->count++;
	return type->children[fixed ? place : type->id == MP_TYPE_MAP ? place % 2 : 0];
}

const char *mp_api_end_part(struct mp_api_request *request)
{
	const struct mp_api_nest *nest = innermost(request);
	struct mp_buf *out = &request->request->values;
	if (out->failed)
		return NULL;
	struct mp_cursor cur = mp_cursor_on(out->data + nest->part_at, out->len - nest->part_at);
	int32_t len = mp_cursor_i32(&cur);
	if (len == -2)
		return "unset, which only a whole parameter can be";
	if (len < 0 && nest->type->id != MP_TYPE_TUPLE && nest->type->id != MP_TYPE_UDT)
		return "null, which it cannot hold";
	if (nest->type->id == MP_TYPE_VECTOR && mp_vector_close(out, nest->part_at, nest->type) != 0)
		return "bytes of another length";
	return NULL;
}

// ---- begin and end ----------------------------------------------------------------------------------------

int moonpool_bind_begin(struct moonpool_request *handle)
{
	struct mp_api_place place = mp_api_next_place(handle, __func__);
	if (place.type == NULL)
		return moonpool_last_code();
	struct mp_api_request *request = place.request;
	if (!has_parts(place.type))
		return mp_api_placed(&place, __func__, "a value with parts");
	if (request->depth == MP_API_NEST_MAX)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, "values are nested too deep");
	if (request->held == NULL)
		request->held = mp_metadata_ref(request->request->prepared->params);
	request->nest[request->depth++] =
		(struct mp_api_nest){.type = place.type, .begin = mp_write_value_begin(place.out)};
	if (is_collection(place.type))
		mp_buf_u32(place.out, 0);
	return 0;
}

static struct mp_api_request *begun(struct moonpool_request *handle, const char *function)
{
	struct mp_api_request *request = mp_api_request_of(handle, function);
	if (request == NULL || request->depth > 0)
		return request;
	mp_api_spoil(request, function, MOONPOOL_INVALID_ARGUMENT, "no value was begun: moonpool_bind_begin()");
	return NULL;
}

int moonpool_bind_field(struct moonpool_request *handle, const char *name)
{
	struct mp_api_request *request = begun(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	struct mp_api_nest *nest = innermost(request);
	if (name == NULL)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, "the name is NULL");
	if (nest->type->id != MP_TYPE_UDT)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT,
		                    "only a user's type has fields with names");
	uint32_t field = 0;
	while (field < nest->type->child_count && !mp_str_is(nest->type->fields[field], name))
		field++;
	if (field == nest->type->child_count)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, "there is no such field");
	if (field < nest->count)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT,
		                    "fields are bound in the order of their type, and this one is behind");
	for (; nest->count < field; nest->count++)
		mp_write_null(&request->request->values);
	return 0;
}

// NULL, or why what was begun cannot end here. What is counted is filled in.
static const char *end_value(struct mp_api_nest *nest, struct mp_buf *out)
{
	switch (nest->type->id) {
	case MP_TYPE_TUPLE: return nest->count < nest->type->child_count ? "fewer parts than it has" : NULL;
	case MP_TYPE_VECTOR:
		return nest->count < (uint32_t)nest->type->dimension ? "fewer elements than it has" : NULL;
	case MP_TYPE_UDT:
		for (; nest->count < nest->type->child_count; nest->count++)
			mp_write_null(out);
		return NULL;
	default: break;
	}
	bool map = nest->type->id == MP_TYPE_MAP;
	if (map && nest->count % 2 != 0)
		return "a key without its value";
	if (!out->failed)
		mp_buf_patch_u32(out, nest->begin + 4, map ? nest->count / 2 : nest->count);
	return NULL;
}

int moonpool_bind_end(struct moonpool_request *handle)
{
	struct mp_api_request *request = begun(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	struct mp_api_nest *nest = innermost(request);
	struct mp_buf *out = &request->request->values;
	struct mp_api_place place = {.request = request, .type = nest->type, .out = out};
	const char *why_not = end_value(nest, out);
	request->depth--;
	mp_write_value_end(out, nest->begin);
	int rc = mp_api_placed(&place, __func__, why_not);
	if (request->depth == 0 && !mp_api_is_query(request))
		mp_api_nest_drop(request);
	return rc;
}
