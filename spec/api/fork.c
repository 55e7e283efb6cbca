// SPDX-License-Identifier: Apache-2.0
// A program that connects and then starts four workers by fork(), with requests in flight: each worker tries what it
// has inherited, gives it back, and connects by itself, while the parent goes on.
//
//   api_fork PORT own | theirs | turned    whose uv loop it is; turned: workers go on with the program's uv loop
//   api_fork PORT inside                   a child that is made in a callback, and returns from it
//
// On the cluster there is app.r with the ids 0 to 49.
#include <dirent.h>
#include <moonpool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

enum { WORKERS = 4, REQUESTS = 300, AT_ONCE = 20, ROWS = 50 };

static uv_loop_t uv_loop, *uv; // NULL: moonpool's own
static struct moonpool_loop *loop;
static struct moonpool_session *session;
static struct moonpool_statement *statement;
static struct moonpool_request *newest; // that was executed
static const char *port;
static int right, wrong, errors, forked, sent, done, ready;

static void fail(const char *what)
{
	printf("FAILED in %d: %s (%s)\n", getpid(), what, moonpool_last_message());
	_exit(1);
}

static void next(void);

static void on_row(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	int32_t id = -1;
	if (error != NULL)
		errors++;
	else if (moonpool_result_next(result) > 0 && moonpool_get_int32(result, 0, &id) == 0 &&
	         id == *(int *)data)
		right++;
	else
		wrong++;
	done++;
	next();
}

static void next(void)
{
	static int ids[REQUESTS];
	while (sent < REQUESTS && sent - done < AT_ONCE) {
		ids[sent] = rand() % ROWS;
		struct moonpool_request *request = moonpool_request_new(statement);
		(void)moonpool_bind_int32(request, ids[sent]);
		int rc = moonpool_execute(request, on_row, &ids[sent]);
		newest = request;
		sent++;
		forked += rc == MOONPOOL_FORKED;
		done += rc < 0;
		errors += rc < 0 && rc != MOONPOOL_FORKED;
	}
}

static void turn(void)
{
	if (uv == NULL)
		(void)moonpool_loop_turn(loop, 100);
	else
		uv_run(uv, UV_RUN_ONCE);
}

static void begin(void)
{
	right = wrong = errors = forked = sent = done = 0;
	next();
}

static void ask(const char *who)
{
	while (done < REQUESTS)
		turn();
	printf("%s right %d wrong %d errors %d forked %d\n", who, right, wrong, errors, forked);
}

static void on_connected(void *data, const struct moonpool_error *error)
{
	(void)data;
	if (error != NULL)
		fail(moonpool_error_message(error));
	ready = 1;
}

static void on_prepared(void *data, struct moonpool_statement *got, const struct moonpool_error *error)
{
	(void)data;
	if (error != NULL)
		fail(moonpool_error_message(error));
	statement = got;
	ready = 1;
}

static void await(int rc)
{
	ready = 0;
	if (rc != 0)
		fail("refused");
	while (ready == 0)
		turn();
}

static void connect_all(void)
{
	char text[128], message[256];
	snprintf(text, sizeof(text),
	         "return { contactPoints = { '127.0.0.1' }, port = %s, logging = { level = 'off' } }", port);
	loop = moonpool_loop_new(uv);
	session = moonpool_session_from_text(loop, text, "fork", message, sizeof(message));
	if (session == NULL)
		fail(message);
	await(moonpool_session_connect(session, on_connected, NULL));
	await(moonpool_prepare(session, "SELECT id FROM app.r WHERE id = ?", -1, on_prepared, NULL));
}

static void on_closed(void *data)
{
	(void)data;
	ready = 1;
}

static void disconnect(void)
{
	ready = 0;
	moonpool_session_close(session, on_closed, NULL);
	while (ready == 0)
		turn();
	if (moonpool_loop_free(loop) != 0)
		fail("free");
	if (uv != NULL)
		uv_run(uv, UV_RUN_DEFAULT);
}

static int sockets(void)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;
	while ((entry = readdir(folder)) != NULL) {
		struct stat st;
		char path[300];
		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		count += stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
	}
	closedir(folder);
	return count;
}

static void on_tick(uv_timer_t *timer)
{
	(*(int *)timer->data)++;
}

