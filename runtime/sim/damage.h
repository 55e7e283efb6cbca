// SPDX-License-Identifier: Apache-2.0
// Damage to an answer of rows: what a node may say that is sick, old, another program, or does not mean well.
#pragma once

#include "base/buf.h"
#include "base/cursor.h"

// `envelope` holds one whole envelope. When it is a RESULT of rows, columns lose their name or their type or vanish,
// values become null, empty, cut, somebody else's or random bytes, and rows come twice and in another order; all of it
// decided by the seed. What stands in columns named in `spared` ("host_id,rpc_address") is left as it is.
void mp_sim_damage(struct mp_buf *envelope, uint8_t version, uint64_t seed, struct mp_str spared);
