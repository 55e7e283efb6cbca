// SPDX-License-Identifier: Apache-2.0
// Invariants: only sealed bytes are offered, so whole_pos can walk the segments by their headers; a position
// names the same byte until it was taken, because the one thing that moves bytes (a segment that is split)
// moves bytes behind a start only, and settles the end before it is told.
#include "link/output.h"

#include <string.h>

#include "base/err.h"
#include "link/tls.h"
#include "wire/frame.h"
#include "wire/segment.h"

#ifdef MP_HARD
#define DUE_BYTES    512u
#define SEGMENT_FULL 128u
#define KEEP_BYTES   1024u
#define DROP_BYTES   16u
#else
#define DUE_BYTES (128u << 10)
#define SEGMENT_FULL \
	(120u << 10) // sealed when it is this full, so that a next small envelope never has to be moved
#define KEEP_BYTES (512u << 10) // a buffer up to this size is kept
#define DROP_BYTES (64u << 10)  // taken bytes at the front below this are not worth a move
#endif
#define CALM_FLUSHES 32u // so many small flushes after a burst give the large buffer back

#define SEGMENT_OVERHEAD (MP_SEGMENT_HEADER + MP_SEGMENT_TRAILER)

void mp_output_init(struct mp_output *out)
{
	*out = (struct mp_output){.segment = MP_OUTPUT_NO_SEGMENT};
	mp_buf_init(&out->buf);
	mp_pack_init(&out->pack);
}

// The compiler may not leave this out, although nobody reads the bytes again.
static void wipe(struct mp_buf *buf)
{
	if (buf->data != NULL)
		explicit_bzero(buf->data, buf->cap);
}

static void wipe_all(struct mp_output *out)
{
	wipe(&out->buf);
	wipe(&out->pack.wire);
}

void mp_output_deinit(struct mp_output *out)
{
	if (out->secret)
		wipe_all(out);
	mp_buf_deinit(&out->buf);
	mp_pack_deinit(&out->pack);
}

void mp_output_use_segments(struct mp_output *out)
{
	mp_assert(!out->segmented);
	out->segmented = true;
	out->unit_end = out->base + out->buf.len;
}

// What stands in `buf` is the open segment from now on, so it must have left, and under positions of its own.
void mp_output_use_lz4_segments(struct mp_output *out)
{
	mp_assert(!out->segmented && out->change == MP_OUTPUT_PLAIN && mp_output_waiting(out) == 0);
	out->base += out->buf.len;
	out->taken = 0;
	mp_buf_clear(&out->buf);
	out->pack.whole = out->pack.begun = out->whole_pos;
	out->pack.base = out->pack.wire_whole = out->base;
	out->change = MP_OUTPUT_LZ4_SEGMENTS;
}

void mp_output_use_tls(struct mp_output *out, struct mp_tls *tls)
{
	mp_assert(mp_output_end(out) == 0);
	out->tls = tls;
}

void mp_output_compress_bodies(struct mp_output *out, enum mp_compression kind)
{
	mp_assert(!out->segmented && out->change == MP_OUTPUT_PLAIN);
	out->kind = kind;
	out->change = MP_OUTPUT_BODIES;
}

void mp_output_set_secret(struct mp_output *out, bool secret)
{
	if (!secret && mp_output_waiting(out) == 0)
		wipe_all(out);
	out->secret = secret;
}

size_t mp_output_waiting(const struct mp_output *out)
{
	return out->buf.len - out->taken + out->packed;
}

bool mp_output_is_due(const struct mp_output *out)
{
	return !out->blocked && !out->failed && mp_output_waiting(out) >= DUE_BYTES;
}

// The taken bytes at the front make room once they are the larger part, so each byte is moved at most once on
// average.
static void drop_taken(struct mp_output *out)
{
	size_t count = out->taken;
	if (count < DROP_BYTES || count < mp_output_waiting(out))
		return;
	// Behind a flush none is open, and later in a turn more waits: then they were dropped before, or are not now.
	mp_assert(out->segment == MP_OUTPUT_NO_SEGMENT);
	mp_buf_drop_front(&out->buf, count);
	out->base += count;
	out->taken = 0;
}

