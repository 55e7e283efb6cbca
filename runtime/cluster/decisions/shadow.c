// SPDX-License-Identifier: Apache-2.0
#include "cluster/decisions/shadow.h"

#include <string.h>

#include "base/mem.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

#define QUESTIONS_MAX 64u
#define HOSTS_BYTES   ((size_t)4 << 20) // of all questions; with very many hosts there are fewer questions
#define HOSTS_LEAST   16u

const char *mp_shadow_difference_name(int difference)
{
	static const char *const names[] = {
#define X(NAME, field, name, meaning) name,
		MP_SHADOW_DIFFERENCES(X)
#undef X
	};
	return names[difference];
}

// ---- room -------------------------------------------------------------------------------------------------

static void forget_first(struct mp_shadow *shadow)
{
	struct mp_shadow_question *question = &shadow->questions[shadow->first];
	mp_placement_unref(question->placement);
	question->placement = NULL;
	shadow->first = (shadow->first + 1) % shadow->room;
	shadow->count--;
}

static void let_go(struct mp_shadow *shadow)
{
	while (shadow->count > 0)
		forget_first(shadow);
	mp_task_cancel(shadow->session->loop, &shadow->ask);
	mp_free(shadow->questions);
	mp_free(shadow->hosts);
	shadow->questions = NULL;
	shadow->hosts = NULL;
	shadow->room = shadow->first = shadow->host_room = 0;
	shadow->wants_room = false;
	mp_sampler_stop(&shadow->sampler);
}

// For the hosts that there are now, and some more. Only while no question waits.
static bool make_room(struct mp_shadow *shadow)
{
	uint32_t known = shadow->session->view.host_count;
	uint32_t host_room = known + known / 4 < HOSTS_LEAST ? HOSTS_LEAST : known + known / 4;
	size_t fit = HOSTS_BYTES / (host_room * sizeof(*shadow->hosts));
	uint32_t room = fit > QUESTIONS_MAX ? QUESTIONS_MAX : fit == 0 ? 1 : (uint32_t)fit;
	struct mp_shadow_question *questions = mp_calloc(room, sizeof(*questions));
	struct mp_host_view *hosts = mp_alloc(room * (size_t)host_room * sizeof(*hosts));
	if (questions == NULL || hosts == NULL) {
		mp_free(questions);
		mp_free(hosts);
		return false;
	}
	mp_free(shadow->questions);
	mp_free(shadow->hosts);
	shadow->questions = questions;
	shadow->hosts = hosts;
	shadow->room = room;
	shadow->host_room = host_room;
	shadow->first = 0;
	shadow->wants_room = false;
	return true;
}

static struct mp_host_view *hosts_of(const struct mp_shadow *shadow,
                                     const struct mp_shadow_question *question)
{
	return shadow->hosts + (size_t)(question - shadow->questions) * shadow->host_room;
}

// ---- a question -------------------------------------------------------------------------------------------

// How the plan would go on if nothing changed: walked on a copy.
static void look(const struct mp_plan *plan, struct mp_shadow_answer *answer)
{
	struct mp_plan walk = *plan;
	uint8_t step = 0;
	*answer = (struct mp_shadow_answer){.refused = plan->refused};
	while (answer->count < MP_SHADOW_HOSTS) {
		uint16_t slot = mp_plan_next(&walk, &step);
		if (slot == MP_NO_HOST)
			return;
		if (answer->count == 0)
			answer->step = walk.steps[step];
		answer->hosts[answer->count++] = slot;
	}
}

static uint32_t generation_of(const struct mp_balance_policy *policy)
{
	const char *name;
	uint32_t generation = 0;
	if (policy->identify != NULL)
		policy->identify(policy->self, &name, &generation);
	return generation;
}

// Replicas that are still being computed would be others when the shadow is asked.
static bool has_room(struct mp_shadow *shadow, const struct mp_placement *placement)
{
	shadow->wants_room = shadow->wants_room || shadow->session->view.host_count > shadow->host_room;
	return !shadow->wants_room && shadow->count < shadow->room &&
	       (placement == NULL || placement->placer == NULL);
}

