// SPDX-License-Identifier: Apache-2.0
// The C API: requests. Their objects stand by at the loop and values are encoded into the request's own buffer, so
// nothing is allocated once as many requests were in flight before. From execute on the object's handle is void: the
// request is the library's until its callback has returned.
#include <string.h>

#include "api/internal.h"
#include "cluster/request/batch.h"
#include "wire/message.h"

static const char makes_executed[] = "moonpool_request_new";

// ---- life -------------------------------------------------------------------------------------------------

static struct mp_api_request *take(struct mp_api_loop *loop)
{
	struct mp_api_object *object = loop->requests;
	if (MP_UNLIKELY(object == NULL))
		return mp_api_take(MP_API_REQUEST, sizeof(struct mp_api_request));
	loop->requests = object->next;
	mp_api_reuse(object);
	return (struct mp_api_request *)object;
}

// Its handle was voided before.
static void keep(struct mp_api_loop *loop, struct mp_api_request *request)
{
	request->object.next = loop->requests;
	loop->requests = &request->object;
}

struct mp_api_request *mp_api_request_make(struct mp_api_session *session)
{
	struct mp_api_request *request = take(session->loop);
	if (request == NULL)
		return NULL;
	request->request = mp_request_take(session->engine.session);
	if (request->request == NULL) {
		mp_api_retire(request);
		keep(session->loop, request);
		return NULL;
	}
	request->session = session;
	mp_list_node_init(&request->node);
	request->next = 0;
	request->rc = 0;
	request->cql_len = request->state_len = request->keyspace_len = 0;
	request->misfit = MP_API_FITS;
	request->sent_by = 0;
	mp_buf_clear(&request->text);
	if (MP_UNLIKELY(session->newest != NULL))
		mp_list_push_back(&session->unsent, &session->newest->node);
	session->newest = request;
	return request;
}

struct moonpool_request *moonpool_request_new(struct moonpool_statement *handle)
{
	struct mp_api_statement *statement = mp_api_statement_of(handle, makes_executed);
	if (statement == NULL)
		return NULL;
	if (MP_UNLIKELY(statement->session->closing)) {
		mp_api_refuse(makes_executed, MOONPOOL_CLOSED, "the session is being closed");
		return NULL;
	}
	struct mp_api_request *request = mp_api_request_make(statement->session);
	if (request == NULL) {
		mp_api_refuse(makes_executed, MOONPOOL_NO_MEMORY, NULL);
		return NULL;
	}
	mp_request_use(request->request, statement->prepared);
	if (MP_UNLIKELY(statement->has_defaults))
		mp_api_statement_default(statement, request);
	return mp_api_handle(request);
}

static struct moonpool_request *new_query(struct moonpool_session *handle, const char *cql, ptrdiff_t len,
                                          const char *function)
{
	struct mp_api_session *session = mp_api_open_session(handle, function);
	struct mp_str text;
	if (session == NULL || mp_api_text(cql, len, &text, function) != 0)
		return NULL;
	if (text.len == 0) {
		mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the text is empty");
		return NULL;
	}
	struct mp_api_request *request = mp_api_request_make(session);
	if (request == NULL) {
		mp_api_refuse(function, MOONPOOL_NO_MEMORY, NULL);
		return NULL;
	}
	mp_buf_bytes(&request->text, text.data, text.len);
	request->cql_len = text.len;
	return mp_api_handle(request);
}

struct moonpool_request *moonpool_request_new_query(struct moonpool_session *handle, const char *cql,
                                                    ptrdiff_t len)
{
	return new_query(handle, cql, len, __func__);
}

// What is asked for, and a name as a text of CQL.
static void put_condition(struct mp_buf *out, const char *what, const char *name)
{
	mp_buf_bytes(out, what, strlen(what));
	mp_buf_u8(out, '\'');
	for (const char *at = name; *at != '\0'; at++) {
		if (*at == '\'')
			mp_buf_u8(out, '\'');
		mp_buf_u8(out, (uint8_t)*at);
	}
	mp_buf_u8(out, '\'');
}

static struct moonpool_request *ask_schema(struct moonpool_session *handle, const char *all,
                                           const char *keyspace, const char *table, const char *function)
{
	struct mp_buf text;
	mp_buf_init(&text);
	mp_buf_bytes(&text, all, strlen(all));
	if (keyspace != NULL)
		put_condition(&text, " WHERE keyspace_name = ", keyspace);
	if (keyspace != NULL && table != NULL)
		put_condition(&text, " AND table_name = ", table);
	struct moonpool_request *request = NULL;
	if (mp_buf_status(&text) == 0)
		request = new_query(handle, (const char *)text.data, (ptrdiff_t)text.len, function);
	else
		mp_api_refuse(function, MOONPOOL_NO_MEMORY, NULL);
	mp_buf_deinit(&text);
	return request;
}

