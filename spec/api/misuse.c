// SPDX-License-Identifier: Apache-2.0
// Every function of moonpool.h with every mistake that a program can make: each must give a code and a sentence, and
// the program goes on. Run by misuse_spec.lua:  misuse PORT
#include "misuse.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

int failures;
static int checks;

void check(int line, const char *what, long got, long expected, const char *sentence)
{
	checks++;
	const char *said = moonpool_last_message();
	if (got == expected && (sentence == NULL || strstr(said, sentence) != NULL))
		return;
	failures++;
	printf("FAILED line %d: %s: %ld, expected %ld (\"%s\", expected \"%s\")\n", line, what, got, expected,
	       said, sentence != NULL ? sentence : "");
}

static struct moonpool_loop *loop, *freed_loop;
struct moonpool_session *session;
struct moonpool_statement *statement;
static struct moonpool_session *closed_session;
static struct moonpool_statement *freed_statement;
static struct moonpool_request *spent_request;
static const struct moonpool_result *old_result;
static const struct moonpool_error *old_error;
static char config[256];
static int answered, closings;

static struct moonpool_session *open_session(void)
{
	char message[256];
	struct moonpool_session *opened =
		moonpool_session_from_text(loop, config, "spec", message, sizeof(message));
	if (opened == NULL)
		printf("FAILED: %s\n", message);
	return opened;
}

static void on_closed(void *data)
{
	(void)data;
	closings++;
	IS(moonpool_session_close(closed_session, on_closed, NULL), MOONPOOL_CLOSED, "closed");
	IS(moonpool_loop_free(loop), INVALID, "inside of a callback");
	IS(moonpool_loop_run(loop), INVALID, "inside of a callback");
}

static void on_rows(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	(void)data, (void)result, (void)error;
	answered++;
}

void never(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	(void)data, (void)result, (void)error;
	printf("FAILED: a callback of a call that failed\n");
	failures++;
}

static void never_connected(void *data, const struct moonpool_error *error)
{
	never(data, NULL, error);
}

static void never_prepared(void *data, struct moonpool_statement *got, const struct moonpool_error *error)
{
	(void)got;
	never(data, NULL, error);
}

struct moonpool_request *query(const char *cql)
{
	return moonpool_request_new_query(session, cql, -1);
}

// ---- handles that are NULL, freed, or of something else ---------------------------------------------------

static void loops(struct moonpool_loop *bad, const char *why)
{
	char message[128] = "untouched";
	IS(moonpool_loop_run(bad), INVALID, why);
	IS(moonpool_loop_turn(bad, 0), INVALID, why);
	IS(moonpool_loop_stop(bad), INVALID, why);
	IS(moonpool_loop_flush(bad), INVALID, why);
	IS(moonpool_fd(bad), INVALID, why);
	IS(moonpool_timeout_ms(bad), 0, NULL);
	log_calls(bad, why);
	IS(moonpool_loop_free(bad), bad == NULL ? 0 : INVALID, NULL);
	NONE(moonpool_session_from_text(bad, config, "spec", message, sizeof(message)), INVALID, why);
	check(__LINE__, message, strstr(message, why) != NULL, 1, NULL);
	NONE(moonpool_session_from_file(bad, "pool.lua", NULL, 0), INVALID, why);
}

static void sessions(struct moonpool_session *bad, int code, const char *why)
{
	struct moonpool_stats stats;
	memset(&stats, 0xff, sizeof(stats));
	IS(moonpool_session_connect(bad, never_connected, NULL), code, why);
	IS(moonpool_session_close(bad, NULL, NULL), code, why);
	IS(moonpool_session_stats(bad, &stats), code, why);
	check(__LINE__, "stats", (long)(stats.requests + stats.hosts_total), 0, NULL);
	IS(moonpool_prepare(bad, "SELECT key FROM system.local", -1, never_prepared, NULL), code, why);
	IS(moonpool_prepare_in(bad, "app", "SELECT key FROM system.local", -1, never_prepared, NULL), code, why);
	NONE(moonpool_request_new_query(bad, "SELECT key FROM system.local", -1), code, why);
	session_calls(bad, code, why);
	// What natural programs write.
	IS(moonpool_execute(moonpool_request_new_query(bad, "SELECT key FROM system.local", -1), never, NULL),
	   code, why);
	IS(moonpool_bind_int32(moonpool_request_new_query(bad, "SELECT key FROM system.local", -1), 1), code,
	   why);
}

