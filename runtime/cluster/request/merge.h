// SPDX-License-Identifier: Apache-2.0
// Automatic batching: writes that leave together as one UNLOGGED batch, and are answered one by one.
//
//   nothing open --a write that may join--> open --full, its time is up, or somebody must not pass it--> sent --> gone
//                                             |
//                                             +-- it stayed alone: sent as it is
//
// Invariant: what is stored, and what each caller is told, is what it would have been without. All writes of a merge
// have one timestamp, so no two of them are of one partition; and whatever is written meanwhile by another way is sent
// after the open merges that it may meet, because its timestamp is later.
//
// A merge has a request of its own, its carrier, which is a batch like any other; its members wait for that one's
// answer. What the server refuses because of one of them is sent again one by one.
#pragma once

#include "base/list.h"
#include "base/slab.h"
#include "loop/loop.h"

struct mp_request;
struct mp_request_state;
struct mp_session;

#define MP_MERGE_REPLICAS 16u // of a partition; those of more are not merged
#define MP_MERGE_BYTES \
	4096u // of a merge: Cassandra warns of batches beyond 5 KiB (batch_size_warn_threshold)

// What all members have in common.
struct mp_merge_key {
	uint16_t keyspace_id, consistency, serial_consistency, replica_count;
	uint32_t timeout_ms, tag;
	uint16_t replicas[MP_MERGE_REPLICAS]; // slots in their order
};

struct mp_merge {
	struct mp_list_node node; // in `open`
	struct mp_session *session;
	struct mp_request *carrier;
	struct mp_list members; // requests, by state.node
	uint64_t opened_ns;
	struct mp_merge_key key;
	bool is_open;
};

struct mp_merges {
	struct mp_session *session;
	bool on;
	uint32_t sent; // merges under way
	struct mp_slab slab;
	struct mp_list open;                    // oldest first
	struct mp_task task;                    // sends them at the end of the turn
	struct mp_timer timer;                  // or later
	struct mp_request_state *by_token[256]; // of open ones: chains
};

void mp_merges_init(struct mp_merges *merges, struct mp_session *session);
void mp_merges_deinit(struct mp_merges *merges);
void mp_merges_reconfigure(struct mp_merges *merges); // what is open leaves
void mp_merges_fail_open(struct mp_merges *merges);   // closing
// A write that is submitted. True: it waits in a merge. False: it goes its own way, and what it must not pass was sent.
bool mp_merges_take(struct mp_merges *merges, struct mp_request *request) MP_MUST_CHECK;
void mp_merge_leave(struct mp_request *request); // it is in no merge any more
