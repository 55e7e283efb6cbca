// SPDX-License-Identifier: Apache-2.0
// The C API: what the nodes wrote down about a request that was traced. They write it after their answer, so it is
// looked for until it is whole: the session says how long the request took when it is.
//
//   ask for the session --its duration is there--> ask for the events --> told, and gone
//        ^------ not yet: wait, twice as long ------|        (an error ends it anywhere)
//
// Invariant: until it is told a look at a trace is in its session's list; a session that is closed ends it.
#include <string.h>

#include "api/internal.h"
#include "base/addr.h"
#include "base/arena.h"
#include "base/mem.h"
#include "cluster/request/request.h"
#include "wire/message.h"
#include "wire/scalar.h"
#include "wire/value.h"

enum { PATIENCE_MS = 5000, FIRST_WAIT_MS = 5, LAST_WAIT_MS = 200 };

struct mp_api_trace {
	struct mp_list_node node; // in session->traces
	struct mp_api_session *session;
	struct mp_timer again;
	uint64_t deadline_ns;
	uint32_t wait_ms;
	struct mp_arena arena; // of what is shown
	struct moonpool_trace shown;
	struct mp_error error;
	void (*on_done)(void *data, const struct moonpool_trace *trace, const struct moonpool_error *error);
	void *data;
};

static void drop(struct mp_api_trace *trace)
{
	mp_list_remove(&trace->session->traces, &trace->node);
	mp_timer_stop(&trace->again);
	mp_arena_deinit(&trace->arena);
	mp_free(trace);
}

// Told as it stands.
static void end(struct mp_api_trace *trace)
{
	struct mp_api_loop *loop = trace->session->loop;
	bool failed = trace->error.err != 0;
	if (mp_api_enter(loop)) {
		uint64_t since_ns = mp_api_clock(loop);
		mp_api_answer_begin(loop, NULL, failed ? &trace->error : NULL);
		trace->on_done(trace->data, failed ? NULL : &trace->shown, mp_api_error(loop));
		mp_api_answer_end(loop);
		mp_api_leave(loop);
		mp_api_note_slow(loop, since_ns, "trace", trace->data);
	}
	drop(trace);
}

static void fail(struct mp_api_trace *trace, int err)
{
	mp_error_set(&trace->error, err, -1, "%s", mp_err_text(err));
	end(trace);
}

void mp_api_traces_end(struct mp_api_session *session)
{
	while (session->traces.count > 0)
		fail(MP_CONTAINER_OF(mp_list_first(&session->traces), struct mp_api_trace, node), MP_ECLOSED);
}

// ---- rows -------------------------------------------------------------------------------------------------

struct row {
	struct mp_arena *arena;
	const struct mp_metadata *metadata;
	struct mp_cursor rows;
	uint32_t left, columns;
	struct mp_bytes *values; // of the present one
};

// 0 or MP_ENOMEM.
static int begin_rows(struct row *row, const struct mp_outcome *outcome, struct mp_arena *arena)
{
	const struct mp_result_body *body = outcome->result;
	*row = (struct row){.arena = arena, .metadata = outcome->metadata};
	if (body->kind != MP_RESULT_ROWS || outcome->metadata == NULL)
		return 0;
	row->rows = body->rows;
	row->left = body->row_count;
	row->columns = body->column_count;
	row->values = mp_arena_alloc(arena, (row->columns + 1) * sizeof(row->values[0]));
	return row->values != NULL ? 0 : MP_ENOMEM;
}

static bool next_row(struct row *row)
{
	return row->left > 0 && row->left-- > 0 && mp_row_read(&row->rows, row->values, row->columns) == 0;
}

// NULL: there is no such column, or it is null.
static const struct mp_bytes *value_of(const struct row *row, const char *name, uint16_t *type)
{
	int at = mp_metadata_find(row->metadata, mp_str_of(name));
	if (at < 0 || (uint32_t)at >= row->columns || row->values[at].len < 0)
		return NULL;
	*type = row->metadata->columns[at].type->id;
	return &row->values[at];
}

