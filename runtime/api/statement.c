// SPDX-License-Identifier: Apache-2.0
// The C API: statements.
#include "api/internal.h"
#include "base/mem.h"
#include "wire/message.h"

#define TEXT_MAX (256u << 20) // no envelope carries more

struct mp_api_statement *mp_api_statement_of(const struct moonpool_statement *handle, const char *function)
{
	struct mp_api_statement *statement =
		mp_api_object(handle, MP_API_STATEMENT, MOONPOOL_INVALID_ARGUMENT, function);
	return statement != NULL && mp_api_may(statement->session->loop, function) ? statement : NULL;
}

int mp_api_text(const char *text, ptrdiff_t len, struct mp_str *out, const char *function)
{
	if (text == NULL)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the text is NULL");
	if (len < -1)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT,
		                      "a length of the text of -1 (up to its NUL) or more expected");
	*out = len == -1 ? mp_str_of(text) : (struct mp_str){text, (size_t)len};
	if (out->len > TEXT_MAX)
		return mp_api_mistake(function, MOONPOOL_TOO_BIG, "a text of more than 256 MiB");
	return 0;
}

// ---- prepare ----------------------------------------------------------------------------------------------

struct prepare {
	struct mp_api_session *session;
	struct mp_task task; // the statement was in the cache already
	struct mp_prepared *cached;
	void (*on_done)(void *data, struct moonpool_statement *statement, const struct moonpool_error *error);
	void *data;
};

static struct mp_api_statement *make(struct mp_api_session *session, struct mp_prepared *prepared)
{
	struct mp_api_statement *statement = mp_api_take(MP_API_STATEMENT, sizeof(*statement));
	if (statement == NULL)
		return NULL;
	statement->session = session;
	statement->prepared = mp_prepared_ref(prepared);
	statement->has_defaults = false;
	mp_list_node_init(&statement->node);
	mp_list_push_back(&session->statements, &statement->node);
	return statement;
}

static void prepared(void *data, struct mp_prepared *from, const struct mp_error *error)
{
	static const struct mp_error no_memory = {.err = MP_ENOMEM, .server_code = -1};
	struct prepare prepare = *(struct prepare *)data;
	struct mp_api_loop *loop = prepare.session->loop;
	mp_free(data);
	if (!mp_api_enter(loop))
		return;
	struct mp_api_statement *statement = from != NULL ? make(prepare.session, from) : NULL;
	if (statement == NULL && error == NULL)
		error = &no_memory;
	uint64_t since_ns = mp_api_clock(loop);
	mp_api_answer_begin(loop, NULL, error);
	prepare.on_done(prepare.data, statement != NULL ? mp_api_handle(statement) : NULL, mp_api_error(loop));
	mp_api_answer_end(loop);
	mp_api_leave(loop);
	mp_api_note_slow(loop, since_ns, "statement", prepare.data);
}

static void give_cached(void *data)
{
	struct prepare *prepare = data;
	struct mp_prepared *cached = prepare->cached;
	prepared(prepare, cached, NULL);
	mp_prepared_unref(cached);
}

static const char *why_not(int rc)
{
	switch (rc) {
	case MP_ECLOSED: return "the session is not connected";
	case MP_EINVAL: return "the text is empty";
	default: return NULL;
	}
}

// `keyspace` empty: the session's.
static int begin(struct moonpool_session *handle, struct mp_str keyspace, const char *cql, ptrdiff_t len,
                 void (*on_done)(void *data, struct moonpool_statement *statement,
                                 const struct moonpool_error *error),
                 void *data, const char *function)
{
	struct mp_api_session *session = mp_api_open_session(handle, function);
	struct mp_str text;
	if (session == NULL || mp_api_text(cql, len, &text, function) != 0)
		return moonpool_last_code();
	if (on_done == NULL)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the callback is NULL");
	struct prepare *prepare = mp_calloc(1, sizeof(*prepare));
	if (prepare == NULL)
		return mp_api_refuse(function, MOONPOOL_NO_MEMORY, NULL);
	prepare->session = session;
	prepare->on_done = on_done;
	prepare->data = data;
	struct mp_prepared *cached = NULL;
	int rc = mp_session_prepare(session->engine.session, text, keyspace, 0, &cached, prepared, prepare);
	if (rc != 0) {
		mp_free(prepare);
		return mp_api_refuse(function, rc, why_not(rc));
	}
	if (cached != NULL) {
		prepare->cached = mp_prepared_ref(cached);
		mp_task_init(&prepare->task, give_cached, prepare);
		mp_task_post(session->engine.loop, &prepare->task, MP_PHASE_RUN);
	}
	return 0;
}

