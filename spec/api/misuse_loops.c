// SPDX-License-Identifier: Apache-2.0
// Loops that are turned by whoever may not: another thread, or moonpool where the program does. And the callback of the
// log, which may call nothing.
#include "misuse.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <uv.h>

static struct moonpool_loop *turned;
static struct moonpool_request *filled, *sent;

void never_told(void *data, const struct moonpool_error *error)
{
	never(data, NULL, error);
}

static void never_closed(void *data)
{
	never(data, NULL, NULL);
}

static void never_prepared(void *data, struct moonpool_statement *got, const struct moonpool_error *error)
{
	(void)got;
	never(data, NULL, error);
}

// What would change something.
static void all_refused(const char *why)
{
	struct moonpool_stats stats;
	uint8_t uuid[16];
	IS(moonpool_uuid_random(turned, uuid), INVALID, why);
	IS(moonpool_uuid_of_now(turned, uuid), INVALID, why);
	IS(moonpool_loop_run(turned), INVALID, why);
	IS(moonpool_loop_turn(turned, 0), INVALID, why);
	IS(moonpool_loop_stop(turned), INVALID, why);
	IS(moonpool_loop_flush(turned), INVALID, why);
	IS(moonpool_fd(turned), INVALID, why);
	IS(moonpool_timeout_ms(turned), 0, why);
	IS(moonpool_loop_free(turned), INVALID, why);
	log_calls(turned, why);
	NONE(moonpool_session_from_text(turned, "return {}", "x", NULL, 0), INVALID, why);
	IS(moonpool_session_connect(session, never_told, NULL), INVALID, why);
	IS(moonpool_session_close(session, never_closed, NULL), INVALID, why);
	IS(moonpool_session_stats(session, &stats), INVALID, why);
	IS(moonpool_prepare(session, "SELECT key FROM system.local", -1, never_prepared, NULL), INVALID, why);
	NONE(moonpool_request_new_query(session, "SELECT key FROM system.local", -1), INVALID, why);
	session_calls(session, INVALID, why);
	NONE(moonpool_batch_new(session, MOONPOOL_BATCH_LOGGED), INVALID, why);
	NONE(moonpool_request_new(statement), INVALID, why);
	IS(moonpool_statement_parameters(statement), 0, why);
	parameter_calls(statement, why);
	IS(moonpool_statement_free(statement), INVALID, why);
	IS(moonpool_execute(filled, never, NULL), INVALID, why);
	IS(moonpool_request_free(filled), INVALID, why);
	IS(moonpool_request_cancel(sent), INVALID, why);
	IS(moonpool_batch_add(filled, filled), INVALID, why);
}

static void *from_another(void *data)
{
	(void)data;
	all_refused("another thread turns the loop");
	return NULL;
}

static void on_line(void *data, enum moonpool_log_level level, const char *line)
{
	(void)level, (void)line;
	if ((*(int *)data)++ == 0)
		all_refused("inside of the callback of the log");
}

static void on_sent(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	(void)error;
	*(int *)data += moonpool_result_rows(result) == 1;
}

// The turn does not end before the other thread has.
static void on_rows(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	pthread_t thread;
	(void)error, (void)result;
	IS(pthread_create(&thread, NULL, from_another, NULL), 0, NULL);
	IS(pthread_join(thread, NULL), 0, NULL);
	*(int *)data = 1;
}

static void from_a_log(void)
{
	int lines = 0;
	IS(moonpool_loop_on_log(turned, on_line, &lines), 0, NULL);
	// Its warning comes from inside of the call.
	struct moonpool_session *warned = moonpool_session_from_text(
		turned, "return { contactPoints = { '127.0.0.1' }, handlers = 'x.lua' }", "spec", NULL, 0);
	check(__LINE__, "lines", lines > 0, 1, NULL);
	IS(moonpool_session_close(warned, NULL, NULL), 0, NULL);
	IS(moonpool_loop_on_log(turned, NULL, NULL), 0, NULL);
}

static void over_the_programs(void)
{
	static const char why[] = "the program's own uv_loop_t";
	uv_loop_t uv;
	IS(uv_loop_init(&uv), 0, NULL);
	struct moonpool_loop *theirs = moonpool_loop_new(&uv);
	IS(moonpool_loop_run(theirs), INVALID, why);
	IS(moonpool_loop_turn(theirs, 0), INVALID, why);
	IS(moonpool_loop_stop(theirs), INVALID, why);
	IS(moonpool_fd(theirs), INVALID, why);
	IS(moonpool_timeout_ms(theirs), 0, why);
	IS(moonpool_loop_flush(theirs), 0, NULL);
	IS(moonpool_loop_free(theirs), 0, NULL);
	IS(uv_run(&uv, UV_RUN_DEFAULT), 0, NULL);
	IS(uv_loop_close(&uv), 0, NULL);
}

static void never_slow(void *data, const struct moonpool_slow *slow)
{
	(void)slow;
	never_closed(data);
}

static void uuids(struct moonpool_loop *loop)
{
	uint8_t uuid[16] = {7};
	char text[37] = "untouched";
	int64_t us = 7;
	IS(moonpool_uuid_random(NULL, uuid), INVALID, "the loop is NULL");
	IS(moonpool_uuid_of_now(NULL, uuid), INVALID, "the loop is NULL");
	IS(moonpool_uuid_random(loop, NULL), INVALID, "NULL");
	IS(moonpool_uuid_of_now(loop, NULL), INVALID, "NULL");
	IS(moonpool_uuid_time(NULL, &us), INVALID, "NULL");
	IS(moonpool_uuid_time(uuid, NULL), INVALID, "NULL");
	IS(moonpool_uuid_time(uuid, &us), MOONPOOL_TYPE_MISMATCH, "version 1");
	IS(moonpool_uuid_text(NULL, text), INVALID, "NULL");
	IS(moonpool_uuid_text(uuid, NULL), INVALID, "NULL");
	IS(moonpool_uuid_from_text(NULL, -1, uuid), INVALID, "the text is NULL");
	IS(moonpool_uuid_from_text("x", -1, uuid), MOONPOOL_TYPE_MISMATCH, "36 characters");
	IS(moonpool_uuid_from_text("x", -2, uuid), INVALID, "length");
	IS(moonpool_uuid_from_text("x", 0, NULL), INVALID, "NULL");
	check(__LINE__, "the places", us == 7 && uuid[0] == 7 && strcmp(text, "untouched") == 0, 1, NULL);
}

void loop_misuse(struct moonpool_loop *loop)
{
	uuids(loop);
	IS(moonpool_loop_on_slow(loop, 0, never_slow, NULL), INVALID, "a millisecond or more");
	IS(moonpool_loop_on_slow(loop, 0, NULL, NULL), 0, NULL);
	int answered = 0, called = 0;
	turned = loop;
	filled = query("SELECT key FROM system.local");
	sent = query("SELECT key FROM system.local");
	struct moonpool_request *first = query("SELECT key FROM system.local");
	IS(moonpool_execute(first, on_rows, &called), 0, NULL);
	IS(moonpool_execute(sent, on_sent, &answered), 0, NULL);
	from_a_log();
	turn_until(&called, 1);
	turn_until(&answered, 1);
	// Nothing of it has changed anything.
	IS(moonpool_execute(filled, on_sent, &answered), 0, NULL);
	turn_until(&answered, 2);
	over_the_programs();
}