size_t mp_output_begin(struct mp_output *out)
{
	if (MP_UNLIKELY(out->taken > 0))
		drop_taken(out);
	if (out->segmented && out->segment == MP_OUTPUT_NO_SEGMENT) {
		out->segment = mp_segment_begin(&out->buf);
		if (MP_UNLIKELY(out->buf.failed))
			out->segment = MP_OUTPUT_NO_SEGMENT;
	}
	return out->buf.len;
}

void mp_output_cancel(struct mp_output *out, size_t start)
{
	out->buf.len = start;
	out->buf.failed = false;
}

static void seal(struct mp_output *out)
{
	if (out->segment == MP_OUTPUT_NO_SEGMENT)
		return;
	mp_segment_end(&out->buf, out->segment);
	out->segment = MP_OUTPUT_NO_SEGMENT;
}

static size_t payload_len(const struct mp_output *out)
{
	return out->buf.len - out->segment - MP_SEGMENT_HEADER;
}

// The envelope at *start does not fit behind what is in the open segment: seal that, and move the envelope
// into a segment of its own. Room for the end and the new header is there.
static void move_on(struct mp_output *out, size_t *start)
{
	struct mp_buf *buf = &out->buf;
	size_t len = buf->len - *start;
	memmove(buf->data + *start + SEGMENT_OVERHEAD, buf->data + *start, len);
	buf->len = *start;
	seal(out);
	out->segment = mp_segment_begin(buf);
	mp_assert(!buf->failed && buf->len == *start + SEGMENT_OVERHEAD);
	*start = buf->len;
	buf->len += len;
}

// Keep the open segment below its limit. MP_ENOMEM leaves what stood before `start` as it was.
static __attribute__((noinline)) int fit_segment(struct mp_output *out, size_t *start)
{
	// For the end of this segment, and for one more segment around a large envelope: sealing must not fail
	// later.
	if (mp_buf_reserve(&out->buf, 2 * SEGMENT_OVERHEAD) == NULL)
		return MP_ENOMEM;
	if (MP_LIKELY(payload_len(out) < SEGMENT_FULL))
		return 0;
	bool alone = *start == out->segment + MP_SEGMENT_HEADER;
	if (payload_len(out) > MP_SEGMENT_PAYLOAD_MAX && !alone)
		move_on(out, start);
	size_t segment = out->segment;
	seal(out);
	if (MP_UNLIKELY(out->buf.failed)) { // only an envelope alone in its segment needs so much room
		out->segment = segment;
		*start = segment + MP_SEGMENT_HEADER;
		return MP_ENOMEM;
	}
	return 0;
}

// ---- compressed -------------------------------------------------------------------------------------------

// The first `len` bytes of the open segment become a unit.
static void pack_front(struct mp_output *out, size_t len)
{
	if (len == 0)
		return;
	mp_pack_add(&out->pack, out->buf.data, len, out->base + len);
	out->packed = mp_pack_waiting(&out->pack);
	if (out->secret)
		explicit_bzero(out->buf.data, len);
	mp_buf_drop_front(&out->buf, len);
	out->base += len;
}

// Room for the open segment is always reserved: closing it must not fail later.
static int fit_lz4_segment(struct mp_output *out, size_t start)
{
	if (out->buf.len > MP_SEGMENT_PAYLOAD_MAX) {
		pack_front(out, start);
		start = 0;
	}
	int rc = mp_pack_reserve(&out->pack, out->buf.len);
	if (rc != 0)
		mp_output_cancel(out, start);
	else if (out->buf.len >= SEGMENT_FULL)
		pack_front(out, out->buf.len);
	return rc;
}

// A body that does not become smaller, or for which there is no memory, stays. Secrets do, so that there is no copy.
static void compress_body(struct mp_output *out, size_t start)
{
	struct mp_buf *buf = &out->buf, *scratch = &out->pack.wire;
	uint8_t *envelope = buf->data + start, *body = envelope + MP_ENVELOPE_HEADER;
	size_t len = buf->len - start - MP_ENVELOPE_HEADER;
	if (len < MP_COMPRESS_LEAST || out->secret)
		return;
	int rc = mp_compress_body(out->kind, body, len, scratch);
	if (rc == 0 && scratch->len < len) {
		memcpy(body, scratch->data, scratch->len);
		buf->len = start + MP_ENVELOPE_HEADER + scratch->len;
		envelope[1] |= MP_FLAG_COMPRESSED;
		mp_envelope_end(buf, start);
	}
	mp_buf_clear(scratch);
	if (scratch->cap > KEEP_BYTES)
		mp_buf_deinit(scratch);
}

