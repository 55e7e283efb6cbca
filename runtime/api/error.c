// SPDX-License-Identifier: Apache-2.0
// The C API: errors. No error, and one that is used after its callback, are errors of their own.
#include "api/internal.h"

static const struct mp_error no_error = {.err = 0, .server_code = -1};
static const struct mp_error stale = {
	.err = MOONPOOL_INVALID_ARGUMENT,
	.server_code = -1,
	.maybe_applied = true,
	.message = "the error is used after its callback",
};

static const struct mp_error *error_of(const struct moonpool_error *handle, const char *function)
{
	if (handle == NULL)
		return &no_error;
	const struct mp_api_answer *answer =
		mp_api_object(handle, MP_API_ANSWER, MOONPOOL_INVALID_ARGUMENT, function);
	return answer != NULL && answer->error != NULL ? answer->error : &stale;
}

int moonpool_error_code(const struct moonpool_error *error)
{
	return error_of(error, __func__)->err;
}

const char *moonpool_error_name(const struct moonpool_error *error)
{
	return mp_error_code(error_of(error, __func__));
}

int32_t moonpool_error_server_code(const struct moonpool_error *error)
{
	return error_of(error, __func__)->server_code;
}

const char *moonpool_error_message(const struct moonpool_error *handle)
{
	const struct mp_error *error = error_of(handle, __func__);
	return error->message[0] != '\0' ? error->message : mp_err_text(error->err);
}

const char *moonpool_error_host(const struct moonpool_error *error)
{
	return error_of(error, __func__)->host;
}

bool moonpool_error_maybe_applied(const struct moonpool_error *error)
{
	return error_of(error, __func__)->maybe_applied;
}

uint32_t moonpool_error_attempts(const struct moonpool_error *error)
{
	return error_of(error, __func__)->attempt_count;
}

int moonpool_error_attempt(const struct moonpool_error *handle, uint32_t i, const char **host,
                           const char **message, uint32_t *ms)
{
	const struct mp_error *error = error_of(handle, __func__);
	if (i >= error->attempt_count)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "there are fewer attempts");
	const struct mp_error_attempt *attempt = &error->attempts[i];
	if (host != NULL)
		*host = attempt->host;
	if (message != NULL)
		*message = attempt->message;
	if (ms != NULL)
		*ms = attempt->ms;
	return 0;
}

const char *moonpool_error_attempt_name(const struct moonpool_error *handle, uint32_t i)
{
	const struct mp_error *error = error_of(handle, __func__);
	if (i >= error->attempt_count) {
		mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "there are fewer attempts");
		return NULL;
	}
	const struct mp_error of = {
		.err = error->attempts[i].err,
		.server_code = error->attempts[i].server_code,
	};
	return mp_error_code(&of); // which is no part of it
}
