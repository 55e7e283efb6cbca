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
#include "cluster/topology/contacts.h"
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
#define MP_CONTROL_KNOWN      192 // of them those of known hosts at most: the contact points have room

struct mp_candidate {
	struct mp_list_node node; // in control->candidates
	struct mp_control *control;
	struct mp_addr addr;
	struct mp_uuid host_id; // nil: whoever answers
	struct mp_conn *conn;   // opening, chosen, or closing
	bool tried;             // failed, or is the chosen one
	bool lacks_peers;       // failed, because it would not say who else there is
	bool dropped;           // its connection is being closed because another one won
	uint8_t version;
	uint8_t steps;
	int err; // why it failed
	int32_t server_code;
	char message[160];
};

struct mp_control {
	struct mp_cluster *cluster;
	enum mp_control_state state;
	struct mp_list candidates;
	struct mp_candidate *chosen;
	struct mp_contacts contacts;
	bool asked_contacts;      // this round has come to the contact points
	bool settles;             // and to nodes that do not say who else there is, since there is no other
	bool was_standing;        // connected once: seek for ever
	struct mp_addr lost_addr; // where it stood last: tried last
	struct mp_timer timer;    // WAITING: backoff
	struct mp_reconnect backoff;
	uint64_t errors; // attempts that failed and connections lost
};

int mp_control_init(struct mp_control *control, struct mp_cluster *cluster) MP_MUST_CHECK;
void mp_control_deinit(struct mp_control *control);
void mp_control_start(struct mp_control *control);
void mp_control_stop(struct mp_control *control); // closes everything; quiet later
bool mp_control_is_quiet(const struct mp_control *control);
struct mp_conn *mp_control_conn(const struct mp_control *control); // READING, STANDING; otherwise NULL
// The topology was read through the chosen connection (rc 0), or could not be. `lacks_peers`: but for its neighbours.
void mp_control_read_done(struct mp_control *control, int rc, const char *why, bool lacks_peers);
void mp_control_move(struct mp_control *control, const char *why); // give this node up and seek another
// The contact points have changed (mp_contacts_take): a round that has asked the old ones asks the new ones, too.
void mp_control_reconfigure(struct mp_control *control);
// What became of each contact point and address of the last round.
void mp_control_each_failure(const struct mp_control *control,
                             void (*on_failure)(void *data, const char *host, int err, int32_t server_code,
                                                const char *message),
                             void *data);
void mp_control_set_heartbeat(struct mp_control *control, uint32_t interval_ms, uint32_t timeout_ms);
void mp_control_hint(struct mp_control *control); // a host came back: no need to wait long
