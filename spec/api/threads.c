// SPDX-License-Identifier: Apache-2.0
// Four threads, each with a loop and sessions of its own on the cluster: they share nothing that shows.
//
//   api_threads PORT      prints how many rows came, and how many mistakes were told for what they are
#include <moonpool.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 8, QUERIES = 20 };

static char config[256];

struct worker {
	pthread_t thread;
	struct moonpool_loop *loop;
	struct moonpool_session *session;
	int rows, mistakes, left;
};

static void on_rows(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	struct worker *self = data;
	(void)error;
	self->rows += (int)moonpool_result_rows(result);
	if (--self->left == 0)
		moonpool_session_close(self->session, NULL, NULL);
}

static void on_connected(void *data, const struct moonpool_error *error)
{
	struct worker *self = data;
	if (error != NULL)
		moonpool_session_close(self->session, NULL, NULL);
	for (self->left = 0; error == NULL && self->left < QUERIES; self->left++)
		(void)moonpool_execute(moonpool_request_new_query(self->session, "SELECT key FROM system.local", -1),
		                       on_rows, self);
}

// Each thread has a last message of its own.
static void mistake(struct worker *self, int number)
{
	if (number % 2 == 0)
		self->mistakes +=
			moonpool_loop_stop(NULL) < 0 && strstr(moonpool_last_message(), "moonpool_loop_stop") != NULL;
	else
		self->mistakes +=
			moonpool_execute(NULL, NULL, NULL) < 0 && strstr(moonpool_last_message(), "request") != NULL;
}

static void *work(void *data)
{
	struct worker *self = data;
	for (int round = 0; round < ROUNDS; round++) {
		self->loop = moonpool_loop_new(NULL);
		self->session = moonpool_session_from_text(self->loop, config, "threads", NULL, 0);
		moonpool_session_connect(self->session, on_connected, self);
		mistake(self, round);
		moonpool_loop_run(self->loop);
		if (moonpool_loop_free(self->loop) != 0)
			printf("FAILED: %s\n", moonpool_last_message());
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS];
	int rows = 0, mistakes = 0;
	(void)argc;
	snprintf(config, sizeof(config),
	         "return { contactPoints = { '127.0.0.1' }, port = %s, logging = { level = 'off' } }", argv[1]);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		rows += workers[i].rows;
		mistakes += workers[i].mistakes;
	}
	printf("%d rows, %d mistakes\n", rows, mistakes);
	return 0;
}
