// SPDX-License-Identifier: Apache-2.0
// The C API: C values as parameters.
#include "api_internal.h"
#include "wire/scalar.h"
#include "wire/value.h"

static int failed(struct moonpool_request *request, int rc)
{
	if (request->rc == 0)
		request->rc = rc;
	return rc;
}

// The type of the next parameter, or NULL when there is none.
static const struct mp_type *next_type(struct moonpool_request *request)
{
	const struct mp_prepared *prepared = request->request->prepared;
	if (prepared == NULL || prepared->params == NULL || request->next >= prepared->params->column_count)
		return NULL;
	return prepared->params->columns[request->next++].type;
}

static struct mp_buf *values_of(struct moonpool_request *request)
{
	return &request->request->values;
}

// NULL: it was appended.
static int bound(struct moonpool_request *request, const char *why_not)
{
	return MP_LIKELY(why_not == NULL) ? 0 : failed(request, MOONPOOL_TYPE_MISMATCH);
}

int moonpool_bind_int64(struct moonpool_request *request, int64_t value)
{
	const struct mp_type *type = next_type(request);
	if (type == NULL)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	return bound(request, mp_scalar_put_whole(values_of(request), type->id, value));
}

int moonpool_bind_int32(struct moonpool_request *request, int32_t value)
{
	return moonpool_bind_int64(request, value);
}

int moonpool_bind_double(struct moonpool_request *request, double value)
{
	const struct mp_type *type = next_type(request);
	if (type == NULL)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	return bound(request, mp_scalar_put_real(values_of(request), type->id, value));
}

int moonpool_bind_bool(struct moonpool_request *request, bool value)
{
	const struct mp_type *type = next_type(request);
	if (type == NULL)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	return bound(request, mp_scalar_put_boolean(values_of(request), type->id, value));
}

int moonpool_bind_text(struct moonpool_request *request, const char *data, ptrdiff_t len)
{
	const struct mp_type *type = next_type(request);
	struct mp_str text = len < 0 ? mp_str_of(data) : (struct mp_str){data, (size_t)len};
	if (type == NULL || text.len > INT32_MAX)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	if (type->id == MP_TYPE_BLOB)
		return failed(request, MOONPOOL_TYPE_MISMATCH);
	return bound(request, mp_scalar_put_text(values_of(request), type->id, text));
}

int moonpool_bind_bytes(struct moonpool_request *request, const void *bytes, size_t len)
{
	if (next_type(request) == NULL || len > INT32_MAX)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	mp_buf_i32(values_of(request), (int32_t)len);
	mp_buf_bytes(values_of(request), bytes, len);
	return 0;
}

int moonpool_bind_uuid(struct moonpool_request *request, const uint8_t uuid[16])
{
	const struct mp_type *type = next_type(request);
	if (type == NULL)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	return bound(request, mp_scalar_put_uuid(values_of(request), type->id, uuid));
}

int moonpool_bind_null(struct moonpool_request *request)
{
	if (next_type(request) == NULL)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	mp_write_null(values_of(request));
	return 0;
}

int moonpool_bind_unset(struct moonpool_request *request)
{
	if (next_type(request) == NULL)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	mp_write_unset(values_of(request));
	return 0;
}
