// SPDX-License-Identifier: Apache-2.0
// The C API: values of a result and their parts, read in place. A value is the program's own memory, so it is not
// followed before it was looked at: its sum is the one that it was given with, and its result is in use.
#include <stdio.h>

#include "api/scalar.h"
#include "base/addr.h"
#include "base/uuid.h"
#include "wire/date.h"
#include "wire/vector.h"

// ---- values -----------------------------------------------------------------------------------------------

static uint32_t mix(uint64_t sum, uint64_t part)
{
	sum = (sum ^ part) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(sum ^ sum >> 32);
}

static uint32_t sum_of(const struct moonpool_value *value)
{
	uint32_t sum = mix(1, (uintptr_t)value->result);
	sum = mix(sum, (uintptr_t)value->type);
	sum = mix(sum, (uintptr_t)value->bytes);
	return mix(sum, (uint32_t)value->size);
}

void mp_api_value_make(struct moonpool_value *value, const struct moonpool_result *result,
                       const struct mp_type *type, struct mp_bytes bytes)
{
	*value = (struct moonpool_value){
		.result = result, .type = type, .bytes = bytes.data, .size = bytes.len < 0 ? -1 : bytes.len};
	value->check = sum_of(value);
}

// NULL: it is none any more, and why was noted.
static const struct mp_type *type_of(const struct moonpool_value *value, const char *function)
{
	if (value == NULL) {
		mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the value is NULL");
		return NULL;
	}
	// The sum comes first: a handle that was written over may lead anywhere.
	if (value->check != sum_of(value)) {
		mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT,
		               "the value was not given by moonpool, or was changed");
		return NULL;
	}
	return mp_api_object(value->result, MP_API_ANSWER, MOONPOOL_INVALID_ARGUMENT, function) != NULL
	           ? value->type
	           : NULL;
}

static struct mp_bytes bytes_of(const struct moonpool_value *value)
{
	return (struct mp_bytes){value->bytes, value->size};
}

int moonpool_value_type(const struct moonpool_value *value)
{
	const struct mp_type *type = type_of(value, __func__);
	return type != NULL ? type->id : moonpool_last_code();
}

int mp_api_give_text(const struct mp_buf *from, char *text, size_t size, const char *function)
{
	if (text == NULL || size == 0)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "there is no place for the text");
	int rc = mp_buf_status(from);
	if (rc != 0)
		return mp_api_refuse(function, rc, NULL);
	size_t copied = from->len < size ? from->len : size - 1;
	if (copied > 0)
		memcpy(text, from->data, copied);
	text[copied] = '\0';
	return (int)from->len;
}

int mp_api_type_text(const struct mp_type *type, char *text, size_t size, const char *function)
{
	struct mp_buf buf;
	mp_buf_init(&buf);
	mp_type_format(&buf, type);
	int rc = mp_api_give_text(&buf, text, size, function);
	mp_buf_deinit(&buf);
	return rc;
}

int moonpool_value_type_text(const struct moonpool_value *value, char *text, size_t size)
{
	const struct mp_type *type = type_of(value, __func__);
	return type != NULL ? mp_api_type_text(type, text, size, __func__) : moonpool_last_code();
}

bool moonpool_value_is_null(const struct moonpool_value *value)
{
	return type_of(value, __func__) != NULL && value->size < 0;
}

// ---- parts ------------------------------------------------------------------------------------------------

static int other_type(const char *function)
{
	return mp_api_refuse(function, MOONPOOL_TYPE_MISMATCH, NULL);
}

// The parts of a value and how many, or MP_ETYPE.
static int parts_of(const struct mp_type *type, struct mp_bytes bytes, struct mp_cursor *parts,
                    uint32_t *count)
{
	*parts = mp_cursor_on("", 0);
	*count = 0;
	switch (type->id) {
	case MP_TYPE_LIST:
	case MP_TYPE_SET:
	case MP_TYPE_MAP:
		if (bytes.len <= 0)
			return 0;
		if (mp_value_elements(bytes, parts, count) != 0 || *count > INT32_MAX / 2)
			return MP_ETYPE;
		*count *= type->id == MP_TYPE_MAP ? 2 : 1;
		return 0;
	case MP_TYPE_VECTOR:
		*count = bytes.len <= 0 ? 0 : (uint32_t)type->dimension;
		return bytes.len <= 0 ? 0 : mp_vector_elements(type, bytes, parts);
	case MP_TYPE_TUPLE:
	case MP_TYPE_UDT:
		if (bytes.len > 0)
			*parts = mp_cursor_on(bytes.data, (size_t)bytes.len);
		*count = bytes.len < 0 ? 0 : type->child_count;
		return 0;
	default: return MP_ETYPE;
	}
}

