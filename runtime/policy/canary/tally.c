// SPDX-License-Identifier: Apache-2.0
// The tests behind a canary. Both are bounds, not approximations, so that they hold for few requests and far in the
// tail:
//
//  - events by unit: a randomisation test. Each of the units that had y events is the candidate's with probability s:
//    P(candidate's events >= c) <= min over t > 0 of exp(-t c) * product of (1 - s + s exp(t y))   (Chernoff 1952;
//    Hoeffding 1963 for a fixed number of units);
//  - pairs: a sign test. Of n pairs that differ the candidate is the worse one in b with probability 1/2 each, so
//    P(>= b) <= exp(-n KL(b/n, 1/2)), the same bound.
//
// The k-th look may be wrong with ALPHA / (k (k + 1)), which is ALPHA over all looks, divided by the conditions.
#include "policy/canary/tally.h"

#include <math.h>
#include <string.h>

#define ALPHA      0.0005 // of one canary
#define FIRST_LOOK 10u
#define LOOK_AFTER 4u   // the next one after a fourth more
#define SETTLED    200u // requests in force before a p99 is one
#define STEEPEST   60.0 // of t: beyond it nothing changes
#define HALVINGS   48

const char *mp_canary_condition_name(int condition)
{
	static const char *const names[] = {
#define X(NAME, name, limit, what) #name,
		MP_CANARY_CONDITIONS(X)
#undef X
	};
	return names[condition];
}

// ---- counting ---------------------------------------------------------------------------------------------

static uint64_t seen(const struct mp_tally *tally)
{
	return tally->pairs + tally->requests[MP_CANDIDATE];
}

static void forget_event(struct mp_tally_event *event)
{
	memset(event, 0, sizeof(*event));
}

void mp_tally_begin(struct mp_tally *tally, uint32_t share)
{
	tally->share = share;
	memset(tally->requests, 0, sizeof(tally->requests));
	memset(tally->failures, 0, sizeof(tally->failures));
	memset(tally->attempts, 0, sizeof(tally->attempts));
	for (int arm = 0; arm < MP_ARMS; arm++)
		mp_hist_reset(&tally->latency_us[arm]);
	tally->slow_us = UINT64_MAX;
	forget_event(&tally->failed);
	forget_event(&tally->slow);
	forget_event(&tally->again);
	tally->next_look =
		seen(tally) + (seen(tally) / LOOK_AFTER > FIRST_LOOK ? seen(tally) / LOOK_AFTER : FIRST_LOOK);
}

void mp_tally_forget_pairs(struct mp_tally *tally)
{
	tally->pairs = 0;
	tally->failing = tally->leaving = tally->differing = (struct mp_tally_pairs){0, 0};
	memset(tally->failed_calls, 0, sizeof(tally->failed_calls));
	memset(tally->left, 0, sizeof(tally->left));
	if (tally->hosts != NULL)
		memset(tally->hosts, 0, tally->host_count * sizeof(tally->hosts[0]));
}

static void count_event(struct mp_tally_event *event, const struct mp_tally_request *request, uint32_t times)
{
	uint32_t had = request->is_now ? event->now[request->unit] : 0;
	uint32_t most = MP_TALLY_MOST - had;
	uint32_t count = times < most ? times : most;
	if (request->is_now)
		event->now[request->unit] = (uint8_t)(had + count);
	else
		event->units[count]++;
	event->candidates += request->arm == MP_CANDIDATE ? count : 0;
}

void mp_tally_request(struct mp_tally *tally, const struct mp_tally_request *request)
{
	tally->requests[request->arm]++;
	tally->failures[request->arm] += request->failed ? 1 : 0;
	tally->attempts[request->arm] += request->attempts;
	mp_hist_add(&tally->latency_us[request->arm], request->latency_us);
	if (request->failed)
		count_event(&tally->failed, request, 1);
	if (request->latency_us > tally->slow_us)
		count_event(&tally->slow, request, 1);
	if (request->attempts > 1)
		count_event(&tally->again, request, request->attempts - 1);
}

static void fold(const struct mp_tally_event *event, uint32_t units[MP_TALLY_MOST + 1])
{
	for (uint32_t i = 0; i < MP_TALLY_UNITS; i++)
		units[event->now[i]]++;
}

static void end_round(struct mp_tally_event *event)
{
	fold(event, event->units);
	memset(event->now, 0, sizeof(event->now));
}

