// SPDX-License-Identifier: Apache-2.0
// A unit of work is about a tenth of a microsecond. Hosts are found anew in each step: between two of them anything may
// have happened to them.
#include "cluster/topology/membership.h"

#include <string.h>

#include "base/err.h"
#include "cluster/topology/cluster.h"
#include "cluster/topology/host_internal.h"
#include "cluster/topology/keyspaces.h"

#define LONELY_ANSWERS_MAX  3 // then the node that names no other is believed
#define COMPLAIN_EVERY_MS   10000u
#define COST_OF_KNOWN       10 // units
#define COST_OF_NEW         100
#define COST_OF_TRANSLATION 400
#define COST_OF_LEAVER      100
#define LEAVERS_AT_ONCE     64u

void mp_membership_init(struct mp_membership *members, struct mp_hosts *hosts)
{
	*members = (struct mp_membership){.hosts = hosts};
	mp_ring_builder_init(&members->ring);
}

void mp_membership_stop(struct mp_membership *members)
{
	members->nodes = NULL;
	mp_ring_builder_deinit(&members->ring);
}

void mp_membership_begin(struct mp_membership *members, struct mp_node_rows *nodes, bool is_whole)
{
	mp_membership_stop(members);
	members->nodes = nodes;
	members->is_whole = is_whole;
	members->stage = MP_MEMBERS_ROWS;
	members->at = 0;
	members->refresh++;
	members->print = 0;
	members->odd_tokens = 0;
	members->lonely = nodes->complete_count <= 1 && members->hosts->live_count > 1;
	members->lonely_answers = members->lonely ? members->lonely_answers + 1 : 0;
	members->doubtful = false;
}

// ---- rows -------------------------------------------------------------------------------------------------

static void complain(struct mp_membership *members, const struct mp_node_row *row)
{
	const struct mp_cluster *cluster = members->hosts->cluster;
	uint64_t held;
	if (!mp_log_gate_open(&members->odd_rows, mp_loop_now_ms(cluster->loop), COMPLAIN_EVERY_MS, &held))
		return;
	char addr[MP_ADDR_TEXT];
	mp_addr_format_ip(row->peer.ip_len != 0 ? &row->peer : &row->addr, addr);
	mp_log_write(
		cluster->log, MP_LOG_WARN,
		"a row of system.peers (%s) has no host_id or no address and was skipped (%llu more like it)", addr,
		(unsigned long long)held);
}

static void keep(void *data, struct mp_host *host)
{
	const struct mp_membership *members = data;
	host->seen = members->refresh;
}

// A row with gaps keeps a host that is known, and makes none.
static void skip_row(struct mp_membership *members, const struct mp_node_row *row)
{
	struct mp_host *host = mp_hosts_by_id(members->hosts, &row->host_id);
	if (host != NULL)
		keep(members, host);
	else if (row->addr.ip_len != 0)
		(void)mp_hosts_at(members->hosts, &row->addr, keep, members);
	complain(members, row);
}

// Whom it knew when it connected, it knows; who comes later is a matter of discovery, or was asked for by name.
static bool may_come(const struct mp_hosts *hosts, const struct mp_node_row *row)
{
	if (mp_choices_removed(&hosts->choices, &row->host_id))
		return false;
	return !hosts->opened || hosts->cluster->config->auto_discovery ||
	       mp_choices_added(&hosts->choices, &row->addr) ||
	       mp_choices_added(&hosts->choices, &row->translated);
}

static void take_node(struct mp_membership *members, const struct mp_node_row *row, int64_t *work)
{
	struct mp_hosts *hosts = members->hosts;
	struct mp_host *host = mp_hosts_by_id(hosts, &row->host_id);
	if (host == NULL && !may_come(hosts, row))
		return;
	if (host == NULL) {
		*work -= COST_OF_NEW;
		host = mp_hosts_add(hosts, row);
	} else {
		bool is_first = host->seen != members->refresh;
		mp_host_say_addr(host, row, is_first); // two rows of one node are two ways to it
		if (is_first)
			mp_host_update(host, row);
	}
	if (host != NULL)
		host->seen = members->refresh;
}

