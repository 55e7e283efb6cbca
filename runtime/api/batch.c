// SPDX-License-Identifier: Apache-2.0
// The C API: batches. A batch is a request that takes others over, one by one; what could not be executed alone spoils
// it.
#include "cluster/request/batch.h"
#include "api/internal.h"

struct moonpool_request *moonpool_batch_new(struct moonpool_session *handle, enum moonpool_batch_type type)
{
	struct mp_api_session *session = mp_api_open_session(handle, __func__);
	if (session == NULL)
		return NULL;
	if ((int)type < MOONPOOL_BATCH_LOGGED || (int)type > MOONPOOL_BATCH_COUNTER) {
		mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "a value of enum moonpool_batch_type expected");
		return NULL;
	}
	struct mp_api_request *batch = mp_api_request_make(session);
	if (batch == NULL || mp_request_batch(batch->request, (enum mp_batch_type)type) != 0) {
		if (batch != NULL)
			mp_api_request_drop(batch);
		mp_api_refuse(__func__, MOONPOOL_NO_MEMORY, NULL);
		return NULL;
	}
	return mp_api_handle(batch);
}

// What keeps it out of the batch; NULL: nothing.
static const char *unfit(const struct mp_api_request *batch, const struct mp_api_request *member)
{
	if (batch->request->batch == NULL)
		return "the first request is no batch";
	if (member->request->batch != NULL)
		return "a batch in a batch";
	if (member->session != batch->session)
		return "the request is one of another session";
	return member->state_len > 0 ? "a request with a paging state" : NULL;
}

static int add(struct mp_api_request *batch, struct mp_api_request *member, const char *function)
{
	const char *why = unfit(batch, member);
	if (why != NULL)
		return mp_api_spoil(batch, function, MOONPOOL_INVALID_ARGUMENT, why);
	int rc = mp_api_request_ready(member, function);
	if (rc != 0)
		return mp_api_spoil_silently(batch, rc);
	rc = mp_batch_add(batch->request, member->request);
	return rc == 0 ? 0
	               : mp_api_spoil(batch, function, rc,
	                              rc == MOONPOOL_TOO_BIG ? "a batch has 65535 statements at most" : NULL);
}

// What was to be added to no batch is gone all the same. The code that was noted.
static int lose(const struct moonpool_request *statement, const char *function)
{
	int rc = moonpool_last_code();
	struct mp_api_request *member = mp_api_good(statement, MP_API_REQUEST);
	if (member == NULL)
		return rc;
	if (!mp_api_may(member->session->loop, function))
		return moonpool_last_code();
	mp_api_request_drop(member);
	return rc;
}

int moonpool_batch_add(struct moonpool_request *handle, struct moonpool_request *statement)
{
	struct mp_api_request *batch = mp_api_request_of(handle, __func__);
	if (batch == NULL)
		return lose(statement, __func__);
	if (!mp_api_may(batch->session->loop, __func__))
		return moonpool_last_code();
	struct mp_api_request *member = mp_api_request_of(statement, __func__);
	if (member == NULL)
		return mp_api_spoil_silently(batch, moonpool_last_code());
	if (member == batch)
		return mp_api_spoil(batch, __func__, MOONPOOL_INVALID_ARGUMENT, "a batch in a batch");
	int rc = add(batch, member, __func__);
	mp_api_request_drop(member);
	return rc;
}

uint32_t moonpool_batch_count(const struct moonpool_request *handle)
{
	const struct mp_api_request *batch = mp_api_request_of(handle, __func__);
	return batch != NULL && batch->request->batch != NULL ? batch->request->batch->count : 0;
}
