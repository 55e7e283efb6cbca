// SPDX-License-Identifier: Apache-2.0
// One host for the files of the cluster: made, changed, opened and freed by the table (hosts.c), moved between its
// states by what its pool reports (host.c).
#pragma once

#include "cluster/topology/hosts.h"

struct mp_host *mp_host_new(struct mp_cluster *cluster, uint16_t index,
                            const struct mp_node_row *row) MP_MUST_CHECK;
void mp_host_free(struct mp_host *host);
void mp_host_update(struct mp_host *host, const struct mp_node_row *row);
void mp_host_open(struct mp_host *host);
// The session's configuration has changed: sizes, distance, rack, heartbeats. `rotate`: also what only a new connection
// can have; NULL: none of it, otherwise why.
void mp_host_reconfigure(struct mp_host *host, const char *rotate);
struct mp_host_view *mp_host_view_of(const struct mp_host *host); // its slot
// The one writer of its state: keeps the view, tells the listener.
void mp_host_set_state(struct mp_host *host, enum mp_host_state state, const char *reason);
void mp_host_tick(struct mp_host *host); // once a second
void mp_host_take_turn(
	struct mp_pace_turn *turn); // its host waited to open a connection, and need not any more

// ---- host_admission.c
void mp_host_init_admission(struct mp_host *host);
void mp_host_end_admission(struct mp_host *host);
void mp_host_set_hold(struct mp_host *host, enum mp_host_hold hold); // the one writer
void mp_host_set_share(struct mp_host *host, double share);          // 0 to 1
void mp_host_drained(struct mp_host *host);                          // its last connection is gone
// Its state, or what else lets requests in or keeps them away, has changed: the slot of the view follows.
void mp_host_show(struct mp_host *host);
void mp_host_connected(struct mp_host *host);       // its first connection is ready
void mp_host_lost_connection(struct mp_host *host); // against our will
void mp_host_follow_rules(struct mp_host *host);    // of the configuration
void mp_host_look_at_breaker(struct mp_host *host); // once a second, should its timer have found no memory

// ---- host_place.c
// Limits follow its distance, and whether its datacentre is about to serve.
void mp_host_resize(struct mp_host *host);
void mp_host_relocate(struct mp_host *host); // another datacentre serves: its distance follows
// Where it stands: names, ids, distance. False: out of memory or too many datacentres; the old stays.
bool mp_host_place(struct mp_host *host, const struct mp_node_row *row) MP_MUST_CHECK;
void mp_host_weigh_place(struct mp_host *host); // what the configuration makes of the place
void mp_host_tell_names(struct mp_host *host);  // what lists know it by
struct mp_pool_limits mp_host_limits(const struct mp_host *host);

// ---- hosts.c
struct mp_host *mp_hosts_add(struct mp_hosts *hosts,
                             const struct mp_node_row *row); // NULL: no room, and was told
// At most `most` at once; true when no other leaves. They drain.
bool mp_hosts_remove_where(struct mp_hosts *hosts, bool (*leaves)(void *data, const struct mp_host *host),
                           void *data, uint32_t most);
// Before and after the addresses change by which it is named.
void mp_hosts_forget_addrs(struct mp_hosts *hosts, struct mp_host *host);
void mp_hosts_note_addrs(struct mp_hosts *hosts, struct mp_host *host);

// ---- host_endpoint.c
void mp_host_first_addr(struct mp_host *host, const struct mp_node_row *row);
// A row of the refresh under way names it; `is_first`: the first one that does.
void mp_host_say_addr(struct mp_host *host, const struct mp_node_row *row, bool is_first);
// All rows were read. True: there was something to do.
bool mp_host_settle_addr(struct mp_host *host);
void mp_host_addr_works(struct mp_host *host, const struct mp_addr *addr);
// The pool could not connect: it tries another address, if there is one. True: at once, one that was not tried yet.
bool mp_host_addr_failed(struct mp_host *host);
void mp_host_init_patience(struct mp_host *host);
void mp_host_be_patient(struct mp_host *host); // the first attempt begins
