// SPDX-License-Identifier: Apache-2.0
// The C API: statements, requests and their values. Requests come from a slab and values are encoded into the request's
// own buffer, so nothing is allocated once as many requests were in flight before.
#include "api_internal.h"
#include "base/mem.h"
#include "wire/message.h"

static struct mp_str text_of(const char *text, ptrdiff_t len)
{
	return len < 0 ? mp_str_of(text) : (struct mp_str){text, (size_t)len};
}

// ---- statements -------------------------------------------------------------------------------------------------

struct prepare {
	struct moonpool_session *session;
	struct mp_task task; // the statement was in the cache already
	struct mp_prepared *cached;
	void (*on_done)(void *data, struct moonpool_statement *statement, const struct moonpool_error *error);
	void *data;
};

static void prepared(void *data, struct mp_prepared *from, const struct mp_error *error)
{
	struct prepare *prepare = data;
	struct moonpool_statement *statement = from != NULL ? mp_calloc(1, sizeof(*statement)) : NULL;
	struct mp_error no_memory = {.err = MP_ENOMEM, .server_code = -1};
	if (statement != NULL) {
		statement->session = prepare->session;
		statement->prepared = mp_prepared_ref(from);
		mp_list_node_init(&statement->node);
		mp_list_push_back(&prepare->session->statements, &statement->node);
	} else if (error == NULL) {
		error = &no_memory;
	}
	struct prepare done = *prepare;
	mp_free(prepare);
	done.on_done(done.data, statement, (const struct moonpool_error *)error);
}

static void give_cached(void *data)
{
	struct prepare *prepare = data;
	struct mp_prepared *cached = prepare->cached;
	prepared(prepare, cached, NULL);
	mp_prepared_unref(cached);
}

int moonpool_prepare(struct moonpool_session *session, const char *cql, ptrdiff_t len,
                     void (*on_done)(void *data, struct moonpool_statement *statement,
                                     const struct moonpool_error *error),
                     void *data)
{
	if (session->closing)
		return MOONPOOL_CLOSED;
	if (cql == NULL || on_done == NULL)
		return MOONPOOL_INVALID_ARGUMENT;
	struct prepare *prepare = mp_calloc(1, sizeof(*prepare));
	if (prepare == NULL)
		return MOONPOOL_NO_MEMORY;
	prepare->session = session;
	prepare->on_done = on_done;
	prepare->data = data;
	struct mp_prepared *cached = NULL;
	int rc = mp_session_prepare(session->engine.session, text_of(cql, len), (struct mp_str){NULL, 0}, 0,
	                            &cached, prepared, prepare);
	if (rc != 0) {
		mp_free(prepare);
		return rc;
	}
	if (cached != NULL) {
		prepare->cached = mp_prepared_ref(cached);
		mp_task_init(&prepare->task, give_cached, prepare);
		mp_task_post(session->engine.loop, &prepare->task, MP_PHASE_RUN);
	}
	return 0;
}

void moonpool_statement_free(struct moonpool_statement *statement)
{
	if (statement == NULL)
		return;
	mp_list_remove(&statement->session->statements, &statement->node);
	mp_prepared_unref(statement->prepared);
	mp_free(statement);
}

uint32_t moonpool_statement_parameters(const struct moonpool_statement *statement)
{
	const struct mp_metadata *params = statement->prepared->params;
	return params != NULL ? params->column_count : 0;
}

// ---- requests ---------------------------------------------------------------------------------------------------

static void free_text(void *object)
{
	mp_buf_deinit(&((struct moonpool_request *)object)->text);
}

void moonpool_requests_init(struct moonpool_session *session)
{
	mp_list_init(&session->statements);
	mp_list_init(&session->unsent);
	mp_slab_init(&session->requests, sizeof(struct moonpool_request), NULL, free_text);
}

void moonpool_requests_deinit(struct moonpool_session *session)
{
	while (session->unsent.count > 0)
		moonpool_request_free(
			MP_CONTAINER_OF(mp_list_first(&session->unsent), struct moonpool_request, node));
	while (session->statements.count > 0)
		moonpool_statement_free(
			MP_CONTAINER_OF(mp_list_first(&session->statements), struct moonpool_statement, node));
	mp_slab_deinit(&session->requests);
}

static struct moonpool_request *take(struct moonpool_session *session)
{
	if (session->closing)
		return NULL;
	struct moonpool_request *request = mp_slab_take(&session->requests);
	if (request == NULL)
		return NULL;
	request->request = mp_request_take(session->engine.session);
	if (request->request == NULL) {
		mp_slab_give(&session->requests, request);
		return NULL;
	}
	request->session = session;
	request->next = 0;
	request->rc = 0;
	request->cql_len = request->state_len = 0;
	mp_buf_clear(&request->text);
	mp_list_node_init(&request->node);
	mp_list_push_back(&session->unsent, &request->node);
	return request;
}

