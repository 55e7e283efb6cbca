// SPDX-License-Identifier: Apache-2.0
// An HTTP server for what a process tells about itself: GET of a few paths, answered at once. libmicrohttpd does the
// protocol and owns the connections; our loop watches its one descriptor and its clock, so that there is no thread and
// nothing of it waits. Without libmicrohttpd (server_none.c) it says that it is not there.
#pragma once

#include "base/buf.h"
#include "loop/loop.h"

struct mp_http_server;

struct mp_http_answer {
	unsigned status;  // 200
	const char *type; // of the body, a text that lasts
	struct mp_buf body;
};

extern const bool mp_http_is_there;
// At an address, or (path not NULL) a path of the file system, for this user and root. `answer` is called from the loop
// for each GET and HEAD with the path of the URL and fills in what is to be said; 404 unless it does. NULL and *err:
// MP_EBUSY (somebody listens there), MP_EAUTH (not allowed), those of mp_loop_listen_local(), MP_ELOCAL,
// MP_EUNSUPPORTED (a build without it, or virtual time).
struct mp_http_server *mp_http_open(struct mp_loop *loop, const struct mp_addr *addr, const char *path,
                                    void (*answer)(void *data, const char *url,
                                                   struct mp_http_answer *answer),
                                    void *data, int *err) MP_MUST_CHECK;
const struct mp_addr *mp_http_addr(const struct mp_http_server *server); // with the port that was given
void mp_http_close(struct mp_http_server *server);                       // not inside of `answer`
