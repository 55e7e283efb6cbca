// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/batch.h"

#include "base/mem.h"
#include "cluster/request/feature.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

#define ROOM_KEPT 256u // entries that a batch keeps for the next one

static void destruct(void *object)
{
	mp_free(((struct mp_batch *)object)->prepared);
}

void mp_batches_init(struct mp_slab *batches)
{
	mp_slab_init(batches, sizeof(struct mp_batch), NULL, destruct);
}

int mp_request_batch(struct mp_request *request, enum mp_batch_type type)
{
	struct mp_batch *batch = mp_slab_take(&request->session->batches);
	if (batch == NULL)
		return MP_ENOMEM;
	*batch = (struct mp_batch){
		.prepared = batch->prepared,
		.prepared_room = batch->prepared_room,
		.type = (uint8_t)type,
		.replay_class = {MP_REPLAY_IDEMPOTENT, MP_REPLAY_IDEMPOTENT},
		.is_plain = true,
	};
	if (type == MP_BATCH_COUNTER)
		batch->replay_class[0] = batch->replay_class[1] = MP_REPLAY_FRAGILE;
	request->batch = batch;
	return 0;
}

void mp_batch_drop(struct mp_request *request)
{
	struct mp_batch *batch = request->batch;
	request->batch = NULL;
	for (uint32_t i = 0; i < batch->prepared_count; i++)
		mp_prepared_unref(batch->prepared[i].prepared);
	if (batch->prepared_room > ROOM_KEPT) {
		mp_free(batch->prepared);
		batch->prepared = NULL;
		batch->prepared_room = 0;
	}
	// The slab keeps all of an object but its first word.
	mp_slab_give(&request->session->batches, batch);
}

// ---- filling ----------------------------------------------------------------------------------------------

// Room for one more entry.
static int grow(struct mp_batch *batch)
{
	if (batch->prepared_count < batch->prepared_room)
		return 0;
	uint32_t room = batch->prepared_room == 0 ? 8 : batch->prepared_room * 2;
	struct mp_batch_prepared *more = mp_realloc(batch->prepared, room * sizeof(*more));
	if (more == NULL)
		return MP_ENOMEM;
	batch->prepared = more;
	batch->prepared_room = room;
	return 0;
}

static void hold(struct mp_batch *batch, const struct mp_request *member)
{
	struct mp_batch_prepared *last = &batch->prepared[batch->prepared_count];
	if (batch->prepared_count > 0 && last[-1].prepared == member->prepared) {
		if (member->generation < last[-1].generation)
			last[-1].generation = member->generation;
		return;
	}
	*last = (struct mp_batch_prepared){mp_prepared_ref(member->prepared), member->generation, 0};
	batch->prepared_count++;
}

static void worsen(struct mp_batch *batch, const uint8_t replay_class[2], bool idempotent)
{
	uint8_t own = replay_class[idempotent ? 1 : 0];
	if (own > batch->replay_class[0])
		batch->replay_class[0] = own;
	if (replay_class[1] > batch->replay_class[1])
		batch->replay_class[1] = replay_class[1];
}

static void add_prepared(struct mp_request *request, const struct mp_request *member)
{
	struct mp_batch *batch = request->batch;
	struct mp_prepared *prepared = member->prepared;
	hold(batch, member);
	worsen(batch, prepared->replay_class, member->options.idempotent);
	batch->is_lwt = batch->is_lwt || prepared->is_lwt;
	batch->is_plain = batch->is_plain && prepared->is_plain;
	if (batch->has_token)
		return;
	batch->has_token = mp_routing_token(prepared, &member->values, member->value_count,
	                                    &request->session->scratch, &batch->token);
	batch->keyspace_id = prepared->keyspace_id;
}

static void add_text(struct mp_batch *batch, const struct mp_request *member)
{
	struct mp_statement statement = mp_statement_read(member->cql.data, member->cql.len, MP_MARKERS_UNKNOWN);
	uint8_t replay_class[2] = {(uint8_t)mp_statement_class(&statement, false),
	                           (uint8_t)mp_statement_class(&statement, true)};
	worsen(batch, replay_class, member->options.idempotent);
	batch->is_lwt = batch->is_lwt || statement.is_lwt;
	batch->is_plain = batch->is_plain && statement.is_plain;
}

static int check_member(const struct mp_request *request, const struct mp_request *member)
{
	bool is_text = member->cql.len > 0;
	if (request->batch == NULL || member->batch != NULL || is_text == (member->prepared != NULL) ||
	    member->named_values || member->value_count > UINT16_MAX)
		return MP_EINVAL;
	if (request->batch->count == MP_BATCH_STATEMENTS_MAX ||
	    member->cql.len + member->values.len > MP_REQUEST_PART_MAX - request->values.len)
		return MP_ETOOBIG;
	return mp_buf_status(&member->values);
}

int mp_batch_add(struct mp_request *request, const struct mp_request *member)
{
	int rc = check_member(request, member);
	if (rc == 0)
		rc = grow(request->batch);
	if (rc != 0)
		return rc;
	struct mp_batch_statement statement = {
		.value_count = member->value_count,
		.values = {(const char *)member->values.data, member->values.len},
	};
	if (member->prepared != NULL)
		statement.id = member->prepared->id;
	else
		statement.cql = member->cql;
	mp_batch_put(&request->values, &statement);
	rc = mp_buf_status(&request->values);
	if (rc != 0)
		return rc;
	request->batch->count++;
	if (member->prepared != NULL)
		add_prepared(request, member);
	else
		add_text(request->batch, member);
	return 0;
}

// ---- under way --------------------------------------------------------------------------------------------

const struct mp_prepared *mp_batch_changed(const struct mp_batch *batch)
{
	for (uint32_t i = 0; i < batch->prepared_count; i++)
		if (batch->prepared[i].generation != batch->prepared[i].prepared->generation)
			return batch->prepared[i].prepared;
	return NULL;
}

struct mp_batch_prepared *mp_batch_find(struct mp_batch *batch, struct mp_str id)
{
	for (uint32_t i = 0; i < batch->prepared_count; i++)
		if (mp_str_eq(batch->prepared[i].prepared->id, id))
			return &batch->prepared[i];
	return NULL;
}

struct mp_prepared *mp_batch_stale(const struct mp_request *request, uint16_t host)
{
	const struct mp_batch *batch = request->batch;
	for (uint32_t i = 0; i < batch->prepared_count; i++)
		if (mp_prepared_is_stale(batch->prepared[i].prepared, host))
			return batch->prepared[i].prepared;
	return NULL;
}

void mp_batch_doubt(struct mp_batch *batch)
{
	for (uint32_t i = 0; i < batch->prepared_count; i++)
		mp_prepared_misfit(batch->prepared[i].prepared);
}

bool mp_batch_has_unset(const struct mp_request *request)
{
	struct mp_cursor cur = mp_cursor_on(request->values.data, request->values.len);
	struct mp_batch_statement statement;
	while (mp_batch_next(&cur, &statement))
		if (mp_values_have_unset(statement.values, statement.value_count, false))
			return true;
	return false;
}