void mp_tally_round(struct mp_tally *tally)
{
	end_round(&tally->failed);
	end_round(&tally->slow);
	end_round(&tally->again);
}

static double p99_us(const struct mp_tally *tally, enum mp_arm arm)
{
	return (double)mp_hist_quantile(&tally->latency_us[arm], 0.99);
}

void mp_tally_settle(struct mp_tally *tally)
{
	double limit = tally->limits[MP_CANARY_P99];
	if (limit >= 0 && tally->requests[MP_IN_FORCE] >= SETTLED)
		tally->slow_us = (uint64_t)(p99_us(tally, MP_IN_FORCE) * (limit > 1 ? limit : 1));
}

static void compare(struct mp_tally_pairs *pairs, bool candidate, bool in_force)
{
	pairs->worse += candidate && !in_force ? 1 : 0;
	pairs->better += in_force && !candidate ? 1 : 0;
}

void mp_tally_pair(struct mp_tally *tally, const struct mp_tally_pair *pair)
{
	tally->pairs++;
	compare(&tally->failing, pair->failed[MP_CANDIDATE], pair->failed[MP_IN_FORCE]);
	compare(&tally->leaving, pair->left[MP_CANDIDATE], pair->left[MP_IN_FORCE]);
	compare(&tally->differing, pair->differs, false);
	for (int arm = 0; arm < MP_ARMS; arm++) {
		tally->failed_calls[arm] += pair->failed[arm] ? 1 : 0;
		tally->left[arm] += pair->left[arm] ? 1 : 0;
		if (tally->hosts != NULL && pair->host[arm] < tally->host_count)
			tally->hosts[pair->host[arm]].of[arm]++;
	}
	uint32_t candidate = pair->host[MP_CANDIDATE], in_force = pair->host[MP_IN_FORCE];
	if (tally->hosts == NULL || candidate == in_force)
		return;
	if (candidate < tally->host_count)
		tally->hosts[candidate].pairs.worse++;
	if (in_force < tally->host_count)
		tally->hosts[in_force].pairs.better++;
}

// ---- tests ------------------------------------------------------------------------------------------------

// The most probable that `hits` of `of` or more are, each with probability p.
static double tail(uint32_t hits, uint32_t of, double p)
{
	double share = of == 0 ? 0 : (double)hits / of;
	if (share <= p)
		return 1;
	double distance = share * log(share / p);
	if (hits < of)
		distance += (1 - share) * log((1 - share) / (1 - p));
	return exp(-(double)of * distance);
}

static double sign_test(const struct mp_tally_pairs *pairs)
{
	return tail(pairs->worse, pairs->worse + pairs->better, 0.5);
}

struct slope {
	double value, rise; // of the logarithm of the bound at t, and of its slope
};

static struct slope bound_at(const uint32_t units[], double candidates, double s, double t)
{
	struct slope at = {-t * candidates, -candidates};
	for (uint32_t y = 1; y <= MP_TALLY_MOST; y++) {
		if (units[y] == 0)
			continue;
		double rest = (1 - s) * exp(-t * y); // the factor, divided by exp(t y), which may be too large
		at.value += units[y] * (t * y + log(s + rest));
		at.rise += units[y] * (double)y * s / (s + rest);
	}
	return at;
}

// The most probable that so many events fall to the candidate's units when nothing but the share decides.
static double share_test(const struct mp_tally_event *event, double s)
{
	uint32_t units[MP_TALLY_MOST + 1];
	double all = 0, candidates = (double)event->candidates;
	memcpy(units, event->units, sizeof(units));
	fold(event, units);
	for (uint32_t y = 1; y <= MP_TALLY_MOST; y++)
		all += (double)units[y] * y;
	if (candidates <= s * all)
		return 1;
	double low = 0, high = STEEPEST;
	for (int i = 0; i < HALVINGS; i++) {
		double middle = (low + high) / 2;
		if (bound_at(units, candidates, s, middle).rise < 0)
			low = middle;
		else
			high = middle;
	}
	return exp(bound_at(units, candidates, s, low).value);
}

// ---- figures ----------------------------------------------------------------------------------------------

static double per(uint64_t count, uint64_t of)
{
	return of == 0 ? 0 : (double)count / (double)of;
}

