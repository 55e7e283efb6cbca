// SPDX-License-Identifier: Apache-2.0
// Errands: what takes a while with hosts, and somebody waits for (steer.h).
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/session_internal.h"
#include "cluster/steer.h"

#define LOOK_EVERY_MS 5
#define ASK_EVERY_NS  UINT64_C(1000000000) // between two readings of the system tables
#define MOST_DELAY_MS 60000u

struct mp_errand {
	struct mp_list_node node; // in session->errands
	struct mp_session *session;
	struct mp_timer again;
	bool is_due; // for a look
	uint64_t timeout_ms, deadline_ns;
	// True: it has ended, well unless it has failed; `is_late`: it has to.
	bool (*look)(struct mp_errand *errand, bool is_late);
	void (*on_done)(void *data, const struct mp_error *error);
	void *data;
	struct mp_error error;
	// what looks need
	struct mp_node_name host;
	uint64_t ask_at_ns; // of join
	struct mp_leaving leaving;
	uint32_t attempts_left;   // of recover
	uint32_t delay_ms;        // until the next one
	uint64_t failures_before; // the present one
	uint64_t rests_until_ns;  // 0: one is under way
};

// ---- errands ----------------------------------------------------------------------------------------------

static uint64_t now_ns(const struct mp_errand *errand)
{
	return mp_loop_now_ns(errand->session->loop);
}

static void on_again(void *data)
{
	struct mp_errand *errand = data;
	errand->is_due = true;
	mp_session_post(errand->session);
}

// True.
static MP_PRINTF(3, 4) bool fail(struct mp_errand *errand, int err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	mp_error_vset(&errand->error, err, -1, format, args);
	va_end(args);
	return true;
}

static struct mp_errand *make(struct mp_session *session, const char *host, uint64_t timeout_ms,
                              bool (*look)(struct mp_errand *errand, bool is_late), struct mp_error *error)
{
	struct mp_errand *errand = mp_calloc(1, sizeof(*errand));
	if (errand == NULL) {
		mp_error_set(error, MP_ENOMEM, -1, "%s", mp_err_text(MP_ENOMEM));
		return NULL;
	}
	errand->session = session;
	errand->timeout_ms = timeout_ms;
	errand->look = look;
	snprintf(errand->host.text, sizeof(errand->host.text), "%s", host);
	mp_list_node_init(&errand->node);
	mp_timer_init(&errand->again, session->loop, on_again, errand);
	return errand;
}

void mp_errand_free(struct mp_errand *errand)
{
	mp_free(errand);
}

void mp_errand_start(struct mp_errand *errand, void (*on_done)(void *data, const struct mp_error *error),
                     void *data)
{
	errand->on_done = on_done;
	errand->data = data;
	errand->deadline_ns = now_ns(errand) + errand->timeout_ms * 1000000;
	mp_list_push_back(&errand->session->errands, &errand->node);
	on_again(errand);
}

static void finish(struct mp_errand *errand)
{
	mp_list_remove(&errand->session->errands, &errand->node);
	mp_timer_stop(&errand->again);
	errand->on_done(errand->data, errand->error.err != 0 ? &errand->error : NULL);
	mp_free(errand);
}

static bool is_over(struct mp_errand *errand)
{
	if (errand->session->state >= MP_SESSION_FAILING)
		return fail(errand, MP_ECLOSED, "it was closed meanwhile");
	if (!errand->is_due)
		return false;
	errand->is_due = false;
	if (errand->look(errand, now_ns(errand) >= errand->deadline_ns))
		return true;
	return mp_timer_start_ms(&errand->again, LOOK_EVERY_MS) != 0 &&
	       fail(errand, MP_ENOMEM, "%s", mp_err_text(MP_ENOMEM));
}

void mp_errands_review(struct mp_session *session)
{
	struct mp_list_node *node = mp_list_first(&session->errands);
	while (node != NULL) {
		struct mp_errand *errand = MP_CONTAINER_OF(node, struct mp_errand, node);
		node = mp_list_next(&session->errands, node);
		if (is_over(errand))
			finish(errand); // nobody takes one back: the next one is still there
	}
}

// ---- drained ----------------------------------------------------------------------------------------------

static const struct mp_host *host_of(const struct mp_errand *errand)
{
	return mp_session_host_find(errand->session, errand->host.text);
}

