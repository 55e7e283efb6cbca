// SPDX-License-Identifier: Apache-2.0
// After a schema statement: the coordinator knows the new schema at once, its neighbours a moment later, and a
// statement about a table that they do not know yet would fail there. So the request ends when every host that
// is up has the coordinator's schema version, or, after a bounded time, without that and saying so.
#pragma once

#include "cluster/request/request.h"

// The answer `result` (SCHEMA) to a request is here. 0: the request waits for agreement and ends later (`result` and
// `prefix` are copied); otherwise it is the caller's to end now. `host` answered.
int mp_agreement_start(struct mp_request *request, uint16_t host, const struct mp_response_prefix *prefix,
                       const struct mp_result_body *result) MP_MUST_CHECK;
void mp_agreement_drop(struct mp_agreement *agreement); // its request waits no longer
void mp_agreements_hurry(struct mp_session *session);   // closing: nobody waits for agreement any more