static void statements(struct moonpool_statement *bad, const char *why)
{
	IS(moonpool_statement_parameters(bad), 0, why);
	parameter_calls(bad, why);
	NONE(moonpool_request_new(bad), INVALID, why);
	IS(moonpool_execute(moonpool_request_new(bad), never, NULL), INVALID, why);
	IS(moonpool_statement_free(bad), bad == NULL ? 0 : INVALID, NULL);
}

static void requests(struct moonpool_request *bad, const char *why)
{
	uint8_t uuid[16] = {1};
	IS(moonpool_bind_int32(bad, 1), INVALID, why);
	IS(moonpool_bind_int64(bad, 1), INVALID, why);
	IS(moonpool_bind_double(bad, 1), INVALID, why);
	IS(moonpool_bind_bool(bad, true), INVALID, why);
	IS(moonpool_bind_text(bad, "x", -1), INVALID, why);
	IS(moonpool_bind_bytes(bad, "x", 1), INVALID, why);
	IS(moonpool_bind_uuid(bad, uuid), INVALID, why);
	IS(moonpool_bind_null(bad), INVALID, why);
	IS(moonpool_bind_unset(bad), INVALID, why);
	part_binds(bad, why);
	IS(moonpool_request_set_consistency(bad, MOONPOOL_ONE), INVALID, why);
	IS(moonpool_request_set_serial_consistency(bad, MOONPOOL_SERIAL), INVALID, why);
	IS(moonpool_request_set_timeout(bad, 1), INVALID, why);
	IS(moonpool_request_set_idempotent(bad, true), INVALID, why);
	IS(moonpool_request_set_page_size(bad, 1), INVALID, why);
	IS(moonpool_request_set_paging_state(bad, "x", 1), INVALID, why);
	IS(moonpool_request_set_timestamp(bad, 1), INVALID, why);
	IS(moonpool_request_set_timestamp(bad, INT64_MIN), INVALID, why);
	IS(moonpool_request_set_profile(bad, "x"), INVALID, why);
	option_calls(bad, why);
	IS(moonpool_batch_add(bad, query("DELETE FROM t WHERE k = 1")), INVALID, why);
	IS(moonpool_batch_count(bad), 0, why);
	struct moonpool_request *batch = moonpool_batch_new(session, MOONPOOL_BATCH_LOGGED);
	if (batch != NULL) // the session is there
		IS(moonpool_batch_add(batch, bad), INVALID, why);
	IS(moonpool_request_free(batch), 0, NULL);
	IS(moonpool_execute(bad, never, NULL), INVALID, why);
	IS(moonpool_request_free(bad), bad == NULL ? 0 : INVALID, NULL);
}

static void results(const struct moonpool_result *bad, const char *why)
{
	const void *bytes = "untouched";
	const char *text = bytes;
	size_t len = 9;
	int32_t small = 7;
	int64_t large = 7;
	double real = 7;
	bool flag = true;
	uint8_t uuid[16] = {7};
	IS(moonpool_result_columns(bad), 0, why);
	NONE(moonpool_result_column_name(bad, 0), INVALID, why);
	IS(moonpool_result_column(bad, "key"), INVALID, why);
	IS(moonpool_result_column_type(bad, 0), 0, why);
	IS(moonpool_result_rows(bad), 0, why);
	IS(moonpool_result_paging_state(bad, &bytes, &len), false, why);
	IS(strlen(moonpool_result_host(bad)), 0, why);
	IS(moonpool_result_latency_ns(bad), 0, why);
	IS(moonpool_result_next(bad), INVALID, why);
	told(bad, why);
	IS(moonpool_get_int32(bad, 0, &small), INVALID, why);
	IS(moonpool_get_int64(bad, 0, &large), INVALID, why);
	IS(moonpool_get_double(bad, 0, &real), INVALID, why);
	IS(moonpool_get_bool(bad, 0, &flag), INVALID, why);
	IS(moonpool_get_uuid(bad, 0, uuid), INVALID, why);
	IS(moonpool_get_text(bad, 0, &text, &len), INVALID, why);
	IS(moonpool_get_bytes(bad, 0, &bytes, &len), INVALID, why);
	check(__LINE__, "the places", small == 7 && large == 7 && real == 7 && flag && uuid[0] == 7 && len == 9,
	      1, NULL);
	check(__LINE__, "the texts", strcmp(text, "untouched") == 0 && bytes == text, 1, NULL);
}