MP_COLD void mp_shadow_note(struct mp_shadow *shadow, const struct mp_request *request,
                            const struct mp_request_view *view, uint64_t chance)
{
	struct mp_session *session = shadow->session;
	const struct mp_request_state *state = request->state;
	const struct mp_plan *plan = &state->plan;
	mp_sampler_next(&shadow->sampler, session->config.shadow_share);
	if ((session->away && mp_serving_keeps(&session->serving, view)) || (view->arms & MP_ARM_BALANCE) != 0)
		return; // no policy is asked about it, or not the one in force: a candidate for its place
	mp_task_post(session->loop, &shadow->ask, MP_PHASE_AFTER);
	if (!has_room(shadow, state->placement)) {
		session->counters.shadow_missed++;
		return;
	}
	struct mp_shadow_question *question =
		&shadow->questions[(shadow->first + shadow->count++) % shadow->room];
	*question = (struct mp_shadow_question){
		.request = *view,
		.is_batch = request->batch != NULL,
		.token = state->token,
		.chance = chance,
		.turn = plan->has_turn ? plan->turn : session->view.turn,
		.epoch = session->view.epoch,
		.host_count = session->view.host_count,
		.placement = state->placement != NULL ? mp_placement_ref(state->placement) : NULL,
		.generation = generation_of(&session->policies.balance),
	};
	if (question->host_count > 0)
		memcpy(hosts_of(shadow, question), session->view.hosts,
		       question->host_count * sizeof(*shadow->hosts));
	look(plan, &question->serving);
}

// ---- the comparison ---------------------------------------------------------------------------------------

static bool is_replica(const struct mp_shadow_question *question, uint16_t slot)
{
	uint32_t count = 0;
	const uint16_t *replicas = NULL;
	if (question->request.hasToken && question->placement != NULL)
		replicas = mp_placement_find(question->placement, question->token, &count);
	for (uint32_t i = 0; replicas != NULL && i < count; i++)
		if (replicas[i] == slot)
			return true;
	return false;
}

static bool same_first(const struct mp_shadow_answer *a, const struct mp_shadow_answer *b)
{
	if (a->count == 0 || b->count == 0)
		return a->count == b->count && a->refused == b->refused;
	return a->hosts[0] == b->hosts[0];
}

static bool same_hosts(const struct mp_shadow_answer *a, const struct mp_shadow_answer *b)
{
	uint32_t both = 0;
	for (uint8_t i = 0; i < a->count; i++)
		for (uint8_t j = 0; j < b->count; j++)
			both += a->hosts[i] == b->hosts[j] ? 1 : 0;
	return a->count == b->count && both == a->count && a->refused == b->refused;
}

static enum mp_shadow_difference compare(const struct mp_shadow_question *question,
                                         const struct mp_host_view *hosts,
                                         const struct mp_shadow_answer *answer)
{
	const struct mp_shadow_answer *serving = &question->serving;
	if (same_first(serving, answer))
		return MP_SHADOW_SAME;
	if (answer->refused)
		return MP_SHADOW_REFUSED;
	if (answer->count == 0)
		return MP_SHADOW_NO_HOST;
	if (serving->count == 0)
		return MP_SHADOW_FOUND_HOST;
	const struct mp_host_view *was = &hosts[serving->hosts[0]], *is = &hosts[answer->hosts[0]];
	if (was->isLocal != is->isLocal)
		return was->isLocal ? MP_SHADOW_LEFT_DATACENTER : MP_SHADOW_CAME_HOME;
	bool had_row = is_replica(question, serving->hosts[0]), has_row = is_replica(question, answer->hosts[0]);
	if (had_row != has_row)
		return had_row ? MP_SHADOW_NOT_REPLICA : MP_SHADOW_TO_REPLICA;
	return was->isLocalRack && !is->isLocalRack ? MP_SHADOW_LEFT_RACK : MP_SHADOW_OTHER_HOST;
}