// Asks who may be the user's code: nothing is held here that could be gone afterwards but the row, which is gone
// (false) when this reading has ended meanwhile.
static bool translate(struct mp_membership *members, struct mp_node_row *row, int64_t *work)
{
	const struct mp_cluster *cluster = members->hosts->cluster;
	const struct mp_address_translator translator = cluster->config->translator;
	uint32_t refresh = members->refresh;
	uint32_t translation = cluster->translation;
	struct mp_addr named = row->addr;
	struct mp_addr addr = row->addr;
	struct mp_uuid host_id = row->host_id;
	row->translation = translation;
	if (translator.translate == NULL)
		return true;
	*work -= COST_OF_TRANSLATION;
	translator.translate(translator.self, &named, &host_id, row->dc != NULL ? row->dc : MP_UNKNOWN_PLACE,
	                     row->rack != NULL ? row->rack : MP_UNKNOWN_PLACE, &addr);
	if (members->nodes == NULL || members->refresh != refresh)
		return false;
	row->translated = addr;
	return true;
}

static void take_row(struct mp_membership *members, struct mp_node_row *row, int64_t *work)
{
	*work -= COST_OF_KNOWN;
	if (!row->complete)
		skip_row(members, row);
	else if (translate(members, row, work))
		take_node(members, row, work);
}

// ---- those who leave --------------------------------------------------------------------------------------

static bool leaves(void *data, const struct mp_host *host)
{
	const struct mp_membership *members = data;
	return host->seen != members->refresh && !(members->lonely && host->state == MP_HOST_UP);
}

static bool remove_leavers(struct mp_membership *members, int64_t *work)
{
	*work -= (int64_t)LEAVERS_AT_ONCE * COST_OF_LEAVER / 8;
	return mp_hosts_remove_where(members->hosts, leaves, members, LEAVERS_AT_ONCE);
}

// ---- the ring ---------------------------------------------------------------------------------------------

static uint64_t print_text(uint64_t print, const char *text)
{
	return text == NULL ? mp_index_hash(print, "", 0) : mp_index_hash(print, text, strlen(text));
}

static uint64_t print_of(const struct mp_node_row *row, uint16_t slot)
{
	uint64_t print = mp_index_hash(slot + 1u, &row->host_id, sizeof(row->host_id));
	print = print_text(print_text(print, row->dc), row->rack);
	return mp_index_hash(print, row->tokens, row->token_count * sizeof(row->tokens[0]));
}

// The tokens of all hosts, whether they are up or not: replicas are where the cluster put them.
static int take_tokens(struct mp_membership *members, const struct mp_node_row *row, int64_t *work)
{
	const struct mp_host *host = row->complete ? mp_hosts_by_id(members->hosts, &row->host_id) : NULL;
	*work -= COST_OF_KNOWN + row->token_count;
	if (host == NULL)
		return 0;
	members->print += print_of(row, host->index); // the order of rows means nothing
	members->odd_tokens += row->odd_tokens || row->token_count == 0 ? 1 : 0;
	int rc = 0;
	for (uint32_t i = 0; i < row->token_count && rc == 0; i++)
		rc = mp_ring_builder_add(&members->ring, row->tokens[i], host->index);
	return rc;
}

// Without its tokens a keyspace has no replicas that are known, and requests go wherever the plan says.
static void give_up_ring(struct mp_membership *members, int rc)
{
	mp_log_write(members->hosts->cluster->log, MP_LOG_WARN,
	             rc == MP_ETOOBIG ? "the cluster has more than %u tokens: requests go without token awareness"
	                              : "out of memory for the %u tokens of the ring: the old one stays",
	             rc == MP_ETOOBIG ? MP_RING_TOKENS_MAX : (unsigned)members->ring.count);
	if (rc == MP_ETOOBIG)
		mp_keyspaces_set_ring(members->hosts->cluster->keyspaces, NULL, 0);
}

static void tell_odd_tokens(struct mp_membership *members)
{
	if (members->odd_tokens != members->odd_tokens_told && members->odd_tokens > 0)
		mp_log_write(
			members->hosts->cluster->log, MP_LOG_WARN,
			"%u nodes say no tokens, or some that are not understood: their replicas may not be known",
			members->odd_tokens);
	members->odd_tokens_told = members->odd_tokens;
}

static int build_ring(struct mp_membership *members, int64_t *work)
{
	struct mp_ring *ring = NULL;
	struct mp_keyspaces *keyspaces = members->hosts->cluster->keyspaces;
	if (mp_keyspaces_have_ring(keyspaces, members->print))
		return 0;
	int rc = mp_ring_builder_step(&members->ring, work, &ring);
	if (rc == MP_EAGAIN)
		return rc;
	if (rc == 0)
		mp_keyspaces_set_ring(keyspaces, ring, members->print);
	else
		give_up_ring(members, rc);
	return 0;
}