// A copy of a text or an address; "": there is none. NULL: no memory.
static const char *text_of(const struct row *row, const char *name)
{
	uint16_t type = 0;
	const struct mp_bytes *value = value_of(row, name, &type);
	struct mp_addr addr = {.port = 0};
	char address[MP_ADDR_TEXT];
	size_t ip_len;
	struct mp_str text = {"", 0};
	if (value != NULL && (type == MP_TYPE_VARCHAR || type == MP_TYPE_ASCII)) {
		text = (struct mp_str){(const char *)value->data, (size_t)value->len};
	} else if (value != NULL && type == MP_TYPE_INET && mp_value_inet(*value, addr.ip, &ip_len) == 0) {
		addr.ip_len = (uint8_t)ip_len;
		mp_addr_format_ip(&addr, address);
		text = mp_str_of(address);
	}
	return mp_arena_str(row->arena, text).data;
}

static int64_t number_of(const struct row *row, const char *name)
{
	uint16_t type = 0;
	const struct mp_bytes *value = value_of(row, name, &type);
	int64_t wide = 0;
	int32_t number = 0;
	if (value != NULL && type == MP_TYPE_INT && mp_value_i32(*value, &number) == 0)
		return number;
	return value != NULL && type == MP_TYPE_TIMESTAMP && mp_value_i64(*value, &wide) == 0 ? wide : 0;
}

// The map of its parameters. 0 or MP_ENOMEM.
static int take_parameters(const struct row *row, struct moonpool_trace *trace)
{
	uint16_t type = 0;
	const struct mp_bytes *value = value_of(row, "parameters", &type);
	struct mp_cursor parts;
	uint32_t count;
	if (value == NULL || type != MP_TYPE_MAP || mp_value_elements(*value, &parts, &count) != 0 ||
	    count > (uint32_t)value->len / 8)
		return 0;
	struct moonpool_trace_parameter *list = mp_arena_alloc(row->arena, (count + 1) * sizeof(*list));
	if (list == NULL)
		return MP_ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const char *texts[2];
		for (size_t part = 0; part < 2; part++) {
			struct mp_bytes bytes = mp_cursor_bytes(&parts);
			struct mp_str text = {"", 0};
			if (bytes.len > 0)
				text = (struct mp_str){(const char *)bytes.data, (size_t)bytes.len};
			texts[part] = mp_arena_str(row->arena, text).data;
			if (texts[part] == NULL)
				return MP_ENOMEM;
		}
		list[i] = (struct moonpool_trace_parameter){texts[0], texts[1]};
	}
	trace->parameters = list;
	trace->parameter_count = count;
	return 0;
}

static int take_session(const struct row *row, struct moonpool_trace *trace)
{
	trace->coordinator = text_of(row, "coordinator");
	trace->client = text_of(row, "client");
	trace->command = text_of(row, "command");
	trace->request = text_of(row, "request");
	trace->duration_us = number_of(row, "duration");
	trace->started_ms = number_of(row, "started_at");
	bool is_whole = trace->coordinator != NULL && trace->client != NULL && trace->command != NULL &&
	                trace->request != NULL;
	return is_whole ? take_parameters(row, trace) : MP_ENOMEM;
}

static int take_events(struct row *row, struct moonpool_trace *trace)
{
	struct moonpool_trace_event *list = mp_arena_alloc(row->arena, (row->left + 1) * sizeof(*list));
	trace->events = list;
	while (list != NULL && next_row(row)) {
		struct moonpool_trace_event *event = &list[trace->event_count++];
		event->source = text_of(row, "source");
		event->activity = text_of(row, "activity");
		event->thread = text_of(row, "thread");
		event->elapsed_us = number_of(row, "source_elapsed");
		if (event->source == NULL || event->activity == NULL || event->thread == NULL)
			return MP_ENOMEM;
	}
	return list != NULL ? 0 : MP_ENOMEM;
}

// ---- questions --------------------------------------------------------------------------------------------

// 0, or why nothing was asked.
static int ask(struct mp_api_trace *trace, const char *cql,
               void (*on_answer)(struct mp_request *request, const struct mp_outcome *outcome))
{
	struct mp_request *request = mp_request_take(trace->session->engine.session);
	if (request == NULL)
		return MP_ENOMEM;
	request->cql = mp_str_of(cql);
	request->options.consistency = (uint16_t)MOONPOOL_ONE;
	request->options.idempotent = true;
	request->options.page_size = 0;
	const char *why = mp_scalar_put_uuid(&request->values, MP_TYPE_UUID, trace->shown.id);
	mp_assert(why == NULL);
	request->value_count = 1;
	request->data[0] = trace;
	request->on_done = on_answer;
	int rc = mp_buf_status(&request->values);
	if (rc == 0)
		rc = mp_request_submit(request);
	if (rc != 0)
		mp_request_give(request);
	return rc;
}

