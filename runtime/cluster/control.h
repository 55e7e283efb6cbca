// SPDX-License-Identifier: Apache-2.0
// The control connection: found among the contact points or the known hosts, kept for events and system tables, and
// found again for ever once the session was connected. Its loss harms no request.
//
//   OFF --start--> SEEKING --a candidate is ready--> READING --topology read--> STANDING
//                  ^  |  ^                              |                          |
//     backoff over |  |  +------- unreadable -----------+-------- lost -----------+
//                  |  v nobody answers
//                 WAITING  (before the first success: OFF, and the session is told)
#pragma once

#include "base/addr.h"
#include "base/list.h"
#include "base/uuid.h"
#include "link/conn.h"
#include "pool/reconnect.h"

enum mp_control_state {
	MP_CONTROL_OFF,
	MP_CONTROL_SEEKING,
	MP_CONTROL_READING,
	MP_CONTROL_STANDING,
	MP_CONTROL_WAITING
};

#define MP_CONTROL_PARALLEL   8   // candidates being tried at once
#define MP_CONTROL_STEPS      3   // versions a candidate may step down
#define MP_CONTROL_CANDIDATES 256 // addresses of one round

struct mp_candidate {
	struct mp_list_node node; // in control->candidates
	struct mp_control *control;
	struct mp_addr addr;
	struct mp_uuid host_id; // nil: whoever answers
	struct mp_conn *conn;   // opening, chosen, or closing
	bool tried;             // failed, or is the chosen one
	bool dropped;           // its connection is being closed because another one won
	uint8_t version;
	uint8_t steps;
	int err; // why it failed
	int32_t server_code;
	char message[160];
};

// A contact point that has to be resolved.
struct mp_contact {
	struct mp_control *control;
	struct mp_resolve *resolve; // under way
	bool failed;
	bool done;
};

struct mp_session;
struct mp_control {
	struct mp_session *session;
	enum mp_control_state state;
	struct mp_list candidates;
	struct mp_candidate *chosen;
	struct mp_contact *contacts; // one for each of the configuration
	bool asked_contacts;         // this round has come to the contact points
	bool was_standing;           // connected once: seek for ever
	struct mp_addr lost_addr;    // where it stood last: tried last
	struct mp_timer timer;       // SEEKING: names take too long; WAITING: backoff
	struct mp_reconnect backoff;
	uint64_t errors; // attempts that failed and connections lost
	struct mp_log_gate complaints;
};

int mp_control_init(struct mp_control *control, struct mp_session *session) MP_MUST_CHECK;
void mp_control_deinit(struct mp_control *control);
void mp_control_start(struct mp_control *control);
void mp_control_stop(struct mp_control *control); // closes everything; quiet later
bool mp_control_is_quiet(const struct mp_control *control);
struct mp_conn *mp_control_conn(const struct mp_control *control); // READING, STANDING; otherwise NULL
// The topology was read through the chosen connection (rc 0), or could not be.
void mp_control_read_done(struct mp_control *control, int rc, const char *why);
void mp_control_move(struct mp_control *control, const char *why); // give this node up and seek another
// The contact points change: forget before the session's configuration does, take behind it. A round that has asked the
// old ones asks the new ones, too.
struct mp_contact *mp_control_new_contacts(struct mp_control *control, size_t count) MP_MUST_CHECK;
void mp_control_forget_contacts(struct mp_control *control);
void mp_control_take_contacts(struct mp_control *control, struct mp_contact *contacts);
void mp_control_set_heartbeat(struct mp_control *control, uint32_t interval_ms, uint32_t timeout_ms);
void mp_control_hint(struct mp_control *control); // a host came back: no need to wait long
// The highest version to try below `version` after a refusal; 0: none.
uint8_t mp_version_below(const struct mp_session *session, uint8_t version, uint8_t hint);
