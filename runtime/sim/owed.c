// SPDX-License-Identifier: Apache-2.0
// What a node owes: the stream ids of one connection whose request came and whose answer has not left. A client that
// asks on such an id would give somebody the answer of somebody else; the node counts it and goes on.
#include "sim/world.h"

#include <string.h>

static uint8_t *byte_of(struct mp_sim_link *conn, int16_t stream)
{
	size_t at = (size_t)(uint16_t)stream / 8;
	if (at >= conn->owed.len) {
		size_t more = at + 1 - conn->owed.len;
		uint8_t *room = mp_buf_reserve(&conn->owed, more);
		if (room == NULL)
			return NULL;
		memset(room, 0, more);
		conn->owed.len += more;
	}
	return conn->owed.data + at;
}

void mp_sim_owes(struct mp_sim_link *conn, int16_t stream)
{
	uint8_t *byte = byte_of(conn, stream), bit = (uint8_t)(1u << ((uint16_t)stream % 8));
	if (byte == NULL)
		return;
	conn->owner->streams_reused += (*byte & bit) != 0;
	*byte |= bit;
}

void mp_sim_has_paid(struct mp_sim_link *conn, int16_t stream)
{
	uint8_t *byte = byte_of(conn, stream);
	if (byte != NULL)
		*byte &= (uint8_t) ~(1u << ((uint16_t)stream % 8));
}
