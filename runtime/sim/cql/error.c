// SPDX-License-Identifier: Apache-2.0
#include "sim/cql/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

int mp_sim_fail(struct mp_sim_error *err, int32_t code, const char *format, ...)
{
	if (err->set)
		return MP_ESERVER;
	err->set = true;
	err->body.code = code;
	va_list args;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return MP_ESERVER;
}

int mp_sim_fail_nomem(struct mp_sim_error *err)
{
	return mp_sim_fail(err, MP_SE_SERVER_ERROR, "the simulated node is out of memory");
}

const struct mp_error_body *mp_sim_error_body(struct mp_sim_error *err)
{
	err->body.message = mp_str_of(err->text);
	err->body.keyspace = mp_str_of(err->keyspace);
	err->body.table = mp_str_of(err->table);
	err->body.id =
		(struct mp_str){(const char *)err->id, err->body.code == MP_SE_UNPREPARED ? sizeof(err->id) : 0};
	return &err->body;
}
