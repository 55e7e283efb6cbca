// SPDX-License-Identifier: Apache-2.0
// Which datacentre serves: the one that "local" means for plans and for the sizes of pools. It is home, the one of the
// configuration, until a failover policy moves it. (Failover of a request is in retry.c and moves.c.)
//
//   serving --the policy wants another one--> preparing --its connections are open--> serving there
//      ^---- the policy wants to stay after all ---+
//
// Invariant: a request with a local consistency goes to home only, unless the configuration lets it follow.
#pragma once

#include "base/log.h"
#include "cluster/plan/datacentres.h"
#include "cluster/plan/policy.h"

struct mp_session;
struct mp_request;

struct mp_serving {
	struct mp_session *session;
	struct mp_datacentres dcs;
	uint16_t wanted;     // the dcId that the application wants, whatever the policy says; MP_NO_HOST: none
	uint16_t preparing;  // the dcId that is to serve next; MP_NO_HOST: none
	uint64_t wanted_ms;  // since when
	uint32_t changes;    // of the one that serves
	uint64_t changed_ms; // the last of them
	uint64_t refused;    // wishes of the policy that made no sense
	struct mp_log_gate gate;
};

void mp_serving_init(struct mp_serving *serving, struct mp_session *session);
void mp_serving_deinit(struct mp_serving *serving);
void mp_serving_forget(struct mp_serving *serving); // the next connect may meet another cluster
// The application wants this datacentre to serve until it says something else; MP_NO_HOST: what the policy wants.
void mp_serving_want(struct mp_serving *serving, uint16_t dc);
// Asks the policy, when the session is open: once a second, and when hosts came or went.
void mp_serving_review(struct mp_serving *serving);
// While another datacentre serves: does this request belong to home?
bool mp_serving_keeps(const struct mp_serving *serving, const struct mp_request_view *req);
// The plan of such a request: home's replicas, home's hosts. No policy is asked.
void mp_serving_home_plan(const struct mp_serving *serving, const struct mp_request_view *req,
                          struct mp_plan *plan);
// A request that was planned before the last move goes on at home if it belongs there, without the hosts it asked.
void mp_serving_bring_home(struct mp_request *request);
// Is it to serve next? Then its pools get the size of local ones before it is local.
bool mp_serving_prepares(const struct mp_serving *serving, uint16_t dc);
