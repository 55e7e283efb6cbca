// SPDX-License-Identifier: Apache-2.0
// The ring of the decision log: which requests are noted, what of them, and when lines are made of it.
#include "cluster/decisions/decisions.h"

#include <string.h>

#include "base/mem.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

#define WRITE_AT      (MP_DECISIONS_KEPT / 4) // records that wait: they are written without waiting for the tick
#define WRITE_AT_ONCE 64u                     // records of one turn

// ---- a record ---------------------------------------------------------------------------------------------

static struct mp_decision *record(const struct mp_decisions *decisions, uint32_t number)
{
	struct mp_decision *decision = &decisions->ring[number % MP_DECISIONS_KEPT];
	return decision->number == number ? decision : NULL;
}

static struct mp_decision *begin(struct mp_decisions *decisions)
{
	struct mp_session *session = decisions->session;
	if (++decisions->begun == 0)
		decisions->begun = 1;
	struct mp_decision *decision = &decisions->ring[decisions->begun % MP_DECISIONS_KEPT];
	if (decision->number != 0 && !decision->has_ended)
		session->counters.decisions_lost++; // it has taken as long as a whole round of the ring
	memset(decision, 0, offsetof(struct mp_decision, hosts));
	decision->number = decisions->begun;
	session->counters.decisions++;
	return decision;
}

static void copy_text(char to[MP_DECISION_TEXT], struct mp_str text)
{
	size_t len = text.len < MP_DECISION_TEXT - 1 ? text.len : MP_DECISION_TEXT - 1;
	if (len > 0)
		memcpy(to, text.data, len);
	to[len] = '\0';
}

static const struct mp_column *a_column(const struct mp_metadata *metadata)
{
	return metadata != NULL && metadata->column_count > 0 ? metadata->columns : NULL;
}

// Of a prepared statement both are known by what its columns say; of a text, the keyspace alone.
static void note_names(struct mp_decision *decision, const struct mp_request *request,
                       const struct mp_session *session)
{
	const struct mp_prepared *prepared = request->prepared;
	const struct mp_column *column = prepared != NULL ? a_column(prepared->params) : NULL;
	if (column == NULL && prepared != NULL)
		column = a_column(prepared->result);
	if (column != NULL) {
		copy_text(decision->keyspace, column->keyspace);
		copy_text(decision->table, column->table);
		return;
	}
	const char *keyspace = mp_names_text(&session->keyspaces.names, request->state->keyspace_id);
	if (keyspace != NULL)
		copy_text(decision->keyspace, mp_str_of(keyspace));
}

static void note_policy(struct mp_decision *decision, const struct mp_policy_calls *policies)
{
	const struct mp_balance_policy *policy = &policies->balance;
	const char *name = "default";
	decision->is_canary = (decision->request.arms & MP_ARM_BALANCE) != 0;
	if (decision->is_canary)
		policies->canary.identify(policies->canary.self, decision->request.arms, &name,
		                          &decision->generation);
	else if (policy->identify != NULL)
		policy->identify(policy->self, &name, &decision->generation);
	copy_text(decision->policy, mp_str_of(name));
}

// ---- the hosts of a record --------------------------------------------------------------------------------

static uint8_t flags_of(const struct mp_host_view *host)
{
	return (
		uint8_t)((host->isUp ? MP_DECISION_UP : 0) | (host->isLocal ? MP_DECISION_LOCAL : 0) |
	             (host->isLocalRack ? MP_DECISION_LOCAL_RACK : 0) | (host->isNewlyUp ? MP_DECISION_NEW : 0) |
	             (host->breakerHalfOpen ? MP_DECISION_HALF_OPEN : 0) | (host->isShut ? MP_DECISION_SHUT : 0));
}

