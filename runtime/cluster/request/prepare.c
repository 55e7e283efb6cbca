// SPDX-License-Identifier: Apache-2.0
// PREPARE, one at a time for each text and keyspace: whoever wants the same statement meanwhile waits for the
// same answer, or the same error. The hosts of a plan are asked one after the other; a statement that the
// server rejects is not asked again.
#include "cluster/request/prepare.h"

#include <stdio.h>

#include "base/mem.h"
#include "cluster/request/feature.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

#define HOSTS_MAX 4 // hosts that are asked before the error of the last one is believed

struct mp_prepare_flight {
	struct mp_list_node node; // in prepares->flights
	struct mp_prepares *prepares;
	struct mp_str cql, keyspace; // keyspace: the session's when none was asked for
	struct mp_str sent_keyspace;
	struct mp_list waiters;
	struct mp_plan plan;
	struct mp_query query;
	struct mp_error error;
	uint32_t attempt_ms;
	uint64_t attempt_ns;
	uint32_t asked;
	uint16_t host;
	uint8_t lacks_in; // the version of a connection that cannot name the keyspace
	bool is_use;
	bool waits_for_room;
};

struct waiter {
	struct mp_list_node node;
	struct mp_prepare_flight *flight;
	struct mp_timer timer;
	void (*on_done)(void *data, struct mp_prepared *prepared, const struct mp_error *err);
	void *data;
};

static void walk(struct mp_prepare_flight *flight);
static void free_flight(struct mp_prepare_flight *flight);

// ---- waiters ----------------------------------------------------------------------------------------------

static void tell(struct waiter *waiter, struct mp_prepared *prepared, const struct mp_error *error)
{
	mp_list_remove(&waiter->flight->waiters, &waiter->node);
	mp_timer_stop(&waiter->timer);
	struct waiter gone = *waiter;
	mp_free(waiter);
	gone.on_done(gone.data, prepared, error);
}

// Nobody waits any more: what is under way still ends, and its statement enters the cache.
static void on_waiter_due(void *data)
{
	struct waiter *waiter = data;
	struct mp_error error = waiter->flight->error;
	if (error.attempt_count > 0)
		mp_error_tell(&error, MP_ETIMEOUT);
	else
		mp_error_set(&error, MP_ETIMEOUT, -1, "the statement was not prepared in time");
	struct mp_prepare_flight *flight = waiter->flight;
	tell(waiter, NULL, &error);
	if (flight->waiters.count == 0 && flight->waits_for_room)
		free_flight(flight);
}

static int add_waiter(struct mp_prepare_flight *flight, uint32_t timeout_ms,
                      void (*on_done)(void *data, struct mp_prepared *prepared, const struct mp_error *err),
                      void *data)
{
	struct waiter *waiter = mp_calloc(1, sizeof(*waiter));
	if (waiter == NULL)
		return MP_ENOMEM;
	waiter->flight = flight;
	waiter->on_done = on_done;
	waiter->data = data;
	mp_list_node_init(&waiter->node);
	mp_timer_init(&waiter->timer, flight->prepares->session->loop, on_waiter_due, waiter);
	int rc = mp_timer_start_ms(&waiter->timer, timeout_ms);
	if (rc != 0) {
		mp_free(waiter);
		return rc;
	}
	mp_list_push_back(&flight->waiters, &waiter->node);
	return 0;
}

// ---- the end of a flight ----------------------------------------------------------------------------------

static void free_flight(struct mp_prepare_flight *flight)
{
	struct mp_prepares *prepares = flight->prepares;
	mp_query_cancel(&flight->query);
	if (mp_list_node_linked(&flight->node))
		mp_list_remove(&prepares->flights, &flight->node);
	mp_free((void *)(uintptr_t)flight->cql.data);
	mp_free((void *)(uintptr_t)flight->keyspace.data);
	mp_free(flight);
	mp_session_post(prepares->session);
}

