// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/merge.h"

#include <string.h>

#include "cluster/request/batch.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

#define OPEN_MAX  64u // merges; with one more the oldest leaves
#define NS_PER_MS UINT64_C(1000000)

static void on_end_of_turn(void *data);
static void on_timer(void *data);

void mp_merges_init(struct mp_merges *merges, struct mp_session *session)
{
	*merges = (struct mp_merges){.session = session, .on = session->config.batching.enabled};
	mp_slab_init(&merges->slab, sizeof(struct mp_merge), NULL, NULL);
	mp_list_init(&merges->open);
	mp_task_init(&merges->task, on_end_of_turn, merges);
	mp_timer_init(&merges->timer, session->loop, on_timer, merges);
}

void mp_merges_deinit(struct mp_merges *merges)
{
	mp_assert(merges->open.count == 0 && merges->sent == 0);
	mp_task_cancel(merges->session->loop, &merges->task);
	mp_timer_stop(&merges->timer);
	mp_slab_deinit(&merges->slab);
}

// ---- members by token -------------------------------------------------------------------------------------

static struct mp_request_state **chain_of(struct mp_merges *merges, int64_t token)
{
	return &merges->by_token[(uint64_t)token >> 56]; // tokens are hashes
}

static void enter_chain(struct mp_merges *merges, struct mp_request_state *state)
{
	struct mp_request_state **chain = chain_of(merges, state->token);
	state->same_chain = *chain;
	*chain = state;
}

static void leave_chain(struct mp_merges *merges, const struct mp_request_state *state)
{
	struct mp_request_state **at = chain_of(merges, state->token);
	while (*at != state)
		at = &(*at)->same_chain;
	*at = state->same_chain;
}

// The open merge that writes to this partition, or to another one of the same token; NULL: none.
static struct mp_merge *find_partition(struct mp_merges *merges, int64_t token)
{
	struct mp_request_state *state = *chain_of(merges, token);
	while (state != NULL && state->token != token)
		state = state->same_chain;
	return state != NULL ? state->merge : NULL;
}

void mp_merge_leave(struct mp_request *request)
{
	struct mp_merge *merge = request->state->merge;
	if (merge->is_open)
		leave_chain(&merge->session->merges, request->state);
}

// ---- the end of a merge -----------------------------------------------------------------------------------

static void free_merge(struct mp_merge *merge)
{
	struct mp_session *session = merge->session;
	mp_assert(merge->members.count == 0);
	merge->carrier->state->is_carrier = false;
	mp_request_give(merge->carrier);
	mp_slab_give(&session->merges.slab, merge);
}

static struct mp_request *first_member(const struct mp_merge *merge)
{
	struct mp_list_node *node = mp_list_first(&merge->members);
	return node != NULL ? mp_request_at(node) : NULL;
}

// The carrier was not sent.
static void fail_members(struct mp_merge *merge, int err, const char *why)
{
	struct mp_request *member;
	while ((member = first_member(merge)) != NULL)
		mp_request_fail(member, MP_REQUEST_LATER, err, "%s", why);
}

static void answer_members(struct mp_merge *merge, const struct mp_outcome *outcome)
{
	struct mp_request *member;
	while ((member = first_member(merge)) != NULL) {
		struct mp_outcome own = *outcome;
		member->state->attempt_count = outcome->attempts;
		mp_request_end(member, &own);
	}
}

static void tell_members(struct mp_merge *merge, const struct mp_outcome *outcome)
{
	struct mp_request *member;
	while ((member = first_member(merge)) != NULL) {
		struct mp_outcome own = {.host = outcome->host};
		struct mp_error *error = mp_request_error(member);
		*error = *outcome->error;
		member->state->attempt_count = outcome->attempts;
		own.error = error;
		mp_request_end(member, &own);
	}
}

static void send_members(struct mp_merge *merge)
{
	struct mp_request *member;
	while ((member = first_member(merge)) != NULL) {
		merge->session->counters.unmerged++;
		mp_request_start_alone(member);
	}
}

// Refused because of what one of them is, or of how many they are: the others are told something else alone. They are
// all idempotent, so the gate allows it whatever was stored.
static bool is_of_one(const struct mp_error *error)
{
	if (error->err == MP_ECHANGED || error->err == MP_ETOOBIG)
		return true;
	if (error->err != MP_ESERVER)
		return false;
	switch (error->server_code) {
	case MP_SE_INVALID:
	case MP_SE_SYNTAX_ERROR:
	case MP_SE_UNAUTHORIZED:
	case MP_SE_CONFIG_ERROR:
	case MP_SE_FUNCTION_FAILURE:
	case MP_SE_WRITE_FAILURE:
	case MP_SE_UNPREPARED: return true;
	default: return false;
	}
}

