// SPDX-License-Identifier: Apache-2.0
// tls.h in a build without OpenSSL: no context can be made, so nothing else is ever asked for.
#ifndef MP_WITH_TLS

#include <stdio.h>

#include "base/err.h"
#include "link/tls.h"

// Without a context there is no connection of one: the rest is never called.

bool mp_tls_is_built(void)
{
	return false;
}

struct mp_tls_context *mp_tls_context_new(const struct mp_tls_options *options, char *why, size_t size,
                                          int *err)
{
	(void)options;
	snprintf(why, size, "this build of moonpool has no TLS");
	*err = MP_EUNSUPPORTED;
	return NULL;
}

struct mp_tls_context *mp_tls_context_ref(struct mp_tls_context *context)
{
	return context;
}

void mp_tls_context_unref(struct mp_tls_context *context)
{
	mp_assert(context == NULL);
}

bool mp_tls_context_verifies(const struct mp_tls_context *context)
{
	(void)context;
	return false;
}

struct mp_tls *mp_tls_new(struct mp_tls_context *context, const char *name, const struct mp_addr *addr,
                          const struct mp_uuid *host_id)
{
	(void)context, (void)name, (void)addr, (void)host_id;
	return NULL;
}

void mp_tls_free(struct mp_tls *tls)
{
	mp_assert(tls == NULL);
}

int mp_tls_feed(struct mp_tls *tls, const uint8_t *bytes, size_t len,
                bool (*on_plain)(void *data, const uint8_t *bytes, size_t len), void *data)
{
	(void)tls, (void)bytes, (void)len, (void)on_plain, (void)data;
	return MP_EUNSUPPORTED;
}

bool mp_tls_is_open(const struct mp_tls *tls)
{
	(void)tls;
	return false;
}

bool mp_tls_is_ended(const struct mp_tls *tls)
{
	(void)tls;
	return false;
}

bool mp_tls_resumed(const struct mp_tls *tls)
{
	(void)tls;
	return false;
}

const char *mp_tls_why(const struct mp_tls *tls)
{
	(void)tls;
	return "";
}

bool mp_tls_wants_host_id(const struct mp_tls *tls)
{
	(void)tls;
	return false;
}

bool mp_tls_proves(const struct mp_tls *tls, const struct mp_uuid *host_id)
{
	(void)tls, (void)host_id;
	return true;
}

int mp_tls_write(struct mp_tls *tls, const uint8_t *bytes, size_t len)
{
	(void)tls, (void)bytes, (void)len;
	return MP_EUNSUPPORTED;
}

void mp_tls_end(struct mp_tls *tls)
{
	(void)tls;
}

struct mp_pack *mp_tls_records(struct mp_tls *tls)
{
	(void)tls;
	return NULL;
}

#endif
