// SPDX-License-Identifier: Apache-2.0
// A random program with the C API: any call, with any argument (NULL, gone, of another kind, out of range), in any
// order, from the program and from its callbacks, and now and then a fork().
//
//   api_random_calls PORT SEED [STEPS]     on a cluster of `moonpool sim`; prints what it did, exits 1 for a finding
//
// What must hold: nothing crashes; a call that was accepted calls back exactly once, one that was refused never, and
// none from inside of itself; a refusal has its code and a sentence; an answer is the one to its question; and in the
// end everything can be closed.
#include <moonpool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "random_arguments.h"

enum { TICKETS = 1 << 16, ROWS = 50, SESSIONS_MOST = 5, DEEPEST = 3 };

// One call that takes a callback.
struct ticket {
	bool accepted;
	int calls;
	int row;
};

static struct ticket tickets[TICKETS];
static int ticket_count, calls, refused, answers, failures, depth, sessions_opened;
static bool is_child, may_fork, ending;
static pid_t children[4];
static int child_count;
static const char *port;

static void finding(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	printf("%s: ", is_child ? "FOUND in a child" : "FOUND");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	failures++;
}

// ---- calls that are made ----------------------------------------------------------------------------------

// The code of a call.
int got(const char *what, int rc)
{
	calls++;
	if (rc >= 0)
		return rc;
	refused++;
	if (moonpool_last_code() != rc || moonpool_last_message()[0] == '\0')
		finding("%s gave %d, but the last code is %d (%s)", what, rc, moonpool_last_code(),
		        moonpool_last_message());
	return rc;
}

static struct ticket *ticket(int row)
{
	static struct ticket spare;
	struct ticket *taken = ticket_count < TICKETS ? &tickets[ticket_count++] : &spare;
	*taken = (struct ticket){.row = row};
	return taken;
}

static void submitted(struct ticket *taken, const char *what, int rc)
{
	taken->accepted = got(what, rc) == 0;
	if (taken->accepted && is_child)
		finding("%s of the parent's was accepted", what);
	if (taken->calls != 0)
		finding("%s called back from inside of itself", what);
}

// ---- callbacks --------------------------------------------------------------------------------------------

static void random_call(void);

static void called(struct ticket *taken)
{
	if (is_child)
		finding("a callback of the parent's");
	if (!taken->accepted || ++taken->calls > 1)
		finding("a callback too much (%d)", taken->calls);
	depth++;
	for (uint32_t count = depth <= DEEPEST ? below(4) : 0; count > 0 && !is_child; count--)
		random_call();
	depth--;
}

static void on_session(void *data, const struct moonpool_error *error)
{
	keep(ERRORS, error, -1);
	called(data);
}

static void on_closed(void *data)
{
	called(data);
}

static void on_statement(void *data, struct moonpool_statement *statement, const struct moonpool_error *error)
{
	if ((statement == NULL) == (error == NULL))
		finding("not one of statement and error");
	keep(STATEMENTS, statement, -1);
	keep(ERRORS, error, -1);
	called(data);
}

static void on_rows(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	struct ticket *taken = data;
	int32_t id = -1;
	if ((result == NULL) == (error == NULL))
		finding("not one of result and error");
	answers += result != NULL;
	if (result != NULL && taken->row >= 0) {
		int rc = moonpool_result_next(result);
		if (rc != 1 || moonpool_get_int32(result, 0, &id) != 0 || id != taken->row)
			finding("row %d was asked for, %d came (%d)", taken->row, id, rc);
	}
	keep(RESULTS, result, -1);
	keep(ERRORS, error, -1);
	called(taken);
}

// ---- calls ------------------------------------------------------------------------------------------------

// A configuration that lies in a file, or a path that leads to none.
static char file_path[64];
static const char *file_of(const char *text)
{
	if (is_child || below(6) == 0)
		return odd_text();
	snprintf(file_path, sizeof(file_path), "/tmp/api_random_calls.%ld.lua", (long)getpid());
	FILE *file = fopen(file_path, "w");
	if (file == NULL)
		return NULL;
	fputs(text, file);
	fclose(file);
	return file_path;
}

