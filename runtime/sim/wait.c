// SPDX-License-Identifier: Apache-2.0
// Requests that cannot be answered yet: a replica is believed alive but does not answer. Each ends by an
// acknowledgement, by a successful retry, by its timeout, or with its connection.
#include "sim/coord.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

struct mp_sim_wait {
	struct mp_list_node node;      // of the cluster
	struct mp_list_node conn_node; // of the connection
	uint64_t number;
	struct mp_sim_link *conn;
	struct mp_timer timer;
	bool delay; // only a delay: nothing is waited for
	bool due;   // the timer fired while the coordinator was paused
	bool kept;  // the request that was tried again waits on
	struct mp_sim_wait_spec spec;
	struct mp_sim_strategy strategy;
	struct mp_sim_rule *rule;
	struct mp_envelope envelope; // its body is `body`
	bool tracing;
	struct mp_uuid trace_id;
	uint8_t body[];
};

uint64_t mp_sim_wait_reserve(struct mp_sim_cluster *cluster)
{
	return ++cluster->last_wait;
}

// The cluster's list is in the order of the numbers.
static void give_number(struct mp_sim_wait *wait, uint64_t number)
{
	struct mp_sim_cluster *cluster = wait->conn->owner->cluster;
	wait->number = number != 0 ? number : ++cluster->last_wait;
	mp_list_remove(&cluster->waits, &wait->node);
	mp_list_push_back(&cluster->waits, &wait->node);
}

static void wait_free(struct mp_sim_wait *wait)
{
	mp_timer_stop(&wait->timer);
	mp_list_remove(&wait->conn->owner->cluster->waits, &wait->node);
	mp_list_remove(&wait->conn->waiting, &wait->conn_node);
	mp_sim_rule_unref(wait->rule);
	mp_free(wait);
}

void mp_sim_wait_free_all(struct mp_sim_link *conn)
{
	struct mp_list_node *node;
	while ((node = mp_list_first(&conn->waiting)) != NULL)
		wait_free(MP_CONTAINER_OF(node, struct mp_sim_wait, conn_node));
}

// Runs `work` on a wait and then frees it, unless its connection died in there and took it along.
static void finish(struct mp_sim_wait *wait, void (*work)(struct mp_sim_wait *wait))
{
	struct mp_sim_link *conn = wait->conn;
	bool outer = conn->in_call;
	conn->in_call = true;
	wait->kept = false;
	work(wait);
	if (!conn->dead && !wait->kept)
		wait_free(wait);
	conn->in_call = outer;
	if (conn->dead && !outer)
		mp_sim_link_reap(conn);
}

static void answer_with(struct mp_sim_wait *wait, void (*answer)(struct mp_sim_request *req))
{
	struct mp_sim_request req = {.conn = wait->conn,
	                             .envelope = wait->envelope,
	                             .rule = wait->rule,
	                             .tracing = wait->tracing,
	                             .trace_id = wait->trace_id};
	const struct mp_sim_cluster *cluster = wait->conn->owner->cluster;
	struct mp_error_body *body = &req.err.body;
	body->consistency = wait->spec.level;
	body->write_type = wait->spec.write_type;
	body->data_present = wait->spec.data_present;
	mp_sim_level_reached(cluster, &wait->strategy, wait->spec.level, wait->conn->owner->dc, &wait->spec.acks,
	                     &body->required, &body->received);
	mp_sim_fail(&req.err, wait->spec.code, "Operation timed out - received only %d responses.",
	            body->received);
	answer(&req);
}

static void do_timeout(struct mp_sim_wait *wait)
{
	answer_with(wait, mp_sim_answer_error);
}

static void do_success(struct mp_sim_wait *wait)
{
	answer_with(wait, mp_sim_answer_void);
}

static void do_again(struct mp_sim_wait *wait)
{
	mp_sim_serve_again(wait->conn, &wait->envelope, wait->rule, wait->delay ? NULL : wait);
}

static void fire(void *data)
{
	struct mp_sim_wait *wait = data;
	wait->due = wait->conn->owner->paused;
	if (!wait->due)
		finish(wait, wait->delay ? do_again : do_timeout);
}

