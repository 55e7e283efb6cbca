// SPDX-License-Identifier: Apache-2.0
// What a policy sees of the cluster: one fixed slot per host and groups of usable hosts. Scripts read the slots in
// place through FFI, so field names here are camelCase, only scalars may stand here, and slots neither move nor are
// freed while the view lives; a host that is gone leaves a slot with isUp false and a new generation.
#pragma once

#include "base/defs.h"
#include "cluster/plan/names.h"

enum { MP_HOSTS_MAX = 8192 }; // slots; further hosts are refused with a warning
enum { MP_DCS_MAX = 64 };
enum { MP_NODE_NAME_MAX = 255 }; // bytes of the name of a datacentre or rack
enum { MP_NO_HOST = 65535 };     // the slot of no host
enum { MP_MARKS_MAX = 32 };      // tags and lists of hosts

struct mp_host_view {
	uint32_t index;      // its slot
	uint32_t generation; // counts the hosts that had this slot
	uint32_t inFlight;   // requests waiting for this host
	uint32_t latencyUs;  // exponentially weighted mean of answers; 0: none yet
	double weight;       // 1 unless a handler set it
	double upSinceMs;    // loop time of the last change to up
	double latencyAtMs;  // loop time of the last measurement; 0: none yet
	uint32_t marks;      // one bit for each tag and list it is in (cluster/plan/marks.h)
	uint16_t dcId;
	uint16_t rackId;  // unique over datacentres
	bool isUp;        // known, wanted, connected, and requests may go there
	bool isLocal;     // of the local datacentre
	bool isLocalRack; // of the configured local rack
	bool isNewlyUp;   // up for less than a minute
	// Of a host that is connected:
	bool breakerHalfOpen; // a few requests see how it is
	bool isShut;          // its breaker lets none in: open, or half open while those few are under way
};

// Indexes of usable hosts (isUp), in slot order.
struct mp_group {
	uint16_t *hosts;
	uint32_t count;
	uint32_t capacity;
};

// What lists know a host by.
struct mp_host_label {
	char address[64]; // "10.0.0.1:9042"
	char id[40];
};

// A bit of mp_host_view.marks.
struct mp_mark {
	char *text;           // a tag's name, or the lines of a list; NULL: free
	struct mp_str *lines; // of a list, sorted without regard to case
	size_t line_count;
	bool is_list;
	uint64_t stamp; // changes when the bit gets another meaning
	uint64_t used;  // clock when it was asked for
};
// Apart from the view, so that a copy of a view has the same ones.
struct mp_marks {
	struct mp_mark of[MP_MARKS_MAX];
	uint64_t clock;
	const struct mp_view
		*original; // of a copy (cluster/plan/copy.h): who knows the tags of its hosts; or NULL
};

struct mp_view {
	struct mp_host_view *hosts;  // MP_HOSTS_MAX slots
	struct mp_host_label *names; // MP_HOSTS_MAX slots
	uint32_t host_count;         // slots in use or once used
	uint32_t up_count;
	struct mp_group all;             // every usable host
	struct mp_group local;           // of the local datacentre
	struct mp_group rack;            // of the local datacentre and rack
	struct mp_group dcs[MP_DCS_MAX]; // by dcId
	char *dc_names[MP_DCS_MAX];
	uint16_t dc_count;
	uint16_t remote_order[MP_DCS_MAX]; // dcIds of remote datacentres, most wanted first
	uint16_t remote_count;
	uint16_t local_dc;                // dcId, or MP_NO_HOST when no host of it was seen
	struct mp_names racks;            // "dc/rack", by rackId + 1
	uint64_t epoch;                   // counts rebuilds
	uint32_t turn;                    // counter of inTurn orders
	uint16_t dc_priority[MP_DCS_MAX]; // by dcId: 1 comes first in remote_order, 0: after all that have one
	struct mp_marks *marks;           // NULL: of no cluster, see cluster/plan/marks.h
	uint32_t best_us;                 // least mean latency of the hosts that are up, at best_at_ms; 0: none
	double best_at_ms;
};

int mp_view_init(struct mp_view *view) MP_MUST_CHECK;
void mp_view_deinit(struct mp_view *view);
// The id of a datacentre or rack name, made on first sight. MP_ETOOBIG (number or length), MP_ENOMEM.
int mp_view_dc_id(struct mp_view *view, const char *dc) MP_MUST_CHECK;
int mp_view_find_dc(const struct mp_view *view, struct mp_str dc); // -1: never seen
int mp_view_rack_id(struct mp_view *view, const char *dc, const char *rack) MP_MUST_CHECK;
// The datacentre's place among the remote ones: 1 and up, 0: after those. Takes effect with the next rebuild.
void mp_view_set_priority(struct mp_view *view, uint16_t dc_id, uint16_t priority);
// The least latencyUs of the hosts that are up, as it was at most 100 ms ago; 0: nothing was measured.
uint32_t mp_view_best_us(struct mp_view *view, double now_ms);
// Groups follow the slots: call after slots changed. O(host_count), no allocation once groups have grown.
int mp_view_rebuild(struct mp_view *view) MP_MUST_CHECK;