static void on_carried(struct mp_request *carrier, const struct mp_outcome *outcome)
{
	struct mp_merge *merge = carrier->data[0];
	merge->session->merges.sent--;
	if (outcome->error == NULL)
		answer_members(merge, outcome);
	else if (is_of_one(outcome->error) && merge->session->state == MP_SESSION_OPEN)
		send_members(merge);
	else
		tell_members(merge, outcome);
	free_merge(merge);
}

// ---- sending ----------------------------------------------------------------------------------------------

// Nobody joins it any more.
static void close_merge(struct mp_merge *merge)
{
	struct mp_merges *merges = &merge->session->merges;
	mp_list_remove(&merges->open, &merge->node);
	merge->is_open = false;
	struct mp_list_node *node = mp_list_first(&merge->members);
	for (; node != NULL; node = mp_list_next(&merge->members, node))
		leave_chain(merges, mp_request_at(node)->state);
}

static void send_carrier(struct mp_merge *merge)
{
	struct mp_session *session = merge->session;
	struct mp_request *carrier = merge->carrier;
	uint64_t waited_ms = (mp_loop_now_ns(session->loop) - merge->opened_ns) / NS_PER_MS;
	carrier->options.consistency = merge->key.consistency;
	carrier->options.serial_consistency = merge->key.serial_consistency;
	carrier->options.timeout_ms =
		waited_ms < merge->key.timeout_ms ? merge->key.timeout_ms - (uint32_t)waited_ms : 1;
	carrier->options.tag = merge->key.tag;
	carrier->options.idempotent = true;
	carrier->state->is_carrier = true;
	carrier->data[0] = merge;
	carrier->on_done = on_carried;
	int rc = mp_request_submit(carrier);
	if (rc != 0) {
		fail_members(merge, rc, mp_err_text(rc));
		free_merge(merge);
		return;
	}
	session->merges.sent++;
	session->counters.merges++;
	session->counters.merged += merge->members.count;
}

static void flush(struct mp_merge *merge)
{
	close_merge(merge);
	// What was cancelled meanwhile still stands in the carrier, and must not be sent: the others go one by one.
	if (merge->members.count > 1 && merge->members.count == merge->carrier->batch->count) {
		send_carrier(merge);
		return;
	}
	struct mp_request *alone;
	while ((alone = first_member(merge)) != NULL)
		mp_request_start_alone(alone);
	free_merge(merge);
}

static void break_up(struct mp_merge *merge)
{
	close_merge(merge);
	send_members(merge);
	free_merge(merge);
}

static struct mp_merge *oldest(const struct mp_merges *merges)
{
	struct mp_list_node *node = mp_list_first(&merges->open);
	return node != NULL ? MP_CONTAINER_OF(node, struct mp_merge, node) : NULL;
}

static void flush_all(struct mp_merges *merges)
{
	struct mp_merge *merge;
	while ((merge = oldest(merges)) != NULL)
		flush(merge);
}

static void on_end_of_turn(void *data)
{
	flush_all(data);
}

static uint64_t wait_ns(const struct mp_merges *merges)
{
	return merges->session->config.batching.timeout_ms * NS_PER_MS;
}

// Everything opens for the same time, so they leave in their order. Without memory for the timer: now.
static void watch(struct mp_merges *merges)
{
	const struct mp_merge *merge = oldest(merges);
	if (merge == NULL)
		return;
	if (wait_ns(merges) == 0)
		mp_task_post(merges->session->loop, &merges->task, MP_PHASE_RUN);
	else if (mp_timer_start_at_ns(&merges->timer, merge->opened_ns + wait_ns(merges)) != 0)
		mp_task_post(merges->session->loop, &merges->task, MP_PHASE_RUN);
}

static void on_timer(void *data)
{
	struct mp_merges *merges = data;
	uint64_t now_ns = mp_loop_now_ns(merges->session->loop);
	struct mp_merge *merge;
	while ((merge = oldest(merges)) != NULL && merge->opened_ns + wait_ns(merges) <= now_ns)
		flush(merge);
	watch(merges);
}

void mp_merges_reconfigure(struct mp_merges *merges)
{
	flush_all(merges);
	merges->on = merges->session->config.batching.enabled;
}

void mp_merges_fail_open(struct mp_merges *merges)
{
	struct mp_merge *merge;
	while ((merge = oldest(merges)) != NULL) {
		close_merge(merge);
		fail_members(merge, MP_ECLOSED, "the session was closed");
		free_merge(merge);
	}
}

// ---- joining ----------------------------------------------------------------------------------------------

