// SPDX-License-Identifier: Apache-2.0
// The ways to one host: the addresses by which the cluster names it (each with what it is from here), the one that
// worked last, and the one by which a control connection reached it. What works is kept; while none does, each is tried
// in turn.
//
//   a round: one fails -> the next one at once -> ... -> all have failed: the pool's backoff, then the next round
//
// Pure: it opens nothing.
#pragma once

#include "base/addr.h"

enum { MP_ENDPOINTS_NAMED = 4 }; // rows of one host that count
enum { MP_ENDPOINTS_MAX = MP_ENDPOINTS_NAMED + 2 };

struct mp_endpoint {
	struct mp_addr named; // as the cluster says; none: it does not name it so
	struct mp_addr addr;  // where that is from here
};

struct mp_endpoints {
	struct mp_endpoint all[MP_ENDPOINTS_MAX]; // the named ones first
	uint8_t count;
	uint8_t named_count;
	uint8_t at;     // the one that is used or tried
	uint8_t failed; // one after the other, since one worked
	uint8_t said_count;
	struct mp_endpoint said[MP_ENDPOINTS_NAMED]; // by the refresh that is under way
	struct mp_addr worked, reached;
};

void mp_endpoints_forget_said(struct mp_endpoints *endpoints);
void mp_endpoints_say(struct mp_endpoints *endpoints, const struct mp_addr *named,
                      const struct mp_addr *addr);
// Is what was said something else than what is known?
bool mp_endpoints_have_changed(const struct mp_endpoints *endpoints);
// Takes what was said. The one in use stays if the cluster still names it, or names what it named before; otherwise the
// first is next.
void mp_endpoints_take_said(struct mp_endpoints *endpoints);
void mp_endpoints_reached(struct mp_endpoints *endpoints,
                          const struct mp_addr *addr); // a way to it, at the end
void mp_endpoints_works(struct mp_endpoints *endpoints, const struct mp_addr *addr);
// The one in use has failed; the next one takes its place. True: it was not tried yet in this round.
bool mp_endpoints_next(struct mp_endpoints *endpoints);
// By either address; port 0 is any.
bool mp_endpoints_have(const struct mp_endpoints *endpoints, const struct mp_addr *addr);
const struct mp_addr *mp_endpoints_addr(const struct mp_endpoints *endpoints);
