// SPDX-License-Identifier: Apache-2.0
// The watchdog of the executable: it names in the log what holds up the loop, without any help of the loop's. A
// policy that has one call running for 100 ms of the processor gives way at its next call; a handler that has not
// come back for a second is told. It is the second line of defence: policies are stopped by their fuel long before.
#pragma once

#include "base/beat.h"

// Looks on at the thread that calls this, at what it notes in `beat`, and writes to the descriptor `fd`. One in a
// process. 0, MP_EINVAL (there is one) or MP_ENOMEM.
int mp_watchdog_start(struct mp_beat *beat, int fd) MP_MUST_CHECK;
void mp_watchdog_stop(void); // from the same thread; without one it does nothing
