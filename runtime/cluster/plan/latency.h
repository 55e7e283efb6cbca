// SPDX-License-Identifier: Apache-2.0
// How long a host takes to answer, as plans see it: a moving mean in its slot of the view.
//
// An answer says how long it took. A silence (an attempt that timed out, or lost to another one) says only that the
// answer would have taken longer than that. Above the mean it counts as an answer of that length, with the weight of
// any other: one packet that was lost must not outweigh a thousand answers. Otherwise it only is news: a silence never
// makes a host look faster, and one that was slow and is silent again is still slow.
#pragma once

#include "cluster/plan/view.h"

void mp_latency_answered(struct mp_host_view *host, uint64_t us, uint64_t now_ms);
void mp_latency_silent(struct mp_host_view *host, uint64_t us, uint64_t now_ms);