static bool is_drained(struct mp_errand *errand, bool is_late)
{
	const struct mp_host *host = host_of(errand);
	if (host == NULL) // it has left the cluster
		return true;
	if (host->hold != MP_HOLD_DRAINING)
		return fail(errand, MP_ECANCELLED, "%s was resumed meanwhile", host->addr_text);
	size_t left = host->pool.conns.count;
	if (left == 0 || !is_late)
		return left == 0;
	return fail(errand, MP_ETIMEOUT,
	            "%s: %zu connections still carry requests: they close when those have ended", host->addr_text,
	            left);
}

struct mp_errand *mp_errand_drain(struct mp_session *session, const struct mp_host *host, uint32_t timeout_ms,
                                  struct mp_error *error)
{
	struct mp_errand *errand = make(session, host->addr_text, timeout_ms, is_drained, error);
	if (errand != NULL)
		mp_session_hold(session, host->index, MP_HOLD_DRAINING);
	return errand;
}

// ---- whole again ------------------------------------------------------------------------------------------

// It ends with why the host has no connection. True.
static bool fail_as_host(struct mp_errand *errand, const struct mp_host *host)
{
	(void)fail(errand, host->down_err, "%s: %.180s", host->addr_text, host->down_why);
	errand->error.server_code = host->down_code;
	snprintf(errand->error.host, sizeof(errand->error.host), "%s", host->addr_text);
	return true;
}

static void attempt(struct mp_errand *errand, const struct mp_host *host)
{
	errand->attempts_left--;
	errand->rests_until_ns = 0;
	errand->failures_before = host->pool.failed_total;
	mp_session_knock(errand->session, host->index);
}

// The pool tries by itself, too: what it reaches ends a rest.
static bool is_whole(struct mp_errand *errand, bool is_late)
{
	(void)is_late; // it has attempts instead of a time
	const struct mp_host *host = host_of(errand);
	if (host == NULL)
		return fail(errand, MP_ENOTFOUND, "there is no host %.100s any more", errand->host.text);
	if (host->hold == MP_HOLD_DRAINING)
		return fail(errand, MP_EINVAL, "%s is drained on request: resume it first", host->addr_text);
	if (host->pool.target == 0)
		return fail(errand, MP_EINVAL, "%s gets no connections: its datacentre is not in use",
		            host->addr_text);
	if (host->state == MP_HOST_UP && host->pool.ready_count >= host->pool.target)
		return true;
	if (errand->rests_until_ns != 0 && now_ns(errand) >= errand->rests_until_ns)
		attempt(errand, host);
	if (errand->rests_until_ns != 0 || host->pool.failed_total <= errand->failures_before)
		return false;
	if (errand->attempts_left == 0)
		return fail_as_host(errand, host);
	errand->rests_until_ns = now_ns(errand) + errand->delay_ms * UINT64_C(1000000);
	errand->delay_ms = errand->delay_ms > MOST_DELAY_MS / 2 ? MOST_DELAY_MS : errand->delay_ms * 2;
	return false;
}

struct mp_errand *mp_errand_recover(struct mp_session *session, const struct mp_host *host, uint32_t attempts,
                                    uint32_t delay_ms, struct mp_error *error)
{
	struct mp_errand *errand = make(session, host->addr_text, 0, is_whole, error);
	if (errand == NULL)
		return NULL;
	errand->attempts_left = attempts;
	errand->delay_ms = delay_ms < MOST_DELAY_MS ? delay_ms : MOST_DELAY_MS;
	errand->rests_until_ns = 1; // the first one is due
	return errand;
}

// ---- another datacentre -----------------------------------------------------------------------------------

static bool does_serve(struct mp_errand *errand, bool is_late)
{
	const char *serving = mp_session_serving_dc(errand->session);
	const char *wanted = errand->host.text;
	if (wanted[0] == '\0' || (serving != NULL && strcmp(serving, wanted) == 0))
		return true;
	return is_late &&
	       fail(errand, MP_ETIMEOUT,
	            "datacentre %.100s does not serve yet: it will when a host of it is connected", wanted);
}

struct mp_errand *mp_errand_serve(struct mp_session *session, struct mp_str dc, uint32_t timeout_ms,
                                  struct mp_error *error)
{
	const char *home = session->policies.serving.decide == NULL ? mp_session_local_dc(session) : NULL;
	struct mp_errand *errand = make(session, home != NULL ? home : "", timeout_ms, does_serve, error);
	if (errand == NULL)
		return NULL;
	if (dc.len > 0)
		snprintf(errand->host.text, sizeof(errand->host.text), "%.*s", (int)dc.len, dc.data);
	if (mp_session_serve_from(session, dc, error) == 0)
		return errand;
	mp_free(errand);
	return NULL;
}