// Its place among the record's hosts; MP_DECISION_HOSTS: there is no room, or no such host.
static uint8_t note_host(struct mp_decision *decision, const struct mp_session *session, uint16_t slot,
                         double now_ms)
{
	for (uint8_t i = 0; i < decision->host_count; i++)
		if (decision->hosts[i].slot == slot)
			return i;
	if (decision->host_count == MP_DECISION_HOSTS || slot >= MP_HOSTS_MAX ||
	    session->hosts.slots[slot] == NULL)
		return MP_DECISION_HOSTS;
	const struct mp_host_view *host = &session->view.hosts[slot];
	double age_ms = host->latencyAtMs > 0 ? now_ms - host->latencyAtMs : 0;
	decision->hosts[decision->host_count] = (struct mp_decision_host){
		.slot = slot,
		.dc = host->dcId,
		.rack = host->rackId,
		.flags = flags_of(host),
		.generation = host->generation,
		.in_flight = host->inFlight,
		.latency_us = host->latencyUs,
		.latency_age_ms = age_ms < 4e9 ? (uint32_t)age_ms : UINT32_MAX,
		.marks = host->marks,
		.weight = (float)host->weight,
	};
	return (uint8_t)decision->host_count++;
}

static void note_replicas(struct mp_decision *decision, const struct mp_session *session,
                          const struct mp_plan *plan, double now_ms)
{
	uint32_t count = 0;
	const uint16_t *replicas = NULL;
	if (plan->has_token && plan->placement != NULL)
		replicas = mp_placement_find(plan->placement, plan->token, &count);
	decision->has_placement = replicas != NULL;
	for (uint32_t i = 0; replicas != NULL && i < count && i < UINT8_MAX; i++) {
		uint8_t at = note_host(decision, session, replicas[i], now_ms);
		if (at < MP_DECISION_HOSTS)
			decision->hosts[at].replica = (uint8_t)(i + 1);
	}
}

// The plan as it would go on if nothing changed: walked on a copy.
static void note_plan(struct mp_decision *decision, const struct mp_session *session,
                      const struct mp_plan *plan, double now_ms)
{
	struct mp_plan walk = *plan;
	uint8_t step = 0;
	decision->step_count = plan->step_count;
	memcpy(decision->steps, plan->steps, plan->step_count * sizeof(plan->steps[0]));
	while (decision->planned_count < MP_DECISION_PLANNED) {
		uint16_t slot = mp_plan_next(&walk, &step);
		uint8_t at = slot == MP_NO_HOST ? MP_DECISION_HOSTS : note_host(decision, session, slot, now_ms);
		if (at == MP_DECISION_HOSTS)
			break;
		decision->planned[decision->planned_count].host = at;
		decision->planned[decision->planned_count++].step = step;
	}
}

// The others, from anywhere in the list, so that of very many not always the same ones are seen.
static void note_others(struct mp_decision *decision, const struct mp_session *session, double now_ms)
{
	uint32_t count = session->view.host_count;
	uint32_t first = count > MP_DECISION_HOSTS ? (uint32_t)(decision->chance % count) : 0;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t slot = (uint16_t)((first + i) % count);
		if (session->hosts.slots[slot] == NULL)
			continue;
		decision->host_total++;
		if (decision->host_count < MP_DECISION_HOSTS)
			(void)note_host(decision, session, slot, now_ms);
	}
}

MP_COLD void mp_decisions_note(struct mp_decisions *decisions, struct mp_request *request,
                               const struct mp_request_view *view, uint64_t chance, bool by_policy)
{
	struct mp_session *session = decisions->session;
	const struct mp_plan *plan = &request->state->plan;
	struct mp_decision *decision = begin(decisions);
	double now_ms = (double)mp_loop_now_ms(session->loop);
	mp_sampler_next(&decisions->sampler, session->config.decisions.sample);
	request->state->decision = decision->number;
	decision->is_fallback = !by_policy;
	decision->is_refused = plan->refused;
	decision->is_batch = request->batch != NULL;
	decision->at_us = mp_loop_wall_us(session->loop);
	decision->request = *view;
	decision->token = request->state->token;
	decision->chance = chance;
	decision->turn = plan->has_turn ? plan->turn : session->view.turn;
	decision->local_dc = session->view.local_dc;
	decision->answered_by = MP_NO_HOST;
	note_names(decision, request, session);
	note_policy(decision, &session->policies);
	note_replicas(decision, session, plan, now_ms);
	note_plan(decision, session, plan, now_ms);
	note_others(decision, session, now_ms);
}

