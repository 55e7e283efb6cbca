// SPDX-License-Identifier: Apache-2.0
// server.h in a build without libmicrohttpd.
#ifndef MP_WITH_MICROHTTPD
#include "base/err.h"
#include "http/server.h"

const bool mp_http_is_there = false;

struct mp_http_server *mp_http_open(struct mp_loop *loop, const struct mp_addr *addr, const char *path,
                                    void (*answer)(void *data, const struct mp_http_request *request,
                                                   struct mp_http_answer *answer),
                                    void *data, int *err)
{
	(void)loop, (void)addr, (void)path, (void)answer, (void)data;
	*err = MP_EUNSUPPORTED;
	return NULL;
}

const struct mp_addr *mp_http_addr(const struct mp_http_server *server)
{
	(void)server;
	return NULL;
}

size_t mp_http_streams(const struct mp_http_server *server)
{
	(void)server;
	return 0;
}

void mp_http_publish(struct mp_http_server *server, const void *bytes, size_t len)
{
	(void)server, (void)bytes, (void)len;
}

void mp_http_close(struct mp_http_server *server)
{
	(void)server;
}
#endif
