// SPDX-License-Identifier: Apache-2.0
// Batches with every mistake.
#include "misuse.h"

static struct moonpool_request *batch_of(struct moonpool_request *first)
{
	struct moonpool_request *batch = moonpool_batch_new(session, MOONPOOL_BATCH_UNLOGGED);
	if (first != NULL)
		IS(moonpool_batch_add(batch, first), 0, NULL);
	return batch;
}

// A batch in which something was refused: it is not executed either.
#define SPOILT(call, code, sentence)                                                           \
	do {                                                                                       \
		struct moonpool_request *batch = batch_of(query("DELETE FROM ks.users WHERE id = 1")); \
		IS(call, code, sentence);                                                              \
		IS(moonpool_execute(batch, never, NULL), code, "was refused");                         \
	} while (0)

void batches(void)
{
	NONE(moonpool_batch_new(session, (enum moonpool_batch_type)3), INVALID, "enum moonpool_batch_type");
	NONE(moonpool_batch_new(session, (enum moonpool_batch_type) - 1), INVALID, "enum moonpool_batch_type");
	IS(moonpool_execute(batch_of(NULL), never, NULL), INVALID, "the batch has no statements");
	SPOILT(moonpool_batch_add(batch, NULL), INVALID, "NULL");
	SPOILT(moonpool_batch_add(batch, batch), INVALID, "a batch in a batch");
	SPOILT(moonpool_batch_add(batch, batch_of(NULL)), INVALID, "a batch in a batch");
	SPOILT(moonpool_batch_add(batch, moonpool_request_new(statement)), INVALID, "not every parameter");
	SPOILT(moonpool_bind_int32(batch, 1), INVALID, "no more parameters");
	SPOILT(moonpool_request_set_page_size(batch, 5), INVALID, "no rows");
	SPOILT(moonpool_request_set_paging_state(batch, "x", 1), INVALID, "no rows");
	struct moonpool_request *spoilt = moonpool_request_new(statement);
	IS(moonpool_bind_text(spoilt, "x", 1), MOONPOOL_TYPE_MISMATCH, NULL);
	SPOILT(moonpool_batch_add(batch, spoilt), MOONPOOL_TYPE_MISMATCH, "was refused");
	IS(moonpool_request_free(spoilt), INVALID, "executed or freed already");
	struct moonpool_request *paged = query("DELETE FROM ks.users WHERE id = 1");
	IS(moonpool_request_set_paging_state(paged, "x", 1), 0, NULL);
	SPOILT(moonpool_batch_add(batch, paged), INVALID, "paging state");
	struct moonpool_request *plain = query("DELETE FROM ks.users WHERE id = 1");
	IS(moonpool_batch_count(plain), 0, NULL);
	IS(moonpool_batch_add(plain, query("DELETE FROM ks.users WHERE id = 1")), INVALID, "is no batch");
	IS(moonpool_execute(plain, never, NULL), INVALID, "was refused");
	// Gone also where there was no batch.
	struct moonpool_request *lost = query("DELETE FROM ks.users WHERE id = 1");
	IS(moonpool_batch_add(NULL, lost), INVALID, "NULL");
	IS(moonpool_request_free(lost), INVALID, "executed or freed already");
	lost = query("DELETE FROM ks.users WHERE id = 1");
	IS(moonpool_batch_add((void *)session, lost), INVALID, "another kind");
	IS(moonpool_request_free(lost), INVALID, "executed or freed already");
}
