// SPDX-License-Identifier: Apache-2.0
// What the server says about a statement (the types of its parameters, the partition key, the columns of its rows) is a
// copy, and a table may be dropped and made again with others, by anybody. So each answer to PREPARE is compared with
// the copy, and a statement is prepared anew before its next use as soon as there is a reason to doubt it:
//
//   certain --its table was changed, or a host is about to be told it anew--> doubted
//      ^                                                                        |
//      +---- PREPARE, before the next use: the same, or renewed <---------------+
//
// Once it is renewed, what was bound before fails and is not sent. A node that is asked right after a change may not
// have heard of it, so a doubt by a change is checked twice: at the next use, and at the first one after SETTLE_MS.
#include <stdio.h>

#include "base/mem.h"
#include "cluster/request/prepare.h"
#include "cluster/session_internal.h"

#define NS_PER_MS      UINT64_C(1000000)
#define SETTLE_MS      2000u // in which a change of the schema reaches every node
#define CHECK_EVERY_MS 1000u // at most, because of answers: a program may ask for what is invalid all day
#define CHANGE_TEXT    96u

// ---- doubts -----------------------------------------------------------------------------------------------

extern inline bool mp_prepared_is_doubted(const struct mp_prepared *prepared);

bool mp_prepared_is_doubted_now(const struct mp_prepared *prepared)
{
	return mp_loop_now_ns(prepared->session->loop) >= prepared->check_ns;
}

static uint64_t table_hash(struct mp_str keyspace, struct mp_str table)
{
	return mp_names_hash(mp_names_hash(keyspace.len, keyspace.data, keyspace.len), table.data, table.len);
}

// Nearly always all columns are of one table.
static uint32_t different_columns(const struct mp_metadata *metadata)
{
	uint32_t count = metadata != NULL ? metadata->column_count : 0;
	return count > 1 && metadata->wire_global ? 1 : count;
}

static bool belongs_to(const struct mp_metadata *metadata, struct mp_str keyspace, struct mp_str table)
{
	for (uint32_t i = 0; i < different_columns(metadata); i++) {
		const struct mp_column *column = &metadata->columns[i];
		if (mp_str_eq(column->keyspace, keyspace) && (table.len == 0 || mp_str_eq(column->table, table)))
			return true;
	}
	return false;
}

static bool touches(const struct mp_metadata *metadata, uint64_t hash)
{
	const struct mp_str any = {"", 0};
	for (uint32_t i = 0; i < different_columns(metadata); i++) {
		const struct mp_column *column = &metadata->columns[i];
		if (hash == table_hash(column->keyspace, column->table) ||
		    hash == table_hash(column->keyspace, any) || hash == table_hash(any, any))
			return true;
	}
	return false;
}

// What was prepared for the first time after a table came needs no second look: only what changes leaves an old copy
// with a node that is late.
static void remember(struct mp_prepares *prepares, struct mp_str keyspace, struct mp_str table, bool is_new)
{
	uint64_t hash = table_hash(keyspace, table);
	struct mp_schema_change *oldest = &prepares->changes[0];
	for (size_t i = 0; i < MP_ARRAY_LEN(prepares->changes); i++) {
		struct mp_schema_change *change = &prepares->changes[i];
		if (change->hash == hash && change->at_ns > 0) {
			oldest = change;
			is_new = false;
			break;
		}
		if (change->at_ns < oldest->at_ns)
			oldest = change;
	}
	if (!is_new)
		*oldest = (struct mp_schema_change){hash, mp_loop_now_ns(prepares->session->loop)};
}

void mp_prepares_doubt(struct mp_prepares *prepares, struct mp_str keyspace, struct mp_str table,
                       struct mp_str change)
{
	uint64_t now_ns = mp_loop_now_ns(prepares->session->loop);
	remember(prepares, keyspace, table, mp_str_is(change, "CREATED"));
	struct mp_list_node *node = mp_list_first(&prepares->live);
	for (; node != NULL; node = mp_list_next(&prepares->live, node)) {
		struct mp_prepared *prepared = &MP_CONTAINER_OF(node, struct mp_prepared_entry, live)->pub;
		bool touched = keyspace.len == 0 || belongs_to(prepared->params, keyspace, table) ||
		               belongs_to(prepared->result, keyspace, table);
		if (!touched)
			continue;
		prepared->check_ns = prepared->doubted_ns = now_ns;
		prepared->settled_ns = now_ns + SETTLE_MS * NS_PER_MS;
	}
}

void mp_prepares_doubt_result(struct mp_prepares *prepares, const struct mp_result_body *result)
{
	bool is_table = mp_str_is(result->target, "TABLE");
	mp_prepares_doubt(prepares, result->change_keyspace,
	                  is_table ? result->change_name : (struct mp_str){"", 0}, result->change);
}

