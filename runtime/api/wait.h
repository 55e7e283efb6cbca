// SPDX-License-Identifier: Apache-2.0
// Calls that wait for something of hosts: what they wait for is the cluster's (steer.h, warmup.h), here it becomes a
// callback of the program's.
#pragma once

#include "api/internal.h"
#include "cluster/steer.h"

// Who is told how it ended.
struct mp_api_waiting {
	struct mp_api_session *session;
	void (*on_done)(void *data, const struct moonpool_error *error);
	void *data;
};

// The error of an errand that was not begun: its code, noted.
int mp_api_not_begun(const struct mp_error *error, const char *function);
// Begins it; NULL: `error` says why there is none. 0, or the code that was noted.
int mp_api_await(const struct mp_api_waiting *waiting, struct mp_errand *errand, const struct mp_error *error,
                 const char *function) MP_MUST_CHECK;
