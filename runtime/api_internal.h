// SPDX-License-Identifier: Apache-2.0
// What stands behind the opaque handles of moonpool.h. A loop is a struct mp_loop, an error a struct mp_error.
#pragma once

#include "base/slab.h"
#include "moonpool.h"
#include "script/engine.h"

struct moonpool_result {
	struct moonpool_session *session;
	const struct mp_outcome *outcome;
};

struct moonpool_session {
	struct mp_engine engine;
	bool connecting;
	bool closing;
	void (*on_connected)(void *data, const struct moonpool_error *error);
	void *connect_data;
	void (*on_closed)(void *data);
	void *close_data;
	struct mp_task reap;       // after the session is closed
	struct mp_list statements; // of the program
	struct mp_list prepares;   // under way
	struct mp_list unsent;     // requests that are being filled
	struct mp_slab requests;
	// The result that is being read: there is one at a time.
	struct mp_cursor rows;
	uint32_t rows_left;
	bool has_row;
	struct mp_bytes *values; // of the current row
	uint32_t value_capacity;
};

struct moonpool_statement {
	struct moonpool_session *session;
	struct mp_prepared *prepared;
	struct mp_list_node node;
};

struct moonpool_request {
	struct moonpool_session *session; // first word: not kept by the slab
	struct mp_request *request;
	uint32_t next;      // parameter
	int rc;             // the first error of a bind
	struct mp_buf text; // of a query, and the paging state
	size_t cql_len;
	size_t state_len;
	void (*on_done)(void *data, const struct moonpool_result *result, const struct moonpool_error *error);
	void *data;
	struct mp_list_node node; // in unsent
};

// api_request.c, for the session's life.
void moonpool_requests_init(struct moonpool_session *session);
void moonpool_requests_deinit(struct moonpool_session *session);