// The program goes on with its own loop, as libuv's manual says.
static void go_on(void)
{
	int ticks = 0;
	uv_timer_t timer;
	if (uv_loop_fork(uv) != 0)
		fail("uv_loop_fork");
	uv_timer_init(uv, &timer);
	timer.data = &ticks;
	uv_timer_start(&timer, on_tick, 1, 1);
	while (ticks < 5)
		uv_run(uv, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(uv, UV_RUN_DEFAULT); // ends: nothing of moonpool's keeps it
}

static void on_nothing(void *data, const struct moonpool_error *error)
{
	(void)data, (void)error;
	fail("a callback of the parent's");
}

static void be_a_worker(bool turned)
{
	struct moonpool_stats stats;
	int inherited = sockets();
	alarm(60);
	if (done < sent && moonpool_request_cancel(newest) != MOONPOOL_FORKED)
		fail("cancel");
	begin(); // over the parent's requests, whose callbacks must not come
	ask("copy");
	if (moonpool_loop_turn(loop, 0) != MOONPOOL_FORKED || moonpool_loop_run(loop) != MOONPOOL_FORKED ||
	    moonpool_session_connect(session, on_nothing, NULL) != MOONPOOL_FORKED ||
	    moonpool_session_close(session, NULL, NULL) != MOONPOOL_FORKED ||
	    moonpool_session_stats(session, &stats) != MOONPOOL_FORKED ||
	    moonpool_session_from_text(loop, "return {}", NULL, NULL, 0) != NULL ||
	    moonpool_last_code() != MOONPOOL_FORKED)
		fail("not FORKED");
	if (turned)
		go_on();
	if (moonpool_loop_free(loop) != 0 || moonpool_loop_free(loop) != MOONPOOL_INVALID_ARGUMENT)
		fail("free");
	if (inherited == 0 || sockets() != 0)
		fail("descriptors are left");
	uv = NULL;
	connect_all();
	begin();
	ask("own");
	disconnect();
	_exit(0);
}

// ---- fork() in a callback that comes before libuv waits ---------------------------------------------------

enum { HIGH = 900 }; // a descriptor that the child knows nothing of

static int gate[2], noise[2];
static pid_t inside;

// A statement that is known already is given by a task, in the first half of a turn.
static void on_known(void *data, struct moonpool_statement *got, const struct moonpool_error *error)
{
	char byte;
	on_prepared(data, got, error);
	inside = fork();
	if (inside == 0 && read(gate[0], &byte, 1) != 1)
		fail("read");
}

static void on_noise(uv_poll_t *poll, int status, int events)
{
	(void)poll, (void)status, (void)events;
}

// The child goes back into the loop, which waits on what is the parent's, too: on things that came meanwhile.
static int fork_inside(void)
{
	static uv_poll_t poll;
	int status = -1;
	if (pipe(gate) != 0 || pipe(noise) != 0 || dup2(noise[0], HIGH) != HIGH || write(noise[1], "x", 1) != 1)
		fail("pipe");
	await(moonpool_prepare(session, "SELECT id FROM app.r WHERE id = ?", -1, on_known, NULL));
	if (inside == 0)
		_exit(moonpool_session_close(session, NULL, NULL) == MOONPOOL_FORKED ? 0 : 1);
	uv_poll_init(uv, &poll, HIGH);
	uv_poll_start(&poll, UV_READABLE, on_noise);
	uv_run(uv, UV_RUN_NOWAIT);
	if (write(gate[1], "x", 1) != 1)
		fail("write");
	waitpid(inside, &status, 0);
	printf("the child inside ended with %d\n", status);
	uv_close((uv_handle_t *)&poll, NULL);
	disconnect();
	return 0;
}

int main(int argc, char **argv)
{
	struct moonpool_stats stats;
	int bad = 0;
	const char *whose = argc > 2 ? argv[2] : "own";
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(120);
	port = argv[1];
	if (strcmp(whose, "own") != 0 && uv_loop_init(&uv_loop) == 0)
		uv = &uv_loop;
	connect_all();
	if (strcmp(whose, "inside") == 0)
		return fork_inside();
	begin();
	for (int i = 0; i < WORKERS; i++) {
		if (fork() == 0)
			be_a_worker(strcmp(whose, "turned") == 0);
		for (int turns = 0; turns < 3 && done < REQUESTS; turns++)
			turn();
	}
	ask("parent");
	for (int i = 0; i < 5; i++) {
		begin();
		ask("parent");
	}
	for (int i = 0; i < WORKERS; i++) {
		int status = 0;
		wait(&status);
		bad += status != 0;
	}
	begin();
	ask("parent");
	moonpool_session_stats(session, &stats);
	printf("children that failed: %d, errors of connections: %d\n", bad, (int)stats.connection_errors);
	disconnect();
	return 0;
}
