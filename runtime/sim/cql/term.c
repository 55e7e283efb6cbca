// SPDX-License-Identifier: Apache-2.0
#include "sim/cql/term.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/uuid.h"
#include "sim/cql/compare.h"
#include "sim/cql/parse.h"
#include "wire/value.h"

static const struct mp_type scalars[] = {
	{.id = MP_TYPE_ASCII},   {.id = MP_TYPE_BIGINT},    {.id = MP_TYPE_BLOB},    {.id = MP_TYPE_BOOLEAN},
	{.id = MP_TYPE_COUNTER}, {.id = MP_TYPE_DECIMAL},   {.id = MP_TYPE_DOUBLE},  {.id = MP_TYPE_FLOAT},
	{.id = MP_TYPE_INT},     {.id = MP_TYPE_TIMESTAMP}, {.id = MP_TYPE_UUID},    {.id = MP_TYPE_VARCHAR},
	{.id = MP_TYPE_VARINT},  {.id = MP_TYPE_TIMEUUID},  {.id = MP_TYPE_INET},    {.id = MP_TYPE_DATE},
	{.id = MP_TYPE_TIME},    {.id = MP_TYPE_SMALLINT},  {.id = MP_TYPE_TINYINT}, {.id = MP_TYPE_DURATION},
};

const struct mp_type *mp_sim_scalar_type(uint16_t id)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(scalars); i++) {
		if (scalars[i].id == id)
			return &scalars[i];
	}
	return NULL;
}

int mp_sim_keep(struct mp_sim_env *env, const void *data, size_t len, struct mp_bytes *out)
{
	uint8_t *copy = mp_arena_alloc(env->arena, len + 1);
	if (copy == NULL)
		return mp_sim_fail_nomem(env->err);
	if (len > 0)
		memcpy(copy, data, len);
	*out = (struct mp_bytes){copy, (int32_t)len};
	return 0;
}

// ---- functions --------------------------------------------------------------------------------------------

enum function {
	F_NOW,
	F_UUID,
	F_MIN_TIMEUUID,
	F_MAX_TIMEUUID,
	F_TO_TIMESTAMP,
	F_TO_DATE,
	F_TO_UNIX,
	F_CURRENT_TIMESTAMP,
	F_CURRENT_DATE
};

static const struct {
	const char *name;
	enum function function;
	uint16_t type;
	uint32_t arguments;
} functions[] = {
	{"now", F_NOW, MP_TYPE_TIMEUUID, 0},
	{"currenttimeuuid", F_NOW, MP_TYPE_TIMEUUID, 0},
	{"current_timeuuid", F_NOW, MP_TYPE_TIMEUUID, 0},
	{"uuid", F_UUID, MP_TYPE_UUID, 0},
	{"mintimeuuid", F_MIN_TIMEUUID, MP_TYPE_TIMEUUID, 1},
	{"min_timeuuid", F_MIN_TIMEUUID, MP_TYPE_TIMEUUID, 1},
	{"maxtimeuuid", F_MAX_TIMEUUID, MP_TYPE_TIMEUUID, 1},
	{"max_timeuuid", F_MAX_TIMEUUID, MP_TYPE_TIMEUUID, 1},
	{"totimestamp", F_TO_TIMESTAMP, MP_TYPE_TIMESTAMP, 1},
	{"to_timestamp", F_TO_TIMESTAMP, MP_TYPE_TIMESTAMP, 1},
	{"todate", F_TO_DATE, MP_TYPE_DATE, 1},
	{"to_date", F_TO_DATE, MP_TYPE_DATE, 1},
	{"tounixtimestamp", F_TO_UNIX, MP_TYPE_BIGINT, 1},
	{"to_unix_timestamp", F_TO_UNIX, MP_TYPE_BIGINT, 1},
	{"currenttimestamp", F_CURRENT_TIMESTAMP, MP_TYPE_TIMESTAMP, 0},
	{"current_timestamp", F_CURRENT_TIMESTAMP, MP_TYPE_TIMESTAMP, 0},
	{"currentdate", F_CURRENT_DATE, MP_TYPE_DATE, 0},
	{"current_date", F_CURRENT_DATE, MP_TYPE_DATE, 0},
};

