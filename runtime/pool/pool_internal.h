// SPDX-License-Identifier: Apache-2.0
// What the two files of a pool share: pool.c (life, events, retries) and sizing.c (how many, and which one is
// taken).
#pragma once

#include "pool/pool.h"

enum mp_member_part { MP_MEMBER_OPENING, MP_MEMBER_READY, MP_MEMBER_DRAINING, MP_MEMBER_GONE };

// One connection of a pool.
struct mp_member {
	struct mp_list_node node; // in pool->conns
	struct mp_pool *pool;
	struct mp_conn *conn;
	enum mp_member_part part;
	bool stale;        // to be replaced: of an address that the host no longer has, or rotated
	uint64_t ready_ms; // when it became ready
};

// ---- pool.c
const struct mp_log *mp_pool_log(const struct mp_pool *pool);              // its session's, or the loop's
void mp_pool_set_part(struct mp_member *member, enum mp_member_part part); // the one writer; keeps the counts
void mp_pool_review_later(struct mp_pool *pool);

// ---- sizing.c
void mp_pool_set_target(struct mp_pool *pool, uint32_t target,
                        const char *why);  // the one writer; review follows
void mp_pool_sample(struct mp_pool *pool); // the next sample for `adaptive`, if that is enabled
void mp_pool_on_sample(void *data);        // its timer
uint32_t mp_pool_fresh_count(const struct mp_pool *pool); // opening or ready, of the present address
void mp_pool_trim(struct mp_pool *pool);                  // closes or drains what is above the target
void mp_pool_drain_stale(struct mp_pool *pool);
void mp_pool_sweep(struct mp_pool *pool,
                   struct mp_conn_end *why); // finds connections that drain of themselves
void mp_pool_on_idle(void *data);            // the idle timer