static struct mp_shadow_choice choice_of(const struct mp_shadow_answer *answer,
                                         const struct mp_host_view *hosts)
{
	if (answer->count == 0)
		return (struct mp_shadow_choice){.slot = MP_NO_HOST};
	return (struct mp_shadow_choice){answer->hosts[0], hosts[answer->hosts[0]].generation, answer->step};
}

static void note_difference(struct mp_shadow *shadow, enum mp_shadow_difference difference,
                            const struct mp_shadow_question *question, const struct mp_host_view *hosts,
                            const struct mp_shadow_answer *answer)
{
	shadow->figures.differences[difference]++;
	shadow->all[difference]++;
	shadow->examples[difference] = (struct mp_shadow_example){
		.at_us = mp_loop_wall_us(shadow->session->loop),
		.request = question->request,
		.is_batch = question->is_batch,
		.token = question->token,
		.serving = choice_of(&question->serving, hosts),
		.shadow = choice_of(answer, hosts),
	};
}

static void note_latency(struct mp_shadow_figures *figures, const struct mp_shadow_question *question,
                         const struct mp_host_view *hosts, const struct mp_shadow_answer *answer)
{
	if (question->serving.count == 0 || answer->count == 0)
		return;
	uint32_t was_us = hosts[question->serving.hosts[0]].latencyUs;
	uint32_t is_us = hosts[answer->hosts[0]].latencyUs;
	if (was_us == 0 || is_us == 0)
		return;
	double share = 1 / (double)++figures->measured;
	figures->serving_latency_ms += (was_us / 1000.0 - figures->serving_latency_ms) * share;
	figures->latency_ms += (is_us / 1000.0 - figures->latency_ms) * share;
}

// ---- asking -----------------------------------------------------------------------------------------------

static void follow_generations(struct mp_shadow *shadow, const struct mp_shadow_question *question)
{
	uint32_t own = generation_of(&shadow->session->policies.shadow.asked);
	if (own == shadow->own && question->generation == shadow->serving)
		return;
	shadow->own = own;
	shadow->serving = question->generation;
	memset(&shadow->figures, 0, sizeof(shadow->figures));
	memset(shadow->examples, 0, sizeof(shadow->examples));
}

// false: it failed, which may have taken long.
static bool ask(struct mp_shadow *shadow, const struct mp_shadow_question *question)
{
	struct mp_session *session = shadow->session;
	const struct mp_shadow_policy *policy = &session->policies.shadow;
	const struct mp_host_view *hosts = hosts_of(shadow, question);
	struct mp_view_copy *shown = policy->shown;
	struct mp_plan plan;
	struct mp_shadow_answer answer = {0};
	follow_generations(shadow, question);
	mp_view_copy_show(shown, &session->view, hosts, question->host_count);
	shown->view.turn = question->turn;
	mp_plan_init(&plan, &shown->view, question->placement, question->request.hasToken, question->token,
	             question->chance);
	bool ok = policy->asked.plan(policy->asked.self, &question->request, &plan);
	bool answers = ok && (plan.step_count > 0 || plan.refused);
	if (answers)
		look(&plan, &answer);
	enum mp_shadow_difference difference = !ok        ? MP_SHADOW_ERROR
	                                       : !answers ? MP_SHADOW_NO_ANSWER
	                                                  : compare(question, hosts, &answer);
	shadow->figures.asked++;
	session->counters.shadow_asked++;
	session->counters.shadow_errors += ok ? 0 : 1;
	if (difference != MP_SHADOW_SAME) {
		note_difference(shadow, difference, question, hosts, &answer);
	} else {
		shadow->figures.same_first++;
		session->counters.shadow_same++;
	}
	shadow->figures.same_hosts += answers && same_hosts(&question->serving, &answer) ? 1 : 0;
	note_latency(&shadow->figures, question, hosts, &answer);
	return ok;
}

