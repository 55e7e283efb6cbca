// SPDX-License-Identifier: Apache-2.0
// The C API: nodes that a program adds and removes. What they are called is looked up first, then their contact point
// comes or goes, and the cluster does the rest (cluster/steer.h).
//
// Invariant: while its name is looked up a call is in its session's list; a session that is closed ends it.
#include <stdio.h>

#include "api/wait.h"
#include "base/mem.h"
#include "cluster/request/request.h"

struct mp_api_node {
	struct mp_list_node node; // in session->nodes
	struct mp_api_waiting waiting;
	void (*go_on)(struct mp_api_node *call); // the name is known
	uint32_t timeout_ms;
	char contact[256];          // the name without its port
	uint16_t port;              // 0: any
	struct mp_resolve *resolve; // under way; NULL: none
	struct mp_task known;       // nothing had to be looked up
	struct mp_node_name name;
	struct mp_error error;
};

// ---- names ------------------------------------------------------------------------------------------------

static void drop(struct mp_api_node *call)
{
	struct mp_api_session *session = call->waiting.session;
	mp_list_remove(&session->nodes, &call->node);
	mp_task_cancel(session->engine.loop, &call->known);
	if (call->resolve != NULL)
		mp_resolve_cancel(call->resolve);
	mp_free(call);
}

// Told as it stands in call->error.
static void end(struct mp_api_node *call)
{
	mp_api_tell(call->waiting.session, call->waiting.on_done, call->waiting.data, &call->error);
	drop(call);
}

static void go_on(void *data)
{
	struct mp_api_node *call = data;
	if (call->waiting.session->closing)
		mp_error_set(&call->error, MP_ECLOSED, -1, "it was closed meanwhile");
	if (call->error.err == 0)
		call->go_on(call);
	if (call->error.err != 0)
		end(call);
	else
		drop(call);
}

static void on_resolved(void *data, int rc, const struct mp_addr *addrs, size_t count)
{
	struct mp_api_node *call = data;
	call->resolve = NULL;
	if (rc != 0)
		mp_error_set(&call->error, rc, -1, "%s: %s", call->contact, mp_err_text(rc));
	call->name.addr_count = rc == 0 ? count : 0;
	if (call->name.addr_count > MP_NODE_ADDRS)
		call->name.addr_count = MP_NODE_ADDRS;
	for (size_t i = 0; i < call->name.addr_count; i++)
		call->name.addrs[i] = addrs[i];
	go_on(call);
}

// 0, or the code that was noted. One that is known as it is named need not be looked up, to go.
static int look_up(struct mp_api_node *call, bool may_be_known, const char *function)
{
	struct mp_engine *engine = &call->waiting.session->engine;
	int rc = mp_api_split_address(call->waiting.session, call->name.text, call->contact,
	                              sizeof(call->contact), &call->port, function);
	if (rc != 0)
		return rc;
	if (may_be_known && mp_node_find(engine->session, &call->name) != NULL) {
		mp_task_post(engine->loop, &call->known, MP_PHASE_RUN);
		return 0;
	}
	call->resolve = mp_loop_resolve(engine->loop, call->contact, call->port, on_resolved, call, &rc);
	return call->resolve != NULL ? 0 : mp_api_refuse(function, rc, NULL);
}

void mp_api_nodes_end(struct mp_api_session *session)
{
	while (session->nodes.count > 0)
		go_on(MP_CONTAINER_OF(mp_list_first(&session->nodes), struct mp_api_node, node));
}

static int begin(struct moonpool_session *handle, const char *host, const struct mp_api_node *how,
                 bool may_be_known, const char *function)
{
	struct mp_api_session *session = mp_api_connected_session(handle, function);
	if (session == NULL)
		return moonpool_last_code();
	if (host == NULL)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the address is NULL");
	if (how->waiting.on_done == NULL)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the callback is NULL");
	struct mp_api_node *call = mp_calloc(1, sizeof(*call));
	if (call == NULL)
		return mp_api_refuse(function, MOONPOOL_NO_MEMORY, NULL);
	*call = *how;
	call->waiting.session = session;
	snprintf(call->name.text, sizeof(call->name.text), "%s", host);
	mp_list_node_init(&call->node);
	mp_list_push_back(&session->nodes, &call->node);
	mp_task_init(&call->known, go_on, call);
	int rc = look_up(call, may_be_known, function);
	if (rc != 0)
		drop(call);
	return rc;
}

// Its contact point comes or goes. False: it has failed.
static bool change_contacts(struct mp_api_node *call, bool is_added)
{
	char why[512];
	int rc = mp_api_contact(call->waiting.session, call->contact, call->port, is_added, why, sizeof(why));
	if (rc != 0)
		mp_error_set(&call->error, rc, -1, "%.240s", why);
	return rc == 0;
}

static void await(struct mp_api_node *call, struct mp_errand *errand)
{
	if (errand != NULL && mp_api_await(&call->waiting, errand, NULL, "") != 0)
		mp_error_set(&call->error, MP_ENOMEM, -1, "%s", mp_err_text(MP_ENOMEM));
}

// ---- one more, one less -----------------------------------------------------------------------------------

static void add(struct mp_api_node *call)
{
	struct mp_session *session = call->waiting.session->engine.session;
	if (change_contacts(call, true))
		await(call, mp_errand_join(session, &call->name, call->timeout_ms, &call->error));
}

int moonpool_session_add_node(struct moonpool_session *session, const char *host, uint32_t timeout_ms,
                              void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	struct mp_api_node how = {.waiting = {NULL, on_done, data}, .go_on = add, .timeout_ms = timeout_ms};
	return begin(session, host, &how, false, __func__);
}

static void expel(struct mp_api_node *call)
{
	struct mp_session *session = call->waiting.session->engine.session;
	const struct mp_host *host = mp_node_find(session, &call->name);
	struct mp_leaving leaving;
	if (host == NULL)
		mp_error_set(&call->error, MP_ENOTFOUND, -1, "there is no host %.100s", call->name.text);
	else if (mp_node_expel(session, host, call->timeout_ms > 0, &leaving, &call->error) == 0 &&
	         change_contacts(call, false))
		await(call, mp_errand_leave(session, &leaving, call->timeout_ms, &call->error));
}

int moonpool_session_remove_node(struct moonpool_session *session, const char *host, uint32_t drain_ms,
                                 void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	struct mp_api_node how = {.waiting = {NULL, on_done, data}, .go_on = expel, .timeout_ms = drain_ms};
	return begin(session, host, &how, true, __func__);
}
