// SPDX-License-Identifier: Apache-2.0
// Calls that wait for something of hosts: drained, connected, gone. A wait looks every few milliseconds, as it does in
// Lua, and tells its end once.
//
//   wait = mp_api_wait_new(session, on_done, data, __func__);    // NULL: noted
//   ... fill what its look needs ...
//   return mp_api_wait_begin(wait, timeout_ms, look, __func__);
//
// Invariant: from begin until its callback, which comes from the loop, a wait is in its session's list, and a session
// that is closed ends all of them before its own end is told.
#pragma once

#include "api/internal.h"
#include "base/addr.h"

enum { MP_API_WAIT_ADDRS = 16 };

struct mp_api_wait {
	struct mp_list_node node; // in session->waits
	struct mp_api_session *session;
	struct mp_timer again;
	uint32_t timeout_ms;
	uint64_t deadline_ns;
	// True: it has ended, well unless it has failed; `is_late`: it has to.
	bool (*look)(struct mp_api_wait *wait, bool is_late);
	void (*on_done)(void *data, const struct moonpool_error *error);
	void *data;
	struct mp_error error;
	// what looks need
	char host[MP_ADDR_TEXT + 256]; // as the program named it
	char name[256];                // without its port
	uint16_t port;                 // 0: any
	struct mp_resolve *resolve;    // of the name, under way; NULL: none
	size_t addr_count;
	struct mp_addr addrs[MP_API_WAIT_ADDRS];
	bool has_begun;
	uint64_t ask_at_ns;
	uint16_t slot;
	uint32_t generation;
};

struct mp_api_wait *mp_api_wait_new(struct mp_api_session *session,
                                    void (*on_done)(void *data, const struct moonpool_error *error),
                                    void *data, const char *function) MP_MUST_CHECK;
void mp_api_wait_drop(struct mp_api_wait *wait); // instead of begin
// 0, or the code that was noted: it is gone.
int mp_api_wait_begin(struct mp_api_wait *wait, uint32_t timeout_ms,
                      bool (*look)(struct mp_api_wait *wait, bool is_late),
                      const char *function) MP_MUST_CHECK;
void mp_api_wait_from_now(struct mp_api_wait *wait); // its time begins once more
// For a look: it ends with this error. True.
bool mp_api_wait_fail(struct mp_api_wait *wait, int err, const char *format, ...) MP_PRINTF(3, 4);
