// SPDX-License-Identifier: Apache-2.0
#include "cluster/steer.h"

#include "cluster/session_internal.h"
#include "cluster/topology/host_internal.h"

// NULL: no host is there that is a member.
static struct mp_host *host_at(struct mp_session *session, uint16_t index)
{
	struct mp_host *host = index < MP_HOSTS_MAX ? session->hosts.slots[index] : NULL;
	return host != NULL && host->state != MP_HOST_REMOVED ? host : NULL;
}

// Its node may be on its way out: events and system tables come from another one, if there is one.
static void leave_control(struct mp_session *session, const struct mp_host *host)
{
	const struct mp_conn *conn = mp_control_conn(&session->control);
	if (conn != NULL && mp_endpoints_have(&host->endpoints, mp_conn_addr(conn)))
		mp_control_move(&session->control, "its host is being drained");
}

void mp_session_hold(struct mp_session *session, uint16_t index, enum mp_host_hold hold)
{
	struct mp_host *host = host_at(session, index);
	if (host == NULL)
		return;
	bool leaves = hold == MP_HOLD_DRAINING && host->hold != hold;
	mp_host_set_hold(host, hold);
	// The caller's next request is planned by what it has just said.
	if (mp_view_rebuild(&session->view) != 0)
		mp_session_view_changed(session);
	if (leaves)
		leave_control(session, host);
}

void mp_session_knock(struct mp_session *session, uint16_t index)
{
	struct mp_host *host = host_at(session, index);
	if (host != NULL)
		mp_pool_retry_now(&host->pool);
}

void mp_session_renew(struct mp_session *session, uint16_t index)
{
	struct mp_host *host = host_at(session, index);
	if (host == NULL)
		return;
	if (mp_pool_is_up(&host->pool))
		mp_pool_rotate(&host->pool, "they are renewed");
	else
		mp_pool_retry_now(&host->pool);
}

void mp_session_resize(struct mp_session *session, uint16_t index, uint32_t core, uint32_t max)
{
	struct mp_host *host = host_at(session, index);
	if (host == NULL)
		return;
	host->own_core = core;
	host->own_max = max;
	mp_host_resize(host);
}

void mp_session_weigh(struct mp_session *session, uint16_t index, double weight, bool for_now)
{
	struct mp_host *host = host_at(session, index);
	if (host == NULL)
		return;
	struct mp_host_view *view = mp_host_view_of(host);
	if (!for_now)
		host->full_weight = -1;
	else if (host->full_weight < 0)
		host->full_weight = view->weight;
	view->weight = weight;
}

void mp_session_weigh_as_before(struct mp_session *session, uint16_t index)
{
	struct mp_host *host = host_at(session, index);
	if (host == NULL || host->full_weight < 0)
		return;
	mp_host_view_of(host)->weight = host->full_weight;
	host->full_weight = -1;
}
