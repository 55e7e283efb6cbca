// SPDX-License-Identifier: Apache-2.0
// Small made-up clusters on which a new policy must show that it works before it may serve: no node at all, one node,
// all nodes down, three datacentres, a thousand nodes.
#pragma once

#include "cluster/plan/policy.h"

enum mp_canned_topology {
	MP_CANNED_EMPTY,
	MP_CANNED_ONE_NODE,
	MP_CANNED_ALL_DOWN,
	MP_CANNED_THREE_DCS,
	MP_CANNED_THOUSAND,
	MP_CANNED_COUNT,
	MP_CANNED_HUNDRED = MP_CANNED_COUNT, // to measure on, not of the contract
};
const char *mp_canned_name(enum mp_canned_topology topology); // "three datacentres"

struct mp_canned {
	struct mp_view view;                // its slots stay where they are
	struct mp_placement *placements[3]; // of nine nodes, of a hundred, of a thousand
	enum mp_canned_topology topology;
};
int mp_canned_init(struct mp_canned *canned) MP_MUST_CHECK;
void mp_canned_deinit(struct mp_canned *canned); // also of a zeroed one
int mp_canned_set(struct mp_canned *canned, enum mp_canned_topology topology) MP_MUST_CHECK;
const struct mp_placement *mp_canned_placement(const struct mp_canned *canned); // of the topology that is set

#define MP_CANNED_REQUESTS 16
// The n-th of the requests every policy is asked: with and without a token, reads, writes and lightweight
// transactions, local and other consistencies.
void mp_canned_request(uint32_t n, struct mp_request_view *req);
#define MP_CANNED_ERRORS 78
void mp_canned_error(uint32_t n, struct mp_retry_view *err);
