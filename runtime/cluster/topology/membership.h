// SPDX-License-Identifier: Apache-2.0
// What a node says about the members of the cluster becomes hosts: new ones get a slot, changed ones are changed, those
// that are named no more are removed, and then the ring follows. In steps, so that the loop never waits for the length
// of a list that a node has chosen; whoever comes first may be used before the last was read, and nobody is removed
// before.
#pragma once

#include "cluster/plan/ring.h"
#include "cluster/topology/hosts.h"

enum mp_members_stage {
	MP_MEMBERS_ROWS,
	MP_MEMBERS_ADDRS,
	MP_MEMBERS_LEAVERS,
	MP_MEMBERS_TOKENS,
	MP_MEMBERS_RING,
};

struct mp_membership {
	struct mp_hosts *hosts;
	struct mp_node_rows *nodes; // NULL: there is nothing to do
	bool is_whole;              // every member is named in them
	enum mp_members_stage stage;
	size_t at; // the next row or host
	uint32_t refresh;
	uint32_t lonely_answers; // refreshes in a row that named one node while more were known
	bool lonely;             // this is one
	bool doubtful;           // done: the answer was odd and should be asked for again
	struct mp_ring_builder ring;
	uint64_t print;                       // of what the ring is made of
	uint32_t odd_tokens, odd_tokens_told; // nodes with tokens that make no sense, or none
	struct mp_log_gate odd_rows;
};

void mp_membership_init(struct mp_membership *members, struct mp_hosts *hosts);
void mp_membership_stop(struct mp_membership *members); // forget what is left to do
// `nodes` must live until the last step. `is_whole` false: there are more of them.
void mp_membership_begin(struct mp_membership *members, struct mp_node_rows *nodes, bool is_whole);
// Addresses mean something else now: true when all hosts have followed. Also during a refresh.
bool mp_membership_translate(struct mp_membership *members, int64_t *work);
// 0: done, or stopped meanwhile; MP_EAGAIN: there is more to do.
int mp_membership_step(struct mp_membership *members, int64_t *work) MP_MUST_CHECK;