static void errors(const struct moonpool_error *bad, int code, const char *name)
{
	const char *host = "untouched";
	IS(moonpool_error_code(bad), code, NULL);
	check(__LINE__, moonpool_error_name(bad), strcmp(moonpool_error_name(bad), name) == 0, 1, NULL);
	IS(moonpool_error_server_code(bad), -1, NULL);
	IS(strlen(moonpool_error_message(bad)) > 0, 1, NULL);
	IS(strlen(moonpool_error_host(bad)), 0, NULL);
	IS(moonpool_error_maybe_applied(bad), bad != NULL, NULL);
	IS(moonpool_error_attempts(bad), 0, NULL);
	IS(moonpool_error_attempt(bad, 0, &host, NULL, NULL), INVALID, "attempts");
	NONE(moonpool_error_attempt_name(bad, 0), INVALID, "attempts");
	check(__LINE__, "the host", strcmp(host, "untouched") == 0, 1, NULL);
}

static void nothing(void)
{
	loops(NULL, "the loop is NULL");
	sessions(NULL, INVALID, "the session is NULL");
	statements(NULL, "the statement is NULL");
	IS(moonpool_loop_stop(NULL), INVALID, NULL); // what a request_new gave before is not the reason any more
	requests(NULL, "the request is NULL");
	results(NULL, "is NULL");
	errors(NULL, MOONPOOL_OK, "OK");
	IS(moonpool_session_stats(session, NULL), INVALID, "NULL");
	check(__LINE__, moonpool_code_name(4711), strcmp(moonpool_code_name(4711), "UNKNOWN") == 0, 1, NULL);
	IS(strlen(moonpool_code_text(INT32_MIN)) > 0, 1, NULL);
	// Another kind of thing.
	IS(moonpool_loop_stop((void *)session), INVALID, "another kind");
	IS(moonpool_session_close((void *)loop, NULL, NULL), INVALID, "another kind");
	IS(moonpool_execute((void *)session, never, NULL), INVALID, "another kind");
	IS(moonpool_result_next((void *)session), INVALID, "another kind");
	IS(moonpool_error_code((void *)session), INVALID, "another kind");
}

// ---- a session that is not connected ----------------------------------------------------------------------

static void before_connect(void)
{
	char message[8] = "";
	const char *select = "SELECT key FROM system.local";
	IS(moonpool_execute(query(select), never, NULL), MOONPOOL_CLOSED, "not connected");
	IS(moonpool_prepare(session, select, -1, never_prepared, NULL), MOONPOOL_CLOSED, "not connected");
	IS(moonpool_prepare(session, NULL, -1, never_prepared, NULL), INVALID, "the text is NULL");
	IS(moonpool_prepare(session, select, -1, NULL, NULL), INVALID, "the callback is NULL");
	IS(moonpool_prepare(session, select, -2, never_prepared, NULL), INVALID, "length");
	IS(moonpool_prepare(session, select, PTRDIFF_MIN, never_prepared, NULL), INVALID, "length");
	IS(moonpool_prepare(session, select, PTRDIFF_MAX, never_prepared, NULL), MOONPOOL_TOO_BIG, "256 MiB");
	NONE(moonpool_request_new_query(session, NULL, -1), INVALID, "the text is NULL");
	NONE(moonpool_request_new_query(session, NULL, 0), INVALID, "the text is NULL");
	NONE(moonpool_request_new_query(session, select, -7), INVALID, "length");
	NONE(moonpool_request_new_query(session, select, PTRDIFF_MAX), MOONPOOL_TOO_BIG, "256 MiB");
	NONE(moonpool_request_new_query(session, select, 0), INVALID, "empty");
	NONE(moonpool_request_new_query(session, "", -1), INVALID, "empty");
	IS(moonpool_session_connect(session, NULL, NULL), INVALID, "the callback is NULL");
	NONE(moonpool_session_from_text(loop, NULL, "spec", message, sizeof(message)), INVALID, "NULL");
	IS(strlen(message), sizeof(message) - 1, NULL);
	NONE(moonpool_session_from_file(loop, NULL, NULL, HUGE), INVALID, "NULL");
	NONE(moonpool_session_from_text(loop, "return {", NULL, NULL, 0), MOONPOOL_CONFIG_ERROR,
	     "configuration:1");
	NONE(moonpool_session_from_text(loop, "return { portt = 1 }", "x", message, 0), MOONPOOL_CONFIG_ERROR,
	     "x:1");
	NONE(moonpool_session_from_file(loop, "/nonexistent/pool.lua", NULL, 0), MOONPOOL_CONFIG_ERROR,
	     "/nonexistent");
	IS(moonpool_loop_turn(loop, -2), INVALID, "time");
	IS(moonpool_loop_free(loop), INVALID, "not closed");
	IS(moonpool_execute(query(select), NULL, NULL), INVALID, "the callback is NULL");
}

