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

static void sever(void *why, struct mp_conn *conn)
{
	mp_conn_close(conn, MP_CLOSE_ASKED, why);
}

void mp_session_sever(struct mp_session *session, uint16_t index)
{
	static char why[] = "its host was killed on request";
	struct mp_host *host = host_at(session, index);
	if (host == NULL)
		return;
	mp_session_hold(session, index, MP_HOLD_DRAINING);
	mp_pool_each(&host->pool, sever, why);
}

void mp_session_knock(struct mp_session *session, uint16_t index)
{
	struct mp_host *host = host_at(session, index);
	if (host != NULL)
		mp_pool_retry_now(&host->pool);
}

void mp_session_hint(struct mp_session *session, uint16_t index, bool is_up)
{
	struct mp_host *host = host_at(session, index);
	if (host != NULL && is_up)
		mp_host_hint_up(host);
	else if (host != NULL)
		mp_host_hint_down(host);
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

void mp_session_weigh(struct mp_session *session, uint16_t index, double weight)
{
	struct mp_host *host = host_at(session, index);
	if (host != NULL)
		mp_host_view_of(host)->weight = weight;
}

void mp_session_share(struct mp_session *session, uint16_t index, double share)
{
	struct mp_host *host = host_at(session, index);
	if (host != NULL)
		mp_host_set_share(host, share);
}

// ---- members ----------------------------------------------------------------------------------------------

static void read_again(struct mp_session *session)
{
	mp_topology_want(&session->topology, true, false, 0);
}

int mp_session_admit(struct mp_session *session, const struct mp_addr *addr)
{
	if (mp_session_is_ending(session))
		return MP_ECLOSED;
	int rc = mp_choices_add(&session->hosts.choices, addr);
	if (rc == 0)
		read_again(session);
	return rc;
}

static bool is_that(void *data, const struct mp_host *host)
{
	return data == host;
}

int mp_session_expel(struct mp_session *session, uint16_t index, bool drain)
{
	struct mp_host *host = host_at(session, index);
	if (host == NULL)
		return MP_ENOTFOUND;
	bool is_in_use = host->distance != MP_DISTANCE_IGNORED;
	if (is_in_use && mp_hosts_in_use(&session->hosts) == 1)
		return MP_EINVAL;
	const struct mp_endpoints *endpoints = &host->endpoints;
	const struct mp_addr *named = endpoints->named_count > 0 ? &endpoints->all[0].named : &host->addr;
	int rc = mp_choices_remove(&session->hosts.choices, &host->host_id, &host->addr, named);
	if (rc != 0)
		return rc;
	leave_control(session, host);
	(void)mp_hosts_remove_where(&session->hosts, is_that, host, 1);
	if (!drain)
		mp_pool_close(&host->pool, false);
	if (mp_view_rebuild(&session->view) != 0)
		mp_session_view_changed(session);
	mp_room_came_free(&session->room); // those that wait look for another place
	read_again(session);               // the ring is made of those that are left
	return 0;
}

static struct mp_host *expelled(const struct mp_session *session, uint16_t index, uint32_t generation)
{
	struct mp_host *host = index < MP_HOSTS_MAX ? session->hosts.slots[index] : NULL;
	bool is_it =
		host != NULL && host->state == MP_HOST_REMOVED && session->view.hosts[index].generation == generation;
	return is_it ? host : NULL;
}

size_t mp_session_left_of(const struct mp_session *session, uint16_t index, uint32_t generation)
{
	const struct mp_host *host = expelled(session, index, generation);
	return host != NULL ? host->pool.conns.count : 0;
}

void mp_session_cut(struct mp_session *session, uint16_t index, uint32_t generation)
{
	struct mp_host *host = expelled(session, index, generation);
	if (host != NULL)
		mp_pool_close(&host->pool, false);
}

// ---- the datacentre ---------------------------------------------------------------------------------------

static bool has_hosts(const struct mp_session *session, int dc)
{
	for (uint32_t i = 0; i < session->hosts.live_count; i++)
		if (session->view.hosts[session->hosts.live[i]->index].dcId == dc)
			return true;
	return false;
}

int mp_session_serve_from(struct mp_session *session, struct mp_str dc, struct mp_error *error)
{
	int id = dc.len > 0 ? mp_view_find_dc(&session->view, dc) : MP_NO_HOST;
	mp_error_set(error, 0, -1, "%s", "");
	if (mp_session_is_ending(session))
		mp_error_set(error, MP_ECLOSED, -1, "it is not connected");
	else if (id < 0 || (dc.len > 0 && !has_hosts(session, id)))
		mp_error_set(error, MP_ENOTFOUND, -1, "no host is in a datacentre '%.*s'",
		             (int)(dc.len < 60 ? dc.len : 60), dc.data);
	else if (dc.len > 0 && session->config.remote.core == 0)
		mp_error_set(error, MP_EINVAL, -1,
		             "hosts of other datacentres get no connections: "
		             "pooling.coreConnectionsPerHost['1'] is 0");
	else
		mp_serving_want(&session->serving, (uint16_t)id);
	return error->err;
}