uint16_t mp_sim_function_type(struct mp_str name)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(functions); i++) {
		if (mp_str_is_nocase(name, functions[i].name))
			return functions[i].type;
	}
	return 0;
}

uint16_t mp_sim_argument_type(struct mp_str name)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(functions); i++) {
		bool bounds = functions[i].function == F_MIN_TIMEUUID || functions[i].function == F_MAX_TIMEUUID;
		if (bounds && mp_str_is_nocase(name, functions[i].name))
			return MP_TYPE_TIMESTAMP;
	}
	return MP_TYPE_TIMEUUID;
}

// The least or the greatest of a millisecond: no UUID that somebody made, a bound for ranges.
static int bound_timeuuid(struct mp_sim_env *env, int64_t ms, bool most, struct mp_bytes *out)
{
	struct mp_uuid uuid;
	const uint8_t node[6] = {0};
	mp_uuid_v1((uint64_t)ms * 10000 + (most ? 9999 : 0), 0, node, &uuid);
	memset(uuid.bytes + 8, most ? 0x7f : 0x80, 8);
	return mp_sim_keep(env, uuid.bytes, sizeof(uuid.bytes), out);
}

static int make_timeuuid(struct mp_sim_env *env, struct mp_bytes *out)
{
	uint64_t time = (uint64_t)env->now_us * 10;
	if (time <= *env->last_uuid_time)
		time = *env->last_uuid_time + 1;
	*env->last_uuid_time = time;
	uint64_t chance = mp_rand_u64(env->rand);
	uint8_t node[6];
	memcpy(node, &chance, sizeof(node));
	struct mp_uuid uuid;
	mp_uuid_v1(time, (uint16_t)(chance >> 48), node, &uuid);
	return mp_sim_keep(env, uuid.bytes, sizeof(uuid.bytes), out);
}

static int put_i64(struct mp_sim_env *env, int64_t value, struct mp_bytes *out)
{
	uint64_t swapped = __builtin_bswap64((uint64_t)value);
	return mp_sim_keep(env, &swapped, 8, out);
}

static int put_days(struct mp_sim_env *env, int64_t ms, struct mp_bytes *out)
{
	int64_t days = ms >= 0 ? ms / 86400000 : -((-ms + 86399999) / 86400000);
	uint32_t swapped = __builtin_bswap32((uint32_t)(days + (INT64_C(1) << 31)));
	return mp_sim_keep(env, &swapped, 4, out);
}

static bool takes(enum function function, uint16_t type)
{
	switch (function) {
	case F_MIN_TIMEUUID:
	case F_MAX_TIMEUUID: return type == MP_TYPE_TIMESTAMP;
	case F_TO_TIMESTAMP: return type == MP_TYPE_TIMEUUID || type == MP_TYPE_DATE;
	case F_TO_DATE: return type == MP_TYPE_TIMEUUID || type == MP_TYPE_TIMESTAMP;
	case F_TO_UNIX: return type == MP_TYPE_TIMEUUID || type == MP_TYPE_TIMESTAMP || type == MP_TYPE_DATE;
	default: return false;
	}
}

// As milliseconds since 1970.
static int value_ms(struct mp_sim_env *env, struct mp_str name, uint16_t type, struct mp_bytes value,
                    int64_t *ms)
{
	uint32_t days;
	struct mp_uuid uuid;
	if (type == MP_TYPE_TIMESTAMP && mp_value_i64(value, ms) == 0)
		return 0;
	if (type == MP_TYPE_DATE && mp_value_date(value, &days) == 0) {
		*ms = ((int64_t)days - (INT64_C(1) << 31)) * 86400000;
		return 0;
	}
	if (type != MP_TYPE_TIMEUUID || value.len != 16)
		return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid argument of function %.*s", MP_SIM_S(name));
	memcpy(uuid.bytes, value.data, 16);
	*ms = (int64_t)(mp_uuid_v1_unix_100ns(&uuid) / 10000);
	return 0;
}

