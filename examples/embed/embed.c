// SPDX-License-Identifier: Apache-2.0
// A C program with its own libuv loop: a timer of its own ticks while moonpool creates a table, writes ten rows at once
// and reads them back.
//
//   moonpool-embed [pool.lua]      (without a file: the cluster on 127.0.0.1)
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "moonpool.h"

#define ROWS 10

struct app {
	uv_loop_t uv;
	uv_timer_t ticker;
	int ticks;
	struct moonpool_loop *loop;
	struct moonpool_session *session;
	struct moonpool_statement *insert;
	int written;
	int status;
};

static const char default_config[] = "return { contactPoints = { '127.0.0.1' } }";

static void on_closed(void *data)
{
	struct app *app = data;
	uv_timer_stop(&app->ticker);
	uv_close((uv_handle_t *)&app->ticker, NULL);
}

static void finish(struct app *app, int status)
{
	app->status = status;
	moonpool_session_close(app->session, on_closed, app);
}

static void fail(struct app *app, const char *doing, const struct moonpool_error *error)
{
	fprintf(stderr, "%s: %s: %s\n", doing, moonpool_error_name(error), moonpool_error_message(error));
	finish(app, EXIT_FAILURE);
}

static void on_rows(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	struct app *app = data;
	if (error != NULL) {
		fail(app, "reading", error);
		return;
	}
	while (moonpool_result_next(result) > 0) {
		int32_t id;
		const char *name;
		size_t len;
		if (moonpool_get_int32(result, 0, &id) == 0 && moonpool_get_text(result, 1, &name, &len) == 0)
			printf("%" PRId32 " %.*s\n", id, (int)len, name);
	}
	struct moonpool_stats stats;
	moonpool_session_stats(app->session, &stats);
	printf("%" PRIu32 " rows from %s, %" PRIu64 " requests so far, %s\n", moonpool_result_rows(result),
	       moonpool_result_host(result), stats.requests,
	       app->ticks > 0 ? "and my own timer ticked" : "too fast for my timer");
	finish(app, EXIT_SUCCESS);
}

static void query(struct app *app, const char *cql,
                  void (*on_done)(void *data, const struct moonpool_result *result,
                                  const struct moonpool_error *error))
{
	struct moonpool_request *request = moonpool_request_new_query(app->session, cql, -1);
	if (moonpool_execute(request, on_done, app) != 0) {
		fprintf(stderr, "%s\n", moonpool_last_message()); // also of the call that made the request
		finish(app, EXIT_FAILURE);
	}
}

static void on_written(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	struct app *app = data;
	(void)result;
	if (app->status != EXIT_SUCCESS)
		return; // another one failed before
	if (error != NULL)
		fail(app, "writing", error);
	else if (++app->written == ROWS)
		query(app, "SELECT id, name FROM moonpool_embed.users", on_rows);
}

static void on_prepared(void *data, struct moonpool_statement *statement, const struct moonpool_error *error)
{
	struct app *app = data;
	if (error != NULL) {
		fail(app, "preparing", error);
		return;
	}
	app->insert = statement;
	for (int32_t id = 1; id <= ROWS; id++) {
		char name[32];
		snprintf(name, sizeof(name), "user %" PRId32, id);
		struct moonpool_request *request = moonpool_request_new(statement);
		moonpool_bind_int32(request, id);
		moonpool_bind_text(request, name, -1);
		moonpool_request_set_consistency(request, MOONPOOL_ONE);
		moonpool_request_set_idempotent(request, true);
		int rc = moonpool_execute(request, on_written, app);
		if (rc != 0) {
			fprintf(stderr, "writing: %s\n", moonpool_last_message());
			finish(app, EXIT_FAILURE);
			return;
		}
	}
}

static void on_table(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	struct app *app = data;
	(void)result;
	if (error != NULL)
		fail(app, "creating the table", error);
	else if (moonpool_prepare(app->session, "INSERT INTO moonpool_embed.users (id, name) VALUES (?, ?)", -1,
	                          on_prepared, app) != 0)
		finish(app, EXIT_FAILURE);
}

static void on_keyspace(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	struct app *app = data;
	(void)result;
	if (error != NULL)
		fail(app, "creating the keyspace", error);
	else
		query(app, "CREATE TABLE IF NOT EXISTS moonpool_embed.users (id int PRIMARY KEY, name text)",
		      on_table);
}

static void on_connected(void *data, const struct moonpool_error *error)
{
	struct app *app = data;
	if (error != NULL)
		fail(app, "connecting", error);
	else
		query(app,
		      "CREATE KEYSPACE IF NOT EXISTS moonpool_embed WITH replication = "
		      "{'class': 'SimpleStrategy', 'replication_factor': 1}",
		      on_keyspace);
}

static void on_tick(uv_timer_t *timer)
{
	struct app *app = timer->data;
	app->ticks++;
}

int main(int argc, char **argv)
{
	struct app app;
	char message[512];
	memset(&app, 0, sizeof(app));
	uv_loop_init(&app.uv);
	uv_timer_init(&app.uv, &app.ticker);
	app.ticker.data = &app;
	uv_timer_start(&app.ticker, on_tick, 1, 1);

	app.loop = moonpool_loop_new(&app.uv);
	if (app.loop == NULL)
		return EXIT_FAILURE;
	app.session =
		argc > 1 ? moonpool_session_from_file(app.loop, argv[1], message, sizeof(message))
				 : moonpool_session_from_text(app.loop, default_config, "embed", message, sizeof(message));
	if (app.session == NULL) {
		fprintf(stderr, "%s\n", message);
		app.status = EXIT_FAILURE;
		on_closed(&app);
	} else if (moonpool_session_connect(app.session, on_connected, &app) != 0) {
		finish(&app, EXIT_FAILURE);
	}
	uv_run(&app.uv, UV_RUN_DEFAULT); // until the session is closed and the ticker with it
	moonpool_loop_free(app.loop);
	uv_run(&app.uv, UV_RUN_DEFAULT); // its handles close in here
	uv_loop_close(&app.uv);
	return app.status;
}
