// SPDX-License-Identifier: Apache-2.0
// Invariant: OpenSSL sees memory only. What it writes stands in `records` before a call of this file returns.
#include "link/tls.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

#ifdef MP_WITH_TLS

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/mem.h"

#define RECORD_MAX   16384u
#define SESSIONS_MAX 64u // nodes whose last session is kept
#define NAME_SIZE    256u

struct session {
	struct mp_addr addr;
	char name[NAME_SIZE];
	SSL_SESSION *ssl;
};

struct mp_tls_context {
	SSL_CTX *ssl;
	uint32_t refs;
	bool verifies;
	struct session sessions[SESSIONS_MAX];
	uint32_t next_session; // the one that gives way
};

struct mp_tls {
	struct mp_tls_context *context;
	SSL *ssl;
	BIO *in, *out; // owned by `ssl`
	struct mp_addr addr;
	char name[NAME_SIZE]; // that the certificate must have; "": the address
	struct mp_pack records;
	uint64_t plain; // bytes that were written
	bool open;
	bool ended;
	char why[160];
};

bool mp_tls_is_built(void)
{
	return true;
}

// ---- contexts ---------------------------------------------------------------------------------------------

// What OpenSSL says last is the most general; what it said first is the cause.
static const char *cause(void)
{
	unsigned long code = ERR_peek_error();
	if (ERR_SYSTEM_ERROR(code))
		return strerror(ERR_GET_REASON(code));
	const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
	return text != NULL ? text : "it cannot be used";
}

// A key with a pass phrase must not ask at the terminal.
static int no_pass_phrase(char *buf, int size, int rwflag, void *data)
{
	(void)buf, (void)size, (void)rwflag, (void)data;
	return 0;
}

static bool load_crl(SSL_CTX *ssl, const char *path)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
	return lookup != NULL && X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) > 0 &&
	       X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1;
}

// The file that cannot be used, or NULL.
static const char *load_files(SSL_CTX *ssl, const struct mp_tls_options *options)
{
	const char *key = options->key != NULL ? options->key : options->cert;
	if (options->ca != NULL && SSL_CTX_load_verify_file(ssl, options->ca) != 1)
		return options->ca;
	if (options->ca == NULL && SSL_CTX_set_default_verify_paths(ssl) != 1)
		return "the system's authorities";
	if (options->crl != NULL && !load_crl(ssl, options->crl))
		return options->crl;
	if (options->cert != NULL && SSL_CTX_use_certificate_chain_file(ssl, options->cert) != 1)
		return options->cert;
	if (key != NULL &&
	    (SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ssl) != 1))
		return key;
	return NULL;
}

static int on_new_session(SSL *ssl, SSL_SESSION *session);

static void set_rules(SSL_CTX *ssl, const struct mp_tls_options *options)
{
	SSL_CTX_set_min_proto_version(ssl, options->minor == 3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_security_level(ssl, 2);
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(ssl, options->unverified ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_default_passwd_cb(ssl, no_pass_phrase);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ssl, on_new_session);
}

struct mp_tls_context *mp_tls_context_new(const struct mp_tls_options *options, char *why, size_t size,
                                          int *err)
{
	struct mp_tls_context *context = mp_calloc(1, sizeof(*context));
	SSL_CTX *ssl = context != NULL ? SSL_CTX_new(TLS_client_method()) : NULL;
	if (ssl == NULL) {
		mp_free(context);
		snprintf(why, size, "out of memory");
		*err = MP_ENOMEM;
		return NULL;
	}
	context->ssl = ssl;
	context->refs = 1;
	context->verifies = !options->unverified;
	ERR_clear_error();
	set_rules(ssl, options);
	const char *file = load_files(ssl, options);
	if (file == NULL)
		return context;
	snprintf(why, size, "%s: %s", file, cause());
	*err = MP_ECONFIG;
	mp_tls_context_unref(context);
	return NULL;
}

struct mp_tls_context *mp_tls_context_ref(struct mp_tls_context *context)
{
	if (context != NULL)
		context->refs++;
	return context;
}

void mp_tls_context_unref(struct mp_tls_context *context)
{
	if (context == NULL || --context->refs > 0)
		return;
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		SSL_SESSION_free(context->sessions[i].ssl);
	SSL_CTX_free(context->ssl);
	mp_free(context);
}

bool mp_tls_context_verifies(const struct mp_tls_context *context)
{
	return context->verifies;
}

// ---- sessions ---------------------------------------------------------------------------------------------

static struct session *find_session(const struct mp_tls *tls)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *session = &tls->context->sessions[i];
		if (session->ssl != NULL && mp_addr_eq(&session->addr, &tls->addr) &&
		    strcmp(session->name, tls->name) == 0)
			return session;
	}
	return NULL;
}