// ---- results ----------------------------------------------------------------------------------------------

static void on_tokens(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	(void)data, (void)error;
	IS(moonpool_result_next(result), 1, NULL);
	parts_of_result(result, 0);
	answered++;
}

static void on_key(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	(void)data;
	const char *text;
	const void *bytes;
	size_t len;
	int64_t number;
	answered++;
	errors(error, MOONPOOL_OK, "OK");
	told_of_key(result);
	IS(moonpool_get_text(result, 0, &text, &len), INVALID, "no row");
	IS(moonpool_result_column(result, NULL), INVALID, "the name is NULL");
	IS(moonpool_result_column(result, "nonsense"), MOONPOOL_NOT_FOUND, "no such column");
	NONE(moonpool_result_column_name(result, UINT32_MAX), INVALID, "no such column");
	IS(moonpool_result_column_type(result, 1), 0, "no such column");
	IS(moonpool_result_next(result), 1, NULL);
	IS(moonpool_get_text(result, 1, &text, &len), INVALID, "no such column");
	IS(moonpool_get_text(result, UINT32_MAX, &text, &len), INVALID, "no such column");
	IS(moonpool_get_text(result, 0, NULL, &len), INVALID, "place");
	IS(moonpool_get_text(result, 0, &text, NULL), INVALID, "place");
	IS(moonpool_get_bytes(result, 0, NULL, &len), INVALID, "place");
	IS(moonpool_get_bytes(result, 0, &bytes, NULL), INVALID, "place");
	IS(moonpool_get_int32(result, 0, NULL), INVALID, "place");
	IS(moonpool_get_int64(result, 0, NULL), INVALID, "place");
	IS(moonpool_get_double(result, 0, NULL), INVALID, "place");
	IS(moonpool_get_bool(result, 0, NULL), INVALID, "place");
	IS(moonpool_get_uuid(result, 0, NULL), INVALID, "place");
	IS(moonpool_result_paging_state(result, NULL, &len), false, "place");
	IS(moonpool_result_paging_state(result, &bytes, NULL), false, "place");
	IS(moonpool_get_int64(result, 0, &number), MOONPOOL_TYPE_MISMATCH, "type");
	IS(moonpool_get_text(result, 0, &text, &len), 0, NULL);
	IS(moonpool_result_next(result), 0, NULL);
	IS(moonpool_get_text(result, 0, &text, &len), INVALID, "no row");
	IS(moonpool_loop_run(loop), INVALID, "inside of a callback");
	IS(moonpool_loop_turn(loop, 0), INVALID, "inside of a callback");
	IS(moonpool_loop_free(loop), INVALID, "inside of a callback");
	IS(moonpool_loop_flush(loop), 0, NULL);
	requests(spent_request, "executed or freed already");
	old_result = result;
}

static void on_refused(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	(void)data;
	answered++;
	results(result, "is NULL");
	IS(moonpool_error_code(error), MOONPOOL_SERVER_ERROR, NULL);
	IS(moonpool_error_attempt(error, 0, NULL, NULL, NULL), 0, NULL);
	IS(moonpool_error_attempt(error, 1, NULL, NULL, NULL), INVALID, "fewer");
	NONE(moonpool_error_attempt_name(error, 1), INVALID, "fewer");
	check(__LINE__, "the attempt's name", moonpool_error_attempt_name(error, 0) != NULL, 1, NULL);
	IS(moonpool_error_attempt(error, UINT32_MAX, NULL, NULL, NULL), INVALID, "fewer");
	IS(moonpool_result_next((const void *)error), INVALID, "an error is no result");
	old_error = error;
}

// ---- the program ------------------------------------------------------------------------------------------

static void on_session(void *data, const struct moonpool_error *error)
{
	*(int *)data = error == NULL ? 1 : -1;
}

static void on_prepared(void *data, struct moonpool_statement *got, const struct moonpool_error *error)
{
	(void)error;
	*(struct moonpool_statement **)data = got;
}

void turn_until(const int *done, int count)
{
	for (int turns = 0; turns < 10000 && *done < count; turns++)
		moonpool_loop_turn(loop, 10);
	check(__LINE__, "turns", *done >= count, 1, NULL);
}

static void prepare(const char *cql, struct moonpool_statement **into)
{
	*into = NULL;
	IS(moonpool_prepare(session, cql, -1, on_prepared, into), 0, NULL);
	for (int turns = 0; turns < 10000 && *into == NULL; turns++)
		moonpool_loop_turn(loop, 10);
	check(__LINE__, cql, *into != NULL, 1, NULL);
}