static MP_COLD int commit_changed(struct mp_output *out, size_t start, uint64_t *start_pos, uint64_t *end_pos)
{
	*start_pos = out->base + start;
	if (out->change == MP_OUTPUT_BODIES)
		compress_body(out, start);
	*end_pos = out->base + out->buf.len;
	return out->change == MP_OUTPUT_LZ4_SEGMENTS ? fit_lz4_segment(out, start) : 0;
}

// ---- envelopes --------------------------------------------------------------------------------------------

int mp_output_commit(struct mp_output *out, size_t start, uint64_t *start_pos, uint64_t *end_pos)
{
	mp_assert(out->buf.failed || out->buf.len >= start + MP_ENVELOPE_HEADER);
	int rc = mp_buf_status(&out->buf);
	if (MP_LIKELY(rc == 0) && out->segmented)
		rc = fit_segment(out, &start);
	if (MP_UNLIKELY(rc != 0)) {
		mp_output_cancel(out, start);
		return rc;
	}
	if (MP_UNLIKELY(out->change != MP_OUTPUT_PLAIN))
		return commit_changed(out, start, start_pos, end_pos);
	*start_pos = out->base + start;
	*end_pos = out->base + out->buf.len;
	return 0;
}

// The segments that lie before `pos` are in the peer's reach.
static void walk_segments(struct mp_output *out, uint64_t pos)
{
	uint64_t end = out->base + out->buf.len;
	while (out->unit_end <= pos && out->unit_end < end) {
		const uint8_t *header = out->buf.data + (out->unit_end - out->base);
		uint32_t bits = (uint32_t)header[2] << 16 | (uint32_t)header[1] << 8 | header[0];
		out->whole_pos = out->unit_end;
		out->unit_end += SEGMENT_OVERHEAD + (bits & MP_SEGMENT_PAYLOAD_MAX);
	}
	if (out->unit_end == pos)
		out->whole_pos = pos;
}

static void took(struct mp_output *out, size_t count)
{
	mp_assert(count <= mp_output_waiting(out));
	out->taken += count;
	uint64_t pos = out->base + out->taken;
	if (out->segmented)
		walk_segments(out, pos);
	else
		out->whole_pos = pos;
	if (out->secret)
		explicit_bzero(out->buf.data, out->taken);
}

static void trim(struct mp_buf *buf)
{
	if (buf->len == 0 && buf->cap > KEEP_BYTES)
		mp_buf_deinit(buf);
}

void mp_output_trim(struct mp_output *out)
{
	trim(&out->buf);
	trim(&out->pack.wire);
}

// All `used` bytes have left.
static void rest(struct mp_output *out, size_t used)
{
	if (MP_LIKELY(out->buf.cap <= KEEP_BYTES && out->pack.wire.cap <= KEEP_BYTES))
		return;
	out->calm = used <= KEEP_BYTES / 2 ? out->calm + 1 : 0;
	if (out->calm >= CALM_FLUSHES) {
		mp_output_trim(out);
		out->calm = 0;
	}
}

static void start_over(struct mp_output *out)
{
	size_t used = out->buf.len;
	out->base += used;
	out->taken = 0;
	mp_buf_clear(&out->buf);
	rest(out, used);
}

// `plain` and what waits of before, in records.
static int offer_records(struct mp_output *out, struct mp_span *span)
{
	struct mp_pack *records = mp_tls_records(out->tls);
	const uint8_t *bytes = span->data;
	if (span->len > out->sealed &&
	    mp_tls_write(out->tls, bytes + out->sealed, span->len - out->sealed) != 0) {
		out->failed = true;
		*span = (struct mp_span){NULL, 0};
		return MP_ELOST;
	}
	out->sealed = span->len;
	*span = (struct mp_span){records->wire.data + records->taken, mp_pack_waiting(records)};
	return 0;
}