int moonpool_prepare(struct moonpool_session *session, const char *cql, ptrdiff_t len,
                     void (*on_done)(void *data, struct moonpool_statement *statement,
                                     const struct moonpool_error *error),
                     void *data)
{
	return begin(session, (struct mp_str){NULL, 0}, cql, len, on_done, data, __func__);
}

int moonpool_prepare_in(struct moonpool_session *session, const char *keyspace, const char *cql,
                        ptrdiff_t len,
                        void (*on_done)(void *data, struct moonpool_statement *statement,
                                        const struct moonpool_error *error),
                        void *data)
{
	struct mp_str name = mp_str_of(keyspace != NULL ? keyspace : "");
	if (mp_api_session_of(session, __func__) == NULL)
		return moonpool_last_code();
	if (name.len == 0 || name.len > UINT16_MAX)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT,
		                      "the name of a keyspace expected, of 65,535 bytes at most");
	return begin(session, name, cql, len, on_done, data, __func__);
}

// ---- statements -------------------------------------------------------------------------------------------

void mp_api_statement_drop(struct mp_api_statement *statement)
{
	mp_list_remove(&statement->session->statements, &statement->node);
	mp_prepared_unref(statement->prepared);
	mp_api_give(statement);
}

int moonpool_statement_free(struct moonpool_statement *handle)
{
	if (handle == NULL)
		return 0;
	struct mp_api_statement *statement = mp_api_statement_of(handle, __func__);
	if (statement == NULL)
		return moonpool_last_code();
	mp_api_statement_drop(statement);
	return 0;
}

// ---- defaults ---------------------------------------------------------------------------------------------

void mp_api_statement_default(struct mp_api_statement *statement, struct mp_api_request *request)
{
	struct mp_request_options *options = &request->request->options;
	mp_profile_apply(&statement->defaults, request->session->engine.session, 0, options);
	if (statement->default_tag != 0)
		options->tag = statement->default_tag;
}

// What keeps it from being a model; NULL: nothing.
static const char *unfit(const struct mp_api_statement *statement, const struct mp_api_request *model)
{
	const struct mp_request *request = model->request;
	const struct mp_request_options *options = &request->options;
	if (model->session != statement->session)
		return "the request is one of another session";
	if (request->batch != NULL)
		return "a batch has no options of a statement";
	if (model->next > 0 || model->depth > 0)
		return "the request has values";
	bool has_more = options->has_token || options->has_timestamp || options->pinned_host != MP_NO_HOST ||
	                request->payload.len > 0 || model->state_len > 0 || model->keyspace_len > 0;
	return has_more
	           ? "a routing key, timestamp, host, payload, paging state or keyspace is of one request only"
	           : NULL;
}

int moonpool_statement_set_defaults(struct moonpool_statement *handle, struct moonpool_request *model)
{
	struct mp_api_statement *statement = mp_api_statement_of(handle, __func__);
	if (statement == NULL)
		return moonpool_last_code();
	if (model == NULL) {
		statement->has_defaults = false;
		return 0;
	}
	struct mp_api_request *request = mp_api_request_of(model, __func__);
	if (request == NULL || !mp_api_may(request->session->loop, __func__))
		return moonpool_last_code();
	const char *why = unfit(statement, request);
	int rc = request->rc;
	if (rc != 0)
		rc = mp_api_refuse(__func__, rc, "an option of the request was refused");
	else if (why != NULL)
		rc = mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, why);
	if (rc == 0) {
		const struct mp_request_options *options = &request->request->options;
		statement->defaults = mp_profile_of(statement->session->engine.session, options);
		statement->default_tag = options->tag;
		statement->has_defaults = true;
	}
	mp_api_request_drop(request);
	return rc;
}
