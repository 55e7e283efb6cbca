// SPDX-License-Identifier: Apache-2.0
// What system.local and system.peers say about one node. Pure: rows in, structs out; a row that lacks what a node needs
// is marked, not dropped, so that a node that is known keeps its place.
#pragma once

#include "base/addr.h"
#include "base/arena.h"
#include "base/uuid.h"
#include "wire/message.h"

#define MP_KEYSPACE_OPTIONS_MAX 65 // a class and every datacentre

struct mp_node_row {
	struct mp_uuid host_id;
	struct mp_addr addr; // where clients reach it
	struct mp_addr peer; // how its neighbours call it (system.peers' key); port 0
	const char *dc;
	const char *rack;
	const char *release_version;
	int64_t *tokens;
	uint32_t token_count;
	bool is_local; // of system.local
	bool complete; // has a host id, an address, a datacentre and a rack; a peer also tokens
};

// What only system.local says.
struct mp_cluster_row {
	const char *cluster_name;
	const char *partitioner;
};

struct mp_node_rows {
	struct mp_node_row *rows;
	size_t count;
	size_t capacity;
};

// Read the rows of a SELECT * FROM system.local / peers / peers_v2 into the arena and append them. `asked` is
// the address of the connection that was asked: it stands in for an unusable address of system.local and gives
// the port where none is said. `cluster` NULL: the rows are peers. MP_EPROTO, MP_ENOMEM.
int mp_node_rows_read(struct mp_node_rows *nodes, struct mp_arena *arena, const struct mp_result_body *result,
                      const struct mp_addr *asked, struct mp_cluster_row *cluster) MP_MUST_CHECK;

// One row of system_schema.keyspaces.
struct mp_keyspace_row {
	struct mp_str name;
	size_t option_count;
	struct mp_str keys[MP_KEYSPACE_OPTIONS_MAX];
	struct mp_str values[MP_KEYSPACE_OPTIONS_MAX];
};
// Read them one by one; the strings are borrowed from the result. MP_EPROTO.
int mp_keyspace_rows_read(const struct mp_result_body *result,
                          void (*on_row)(void *data, const struct mp_keyspace_row *row),
                          void *data) MP_MUST_CHECK;