// Off the list first: a waiter that asks again from its callback begins a new flight. The list of the session is not
// what keeps it quiet meanwhile, because nothing here returns to the loop.
static void end_flight(struct mp_prepare_flight *flight, struct mp_prepared *prepared)
{
	mp_list_remove(&flight->prepares->flights, &flight->node);
	mp_prepared_ref(prepared);
	struct mp_list_node *node;
	while ((node = mp_list_first(&flight->waiters)) != NULL)
		tell(MP_CONTAINER_OF(node, struct waiter, node), prepared, prepared != NULL ? NULL : &flight->error);
	mp_prepared_unref(prepared);
	free_flight(flight);
}

static void fail_flight(struct mp_prepare_flight *flight, int err)
{
	if (flight->error.attempt_count > 0)
		mp_error_tell(&flight->error, err);
	else
		mp_error_set(&flight->error, err, -1, "%s", mp_err_text(err));
	end_flight(flight, NULL);
}

static void note(struct mp_prepare_flight *flight, int err, int32_t server_code, struct mp_str message)
{
	struct mp_session *session = flight->prepares->session;
	const struct mp_host *host = session->hosts.slots[flight->host];
	uint64_t ms = (mp_loop_now_ns(session->loop) - flight->attempt_ns) / 1000000;
	mp_error_add(&flight->error, host != NULL ? host->addr_text : "", err, server_code, (uint32_t)ms,
	             message);
}

// ---- answers ----------------------------------------------------------------------------------------------

int mp_prepare_read(const struct mp_envelope *answer, struct mp_result_body *result,
                    struct mp_error_body *error)
{
	struct mp_response_prefix prefix;
	int rc = mp_decode_prefix(answer, &prefix);
	result->why = "less than it says";
	if (rc != 0)
		return rc;
	if (answer->opcode == MP_OP_ERROR) {
		rc = mp_decode_error(prefix.body, answer->version, error);
		return rc == 0 ? MP_ESERVER : rc;
	}
	if (answer->opcode != MP_OP_RESULT)
		return MP_EPROTO;
	rc = mp_decode_result(prefix.body, answer->version, result);
	if (rc != 0)
		return rc;
	if (result->kind == MP_RESULT_PREPARED && result->params != NULL && result->prepared_id.len > 0)
		return 0;
	mp_result_drop(result);
	result->why = "no statement with an id";
	return MP_EPROTO;
}

void mp_prepare_refuse(struct mp_conn *conn, const struct mp_result_body *result)
{
	char what[128];
	snprintf(what, sizeof(what), "a malformed answer to PREPARE: %s", result->why);
	mp_conn_close(conn, MP_CLOSE_PROTOCOL, what);
}

// What another host might answer differently.
static bool may_ask_another(int32_t server_code)
{
	switch (server_code) {
	case MP_SE_SERVER_ERROR:
	case MP_SE_OVERLOADED:
	case MP_SE_IS_BOOTSTRAPPING:
	case MP_SE_UNAVAILABLE:
	case MP_SE_READ_TIMEOUT: return true;
	default: return false;
	}
}

static void on_answer(void *data, int rc, const struct mp_envelope *answer)
{
	struct mp_prepare_flight *flight = data;
	struct mp_result_body result;
	struct mp_error_body error;
	if (rc == 0)
		rc = mp_prepare_read(answer, &result, &error);
	if (rc == 0) {
		struct mp_prepared *prepared =
			mp_prepares_add(flight->prepares, flight->cql, flight->keyspace, &result, flight->attempt_ns);
		mp_metadata_unref(result.params);
		mp_metadata_unref(result.result);
		if (prepared == NULL)
			fail_flight(flight, MP_ENOMEM);
		else
			end_flight(flight, prepared);
		return;
	}
	if (rc == MP_ESERVER) {
		note(flight, MP_ESERVER, error.code, error.message);
		if (!may_ask_another(error.code)) {
			fail_flight(flight, MP_ESERVER);
			return;
		}
	} else {
		if (rc == MP_EPROTO && answer != NULL)
			mp_prepare_refuse(flight->query.conn, &result);
		note(flight, rc, -1, mp_str_of(mp_err_text(rc)));
	}
	walk(flight);
}

// ---- hosts ------------------------------------------------------------------------------------------------