struct moonpool_request *moonpool_request_new_schema(struct moonpool_session *handle, const char *keyspace,
                                                     const char *table)
{
	static const char all[] = "SELECT keyspace_name, table_name, column_name, kind, position, type, "
							  "clustering_order FROM system_schema.columns";
	if (keyspace == NULL && table != NULL && mp_api_session_of(handle, __func__) != NULL) {
		mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "a table of no keyspace");
		return NULL;
	}
	return ask_schema(handle, all, keyspace, table, __func__);
}

struct moonpool_request *moonpool_request_new_schema_part(struct moonpool_session *handle,
                                                          enum moonpool_schema_part part,
                                                          const char *keyspace)
{
	static const char *const all[] = {
		[MOONPOOL_SCHEMA_KEYSPACES] = "SELECT * FROM system_schema.keyspaces",
		[MOONPOOL_SCHEMA_TABLES] = "SELECT * FROM system_schema.tables",
		[MOONPOOL_SCHEMA_VIEWS] = "SELECT * FROM system_schema.views",
		[MOONPOOL_SCHEMA_TYPES] = "SELECT * FROM system_schema.types",
		[MOONPOOL_SCHEMA_INDEXES] = "SELECT * FROM system_schema.indexes",
		[MOONPOOL_SCHEMA_FUNCTIONS] = "SELECT * FROM system_schema.functions",
		[MOONPOOL_SCHEMA_AGGREGATES] = "SELECT * FROM system_schema.aggregates",
	};
	if ((size_t)part >= MP_ARRAY_LEN(all)) {
		mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "a value of enum moonpool_schema_part expected");
		return NULL;
	}
	return ask_schema(handle, all[part], keyspace, NULL, __func__);
}

// Out of the program's hands.
static void withdraw(struct mp_api_request *request)
{
	struct mp_api_session *session = request->session;
	if (MP_LIKELY(session->newest == request))
		session->newest = NULL;
	else
		mp_list_remove(&session->unsent, &request->node);
	mp_api_retire(request);
}

static void give_back(struct mp_api_request *request)
{
	mp_request_give(request->request);
	if (MP_UNLIKELY(request->held != NULL))
		mp_api_nest_drop(request);
	keep(request->session->loop, request);
}

void mp_api_request_drop(struct mp_api_request *request)
{
	withdraw(request);
	give_back(request);
}

void mp_api_requests_drop(struct mp_api_session *session)
{
	if (session->newest != NULL)
		mp_api_request_drop(session->newest);
	while (session->unsent.count > 0)
		mp_api_request_drop(MP_CONTAINER_OF(mp_list_first(&session->unsent), struct mp_api_request, node));
}

struct mp_api_request *mp_api_no_request(const struct moonpool_request *handle, const char *function)
{
	if (handle != NULL || !mp_api_failed_in(makes_executed))
		mp_api_explain(handle, MP_API_REQUEST, MOONPOOL_INVALID_ARGUMENT, function);
	return NULL;
}

int moonpool_request_free(struct moonpool_request *handle)
{
	if (handle == NULL)
		return 0;
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL || !mp_api_may(request->session->loop, __func__))
		return moonpool_last_code();
	mp_api_request_drop(request);
	return 0;
}

// ---- what spoils them -------------------------------------------------------------------------------------

int mp_api_spoil(struct mp_api_request *request, const char *function, int code, const char *why)
{
	if (request->rc == 0)
		request->rc = code;
	return code == MOONPOOL_INVALID_ARGUMENT ? mp_api_mistake(function, code, why)
	                                         : mp_api_refuse(function, code, why);
}

int mp_api_spoil_silently(struct mp_api_request *request, int code)
{
	if (request->rc == 0)
		request->rc = code;
	return code;
}

// ---- execute ----------------------------------------------------------------------------------------------

void mp_api_on_answer(struct mp_request *from, const struct mp_outcome *outcome)
{
	struct mp_api_request *request = from->data[0];
	struct mp_api_loop *loop = request->session->loop;
	if (!mp_api_enter(loop))
		return;
	request->sent_by = 0;
	mp_api_answer_begin(loop, outcome, outcome->error);
	const struct moonpool_error *error = mp_api_error(loop);
	request->on_done(request->data, mp_api_result(loop), error);
	mp_api_answer_end(loop);
	mp_api_leave(loop);
	give_back(request);
}

