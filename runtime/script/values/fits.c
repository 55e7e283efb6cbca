// SPDX-License-Identifier: Apache-2.0
#include "script/values/fits.h"

#include "wire/value.h"
#include "wire/vector.h"

int32_t mp_fits_width(const struct mp_type *type)
{
	switch (type->id) {
	case MP_TYPE_TINYINT:
	case MP_TYPE_BOOLEAN: return 1;
	case MP_TYPE_SMALLINT: return 2;
	case MP_TYPE_INT:
	case MP_TYPE_FLOAT:
	case MP_TYPE_DATE: return 4;
	case MP_TYPE_BIGINT:
	case MP_TYPE_COUNTER:
	case MP_TYPE_TIMESTAMP:
	case MP_TYPE_TIME:
	case MP_TYPE_DOUBLE: return 8;
	case MP_TYPE_UUID:
	case MP_TYPE_TIMEUUID: return 16;
	case MP_TYPE_VARINT:
	case MP_TYPE_DECIMAL:
	case MP_TYPE_INET:
	case MP_TYPE_DURATION:
	case MP_TYPE_LIST:
	case MP_TYPE_SET:
	case MP_TYPE_MAP:
	case MP_TYPE_TUPLE:
	case MP_TYPE_UDT:
	case MP_TYPE_VECTOR: return MP_FITS_ASK;
	default: return MP_FITS_ANY; // texts, blobs, and bytes of what is not known
	}
}

// As many elements as it says (of a map: keys and values), and nothing behind them.
static bool collection_fits(const struct mp_type *type, struct mp_bytes value)
{
	struct mp_cursor elements;
	uint32_t count;
	if (mp_value_elements(value, &elements, &count) != 0)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t part = 0; part < type->child_count; part++) {
			struct mp_bytes element = mp_cursor_bytes(&elements);
			if (elements.failed || !mp_value_fits(type->children[part], element))
				return false;
		}
	}
	return mp_cursor_left(&elements) == 0;
}

// Parts that are missing at the end are null; those that the type does not know are bytes.
static bool parts_fit(const struct mp_type *type, struct mp_bytes value)
{
	struct mp_cursor parts = mp_cursor_on(value.data, (size_t)value.len);
	for (uint32_t i = 0; mp_cursor_left(&parts) > 0; i++) {
		struct mp_bytes part = mp_cursor_bytes(&parts);
		if (parts.failed || (i < type->child_count && !mp_value_fits(type->children[i], part)))
			return false;
	}
	return true;
}

static bool vector_fits(const struct mp_type *type, struct mp_bytes value)
{
	struct mp_cursor elements;
	if (mp_vector_elements(type, value, &elements) != 0)
		return false;
	for (int32_t i = 0; i < type->dimension; i++) {
		struct mp_bytes element = mp_vector_next(&elements, type);
		if (elements.failed || !mp_value_fits(type->children[0], element))
			return false;
	}
	return mp_cursor_left(&elements) == 0;
}

bool mp_value_fits(const struct mp_type *type, struct mp_bytes value)
{
	if (value.len <= 0) // null, or empty, which every type takes
		return true;
	int32_t months, days, width = mp_fits_width(type);
	int64_t nanos;
	if (width != MP_FITS_ASK)
		return width == MP_FITS_ANY || value.len == width;
	switch (type->id) {
	case MP_TYPE_INET: return value.len == 4 || value.len == 16;
	case MP_TYPE_VARINT: return value.len <= MP_VARINT_MAX;
	case MP_TYPE_DECIMAL: return value.len >= 5 && value.len <= 4 + MP_VARINT_MAX;
	case MP_TYPE_DURATION: return mp_value_duration(value, &months, &days, &nanos) == 0;
	case MP_TYPE_TUPLE:
	case MP_TYPE_UDT: return parts_fit(type, value);
	case MP_TYPE_VECTOR: return vector_fits(type, value);
	default: return collection_fits(type, value);
	}
}
