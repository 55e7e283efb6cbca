// SPDX-License-Identifier: Apache-2.0
// Speculative execution: further attempts of a request that is slow to be answered, each on the next host of its plan.
// The first success wins; the others lose: their calls become orphans, their errors are nobody's.
//
//   one attempt --after(): due--> several --a success--> the request ends, the others are orphaned
//        ^                          |  |
//        +---- all but one failed --+  +-- the last one failed --> the retry policy decides
#pragma once

#include "cluster/request/deadline.h"

struct mp_request;

// Part of a request.
struct mp_speculation {
	struct mp_deadline due; // of the next attempt
	uint32_t after_ms;      // from the last attempt to the next one; MP_SPECULATE_NEVER: there will be none
	uint8_t sent;           // speculative attempts, ever
};

void mp_speculation_begin(
	struct mp_request *request); // it was submitted: will it have further attempts, and when?
void mp_speculation_again(struct mp_request *request); // an ordinary attempt was sent: the delay begins anew
void mp_speculation_on_due(void *session, struct mp_deadline *deadline);
void mp_speculation_end(struct mp_request *request); // there will be no more
