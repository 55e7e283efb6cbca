// SPDX-License-Identifier: Apache-2.0
// Small made-up clusters on which a new policy must show that it works before it may serve: no node at all, one node,
// all nodes down, three datacentres, a thousand nodes.
#pragma once

#include "cluster/plan/policy.h"

enum mp_sample_topology {
	MP_SAMPLE_EMPTY,
	MP_SAMPLE_ONE_NODE,
	MP_SAMPLE_ALL_DOWN,
	MP_SAMPLE_THREE_DCS,
	MP_SAMPLE_THOUSAND,
	MP_SAMPLE_COUNT,
	MP_SAMPLE_HUNDRED = MP_SAMPLE_COUNT, // to measure on, not of the contract
};
const char *mp_sample_name(enum mp_sample_topology topology); // "three datacentres"

struct mp_sample {
	struct mp_view view;                // its slots stay where they are
	struct mp_placement *placements[3]; // of nine nodes, of a hundred, of a thousand
	enum mp_sample_topology topology;
};
int mp_sample_init(struct mp_sample *sample) MP_MUST_CHECK;
void mp_sample_deinit(struct mp_sample *sample); // also of a zeroed one
int mp_sample_set(struct mp_sample *sample, enum mp_sample_topology topology) MP_MUST_CHECK;
const struct mp_placement *mp_sample_placement(const struct mp_sample *sample); // of the topology that is set

#define MP_SAMPLE_REQUESTS 16
#define MP_SAMPLE_TOKEN    1500 // of those that have one
#define MP_SAMPLE_COMMON   12   // a read by a routing key with a local consistency
// The n-th of the requests every policy is asked: with and without a token, reads, writes and lightweight
// transactions, local and other consistencies.
void mp_sample_request(uint32_t n, struct mp_request_view *req);
#define MP_SAMPLE_ERRORS 78
void mp_sample_error(uint32_t n, struct mp_retry_view *err);
