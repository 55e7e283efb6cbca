// SPDX-License-Identifier: Apache-2.0
// A control socket of this process: the server (control.c, what Lua sees of it) and its clients
// (control_client.c). The other end is control_ask.c.
#pragma once

#include "base/list.h"
#include "base/log.h"
#include "script/runtime.h"

// Of an answer, without its end. A pool of 10,000 hosts tells about them in 4 MiB.
#define MP_CONTROL_ANSWER_MAX (16u << 20)

struct mp_control {
	struct mp_runtime *runtime;
	struct mp_runtime_guest guest;
	struct mp_listener *listener; // NULL: closed
	struct mp_list clients;
	uint32_t last_id;
	uint32_t answer_ms; // for the handler, and for an answer to be taken whole
	int handler;        // in the registry
	int self;           // the same: whoever listens is not collected
	int guard;          // the same: xpcall
	struct mp_log_gate complaints;
};

// For mp_loop_listen_local.
void mp_control_on_accept(void *data, struct mp_sock *sock);
// A client that waits for an answer, or NULL: it was answered, or has gone.
struct mp_control_client *mp_control_waiting(struct mp_control *control, uint32_t id);
// Text of any length, which may not be taken for long; an error when it is over MP_CONTROL_ANSWER_MAX.
void mp_control_answer(struct mp_control_client *client, const char *text, size_t len);
void mp_control_drop_clients(struct mp_control *control);
