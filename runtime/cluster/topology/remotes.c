// SPDX-License-Identifier: Apache-2.0
#include "cluster/topology/remotes.h"

#include <string.h>

#include "cluster/topology/cluster.h"
#include "cluster/topology/host_internal.h"

// Those without a number of their own datacentre count together.
#define PLACES (MP_DCS_MAX + 1)

static uint16_t place_of(const struct mp_host *host)
{
	uint16_t dc = mp_host_view_of(host)->dcId;
	return dc < MP_DCS_MAX ? dc : MP_DCS_MAX;
}

static uint32_t limit_of(const struct mp_hosts *hosts)
{
	return hosts->cluster->events->remote_hosts(hosts->cluster->owner);
}

// Who does not say where it is stays at hand: it may be the last one.
static bool is_limited(const struct mp_host *host)
{
	const struct mp_cluster *cluster = host->cluster;
	return strcmp(host->dc, MP_UNKNOWN_PLACE) != 0 &&
	       cluster->events->distance(cluster->owner, host->dc) == MP_DISTANCE_REMOTE;
}

bool mp_remotes_use(const struct mp_host *host)
{
	return host->chosen || limit_of(host->cluster->hosts) == 0 || !is_limited(host);
}

static uint64_t failures_of(const struct mp_host *host)
{
	return host->pool.failed_total + host->pool.lost_total;
}

static bool has_failed(const struct mp_host *host)
{
	return host->state == MP_HOST_DOWN && failures_of(host) > host->failures_before;
}

// Each client has another one in front, so that not all of them meet on the same hosts.
static uint64_t lot_of(const struct mp_host *host)
{
	return mp_index_hash(host->cluster->hosts->lots, host->host_id.bytes, sizeof(host->host_id.bytes));
}

static bool goes_before(const struct mp_host *a, const struct mp_host *b)
{
	if (b == NULL)
		return true;
	if ((a->state == MP_HOST_UP) != (b->state == MP_HOST_UP))
		return a->state == MP_HOST_UP; // there are connections to it already
	return a->passed < b->passed || (a->passed == b->passed && lot_of(a) < lot_of(b));
}

static void choose(struct mp_host *host)
{
	host->chosen = true;
	host->failures_before = failures_of(host);
	mp_host_relocate(host);
}

static void pass_over(struct mp_hosts *hosts, struct mp_host *host)
{
	mp_log_write(hosts->cluster->log, MP_LOG_INFO, "%s gives its place to another host of %s",
	             host->addr_text, host->dc);
	host->chosen = false;
	host->passed = ++hosts->passes;
	mp_host_relocate(host);
}

struct mp_remote_census {
	uint32_t chosen[PLACES], others[PLACES];
};

static void count(const struct mp_hosts *hosts, struct mp_remote_census *census)
{
	memset(census, 0, sizeof(*census));
	for (uint32_t i = 0; i < hosts->live_count; i++) {
		struct mp_host *host = hosts->live[i];
		if (!is_limited(host))
			host->chosen = false;
		else if (host->chosen)
			census->chosen[place_of(host)]++;
		else
			census->others[place_of(host)]++;
	}
}

static struct mp_host *next_of(const struct mp_hosts *hosts, uint16_t place)
{
	struct mp_host *best = NULL;
	for (uint32_t i = 0; i < hosts->live_count; i++) {
		struct mp_host *host = hosts->live[i];
		if (!host->chosen && place_of(host) == place && is_limited(host) && goes_before(host, best))
			best = host;
	}
	return best;
}

void mp_remotes_review(struct mp_hosts *hosts)
{
	uint32_t limit = limit_of(hosts);
	if (!hosts->remotes_changed || limit == 0)
		return;
	hosts->remotes_changed = false;
	if (hosts->lots == 0)
		hosts->lots = mp_rand_u64(mp_loop_rand(hosts->cluster->loop)) | 1;
	struct mp_remote_census census;
	count(hosts, &census);
	for (uint32_t i = 0; i < hosts->live_count; i++) {
		struct mp_host *host = hosts->live[i];
		uint16_t place = place_of(host);
		bool is_one_too_many = census.chosen[place] > limit;
		bool is_replaceable = has_failed(host) && census.others[place] > 0;
		if (!host->chosen || !(is_one_too_many || is_replaceable))
			continue;
		pass_over(hosts, host);
		census.chosen[place]--;
		if (is_one_too_many)
			continue;
		census.others[place]--; // it does not follow itself
		census.chosen[place]++;
		choose(next_of(hosts, place));
	}
	for (uint16_t place = 0; place < PLACES; place++)
		for (; census.chosen[place] < limit && census.others[place] > 0; census.others[place]--) {
			choose(next_of(hosts, place));
			census.chosen[place]++;
		}
}

void mp_remotes_changed(struct mp_hosts *hosts)
{
	if (limit_of(hosts) == 0)
		return;
	hosts->remotes_changed = true;
	hosts->cluster->events->on_quiet(hosts->cluster->owner);
}