// By what is known before its partition is looked for.
static bool may_join(const struct mp_merges *merges, const struct mp_request *request)
{
	const struct mp_request_options *options = &request->options;
	const struct mp_request_state *state = request->state;
	const struct mp_prepared *prepared = request->prepared;
	return prepared != NULL && prepared->is_keyed && state->replay_class == MP_REPLAY_IDEMPOTENT &&
	       !options->trace && !options->has_token && !options->has_timestamp &&
	       options->pinned_host == MP_NO_HOST && request->paging_state.data == NULL &&
	       request->payload.len == 0 && request->values.len <= MP_MERGE_BYTES / 2 &&
	       state->timeout_ms / 2 > merges->session->config.batching.timeout_ms &&
	       request->generation == prepared->generation && !mp_prepared_is_doubted(prepared);
}

static void insert_sorted(struct mp_merge_key *key, uint16_t host)
{
	uint16_t at = key->replica_count++;
	for (; at > 0 && key->replicas[at - 1] > host; at--)
		key->replicas[at] = key->replicas[at - 1];
	key->replicas[at] = host;
}

// False: it is not known where its rows are.
static bool make_key(const struct mp_merges *merges, const struct mp_request *request,
                     struct mp_merge_key *key)
{
	struct mp_session *session = merges->session;
	struct mp_placement *placement = mp_keyspaces_use(&session->keyspaces, request->state->keyspace_id);
	uint32_t count = 0;
	const uint16_t *replicas =
		placement != NULL ? mp_placement_find(placement, request->state->token, &count) : NULL;
	if (replicas == NULL || count == 0 || count > MP_MERGE_REPLICAS)
		return false;
	memset(key, 0, sizeof(*key));
	key->keyspace_id = request->state->keyspace_id;
	key->consistency = request->options.consistency;
	key->serial_consistency = request->options.serial_consistency;
	key->timeout_ms = request->state->timeout_ms;
	key->tag = request->options.tag;
	for (uint32_t i = 0; i < count; i++)
		insert_sorted(key, replicas[i]);
	return true;
}

static struct mp_merge *find(const struct mp_merges *merges, const struct mp_merge_key *key)
{
	struct mp_list_node *node = mp_list_first(&merges->open);
	for (; node != NULL; node = mp_list_next(&merges->open, node)) {
		struct mp_merge *merge = MP_CONTAINER_OF(node, struct mp_merge, node);
		if (memcmp(&merge->key, key, sizeof(*key)) == 0)
			return merge;
	}
	return NULL;
}

static struct mp_merge *open_merge(struct mp_merges *merges, const struct mp_merge_key *key)
{
	struct mp_session *session = merges->session;
	if (merges->open.count >= OPEN_MAX)
		flush(oldest(merges));
	struct mp_merge *merge = mp_slab_take(&merges->slab);
	struct mp_request *carrier = merge != NULL ? mp_request_take(session) : NULL;
	if (carrier == NULL || mp_request_batch(carrier, MP_BATCH_UNLOGGED) != 0) {
		if (carrier != NULL)
			mp_request_give(carrier);
		if (merge != NULL)
			mp_slab_give(&merges->slab, merge);
		return NULL;
	}
	*merge = (struct mp_merge){.session = session, .carrier = carrier, .key = *key, .is_open = true};
	merge->opened_ns = mp_loop_now_ns(session->loop);
	mp_list_init(&merge->members);
	mp_list_node_init(&merge->node);
	mp_list_push_back(&merges->open, &merge->node);
	if (merges->open.count == 1)
		watch(merges);
	return merge;
}

// False: there was no memory for it.
static bool join(struct mp_merges *merges, struct mp_request *request, const struct mp_merge_key *key)
{
	struct mp_merge *merge = find(merges, key);
	if (merge != NULL && merge->carrier->values.len + request->values.len > MP_MERGE_BYTES) {
		flush(merge);
		merge = NULL;
	}
	if (merge == NULL)
		merge = open_merge(merges, key);
	if (merge == NULL || mp_batch_add(merge->carrier, request) != 0) {
		if (merge != NULL)
			break_up(merge); // its carrier is spoiled
		return false;
	}
	request->state->merge = merge;
	enter_chain(merges, request->state);
	mp_request_enter(request, MP_REQUEST_MERGED);
	if (merge->carrier->batch->count >= merges->session->config.batching.size)
		flush(merge);
	return true;
}

bool mp_merges_take(struct mp_merges *merges, struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	struct mp_session *session = merges->session;
	struct mp_merge_key key;
	if (state->replay_class == MP_REPLAY_READ)
		return false;
	bool is_known = request->prepared != NULL && request->prepared->is_keyed &&
	                mp_routing_token(request->prepared, &request->values, request->value_count,
	                                 &session->scratch, &state->token);
	if (!is_known) {
		flush_all(merges);
		return false;
	}
	struct mp_merge *same = find_partition(merges, state->token);
	if (same != NULL)
		flush(same);
	return may_join(merges, request) && make_key(merges, request, &key) && join(merges, request, &key);
}