static void open_session(void)
{
	static const char *const extras[] = {
		"",
		"protocolVersion = 3",
		"protocolVersion = 4",
		"requestTimeout = 1",
		"loadBalancing = { policy = 'RoundRobin' }",
		"port = 1",
		"nonsense = 1",
		"contactPoints = 5",
	};
	char text[256], message[64];
	if (ending || sessions_opened >= SESSIONS_MOST)
		return;
	snprintf(text, sizeof(text),
	         "return { contactPoints = { '127.0.0.1' }, port = %s, logging = { level = 'off' }, %s }", port,
	         extras[made[SESSIONS] == 0 ? 0 : below(8)]);
	const char *path = file_of(text);
	struct moonpool_session *session =
		below(3) == 0
			? moonpool_session_from_file(pick(LOOPS).at, path, message, below(sizeof(message)))
			: moonpool_session_from_text(pick(LOOPS).at, below(20) == 0 ? NULL : text,
	                                     below(4) == 0 ? NULL : "random", below(4) == 0 ? NULL : message,
	                                     below(4) == 0 ? 0 : sizeof(message));
	got("from", session != NULL ? 0 : moonpool_last_code());
	if (keep(SESSIONS, session, -1) == NULL)
		return;
	sessions_opened++;
	struct ticket *taken = ticket(-1);
	if (below(4) != 0)
		submitted(taken, "connect", moonpool_session_connect(session, on_session, taken));
}

static void life(void)
{
	struct ticket *taken = ticket(-1);
	struct moonpool_stats stats;
	switch (below(10)) {
	case 0:
	case 1: open_session(); break;
	case 2:
		submitted(taken, "connect",
		          moonpool_session_connect(pick(SESSIONS).at, below(8) == 0 ? NULL : on_session, taken));
		break;
	case 3:
		if (below(4) == 0) // a program that only closes does little else
			submitted(taken, "close", moonpool_session_close(pick(SESSIONS).at, on_closed, taken));
		break;
	case 4: got("stats", moonpool_session_stats(pick(SESSIONS).at, below(8) == 0 ? NULL : &stats)); break;
	case 5:
	case 6: random_loop_call(pick(LOOPS).at); break;
	case 7: got("statement_free", moonpool_statement_free(pick(STATEMENTS).at)); break;
	case 8: got("request_free", moonpool_request_free(pick(REQUESTS).at)); break;
	default:
		if (depth > 0 && got("run", moonpool_loop_run(handles[LOOPS][0].at)) >= 0)
			finding("a loop ran inside of its callback");
		if (depth > 0 && got("free", moonpool_loop_free(handles[LOOPS][0].at)) >= 0)
			finding("a loop was freed inside of its callback");
	}
}

static void prepare(void)
{
	struct ticket *taken = ticket(-1);
	const char *text = cql();
	struct moonpool_session *session = pick(SESSIONS).at;
	ptrdiff_t len = length_of(text);
	if (below(4) == 0)
		submitted(
			taken, "prepare_in",
			moonpool_prepare_in(session, below(2) == 0 ? "app" : odd_text(), text, len, on_statement, taken));
	else
		submitted(taken, "prepare",
		          moonpool_prepare(session, text, len, below(12) == 0 ? NULL : on_statement, taken));
}

// A request whose values are what they should be, most of the time.
static void ask(void)
{
	struct moonpool_statement *statement = pick(STATEMENTS).at;
	struct moonpool_request *request = moonpool_request_new(statement);
	int row = (int)below(ROWS);
	got("request_new", request != NULL ? 0 : moonpool_last_code());
	if (request != NULL && is_child)
		finding("a request of the parent's was made");
	bool one = request != NULL && moonpool_statement_parameters(statement) == 1;
	if (!one || got("bind_int32", moonpool_bind_int32(request, row)) != 0 || below(4) == 0) {
		keep(REQUESTS, request, -1);
		return;
	}
	struct ticket *taken = ticket(-1);
	keep(REQUESTS, request, row);
	submitted(taken, "execute", moonpool_execute(request, on_rows, taken));
}

