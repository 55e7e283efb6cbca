// SPDX-License-Identifier: Apache-2.0
#include "cluster/topology/probe.h"

#include <stdio.h>

#include "cluster/topology/cluster.h"
#include "wire/message.h"

// The first of a row of failures is logged, and the end of the row.
static void failed(struct mp_host *host, const char *why)
{
	struct mp_probe *probe = &host->probe;
	probe->failed++;
	snprintf(probe->why, sizeof(probe->why), "%s", why);
	if (probe->failures++ == 0)
		mp_log_write(host->cluster->log, MP_LOG_WARN, "%s fails its health check: %s", host->addr_text, why);
}

static void answered(struct mp_host *host)
{
	struct mp_probe *probe = &host->probe;
	probe->took_us = (uint32_t)((mp_loop_now_ns(host->cluster->loop) - probe->query.sent_ns) / 1000);
	if (probe->failures > 0)
		mp_log_write(host->cluster->log, MP_LOG_INFO, "%s passes its health check again, after %u failures",
		             host->addr_text, probe->failures);
	probe->failures = 0;
}

// The server's sentence may quote the query, which is the user's own: its name is enough.
static void read_error(struct mp_host *host, const struct mp_envelope *answer,
                       struct mp_response_prefix *prefix)
{
	struct mp_error_body error;
	bool is_read = mp_decode_error(prefix->body, answer->version, &error) == 0;
	failed(host, is_read ? mp_server_error_name(error.code) : "an answer that cannot be read");
}

static void on_done(void *data, int rc, const struct mp_envelope *answer)
{
	struct mp_host *host = data;
	struct mp_response_prefix prefix;
	char text[64];
	host->probe.at_ms = mp_loop_now_ms(host->cluster->loop);
	if (rc == MP_ETIMEOUT) {
		snprintf(text, sizeof(text), "no answer within %u ms", host->probe.query.timeout_ms);
		failed(host, text);
	} else if (rc != 0) {
		if (host->state == MP_HOST_UP) // or its connections end because it is left
			failed(host, mp_err_text(rc));
	} else if (mp_decode_prefix(answer, &prefix) != 0) {
		failed(host, "an answer that cannot be read");
	} else if (answer->opcode == MP_OP_ERROR) {
		read_error(host, answer, &prefix);
	} else {
		answered(host);
	}
}

void mp_probe_init(struct mp_probe *probe, struct mp_loop *loop, struct mp_host *host)
{
	mp_query_init(&probe->query, loop, on_done, host);
}

void mp_probe_cancel(struct mp_probe *probe)
{
	mp_query_cancel(&probe->query);
}

void mp_probe_ask(struct mp_probe *probe, struct mp_host *host, const char *cql, uint32_t timeout_ms)
{
	if (probe->query.waits || host->state != MP_HOST_UP)
		return;
	struct mp_conn *conn = mp_pool_take(&host->pool);
	if (conn != NULL && mp_query_send_cql(&probe->query, conn, cql, timeout_ms) == 0)
		probe->sent++;
}