static void execute(const char *cql)
{
	int target = answered + 1;
	IS(moonpool_execute(query(cql), on_rows, NULL), 0, NULL);
	turn_until(&answered, target);
}

static void connected_session(void)
{
	int connected = 0, again = 0;
	IS(moonpool_session_connect(session, on_session, &connected), 0, NULL);
	IS(moonpool_session_connect(session, never_connected, NULL), INVALID, "already");
	turn_until(&connected, 1);
	IS(moonpool_session_connect(session, on_session, &again), 0, NULL); // it is: told so
	turn_until(&again, 1);
	execute("CREATE KEYSPACE IF NOT EXISTS app WITH replication = {'class': 'SimpleStrategy', "
	        "'replication_factor': 1}");
	execute("CREATE TABLE IF NOT EXISTS app.m (id int PRIMARY KEY, name text)");
	prepare("INSERT INTO app.m (id, name) VALUES (?, ?)", &statement);
	prepare("SELECT name FROM app.m", &freed_statement);
	IS(moonpool_statement_free(freed_statement), 0, NULL);
	statements(freed_statement, "freed already");
	values();
	session_misuse();
	batches();
	cancels();
	loop_misuse(loop);
	spent_request = query("SELECT key FROM system.local");
	IS(moonpool_execute(spent_request, on_key, NULL), 0, NULL);
	requests(spent_request, "executed or freed already");
	int target = answered + 1;
	turn_until(&answered, target);
	requests(spent_request, "executed or freed already");
	results(old_result, "after its callback");
	IS(moonpool_execute(query("SELECT tokens FROM system.local"), on_tokens, NULL), 0, NULL);
	turn_until(&answered, ++target);
	parts(old_result);
	IS(moonpool_execute(query("SELEC 1"), on_refused, NULL), 0, NULL);
	turn_until(&answered, target + 1);
	errors(old_error, INVALID, "INVALID_ARGUMENT");
	nothing();
}

// Closed with requests in flight, one that was never executed, and one that is executed too late.
static void the_end(void)
{
	struct moonpool_request *late = query("SELECT key FROM system.local");
	struct moonpool_request *unsent = moonpool_request_new(statement);
	int target = answered + 20;
	for (int i = 0; i < 20; i++)
		IS(moonpool_execute(query("SELECT key FROM system.local"), on_rows, NULL), 0, NULL);
	closed_session = session;
	IS(moonpool_session_close(session, on_closed, NULL), 0, NULL);
	IS(moonpool_session_close(session, on_closed, NULL), MOONPOOL_CLOSED, "closed");
	NONE(query("SELECT key FROM system.local"), MOONPOOL_CLOSED, "being closed");
	NONE(moonpool_request_new(statement), MOONPOOL_CLOSED, "being closed");
	IS(moonpool_execute(late, never, NULL), MOONPOOL_CLOSED, "not connected");
	IS(moonpool_loop_free(loop), INVALID, "not closed");
	IS(moonpool_loop_run(loop), 0, NULL);
	check(__LINE__, "answers", answered, target, NULL);
	check(__LINE__, "closings", closings, 1, NULL);
	sessions(closed_session, MOONPOOL_CLOSED, "the session is closed");
	requests(unsent, "session is closed");
	statements(statement, "session is closed");
	results(old_result, "after its callback");
}

int main(int argc, char **argv)
{
	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(config, sizeof(config),
	         "return { contactPoints = { '127.0.0.1' }, port = %s, logging = { level = 'off' } }", argv[1]);
	freed_loop = moonpool_loop_new(NULL);
	IS(moonpool_loop_free(freed_loop), 0, NULL);
	loops(freed_loop, "freed already");
	loop = moonpool_loop_new(NULL);
	loops(freed_loop, "freed already");
	session = open_session();
	nothing();
	before_connect();
	connected_session();
	the_end();
	// A place that is used again: the old handles are still known.
	struct moonpool_session *next = open_session();
	sessions(closed_session, MOONPOOL_CLOSED, "the session is closed");
	IS(moonpool_session_close(next, NULL, NULL), 0, NULL);
	IS(moonpool_loop_run(loop), 0, NULL);
	IS(moonpool_loop_free(loop), 0, NULL);
	loops(loop, "freed already");
	sessions(closed_session, MOONPOOL_CLOSED, "the session is closed");
	statements(statement, "freed already");
	requests(spent_request, "executed or freed already");
	results(old_result, "after its callback");
	errors(old_error, INVALID, "INVALID_ARGUMENT");
	printf("%d checks, %d failures\n", checks, failures);
	return failures > 0;
}
