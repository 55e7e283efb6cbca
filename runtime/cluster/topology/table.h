// SPDX-License-Identifier: Apache-2.0
// A system table that is asked for whole: the question, and a copy of the answer's rows, so that they can be read in
// steps after the answer is gone.
#pragma once

#include "cluster/topology/query.h"
#include "wire/message.h"

#define MP_TABLE_BYTES_MAX ((size_t)64 << 20) // of rows; what is behind is cut off

struct mp_table {
	struct mp_query query;
	const char *name; // "system.peers"
	void (*on_done)(void *owner, struct mp_table *table);
	void *owner;
	// When it is done: 0 and rows, or what is wrong.
	int rc;
	char why[128]; // "system.peers could not be read: ..."
	struct mp_result_body result;
	uint8_t *copy;
	bool is_cut; // the last row is not whole
};

void mp_table_init(struct mp_table *table, struct mp_loop *loop, const char *name,
                   void (*on_done)(void *owner, struct mp_table *table), void *owner);
// `patient`: an answer that is arriving may take longer than the timeout. 0: on_done comes later.
int mp_table_ask(struct mp_table *table, struct mp_conn *conn, const char *cql, uint32_t timeout_ms,
                 bool patient) MP_MUST_CHECK;
void mp_table_drop(struct mp_table *table); // cancels the question, forgets the answer
void mp_table_fail(struct mp_table *table, int rc, struct mp_str why);
