// SPDX-License-Identifier: Apache-2.0
#include "cluster/topology/table.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define WHY_MAX 80

void mp_table_fail(struct mp_table *table, int rc, struct mp_str why)
{
	int len = (int)(why.len < WHY_MAX ? why.len : WHY_MAX);
	table->rc = rc;
	snprintf(table->why, sizeof(table->why), "%s could not be read: %.*s", table->name, len, why.data);
}

static int keep_rows(struct mp_table *table, const struct mp_result_body *result)
{
	size_t len = mp_cursor_left(&result->rows);
	table->is_cut = len > MP_TABLE_BYTES_MAX;
	len = table->is_cut ? MP_TABLE_BYTES_MAX : len;
	table->copy = mp_alloc(len + 1);
	if (table->copy == NULL)
		return MP_ENOMEM;
	memcpy(table->copy, result->rows.pos, len);
	table->result = *result;
	table->result.rows = mp_cursor_on(table->copy, len);
	return 0;
}

static void take_error(struct mp_table *table, const struct mp_envelope *answer, struct mp_cursor body)
{
	struct mp_error_body error;
	if (mp_decode_error(body, answer->version, &error) == 0)
		mp_table_fail(table, MP_ESERVER, error.message);
	else
		mp_table_fail(table, MP_EPROTO, mp_str_of("an unreadable error"));
}

static void take_answer(struct mp_table *table, const struct mp_envelope *answer)
{
	struct mp_response_prefix prefix;
	struct mp_result_body result;
	int rc = mp_decode_prefix(answer, &prefix);
	if (rc == 0 && answer->opcode == MP_OP_ERROR) {
		take_error(table, answer, prefix.body);
		return;
	}
	if (rc == 0)
		rc = mp_decode_result(prefix.body, answer->version, &result);
	else
		result.why = mp_err_text(rc);
	if (rc != 0) {
		mp_table_fail(table, rc, mp_str_of(rc == MP_EPROTO ? result.why : mp_err_text(rc)));
		return;
	}
	if (result.kind == MP_RESULT_ROWS && result.metadata != NULL)
		rc = keep_rows(table, &result);
	else
		mp_table_fail(table, MP_EPROTO, mp_str_of("the answer is not made of rows"));
	if (rc != 0)
		mp_table_fail(table, rc, mp_str_of(mp_err_text(rc)));
	if (table->copy == NULL)
		mp_result_drop(&result);
}

static void on_answer(void *data, int rc, const struct mp_envelope *answer)
{
	struct mp_table *table = data;
	if (rc != 0)
		mp_table_fail(table, rc, mp_str_of(mp_err_text(rc)));
	else
		take_answer(table, answer);
	table->on_done(table->owner, table);
}

void mp_table_init(struct mp_table *table, struct mp_loop *loop, const char *name,
                   void (*on_done)(void *owner, struct mp_table *table), void *owner)
{
	*table = (struct mp_table){.name = name, .on_done = on_done, .owner = owner};
	mp_query_init(&table->query, loop, on_answer, table);
}

int mp_table_ask(struct mp_table *table, struct mp_conn *conn, const char *cql, uint32_t timeout_ms,
                 bool patient)
{
	mp_table_drop(table);
	table->query.patient = patient;
	int rc = mp_query_send_cql(&table->query, conn, cql, timeout_ms);
	if (rc != 0)
		mp_table_fail(table, rc, mp_str_of(mp_err_text(rc)));
	return rc;
}

void mp_table_drop(struct mp_table *table)
{
	mp_query_cancel(&table->query);
	if (table->copy != NULL)
		mp_result_drop(&table->result);
	mp_free(table->copy);
	table->copy = NULL;
	table->rc = 0;
	table->is_cut = false;
}
