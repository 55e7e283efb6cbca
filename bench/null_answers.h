// SPDX-License-Identifier: Apache-2.0
// What the null server says to everything but EXECUTE: the handshake, the system tables of a cluster that never
// changes, and PREPARE of the statements that it knows (null_rows.h). Slow paths: clarity first.
#pragma once

#include "base/addr.h"
#include "null_rows.h"

#define NULL_NODES_MAX 1000
#define NULL_TOKENS    16 // of each node

struct null_cluster {
	uint32_t nodes;
	uint16_t port;
};

struct mp_addr null_addr(const struct null_cluster *cluster, uint32_t node);

// Append the answer of `node` to `envelope`. 0, or MP_EPROTO: the envelope cannot be read.
int null_answer(const struct null_cluster *cluster, uint32_t node, const struct mp_envelope *envelope,
                struct mp_buf *out) MP_MUST_CHECK;
