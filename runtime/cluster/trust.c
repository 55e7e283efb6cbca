// SPDX-License-Identifier: Apache-2.0
#include "cluster/trust.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cluster/session.h"

enum { CA, CERT, KEY, CRL, FILES };

struct mp_trust {
	struct mp_loop *loop;
	struct mp_session *session; // NULL: not attached
	struct mp_tls_options options;
	char *files[FILES];          // that `options` names
	char *pass_phrase, *ciphers; // its own
	struct mp_watch *watches[FILES];
	struct mp_tls_context *context;
};

static const struct mp_log *log_of(const struct mp_trust *trust)
{
	return trust->session != NULL ? mp_session_log(trust->session) : mp_loop_log(trust->loop);
}

static void on_change(void *data)
{
	struct mp_trust *trust = data;
	char why[256];
	int err = 0;
	struct mp_tls_context *context = mp_tls_context_new(&trust->options, why, sizeof(why), &err);
	if (context == NULL) {
		mp_log_write(log_of(trust), MP_LOG_ERROR, "tls: %s; what was read before stays in force", why);
		return;
	}
	mp_tls_context_unref(trust->context);
	trust->context = context;
	mp_log_write(log_of(trust), MP_LOG_INFO, "tls: the files were read anew, for new connections");
	if (trust->session != NULL)
		mp_session_set_tls(trust->session, context);
}

static void watch(struct mp_trust *trust)
{
	for (int i = 0; i < FILES; i++) {
		int err = 0;
		if (trust->files[i] == NULL)
			continue;
		trust->watches[i] = mp_loop_watch(trust->loop, trust->files[i], on_change, trust, &err);
		if (trust->watches[i] == NULL)
			mp_log_write(log_of(trust), MP_LOG_WARN, "tls: changes of %s will not be noticed: %s",
			             trust->files[i], mp_err_text(err));
	}
}

// Whether there is no memory.
static bool copy_text(const char **text, char **own)
{
	*own = *text != NULL ? mp_strdup(*text) : NULL;
	bool failed = *text != NULL && *own == NULL;
	*text = *own;
	return failed;
}

static int copy(struct mp_trust *trust)
{
	const char **names[FILES] = {&trust->options.ca, &trust->options.cert, &trust->options.key,
	                             &trust->options.crl};
	for (int i = 0; i < FILES; i++) {
		if (*names[i] == NULL)
			continue;
		trust->files[i] = mp_strdup(*names[i]);
		if (trust->files[i] == NULL)
			return MP_ENOMEM;
		*names[i] = trust->files[i];
	}
	return copy_text(&trust->options.pass_phrase, &trust->pass_phrase) ||
	               copy_text(&trust->options.ciphers, &trust->ciphers)
	           ? MP_ENOMEM
	           : 0;
}

struct mp_trust *mp_trust_new(struct mp_loop *loop, const struct mp_tls_options *options, char *why,
                              size_t size, int *err)
{
	struct mp_trust *trust = mp_calloc(1, sizeof(*trust));
	if (trust == NULL) {
		snprintf(why, size, "%s", mp_err_text(MP_ENOMEM));
		*err = MP_ENOMEM;
		return NULL;
	}
	trust->loop = loop;
	trust->options = *options;
	*err = copy(trust);
	if (*err != 0)
		snprintf(why, size, "%s", mp_err_text(*err));
	else
		trust->context = mp_tls_context_new(&trust->options, why, size, err);
	if (trust->context == NULL) {
		mp_trust_free(trust);
		return NULL;
	}
	watch(trust);
	return trust;
}

void mp_trust_free(struct mp_trust *trust)
{
	if (trust == NULL)
		return;
	for (int i = 0; i < FILES; i++) {
		if (trust->watches[i] != NULL)
			mp_watch_close(trust->watches[i]);
		mp_free(trust->files[i]);
	}
	mp_free_secret(trust->pass_phrase);
	mp_free(trust->ciphers);
	mp_tls_context_unref(trust->context);
	mp_free(trust);
}

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool mp_trust_is_of(const struct mp_trust *trust, const struct mp_tls_options *options)
{
	const struct mp_tls_options *own = &trust->options;
	return same(own->ca, options->ca) && same(own->cert, options->cert) && same(own->key, options->key) &&
	       same(own->crl, options->crl) && same(own->pass_phrase, options->pass_phrase) &&
	       same(own->ciphers, options->ciphers) && own->unverified == options->unverified &&
	       own->minor == options->minor && own->identity == options->identity;
}

struct mp_tls_context *mp_trust_context(const struct mp_trust *trust)
{
	return trust != NULL ? trust->context : NULL;
}

void mp_trust_attach(struct mp_trust *trust, struct mp_session *session)
{
	if (trust != NULL)
		trust->session = session;
}
