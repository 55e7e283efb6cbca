// SPDX-License-Identifier: Apache-2.0
// Between topology.c (when the system tables are read) and refresh.c (how).
#pragma once

#include "cluster/topology/topology.h"

void mp_topology_start_timer(struct mp_topology *topology, struct mp_timer *timer, uint64_t delay_ms);
void mp_topology_start_next(struct mp_topology *topology,
                            uint64_t delay_ms);                     // the next refresh, in at most so long
uint64_t mp_topology_gather_ms(const struct mp_topology *topology); // how long events may wait for it

// ---- refresh.c
void mp_topology_init_refresh(struct mp_topology *topology);
void mp_topology_begin(struct mp_topology *topology); // a refresh of what is wanted
void mp_topology_end(struct mp_topology *topology);   // forget the one under way
