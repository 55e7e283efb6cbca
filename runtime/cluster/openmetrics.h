// SPDX-License-Identifier: Apache-2.0
// What sessions have counted, as OpenMetrics 1.0 text: every figure of counters.h, and per host what its attempts took.
// One text for all sessions of a process, because the samples of a family stand together; the label `pool` tells them
// apart. The names begin with moonpool_.
//
// Bounded: a session with more hosts than MP_OPENMETRICS_HOSTS has the rest as one, host="other". Labels are numbers of
// pools, addresses of hosts and names of datacentres, nothing that requests bring.
#pragma once

#include "base/buf.h"
#include "cluster/session.h"

#define MP_OPENMETRICS_TYPE  "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define MP_OPENMETRICS_HOSTS 128

struct mp_openmetrics_pool {
	const struct mp_session *session;
	uint32_t number;
};

// Appends the whole text. mp_buf_status(out) says whether there was memory for it.
void mp_openmetrics_write(struct mp_buf *out, const struct mp_openmetrics_pool *pools, size_t count);
