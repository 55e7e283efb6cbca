// SPDX-License-Identifier: Apache-2.0
// Errors that tell their story: what was tried, what each attempt met, and a headline made of the last of them.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cluster/request/batch.h"
#include "cluster/request/feature.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

const char *mp_error_code(const struct mp_error *error)
{
	return error->err == MP_ESERVER && error->server_code >= 0 ? mp_server_error_name(error->server_code)
	                                                           : mp_err_name(error->err);
}

void mp_error_vset(struct mp_error *error, int err, int32_t server_code, const char *format, va_list args)
{
	error->err = err;
	error->server_code = server_code;
	error->maybe_applied = false;
	error->host[0] = '\0';
	error->attempt_total = 0;
	error->attempt_count = 0;
	vsnprintf(error->message, sizeof(error->message), format, args);
}

void mp_error_set(struct mp_error *error, int err, int32_t server_code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	mp_error_vset(error, err, server_code, format, args);
	va_end(args);
}

// Cut where it must be, never inside a UTF-8 sequence, and without control characters.
static void copy_text(char *to, size_t size, struct mp_str text)
{
	size_t len = text.len < size - 1 ? text.len : size - 1;
	while (len > 0 && len < text.len && ((unsigned char)text.data[len] & 0xc0) == 0x80)
		len--;
	for (size_t i = 0; i < len; i++)
		to[i] = (unsigned char)text.data[i] < ' ' ? ' ' : text.data[i];
	to[len] = '\0';
}

void mp_error_add(struct mp_error *error, const char *host, int err, int32_t server_code, uint32_t ms,
                  struct mp_str message)
{
	if (error->attempt_count == MP_ATTEMPTS_KEPT) {
		memmove(error->attempts, error->attempts + 1, (MP_ATTEMPTS_KEPT - 1) * sizeof(error->attempts[0]));
		error->attempt_count--;
	}
	struct mp_error_attempt *attempt = &error->attempts[error->attempt_count++];
	error->attempt_total++;
	attempt->err = err;
	attempt->server_code = server_code;
	attempt->ms = ms;
	copy_text(attempt->host, sizeof(attempt->host), mp_str_of(host));
	copy_text(attempt->message, sizeof(attempt->message), message);
	memcpy(error->host, attempt->host, sizeof(error->host));
}

static size_t add(struct mp_error *error, size_t at, const char *format, ...) MP_PRINTF(3, 4);
static size_t add(struct mp_error *error, size_t at, const char *format, ...)
{
	if (at >= sizeof(error->message))
		return at;
	va_list args;
	va_start(args, format);
	int len = vsnprintf(error->message + at, sizeof(error->message) - at, format, args);
	va_end(args);
	return at + (len > 0 ? (size_t)len : 0);
}

static const char *attempt_name(const struct mp_error_attempt *attempt)
{
	return attempt->err == MP_ESERVER && attempt->server_code >= 0
	           ? mp_server_error_name(attempt->server_code)
	           : mp_err_text(attempt->err);
}

void mp_error_tell(struct mp_error *error, int err)
{
	error->err = err;
	if (error->attempt_count == 0)
		return;
	const struct mp_error_attempt *last = &error->attempts[error->attempt_count - 1];
	if (err == MP_ESERVER)
		error->server_code = last->server_code;
	char message[sizeof(last->message)];
	memcpy(message, last->message, sizeof(message));
	const char *name = attempt_name(last);
	size_t at = 0;
	if (err == MP_ENOHOST)
		at = add(error, at, "%s: ", mp_err_text(err));
	at = add(error, at, "%s: %s", last->host, name);
	if (message[0] != '\0' && strcmp(message, name) != 0)
		at = add(error, at, ": %s", message);
	if (error->attempt_total < 2)
		return;
	at = add(error, at, " (%u attempts", error->attempt_total);
	for (uint32_t i = 0; i + 1 < error->attempt_count && i < 3; i++)
		at = add(error, at, "%s %s: %s", i == 0 ? "; before:" : ",", error->attempts[i].host,
		         attempt_name(&error->attempts[i]));
	add(error, at, ")");
}

#define TOLD_HOSTS 3

void mp_request_tell_down(const struct mp_session *session, const struct mp_host *only, char *text,
                          size_t size)
{
	uint32_t down = 0;
	size_t at = 0;
	text[0] = '\0';
	for (uint32_t i = 0; i < session->hosts.live_count; i++) {
		const struct mp_host *host = session->hosts.live[i];
		bool meant = only == NULL ? host->distance != MP_DISTANCE_IGNORED : host == only;
		const char *hold = mp_host_hold_name(host->hold);
		if (!meant || (host->state == MP_HOST_UP && hold == NULL))
			continue;
		if (down++ < TOLD_HOSTS && at < size)
			at +=
				(size_t)snprintf(text + at, size - at, "%s%s: %.48s", down > 1 ? "; " : ": ", host->addr_text,
			                     hold != NULL          ? hold
			                     : host->down_err != 0 ? host->down_why
			                                           : "not reached yet");
	}
	if (down > TOLD_HOSTS && at < size)
		snprintf(text + at, size - at, "; and %u more", down - TOLD_HOSTS);
}

const char *mp_request_refusal(const struct mp_request *request, int rc, char text[MP_REFUSAL_TEXT])
{
	const struct mp_request_state *state = request->state;
	const struct mp_prepared *changed;
	switch (rc) {
	case MP_ENOHOST: return "no host of the plan is up any more";
	case MP_ECLOSED: return "the session was closed";
	case MP_EUNSUPPORTED: return mp_feature_say((enum mp_feature)state->lacks, state->lacks_in, text);
	case MP_ECHANGED:
		changed = request->batch != NULL ? mp_batch_changed(request->batch) : request->prepared;
		snprintf(text, MP_REFUSAL_TEXT,
		         "%s was changed on the server after its values were bound (%s): ask again",
		         request->batch != NULL ? "a statement of the batch" : "the statement",
		         changed == NULL           ? "by now it is as it was"
		         : changed->change != NULL ? changed->change
		                                   : "in its parameters");
		return text;
	default: return mp_err_text(rc);
	}
}

struct mp_error *mp_request_error(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	if (state->error == NULL) {
		state->error = mp_slab_take(&request->session->errors);
		if (state->error != NULL)
			mp_error_set(state->error, MP_OK, -1, "%s", "");
	}
	if (state->error != NULL)
		return state->error;
	mp_error_set(&request->session->last_resort, MP_ENOMEM, -1, "out of memory");
	return &request->session->last_resort;
}
