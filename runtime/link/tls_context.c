// SPDX-License-Identifier: Apache-2.0
// The files, the rules and the sessions of TLS: all that connections have in common.
//
// Invariant: a context that was made is never changed but for its sessions. Whatever its files were, they were read
// once, and a context that could not be made whole is none.
#include "link/tls_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

#ifdef MP_WITH_TLS

#include "base/mem.h"

#define SESSIONS_MAX 64u // nodes whose last session is kept
#define CIPHERS_SIZE 1024u
#define KEY_FILE_MAX 65536u

struct session {
	struct mp_addr addr;
	struct mp_uuid host_id; // that was proved; nil: none had to be
	char name[MP_TLS_NAME_SIZE];
	SSL_SESSION *ssl;
};

struct mp_tls_context {
	SSL_CTX *ssl;
	uint32_t refs;
	bool verifies;
	enum mp_tls_identity identity;
	struct session sessions[SESSIONS_MAX];
	uint32_t next_session; // the one that gives way
};

bool mp_tls_is_built(void)
{
	return true;
}

// ---- files ------------------------------------------------------------------------------------------------

// What OpenSSL says last is the most general; what it said first is the cause.
const char *mp_tls_cause(void)
{
	unsigned long code = ERR_peek_error();
	if (ERR_SYSTEM_ERROR(code))
		return strerror(ERR_GET_REASON(code));
	const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
	return text != NULL ? text : "it cannot be used";
}

// What could not be done for want of memory says nothing about the files.
static int error_of_cause(void)
{
	unsigned long code = ERR_peek_error();
	bool is_memory = ERR_SYSTEM_ERROR(code) ? ERR_GET_REASON(code) == ENOMEM
	                                        : code != 0 && ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
	return is_memory ? MP_ENOMEM : MP_ECONFIG;
}

// Nobody is asked at the terminal.
static int on_pass_phrase(char *buf, int size, int rwflag, void *data)
{
	const char *phrase = data;
	size_t len = phrase != NULL ? strlen(phrase) : 0;
	(void)rwflag;
	if (len > (size_t)size)
		return -1;
	memcpy(buf, phrase != NULL ? phrase : "", len);
	return (int)len;
}

static bool load_crl(SSL_CTX *ssl, const char *path)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
	return lookup != NULL && X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) > 0 &&
	       X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1;
}

// A pipe would hold up the loop, and a folder has no message of its own.
static bool is_file(const char *path, char *why, size_t size)
{
	struct stat stat_of;
	int rc = stat(path, &stat_of);
	if (rc == 0 && S_ISREG(stat_of.st_mode))
		return true;
	snprintf(why, size, "%s: %s", path, rc != 0 ? strerror(errno) : "it is not a file");
	return false;
}

// The bytes of a key stand in no buffer that is not wiped, so OpenSSL and libc are not the ones who read the file.
static EVP_PKEY *read_key(const char *path, const char *pass_phrase)
{
	uint8_t *text = mp_calloc(1, KEY_FILE_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = fd >= 0 && text != NULL ? read(fd, text, KEY_FILE_MAX) : -1;
	BIO *bio = len > 0 ? BIO_new_mem_buf(text, (int)len) : NULL;
	EVP_PKEY *key = NULL;
	if (bio != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, on_pass_phrase, (void *)(uintptr_t)pass_phrase);
	else
		ERR_raise(ERR_LIB_SYS, text == NULL ? ENOMEM : len < 0 ? errno : ENODATA);
	BIO_free(bio);
	if (fd >= 0)
		close(fd);
	if (text != NULL)
		explicit_bzero(text, KEY_FILE_MAX);
	mp_free(text);
	return key;
}

// OpenSSL leaves a copy of the pass phrase in a frame of its own. What is called next may write over it, or not.
static __attribute__((noinline)) void wipe_stack(void)
{
	uint8_t below[16384];
	explicit_bzero(below, sizeof(below));
}

static bool load_key(SSL_CTX *ssl, const char *path, const char *pass_phrase)
{
	EVP_PKEY *key = read_key(path, pass_phrase);
	wipe_stack();
	bool done = key != NULL && SSL_CTX_use_PrivateKey(ssl, key) == 1 && SSL_CTX_check_private_key(ssl) == 1;
	EVP_PKEY_free(key);
	return done;
}

// False: `why` names the file and the cause. The system's authorities are a hundred and more, for who believes them.
static bool load_files(SSL_CTX *ssl, const struct mp_tls_options *options, char *why, size_t size)
{
	const char *key = options->key != NULL ? options->key : options->cert;
	const char *const files[] = {options->ca, options->crl, options->cert, key};
	const char *bad = NULL;
	for (size_t i = 0; i < MP_ARRAY_LEN(files); i++)
		if (files[i] != NULL && !is_file(files[i], why, size))
			return false;
	if (options->ca != NULL && SSL_CTX_load_verify_file(ssl, options->ca) != 1)
		bad = options->ca;
	else if (options->ca == NULL && !options->unverified && SSL_CTX_set_default_verify_paths(ssl) != 1)
		bad = "the system's authorities";
	else if (options->crl != NULL && !load_crl(ssl, options->crl))
		bad = options->crl;
	else if (options->cert != NULL && SSL_CTX_use_certificate_chain_file(ssl, options->cert) != 1)
		bad = options->cert;
	else if (key != NULL && !load_key(ssl, key, options->pass_phrase))
		bad = key;
	if (bad != NULL)
		snprintf(why, size, "%s: %s", bad, mp_tls_cause());
	return bad == NULL;
}

// ---- rules ------------------------------------------------------------------------------------------------

// OpenSSL passes over names that it does not know beside one that it knows, and over suites that its rules forbid
// until a connection wants one: each is asked for by itself.
static bool suite_serves(SSL_CTX *ssl, const char *name, bool is_13)
{
	int rc = is_13 ? SSL_CTX_set_ciphersuites(ssl, name) : SSL_CTX_set_cipher_list(ssl, name);
	SSL *probe = rc == 1 ? SSL_new(ssl) : NULL;
	STACK_OF(SSL_CIPHER) *suites = probe != NULL ? SSL_get1_supported_ciphers(probe) : NULL;
	bool serves = false;
	for (int i = 0; i < sk_SSL_CIPHER_num(suites) && !serves; i++)
		serves = (strncmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(suites, i)), "TLS_", 4) == 0) == is_13;
	sk_SSL_CIPHER_free(suites);
	SSL_free(probe);
	ERR_clear_error();
	return serves;
}