static void figure(struct mp_tally *tally, enum mp_canary_condition condition, double candidate,
                   double in_force, double chance)
{
	double nth = tally->looks > 0 ? tally->looks : 1;
	double looks = nth * (nth + 1) * MP_CANARY_CONDITION_COUNT;
	double adjusted = chance * looks;
	tally->figures[condition] = (struct mp_canary_figure){
		.candidate = candidate,
		.in_force = in_force,
		.limit = tally->limits[condition],
		.confidence = adjusted < 1 ? 1 - adjusted : 0,
	};
}

static void look_at_requests(struct mp_tally *tally)
{
	const uint64_t *requests = tally->requests;
	double s = (double)tally->share / MP_TALLY_UNITS;
	figure(tally, MP_CANARY_ERROR_RATE, per(tally->failures[MP_CANDIDATE], requests[MP_CANDIDATE]),
	       per(tally->failures[MP_IN_FORCE], requests[MP_IN_FORCE]), share_test(&tally->failed, s));
	figure(tally, MP_CANARY_P99, p99_us(tally, MP_CANDIDATE) / 1000, p99_us(tally, MP_IN_FORCE) / 1000,
	       share_test(&tally->slow, s));
	figure(tally, MP_CANARY_ATTEMPTS, per(tally->attempts[MP_CANDIDATE], requests[MP_CANDIDATE]),
	       per(tally->attempts[MP_IN_FORCE], requests[MP_IN_FORCE]), share_test(&tally->again, s));
}

// The host that most plans of the candidate begin with. Which one that is was chosen by what it got, so it is tested as
// if all that got any had been.
static void look_at_hosts(struct mp_tally *tally)
{
	uint32_t busiest = 0, most_in_force = 0, asked = 0;
	for (uint32_t i = 0; i < tally->host_count; i++) {
		const struct mp_tally_hosts *host = &tally->hosts[i];
		asked += host->of[MP_CANDIDATE] + host->of[MP_IN_FORCE] > 0 ? 1 : 0;
		if (host->of[MP_CANDIDATE] > tally->hosts[busiest].of[MP_CANDIDATE])
			busiest = i;
		if (host->of[MP_IN_FORCE] > most_in_force)
			most_in_force = host->of[MP_IN_FORCE];
	}
	const struct mp_tally_hosts *host = &tally->hosts[busiest];
	figure(tally, MP_CANARY_BUSIEST_HOST, per(host->of[MP_CANDIDATE], tally->pairs),
	       per(most_in_force, tally->pairs), sign_test(&host->pairs) * asked);
}

static void look_at_pairs(struct mp_tally *tally)
{
	uint64_t pairs = tally->pairs;
	if (tally->hosts != NULL)
		look_at_hosts(tally);
	figure(tally, MP_CANARY_LEFT_DATACENTER, per(tally->left[MP_CANDIDATE], pairs),
	       per(tally->left[MP_IN_FORCE], pairs), sign_test(&tally->leaving));
	figure(tally, MP_CANARY_POLICY_ERRORS, per(tally->failed_calls[MP_CANDIDATE], pairs),
	       per(tally->failed_calls[MP_IN_FORCE], pairs), sign_test(&tally->failing));
	double limit = tally->limits[MP_CANARY_DISAGREEMENT];
	double chance = limit < 0 ? 1 : tail(tally->differing.worse, (uint32_t)pairs, limit);
	figure(tally, MP_CANARY_DISAGREEMENT, per(tally->differing.worse, pairs), 0, chance);
}

static bool is_over(int condition, const struct mp_canary_figure *figure)
{
	static const enum {
		RATIO,
		SHARE
	} about[] = {
#define X(NAME, name, limit, what) what,
		MP_CANARY_CONDITIONS(X)
#undef X
	};
	if (about[condition] == RATIO)
		return figure->candidate > figure->limit * figure->in_force;
	return figure->candidate - figure->in_force > figure->limit;
}

bool mp_tally_is_due(const struct mp_tally *tally)
{
	return seen(tally) >= tally->next_look;
}

void mp_tally_figures(struct mp_tally *tally)
{
	look_at_requests(tally);
	look_at_pairs(tally);
}

int mp_tally_look(struct mp_tally *tally)
{
	tally->looks++;
	tally->next_look = seen(tally) + seen(tally) / LOOK_AFTER + 1;
	mp_tally_figures(tally);
	for (int i = 0; i < MP_CANARY_CONDITION_COUNT; i++) {
		const struct mp_canary_figure *figure = &tally->figures[i];
		if (figure->limit >= 0 && figure->confidence >= 1 - ALPHA && is_over(i, figure))
			return i;
	}
	return -1;
}
