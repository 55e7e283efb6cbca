// SPDX-License-Identifier: Apache-2.0
// A batch: the statements that a request sends as one BATCH. They are taken over one by one from requests that were
// filled like any other; the encoded run of them is the values of the batch's own request.
//
// What the batch is, as far as repeating it goes, is its worst statement. Where it goes is decided by the first one
// whose routing key is known. Once sent it is a request as any other: what differs is which of its statements a host
// may have forgotten.
#pragma once

#include "cluster/session.h"

// Prepared statements in the order of their first use; neighbours that are the same stand here once.
struct mp_batch_prepared {
	struct mp_prepared *prepared; // ref
	uint32_t generation;          // when its values were bound; the earliest
	uint8_t told;                 // how often hosts were told it again for this request
};

struct mp_batch {
	uint32_t count; // of statements
	uint32_t prepared_count, prepared_room;
	struct mp_batch_prepared *prepared;
	uint8_t type;            // enum mp_batch_type
	uint8_t replay_class[2]; // the worst one; [1]: the caller says that all of it is idempotent
	bool is_lwt;             // one of them is
	bool is_plain;           // all of them are
	bool has_token;
	uint16_t keyspace_id; // of the token
	int64_t token;
};

void mp_batches_init(struct mp_slab *batches);
void mp_batch_drop(struct mp_request *request); // with what it holds
// The first statement that was changed since its values were bound; NULL: none.
const struct mp_prepared *mp_batch_changed(const struct mp_batch *batch);
// The entry that this id names; NULL: none of them.
struct mp_batch_prepared *mp_batch_find(struct mp_batch *batch, struct mp_str id);
// A statement that the host is to be told before the batch is sent there; NULL: none.
struct mp_prepared *mp_batch_stale(const struct mp_request *request, uint16_t host);
// They may be others by now: a server found the batch invalid.
void mp_batch_doubt(struct mp_batch *batch);
// Whether a value of it is not set.
bool mp_batch_has_unset(const struct mp_request *request);
