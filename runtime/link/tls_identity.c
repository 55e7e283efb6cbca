// SPDX-License-Identifier: Apache-2.0
// For whom the certificate of a node has to be: a name, its address, or the host id that it has in the cluster.
//
// A host id that is known beforehand (of every connection but the first ones) is looked for while the chain is
// verified, so a node without it hears nothing. Where it is not, the certificate has to have one, and what the node
// says about itself in system.local has to be that: whoever took a node's key can pose as this node only.
#include "link/tls_internal.h"

#include <stdio.h>
#include <string.h>

#ifdef MP_WITH_TLS

// ---- host ids in certificates -----------------------------------------------------------------------------

// "0f1e...": by itself, in front of a domain, or behind "urn:uuid:". `wanted` nil: any host id.
static bool text_has(const ASN1_STRING *text, const struct mp_uuid *wanted)
{
	static const char urn[] = "urn:uuid:";
	const char *data = (const char *)ASN1_STRING_get0_data(text);
	size_t len = (size_t)ASN1_STRING_length(text), urn_len = sizeof(urn) - 1;
	if (len > urn_len && memcmp(data, urn, urn_len) == 0) {
		data += urn_len;
		len -= urn_len;
	}
	const char *dot = len > 0 ? memchr(data, '.', len) : NULL;
	struct mp_uuid found;
	return mp_uuid_parse(data, dot != NULL ? (size_t)(dot - data) : len, &found) == 0 &&
	       (mp_uuid_is_nil(wanted) || mp_uuid_eq(&found, wanted));
}

static bool common_name_has(const X509 *certificate, const struct mp_uuid *wanted)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	bool has = false;
	for (int at = -1; !has;) {
		at = X509_NAME_get_index_by_NID(subject, NID_commonName, at);
		if (at < 0)
			break;
		has = text_has(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), wanted);
	}
	return has;
}

static bool certificate_has(const X509 *certificate, const struct mp_uuid *wanted)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool has = common_name_has(certificate, wanted);
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !has; i++) {
		int kind;
		const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind);
		has = (kind == GEN_DNS || kind == GEN_URI) && text_has(value, wanted);
	}
	GENERAL_NAMES_free(names);
	return has;
}

// ---- one connection ---------------------------------------------------------------------------------------

bool mp_tls_wants_host_id(const struct mp_tls *tls)
{
	return tls != NULL && mp_tls_context_identity(tls->context) == MP_TLS_HOST_ID;
}

bool mp_tls_proves(const struct mp_tls *tls, const struct mp_uuid *host_id)
{
	if (!mp_tls_wants_host_id(tls))
		return true;
	const X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
	return !mp_uuid_is_nil(host_id) && certificate != NULL && certificate_has(certificate, host_id);
}

int mp_tls_on_verify(int ok, X509_STORE_CTX *store)
{
	if (!ok || X509_STORE_CTX_get_error_depth(store) != 0)
		return ok;
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct mp_tls *tls = SSL_get_app_data(ssl);
	mp_assert(tls != NULL);
	if (!mp_tls_wants_host_id(tls) || certificate_has(X509_STORE_CTX_get_current_cert(store), &tls->host_id))
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

bool mp_tls_expect(struct mp_tls *tls)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
	enum mp_tls_identity identity = mp_tls_context_identity(tls->context);
	struct mp_addr literal;
	const struct mp_addr *addr = &tls->addr;
	bool named = tls->name[0] != '\0', is_literal = named && mp_addr_parse_ip(tls->name, 1, &literal) == 0;
	if (named && !is_literal && SSL_set_tlsext_host_name(tls->ssl, tls->name) != 1)
		return false;
	if (identity == MP_TLS_HOST_ID)
		return true;
	if (identity == MP_TLS_NAME && named && !is_literal) {
		X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		return X509_VERIFY_PARAM_set1_host(param, tls->name, 0) == 1;
	}
	if (identity == MP_TLS_NAME && is_literal)
		addr = &literal;
	return X509_VERIFY_PARAM_set1_ip(param, addr->ip, addr->ip_len) == 1;
}

void mp_tls_explain_certificate(struct mp_tls *tls, long result)
{
	char whom[MP_TLS_NAME_SIZE];
	size_t size = sizeof(tls->why);
	switch (result) {
	case X509_V_ERR_HOSTNAME_MISMATCH: snprintf(whom, sizeof(whom), "%.80s", tls->name); break;
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		if (tls->name[0] != '\0' && mp_tls_context_identity(tls->context) == MP_TLS_NAME)
			snprintf(whom, sizeof(whom), "%.80s", tls->name);
		else
			mp_addr_format(&tls->addr, whom);
		break;
	case X509_V_ERR_APPLICATION_VERIFICATION:
		memcpy(whom, "host ", 5);
		mp_uuid_format(&tls->host_id, whom + 5);
		if (mp_uuid_is_nil(&tls->host_id))
			snprintf(whom, sizeof(whom), "any host: it has no host id");
		break;
	default:
		snprintf(tls->why, size, "the node's certificate is refused: %.100s",
		         X509_verify_cert_error_string(result));
		return;
	}
	snprintf(tls->why, size, "the node's certificate is not for %.100s", whom);
}

#endif