// ---- one node more ----------------------------------------------------------------------------------------

static void format(const struct mp_addr *addr, char text[MP_ADDR_TEXT])
{
	if (addr->port == 0)
		mp_addr_format_ip(addr, text);
	else
		mp_addr_format(addr, text);
}

const struct mp_host *mp_node_find(const struct mp_session *session, const struct mp_node_name *node)
{
	const struct mp_host *host = mp_session_host_find(session, node->text);
	for (size_t i = 0; host == NULL && i < node->addr_count; i++) {
		char text[MP_ADDR_TEXT];
		format(&node->addrs[i], text);
		host = mp_session_host_find(session, text);
	}
	return host;
}

// False: it has failed.
static bool ask(struct mp_errand *errand)
{
	if (now_ns(errand) < errand->ask_at_ns)
		return true;
	errand->ask_at_ns = now_ns(errand) + ASK_EVERY_NS;
	for (size_t i = 0; i < errand->host.addr_count; i++) {
		int rc = mp_session_admit(errand->session, &errand->host.addrs[i]);
		if (rc != 0)
			return !fail(errand, rc, "%s", mp_err_text(rc));
	}
	return true;
}

// Nothing of the cluster is there: with the addresses, where its name does not say them.
static bool fail_unnamed(struct mp_errand *errand)
{
	const struct mp_node_name *node = &errand->host;
	char all[128] = "", text[MP_ADDR_TEXT];
	for (size_t i = 0, len = 0; i < node->addr_count && len < sizeof(all); i++) {
		format(&node->addrs[i], text);
		if (strcmp(text, node->text) != 0)
			len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", len > 0 ? ", " : "", text);
	}
	return fail(errand, MP_ENOTFOUND,
	            "no node of the cluster is at %.80s%s%.60s%s: it is used as soon as the cluster names it",
	            node->text, all[0] != '\0' ? " (" : "", all, all[0] != '\0' ? ")" : "");
}

static bool has_joined(struct mp_errand *errand, bool is_late)
{
	if (!ask(errand))
		return true;
	const struct mp_host *host = mp_node_find(errand->session, &errand->host);
	if (host != NULL && (host->state == MP_HOST_UP || host->pool.target == 0))
		return true;
	if (!is_late)
		return false;
	if (host == NULL)
		return fail_unnamed(errand);
	if (host->down_err != 0)
		return fail_as_host(errand, host);
	return fail(errand, MP_ETIMEOUT, "%s is a node of the cluster and is not connected yet", host->addr_text);
}

struct mp_errand *mp_errand_join(struct mp_session *session, const struct mp_node_name *node,
                                 uint32_t timeout_ms, struct mp_error *error)
{
	struct mp_errand *errand = make(session, "", timeout_ms, has_joined, error);
	if (errand != NULL)
		errand->host = *node;
	return errand;
}

// ---- one node less ----------------------------------------------------------------------------------------

int mp_node_expel(struct mp_session *session, const struct mp_host *host, bool drain,
                  struct mp_leaving *leaving, struct mp_error *error)
{
	*leaving = (struct mp_leaving){
		.slot = host->index,
		.generation = session->view.hosts[host->index].generation,
		.drains = drain,
	};
	snprintf(leaving->name, sizeof(leaving->name), "%s", host->addr_text);
	int rc = mp_session_expel(session, host->index, drain);
	if (rc == MP_EINVAL)
		mp_error_set(error, rc, -1, "%s is the last host in use: without it no request could be served",
		             leaving->name);
	else if (rc != 0)
		mp_error_set(error, rc, -1, "%s", mp_err_text(rc));
	return rc;
}

static bool has_left(struct mp_errand *errand, bool is_late)
{
	const struct mp_leaving *leaving = &errand->leaving;
	size_t left = mp_session_left_of(errand->session, leaving->slot, leaving->generation);
	if (left == 0 || !is_late || !leaving->drains) // those that were closed at once are as good as gone
		return left == 0;
	mp_session_cut(errand->session, leaving->slot, leaving->generation);
	return fail(errand, MP_ETIMEOUT, "%s is removed; %zu connections still carried requests and were closed",
	            leaving->name, left);
}

struct mp_errand *mp_errand_leave(struct mp_session *session, const struct mp_leaving *leaving,
                                  uint32_t timeout_ms, struct mp_error *error)
{
	struct mp_errand *errand = make(session, leaving->name, timeout_ms, has_left, error);
	if (errand != NULL)
		errand->leaving = *leaving;
	return errand;
}