void mp_prepares_doubt_text(struct mp_prepares *prepares, struct mp_str cql, struct mp_str keyspace)
{
	struct mp_prepared *known = mp_prepares_known(prepares, cql, keyspace);
	if (known != NULL)
		known->check_ns = known->doubted_ns = mp_loop_now_ns(prepares->session->loop);
}

bool mp_prepared_is_due(const struct mp_prepared *prepared)
{
	uint64_t since_ns = mp_loop_now_ns(prepared->session->loop) - prepared->checked_ns;
	return since_ns >= CHECK_EVERY_MS * NS_PER_MS;
}

void mp_prepared_check(struct mp_prepared *prepared, uint64_t asked_ns)
{
	prepared->checked_ns = asked_ns;
	if (asked_ns < prepared->doubted_ns)
		return; // the answer may be older than the doubt
	prepared->check_ns = asked_ns < prepared->settled_ns ? prepared->settled_ns : UINT64_MAX;
}

void mp_prepared_misfit(struct mp_prepared *prepared)
{
	if (mp_prepared_is_due(prepared))
		prepared->check_ns = prepared->doubted_ns = mp_loop_now_ns(prepared->session->loop);
}

static uint64_t changed_ns(const struct mp_prepares *prepares, const struct mp_metadata *metadata)
{
	uint64_t last_ns = 0;
	for (size_t i = 0; i < MP_ARRAY_LEN(prepares->changes); i++) {
		const struct mp_schema_change *change = &prepares->changes[i];
		if (change->at_ns > last_ns && touches(metadata, change->hash))
			last_ns = change->at_ns;
	}
	return last_ns;
}

void mp_prepared_begin(struct mp_prepared *prepared, uint64_t asked_ns)
{
	const struct mp_prepares *prepares = &prepared->session->prepares;
	uint64_t by_params_ns = changed_ns(prepares, prepared->params);
	uint64_t by_result_ns = changed_ns(prepares, prepared->result);
	uint64_t doubted_ns = by_params_ns > by_result_ns ? by_params_ns : by_result_ns;
	prepared->check_ns = prepared->doubted_ns = doubted_ns;
	prepared->settled_ns = doubted_ns > 0 ? doubted_ns + SETTLE_MS * NS_PER_MS : 0;
	mp_prepared_check(prepared, asked_ns);
}

// ---- renewals ---------------------------------------------------------------------------------------------

static const char *type_text(struct mp_buf *buf, const struct mp_type *type)
{
	mp_buf_clear(buf);
	mp_type_format(buf, type);
	mp_buf_u8(buf, 0);
	return mp_buf_status(buf) == 0 ? (const char *)buf->data : "?";
}

static void describe_change(const struct mp_metadata *before, const struct mp_metadata *now,
                            char text[CHANGE_TEXT])
{
	text[0] = '\0';
	if (before->column_count != now->column_count) {
		snprintf(text, CHANGE_TEXT, "it had %u parameters and has %u", before->column_count,
		         now->column_count);
		return;
	}
	struct mp_buf was, is;
	mp_buf_init(&was);
	mp_buf_init(&is);
	for (uint32_t i = 0; i < now->column_count; i++) {
		const struct mp_column *old = &before->columns[i], *new = &now->columns[i];
		if (mp_str_eq(old->name, new->name) && mp_type_eq(old->type, new->type))
			continue;
		snprintf(text, CHANGE_TEXT, "%.*s was %.24s and is %.24s",
		         (int)(new->name.len < 32 ? new->name.len : 32), new->name.data, type_text(&was, old->type),
		         type_text(&is, new->type));
		break;
	}
	mp_buf_deinit(&was);
	mp_buf_deinit(&is);
}

void mp_prepared_renew(struct mp_prepared *prepared, const struct mp_result_body *result, uint64_t asked_ns)
{
	bool same_id = mp_str_eq(prepared->result_metadata_id, result->result_metadata_id);
	if (!same_id || !mp_metadata_same_columns(prepared->result, result->result))
		mp_prepared_set_result(prepared, result->result_metadata_id, result->result);
	bool same_params = mp_metadata_same_columns(prepared->params, result->params);
	if (!same_params) {
		char text[CHANGE_TEXT];
		describe_change(prepared->params, result->params, text);
		mp_free(prepared->change);
		prepared->change = mp_strdup(text);
		prepared->generation++;
		mp_log_write(&prepared->session->log, MP_LOG_INFO, "a statement was changed on the server: %s", text);
	}
	if (!same_params || !mp_metadata_same_key(prepared->params, result->params)) {
		struct mp_metadata *old = prepared->params;
		prepared->params = mp_metadata_ref(result->params);
		mp_metadata_unref(old);
		mp_prepared_describe(prepared);
	}
	mp_prepared_check(prepared, asked_ns);
}
