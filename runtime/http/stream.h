// SPDX-License-Identifier: Apache-2.0
// Answers that go on: what is published waits here, for each client in a buffer of its own, until libmicrohttpd has
// room for it; a connection for which nothing waits is suspended and costs nothing. Who reads too slowly is dropped
// when his buffer is full, and nobody else notices. Where libmicrohttpd is.
#pragma once

#include "base/list.h"

struct MHD_Connection;
struct MHD_Response;

struct mp_http_streams {
	struct mp_list list; // of struct stream
};

void mp_http_streams_init(struct mp_http_streams *streams);
// A response to be queued on the connection, beginning with these bytes. NULL: out of memory.
struct MHD_Response *mp_http_streams_add(struct mp_http_streams *streams, struct MHD_Connection *connection,
                                         const void *bytes, size_t len);
// More for all of them. The daemon wants to run afterwards.
void mp_http_streams_publish(struct mp_http_streams *streams, const void *bytes, size_t len);
void mp_http_streams_end(struct mp_http_streams *streams); // before the daemon is stopped
