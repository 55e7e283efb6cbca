// SPDX-License-Identifier: Apache-2.0
// What the parts of the topology (control connection, system tables, hosts, keyspaces) have in common: the world they
// live in, one another, what is known of the cluster as a whole, and how they tell their owner what has happened. They
// know no session; it gives them this struct and the callbacks in it.
#pragma once

#include "base/cursor.h"
#include "cluster/config.h"
#include "cluster/plan/policy.h"
#include "cluster/plan/view.h"
#include "cluster/topology/host.h"
#include "loop/loop.h"

enum mp_host_news {
	MP_NEWS_ADDED,
	MP_NEWS_REMOVED,
	MP_NEWS_UP,
	MP_NEWS_DOWN,
	MP_NEWS_CONNECTION_ADDED,
	MP_NEWS_CONNECTION_REMOVED,
	MP_NEWS_CONNECTION_LOST,
	MP_NEWS_BREAKER_OPEN,
	MP_NEWS_BREAKER_HALF_OPEN,
	MP_NEWS_BREAKER_CLOSE,
};

// They come from inside of anything, so the owner notes what it is told and acts later in the turn.
struct mp_cluster_events {
	void (*on_host)(void *owner, enum mp_host_news news, struct mp_host *host, const char *reason);
	void (*on_resized)(void *owner, struct mp_host *host, uint32_t from, uint32_t to,
	                   const char *why); // its pool
	void (*on_schema)(void *owner, struct mp_str keyspace, struct mp_str table, struct mp_str change);
	void (*on_schema_missed)(void *owner); // it has changed while there was no control connection
	void (*on_view)(void *owner);          // slots of the view have changed: its groups do not fit any more
	void (*on_room)(void *owner);          // requests that found no place may find one now
	void (*on_identified)(void *owner);    // the cluster's name is known: connections to come ask for it
	void (*on_read)(void *owner);          // the topology was read and holds; for each refresh
	// No node could be used as control connection. `again`: there was one before, and they are all tried again later.
	void (*on_unreachable)(void *owner, bool again);
	void (*on_quiet)(void *owner); // a part that was told to end has ended

	// What only the owner knows.
	enum mp_distance (*distance)(void *owner, const char *dc);
	uint32_t (*remote_hosts)(void *owner);         // to how many hosts of each remote datacentre; 0: to all
	bool (*prepares)(void *owner, uint16_t dc_id); // this datacentre is about to serve
	bool (*retry_delay)(void *owner, const struct mp_reconnect_view *view, uint64_t *delay_ms);
};

struct mp_cluster {
	struct mp_loop *loop;
	const struct mp_log *log;
	const struct mp_session_config *config;
	const struct mp_conn_settings *settings;         // by protocol version, for pools
	const struct mp_conn_settings *control_settings; // the same for the control connection
	struct mp_view *view;
	struct mp_control *control;
	struct mp_topology *topology;
	struct mp_hosts *hosts;
	struct mp_keyspaces *keyspaces;
	const struct mp_cluster_events *events;
	void *owner;

	uint32_t translation;          // counts the translators of addresses
	uint8_t version;               // pinned by the first control connection; 0: not yet
	char *name;                    // NULL: not known yet
	char *local_dc;                // NULL: not known yet
	bool is_murmur;                // the partitioner is the one whose tokens are understood
	struct mp_uuid schema_version; // when it was read last; nil: not known
};

// The highest version to try below `version` after a refusal; 0: none.
uint8_t mp_cluster_version_below(const struct mp_cluster *cluster, uint8_t version, uint8_t hint);
