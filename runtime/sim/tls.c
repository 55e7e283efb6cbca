// SPDX-License-Identifier: Apache-2.0
// Nothing of the client's side is used here: a node must not know it.
#include "sim/tls.h"

#include <stdio.h>

#include "base/err.h"

#ifdef MP_WITH_TLS

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/mem.h"

struct mp_sim_tls_context {
	SSL_CTX *ssl;
};

struct mp_sim_tls {
	SSL *ssl;
	BIO *in, *out; // owned by `ssl`
};

static bool load(SSL_CTX *ssl, const char *cert, const char *key, const char *ca, int minor)
{
	SSL_CTX_set_security_level(ssl, 0); // weak keys, too: clients are to refuse them
	if (minor != 0) {
		int version = minor == 3   ? TLS1_3_VERSION
		              : minor == 2 ? TLS1_2_VERSION
		              : minor == 1 ? TLS1_1_VERSION
		                           : TLS1_VERSION;
		SSL_CTX_set_min_proto_version(ssl, version);
		SSL_CTX_set_max_proto_version(ssl, version);
	}
	SSL_CTX_set_session_id_context(ssl, (const unsigned char *)"sim", 3);
	if (ca != NULL)
		SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return SSL_CTX_use_certificate_chain_file(ssl, cert) == 1 &&
	       SSL_CTX_use_PrivateKey_file(ssl, key != NULL ? key : cert, SSL_FILETYPE_PEM) == 1 &&
	       (ca == NULL || SSL_CTX_load_verify_file(ssl, ca) == 1);
}

struct mp_sim_tls_context *mp_sim_tls_context_new(const char *cert, const char *key, const char *ca,
                                                  int minor, char *why, size_t size)
{
	struct mp_sim_tls_context *context = mp_calloc(1, sizeof(*context));
	if (context != NULL)
		context->ssl = SSL_CTX_new(TLS_server_method());
	ERR_clear_error();
	if (context != NULL && context->ssl != NULL && load(context->ssl, cert, key, ca, minor))
		return context;
	const char *reason = ERR_reason_error_string(ERR_peek_error());
	snprintf(why, size, "%s: %s", cert, reason != NULL ? reason : "out of memory");
	mp_sim_tls_context_free(context);
	return NULL;
}

void mp_sim_tls_context_free(struct mp_sim_tls_context *context)
{
	if (context == NULL)
		return;
	SSL_CTX_free(context->ssl);
	mp_free(context);
}

struct mp_sim_tls *mp_sim_tls_new(struct mp_sim_tls_context *context)
{
	struct mp_sim_tls *tls = mp_calloc(1, sizeof(*tls));
	if (tls == NULL)
		return NULL;
	tls->ssl = SSL_new(context->ssl);
	tls->in = BIO_new(BIO_s_mem());
	tls->out = BIO_new(BIO_s_mem());
	if (tls->ssl == NULL || tls->in == NULL || tls->out == NULL) {
		BIO_free(tls->in);
		BIO_free(tls->out);
		mp_sim_tls_free(tls);
		return NULL;
	}
	SSL_set_bio(tls->ssl, tls->in, tls->out);
	SSL_set_accept_state(tls->ssl);
	return tls;
}

void mp_sim_tls_free(struct mp_sim_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	mp_free(tls);
}

static int collect(struct mp_sim_tls *tls, struct mp_buf *wire)
{
	size_t len = BIO_ctrl_pending(tls->out);
	uint8_t *room = mp_buf_reserve(wire, len);
	if (len == 0)
		return 0;
	if (room == NULL)
		return MP_ENOMEM;
	int got = BIO_read(tls->out, room, (int)len);
	mp_assert(got == (int)len);
	wire->len += len;
	return 0;
}

