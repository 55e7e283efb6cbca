// SPDX-License-Identifier: Apache-2.0
// What an application does with single hosts of a session that runs, beside its policies: hosts are held and let go,
// knocked at, given new connections, other sizes, another weight or share; nodes are let in and removed. The first half
// takes effect at once; nothing there fails a request but mp_session_cut() and mp_session_sever(). Errands are the
// other half: they take a while, and somebody waits for them.
#pragma once

#include "base/addr.h"
#include "cluster/session.h"

// Hosts by slot; an empty one is passed over.
void mp_session_hold(struct mp_session *session, uint16_t host, enum mp_host_hold hold);
// It is drained, and its connections are closed now: requests on them are lost, or go elsewhere when they may.
void mp_session_sever(struct mp_session *session, uint16_t host);
// An attempt to connect is made as soon as the pool may (pool/pool.h), if it wants connections.
void mp_session_knock(struct mp_session *session, uint16_t host);
// Somebody else sees it so. Up: an attempt to connect is made soon. Down: its connections are asked for a sign of life.
void mp_session_hint(struct mp_session *session, uint16_t host, bool is_up);
// Each of its connections is replaced by a new one; a host that is down is knocked at.
void mp_session_renew(struct mp_session *session, uint16_t host);
// So many connections, whatever the configuration says; 0, 0: as that says.
void mp_session_resize(struct mp_session *session, uint16_t host, uint32_t core, uint32_t max);
void mp_session_weigh(struct mp_session *session, uint16_t host, double weight);
// It gets that share of the requests that plans give it, 0 to 1; the rest goes on to their next hosts, if there are
// any.
void mp_session_share(struct mp_session *session, uint16_t host, double share);

// A node at this address is used from now on when the cluster names it, whether it was removed or comes late; the
// system tables are read at once. Port 0 is any. 0, MP_ECLOSED, MP_ENOMEM.
int mp_session_admit(struct mp_session *session, const struct mp_addr *addr) MP_MUST_CHECK;
// The host is not used any more until it is admitted again, whatever the cluster says; requests under way end
// (`drain`). 0, MP_ENOTFOUND, MP_EINVAL: it is the last one in use, MP_ENOMEM.
int mp_session_expel(struct mp_session *session, uint16_t host, bool drain) MP_MUST_CHECK;
// What is left of a host that was expelled from this slot: connections that are not closed yet; 0: nothing.
size_t mp_session_left_of(const struct mp_session *session, uint16_t host, uint32_t generation);
// They are closed, and the requests on them are lost.
void mp_session_cut(struct mp_session *session, uint16_t host, uint32_t generation);

// That datacentre serves as soon as its hosts have the connections of local ones, and until another one is named;
// empty: the failover policy decides again, or home serves. 0, or the code that `error` has: MP_ECLOSED,
// MP_ENOTFOUND: no host is in such a datacentre, MP_EINVAL: hosts of other datacentres get no connections.
int mp_session_serve_from(struct mp_session *session, struct mp_str dc, struct mp_error *error) MP_MUST_CHECK;

// ---- errands ----------------------------------------------------------------------------------------------
// A host is drained, whole again, connected, gone; another datacentre serves. An errand brings it about, looks every
// few milliseconds and says once how it ended, in the same words to whoever asked for it, the Lua API or the C API.
//
//   made by one of the calls below --start--> under way --> on_done, and gone
//
// Invariant: start promises on_done once, later, whatever happens; a session that ends tells its errands so before its
// own end.
struct mp_errand;

// NULL from each of these: nothing was begun, and `error` says why. Times are milliseconds; 0 is one look.

// No request goes to the host, those under way end, then its connections close. CANCELLED: it was let go meanwhile.
struct mp_errand *mp_errand_drain(struct mp_session *session, const struct mp_host *host, uint32_t timeout_ms,
                                  struct mp_error *error) MP_MUST_CHECK;
// So many attempts, 1 or more, until the host has the connections that it should have; the delay from one to the next
// doubles, up to a minute. The error is that of the last attempt.
struct mp_errand *mp_errand_recover(struct mp_session *session, const struct mp_host *host, uint32_t attempts,
                                    uint32_t delay_ms, struct mp_error *error) MP_MUST_CHECK;
// That datacentre serves; empty: the policy decides again, which nobody waits for, or home serves.
struct mp_errand *mp_errand_serve(struct mp_session *session, struct mp_str dc, uint32_t timeout_ms,
                                  struct mp_error *error) MP_MUST_CHECK;

// A node by what somebody calls it, and by the addresses of that; port 0 is any.
enum { MP_NODE_ADDRS = 16, MP_NODE_NAME = MP_ADDR_TEXT + 256 };
struct mp_node_name {
	char text[MP_NODE_NAME];
	size_t addr_count;
	struct mp_addr addrs[MP_NODE_ADDRS];
};
const struct mp_host *mp_node_find(const struct mp_session *session,
                                   const struct mp_node_name *node); // NULL: none yet
// It is used as soon as the cluster names it, and connected.
struct mp_errand *mp_errand_join(struct mp_session *session, const struct mp_node_name *node,
                                 uint32_t timeout_ms, struct mp_error *error) MP_MUST_CHECK;

// What is left of a host that was expelled, until its last connection has closed.
struct mp_leaving {
	char name[MP_ADDR_TEXT];
	uint16_t slot;
	uint32_t generation;
	bool drains; // requests under way end
};
// From now on it is not used. 0, or the code that `error` has.
int mp_node_expel(struct mp_session *session, const struct mp_host *host, bool drain,
                  struct mp_leaving *leaving, struct mp_error *error) MP_MUST_CHECK;
// Its last connection has closed. TIMEOUT: those that were left were cut.
struct mp_errand *mp_errand_leave(struct mp_session *session, const struct mp_leaving *leaving,
                                  uint32_t timeout_ms, struct mp_error *error) MP_MUST_CHECK;

void mp_errand_free(struct mp_errand *errand); // instead of start: what it has brought about stays
void mp_errand_start(struct mp_errand *errand, void (*on_done)(void *data, const struct mp_error *error),
                     void *data);

// The session's: errands that are due, or have to end with it. Called by its chores, from which on_done comes.
void mp_errands_review(struct mp_session *session);