void mp_api_on_answer_timed(struct mp_request *from, const struct mp_outcome *outcome)
{
	const struct mp_api_request *request = from->data[0];
	struct mp_api_loop *loop = request->session->loop;
	void *data = request->data;
	uint64_t since_ns = mp_api_clock(loop);
	mp_api_on_answer(from, outcome);
	mp_api_note_slow(loop, since_ns, "answer", data);
}

static const char *why_not(int rc)
{
	return rc == MP_ECLOSED ? "the session is not connected" : NULL;
}

// Its texts, by now where they stay. 0 or MP_ENOMEM.
static int use_text(struct mp_api_request *request)
{
	struct mp_request *to = request->request;
	const uint8_t *text = request->text.data;
	if (request->cql_len > 0)
		to->cql = (struct mp_str){(const char *)text, request->cql_len};
	if (request->state_len > 0)
		to->paging_state = (struct mp_bytes){text + request->state_at, (int32_t)request->state_len};
	if (request->keyspace_len > 0)
		to->keyspace = (struct mp_str){(const char *)text + request->keyspace_at, request->keyspace_len};
	return mp_buf_status(&request->text);
}

// Why a request whose first error is `rc` cannot be sent.
static MP_COLD int refuse_to_send(struct mp_api_request *request, const char *function, int rc)
{
	struct mp_prepared *prepared = request->request->prepared;
	if (request->rc == MOONPOOL_TYPE_MISMATCH && prepared != NULL)
		mp_prepared_misfit(prepared);
	return mp_api_refuse(function, rc,
	                     request->rc != 0 ? "a value or an option of the request was refused" : NULL);
}

static const char not_every[] = "not every parameter has a value";

int mp_api_request_ready(struct mp_api_request *request, const char *function)
{
	struct mp_request *to = request->request;
	const struct mp_prepared *prepared = to->prepared;
	to->value_count = request->next;
	int rc = request->rc;
	if (rc == 0 && (request->cql_len | request->state_len | request->keyspace_len) != 0) {
		if (mp_api_query_lacks_values(request))
			return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, not_every);
		rc = use_text(request);
	}
	if (rc == 0)
		rc = mp_buf_status(&to->values);
	if (MP_UNLIKELY(rc != 0))
		return refuse_to_send(request, function, rc);
	if (MP_UNLIKELY(request->depth > 0))
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT,
		                      "a value was begun and not ended: moonpool_bind_end() ends it");
	// Parameters that are others by now are told when it is submitted.
	if (prepared != NULL && prepared->params != NULL && request->next < prepared->params->column_count &&
	    to->generation == prepared->generation)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, not_every);
	if (MP_UNLIKELY(to->batch != NULL && to->batch->count == 0))
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the batch has no statements");
	return 0;
}

int moonpool_execute(struct moonpool_request *handle,
                     void (*on_answer)(void *data, const struct moonpool_result *result,
                                       const struct moonpool_error *error),
                     void *data)
{
	struct mp_api_request *request = mp_api_request_of(handle, __func__);
	if (request == NULL || !mp_api_may(request->session->loop, __func__))
		return moonpool_last_code();
	struct mp_request *to = request->request;
	withdraw(request);
	request->on_done = on_answer;
	request->data = data;
	to->data[0] = request;
	to->on_done = request->session->loop->on_answer;
	int rc = on_answer != NULL ? mp_api_request_ready(request, __func__)
	                           : mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "the callback is NULL");
	if (MP_LIKELY(rc == 0)) {
		rc = mp_request_submit(to);
		if (MP_UNLIKELY(rc != 0))
			mp_api_refuse(__func__, rc, why_not(rc));
	}
	if (MP_LIKELY(rc == 0))
		request->sent_by = mp_fork_generation();
	else
		give_back(request);
	return rc;
}

int moonpool_request_cancel(struct moonpool_request *handle)
{
	struct mp_api_request *request = mp_api_retired(handle, MP_API_REQUEST);
	if (request != NULL && request->sent_by != 0 && request->sent_by != mp_fork_generation())
		return mp_api_refuse(__func__, MOONPOOL_FORKED, NULL);
	if (request != NULL && request->sent_by != 0 && !mp_api_may(request->session->loop, __func__))
		return moonpool_last_code();
	if (request != NULL && request->sent_by != 0 && mp_request_cancel(request->request))
		return 0;
	if (mp_api_good(handle, MP_API_REQUEST) != NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT,
		                      "the request was not executed: moonpool_request_free() is for that");
	mp_api_explain(handle, MP_API_REQUEST, MOONPOOL_NOT_FOUND, __func__);
	return moonpool_last_code() == MOONPOOL_NOT_FOUND
	           ? mp_api_refuse(__func__, MOONPOOL_NOT_FOUND, "the request is over")
	           : moonpool_last_code();
}