static void on_events(struct mp_request *request, const struct mp_outcome *outcome)
{
	struct mp_api_trace *trace = request->data[0];
	struct row row;
	int rc = 0;
	if (outcome->error != NULL)
		trace->error = *outcome->error;
	else if ((rc = begin_rows(&row, outcome, &trace->arena)) == 0)
		rc = take_events(&row, &trace->shown);
	mp_request_give(request);
	if (rc != 0)
		fail(trace, rc);
	else
		end(trace);
}

// It is not whole yet.
static void wait(struct mp_api_trace *trace)
{
	char id[MP_UUID_TEXT];
	struct mp_uuid uuid;
	if (mp_loop_now_ns(trace->session->engine.loop) + trace->wait_ms * UINT64_C(1000000) >
	    trace->deadline_ns) {
		memcpy(uuid.bytes, trace->shown.id, sizeof(uuid.bytes));
		mp_uuid_format(&uuid, id);
		mp_error_set(&trace->error, MP_ENOTFOUND, -1, "the nodes have not written the trace %s within %d ms",
		             id, PATIENCE_MS);
		end(trace);
	} else if (mp_timer_start_ms(&trace->again, trace->wait_ms) != 0) {
		fail(trace, MP_ENOMEM);
	} else {
		trace->wait_ms = trace->wait_ms < LAST_WAIT_MS / 2 ? trace->wait_ms * 2 : LAST_WAIT_MS;
	}
}

static void on_session(struct mp_request *request, const struct mp_outcome *outcome)
{
	static const char events[] = "SELECT * FROM system_traces.events WHERE session_id = ?";
	struct mp_api_trace *trace = request->data[0];
	struct row row;
	int rc = 0;
	if (outcome->error != NULL)
		trace->error = *outcome->error;
	else if ((rc = begin_rows(&row, outcome, &trace->arena)) == 0 && next_row(&row))
		rc = take_session(&row, &trace->shown);
	mp_request_give(request);
	if (rc == 0 && trace->error.err == 0 && trace->shown.duration_us > 0)
		rc = ask(trace, events, on_events);
	else if (rc == 0 && trace->error.err == 0)
		wait(trace);
	else if (rc == 0)
		end(trace);
	if (rc != 0)
		fail(trace, rc);
}

static int ask_session(struct mp_api_trace *trace)
{
	return ask(trace, "SELECT * FROM system_traces.sessions WHERE session_id = ?", on_session);
}

static void on_again(void *data)
{
	struct mp_api_trace *trace = data;
	int rc = ask_session(trace);
	if (rc != 0)
		fail(trace, rc);
}

int moonpool_session_trace(struct moonpool_session *handle, const uint8_t id[16],
                           void (*on_done)(void *data, const struct moonpool_trace *trace,
                                           const struct moonpool_error *error),
                           void *data)
{
	struct mp_api_session *session = mp_api_connected_session(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	if (id == NULL || on_done == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT,
		                      "the trace's number or the callback is NULL");
	struct mp_api_trace *trace = mp_calloc(1, sizeof(*trace));
	if (trace == NULL)
		return mp_api_refuse(__func__, MOONPOOL_NO_MEMORY, NULL);
	trace->session = session;
	trace->on_done = on_done;
	trace->data = data;
	trace->wait_ms = FIRST_WAIT_MS;
	trace->deadline_ns = mp_loop_now_ns(session->engine.loop) + PATIENCE_MS * UINT64_C(1000000);
	memcpy(trace->shown.id, id, sizeof(trace->shown.id));
	mp_arena_init(&trace->arena);
	mp_timer_init(&trace->again, session->engine.loop, on_again, trace);
	mp_list_node_init(&trace->node);
	mp_list_push_back(&session->traces, &trace->node);
	int rc = ask_session(trace);
	if (rc == 0)
		return 0;
	drop(trace);
	return mp_api_refuse(__func__, rc, NULL);
}
