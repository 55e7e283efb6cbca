// SPDX-License-Identifier: Apache-2.0
// TLS on the client's side, as pure bytes: records in and plain bytes out, plain bytes in and records out; no socket
// and no time. The only place that knows OpenSSL, beside the server of the simulated node (sim/tls.h).
//
// By default nobody is believed: the chain must lead to a known authority and the certificate must be for the node: for
// its name, its address or its host id, as the context says. TLS 1.2 or later; no renegotiation, no compression.
//
// A context is what connections have in common, read from files once; a new one counts for new connections, the old
// one lives as long as a connection of it. Connections of one context resume each other's sessions, by node.
#pragma once

#include "base/addr.h"
#include "base/buf.h"
#include "base/uuid.h"
#include "link/pack.h"

// What of a node its certificate has to be for.
enum mp_tls_identity {
	MP_TLS_NAME,    // the name that a connection is told; without one the address
	MP_TLS_ADDRESS, // the address, whatever name leads there
	// the host id, which stands as a DNS name or its first label, as "urn:uuid:...", or in the common name
	MP_TLS_HOST_ID,
};

struct mp_tls_options {
	const char *ca;   // PEM file of the authorities; NULL: those of the system
	const char *cert; // PEM file of the own certificate and what leads to its authority; NULL: none is shown
	const char *key;  // and its key; NULL: in the same file
	const char *pass_phrase; // of the key; NULL: it has none. Not kept
	const char *crl;         // PEM file of what is revoked; NULL: nobody asks
	const char *ciphers;     // suites as OpenSSL names them, ':' between them; NULL: those it thinks good
	bool unverified;         // whoever answers is believed
	uint8_t minor;           // the least version, 1.2 or 1.3; 0: 1.2
	enum mp_tls_identity identity;
};

bool mp_tls_is_built(void);

struct mp_tls_context;
// NULL: MP_EUNSUPPORTED (not built), MP_ECONFIG (a file, `ciphers`), MP_ENOMEM in *err, and `why` names it and the
// cause.
struct mp_tls_context *mp_tls_context_new(const struct mp_tls_options *options, char *why, size_t size,
                                          int *err) MP_MUST_CHECK;
struct mp_tls_context *mp_tls_context_ref(struct mp_tls_context *context); // NULL is fine
void mp_tls_context_unref(struct mp_tls_context *context);
bool mp_tls_context_verifies(const struct mp_tls_context *context);

struct mp_tls;
// To the node at `addr`. `name` is what it is asked for (SNI), NULL: nothing; `host_id` is the host that has to be
// there, nil: it is not known yet. For which of them its certificate has to be says the context. Keeps a reference.
struct mp_tls *mp_tls_new(struct mp_tls_context *context, const char *name, const struct mp_addr *addr,
                          const struct mp_uuid *host_id) MP_MUST_CHECK;
void mp_tls_free(struct mp_tls *tls);

// Bytes of the node (none: begin). `on_plain` gets what they say until it returns false. Non-zero: MP_EPROTO,
// MP_ENOMEM;
// the connection ends, mp_tls_why() says why, and what waits may still be sent: it tells the node.
int mp_tls_feed(struct mp_tls *tls, const uint8_t *bytes, size_t len,
                bool (*on_plain)(void *data, const uint8_t *bytes, size_t len), void *data) MP_MUST_CHECK;
bool mp_tls_is_open(const struct mp_tls *tls);  // the handshake is over: plain bytes may be sent
bool mp_tls_is_ended(const struct mp_tls *tls); // the node said that nothing more comes (close_notify)
bool mp_tls_resumed(const struct mp_tls *tls);  // with the session of an earlier connection
const char *mp_tls_why(const struct mp_tls *tls);
// Once the handshake is over: whether the node has to say which host it is (of NULL: no), and whether its certificate
// is for that one, or need not be.
bool mp_tls_wants_host_id(const struct mp_tls *tls);
bool mp_tls_proves(const struct mp_tls *tls, const struct mp_uuid *host_id);

// Plain bytes become records, all of them. MP_ENOMEM, MP_EPROTO: the connection ends.
int mp_tls_write(struct mp_tls *tls, const uint8_t *bytes, size_t len) MP_MUST_CHECK;
void mp_tls_end(struct mp_tls *tls); // close_notify, if the handshake is over
// What waits to be sent; `whole` and `begun` count the plain bytes of records that left, and of such that left
// in part.
struct mp_pack *mp_tls_records(struct mp_tls *tls);
