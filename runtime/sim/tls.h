// SPDX-License-Identifier: Apache-2.0
// TLS on a simulated node's side, as pure bytes: records in and plain bytes out, plain bytes in and records out.
#pragma once

#include "base/buf.h"

struct mp_sim_tls_context;
// PEM files; `ca`: clients must show a certificate that it vouches for; NULL: they need none. `minor`: TLS
// 1.`minor` only,
// 0: any version. NULL: `why` says why.
struct mp_sim_tls_context *mp_sim_tls_context_new(const char *cert, const char *key, const char *ca,
                                                  int minor, char *why, size_t size) MP_MUST_CHECK;
void mp_sim_tls_context_free(struct mp_sim_tls_context *context); // after its connections

struct mp_sim_tls;
struct mp_sim_tls *mp_sim_tls_new(struct mp_sim_tls_context *context) MP_MUST_CHECK;
void mp_sim_tls_free(struct mp_sim_tls *tls);
// Records of the client; what they say is appended to `plain`, what is to be sent to `wire`. Non-zero: the client is
// refused, MP_EEOF: it has ended; what is to be sent still counts.
int mp_sim_tls_feed(struct mp_sim_tls *tls, const uint8_t *bytes, size_t len, struct mp_buf *plain,
                    struct mp_buf *wire) MP_MUST_CHECK;
int mp_sim_tls_write(struct mp_sim_tls *tls, const uint8_t *bytes, size_t len,
                     struct mp_buf *wire) MP_MUST_CHECK;
int mp_sim_tls_end(struct mp_sim_tls *tls, struct mp_buf *wire) MP_MUST_CHECK; // close_notify
int mp_sim_tls_renegotiate(struct mp_sim_tls *tls,
                           struct mp_buf *wire) MP_MUST_CHECK; // up to 1.2; later a new key
bool mp_sim_tls_is_open(const struct mp_sim_tls *tls);
bool mp_sim_tls_has_certificate(const struct mp_sim_tls *tls); // of the client
const char *mp_sim_tls_cipher(const struct mp_sim_tls *tls);   // the suite as OpenSSL names it
const char *mp_sim_tls_name(const struct mp_sim_tls *tls);     // that it asked for (SNI); NULL: none
