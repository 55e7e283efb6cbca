// SPDX-License-Identifier: Apache-2.0
// What an application does with single hosts of a session that runs, beside its policies: hosts are held and let go,
// knocked at, given new connections, other sizes, another weight or share; nodes are let in and removed. All of it
// takes effect at once; nothing here fails a request but mp_session_cut() and mp_session_sever().
#pragma once

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
// empty: the failover policy decides again, or home serves. 0, MP_ECLOSED, MP_ENOTFOUND: no host is in such a
// datacentre, MP_EINVAL: hosts of other datacentres get no connections.
int mp_session_serve_from(struct mp_session *session, struct mp_str dc) MP_MUST_CHECK;
