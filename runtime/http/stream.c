// SPDX-License-Identifier: Apache-2.0
#include "http/stream.h"

#ifdef MP_WITH_MICROHTTPD
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/server.h"

#define BLOCK_BYTES ((size_t)8 * 1024)

struct stream {
	struct mp_list_node node;
	struct mp_http_streams *owner;
	struct MHD_Connection *connection;
	struct mp_buf waiting;
	size_t sent;  // of what waits
	bool is_idle; // suspended
	bool is_over;
};

void mp_http_streams_init(struct mp_http_streams *streams)
{
	mp_list_init(&streams->list);
}

static void wake(struct stream *stream)
{
	if (!stream->is_idle)
		return;
	stream->is_idle = false;
	MHD_resume_connection(stream->connection);
}

static void end(struct stream *stream)
{
	stream->is_over = true;
	mp_buf_deinit(&stream->waiting);
	mp_buf_init(&stream->waiting);
	stream->sent = 0;
	wake(stream);
}

// He would take no end either: the connection is cut.
static void drop(struct stream *stream)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(stream->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info != NULL)
		(void)shutdown(info->connect_fd, SHUT_RDWR);
	end(stream);
}

// Bytes that were sent make room when there is more of them than of others.
static void append(struct stream *stream, const void *bytes, size_t len)
{
	struct mp_buf *waiting = &stream->waiting;
	size_t left = waiting->len - stream->sent;
	if (stream->sent > left) {
		memmove(waiting->data, waiting->data + stream->sent, left);
		waiting->len = left;
		stream->sent = 0;
	}
	mp_buf_bytes(waiting, bytes, len);
	if (left + len > MP_HTTP_STREAM_BYTES_MAX || mp_buf_status(waiting) != 0)
		drop(stream);
	else
		wake(stream);
}

// libmicrohttpd has room for so many bytes.
static ssize_t on_room(void *data, uint64_t position, char *to, size_t room)
{
	struct stream *stream = data;
	(void)position;
	size_t left = stream->waiting.len - stream->sent;
	if (left == 0 && stream->is_over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (left == 0) {
		stream->is_idle = true;
		MHD_suspend_connection(stream->connection);
		return 0;
	}
	size_t len = left < room ? left : room;
	memcpy(to, stream->waiting.data + stream->sent, len);
	stream->sent += len;
	return (ssize_t)len;
}

static void on_gone(void *data)
{
	struct stream *stream = data;
	mp_list_remove(&stream->owner->list, &stream->node);
	mp_buf_deinit(&stream->waiting);
	mp_free(stream);
}

struct MHD_Response *mp_http_streams_add(struct mp_http_streams *streams, struct MHD_Connection *connection,
                                         const void *bytes, size_t len)
{
	struct stream *stream = mp_calloc(1, sizeof(*stream));
	if (stream == NULL)
		return NULL;
	stream->owner = streams;
	stream->connection = connection;
	mp_buf_init(&stream->waiting);
	mp_list_node_init(&stream->node);
	mp_list_push_back(&streams->list, &stream->node);
	append(stream, bytes, len);
	struct MHD_Response *response =
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_room, stream, on_gone);
	if (response == NULL)
		on_gone(stream);
	return response;
}

void mp_http_streams_publish(struct mp_http_streams *streams, const void *bytes, size_t len)
{
	for (struct mp_list_node *node = mp_list_first(&streams->list); node != NULL;
	     node = mp_list_next(&streams->list, node)) {
		struct stream *stream = MP_CONTAINER_OF(node, struct stream, node);
		if (!stream->is_over)
			append(stream, bytes, len);
	}
}

void mp_http_streams_end(struct mp_http_streams *streams)
{
	for (struct mp_list_node *node = mp_list_first(&streams->list); node != NULL;
	     node = mp_list_next(&streams->list, node))
		end(MP_CONTAINER_OF(node, struct stream, node));
}
#endif