static void query(void)
{
	const char *text = cql();
	struct moonpool_request *request = moonpool_request_new_query(pick(SESSIONS).at, text, length_of(text));
	got("request_new_query", request != NULL ? 0 : moonpool_last_code());
	keep(REQUESTS, request, -1);
}

static void batch(void)
{
	struct moonpool_request *given =
		moonpool_batch_new(pick(SESSIONS).at, (enum moonpool_batch_type)((int)below(5) - 1));
	got("batch_new", given != NULL ? 0 : moonpool_last_code());
	keep(REQUESTS, given, -1);
	for (uint32_t i = below(4); i > 0; i--)
		got("batch_add", moonpool_batch_add(below(4) == 0 ? pick(REQUESTS).at : given, pick(REQUESTS).at));
	if (moonpool_batch_count(given) > 4)
		finding("a batch of more than was added");
}

static void execute(void)
{
	struct ticket *taken = ticket(-1);
	submitted(taken, "execute", moonpool_execute(pick(REQUESTS).at, below(12) == 0 ? NULL : on_rows, taken));
}

static void on_trace(void *data, const struct moonpool_trace *trace, const struct moonpool_error *error)
{
	if ((trace == NULL) == (error == NULL))
		finding("a trace and an error, or neither");
	on_session(data, error);
}

// What takes a while.
static void await_hosts(void)
{
	static const char *const known[] = {"127.0.0.1", "127.0.0.2", "127.0.0.1:1", "localhost"};
	struct ticket *taken = ticket(-1);
	struct moonpool_session *session = pick(SESSIONS).at;
	const char *host = below(4) == 0 ? odd_text() : known[below(4)];
	void (*told)(void *, const struct moonpool_error *) = below(12) == 0 ? NULL : on_session;
	static const uint8_t uuid[16] = {6};
	uint32_t ms = below(4) == 0 ? UINT32_MAX : below(20);
	switch (below(8)) {
	case 6: submitted(taken, "trace", moonpool_session_trace(session, uuid, on_trace, taken)); break;
	case 0:
		submitted(taken, "drain_within", moonpool_host_drain_within(session, host, ms, told, taken));
		break;
	case 1: submitted(taken, "warmup", moonpool_session_warmup(session, told, taken)); break;
	case 2: submitted(taken, "preallocate", moonpool_host_preallocate(session, host, ms, told, taken)); break;
	case 3: submitted(taken, "add_node", moonpool_session_add_node(session, host, ms, told, taken)); break;
	case 4:
		submitted(taken, "recover", moonpool_host_recover(session, host, ms, below(20), told, taken));
		break;
	case 5:
		submitted(taken, "switch_datacenter",
		          moonpool_session_switch_datacenter(session, below(2) == 0 ? "datacenter1" : odd_text(), ms,
		                                             told, taken));
		break;
	default: submitted(taken, "remove_node", moonpool_session_remove_node(session, host, ms, told, taken));
	}
}

// ---- fork -------------------------------------------------------------------------------------------------

static void stop_on_key(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	(void)error;
	*(int *)data = moonpool_result_rows(result) == 1 ? 1 : -1;
}

static void connected_own(void *data, const struct moonpool_error *error)
{
	*(int *)data = error == NULL ? 1 : -1;
}

// Nothing of the parent's works; what it makes itself does.
static void be_a_child(void)
{
	char text[128];
	is_child = true;
	alarm(30);
	for (int i = 0; i < 40; i++)
		random_call();
	struct moonpool_loop *loop = moonpool_loop_new(NULL);
	int connected = 0, answered = 0;
	snprintf(text, sizeof(text),
	         "return { contactPoints = { '127.0.0.1' }, port = %s, logging = { level = 'off' } }", port);
	struct moonpool_session *session = moonpool_session_from_text(loop, text, "child", NULL, 0);
	int rc = moonpool_session_connect(session, connected_own, &connected);
	while (rc == 0 && connected == 0)
		moonpool_loop_turn(loop, 10);
	rc = moonpool_execute(moonpool_request_new_query(session, "SELECT key FROM system.local", -1),
	                      stop_on_key, &answered);
	while (rc == 0 && answered == 0)
		moonpool_loop_turn(loop, 10);
	if (connected != 1 || answered != 1)
		finding("its own session: connected %d, answered %d, %s", connected, answered,
		        moonpool_last_message());
	moonpool_session_close(session, NULL, NULL);
	moonpool_loop_run(loop);
	if (moonpool_loop_free(loop) != 0)
		finding("its own loop: %s", moonpool_last_message());
}