static int argument_ms(struct mp_sim_env *env, const struct mp_sim_term *call, enum function function,
                       int64_t *ms)
{
	const struct mp_sim_term *argument = call->items;
	uint16_t type = argument->kind == MP_SIM_TERM_CALL ? mp_sim_function_type(argument->text)
	                                                   : mp_sim_argument_type(call->text);
	if (!takes(function, type))
		return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid call to function %.*s", MP_SIM_S(call->text));
	struct mp_bytes value;
	MP_SIM_TRY(mp_sim_eval(env, argument, mp_sim_scalar_type(type), call->text, &value));
	return value_ms(env, call->text, type, value, ms);
}

static int call_of_ms(struct mp_sim_env *env, enum function function, int64_t ms, struct mp_bytes *out)
{
	struct mp_uuid uuid;
	switch (function) {
	case F_NOW: return make_timeuuid(env, out);
	case F_UUID: mp_uuid_v4(env->rand, &uuid); return mp_sim_keep(env, uuid.bytes, sizeof(uuid.bytes), out);
	case F_MIN_TIMEUUID:
	case F_MAX_TIMEUUID: return bound_timeuuid(env, ms, function == F_MAX_TIMEUUID, out);
	case F_TO_DATE:
	case F_CURRENT_DATE: return put_days(env, ms, out);
	case F_TO_TIMESTAMP:
	case F_TO_UNIX:
	case F_CURRENT_TIMESTAMP: return put_i64(env, ms, out);
	}
	return 0;
}

static int call_function(struct mp_sim_env *env, const struct mp_sim_term *call, enum function function,
                         uint32_t arguments, struct mp_bytes *out)
{
	int64_t ms = env->now_us / 1000;
	if (env->random != NULL)
		*env->random = true;
	if (arguments > 0)
		MP_SIM_TRY(argument_ms(env, call, function, &ms));
	return call_of_ms(env, function, ms, out);
}

bool mp_sim_function_takes(struct mp_str name, uint16_t type)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(functions); i++) {
		if (mp_str_is_nocase(name, functions[i].name))
			return takes(functions[i].function, type);
	}
	return false;
}

int mp_sim_call(struct mp_sim_env *env, struct mp_str name, uint16_t type, struct mp_bytes value,
                struct mp_bytes *out)
{
	*out = (struct mp_bytes){NULL, -1};
	for (size_t i = 0; value.len >= 0 && i < MP_ARRAY_LEN(functions); i++) {
		int64_t ms;
		if (!mp_str_is_nocase(name, functions[i].name))
			continue;
		MP_SIM_TRY(value_ms(env, name, type, value, &ms));
		return call_of_ms(env, functions[i].function, ms, out);
	}
	return 0;
}

static int eval_call(struct mp_sim_env *env, const struct mp_sim_term *term, const struct mp_type *type,
                     struct mp_str column, struct mp_bytes *out)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(functions); i++) {
		if (!mp_str_is_nocase(term->text, functions[i].name))
			continue;
		if (term->count != functions[i].arguments)
			return mp_sim_fail(
				env->err, MP_SE_INVALID,
				"Invalid number of arguments in call to function %.*s: %u required but %u provided",
				MP_SIM_S(term->text), functions[i].arguments, term->count);
		bool fits = type->id == functions[i].type ||
		            (type->id == MP_TYPE_UUID && functions[i].type == MP_TYPE_TIMEUUID);
		if (!fits)
			return mp_sim_fail(
				env->err, MP_SE_INVALID,
				"Type error: cannot assign result of function %.*s (type %s) to %.*s (type %s)",
				MP_SIM_S(term->text), mp_type_id_name(functions[i].type), MP_SIM_S(column),
				mp_type_id_name(type->id));
		return call_function(env, term, functions[i].function, functions[i].arguments, out);
	}
	return mp_sim_fail(env->err, MP_SE_INVALID, "Unknown function '%.*s'", MP_SIM_S(term->text));
}