// The part at `place`, to which `parts` has come.
static int next_part(const struct moonpool_value *of, struct mp_cursor *parts, uint32_t place,
                     struct moonpool_value *part)
{
	const struct mp_type *type = of->type;
	bool fixed = type->id == MP_TYPE_TUPLE || type->id == MP_TYPE_UDT;
	struct mp_bytes bytes = {NULL, -1};
	if (type->id == MP_TYPE_VECTOR)
		bytes = mp_vector_next(parts, type);
	else if (!fixed || mp_cursor_left(parts) > 0) // those that are missing behind the last are null
		bytes = mp_cursor_bytes(parts);
	if (parts->failed)
		return MP_ETYPE;
	uint32_t child = fixed ? place : type->id == MP_TYPE_MAP ? place % 2 : 0;
	mp_api_value_make(part, of->result, type->children[child], bytes);
	return 0;
}

int moonpool_value_parts(const struct moonpool_value *value)
{
	const struct mp_type *type = type_of(value, __func__);
	struct mp_cursor parts;
	uint32_t count;
	if (type == NULL)
		return moonpool_last_code();
	return parts_of(type, bytes_of(value), &parts, &count) == 0 ? (int)count : other_type(__func__);
}

const char *moonpool_value_field_name(const struct moonpool_value *value, uint32_t field)
{
	const struct mp_type *type = type_of(value, __func__);
	if (type == NULL)
		return NULL;
	if (type->id == MP_TYPE_UDT && field < type->child_count)
		return type->fields[field].data; // in an arena, NUL-terminated
	mp_api_refuse(__func__, type->id == MP_TYPE_UDT ? MOONPOOL_INVALID_ARGUMENT : MOONPOOL_TYPE_MISMATCH,
	              NULL);
	return NULL;
}

int moonpool_value_field(const struct moonpool_value *value, const char *name, struct moonpool_value *part)
{
	const struct mp_type *type = type_of(value, __func__);
	struct mp_cursor parts;
	uint32_t count;
	if (type == NULL)
		return moonpool_last_code();
	if (name == NULL || part == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT,
		                      "the name or the place for the part is NULL");
	if (type->id != MP_TYPE_UDT)
		return other_type(__func__);
	uint32_t field = 0;
	while (field < type->child_count && !mp_str_is(type->fields[field], name))
		field++;
	if (field == type->child_count)
		return mp_api_refuse(__func__, MOONPOOL_INVALID_ARGUMENT, "there is no such field");
	struct moonpool_value of = *value;
	if (value->size < 0)
		of.size = 0;
	int rc = parts_of(type, bytes_of(&of), &parts, &count);
	for (uint32_t i = 0; rc == 0 && i <= field; i++)
		rc = next_part(&of, &parts, i, part);
	return rc != 0 ? other_type(__func__) : part->size < 0 ? MOONPOOL_NOT_FOUND : 0;
}

static uint32_t sum_of_cursor(const struct moonpool_cursor *cursor)
{
	uint32_t sum = mix(cursor->value.check, (uintptr_t)cursor->at);
	return mix(sum, (uint64_t)cursor->place << 32 | cursor->left);
}

int moonpool_cursor_begin(const struct moonpool_value *value, struct moonpool_cursor *cursor)
{
	const struct mp_type *type = type_of(value, __func__);
	struct mp_cursor parts;
	uint32_t count;
	if (type == NULL)
		return moonpool_last_code();
	if (cursor == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "the cursor is NULL");
	if (parts_of(type, bytes_of(value), &parts, &count) != 0)
		return other_type(__func__);
	*cursor = (struct moonpool_cursor){.value = *value, .at = parts.pos, .left = count};
	cursor->check = sum_of_cursor(cursor);
	return 0;
}

int moonpool_cursor_next(struct moonpool_cursor *cursor, struct moonpool_value *part)
{
	if (cursor == NULL || part == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT,
		                      "the cursor or the place for the part is NULL");
	if (type_of(&cursor->value, __func__) == NULL)
		return moonpool_last_code();
	if (cursor->check != sum_of_cursor(cursor))
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT,
		                      "the cursor was not begun by moonpool, or was changed");
	if (cursor->left == 0)
		return 0;
	const uint8_t *end =
		(const uint8_t *)cursor->value.bytes + (cursor->value.size > 0 ? cursor->value.size : 0);
	struct mp_cursor parts = {.pos = cursor->at, .end = cursor->value.size > 0 ? end : cursor->at};
	struct moonpool_value found;
	if (next_part(&cursor->value, &parts, cursor->place, &found) != 0)
		return other_type(__func__);
	*part = found;
	cursor->at = parts.pos;
	cursor->place++;
	cursor->left--;
	cursor->check = sum_of_cursor(cursor);
	return 1;
}

// ---- scalars ----------------------------------------------------------------------------------------------