// ---- its end ----------------------------------------------------------------------------------------------

static void end(struct mp_decisions *decisions, struct mp_decision *decision)
{
	decision->has_ended = true;
	if (decisions->file.path == NULL)
		return;
	if (decisions->ended_count == MP_DECISIONS_KEPT) { // the oldest of them is overwritten in the ring, too
		decisions->ended_first = (decisions->ended_first + 1) % MP_DECISIONS_KEPT;
		decisions->ended_count--;
		decisions->session->counters.decisions_lost++;
	}
	decisions->ended[(decisions->ended_first + decisions->ended_count++) % MP_DECISIONS_KEPT] =
		decision->number;
	if (decisions->ended_count >= WRITE_AT)
		mp_task_post(decisions->session->loop, &decisions->write, MP_PHASE_FLUSH);
}

// The record of a request, which has it no more. NULL: it is overwritten.
static struct mp_decision *leave(struct mp_request *request)
{
	struct mp_decisions *decisions = &request->session->decisions;
	uint32_t number = request->state->decision;
	request->state->decision = 0;
	return decisions->ring != NULL && number != 0 ? record(decisions, number) : NULL;
}

MP_COLD void mp_decisions_ended(struct mp_request *request, const struct mp_outcome *outcome)
{
	struct mp_decision *decision = leave(request);
	if (decision == NULL)
		return;
	decision->answered_by = outcome->host != NULL ? outcome->host->index : MP_NO_HOST;
	decision->attempts = outcome->attempts;
	decision->latency_us = outcome->latency_ns / 1000;
	if (outcome->error != NULL) {
		copy_text(decision->code, mp_str_of(mp_error_code(outcome->error)));
		decision->maybe_applied = outcome->error->maybe_applied;
	}
	end(&request->session->decisions, decision);
}

MP_COLD void mp_decisions_dropped(struct mp_request *request, int err)
{
	struct mp_decision *decision = leave(request);
	if (decision == NULL)
		return;
	copy_text(decision->code, mp_str_of(mp_err_name(err)));
	decision->attempts = request->state->attempt_count;
	decision->latency_us = (mp_loop_now_ns(request->session->loop) - request->state->submitted_ns) / 1000;
	end(&request->session->decisions, decision);
}

// ---- lines ------------------------------------------------------------------------------------------------

static void write_some(struct mp_decisions *decisions, uint32_t most)
{
	struct mp_session *session = decisions->session;
	uint64_t most_bytes = session->config.decisions.keep_bytes / 16; // a file takes several such pieces
	mp_buf_clear(&decisions->lines);
	for (; decisions->ended_count > 0 && most > 0 && decisions->lines.len < most_bytes; most--) {
		uint32_t number = decisions->ended[decisions->ended_first];
		decisions->ended_first = (decisions->ended_first + 1) % MP_DECISIONS_KEPT;
		decisions->ended_count--;
		const struct mp_decision *decision = record(decisions, number);
		if (decision == NULL)
			session->counters.decisions_lost++;
		else
			mp_decision_line(decision, session, &decisions->lines);
	}
	if (decisions->lines.len > 0 && mp_buf_status(&decisions->lines) == 0)
		(void)mp_decision_file_add(&decisions->file, decisions->lines.data, decisions->lines.len,
		                           &session->log, mp_loop_now_ms(session->loop));
}

static void on_write(void *data)
{
	struct mp_decisions *decisions = data;
	write_some(decisions, WRITE_AT_ONCE);
	if (decisions->ended_count > 0)
		mp_task_post(decisions->session->loop, &decisions->write, MP_PHASE_FLUSH);
}

void mp_decisions_tick(struct mp_decisions *decisions)
{
	if (decisions->ended_count > 0)
		mp_task_post(decisions->session->loop, &decisions->write, MP_PHASE_FLUSH);
}

