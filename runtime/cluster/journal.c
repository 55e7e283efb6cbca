// SPDX-License-Identifier: Apache-2.0
#include "cluster/journal.h"

#include <stdio.h>

#include "cluster/outline.h"
#include "cluster/request/batch.h"
#include "cluster/session_internal.h"

static void describe(const struct mp_request *request, char text[MP_OUTLINE_MAX])
{
	if (request->batch != NULL)
		snprintf(text, MP_OUTLINE_MAX, "BATCH of %u statements", request->batch->count);
	else
		mp_outline(request->prepared != NULL ? request->prepared->cql : request->cql, text);
}

static void failed(const struct mp_session *session, const char *statement, const struct mp_outcome *outcome)
{
	const struct mp_error *error = outcome->error;
	const char *code = mp_error_code(error);
	double ms = (double)outcome->latency_ns / 1e6;
	const char *applied = error->maybe_applied ? "yes" : "no";
	struct mp_log_field fields[] = {
		{.name = "statement", .text = statement},
		{.name = "code", .text = code},
		{.name = "host", .text = error->host},
		{.name = "ms", .number = ms},
		{.name = "attempts", .number = outcome->attempts},
		{.name = "maybeApplied", .text = applied},
	};
	mp_log_fact(&session->log, MP_LOG_WARN, "requestFailed", fields, MP_ARRAY_LEN(fields),
	            "request failed: %s after %.1f ms, %u attempts%s%s%s: %s", code, ms, outcome->attempts,
	            error->host[0] != '\0' ? ", the last at " : "", error->host,
	            error->maybe_applied ? ", it may have been applied" : "", statement);
}

static void answered(const struct mp_session *session, const char *statement,
                     const struct mp_outcome *outcome, bool slow)
{
	const char *host = outcome->host != NULL ? outcome->host->addr_text : "";
	double ms = (double)outcome->latency_ns / 1e6;
	struct mp_log_field fields[] = {
		{.name = "statement", .text = statement},
		{.name = "host", .text = host},
		{.name = "ms", .number = ms},
		{.name = "attempts", .number = outcome->attempts},
	};
	mp_log_fact(&session->log, slow ? MP_LOG_WARN : MP_LOG_INFO, slow ? "slowRequest" : "request", fields,
	            MP_ARRAY_LEN(fields), "%s: %.1f ms, %u attempts, %s: %s", slow ? "slow request" : "request",
	            ms, outcome->attempts, host, statement);
}

void mp_journal_ended(const struct mp_request *request, const struct mp_outcome *outcome)
{
	const struct mp_session *session = request->session;
	const struct mp_log *log = &session->log;
	char statement[MP_OUTLINE_MAX];
	bool is_slow = mp_log_wants(log, MP_LOG_WARN, MP_LOG_SLOW) && session->config.log_slow_ms > 0 &&
	               outcome->latency_ns / 1000000 >= session->config.log_slow_ms;
	bool is_error = outcome->error != NULL;
	bool all = (log->wanted & MP_LOG_REQUESTS) != 0;
	if (log->level == MP_LOG_OFF || !(all || is_slow || (is_error && (log->wanted & MP_LOG_ERRORS) != 0)))
		return;
	describe(request, statement);
	if (is_error)
		failed(session, statement, outcome);
	else
		answered(session, statement, outcome, is_slow);
}

void mp_journal_refused(const struct mp_request *request, int rc)
{
	const struct mp_session *session = request->session;
	char statement[MP_OUTLINE_MAX];
	if (session->log.level == MP_LOG_OFF || (session->log.wanted & (MP_LOG_ERRORS | MP_LOG_REQUESTS)) == 0)
		return;
	describe(request, statement);
	const struct mp_log_field fields[] = {
		{.name = "statement", .text = statement},
		{.name = "code", .text = mp_err_name(rc)},
	};
	mp_log_fact(&session->log, MP_LOG_WARN, "requestRefused", fields, MP_ARRAY_LEN(fields),
	            "request refused: %s: %s", mp_err_name(rc), statement);
}
