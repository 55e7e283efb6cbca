// SPDX-License-Identifier: Apache-2.0
// Requests that are cancelled: too early, in time, too late, and inside of callbacks.
#include "misuse.h"

#define KEY "SELECT key FROM system.local"

static struct moonpool_request *others[3];
static int cancelled, met;

static void on_cancelled(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	check(__LINE__, "no result", result == NULL, 1, NULL);
	IS(moonpool_error_code(error), MOONPOOL_CANCELLED, NULL);
	IS(moonpool_error_maybe_applied(error), data != NULL, NULL);
	cancelled++;
	met++;
}

static void on_first(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	(void)data, (void)error;
	check(__LINE__, "rows", result != NULL, 1, NULL);
	IS(moonpool_request_cancel(others[0]), MOONPOOL_NOT_FOUND, "is over"); // its own
	IS(moonpool_request_cancel(others[1]), 0, NULL);
	IS(moonpool_request_cancel(others[2]), 0, NULL);
	IS(moonpool_request_cancel(others[2]), MOONPOOL_NOT_FOUND, "is over"); // its end is on its way
	met++;
}

void cancels(void)
{
	IS(moonpool_request_cancel(NULL), INVALID, "the request is NULL");
	IS(moonpool_request_cancel((void *)session), INVALID, "another kind");
	struct moonpool_request *early = query(KEY);
	IS(moonpool_request_cancel(early), INVALID, "was not executed");
	IS(moonpool_request_free(early), 0, NULL);
	IS(moonpool_request_cancel(early), MOONPOOL_NOT_FOUND, "is over");
	struct moonpool_request *written = query("INSERT INTO app.m (id, name) VALUES (9, 'x')");
	IS(moonpool_execute(written, on_cancelled, &met), 0, NULL);
	IS(moonpool_request_cancel(written), 0, NULL);
	check(__LINE__, "inside of the call", met, 0, NULL);
	turn_until(&met, 1);
	IS(moonpool_request_cancel(written), MOONPOOL_NOT_FOUND, "is over");
	IS(moonpool_execute(written, never, NULL), INVALID, "executed or freed already");
	for (int i = 0; i < 3; i++) {
		others[i] = query(KEY);
		IS(moonpool_execute(others[i], i == 0 ? on_first : on_cancelled, NULL), 0, NULL);
	}
	turn_until(&met, 4);
	check(__LINE__, "cancelled", cancelled, 3, NULL);
	struct moonpool_stats stats;
	IS(moonpool_session_stats(session, &stats), 0, NULL);
	check(__LINE__, "in flight", (long)stats.requests_in_flight, 0, NULL);
}
