// SPDX-License-Identifier: Apache-2.0
// An HTTP server for what a process tells about itself: GET of a few paths, answered at once, and streams, which go on
// until one side ends them. libmicrohttpd does the protocol and owns the connections; our loop watches its one
// descriptor and its clock, so that there is no thread and nothing of it waits. Without libmicrohttpd (server_none.c)
// it says that it is not there.
#pragma once

#include "base/buf.h"
#include "loop/loop.h"

struct mp_http_server;

// Texts are borrowed.
struct mp_http_request {
	const char *path;     // of the URL, without what stands behind a ?
	const char *host;     // the header Host, as it came; "": none
	const char *password; // of Authorization, Basic (of any user) or Bearer; "": none
};

struct mp_http_answer {
	unsigned status;  // 200
	const char *type; // of the body, a text that lasts; NULL: the status says all
	struct mp_buf body;
	bool is_stream; // the body is its beginning; 503 when there are too many
};

#define MP_HTTP_STREAMS_MAX 8u
#define MP_HTTP_STREAM_BYTES_MAX \
	((size_t)1024 * 1024) // that wait for one who reads slowly; beyond it he is dropped

extern const bool mp_http_is_there;
// At an address, or (path not NULL) a path of the file system, for this user and root. `answer` is called from the loop
// for each GET and HEAD and fills in what is to be said; 404 unless it does. NULL and *err: MP_EBUSY (somebody listens
// there), MP_EAUTH (not allowed), those of mp_loop_listen_local(), MP_ELOCAL, MP_EUNSUPPORTED (a build without it, or
// virtual time).
struct mp_http_server *mp_http_open(struct mp_loop *loop, const struct mp_addr *addr, const char *path,
                                    void (*answer)(void *data, const struct mp_http_request *request,
                                                   struct mp_http_answer *answer),
                                    void *data, int *err) MP_MUST_CHECK;
const struct mp_addr *mp_http_addr(const struct mp_http_server *server); // with the port that was given
void mp_http_close(struct mp_http_server *server);                       // not inside of `answer`
size_t mp_http_streams(const struct mp_http_server *server);             // how many there are
void mp_http_publish(struct mp_http_server *server, const void *bytes, size_t len); // to each of them