static void split(void)
{
	if (!may_fork || child_count == 4 || below(60) != 0)
		return;
	fflush(stdout);
	pid_t child = fork();
	if (child != 0) {
		children[child_count++] = child;
		return;
	}
	be_a_child();
	if (depth == 0 || below(2) == 0)
		_exit(failures > 0);
	// Otherwise it goes back into the parent's loop, which must let go of it at once.
}

static void random_call(void)
{
	if (below(8) != 0)
		ask();
	switch (below(10)) {
	case 0: life(); break;
	case 8:
		random_session_call(pick(SESSIONS).at);
		if (below(4) == 0)
			await_hosts();
		break;
	case 1:
		prepare();
		random_statement_call(pick(STATEMENTS).at);
		break;
	case 2: query(); break;
	case 3: random_request_call(); break;
	case 4: execute(); break;
	case 5: random_result_call(pick(RESULTS).at); break;
	case 6: random_error_call(pick(ERRORS).at); break;
	case 7: batch(); break;
	default:
		if (!is_child)
			split();
	}
}

// ---- the program ------------------------------------------------------------------------------------------

static void turn(uv_loop_t *uv, struct moonpool_loop *loop, int wait_ms)
{
	if (uv == NULL)
		got("turn", moonpool_loop_turn(loop, wait_ms));
	else
		uv_run(uv, UV_RUN_NOWAIT);
}

static void finish(uv_loop_t *uv, struct moonpool_loop *loop)
{
	ending = true;
	for (int i = 0; i < made[SESSIONS] && i < KEPT; i++) {
		int rc = moonpool_session_close(handles[SESSIONS][i].at, NULL, NULL);
		if (rc != 0 && rc != MOONPOOL_CLOSED)
			finding("close: %s", moonpool_last_message());
	}
	// A callback may stop it, or fork.
	for (int runs = 0; runs < 1000 && !is_child && moonpool_loop_free(loop) != 0; runs++)
		if (uv != NULL)
			uv_run(uv, UV_RUN_DEFAULT);
		else if (moonpool_loop_run(loop) != 0 && !is_child)
			finding("run: %s", moonpool_last_message());
	if (is_child)
		_exit(failures > 0);
	if (moonpool_loop_stop(loop) == 0)
		finding("it cannot be freed");
	if (uv != NULL) {
		uv_run(uv, UV_RUN_DEFAULT);
		if (uv_loop_close(uv) != 0)
			finding("the program's loop has something left");
	}
	for (int i = 0; i < ticket_count; i++)
		if (tickets[i].accepted && tickets[i].calls == 0)
			finding("a callback never came (%d)", i);
}

static void await_children(void)
{
	for (int i = 0; i < child_count; i++) {
		int status = 0;
		waitpid(children[i], &status, 0);
		if (status != 0)
			finding("a child ended with %#x", (unsigned)status);
	}
}

int main(int argc, char **argv)
{
	uv_loop_t own, *uv = NULL;
	int steps = argc > 3 ? atoi(argv[3]) : 400;
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(120);
	port = argv[1];
	seed(strtoull(argv[2], NULL, 10));
	may_fork = below(3) == 0;
	if (below(3) == 0 && uv_loop_init(&own) == 0)
		uv = &own;
	struct moonpool_loop *loop = moonpool_loop_new(uv);
	keep(LOOPS, loop, -1);
	open_session();
	for (int step = 0; step < steps && !is_child; step++) {
		random_call();
		if (below(4) == 0)
			turn(uv, loop, (int)below(3));
	}
	if (is_child)
		_exit(failures > 0);
	finish(uv, loop);
	await_children();
	unlink(file_path);
	printf("%d calls, %d refused, %d answers, %d children, %d findings\n", calls, refused, answers,
	       child_count, failures);
	return failures > 0;
}