// All of a turn's questions, whose requests have left by now. After one that failed the others are not asked: a shadow
// that takes its time shall not take it for each of them.
static void on_ask(void *data)
{
	struct mp_shadow *shadow = data;
	struct mp_session *session = shadow->session;
	for (bool goes_on = true; shadow->count > 0; forget_first(shadow)) {
		const struct mp_shadow_question *question = &shadow->questions[shadow->first];
		if (goes_on && question->epoch == session->view.epoch)
			goes_on = ask(shadow, question);
		else
			session->counters.shadow_missed++;
	}
	if (shadow->wants_room && !make_room(shadow))
		mp_log_write(&session->log, MP_LOG_ERROR, "loadBalancing.shadow: out of memory: it is not asked");
}

// ---- life -------------------------------------------------------------------------------------------------

void mp_shadow_init(struct mp_shadow *shadow, struct mp_session *session)
{
	*shadow = (struct mp_shadow){.session = session};
	mp_sampler_stop(&shadow->sampler);
	mp_task_init(&shadow->ask, on_ask, shadow);
}

void mp_shadow_deinit(struct mp_shadow *shadow)
{
	let_go(shadow);
}

void mp_shadow_follow(struct mp_shadow *shadow)
{
	struct mp_session *session = shadow->session;
	double share = session->config.shadow_share;
	if (session->policies.shadow.asked.plan == NULL || !(share > 0)) {
		let_go(shadow);
		return;
	}
	if (shadow->questions == NULL) {
		shadow->sampler.chance = mp_loop_clock_ns(session->loop);
		shadow->own = 0; // the figures begin anew
		if (!make_room(shadow)) {
			mp_log_write(&session->log, MP_LOG_ERROR, "loadBalancing.shadow: out of memory: it is not asked");
			return;
		}
	}
	mp_sampler_next(&shadow->sampler, share);
}

// ---- looking ----------------------------------------------------------------------------------------------

bool mp_session_shadow(const struct mp_session *session, struct mp_shadow_figures *figures)
{
	const struct mp_shadow *shadow = &session->shadow;
	bool is_current =
		shadow->questions != NULL && shadow->own == generation_of(&session->policies.shadow.asked);
	*figures = is_current ? shadow->figures : (struct mp_shadow_figures){0};
	return shadow->questions != NULL;
}

static const char *step_text(struct mp_session *session, const struct mp_shadow_choice *choice, char *text,
                             size_t size)
{
	struct mp_plan plan;
	mp_plan_init(&plan, &session->view, NULL, false, 0, 0);
	plan.step_count = 1;
	plan.steps[0] = choice->step;
	return choice->slot != MP_NO_HOST ? mp_plan_step_text(&plan, 0, text, size) : "";
}

static const char *host_text(const struct mp_session *session, const struct mp_shadow_choice *choice)
{
	return choice->slot != MP_NO_HOST ? mp_decision_address(session, choice->slot, choice->generation) : "";
}

void mp_session_each_shadow_example(struct mp_session *session,
                                    void (*fn)(void *data, const struct mp_shadow_told *told), void *data)
{
	struct mp_shadow_figures figures;
	(void)mp_session_shadow(session, &figures); // of another generation all of them are 0
	for (int i = 0; i < MP_SHADOW_DIFFERENCE_COUNT; i++) {
		const struct mp_shadow_example *example = &session->shadow.examples[i];
		if (figures.differences[i] == 0)
			continue;
		char serving[256], shadow[256];
		const char *keyspace = mp_names_text(&session->keyspaces.names, example->request.keyspaceId);
		struct mp_shadow_told told = {
			.difference = mp_shadow_difference_name(i),
			.at_ms = example->at_us / 1000,
			.kind = mp_decision_kind(&example->request, example->is_batch),
			.keyspace = keyspace != NULL ? keyspace : "",
			.consistency = mp_consistency_name(example->request.consistency),
			.has_token = example->request.hasToken,
			.token = example->token,
			.serving = host_text(session, &example->serving),
			.serving_step = step_text(session, &example->serving, serving, sizeof(serving)),
			.shadow = host_text(session, &example->shadow),
			.shadow_step = step_text(session, &example->shadow, shadow, sizeof(shadow)),
		};
		fn(data, &told);
	}
}