static struct mp_sim_wait *wait_new(struct mp_sim_request *req)
{
	struct mp_sim_wait *wait = mp_calloc(1, sizeof(*wait) + req->envelope.body_len);
	if (wait == NULL)
		return NULL;
	wait->conn = req->conn;
	wait->envelope = req->envelope;
	if (req->envelope.body_len > 0)
		memcpy(wait->body, req->envelope.body, req->envelope.body_len);
	wait->envelope.body = wait->body;
	wait->rule = req->rule;
	if (wait->rule != NULL)
		mp_sim_rule_ref(wait->rule);
	wait->tracing = req->tracing;
	wait->trace_id = req->trace_id;
	mp_timer_init(&wait->timer, req->conn->owner->cluster->loop, fire, wait);
	mp_list_node_init(&wait->node);
	mp_list_node_init(&wait->conn_node);
	mp_list_push_back(&req->conn->owner->cluster->waits, &wait->node);
	mp_list_push_back(&req->conn->waiting, &wait->conn_node);
	return wait;
}

static int start(struct mp_sim_request *req, struct mp_sim_wait *wait, uint32_t ms)
{
	if (wait == NULL)
		return mp_sim_fail_nomem(&req->err);
	if (mp_timer_start_ms(&wait->timer, ms) < 0) {
		wait_free(wait);
		return mp_sim_fail_nomem(&req->err);
	}
	req->answered = true;
	return 0;
}

int mp_sim_wait_begin(struct mp_sim_request *req, const struct mp_sim_wait_spec *spec)
{
	struct mp_sim_wait *wait = req->wait;
	if (wait != NULL) {
		wait->kept = true;
		req->answered = true;
	} else {
		wait = wait_new(req);
		int rc = start(req, wait, spec->timeout_ms);
		if (rc < 0)
			return rc;
	}
	give_number(wait, spec->number);
	wait->spec = *spec;
	wait->strategy = *spec->strategy;
	wait->spec.strategy = &wait->strategy;
	return 0;
}

void mp_sim_wait_trace(const struct mp_sim_wait *wait, struct mp_sim_request *req)
{
	req->tracing = wait->tracing;
	req->trace_id = wait->trace_id;
}

int mp_sim_wait_delay(struct mp_sim_request *req, uint32_t delay_ms)
{
	struct mp_sim_wait *wait = wait_new(req);
	if (wait != NULL) {
		wait->delay = true;
		give_number(wait, 0);
		// The delay was all that the rule had to do.
		mp_sim_rule_unref(wait->rule);
		wait->rule = NULL;
	}
	return start(req, wait, delay_ms);
}

void mp_sim_wait_ack(struct mp_sim_cluster *cluster, uint64_t number, const struct mp_sim_node *node)
{
	if (number == 0)
		return;
	struct mp_list_node *at = mp_list_first(&cluster->waits);
	while (at != NULL && MP_CONTAINER_OF(at, struct mp_sim_wait, node)->number < number)
		at = mp_list_next(&cluster->waits, at);
	struct mp_sim_wait *wait = at == NULL ? NULL : MP_CONTAINER_OF(at, struct mp_sim_wait, node);
	if (wait == NULL || wait->number != number)
		return;
	int32_t required, have;
	mp_sim_count_node(&wait->spec.acks, node);
	if (!wait->spec.retry && mp_sim_level_reached(cluster, &wait->strategy, wait->spec.level,
	                                              wait->conn->owner->dc, &wait->spec.acks, &required, &have))
		finish(wait, do_success);
}

// The first wait behind a number that is to be tried again, or is due: the list may change while one is worked on.
static struct mp_sim_wait *next_wait(struct mp_sim_cluster *cluster, uint64_t after, bool retry)
{
	struct mp_list_node *at = mp_list_first(&cluster->waits);
	for (; at != NULL; at = mp_list_next(&cluster->waits, at)) {
		struct mp_sim_wait *wait = MP_CONTAINER_OF(at, struct mp_sim_wait, node);
		bool fits = retry ? wait->spec.retry && wait->number > after && !wait->conn->owner->paused
		                  : wait->due && !wait->conn->owner->paused;
		if (fits)
			return wait;
	}
	return NULL;
}

void mp_sim_wait_retry_all(struct mp_sim_cluster *cluster)
{
	struct mp_sim_wait *wait;
	uint64_t last = cluster->last_wait, done = 0;
	while ((wait = next_wait(cluster, done, true)) != NULL && wait->number <= last) {
		done = wait->number;
		finish(wait, do_again);
	}
	while ((wait = next_wait(cluster, 0, false)) != NULL) {
		wait->due = false;
		finish(wait, wait->delay ? do_again : do_timeout);
	}
}
