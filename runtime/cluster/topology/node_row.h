// SPDX-License-Identifier: Apache-2.0
// What system.local and system.peers say about one node. Pure: rows in, structs out. What is missing or makes no sense
// costs what it is good for and nothing else: only a row without a host id or an address is none of a node that can be
// used, and is marked, not dropped, so that a node that is known keeps its place.
#pragma once

#include "base/addr.h"
#include "base/arena.h"
#include "base/uuid.h"
#include "wire/message.h"

#define MP_NODE_TOKENS_MAX 4096 // of one node; more are no tokens

struct mp_node_row {
	struct mp_uuid host_id;
	struct mp_addr addr;       // where clients reach it
	struct mp_addr translated; // where that is from here; the same until somebody knows better
	uint32_t translation;      // and who that was
	struct mp_addr peer;       // how its neighbours call it (system.peers' key); port 0
	struct mp_addr reached;    // is_local: where it was asked
	const char *dc;            // NULL: not said, or no name
	const char *rack;          // the same
	const char *release_version;
	int64_t *tokens;
	uint32_t token_count;
	bool odd_tokens; // it has some that cannot be understood
	bool is_local;   // of system.local
	bool complete;   // has a host id and an address
};

// What only system.local says.
struct mp_cluster_row {
	const char *cluster_name;
	const char *partitioner;
	struct mp_uuid schema_version; // nil: not said
};

struct mp_node_rows {
	struct mp_node_row *rows;
	size_t count;
	size_t capacity;
	size_t complete_count;
};

// Reads the rows of a SELECT * FROM system.local / peers / peers_v2 in steps, into an arena.
struct mp_node_reader {
	struct mp_node_rows *nodes;
	struct mp_arena *arena;
	struct mp_addr asked;           // of the connection
	struct mp_cluster_row *cluster; // NULL: the rows are peers
	struct mp_cursor rows;
	uint32_t left; // rows to be read
	uint32_t column_count;
	struct mp_bytes *values; // of one row
	int16_t *columns;        // position of each column that means something, -1: there is none
};

// The rows are appended to `nodes`; the result must outlive the reader. `asked` is the address of the connection that
// was asked: it stands in for an unusable address of system.local and gives the port where none is said. MP_EPROTO,
// MP_ENOMEM.
int mp_node_reader_begin(struct mp_node_reader *reader, struct mp_node_rows *nodes, struct mp_arena *arena,
                         const struct mp_result_body *result, const struct mp_addr *asked,
                         struct mp_cluster_row *cluster) MP_MUST_CHECK;
// Reads on until the work is done (a row costs about what it has in it) or there are `most` rows that name a node. 0:
// all was read that will be; `reader->left` rows were not. MP_EAGAIN: there is more to do. MP_EPROTO, MP_ENOMEM.
int mp_node_reader_step(struct mp_node_reader *reader, size_t most, int64_t *work) MP_MUST_CHECK;
