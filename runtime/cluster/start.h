// SPDX-License-Identifier: Apache-2.0
// When a session that connects has enough connections to begin with. Pools report one by one and some not at all, so it
// looks again and again: until every host in use has its core connections or has failed to open one (what warmup
// asks for) or, without warmup, one of them is up. A host that says nothing never holds up the others: it is left
// behind when it has been silent for much longer than they took.
#pragma once

#include "loop/loop.h"

struct mp_session;

struct mp_start {
	struct mp_session *session;
	struct mp_timer timer;
	uint64_t opened_ns;   // since then it looks
	uint64_t give_up_ns;  // when it fails without any host
	uint64_t complete_ns; // when every host that has answered had its connections; 0: not yet
};

void mp_start_init(struct mp_start *start, struct mp_session *session);
// The pools were opened. The session becomes open, or fails to connect, from the loop.
void mp_start_begin(struct mp_start *start);
void mp_start_stop(struct mp_start *start);
