// SPDX-License-Identifier: Apache-2.0
// Where a host stands (datacentre, rack, distance), and what that makes of its pool.
#include <string.h>

#include "base/mem.h"
#include "cluster/plan/marks.h"
#include "cluster/topology/cluster.h"
#include "cluster/topology/host_internal.h"
#include "cluster/topology/hosts.h"
#include "cluster/topology/remotes.h"

// Of its distance; what its datacentre's own settings say of the most goes before that.
struct mp_pool_limits mp_host_limits(const struct mp_host *host)
{
	const struct mp_cluster *cluster = host->cluster;
	const struct mp_session_config *config = cluster->config;
	bool is_local = host->distance == MP_DISTANCE_LOCAL ||
	                cluster->events->prepares(cluster->owner, mp_host_view_of(host)->dcId);
	struct mp_pool_limits limits = is_local ? config->local : config->remote;
	for (size_t i = 0; i < config->region_count && host->dc != NULL; i++) {
		uint32_t most = config->regions[i].max_connections;
		if (most == 0 || strcmp(config->regions[i].dc, host->dc) != 0)
			continue;
		limits.max = most;
		limits.core = limits.core < most ? limits.core : most;
	}
	if (host->own_max > 0) {
		limits.core = host->own_core;
		limits.max = host->own_max;
	}
	return limits;
}

static uint16_t priority_of(const struct mp_session_config *config, const char *dc)
{
	for (size_t i = 0; i < config->region_count; i++)
		if (strcmp(config->regions[i].dc, dc) == 0)
			return config->regions[i].priority;
	return 0;
}

// What the configuration makes of the place where it stands.
void mp_host_weigh_place(struct mp_host *host)
{
	struct mp_cluster *cluster = host->cluster;
	struct mp_host_view *view = mp_host_view_of(host);
	const char *rack = cluster->config->local_rack;
	host->distance = cluster->events->distance(cluster->owner, host->dc);
	if (host->distance == MP_DISTANCE_REMOTE && !mp_remotes_use(host))
		host->distance = MP_DISTANCE_IGNORED;
	view->isLocal = host->distance == MP_DISTANCE_LOCAL;
	view->isLocalRack = view->isLocal && rack != NULL && strcmp(rack, host->rack) == 0;
	mp_view_set_priority(cluster->view, view->dcId, priority_of(cluster->config, host->dc));
}

void mp_host_tell_names(struct mp_host *host)
{
	char id[MP_UUID_TEXT];
	mp_uuid_format(&host->host_id, id);
	mp_view_name_host(host->cluster->view, host->index, host->addr_text, id);
}

static bool replace_text(char **to, const char *text)
{
	if (*to != NULL && text != NULL && strcmp(*to, text) == 0)
		return true;
	char *copy = text != NULL ? mp_strdup(text) : NULL;
	if (text != NULL && copy == NULL)
		return false;
	mp_free(*to);
	*to = copy;
	return true;
}

// A number of a name, or one that stands for none when there are too many of them; -1: out of memory.
static int id_or_none(struct mp_host *host, int id, const char *what)
{
	if (id >= 0)
		return id;
	if (id != MP_ETOOBIG)
		return -1;
	mp_log_write(host->cluster->log, MP_LOG_WARN, "%s: too many %s: its own is not told apart from others",
	             host->addr_text, what);
	return MP_NO_HOST;
}

bool mp_host_place(struct mp_host *host, const struct mp_node_row *row)
{
	struct mp_view *cluster_view = host->cluster->view;
	const char *dc = row->dc != NULL ? row->dc : host->dc != NULL ? host->dc : MP_UNKNOWN_PLACE;
	const char *rack = row->rack != NULL ? row->rack : host->rack != NULL ? host->rack : MP_UNKNOWN_PLACE;
	int dc_id = id_or_none(host, mp_view_dc_id(cluster_view, dc), "datacentres");
	int rack_id = id_or_none(host, mp_view_rack_id(cluster_view, dc, rack), "racks");
	if (dc_id < 0 || rack_id < 0 || !replace_text(&host->dc, dc) || !replace_text(&host->rack, rack) ||
	    !replace_text(&host->release_version, row->release_version))
		return false;
	struct mp_host_view *view = mp_host_view_of(host);
	view->dcId = (uint16_t)dc_id;
	view->rackId = (uint16_t)rack_id;
	mp_host_weigh_place(host);
	if (view->isLocal)
		cluster_view->local_dc = view->dcId;
	return true;
}

void mp_host_resize(struct mp_host *host)
{
	struct mp_pool_limits limits = mp_host_limits(host);
	if (host->distance == MP_DISTANCE_IGNORED)
		limits.core = 0;
	mp_pool_set_limits(&host->pool, &limits);
	if (host->cluster->hosts->opened)
		mp_host_open(host);
}

void mp_host_relocate(struct mp_host *host)
{
	mp_host_weigh_place(host);
	mp_host_resize(host);
}
