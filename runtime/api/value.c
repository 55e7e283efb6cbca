// SPDX-License-Identifier: Apache-2.0
// The C API: C values as parameters. Whatever is refused spoils the request, so that no later value takes the place of
// one that was not bound.
#include <stdio.h>

#include "api/internal.h"
#include "wire/scalar.h"
#include "wire/value.h"

// Of a query whose types were not told: the type that the C type says.
static const struct mp_type own_int = {.id = MP_TYPE_INT}, own_bigint = {.id = MP_TYPE_BIGINT},
							own_double = {.id = MP_TYPE_DOUBLE}, own_boolean = {.id = MP_TYPE_BOOLEAN},
							own_text = {.id = MP_TYPE_VARCHAR}, own_bytes = {.id = MP_TYPE_BLOB},
							own_uuid = {.id = MP_TYPE_UUID}, own_duration = {.id = MP_TYPE_DURATION};

MP_INLINE struct mp_api_place next(const struct moonpool_request *handle, const struct mp_type *own,
                                   const char *function)
{
	struct mp_api_place place = {.request = mp_api_request_of(handle, function)};
	if (MP_UNLIKELY(place.request == NULL))
		return place;
	struct mp_request *request = place.request->request;
	const struct mp_metadata *params = request->prepared != NULL ? request->prepared->params : NULL;
	place.out = &request->values;
	if (MP_UNLIKELY(place.request->depth > 0))
		place.type = mp_api_next_part(place.request, function);
	else if (MP_LIKELY(params != NULL && place.request->next < params->column_count))
		place.type = params->columns[place.request->next++].type;
	else
		place.type = mp_api_query_type(place.request, own, function);
	return place;
}

static int does_not_fit(struct mp_api_request *request, const struct mp_type *type, const char *function,
                        const char *why)
{
	char text[240];
	// Those of a value that was begun are held: the statement may have others by now.
	const struct mp_metadata *params = request->held;
	if (params == NULL && request->request->prepared != NULL)
		params = request->request->prepared->params;
	struct mp_str name = params != NULL ? params->columns[request->next - 1].name : (struct mp_str){"", 0};
	if (name.len == 0)
		name = mp_str_of("?");
	int len = name.len < 64 ? (int)name.len : 64;
	if (request->depth == 0)
		snprintf(text, sizeof(text), "parameter %u (%.*s, %s): got %s", request->next, len, name.data,
		         mp_type_id_name(type->id), why);
	else
		snprintf(text, sizeof(text), "parameter %u (%.*s), part %u (%s) of a %s: got %s", request->next, len,
		         name.data, request->nest[request->depth - 1].count, mp_type_id_name(type->id),
		         mp_type_id_name(request->nest[request->depth - 1].type->id), why);
	if (request->misfit == MP_API_FITS)
		request->misfit = (int32_t)request->next - 1;
	mp_api_spoil(request, function, MOONPOOL_TYPE_MISMATCH, NULL);
	return mp_api_refuse_text(function, MOONPOOL_TYPE_MISMATCH, text);
}

int moonpool_request_misfit(const struct moonpool_request *handle)
{
	const struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	return request->misfit != MP_API_FITS ? request->misfit
	                                      : mp_api_refuse(__func__, MOONPOOL_NOT_FOUND, "every value fits");
}

// `why_not` NULL: it was appended.
MP_INLINE int bound(const struct mp_api_place *place, const char *function, const char *why_not)
{
	if (MP_UNLIKELY(place->request->depth > 0) && why_not == NULL)
		why_not = mp_api_end_part(place->request);
	return MP_LIKELY(why_not == NULL) ? 0 : does_not_fit(place->request, place->type, function, why_not);
}

struct mp_api_place mp_api_next_place(const struct moonpool_request *handle, const char *function)
{
	return next(handle, NULL, function);
}

int mp_api_placed(const struct mp_api_place *place, const char *function, const char *why_not)
{
	return bound(place, function, why_not);
}

static int missing(const struct mp_api_place *place, const char *function, const char *what)
{
	return mp_api_spoil(place->request, function, MOONPOOL_INVALID_ARGUMENT, what);
}

