// SPDX-License-Identifier: Apache-2.0
// The protocol's vocabulary as names.
#include <string.h>

#include "base/err.h"
#include "wire/message.h"

const char *mp_consistency_name(uint16_t consistency)
{
	switch (consistency) {
#define X(name, value) \
	case value: return #name;
		MP_CONSISTENCIES(X)
#undef X
	default: return "?";
	}
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

// The same letters, whatever their case and wherever underscores stand.
static bool same_word(struct mp_str text, const char *name)
{
	size_t i = 0;
	for (;;) {
		while (i < text.len && text.data[i] == '_')
			i++;
		while (*name == '_')
			name++;
		if (i == text.len || *name == '\0')
			return i == text.len && *name == '\0';
		if (upper(text.data[i++]) != *name++)
			return false;
	}
}

int mp_consistency_parse(struct mp_str text)
{
#define X(name, value)          \
	if (same_word(text, #name)) \
		return value;
	MP_CONSISTENCIES(X)
#undef X
	return MP_EINVAL;
}

extern inline bool mp_consistency_is_local(uint16_t consistency);

const char *mp_server_error_name(int32_t code)
{
	switch (code) {
#define X(name, value) \
	case value: return #name;
		MP_SERVER_ERRORS(X)
#undef X
	default: return "UNKNOWN_SERVER_ERROR";
	}
}

static const char *const write_types[] = {"SIMPLE",    "BATCH", "UNLOGGED_BATCH", "COUNTER",
                                          "BATCH_LOG", "CAS",   "VIEW",           "CDC"};

const char *mp_write_type_name(enum mp_write_type type)
{
	return (size_t)type < MP_ARRAY_LEN(write_types) ? write_types[type] : "UNKNOWN";
}

enum mp_write_type mp_write_type_parse(struct mp_str text)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(write_types); i++) {
		if (mp_str_is(text, write_types[i]))
			return (enum mp_write_type)i;
	}
	return MP_WRITE_UNKNOWN;
}
