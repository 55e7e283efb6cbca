// SPDX-License-Identifier: Apache-2.0
// What a library leaves alone: signals, the standard output, the process. A session lives a whole life, its node says
// something wrong and its configuration is refused; then everything is as it was.
//
//   api_quiet PORT      prints to the standard error what has changed; exits 0 when nothing has
#include <moonpool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sigaction before[65];
static struct moonpool_session *session;
static int answers, ended;

static void look(struct sigaction *actions)
{
	for (int number = 1; number <= 64; number++)
		if (sigaction(number, NULL, &actions[number]) != 0)
			memset(&actions[number], 0, sizeof(actions[number]));
}

static int changed(void)
{
	static struct sigaction now[65];
	int count = 0;
	look(now);
	for (int number = 1; number <= 64; number++)
		if (now[number].sa_handler != before[number].sa_handler) {
			fprintf(stderr, "FOUND: signal %d has another handler\n", number);
			count++;
		}
	return count;
}

static void at_exit(void)
{
	if (!ended)
		fprintf(stderr, "FOUND: the process was ended\n");
}

static void on_answer(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	(void)data, (void)result, (void)error;
	if (++answers == 2)
		moonpool_session_close(session, NULL, NULL);
}

static void on_connected(void *data, const struct moonpool_error *error)
{
	(void)data, (void)error;
	moonpool_execute(moonpool_request_new_query(session, "SELECT key FROM system.local", -1), on_answer,
	                 NULL);
	moonpool_execute(moonpool_request_new_query(session, "SELEC nonsense", -1), on_answer, NULL);
}

int main(int argc, char **argv)
{
	char config[256];
	int out[2];
	(void)argc;
	look(before);
	atexit(at_exit);
	if (pipe(out) != 0 || dup2(out[1], STDOUT_FILENO) < 0)
		return 2;
	snprintf(config, sizeof(config),
	         "return { contactPoints = { '127.0.0.1' }, port = %s, logging = { level = 'debug' } }", argv[1]);
	struct moonpool_loop *loop = moonpool_loop_new(NULL);
	(void)moonpool_session_from_text(loop, "return { nonsense = 1 }", "quiet", NULL, 0);
	session = moonpool_session_from_text(loop, config, "quiet", NULL, 0);
	moonpool_session_connect(session, on_connected, NULL);
	moonpool_loop_run(loop);
	moonpool_loop_free(loop);
	moonpool_loop_free(loop); // a mistake is told, too
	int found = changed();
	fflush(stdout);
	close(STDOUT_FILENO);
	close(out[1]);
	char byte;
	if (read(out[0], &byte, 1) != 0) {
		fprintf(stderr, "FOUND: something on the standard output\n");
		found++;
	}
	if (answers != 2) {
		fprintf(stderr, "FOUND: %d answers\n", answers);
		found++;
	}
	ended = 1;
	return found > 0;
}
