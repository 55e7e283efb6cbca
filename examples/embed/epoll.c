// SPDX-License-Identifier: Apache-2.0
// A C program with an event loop of its own that is no libuv, plain epoll: moonpool's descriptor lies in it beside the
// program's own timer, and the time that moonpool allows bounds each wait.
//
//   moonpool-epoll pool.lua
#include <inttypes.h>
#include <moonpool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define QUERIES 20

enum { MOONPOOL, TIMER };

struct app {
	struct moonpool_session *session;
	int answers;
	int ticks;
	int status;
	bool over;
};

static void on_closed(void *data)
{
	struct app *app = data;
	app->over = true;
}

static void finish(struct app *app, int status)
{
	app->status = status;
	if (moonpool_session_close(app->session, on_closed, app) != 0)
		app->over = true;
}

static void fail(struct app *app, const struct moonpool_error *error)
{
	fprintf(stderr, "%s: %s\n", moonpool_error_name(error), moonpool_error_message(error));
	finish(app, EXIT_FAILURE);
}

static void on_answer(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	struct app *app = data;
	if (error != NULL) {
		if (app->status == EXIT_SUCCESS)
			fail(app, error);
		return;
	}
	if (++app->answers < QUERIES)
		return;
	printf("%d answers, the last one from %s; my own timer %s\n", app->answers, moonpool_result_host(result),
	       app->ticks > 0 ? "ticked" : "stood");
	finish(app, EXIT_SUCCESS);
}

static void on_connected(void *data, const struct moonpool_error *error)
{
	struct app *app = data;
	if (error != NULL) {
		fail(app, error);
		return;
	}
	for (int i = 0; i < QUERIES; i++) {
		struct moonpool_request *request =
			moonpool_request_new_query(app->session, "SELECT release_version FROM system.local", -1);
		if (moonpool_execute(request, on_answer, app) != 0) {
			fprintf(stderr, "%s\n", moonpool_last_message());
			finish(app, EXIT_FAILURE);
			return;
		}
	}
}

static int watch(int epoll, int fd, uint32_t what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = what}; // level triggered
	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void run(struct app *app, struct moonpool_loop *loop, int epoll, int timer)
{
	while (!app->over) {
		struct epoll_event events[8];
		int count = epoll_wait(epoll, events, 8, moonpool_timeout_ms(loop));
		for (int i = 0; i < count; i++) {
			uint64_t times;
			if (events[i].data.u32 == TIMER && read(timer, &times, sizeof(times)) == sizeof(times))
				app->ticks++;
		}
		// Also when only the time was over.
		if (moonpool_loop_turn(loop, 0) < 0)
			return;
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s pool.lua\n", argv[0]);
		return 2;
	}
	struct app app = {.status = EXIT_SUCCESS};
	char message[512];
	struct moonpool_loop *loop = moonpool_loop_new(NULL);
	app.session = loop != NULL ? moonpool_session_from_file(loop, argv[1], message, sizeof(message)) : NULL;
	if (app.session == NULL) {
		fprintf(stderr, "%s\n", loop != NULL ? message : moonpool_last_message());
		return EXIT_FAILURE;
	}
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct itimerspec every = {.it_value = {0, 1000000}, .it_interval = {0, 1000000}};
	if (epoll < 0 || timer < 0 || timerfd_settime(timer, 0, &every, NULL) != 0 ||
	    watch(epoll, moonpool_fd(loop), MOONPOOL) != 0 || watch(epoll, timer, TIMER) != 0) {
		perror("epoll");
		return EXIT_FAILURE;
	}
	if (moonpool_session_connect(app.session, on_connected, &app) != 0) {
		fprintf(stderr, "%s\n", moonpool_last_message());
		return EXIT_FAILURE;
	}
	run(&app, loop, epoll, timer);
	moonpool_loop_free(loop);
	close(timer);
	close(epoll);
	return app.status;
}