static int on_new_session(SSL *ssl, SSL_SESSION *ssl_session)
{
	const struct mp_tls *tls = SSL_get_app_data(ssl);
	struct mp_tls_context *context = tls->context;
	struct session *session = find_session(tls);
	if (session == NULL)
		session = &context->sessions[context->next_session++ % SESSIONS_MAX];
	SSL_SESSION_free(session->ssl);
	*session = (struct session){.addr = tls->addr, .ssl = ssl_session};
	memcpy(session->name, tls->name, sizeof(session->name));
	return 1; // it is ours now
}

// A session of TLS 1.3 is for one use, so that nobody can tell that two connections are the same client's.
static void resume(struct mp_tls *tls)
{
	struct session *session = find_session(tls);
	if (session == NULL)
		return;
	SSL_set_session(tls->ssl, session->ssl);
	if (SSL_SESSION_get_protocol_version(session->ssl) == TLS1_3_VERSION) {
		SSL_SESSION_free(session->ssl);
		session->ssl = NULL;
	}
}

// ---- one connection ---------------------------------------------------------------------------------------

static bool expect(struct mp_tls *tls)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
	struct mp_addr literal;
	const struct mp_addr *addr = &tls->addr;
	if (tls->name[0] != '\0' && mp_addr_parse_ip(tls->name, 1, &literal) != 0) {
		X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		return SSL_set_tlsext_host_name(tls->ssl, tls->name) == 1 &&
		       X509_VERIFY_PARAM_set1_host(param, tls->name, 0) == 1;
	}
	if (tls->name[0] != '\0')
		addr = &literal;
	return X509_VERIFY_PARAM_set1_ip(param, addr->ip, addr->ip_len) == 1;
}

static bool start(struct mp_tls *tls)
{
	tls->ssl = SSL_new(tls->context->ssl);
	if (tls->ssl == NULL)
		return false;
	tls->in = BIO_new(BIO_s_mem());
	tls->out = BIO_new(BIO_s_mem());
	if (tls->in == NULL || tls->out == NULL) {
		BIO_free(tls->in);
		BIO_free(tls->out);
		return false;
	}
	SSL_set_bio(tls->ssl, tls->in, tls->out);
	SSL_set_connect_state(tls->ssl);
	SSL_set_app_data(tls->ssl, tls);
	return expect(tls);
}

struct mp_tls *mp_tls_new(struct mp_tls_context *context, const char *name, const struct mp_addr *addr)
{
	struct mp_tls *tls = mp_calloc(1, sizeof(*tls));
	if (tls == NULL)
		return NULL;
	tls->context = mp_tls_context_ref(context);
	tls->addr = *addr;
	mp_pack_init(&tls->records);
	if (name != NULL)
		snprintf(tls->name, sizeof(tls->name), "%s", name);
	if (!start(tls)) {
		mp_tls_free(tls);
		return NULL;
	}
	resume(tls);
	return tls;
}

void mp_tls_free(struct mp_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	mp_pack_deinit(&tls->records);
	mp_tls_context_unref(tls->context);
	mp_free(tls);
}

bool mp_tls_is_open(const struct mp_tls *tls)
{
	return tls->open;
}

bool mp_tls_is_ended(const struct mp_tls *tls)
{
	return tls->ended;
}

bool mp_tls_resumed(const struct mp_tls *tls)
{
	return SSL_session_reused(tls->ssl) == 1;
}

const char *mp_tls_why(const struct mp_tls *tls)
{
	return tls->why;
}

struct mp_pack *mp_tls_records(struct mp_tls *tls)
{
	return &tls->records;
}

// ---- records ----------------------------------------------------------------------------------------------

