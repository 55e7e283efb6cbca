// SPDX-License-Identifier: Apache-2.0
// The TLS of a session: a context made from files, and made anew when one of them changes. The new one counts for new
// connections; files that cannot be used change nothing.
#pragma once

#include "link/tls.h"
#include "loop/loop.h"

struct mp_session;
struct mp_trust;

// NULL: MP_E* in *err, and `why` says which file and what is wrong with it.
struct mp_trust *mp_trust_new(struct mp_loop *loop, const struct mp_tls_options *options, char *why,
                              size_t size, int *err) MP_MUST_CHECK;
void mp_trust_free(struct mp_trust *trust); // NULL is fine
bool mp_trust_is_of(const struct mp_trust *trust, const struct mp_tls_options *options);
struct mp_tls_context *mp_trust_context(const struct mp_trust *trust); // of NULL: NULL
// From now on the session's new connections follow the files. It must outlive the trust, or its last attach.
void mp_trust_attach(struct mp_trust *trust, struct mp_session *session); // a trust of NULL: nothing
