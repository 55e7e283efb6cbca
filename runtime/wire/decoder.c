// SPDX-License-Identifier: Apache-2.0
// Two layers. The outer one finds whole units in the fed bytes: envelopes, or v5 segments. A unit that is
// whole in the fed bytes is used where it lies; only one that is cut is gathered in `rest`, which grows by
// received bytes alone, each copied once. The inner layer, for segments, finds envelopes in a payload, or
// gathers a large one in `whole`.
//
// Invariants: between two calls `rest` holds less than one unit; `whole` is empty unless a large envelope is
// under way; `error` is set while on_envelope runs, so a callback that stops (and may drop the decoder)
// leaves it closed.
#include "wire/decoder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "wire/segment.h"

// A buffer that grew beyond this for one large envelope is given back after it.
#ifdef MP_HARD
#define KEEP_BYTES 0u
#else
#define KEEP_BYTES (1u << 20)
#endif

struct sink {
	int (*fn)(void *data, const struct mp_envelope *envelope);
	void *data;
};

struct span {
	const uint8_t *pos;
	size_t left;
};

void mp_decoder_init(struct mp_decoder *dec, bool want_response, uint32_t max_body)
{
	*dec = (struct mp_decoder){.want_response = want_response, .max_body = max_body};
	mp_buf_init(&dec->rest);
	mp_buf_init(&dec->whole);
	mp_buf_init(&dec->inflated);
}

void mp_decoder_deinit(struct mp_decoder *dec)
{
	mp_buf_deinit(&dec->rest);
	mp_buf_deinit(&dec->whole);
	mp_buf_deinit(&dec->inflated);
}

void mp_decoder_use_segments(struct mp_decoder *dec)
{
	dec->segmented = true;
}

void mp_decoder_use_compression(struct mp_decoder *dec, enum mp_compression kind)
{
	dec->compression = kind;
}

static int refuse(struct mp_decoder *dec, int rc, const char *format, ...) MP_PRINTF(3, 4);

static int refuse(struct mp_decoder *dec, int rc, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(dec->why, sizeof(dec->why), format, args);
	va_end(args);
	dec->error = rc;
	return rc;
}

