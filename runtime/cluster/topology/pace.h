// SPDX-License-Identifier: Apache-2.0
// The pace at which a session opens connections to its hosts, so that a cluster that comes back is not stormed:
//
// - so many a second, for all hosts together; what was not used of it in the last second may come at once;
// - the first ones of a host, which replace nothing, need not wait for that while few are under way: a session connects
//   to a thousand hosts as fast as they answer. Those that do not answer hold the others up no longer than the pace.
//
// Who has to wait is told when its turn is, and asks again then; it may be called before.
#pragma once

#include "base/list.h"
#include "loop/loop.h"

enum { MP_PACE_FIRST_MOST = 64 }; // connections under way beyond which first ones wait for their turn

// Of one host.
struct mp_pace_turn {
	struct mp_list_node node; // in `waiting`
	uint64_t due_ns;          // 0: it does not wait
};

struct mp_pace {
	struct mp_loop *loop;
	void (*call)(struct mp_pace_turn *turn); // it may ask again now
	uint64_t next_ns;                        // when the next connection is due
	uint32_t under_way;                      // those that were let go and are not over
	struct mp_list waiting;                  // turns of first ones, in the order in which they asked
};

void mp_pace_init(struct mp_pace *pace, struct mp_loop *loop, void (*call)(struct mp_pace_turn *turn));
void mp_pace_restart(struct mp_pace *pace); // nothing was opened in the last second
void mp_pace_turn_init(struct mp_pace_turn *turn);
void mp_pace_forget(struct mp_pace *pace, struct mp_pace_turn *turn); // it does not wait any more
// 0: the connection may be opened, and mp_pace_over() is owed. Otherwise for how long it waits. `rate` 0: no limit.
uint64_t mp_pace_delay_ms(struct mp_pace *pace, struct mp_pace_turn *turn, uint32_t rate, bool is_first);
void mp_pace_over(struct mp_pace *pace); // one that was let go stands or has failed