void mp_decisions_flush(struct mp_decisions *decisions)
{
	while (decisions->ended_count > 0)
		write_some(decisions, WRITE_AT_ONCE);
}

bool mp_session_has_decisions(const struct mp_session *session)
{
	return session->decisions.ring != NULL;
}

void mp_session_each_decision(struct mp_session *session, uint32_t count, struct mp_buf *line,
                              void (*fn)(void *data, const char *line, size_t len), void *data)
{
	struct mp_decisions *decisions = &session->decisions;
	if (decisions->ring == NULL)
		return;
	uint32_t most = decisions->begun < MP_DECISIONS_KEPT ? decisions->begun : MP_DECISIONS_KEPT;
	for (uint32_t left = count < most ? count : most; left > 0; left--) {
		const struct mp_decision *decision = record(decisions, decisions->begun - left + 1);
		mp_buf_clear(line);
		if (decision != NULL)
			mp_decision_line(decision, session, line);
		if (line->len > 1 && mp_buf_status(line) == 0)
			fn(data, (const char *)line->data, line->len - 1);
	}
}

// ---- life -------------------------------------------------------------------------------------------------

void mp_decisions_init(struct mp_decisions *decisions, struct mp_session *session)
{
	*decisions = (struct mp_decisions){.session = session};
	mp_sampler_stop(&decisions->sampler);
	mp_buf_init(&decisions->lines);
	mp_task_init(&decisions->write, on_write, decisions);
	mp_decision_file_init(&decisions->file);
	mp_decisions_reconfigure(decisions);
}

static void let_go(struct mp_decisions *decisions)
{
	mp_free(decisions->ring);
	mp_free(decisions->ended);
	decisions->ring = NULL;
	decisions->ended = NULL;
	decisions->ended_count = 0;
	mp_sampler_stop(&decisions->sampler);
}

void mp_decisions_deinit(struct mp_decisions *decisions)
{
	if (!mp_loop_is_forked(decisions->session->loop))
		mp_decisions_flush(decisions);
	mp_task_cancel(decisions->session->loop, &decisions->write);
	mp_decision_file_close(&decisions->file);
	let_go(decisions);
	mp_buf_deinit(&decisions->lines);
}

static bool follow_file(struct mp_decisions *decisions, const struct mp_decision_rules *rules)
{
	struct mp_session *session = decisions->session;
	struct mp_decision_file *file = &decisions->file;
	if (rules->file == NULL) {
		mp_decision_file_close(file);
		return true;
	}
	file->keep_bytes = rules->keep_bytes;
	return (file->path != NULL && strcmp(file->path, rules->file) == 0) ||
	       mp_decision_file_open(file, rules->file, rules->keep_bytes, &session->log,
	                             mp_loop_now_ms(session->loop)) == 0;
}

void mp_decisions_reconfigure(struct mp_decisions *decisions)
{
	struct mp_session *session = decisions->session;
	const struct mp_decision_rules *rules = &session->config.decisions;
	mp_decisions_flush(decisions);
	if (!rules->enabled || !(rules->sample > 0)) {
		mp_decision_file_close(&decisions->file);
		let_go(decisions);
		return;
	}
	if (decisions->ring == NULL) {
		decisions->ring = mp_calloc(MP_DECISIONS_KEPT, sizeof(*decisions->ring));
		decisions->ended = mp_calloc(MP_DECISIONS_KEPT, sizeof(*decisions->ended));
		decisions->ended_first = 0;
	}
	if (decisions->ring == NULL || decisions->ended == NULL || !follow_file(decisions, rules)) {
		mp_log_write(&session->log, MP_LOG_ERROR, "decisionLog: out of memory: nothing is noted");
		let_go(decisions);
		return;
	}
	decisions->sampler.chance = mp_loop_clock_ns(session->loop) ^ (uintptr_t)decisions->begun;
	mp_sampler_next(&decisions->sampler, session->config.decisions.sample);
}