struct moonpool_request *moonpool_request_new(struct moonpool_statement *statement)
{
	struct moonpool_request *request = take(statement->session);
	if (request != NULL)
		request->request->prepared = mp_prepared_ref(statement->prepared);
	return request;
}

struct moonpool_request *moonpool_request_new_query(struct moonpool_session *session, const char *cql,
                                                    ptrdiff_t len)
{
	struct moonpool_request *request = take(session);
	if (request == NULL)
		return NULL;
	struct mp_str text = text_of(cql, len);
	mp_buf_bytes(&request->text, text.data, text.len);
	request->cql_len = text.len;
	return request;
}

// Back to the slab; the core's request is given back by the caller.
static void drop(struct moonpool_request *request)
{
	mp_slab_give(&request->session->requests, request);
}

void moonpool_request_free(struct moonpool_request *request)
{
	if (request == NULL)
		return;
	mp_list_remove(&request->session->unsent, &request->node);
	mp_request_give(request->request);
	drop(request);
}

static struct mp_request_options *options_of(struct moonpool_request *request)
{
	return &request->request->options;
}

void moonpool_request_set_consistency(struct moonpool_request *request, enum moonpool_consistency value)
{
	options_of(request)->consistency = (uint16_t)value;
}

void moonpool_request_set_serial_consistency(struct moonpool_request *request,
                                             enum moonpool_consistency value)
{
	options_of(request)->serial_consistency = (uint16_t)value;
}

void moonpool_request_set_timeout(struct moonpool_request *request, uint32_t ms)
{
	options_of(request)->timeout_ms = ms;
}

void moonpool_request_set_idempotent(struct moonpool_request *request, bool value)
{
	options_of(request)->idempotent = value;
}

void moonpool_request_set_page_size(struct moonpool_request *request, int32_t rows)
{
	options_of(request)->page_size = rows;
}

int moonpool_request_set_paging_state(struct moonpool_request *request, const void *bytes, size_t len)
{
	if (request->state_len > 0 || len > INT32_MAX)
		return MOONPOOL_INVALID_ARGUMENT;
	mp_buf_bytes(&request->text, bytes, len);
	request->state_len = len;
	return mp_buf_status(&request->text);
}

void moonpool_request_set_timestamp(struct moonpool_request *request, int64_t us)
{
	options_of(request)->has_timestamp = true;
	options_of(request)->timestamp_us = us;
}

// ---- execute ----------------------------------------------------------------------------------------------------

// Room for one row's values. 0 or MP_ENOMEM.
static int reserve_values(struct moonpool_session *session, uint32_t count)
{
	if (MP_LIKELY(count <= session->value_capacity))
		return 0;
	struct mp_bytes *values = mp_realloc(session->values, count * sizeof(*values));
	if (values == NULL)
		return MP_ENOMEM;
	session->values = values;
	session->value_capacity = count;
	return 0;
}

// Large, so not made anew for each answer.
static const struct mp_error no_memory = {.err = MP_ENOMEM, .server_code = -1};

static void on_done(struct mp_request *from, const struct mp_outcome *outcome)
{
	struct moonpool_request *request = from->data[0];
	struct moonpool_session *session = request->session;
	struct moonpool_result result = {session, outcome};
	const struct mp_error *error = outcome->error;
	session->has_row = false;
	session->rows_left = 0;
	if (error == NULL && outcome->result->kind == MP_RESULT_ROWS) {
		session->rows = outcome->result->rows;
		session->rows_left = outcome->result->row_count;
		if (reserve_values(session, outcome->result->column_count) != 0)
			error = &no_memory;
	}
	request->on_done(request->data, error == NULL ? &result : NULL, (const struct moonpool_error *)error);
	mp_request_give(from);
	drop(request);
}

int moonpool_execute(struct moonpool_request *request,
                     void (*on_answer)(void *data, const struct moonpool_result *result,
                                       const struct moonpool_error *error),
                     void *data)
{
	struct mp_request *to = request->request;
	mp_assert(on_answer != NULL);
	mp_list_remove(&request->session->unsent, &request->node);
	request->on_done = on_answer;
	request->data = data;
	to->data[0] = request;
	to->on_done = on_done;
	to->value_count = request->next;
	int rc = request->rc != 0 ? request->rc : mp_buf_status(&request->text);
	if (rc == 0)
		rc = mp_buf_status(&to->values);
	const uint8_t *text = request->text.data;
	if (request->cql_len > 0)
		to->cql = (struct mp_str){(const char *)text, request->cql_len};
	if (request->state_len > 0)
		to->paging_state = (struct mp_bytes){text + request->cql_len, (int32_t)request->state_len};
	if (rc == 0 && to->prepared != NULL && to->prepared->params != NULL &&
	    request->next < to->prepared->params->column_count)
		rc = MOONPOOL_INVALID_ARGUMENT;
	if (rc == 0)
		rc = mp_request_submit(to);
	if (rc != 0) {
		mp_request_give(to);
		drop(request);
	}
	return rc;
}