static int ask(struct mp_prepare_flight *flight, uint16_t index)
{
	struct mp_session *session = flight->prepares->session;
	struct mp_host *host = session->hosts.slots[index];
	if (host == NULL || host->state != MP_HOST_UP)
		return MP_ENOHOST;
	struct mp_conn *conn = mp_pool_take(&host->pool);
	if (conn == NULL)
		return MP_EBUSY;
	if (flight->sent_keyspace.len > 0 && mp_conn_version(conn) < 5) {
		flight->lacks_in = mp_conn_version(conn);
		return MP_EUNSUPPORTED;
	}
	flight->attempt_ns = mp_loop_now_ns(session->loop);
	flight->host = index;
	mp_prepares_doubt_text(flight->prepares, flight->cql, flight->keyspace);
	return mp_query_send_prepare(&flight->query, conn, flight->cql, flight->sent_keyspace,
	                             flight->attempt_ms);
}

// PREPARE reads no data, so a host of another datacentre is as good as none of the local one.
static void make_plan(struct mp_prepare_flight *flight)
{
	struct mp_request_view view = {
		.isRead = true, .idempotent = true, .consistency = MP_CL_ONE, .attempt = 1};
	mp_session_make_plan(flight->prepares->session, &view, NULL, 0, &flight->plan);
}

// 0: asked. MP_EBUSY: hosts are there, but full. MP_EUNSUPPORTED: they are there, but too old. MP_ENOHOST.
static int try_hosts(struct mp_prepare_flight *flight)
{
	bool busy = false, too_old = false;
	while (flight->asked < HOSTS_MAX && !flight->is_use) {
		uint16_t index = mp_plan_next(&flight->plan, NULL);
		if (index == MP_NO_HOST && flight->asked == 0 && !busy && !too_old)
			index = mp_plan_shut_host(&flight->plan);
		if (index == MP_NO_HOST)
			return busy ? MP_EBUSY : too_old && flight->asked == 0 ? MP_EUNSUPPORTED : MP_ENOHOST;
		int rc = ask(flight, index);
		if (rc == 0) {
			flight->asked++;
			return 0;
		}
		too_old |= rc == MP_EUNSUPPORTED;
		busy |= rc != MP_ENOHOST && rc != MP_EUNSUPPORTED;
	}
	return flight->is_use ? MP_EUNSUPPORTED : MP_ENOHOST;
}

static void refuse(struct mp_prepare_flight *flight)
{
	char text[MP_FEATURE_TEXT];
	const char *why =
		flight->is_use ? MP_USE_REFUSAL : mp_feature_say(MP_FEATURE_KEYSPACE, flight->lacks_in, text);
	mp_error_set(&flight->error, MP_EUNSUPPORTED, -1, "%s", why);
	end_flight(flight, NULL);
}

static void walk(struct mp_prepare_flight *flight)
{
	int rc = try_hosts(flight);
	flight->waits_for_room = rc == MP_EBUSY;
	if (rc == 0 || rc == MP_EBUSY)
		return;
	if (rc == MP_EUNSUPPORTED) {
		refuse(flight);
		return;
	}
	const struct mp_error *error = &flight->error;
	int last = error->attempt_count > 0 ? error->attempts[error->attempt_count - 1].err : 0;
	fail_flight(flight, last == MP_ESERVER || last == MP_ETIMEOUT ? last : MP_ENOHOST);
}

// Each flight moves to the end of the list before it is looked at, so callbacks may change the list.
void mp_prepares_wake(struct mp_prepares *prepares)
{
	for (size_t left = prepares->flights.count; left > 0 && prepares->flights.count > 0; left--) {
		struct mp_list_node *node = mp_list_pop_front(&prepares->flights);
		mp_list_push_back(&prepares->flights, node);
		struct mp_prepare_flight *flight = MP_CONTAINER_OF(node, struct mp_prepare_flight, node);
		if (!flight->waits_for_room)
			continue;
		make_plan(flight);
		walk(flight);
	}
}

void mp_prepares_fail_all(struct mp_prepares *prepares)
{
	if (prepares->flights.count > 0) {
		prepares->fails = true;
		mp_session_post(prepares->session);
	}
}

