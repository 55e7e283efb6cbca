// SPDX-License-Identifier: Apache-2.0
// EVENT, both directions (section 4.2.6). A type that is not known is no error: servers may gain events.
#include <string.h>

#include "wire/message.h"
#include "wire/notation.h"

// [inet]: a byte of length, the address, an [int] of port.
static void read_inet(struct mp_cursor *cur, struct mp_addr *addr)
{
	uint8_t len = mp_cursor_u8(cur);
	if (len != 4 && len != 16)
		cur->failed = true;
	const uint8_t *ip = mp_cursor_take(cur, len);
	int32_t port = mp_cursor_i32(cur);
	if (port < 0 || port > UINT16_MAX)
		cur->failed = true;
	if (cur->failed)
		return;
	memcpy(addr->ip, ip, len);
	addr->ip_len = len;
	addr->port = (uint16_t)port;
}

int mp_decode_event(struct mp_cursor body, uint8_t version, struct mp_event_body *out)
{
	(void)version; // v3 to v5 differ only in which targets a schema change may have
	*out = (struct mp_event_body){.kind = MP_EVENT_UNKNOWN};
	out->type = mp_cursor_string(&body);
	if (mp_str_is(out->type, "TOPOLOGY_CHANGE") || mp_str_is(out->type, "STATUS_CHANGE")) {
		out->kind = out->type.data[0] == 'T' ? MP_EVENT_TOPOLOGY : MP_EVENT_STATUS;
		out->change = mp_cursor_string(&body);
		read_inet(&body, &out->addr);
	} else if (mp_str_is(out->type, "SCHEMA_CHANGE")) {
		out->kind = MP_EVENT_SCHEMA;
		out->change = mp_cursor_string(&body);
		out->target = mp_cursor_string(&body);
		out->keyspace = mp_cursor_string(&body);
		if (!mp_str_is(out->target, "KEYSPACE"))
			out->name = mp_cursor_string(&body);
	}
	return mp_cursor_status(&body);
}

void mp_encode_event_addr(struct mp_buf *buf, uint8_t version, const char *type, const char *change,
                          const struct mp_addr *addr)
{
	size_t begin = mp_envelope_begin(buf, version, true, 0, -1, MP_OP_EVENT);
	mp_put_text(buf, type);
	mp_put_text(buf, change);
	mp_buf_u8(buf, addr->ip_len);
	mp_buf_bytes(buf, addr->ip, addr->ip_len);
	mp_buf_i32(buf, addr->port);
	mp_envelope_end(buf, begin);
}

void mp_encode_event_schema(struct mp_buf *buf, uint8_t version, const char *change, const char *target,
                            struct mp_str keyspace, struct mp_str name)
{
	size_t begin = mp_envelope_begin(buf, version, true, 0, -1, MP_OP_EVENT);
	mp_put_text(buf, "SCHEMA_CHANGE");
	mp_put_schema_change(buf, change, target, keyspace, name);
	mp_envelope_end(buf, begin);
}
