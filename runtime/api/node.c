// SPDX-License-Identifier: Apache-2.0
// The C API: nodes that a program adds and removes. What they are called is looked up first; the addresses are what the
// cluster is asked about.
#include <stdio.h>

#include "api/wait.h"
#include "cluster/steer.h"

#define ASK_EVERY_NS UINT64_C(1000000000) // between two readings of the system tables

// ---- names ------------------------------------------------------------------------------------------------

static void on_resolved(void *data, int rc, const struct mp_addr *addrs, size_t count)
{
	struct mp_api_wait *wait = data;
	wait->resolve = NULL;
	if (rc != 0)
		(void)mp_api_wait_fail(wait, rc, "%s: %s", wait->name, mp_err_text(rc));
	wait->addr_count = rc == 0 ? count : 0;
	if (wait->addr_count > MP_ARRAY_LEN(wait->addrs))
		wait->addr_count = MP_ARRAY_LEN(wait->addrs);
	for (size_t i = 0; i < wait->addr_count; i++)
		wait->addrs[i] = addrs[i];
	mp_api_wait_from_now(wait);
}

static const struct mp_host *find(const struct mp_api_wait *wait)
{
	const struct mp_session *session = wait->session->engine.session;
	const struct mp_host *host = mp_session_host_find(session, wait->host);
	for (size_t i = 0; host == NULL && i < wait->addr_count; i++) {
		char text[MP_ADDR_TEXT];
		if (wait->addrs[i].port == 0)
			mp_addr_format_ip(&wait->addrs[i], text);
		else
			mp_addr_format(&wait->addrs[i], text);
		host = mp_session_host_find(session, text);
	}
	return host;
}

// 0, or the code that was noted. One that is known as it is named need not be looked up, to go.
static int resolve(struct mp_api_wait *wait, const char *host, bool may_be_known, const char *function)
{
	struct mp_api_session *session = wait->session;
	int rc = mp_api_split_address(session, host, wait->name, sizeof(wait->name), &wait->port, function);
	if (rc != 0)
		return rc;
	snprintf(wait->host, sizeof(wait->host), "%s", host);
	if (may_be_known && mp_session_host_find(session->engine.session, host) != NULL)
		return 0;
	wait->resolve = mp_loop_resolve(session->engine.loop, wait->name, wait->port, on_resolved, wait, &rc);
	return wait->resolve != NULL ? 0 : mp_api_refuse(function, rc, NULL);
}

static int begin(struct moonpool_session *handle, const char *host, uint32_t timeout_ms,
                 bool (*look)(struct mp_api_wait *wait, bool is_late), bool may_be_known,
                 void (*on_done)(void *data, const struct moonpool_error *error), void *data,
                 const char *function)
{
	struct mp_api_session *session = mp_api_connected_session(handle, function);
	if (session == NULL)
		return moonpool_last_code();
	if (host == NULL)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the address is NULL");
	struct mp_api_wait *wait = mp_api_wait_new(session, on_done, data, function);
	if (wait == NULL)
		return moonpool_last_code();
	int rc = resolve(wait, host, may_be_known, function);
	if (rc == 0)
		return mp_api_wait_begin(wait, timeout_ms, look, function);
	mp_api_wait_drop(wait);
	return rc;
}

// Its contact point comes or goes. False: it has failed.
static bool change_contacts(struct mp_api_wait *wait, bool is_added)
{
	char why[512];
	int rc = mp_api_contact(wait->session, wait->name, wait->port, is_added, why, sizeof(why));
	wait->has_begun = true;
	return rc == 0 || !mp_api_wait_fail(wait, rc, "%.240s", why);
}

// ---- one more ---------------------------------------------------------------------------------------------

// False: it has failed.
static bool ask(struct mp_api_wait *wait)
{
	uint64_t now_ns = mp_loop_now_ns(wait->session->engine.loop);
	if (now_ns < wait->ask_at_ns)
		return true;
	wait->ask_at_ns = now_ns + ASK_EVERY_NS;
	for (size_t i = 0; i < wait->addr_count; i++) {
		int rc = mp_session_admit(wait->session->engine.session, &wait->addrs[i]);
		if (rc != 0)
			return !mp_api_wait_fail(wait, rc, "%s", mp_err_text(rc));
	}
	return true;
}

static bool fall_short(struct mp_api_wait *wait, const struct mp_host *host)
{
	if (host == NULL)
		return mp_api_wait_fail(
			wait, MP_ENOTFOUND,
			"no node of the cluster is at %.100s: it is used as soon as the cluster names it", wait->host);
	if (host->down_err == 0)
		return mp_api_wait_fail(wait, MP_ETIMEOUT, "%s is a node of the cluster and is not connected yet",
		                        host->addr_text);
	(void)mp_api_wait_fail(wait, host->down_err, "%s: %.180s", host->addr_text, host->down_why);
	wait->error.server_code = host->down_code;
	snprintf(wait->error.host, sizeof(wait->error.host), "%s", host->addr_text);
	return true;
}

static bool is_added(struct mp_api_wait *wait, bool is_late)
{
	if (wait->error.err != 0 || wait->resolve != NULL)
		return wait->resolve == NULL;
	if (!wait->has_begun && !change_contacts(wait, true))
		return true;
	if (!ask(wait))
		return true;
	const struct mp_host *host = find(wait);
	if (host != NULL && (host->state == MP_HOST_UP || host->pool.target == 0))
		return true;
	return is_late && fall_short(wait, host);
}

int moonpool_session_add_node(struct moonpool_session *session, const char *host, uint32_t timeout_ms,
                              void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	return begin(session, host, timeout_ms, is_added, false, on_done, data, __func__);
}

// ---- one less ---------------------------------------------------------------------------------------------

// False: it has failed.
static bool expel(struct mp_api_wait *wait)
{
	struct mp_session *session = wait->session->engine.session;
	const struct mp_host *host = find(wait);
	if (host == NULL)
		return !mp_api_wait_fail(wait, MP_ENOTFOUND, "the session knows no host at %.100s", wait->host);
	wait->slot = host->index;
	wait->generation = mp_session_view(session)->hosts[host->index].generation;
	int rc = mp_session_expel(session, host->index, wait->timeout_ms > 0);
	if (rc == MP_EINVAL)
		return !mp_api_wait_fail(
			wait, rc, "%.100s is the last host in use: without it no request could be served", wait->host);
	return rc == 0 || !mp_api_wait_fail(wait, rc, "%s", mp_err_text(rc));
}

static bool is_removed(struct mp_api_wait *wait, bool is_late)
{
	if (wait->error.err != 0 || wait->resolve != NULL)
		return wait->resolve == NULL;
	if (!wait->has_begun && (!expel(wait) || !change_contacts(wait, false)))
		return true;
	struct mp_session *session = wait->session->engine.session;
	size_t left = mp_session_left_of(session, wait->slot, wait->generation);
	if (left == 0 || !is_late || wait->timeout_ms == 0) // those that were closed at once are as good as gone
		return left == 0;
	mp_session_cut(session, wait->slot, wait->generation);
	return mp_api_wait_fail(wait, MP_ETIMEOUT,
	                        "%.100s is removed; %zu connections still carried requests and were closed",
	                        wait->host, left);
}

int moonpool_session_remove_node(struct moonpool_session *session, const char *host, uint32_t drain_ms,
                                 void (*on_done)(void *data, const struct moonpool_error *error), void *data)
{
	return begin(session, host, drain_ms, is_removed, true, on_done, data, __func__);
}