// Those of TLS 1.2 and of 1.3; a version of which none is named is not spoken.
static bool use_suites(SSL_CTX *ssl, const char *old, const char *new)
{
	if (new[0] == '\0')
		return SSL_CTX_set_max_proto_version(ssl, TLS1_2_VERSION) == 1 &&
		       SSL_CTX_set_cipher_list(ssl, old) == 1;
	if (old[0] == '\0')
		return SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
		       SSL_CTX_set_ciphersuites(ssl, new) == 1;
	return SSL_CTX_set_cipher_list(ssl, old) == 1 && SSL_CTX_set_ciphersuites(ssl, new) == 1;
}

// Names with ':' between them. Those of TLS 1.3 begin with TLS_.
static bool set_ciphers(SSL_CTX *ssl, const char *names, char *why, size_t size)
{
	char rest[CIPHERS_SIZE], old[CIPHERS_SIZE] = "", new[CIPHERS_SIZE] = "";
	snprintf(rest, sizeof(rest), "%s", names);
	char *save = NULL;
	for (char *name = strtok_r(rest, ":", &save); name != NULL; name = strtok_r(NULL, ":", &save)) {
		bool is_13 = strncmp(name, "TLS_", 4) == 0;
		char *list = is_13 ? new : old;
		if (!suite_serves(ssl, name, is_13)) {
			snprintf(why, size,
			         "ciphers: OpenSSL has no \"%.80s\", or it is too weak, or not of an allowed version",
			         name);
			return false;
		}
		size_t len = strlen(list);
		snprintf(list + len, CIPHERS_SIZE - len, "%s%s", len > 0 ? ":" : "", name);
	}
	bool used = use_suites(ssl, old, new);
	if (!used)
		snprintf(why, size, "ciphers: %s", mp_tls_cause());
	return used;
}

static int on_new_session(SSL *ssl, SSL_SESSION *session);

static void set_rules(SSL_CTX *ssl, const struct mp_tls_options *options)
{
	SSL_CTX_set_min_proto_version(ssl, options->minor == 3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_security_level(ssl, 2);
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(ssl, options->unverified ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, mp_tls_on_verify);
	SSL_CTX_set_default_passwd_cb(ssl, on_pass_phrase);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ssl, on_new_session);
}

// ---- contexts ---------------------------------------------------------------------------------------------

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
	context->identity = options->unverified ? MP_TLS_NAME : options->identity;
	ERR_clear_error();
	set_rules(ssl, options);
	if (load_files(ssl, options, why, size) &&
	    (options->ciphers == NULL || set_ciphers(ssl, options->ciphers, why, size)))
		return context;
	*err = error_of_cause();
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

enum mp_tls_identity mp_tls_context_identity(const struct mp_tls_context *context)
{
	return context->identity;
}

SSL *mp_tls_context_begin(struct mp_tls_context *context)
{
	return SSL_new(context->ssl);
}

// ---- sessions ---------------------------------------------------------------------------------------------

static struct session *find_session(const struct mp_tls *tls)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *session = &tls->context->sessions[i];
		if (session->ssl != NULL && mp_addr_eq(&session->addr, &tls->addr) &&
		    mp_uuid_eq(&session->host_id, &tls->host_id) && strcmp(session->name, tls->name) == 0)
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
	*session = (struct session){.addr = tls->addr, .host_id = tls->host_id, .ssl = ssl_session};
	memcpy(session->name, tls->name, sizeof(session->name));
	return 1; // it is ours now
}

// A session of TLS 1.3 is for one use, so that nobody can tell that two connections are the same client's.
void mp_tls_context_resume(struct mp_tls *tls)
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

#endif
