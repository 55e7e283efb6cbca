// SPDX-License-Identifier: Apache-2.0
// What tls.c (one connection), tls_identity.c (for whom its certificate is) and tls_context.c (what connections have in
// common) know of each other.
#pragma once

#include "link/tls.h"

#ifdef MP_WITH_TLS

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define MP_TLS_NAME_SIZE 256u

struct mp_tls {
	struct mp_tls_context *context;
	SSL *ssl;
	BIO *in, *out; // owned by `ssl`
	struct mp_addr addr;
	char name[MP_TLS_NAME_SIZE]; // that is asked for; "": none
	struct mp_uuid host_id;      // that the certificate must have; nil: any, if host ids count
	struct mp_pack records;
	uint64_t plain;  // bytes that were written,
	uint64_t packed; // and so many of them when the last unit was made
	uint32_t own;    // units without any, since none waited
	uint64_t vain;   // bytes that came and brought nothing, less what those that did outweigh
	bool open;
	bool ended;
	char why[160];
};

SSL *mp_tls_context_begin(struct mp_tls_context *context);                          // NULL: no memory
enum mp_tls_identity mp_tls_context_identity(const struct mp_tls_context *context); // that counts
// The session of an earlier connection to that node, if there is one, is what `tls` begins with.
void mp_tls_context_resume(struct mp_tls *tls);
const char *mp_tls_cause(void); // of the failure of OpenSSL's that came first

bool mp_tls_expect(struct mp_tls *tls); // for whom its certificate has to be; false: no memory
int mp_tls_on_verify(int ok, X509_STORE_CTX *store);
void mp_tls_explain_certificate(struct mp_tls *tls, long result);

#endif
