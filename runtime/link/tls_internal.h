// SPDX-License-Identifier: Apache-2.0
// What tls.c (one connection) and tls_context.c (what connections have in common) know of each other.
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
	char name[MP_TLS_NAME_SIZE]; // that the certificate must have; "": the address
	struct mp_pack records;
	uint64_t plain; // bytes that were written
	bool open;
	bool ended;
	char why[160];
};

SSL *mp_tls_context_begin(struct mp_tls_context *context); // NULL: no memory
// The session of an earlier connection to that node, if there is one, is what `tls` begins with.
void mp_tls_context_resume(struct mp_tls *tls);
const char *mp_tls_cause(void); // of the failure of OpenSSL's that came first

#endif