// How much of what is sealed left in whole records.
static size_t took_records(struct mp_output *out, size_t count)
{
	struct mp_pack *records = mp_tls_records(out->tls);
	uint64_t before = records->whole;
	mp_pack_took(records, count, 0);
	size_t whole = (size_t)(records->whole - before);
	out->sealed -= whole;
	out->begun = (size_t)(records->begun - records->whole);
	out->blocked = mp_pack_waiting(records) > 0;
	mp_pack_drop(records, DROP_BYTES);
	trim(&records->wire);
	return whole;
}

static void took_packed(struct mp_output *out, size_t count)
{
	struct mp_pack *pack = &out->pack;
	mp_pack_took(pack, count, out->begun);
	out->packed = mp_pack_waiting(pack);
	out->whole_pos = pack->whole;
	if (out->secret)
		explicit_bzero(pack->wire.data, pack->taken);
	size_t dropped = mp_pack_drop(pack, DROP_BYTES);
	if (out->packed == 0)
		rest(out, dropped);
}

int mp_output_offer(struct mp_output *out, struct mp_span *span)
{
	if (out->failed)
		return MP_ELOST;
	bool packs = out->change == MP_OUTPUT_LZ4_SEGMENTS;
	if (MP_UNLIKELY(packs))
		pack_front(out, out->buf.len);
	else
		seal(out);
	const uint8_t *bytes = MP_UNLIKELY(packs) ? out->pack.wire.data : out->buf.data;
	size_t from = MP_UNLIKELY(packs) ? out->pack.taken : out->taken;
	size_t waiting = mp_output_waiting(out);
	*span = (struct mp_span){waiting > 0 ? bytes + from : NULL, waiting};
	return MP_UNLIKELY(out->tls != NULL) ? offer_records(out, span) : 0;
}

int mp_output_took(struct mp_output *out, ptrdiff_t count)
{
	if (MP_UNLIKELY(count < 0)) {
		out->failed = true;
		return MP_ELOST;
	}
	size_t left = (size_t)count;
	if (MP_UNLIKELY(out->tls != NULL))
		left = took_records(out, left);
	else
		out->blocked = left < mp_output_waiting(out);
	if (MP_UNLIKELY(out->change == MP_OUTPUT_LZ4_SEGMENTS)) {
		took_packed(out, left);
		return 0;
	}
	took(out, left);
	if (!out->blocked)
		start_over(out);
	return 0;
}

int mp_output_flush(struct mp_output *out, struct mp_sock *sock)
{
	struct mp_span span;
	int rc = mp_output_offer(out, &span);
	if (rc != 0 || span.len == 0)
		return rc;
	return mp_output_took(out, mp_sock_writev(sock, &span, 1));
}

void mp_output_end_tls(struct mp_output *out, struct mp_sock *sock)
{
	mp_tls_end(out->tls);
	const struct mp_pack *records = mp_tls_records(out->tls);
	struct mp_span span = {records->wire.data + records->taken, mp_pack_waiting(records)};
	if (span.len > 0 && mp_sock_writev(sock, &span, 1) < 0)
		out->failed = true;
}

uint64_t mp_output_end(struct mp_output *out)
{
	if (out->change != MP_OUTPUT_LZ4_SEGMENTS)
		return out->base + out->buf.len;
	pack_front(out, out->buf.len);
	return out->pack.base + out->pack.wire.len;
}

uint64_t mp_output_taken_end(const struct mp_output *out)
{
	if (out->change != MP_OUTPUT_LZ4_SEGMENTS)
		return out->base + out->taken;
	return out->pack.base + out->pack.taken;
}

bool mp_output_took_all(const struct mp_output *out, uint64_t end_pos)
{
	return end_pos <= out->whole_pos;
}

bool mp_output_took_any(const struct mp_output *out, uint64_t start_pos)
{
	if (out->change != MP_OUTPUT_LZ4_SEGMENTS)
		return start_pos < out->base + out->taken + out->begun;
	return start_pos < out->pack.begun;
}
