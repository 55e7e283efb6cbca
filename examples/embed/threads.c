// SPDX-License-Identifier: Apache-2.0
// A thread per core: each has a loop and a session of its own and shares nothing with the others, so there is no lock
// on a request's way, and a core more is so much more throughput. Each keeps some requests in flight until its share is
// done.
//
//   moonpool-threads pool.lua [THREADS [REQUESTS]]     THREADS: one for each core; REQUESTS of each: 1000
#include <inttypes.h>
#include <moonpool.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define IN_FLIGHT    32
#define THREADS_MOST 256

struct worker {
	pthread_t thread;
	const char *config;
	struct moonpool_loop *loop;
	struct moonpool_session *session;
	int left, under_way; // requests: to be made, and without an answer yet
	int answers, failures;
	char message[512];
};

static void finish(struct worker *self)
{
	// The loop has nothing left to do when the session is closed, and moonpool_loop_run() returns.
	moonpool_session_close(self->session, NULL, NULL);
}

static void ask(struct worker *self);

static void on_answer(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	struct worker *self = data;
	self->under_way--;
	if (error == NULL && moonpool_result_rows(result) == 1)
		self->answers++;
	else if (self->failures++ == 0)
		snprintf(self->message, sizeof(self->message), "%s", moonpool_error_message(error));
	ask(self);
	if (self->under_way == 0)
		finish(self);
}

static void ask(struct worker *self)
{
	while (self->left > 0 && self->under_way < IN_FLIGHT) {
		self->left--;
		struct moonpool_request *request =
			moonpool_request_new_query(self->session, "SELECT release_version FROM system.local", -1);
		if (moonpool_execute(request, on_answer, self) == 0)
			self->under_way++;
		else if (self->failures++ == 0) // of this thread
			snprintf(self->message, sizeof(self->message), "%s", moonpool_last_message());
	}
}

static void on_connected(void *data, const struct moonpool_error *error)
{
	struct worker *self = data;
	if (error != NULL) {
		self->failures++;
		snprintf(self->message, sizeof(self->message), "%s", moonpool_error_message(error));
	} else {
		ask(self);
	}
	if (self->under_way == 0)
		finish(self);
}

static void *work(void *data)
{
	struct worker *self = data;
	self->loop = moonpool_loop_new(NULL);
	if (self->loop == NULL)
		return NULL;
	self->session =
		moonpool_session_from_file(self->loop, self->config, self->message, sizeof(self->message));
	if (self->session != NULL) {
		moonpool_session_connect(self->session, on_connected, self);
		moonpool_loop_run(self->loop);
	} else {
		self->failures++;
	}
	moonpool_loop_free(self->loop);
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s pool.lua [THREADS [REQUESTS]]\n", argv[0]);
		return 2;
	}
	static struct worker workers[THREADS_MOST];
	long count = argc > 2 ? atol(argv[2]) : sysconf(_SC_NPROCESSORS_ONLN);
	int requests = argc > 3 ? atoi(argv[3]) : 1000, answers = 0, failures = 0;
	if (count < 1 || count > THREADS_MOST)
		count = 1;
	for (long i = 0; i < count; i++) {
		workers[i].config = argv[1];
		workers[i].left = requests;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			return EXIT_FAILURE;
	}
	for (long i = 0; i < count; i++) {
		pthread_join(workers[i].thread, NULL);
		answers += workers[i].answers;
		failures += workers[i].failures;
		if (workers[i].message[0] != '\0')
			fprintf(stderr, "thread %ld: %s\n", i + 1, workers[i].message);
	}
	printf("%d answers in %ld threads, %d failures\n", answers, count, failures);
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