// ---- steps ------------------------------------------------------------------------------------------------

static bool settle_addr(struct mp_membership *members, int64_t *work)
{
	const struct mp_hosts *hosts = members->hosts;
	if (members->at >= hosts->live_count)
		return true;
	struct mp_host *host = hosts->live[members->at++];
	bool settled = host->seen == members->refresh && mp_host_settle_addr(host);
	*work -= settled ? COST_OF_NEW : 1;
	return false;
}

// All that was said is known: who is not named?
static void end_addrs(struct mp_membership *members)
{
	const struct mp_cluster *cluster = members->hosts->cluster;
	members->at = 0;
	members->stage = members->is_whole ? MP_MEMBERS_LEAVERS : MP_MEMBERS_TOKENS;
	if (!members->lonely)
		return;
	members->doubtful = members->lonely_answers < LONELY_ANSWERS_MAX;
	if (!members->doubtful)
		return;
	mp_log_write(cluster->log, MP_LOG_WARN, "a node names no other: the known hosts stay");
	members->nodes = NULL;
}

static void begin_stage(struct mp_membership *members, enum mp_members_stage stage)
{
	members->stage = stage;
	members->at = 0;
}

static void step(struct mp_membership *members, int64_t *work)
{
	struct mp_node_rows *nodes = members->nodes;
	switch (members->stage) {
	case MP_MEMBERS_ROWS:
		if (members->at < nodes->count)
			take_row(members, &nodes->rows[members->at++], work);
		else
			begin_stage(members, MP_MEMBERS_ADDRS);
		break;
	case MP_MEMBERS_ADDRS:
		if (settle_addr(members, work))
			end_addrs(members);
		break;
	case MP_MEMBERS_LEAVERS:
		if (!remove_leavers(members, work))
			break;
		members->doubtful = members->lonely && members->hosts->live_count > 1;
		members->stage = MP_MEMBERS_TOKENS;
		break;
	case MP_MEMBERS_TOKENS: {
		bool wanted = members->hosts->cluster->is_murmur && members->at < nodes->count;
		int rc = wanted ? take_tokens(members, &nodes->rows[members->at++], work) : 0;
		if (rc != 0)
			give_up_ring(members, rc);
		members->nodes = rc != 0 ? NULL : nodes;
		if (!wanted)
			tell_odd_tokens(members);
		members->stage = wanted ? MP_MEMBERS_TOKENS : MP_MEMBERS_RING;
		break;
	}
	case MP_MEMBERS_RING: members->nodes = build_ring(members, work) == 0 ? NULL : nodes; break;
	}
}

// One address after the other, and the host is found again after each.
static void translate_host(struct mp_membership *members, const struct mp_uuid *host_id)
{
	struct mp_hosts *hosts = members->hosts;
	const struct mp_address_translator translator = hosts->cluster->config->translator;
	struct mp_host *host = mp_hosts_by_id(hosts, host_id);
	for (uint8_t i = 0; host != NULL && i < host->endpoints.said_count; i++) {
		struct mp_addr named = host->endpoints.said[i].named;
		struct mp_addr addr = named;
		if (translator.translate != NULL)
			translator.translate(translator.self, &named, host_id, host->dc, host->rack, &addr);
		host = mp_hosts_by_id(hosts, host_id);
		if (host != NULL && i < host->endpoints.said_count)
			host->endpoints.said[i].addr = addr;
	}
	if (host != NULL)
		(void)mp_host_settle_addr(host);
}

bool mp_membership_translate(struct mp_membership *members, int64_t *work)
{
	const struct mp_hosts *hosts = members->hosts;
	uint32_t translation = hosts->cluster->translation;
	for (uint32_t i = 0; i < hosts->live_count && hosts->cluster->translation == translation; i++) {
		struct mp_host *host = hosts->live[i];
		struct mp_uuid host_id = host->host_id;
		if (host->translation == translation)
			continue;
		if (*work <= 0)
			return false;
		host->translation = translation;
		translate_host(members, &host_id);
		*work -= COST_OF_NEW + COST_OF_TRANSLATION;
	}
	return hosts->cluster->translation == translation;
}

int mp_membership_step(struct mp_membership *members, int64_t *work)
{
	struct mp_cluster *cluster = members->hosts->cluster;
	while (members->nodes != NULL && *work > 0)
		step(members, work);
	if (members->nodes != NULL)
		return MP_EAGAIN;
	mp_membership_stop(members);
	cluster->events->on_view(cluster->owner);
	return 0;
}