// ---- all --------------------------------------------------------------------------------------------------

static int eval_marker(struct mp_sim_env *env, const struct mp_sim_term *term, const struct mp_type *type,
                       struct mp_str column, struct mp_bytes *out)
{
	*out = env->bound[term->marker];
	if (mp_sim_check_value(type, *out) == 0)
		return 0;
	return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid value for %.*s: %d bytes are not a %s",
	                   MP_SIM_S(column), out->len, mp_type_id_name(type->id));
}

static const char *constant_kind(enum mp_sim_term_kind kind)
{
	switch (kind) {
	case MP_SIM_TERM_INT: return "INTEGER";
	case MP_SIM_TERM_FLOAT: return "FLOAT";
	case MP_SIM_TERM_STRING: return "STRING";
	case MP_SIM_TERM_BOOL: return "BOOLEAN";
	case MP_SIM_TERM_UUID: return "UUID";
	case MP_SIM_TERM_BLOB: return "HEX";
	default: return "DURATION";
	}
}

int mp_sim_eval(struct mp_sim_env *env, const struct mp_sim_term *term, const struct mp_type *type,
                struct mp_str column, struct mp_bytes *out)
{
	switch (term->kind) {
	case MP_SIM_TERM_NULL: *out = (struct mp_bytes){NULL, -1}; return 0;
	case MP_SIM_TERM_MARKER: return eval_marker(env, term, type, column, out);
	case MP_SIM_TERM_CALL: return eval_call(env, term, type, column, out);
	case MP_SIM_TERM_LIST:
	case MP_SIM_TERM_SET:
	case MP_SIM_TERM_MAP:
	case MP_SIM_TERM_TUPLE: return mp_sim_eval_parts(env, term, type, column, out);
	case MP_SIM_TERM_FIELD:
		return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid map literal for %.*s: %.*s is no value",
		                   MP_SIM_S(column), MP_SIM_S(term->text));
	default: break;
	}
	if (term->kind == MP_SIM_TERM_STRING && type->id == MP_TYPE_VARCHAR) {
		*out = (struct mp_bytes){(const uint8_t *)term->text.data, (int32_t)term->text.len};
		return mp_sim_check_value(type, *out) == 0
		           ? 0
		           : mp_sim_fail(env->err, MP_SE_INVALID, "String didn't validate.");
	}
	struct mp_buf buf;
	mp_buf_init(&buf);
	int rc = mp_sim_literal(term->kind, term->text, type, &buf);
	if (rc == 0)
		rc = buf.failed ? mp_sim_fail_nomem(env->err) : mp_sim_keep(env, buf.data, buf.len, out);
	mp_buf_deinit(&buf);
	if (rc == MP_ETYPE)
		return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid %s constant (%.*s) for \"%.*s\" of type %s",
		                   constant_kind(term->kind), MP_SIM_S(term->text), MP_SIM_S(column),
		                   mp_type_id_name(type->id));
	return rc;
}

int mp_sim_eval_i64(struct mp_sim_env *env, const struct mp_sim_term *term, uint16_t type_id,
                    const char *what, int64_t *out, bool *present)
{
	*present = false;
	if (term == NULL)
		return 0;
	struct mp_bytes value;
	MP_SIM_TRY(mp_sim_eval(env, term, mp_sim_scalar_type(type_id), mp_str_of(what), &value));
	if (value.len == -2)
		return 0;
	if (value.len <= 0)
		return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid null value of %s", what);
	int32_t narrow;
	int rc = type_id == MP_TYPE_INT ? mp_value_i32(value, &narrow) : mp_value_i64(value, out);
	if (rc == 0 && type_id == MP_TYPE_INT)
		*out = narrow;
	*present = rc == 0;
	return rc == 0 ? 0 : mp_sim_fail(env->err, MP_SE_INVALID, "Invalid value of %s", what);
}
