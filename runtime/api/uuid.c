// SPDX-License-Identifier: Apache-2.0
// The C API: uuids that a program makes, and what a timeuuid says. Those of one loop come from its source of chance
// and its clock; reading one needs no loop.
#include "base/uuid.h"

#include <string.h>

#include "api/internal.h"

static const char no_place[] = "the uuid or the place for it is NULL";

// Whose uuid is made; NULL: nobody's, or there is no place for it.
static struct mp_api_loop *maker(struct moonpool_loop *handle, const uint8_t *uuid, const char *function)
{
	struct mp_api_loop *loop = mp_api_loop_of(handle, function);
	if (loop == NULL || uuid != NULL)
		return loop;
	mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, no_place);
	return NULL;
}

int moonpool_uuid_random(struct moonpool_loop *handle, uint8_t uuid[16])
{
	struct mp_api_loop *loop = maker(handle, uuid, __func__);
	if (loop == NULL)
		return moonpool_last_code();
	struct mp_uuid made;
	mp_uuid_v4(mp_loop_rand(loop->loop), &made);
	memcpy(uuid, made.bytes, sizeof(made.bytes));
	return 0;
}

int moonpool_uuid_of_now(struct moonpool_loop *handle, uint8_t uuid[16])
{
	struct mp_api_loop *loop = maker(handle, uuid, __func__);
	if (loop == NULL)
		return moonpool_last_code();
	struct mp_uuid made;
	mp_uuid_clock_next(&loop->uuids, mp_loop_wall_us(loop->loop) * 10, &made);
	memcpy(uuid, made.bytes, sizeof(made.bytes));
	return 0;
}

int moonpool_uuid_time(const uint8_t uuid[16], int64_t *us)
{
	if (uuid == NULL || us == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_place);
	struct mp_uuid of;
	memcpy(of.bytes, uuid, sizeof(of.bytes));
	int64_t ticks;
	if (!mp_uuid_v1_time(&of, &ticks))
		return mp_api_refuse(__func__, MOONPOOL_TYPE_MISMATCH, "only a uuid of version 1 has a time");
	*us = ticks / 10 - (ticks % 10 < 0 ? 1 : 0);
	return 0;
}

int moonpool_uuid_text(const uint8_t uuid[16], char text[MP_UUID_TEXT])
{
	if (uuid == NULL || text == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_place);
	struct mp_uuid of;
	memcpy(of.bytes, uuid, sizeof(of.bytes));
	mp_uuid_format(&of, text);
	return 0;
}

int moonpool_uuid_from_text(const char *text, ptrdiff_t len, uint8_t uuid[16])
{
	struct mp_str given;
	if (mp_api_text(text, len, &given, __func__) != 0)
		return moonpool_last_code();
	if (uuid == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_place);
	struct mp_uuid parsed;
	if (mp_uuid_parse(given.data, given.len, &parsed) != 0)
		return mp_api_refuse(__func__, MOONPOOL_TYPE_MISMATCH,
		                     "36 characters expected: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
	memcpy(uuid, parsed.bytes, sizeof(parsed.bytes));
	return 0;
}