// The type's number and the bytes for a place of the program's. 0, or the code that was noted; null is no mistake.
static int scalar_of(const struct moonpool_value *value, const void *place, uint16_t *id,
                     struct mp_bytes *bytes, const char *function)
{
	const struct mp_type *type = type_of(value, function);
	*id = 0;
	*bytes = (struct mp_bytes){0};
	if (type == NULL)
		return moonpool_last_code();
	if (place == NULL)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the place for the value is NULL");
	*id = type->id;
	*bytes = bytes_of(value);
	return value->size < 0 ? MOONPOOL_NOT_FOUND : 0;
}

static int given(int rc, const char *function)
{
	return rc == MOONPOOL_TYPE_MISMATCH ? other_type(function) : rc;
}

int moonpool_value_int64(const struct moonpool_value *value, int64_t *number)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = scalar_of(value, number, &type, &bytes, __func__);
	return rc != 0 ? rc : given(mp_api_read_whole(type, bytes, number), __func__);
}

int moonpool_value_int32(const struct moonpool_value *value, int32_t *number)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = scalar_of(value, number, &type, &bytes, __func__);
	return rc != 0 ? rc : given(mp_api_read_int32(type, bytes, number), __func__);
}

int moonpool_value_double(const struct moonpool_value *value, double *number)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = scalar_of(value, number, &type, &bytes, __func__);
	return rc != 0 ? rc : given(mp_api_read_real(type, bytes, number), __func__);
}

int moonpool_value_bool(const struct moonpool_value *value, bool *flag)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = scalar_of(value, flag, &type, &bytes, __func__);
	return rc != 0 ? rc : given(mp_api_read_bool(type, bytes, flag), __func__);
}

int moonpool_value_uuid(const struct moonpool_value *value, uint8_t uuid[16])
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = scalar_of(value, uuid, &type, &bytes, __func__);
	return rc != 0 ? rc : given(mp_api_read_uuid(type, bytes, uuid), __func__);
}

int moonpool_value_duration(const struct moonpool_value *value, int32_t *months, int32_t *days,
                            int64_t *nanoseconds)
{
	struct mp_bytes bytes;
	uint16_t type;
	const void *place = months != NULL && days != NULL ? nanoseconds : NULL;
	int rc = scalar_of(value, place, &type, &bytes, __func__);
	if (rc != 0)
		return rc;
	return given(type == MP_TYPE_DURATION ? mp_value_duration(bytes, months, days, nanoseconds)
	                                      : MOONPOOL_TYPE_MISMATCH,
	             __func__);
}

int moonpool_value_text(const struct moonpool_value *value, const char **text, size_t *len)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = scalar_of(value, len != NULL ? text : NULL, &type, &bytes, __func__);
	if (rc != 0)
		return rc;
	if (type != MP_TYPE_ASCII && type != MP_TYPE_VARCHAR)
		return other_type(__func__);
	*text = (const char *)bytes.data;
	*len = (size_t)bytes.len;
	return 0;
}

int moonpool_value_bytes(const struct moonpool_value *value, const void **out, size_t *len)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = scalar_of(value, len != NULL ? out : NULL, &type, &bytes, __func__);
	if (rc != 0)
		return rc;
	*out = bytes.data;
	*len = (size_t)bytes.len;
	return 0;
}

// 0 or an error, with the text appended.
static int format(uint16_t type, struct mp_bytes bytes, struct mp_buf *out)
{
	struct mp_uuid uuid;
	struct mp_addr addr = {.port = 0};
	size_t ip_len;
	uint32_t date;
	char text[MP_UUID_TEXT > MP_ADDR_TEXT ? MP_UUID_TEXT : MP_ADDR_TEXT] = "";
	switch (type) {
	case MP_TYPE_VARINT: return mp_value_varint_text(bytes, out);
	case MP_TYPE_DECIMAL: return mp_value_decimal_text(bytes, out);
	case MP_TYPE_UUID:
	case MP_TYPE_TIMEUUID:
		if (mp_api_read_uuid(type, bytes, uuid.bytes) != 0)
			return MP_ETYPE;
		mp_uuid_format(&uuid, text);
		break;
	case MP_TYPE_INET:
		if (mp_value_inet(bytes, addr.ip, &ip_len) != 0)
			return MP_ETYPE;
		addr.ip_len = (uint8_t)ip_len;
		mp_addr_format_ip(&addr, text);
		break;
	case MP_TYPE_DATE:
		if (mp_value_date(bytes, &date) != 0)
			return MP_ETYPE;
		mp_date_format(date, text);
		break;
	default: return MP_ETYPE;
	}
	mp_buf_text(out, text);
	return mp_buf_status(out);
}

int moonpool_value_format(const struct moonpool_value *value, char *text, size_t size)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = scalar_of(value, size > 0 ? text : NULL, &type, &bytes, __func__);
	if (rc != 0)
		return rc;
	struct mp_buf buf;
	mp_buf_init(&buf);
	rc = format(type, bytes, &buf);
	rc = rc == 0 ? mp_api_give_text(&buf, text, size, __func__) : mp_api_refuse(__func__, rc, NULL);
	mp_buf_deinit(&buf);
	return rc;
}
