// SPDX-License-Identifier: Apache-2.0
// The C API: what a request says beside its statement and values. A value that is refused spoils the request; nothing
// here looks at the network or asks for memory, but for texts that are copied.
#include <string.h>

#include "api/internal.h"
#include "cluster/profile.h"

// NULL: it may have rows.
static const char *has_no_rows(const struct mp_api_request *request)
{
	return request->request->batch != NULL ? "a batch has no rows" : NULL;
}

static bool is_serial(enum moonpool_consistency value)
{
	return value == MOONPOOL_SERIAL || value == MOONPOOL_LOCAL_SERIAL;
}

int moonpool_request_set_consistency(struct moonpool_request *handle, enum moonpool_consistency value)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	if ((int)value < MOONPOOL_ANY || (int)value > MOONPOOL_LOCAL_ONE)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT,
		                    "a value of enum moonpool_consistency expected");
	request->request->options.consistency = (uint16_t)value;
	return 0;
}

int moonpool_request_set_serial_consistency(struct moonpool_request *handle, enum moonpool_consistency value)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	if (!is_serial(value))
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT,
		                    "MOONPOOL_SERIAL or MOONPOOL_LOCAL_SERIAL expected");
	request->request->options.serial_consistency = (uint16_t)value;
	return 0;
}

int moonpool_request_set_timeout(struct moonpool_request *handle, uint32_t ms)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	request->request->options.timeout_ms = ms;
	return 0;
}

int moonpool_request_set_idempotent(struct moonpool_request *handle, bool value)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	request->request->options.idempotent = value;
	return 0;
}

int moonpool_request_set_page_size(struct moonpool_request *handle, int32_t rows)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	if (has_no_rows(request) != NULL)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, has_no_rows(request));
	if (rows < 0)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT,
		                    "a number of rows of 0 (all) or more expected");
	request->request->options.page_size = rows;
	return 0;
}

int moonpool_request_set_paging_state(struct moonpool_request *handle, const void *bytes, size_t len)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	if (has_no_rows(request) != NULL)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, has_no_rows(request));
	if (bytes == NULL && len > 0)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, "the bytes are NULL");
	if (request->state_len > 0)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT,
		                    "the request has a paging state already");
	if (len > INT32_MAX)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT,
		                    "a paging state of more than 2 GiB");
	request->state_at = request->text.len;
	mp_buf_bytes(&request->text, bytes, len);
	request->state_len = len;
	int rc = mp_buf_status(&request->text);
	return rc == 0 ? 0 : mp_api_spoil(request, __func__, rc, NULL);
}

int moonpool_request_set_profile(struct moonpool_request *handle, const char *name)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	if (name == NULL)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, "the name is NULL");
	struct mp_session *session = request->session->engine.session;
	const struct mp_profile *profile = name[0] != '\0' ? mp_profile_find(session, mp_str_of(name)) : NULL;
	if (profile == NULL)
		return mp_api_refuse(__func__, MOONPOOL_NOT_FOUND, "the configuration has no such profile");
	mp_profile_apply(profile, session, 0, &request->request->options);
	return 0;
}

int moonpool_request_set_timestamp(struct moonpool_request *handle, int64_t us)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	if (us == INT64_MIN)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT,
		                    "INT64_MIN is no time: servers take it for none");
	request->request->options.has_timestamp = true;
	request->request->options.timestamp_us = us;
	return 0;
}

// ---- where it goes ----------------------------------------------------------------------------------------

int moonpool_request_set_host(struct moonpool_request *handle, const char *address)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	if (address == NULL)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, "the address is NULL");
	const struct mp_host *host = mp_session_host_find(request->session->engine.session, address);
	if (host == NULL)
		return mp_api_spoil(request, __func__, MOONPOOL_NOT_FOUND, "the cluster has no such host");
	request->request->options.pinned_host = host->index;
	return 0;
}

int moonpool_request_set_routing_key(struct moonpool_request *handle, const void *bytes, size_t len)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	if (bytes == NULL || len == 0)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, "a key of a byte or more expected");
	if (len > INT32_MAX)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, "a key of more than 2 GiB");
	mp_request_options_route(&request->request->options, (struct mp_str){bytes, len});
	return 0;
}

int moonpool_request_set_tag(struct moonpool_request *handle, const char *tag)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	if (tag == NULL)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, "the tag is NULL");
	struct mp_session *session = request->session->engine.session;
	request->request->options.tag = mp_session_tag_id(session, mp_str_of(tag));
	return 0;
}

int moonpool_request_set_keyspace(struct moonpool_request *handle, const char *name)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	size_t len = name != NULL ? strlen(name) : 0;
	if (request->request->prepared != NULL)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT,
		                    "a prepared statement has its keyspace: moonpool_prepare_in() takes one");
	if (len == 0 || len > UINT16_MAX)
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT,
		                    "the name of a keyspace expected, of 65,535 bytes at most");
	request->keyspace_at = request->text.len;
	mp_buf_bytes(&request->text, name, len);
	request->keyspace_len = len;
	int rc = mp_buf_status(&request->text);
	return rc == 0 ? 0 : mp_api_spoil(request, __func__, rc, NULL);
}

int moonpool_request_add_payload(struct moonpool_request *handle, const char *name, const void *bytes,
                                 size_t len)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	if (name == NULL || (bytes == NULL && len > 0))
		return mp_api_spoil(request, __func__, MOONPOOL_INVALID_ARGUMENT, "the name or the bytes are NULL");
	int rc = mp_request_add_payload(request->request, mp_str_of(name), (struct mp_str){bytes, len});
	return rc == 0
	           ? 0
	           : mp_api_spoil(request, __func__, rc,
	                          rc == MP_EINVAL ? "at most 65,535 entries, with names of at most 65,535 bytes"
	                                          : NULL);
}

int moonpool_request_set_trace(struct moonpool_request *handle, bool value)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL)
		return moonpool_last_code();
	request->request->options.trace = value;
	return 0;
}