static int judge(struct mp_sim_tls *tls, int result, struct mp_buf *wire)
{
	int error = SSL_get_error(tls->ssl, result);
	int rc = collect(tls, wire);
	if (error == SSL_ERROR_WANT_READ)
		return rc;
	return error == SSL_ERROR_ZERO_RETURN ? MP_EEOF : MP_EPROTO;
}

int mp_sim_tls_feed(struct mp_sim_tls *tls, const uint8_t *bytes, size_t len, struct mp_buf *plain,
                    struct mp_buf *wire)
{
	if (BIO_write(tls->in, bytes, (int)len) != (int)len)
		return MP_ENOMEM;
	for (;;) {
		uint8_t *room = mp_buf_reserve(plain, 16384);
		if (room == NULL)
			return MP_ENOMEM;
		ERR_clear_error();
		int count = SSL_read(tls->ssl, room, 16384);
		if (count <= 0)
			return judge(tls, count, wire);
		plain->len += (size_t)count;
	}
}

int mp_sim_tls_write(struct mp_sim_tls *tls, const uint8_t *bytes, size_t len, struct mp_buf *wire)
{
	ERR_clear_error();
	if (len > 0 && SSL_write(tls->ssl, bytes, (int)len) != (int)len)
		return MP_EPROTO;
	return collect(tls, wire);
}

int mp_sim_tls_end(struct mp_sim_tls *tls, struct mp_buf *wire)
{
	ERR_clear_error();
	SSL_shutdown(tls->ssl);
	return collect(tls, wire);
}

int mp_sim_tls_renegotiate(struct mp_sim_tls *tls, struct mp_buf *wire)
{
	ERR_clear_error();
	if (SSL_version(tls->ssl) == TLS1_3_VERSION)
		SSL_key_update(tls->ssl, SSL_KEY_UPDATE_REQUESTED);
	else
		SSL_renegotiate(tls->ssl);
	SSL_do_handshake(tls->ssl);
	return collect(tls, wire);
}

bool mp_sim_tls_is_open(const struct mp_sim_tls *tls)
{
	return SSL_is_init_finished(tls->ssl) == 1;
}

bool mp_sim_tls_has_certificate(const struct mp_sim_tls *tls)
{
	return SSL_get0_peer_certificate(tls->ssl) != NULL;
}

const char *mp_sim_tls_cipher(const struct mp_sim_tls *tls)
{
	return SSL_get_cipher_name(tls->ssl);
}

const char *mp_sim_tls_name(const struct mp_sim_tls *tls)
{
	return SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
}

#else

struct mp_sim_tls_context *mp_sim_tls_context_new(const char *cert, const char *key, const char *ca,
                                                  int minor, char *why, size_t size)
{
	(void)cert, (void)key, (void)ca, (void)minor;
	snprintf(why, size, "this build has no TLS");
	return NULL;
}

void mp_sim_tls_context_free(struct mp_sim_tls_context *context)
{
	(void)context;
}

struct mp_sim_tls *mp_sim_tls_new(struct mp_sim_tls_context *context)
{
	(void)context;
	return NULL;
}

void mp_sim_tls_free(struct mp_sim_tls *tls)
{
	(void)tls;
}

int mp_sim_tls_feed(struct mp_sim_tls *tls, const uint8_t *bytes, size_t len, struct mp_buf *plain,
                    struct mp_buf *wire)
{
	(void)tls, (void)bytes, (void)len, (void)plain, (void)wire;
	return MP_EUNSUPPORTED;
}

int mp_sim_tls_write(struct mp_sim_tls *tls, const uint8_t *bytes, size_t len, struct mp_buf *wire)
{
	(void)tls, (void)bytes, (void)len, (void)wire;
	return MP_EUNSUPPORTED;
}

int mp_sim_tls_end(struct mp_sim_tls *tls, struct mp_buf *wire)
{
	(void)tls, (void)wire;
	return MP_EUNSUPPORTED;
}

bool mp_sim_tls_is_open(const struct mp_sim_tls *tls)
{
	(void)tls;
	return false;
}

#endif