static uint32_t load_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t load_u24_le(const uint8_t *at)
{
	return (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static MP_COLD int refuse_version(struct mp_decoder *dec, uint8_t first)
{
	const char *guess = "";
	if (first == 'H')
		guess = "; an HTTP server?";
	else if (first == 0x15 || first == 0x16)
		guess = "; a TLS port?";
	if (dec->version != 0)
		return refuse(dec, MP_EPROTO, "protocol version %u instead of %u (first byte 0x%02x)%s",
		              first & 0x7fu, dec->version, first, guess);
	return refuse(dec, MP_EPROTO, "unsupported protocol version %u (first byte 0x%02x)%s", first & 0x7fu,
	              first, guess);
}

// The first byte tells a stranger.
MP_INLINE int check_first(struct mp_decoder *dec, uint8_t first)
{
	uint8_t version = first & 0x7f;
	dec->seen_version = version;
	bool known = dec->version != 0 ? version == dec->version
	                               : version >= MP_PROTOCOL_MIN && version <= MP_PROTOCOL_MAX;
	if (MP_UNLIKELY(!known))
		return refuse_version(dec, first);
	if (MP_UNLIKELY((first >> 7 != 0) != dec->want_response))
		return refuse(dec, MP_EPROTO, "a %s came where a %s belongs (first byte 0x%02x)",
		              dec->want_response ? "request" : "response",
		              dec->want_response ? "response" : "request", first);
	return 0;
}

// A node waits for the stream id, so that it can answer whoever speaks another version. Before v3 it stood elsewhere in
// a shorter header, and a client answers nobody: they refuse by the first byte.
static bool waits_for_stream(const struct mp_decoder *dec, uint8_t first)
{
	return !dec->want_response && (first & 0x7f) >= MP_PROTOCOL_MIN;
}

// Check the nine bytes at `at`, which the body follows.
MP_INLINE int read_header(struct mp_decoder *dec, const uint8_t *at, struct mp_envelope *env)
{
	int16_t stream = (int16_t)(uint16_t)(at[2] << 8 | at[3]);
	if (waits_for_stream(dec, at[0]))
		dec->seen_stream = stream;
	int rc = check_first(dec, at[0]);
	if (MP_UNLIKELY(rc != 0))
		return rc;
	uint8_t opcode = at[4];
	if (MP_UNLIKELY(!(dec->want_response ? mp_opcode_is_response(opcode) : mp_opcode_is_request(opcode))))
		return refuse(dec, MP_EPROTO, "unexpected opcode 0x%02x (%s)", opcode, mp_opcode_name(opcode));
	uint32_t len = load_u32(at + 5);
	if (MP_UNLIKELY(len > dec->max_body))
		return refuse(dec, MP_ETOOBIG, "a body of %u bytes is over the limit of %u", len, dec->max_body);
	env->version = at[0] & 0x7f;
	env->response = dec->want_response;
	env->flags = at[1];
	env->stream = stream;
	env->opcode = opcode;
	env->body = at + MP_ENVELOPE_HEADER;
	env->body_len = len;
	return 0;
}

static void release_if_large(struct mp_buf *buf)
{
	if (buf->cap > KEEP_BYTES)
		mp_buf_deinit(buf);
	else
		mp_buf_clear(buf);
}

// Nothing of the decoder may be touched after a callback that returns non-zero.
MP_INLINE int hand_over(struct mp_decoder *dec, const struct mp_envelope *env, struct sink sink)
{
	dec->error = MP_ECLOSED;
	int rc = sink.fn(sink.data, env);
	if (MP_LIKELY(rc == 0))
		dec->error = 0;
	return rc;
}

static MP_COLD int deliver_inflated(struct mp_decoder *dec, const struct mp_envelope *env, struct sink sink)
{
	if (dec->compression == MP_COMPRESSION_NONE)
		return refuse(dec, MP_EPROTO, "a compressed body, although no compression was agreed on");
	mp_buf_clear(&dec->inflated);
	int rc = mp_decompress_body(dec->compression, env->body, env->body_len, dec->max_body, &dec->inflated);
	if (rc == MP_ENOMEM)
		return refuse(dec, rc, "out of memory");
	if (rc != 0)
		return refuse(dec, rc, "a %s body of %u bytes %s", mp_compression_name(dec->compression),
		              env->body_len, rc == MP_ETOOBIG ? "makes more than the limit" : "is not what it says");
	struct mp_envelope plain = *env;
	plain.flags &= (uint8_t)~MP_FLAG_COMPRESSED;
	plain.body = dec->inflated.data;
	plain.body_len = (uint32_t)dec->inflated.len;
	rc = hand_over(dec, &plain, sink);
	if (rc == 0)
		release_if_large(&dec->inflated);
	return rc;
}

// The flag means nothing any more on v5, whose segments are compressed.
MP_INLINE int deliver(struct mp_decoder *dec, const struct mp_envelope *env, struct sink sink)
{
	if (MP_UNLIKELY((env->flags & MP_FLAG_COMPRESSED) != 0 && env->version < 5))
		return deliver_inflated(dec, env, sink);
	return hand_over(dec, env, sink);
}

// Move bytes of the span to `buf` until it holds `want`, or the span ends.
static int gather(struct mp_decoder *dec, struct mp_buf *buf, struct span *in, size_t want)
{
	if (buf->len >= want)
		return 0;
	size_t take = want - buf->len < in->left ? want - buf->len : in->left;
	mp_buf_bytes(buf, in->pos, take);
	if (mp_buf_status(buf) != 0)
		return refuse(dec, MP_ENOMEM, "out of memory");
	in->pos += take;
	in->left -= take;
	return 0;
}

// ---- envelopes that stand by themselves -------------------------------------------------------------------

static int finish_rest_envelope(struct mp_decoder *dec, struct span *in, struct sink sink)
{
	int rc = gather(dec, &dec->rest, in, MP_ENVELOPE_HEADER);
	if (rc != 0 || dec->rest.len < MP_ENVELOPE_HEADER)
		return rc;
	struct mp_envelope env;
	rc = read_header(dec, dec->rest.data, &env);
	if (rc != 0)
		return rc;
	size_t size = MP_ENVELOPE_HEADER + (size_t)env.body_len;
	rc = gather(dec, &dec->rest, in, size);
	if (rc != 0 || dec->rest.len < size)
		return rc;
	env.body = dec->rest.data + MP_ENVELOPE_HEADER;
	dec->rest.len = 0;
	rc = deliver(dec, &env, sink);
	if (rc == 0)
		release_if_large(&dec->rest);
	return rc;
}

static int feed_envelopes(struct mp_decoder *dec, struct span *in, struct sink sink)
{
	if (dec->rest.len > 0) {
		int rc = finish_rest_envelope(dec, in, sink);
		if (rc != 0 || dec->rest.len > 0)
			return rc;
	}
	while (in->left > 0 && !dec->segmented) {
		if (in->left < MP_ENVELOPE_HEADER) {
			int rc = waits_for_stream(dec, in->pos[0]) ? 0 : check_first(dec, in->pos[0]);
			return rc != 0 ? rc : gather(dec, &dec->rest, in, MP_ENVELOPE_HEADER);
		}
		struct mp_envelope env;
		int rc = read_header(dec, in->pos, &env);
		if (MP_UNLIKELY(rc != 0))
			return rc;
		size_t size = MP_ENVELOPE_HEADER + (size_t)env.body_len;
		if (in->left < size)
			return gather(dec, &dec->rest, in, size);
		in->pos += size;
		in->left -= size;
		rc = deliver(dec, &env, sink);
		if (MP_UNLIKELY(rc != 0))
			return rc;
	}
	return 0;
}

// ---- segments ---------------------------------------------------------------------------------------------

struct segment {
	size_t payload_len;  // as it was sent
	size_t inflated_len; // 0: as it is
	bool self_contained;
};

static size_t header_len(const struct mp_decoder *dec)
{
	return dec->compression == MP_COMPRESSION_NONE ? MP_SEGMENT_HEADER : MP_SEGMENT_LZ4_HEADER;
}

static size_t overhead(const struct mp_decoder *dec)
{
	return header_len(dec) + MP_SEGMENT_TRAILER;
}

static int read_segment_header(struct mp_decoder *dec, const uint8_t *at, struct segment *seg)
{
	size_t bytes = header_len(dec) - 3;
	uint32_t expected = mp_crc24(at, bytes);
	uint32_t found = load_u24_le(at + bytes);
	if (MP_UNLIKELY(expected != found))
		return refuse(dec, MP_EPROTO, "segment header %02x%02x%02x: CRC24 %06x instead of %06x", at[0], at[1],
		              at[2], found, expected);
	uint32_t header = load_u24_le(at);
	seg->payload_len = header & MP_SEGMENT_PAYLOAD_MAX;
	seg->inflated_len = 0;
	if (MP_LIKELY(dec->compression == MP_COMPRESSION_NONE)) {
		seg->self_contained = (header >> 17 & 1) != 0;
		return 0;
	}
	uint64_t bits = header | (uint64_t)at[3] << 24 | (uint64_t)at[4] << 32;
	seg->inflated_len = bits >> 17 & MP_SEGMENT_PAYLOAD_MAX;
	seg->self_contained = (bits >> 34 & 1) != 0;
	return 0;
}

static int take_self_contained(struct mp_decoder *dec, struct span in, struct sink sink)
{
	if (MP_UNLIKELY(dec->whole.len > 0))
		return refuse(dec, MP_EPROTO, "a self-contained segment inside of a larger envelope");
	while (in.left > 0) {
		struct mp_envelope env;
		if (in.left < MP_ENVELOPE_HEADER)
			return refuse(dec, MP_EPROTO, "a self-contained segment ends inside of a header");
		int rc = read_header(dec, in.pos, &env);
		if (MP_UNLIKELY(rc != 0))
			return rc;
		size_t size = MP_ENVELOPE_HEADER + (size_t)env.body_len;
		if (MP_UNLIKELY(size > in.left))
			return refuse(dec, MP_EPROTO, "a self-contained segment ends inside of a body");
		in.pos += size;
		in.left -= size;
		rc = deliver(dec, &env, sink);
		if (MP_UNLIKELY(rc != 0))
			return rc;
	}
	return 0;
}

static int take_part(struct mp_decoder *dec, struct span in, struct sink sink)
{
	int rc = gather(dec, &dec->whole, &in, MP_ENVELOPE_HEADER);
	if (rc != 0 || dec->whole.len < MP_ENVELOPE_HEADER)
		return rc;
	struct mp_envelope env;
	rc = read_header(dec, dec->whole.data, &env);
	if (rc != 0)
		return rc;
	size_t size = MP_ENVELOPE_HEADER + (size_t)env.body_len;
	if (in.left > size - dec->whole.len)
		return refuse(dec, MP_EPROTO, "a segment goes on behind the end of its envelope");
	rc = gather(dec, &dec->whole, &in, size);
	if (rc != 0 || dec->whole.len < size)
		return rc;
	env.body = dec->whole.data + MP_ENVELOPE_HEADER;
	dec->whole.len = 0;
	rc = deliver(dec, &env, sink);
	if (rc == 0)
		release_if_large(&dec->whole);
	return rc;
}

static int inflate_payload(struct mp_decoder *dec, const struct segment *seg, const uint8_t *payload)
{
	mp_buf_clear(&dec->inflated);
	uint8_t *room = mp_buf_reserve(&dec->inflated, seg->inflated_len);
	if (room == NULL)
		return refuse(dec, MP_ENOMEM, "out of memory");
	int rc = mp_lz4_unpack(payload, seg->payload_len, room, seg->inflated_len);
	if (rc != 0)
		return refuse(dec, rc, "a compressed segment of %zu bytes is not what it says", seg->payload_len);
	dec->inflated.len = seg->inflated_len;
	return 0;
}

static int take_segment(struct mp_decoder *dec, const struct segment *seg, const uint8_t *payload,
                        struct sink sink)
{
	const uint8_t *trailer = payload + seg->payload_len;
	uint32_t expected = mp_crc32_segment(payload, seg->payload_len);
	uint32_t found = load_u24_le(trailer) | (uint32_t)trailer[3] << 24;
	if (MP_UNLIKELY(expected != found))
		return refuse(dec, MP_EPROTO, "segment of %zu bytes: CRC32 %08x instead of %08x", seg->payload_len,
		              found, expected);
	struct span in = {payload, seg->payload_len};
	if (MP_UNLIKELY(seg->inflated_len > 0)) {
		int rc = inflate_payload(dec, seg, payload);
		if (rc != 0)
			return rc;
		in = (struct span){dec->inflated.data, seg->inflated_len};
	}
	return seg->self_contained ? take_self_contained(dec, in, sink) : take_part(dec, in, sink);
}

static int finish_rest_segment(struct mp_decoder *dec, struct span *in, struct sink sink)
{
	int rc = gather(dec, &dec->rest, in, header_len(dec));
	if (rc != 0 || dec->rest.len < header_len(dec))
		return rc;
	struct segment seg;
	rc = read_segment_header(dec, dec->rest.data, &seg);
	if (rc != 0)
		return rc;
	size_t size = overhead(dec) + seg.payload_len;
	rc = gather(dec, &dec->rest, in, size);
	if (rc != 0 || dec->rest.len < size)
		return rc;
	dec->rest.len = 0;
	rc = take_segment(dec, &seg, dec->rest.data + header_len(dec), sink);
	if (rc == 0)
		release_if_large(&dec->rest);
	return rc;
}

static int feed_segments(struct mp_decoder *dec, struct span *in, struct sink sink)
{
	if (dec->rest.len > 0) {
		int rc = finish_rest_segment(dec, in, sink);
		if (rc != 0 || dec->rest.len > 0)
			return rc;
	}
	while (in->left > 0) {
		if (in->left < header_len(dec))
			return gather(dec, &dec->rest, in, header_len(dec));
		struct segment seg;
		int rc = read_segment_header(dec, in->pos, &seg);
		if (MP_UNLIKELY(rc != 0))
			return rc;
		size_t size = overhead(dec) + seg.payload_len;
		if (in->left < size)
			return gather(dec, &dec->rest, in, size);
		const uint8_t *payload = in->pos + header_len(dec);
		in->pos += size;
		in->left -= size;
		rc = take_segment(dec, &seg, payload, sink);
		if (MP_UNLIKELY(rc != 0))
			return rc;
	}
	return 0;
}

// A segment that is cut: its first envelope is that of the others before, or begins behind its header. False: that
// header has not come, or cannot be read yet.
static bool pending_header(const struct mp_decoder *dec, uint8_t header[MP_ENVELOPE_HEADER])
{
	bool in_segment = dec->segmented && dec->whole.len == 0;
	const struct mp_buf *buf = dec->whole.len > 0 ? &dec->whole : &dec->rest;
	size_t skip = in_segment ? header_len(dec) : 0;
	if (buf->len <= skip)
		return false;
	const uint8_t *at = buf->data + skip;
	size_t len = buf->len - skip;
	// Of the two lengths of a segment's header the second: is it compressed?
	bool inflates = in_segment && dec->compression != MP_COMPRESSION_NONE &&
	                (load_u24_le(buf->data + 2) >> 1 & MP_SEGMENT_PAYLOAD_MAX) != 0;
	if (inflates)
		return mp_lz4_peek(at, len, header, MP_ENVELOPE_HEADER) == 0;
	if (len < MP_ENVELOPE_HEADER)
		return false;
	memcpy(header, at, MP_ENVELOPE_HEADER);
	return true;
}

struct mp_decoder_pending mp_decoder_pending(const struct mp_decoder *dec)
{
	struct mp_decoder_pending pending = {.bytes = dec->rest.len + dec->whole.len};
	uint8_t at[MP_ENVELOPE_HEADER];
	pending.known = pending_header(dec, at);
	if (!pending.known)
		return pending;
	pending.opcode = at[4];
	pending.stream = (int16_t)(uint16_t)(at[2] << 8 | at[3]);
	return pending;
}

int mp_decoder_feed(struct mp_decoder *dec, const uint8_t *bytes, size_t len,
                    int (*on_envelope)(void *data, const struct mp_envelope *envelope), void *data)
{
	if (MP_UNLIKELY(dec->error != 0))
		return dec->error;
	if (len == 0)
		return 0;
	struct span in = {bytes, len};
	struct sink sink = {on_envelope, data};
	if (!dec->segmented) {
		int rc = feed_envelopes(dec, &in, sink);
		if (rc != 0 || !dec->segmented)
			return rc;
	}
	return feed_segments(dec, &in, sink);
}