MP_INLINE int bind_whole(struct moonpool_request *request, int64_t value, const struct mp_type *own,
                         const char *function)
{
	struct mp_api_place place = next(request, own, function);
	if (MP_UNLIKELY(place.type == NULL))
		return moonpool_last_code();
	return bound(&place, function, mp_scalar_put_whole(place.out, place.type->id, value));
}

int moonpool_bind_int64(struct moonpool_request *request, int64_t value)
{
	return bind_whole(request, value, &own_bigint, __func__);
}

int moonpool_bind_int32(struct moonpool_request *request, int32_t value)
{
	return bind_whole(request, value, &own_int, __func__);
}

int moonpool_bind_double(struct moonpool_request *request, double value)
{
	struct mp_api_place place = next(request, &own_double, __func__);
	if (place.type == NULL)
		return moonpool_last_code();
	return bound(&place, __func__, mp_scalar_put_real(place.out, place.type->id, value));
}

int moonpool_bind_bool(struct moonpool_request *request, bool value)
{
	struct mp_api_place place = next(request, &own_boolean, __func__);
	if (place.type == NULL)
		return moonpool_last_code();
	return bound(&place, __func__, mp_scalar_put_boolean(place.out, place.type->id, value));
}

int moonpool_bind_text(struct moonpool_request *request, const char *data, ptrdiff_t len)
{
	struct mp_api_place place = next(request, &own_text, __func__);
	if (place.type == NULL)
		return moonpool_last_code();
	if (data == NULL && len != 0)
		return missing(&place, __func__, "the text is NULL");
	if (len < -1)
		return missing(&place, __func__, "a length of the text of -1 (up to its NUL) or more expected");
	struct mp_str text = len == -1 ? mp_str_of(data) : (struct mp_str){data != NULL ? data : "", (size_t)len};
	if (text.len > INT32_MAX)
		return missing(&place, __func__, "a text of more than 2 GiB");
	if (place.type->id == MP_TYPE_BLOB || place.type->id == MP_TYPE_CUSTOM)
		return bound(&place, __func__, "a text: moonpool_bind_bytes() takes bytes");
	return bound(&place, __func__, mp_scalar_put_text(place.out, place.type->id, text));
}

int moonpool_bind_bytes(struct moonpool_request *request, const void *bytes, size_t len)
{
	struct mp_api_place place = next(request, &own_bytes, __func__);
	if (place.type == NULL)
		return moonpool_last_code();
	if (bytes == NULL && len > 0)
		return missing(&place, __func__, "the bytes are NULL");
	if (len > INT32_MAX)
		return missing(&place, __func__, "a value of more than 2 GiB");
	mp_buf_i32(place.out, (int32_t)len);
	mp_buf_bytes(place.out, bytes != NULL ? bytes : "", len);
	return bound(&place, __func__, NULL);
}

int moonpool_bind_uuid(struct moonpool_request *request, const uint8_t uuid[16])
{
	struct mp_api_place place = next(request, &own_uuid, __func__);
	if (place.type == NULL)
		return moonpool_last_code();
	if (uuid == NULL)
		return missing(&place, __func__, "the uuid is NULL");
	return bound(&place, __func__, mp_scalar_put_uuid(place.out, place.type->id, uuid));
}

int moonpool_bind_duration(struct moonpool_request *request, int32_t months, int32_t days,
                           int64_t nanoseconds)
{
	struct mp_api_place place = next(request, &own_duration, __func__);
	if (place.type == NULL)
		return moonpool_last_code();
	if (place.type->id != MP_TYPE_DURATION)
		return bound(&place, __func__, "a duration");
	return bound(&place, __func__, mp_scalar_put_duration(place.out, months, days, nanoseconds));
}

int moonpool_bind_null(struct moonpool_request *request)
{
	struct mp_api_place place = next(request, &own_bytes, __func__);
	if (place.type == NULL)
		return moonpool_last_code();
	mp_write_null(place.out);
	return bound(&place, __func__, NULL);
}

int moonpool_bind_unset(struct moonpool_request *request)
{
	struct mp_api_place place = next(request, &own_bytes, __func__);
	if (place.type == NULL)
		return moonpool_last_code();
	mp_write_unset(place.out);
	return bound(&place, __func__, NULL);
}
