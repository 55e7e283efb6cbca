// SPDX-License-Identifier: Apache-2.0
// What an application does with single hosts of a session that runs, beside its policies: hosts are held and let go,
// knocked at, given new connections, other sizes, another weight. All of it takes effect at once and is undone by the
// same call; nothing here fails a request.
#pragma once

#include "cluster/session.h"

// Hosts by slot; an empty one is passed over.
void mp_session_hold(struct mp_session *session, uint16_t host, enum mp_host_hold hold);
// An attempt to connect is made as soon as the pool may (pool/pool.h), if it wants connections.
void mp_session_knock(struct mp_session *session, uint16_t host);
// Each of its connections is replaced by a new one; a host that is down is knocked at.
void mp_session_renew(struct mp_session *session, uint16_t host);
// So many connections, whatever the configuration says; 0, 0: as that says.
void mp_session_resize(struct mp_session *session, uint16_t host, uint32_t core, uint32_t max);
// `for_now`: until mp_session_weigh_as_before().
void mp_session_weigh(struct mp_session *session, uint16_t host, double weight, bool for_now);
void mp_session_weigh_as_before(struct mp_session *session, uint16_t host);
