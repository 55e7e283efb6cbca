// SPDX-License-Identifier: Apache-2.0
// Whether a host does its work, asked by a query of the configuration now and then: a heartbeat only says that its
// network does. What is found out is for readers (getHealthStatus) and the log; routing has the circuit breaker.
#pragma once

#include "cluster/topology/query.h"

struct mp_host;

struct mp_probe {
	struct mp_query query; // waits while one is under way
	uint64_t sent, failed; // since the beginning
	uint32_t failures;     // in a row
	uint32_t took_us;      // the last one that was answered
	uint64_t at_ms;        // when the last one ended; 0: none did
	char why[128];         // the last one that failed
};

void mp_probe_init(struct mp_probe *probe, struct mp_loop *loop, struct mp_host *host);
void mp_probe_cancel(struct mp_probe *probe);
// Asks, if the host is up, has room, and is not being asked already. The text is copied.
void mp_probe_ask(struct mp_probe *probe, struct mp_host *host, const char *cql, uint32_t timeout_ms);