static int no_memory(struct mp_tls *tls)
{
	snprintf(tls->why, sizeof(tls->why), "out of memory");
	return MP_ENOMEM;
}

// What OpenSSL wrote becomes a unit, of no plain bytes if it is its own.
static int collect(struct mp_tls *tls)
{
	size_t len = BIO_ctrl_pending(tls->out);
	if (len == 0)
		return 0;
	struct mp_buf *wire = &tls->records.wire;
	uint8_t *room = mp_buf_reserve(wire, len);
	wire->failed = false;
	if (room == NULL || mp_pack_reserve_unit(&tls->records) != 0)
		return no_memory(tls);
	int got = BIO_read(tls->out, room, (int)len);
	mp_assert(got == (int)len);
	wire->len += len;
	mp_pack_add_unit(&tls->records, tls->plain);
	return 0;
}

static void explain_certificate(struct mp_tls *tls, long result)
{
	char addr[MP_ADDR_TEXT];
	mp_addr_format(&tls->addr, addr);
	bool wrong_name = result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH;
	if (wrong_name)
		snprintf(tls->why, sizeof(tls->why), "the node's certificate is not for %.80s",
		         tls->name[0] != '\0' ? tls->name : addr);
	else
		snprintf(tls->why, sizeof(tls->why), "the node's certificate is refused: %.100s",
		         X509_verify_cert_error_string(result));
}

static int explain(struct mp_tls *tls)
{
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_REASON(code);
	long result = SSL_get_verify_result(tls->ssl);
	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && result != X509_V_OK)
		explain_certificate(tls, result);
	else if (reason == SSL_R_WRONG_VERSION_NUMBER && !tls->open)
		snprintf(tls->why, sizeof(tls->why), "the node does not speak TLS there");
	else if (reason == ERR_R_MALLOC_FAILURE)
		return no_memory(tls);
	else
		snprintf(tls->why, sizeof(tls->why), "TLS: %.140s", cause());
	return MP_EPROTO;
}

// The result of an operation on `ssl` that was not a success: 0 when it waits for more bytes.
static int judge(struct mp_tls *tls, int result)
{
	int error = SSL_get_error(tls->ssl, result);
	int rc = 0;
	if (error == SSL_ERROR_ZERO_RETURN)
		tls->ended = true;
	else if (error != SSL_ERROR_WANT_READ)
		rc = explain(tls);
	int collected = collect(tls); // an alert, a key
	return rc != 0 ? rc : collected;
}

static int shake_hands(struct mp_tls *tls)
{
	ERR_clear_error();
	int result = SSL_do_handshake(tls->ssl);
	if (result != 1)
		return judge(tls, result);
	tls->open = true;
	return collect(tls);
}

int mp_tls_feed(struct mp_tls *tls, const uint8_t *bytes, size_t len,
                bool (*on_plain)(void *data, const uint8_t *bytes, size_t len), void *data)
{
	mp_assert(len <= INT32_MAX);
	if (len > 0 && BIO_write(tls->in, bytes, (int)len) != (int)len)
		return no_memory(tls);
	if (!tls->open) {
		int rc = shake_hands(tls);
		if (rc != 0 || !tls->open)
			return rc;
	}
	uint8_t plain[RECORD_MAX];
	for (;;) { // bounded by what was fed: each round takes a record
		ERR_clear_error();
		int count = SSL_read(tls->ssl, plain, (int)sizeof(plain));
		if (count <= 0)
			return judge(tls, count);
		if (!on_plain(data, plain, (size_t)count))
			return 0;
	}
}

int mp_tls_write(struct mp_tls *tls, const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t count = len - at < RECORD_MAX ? len - at : RECORD_MAX;
		ERR_clear_error();
		int result = SSL_write(tls->ssl, bytes + at, (int)count);
		if (result <= 0)
			return explain(tls);
		at += (size_t)result;
		tls->plain += (uint64_t)result;
		int rc = collect(tls);
		if (rc != 0)
			return rc;
	}
	return 0;
}

void mp_tls_end(struct mp_tls *tls)
{
	if (!tls->open)
		return;
	ERR_clear_error();
	SSL_shutdown(tls->ssl);
	if (collect(tls) != 0)
		BIO_reset(tls->out); // without memory it ends as a cut does
}

#endif