void mp_prepares_tell_failed(struct mp_prepares *prepares)
{
	struct mp_list_node *node;
	while (prepares->fails && (node = mp_list_first(&prepares->flights)) != NULL)
		fail_flight(MP_CONTAINER_OF(node, struct mp_prepare_flight, node), MP_ECLOSED);
	prepares->fails = false;
}

// ---- beginning --------------------------------------------------------------------------------------------

static struct mp_prepare_flight *find(struct mp_prepares *prepares, struct mp_str cql, struct mp_str keyspace)
{
	struct mp_list_node *node = mp_list_first(&prepares->flights);
	for (; node != NULL; node = mp_list_next(&prepares->flights, node)) {
		struct mp_prepare_flight *flight = MP_CONTAINER_OF(node, struct mp_prepare_flight, node);
		if (mp_str_eq(flight->cql, cql) && mp_str_eq(flight->keyspace, keyspace))
			return flight;
	}
	return NULL;
}

static struct mp_prepare_flight *new_flight(struct mp_prepares *prepares, struct mp_str cql,
                                            struct mp_str keyspace, bool elsewhere)
{
	struct mp_prepare_flight *flight = mp_calloc(1, sizeof(*flight));
	if (flight == NULL)
		return NULL;
	struct mp_session *session = prepares->session;
	flight->prepares = prepares;
	mp_list_node_init(&flight->node);
	mp_list_init(&flight->waiters);
	mp_query_init(&flight->query, session->loop, on_answer, flight);
	mp_error_set(&flight->error, MP_OK, -1, "%s", "");
	flight->attempt_ms =
		session->attempt_timeout_ms > 0 ? session->attempt_timeout_ms : session->request_timeout_ms / 2;
	flight->cql = mp_str_copy(cql);
	flight->keyspace = mp_str_copy(keyspace);
	flight->is_use = mp_statement_read(cql.data, cql.len, MP_MARKERS_UNKNOWN).is_use;
	flight->sent_keyspace = elsewhere ? flight->keyspace : (struct mp_str){"", 0};
	if (flight->cql.data == NULL || flight->keyspace.data == NULL) {
		free_flight(flight);
		return NULL;
	}
	return flight;
}

int mp_session_prepare(struct mp_session *session, struct mp_str cql, struct mp_str keyspace,
                       uint32_t timeout_ms, struct mp_prepared **cached,
                       void (*on_done)(void *data, struct mp_prepared *prepared, const struct mp_error *err),
                       void *data)
{
	struct mp_prepares *prepares = &session->prepares;
	struct mp_str own = mp_str_of(session->config.keyspace != NULL ? session->config.keyspace : "");
	bool elsewhere = keyspace.len > 0 && !mp_str_eq(keyspace, own);
	if (keyspace.len == 0)
		keyspace = own;
	if (mp_loop_is_forked(session->loop))
		return MP_EFORKED;
	if (session->state != MP_SESSION_OPEN)
		return MP_ECLOSED;
	if (cql.len == 0 || keyspace.len > UINT16_MAX)
		return MP_EINVAL;
	if (cql.len > MP_REQUEST_PART_MAX)
		return MP_ETOOBIG;
	*cached = mp_prepares_find(prepares, cql, keyspace);
	if (*cached != NULL && !mp_prepared_is_doubted(*cached))
		return 0;
	*cached = NULL;
	if (timeout_ms == 0)
		timeout_ms = session->request_timeout_ms;
	struct mp_prepare_flight *flight = find(prepares, cql, keyspace);
	if (flight != NULL)
		return add_waiter(flight, timeout_ms, on_done, data);
	flight = new_flight(prepares, cql, keyspace, elsewhere);
	if (flight == NULL)
		return MP_ENOMEM;
	int rc = add_waiter(flight, timeout_ms, on_done, data);
	if (rc != 0) {
		free_flight(flight);
		return rc;
	}
	mp_list_push_back(&prepares->flights, &flight->node);
	make_plan(flight);
	// Failures are told from the loop: a flight that finds nobody waits for the chores, which try once more.
	rc = try_hosts(flight);
	flight->waits_for_room = rc != 0;
	if (rc != 0)
		mp_room_came_free(&session->room);
	return 0;
}
