// SPDX-License-Identifier: Apache-2.0
// The write side of one connection: one run of bytes into which requests are encoded in place, and how far
// the kernel took them. On v5 the requests of a turn share segments; a segment is sealed when it is full or
// flushed.
//
//   buf:   | taken by the kernel | waiting, sealed | open segment |
//          base                  base+taken                       base+buf.len     positions, never reused
//
// With LZ4 segments (v5) the open segment is all that `buf` has; it leaves as what pack.h makes of it. Up to v4
// a body is compressed in its place when it is committed.
//
// Calling pattern: begin, encode into `buf`, then commit or cancel; flush when the turn ends or
// mp_output_is_due().
#pragma once

#include "base/buf.h"
#include "link/pack.h"
#include "loop/loop.h"
#include "wire/compress.h"

struct mp_tls;

struct mp_output {
	struct mp_buf buf;
	size_t taken;   // bytes at the front that the kernel has
	size_t packed;  // bytes in `pack` that the kernel has not taken
	uint64_t base;  // position of buf.data[0]
	size_t segment; // offset of the open segment, MP_OUTPUT_NO_SEGMENT: none
	// Everything before was taken in units that the peer can use: envelopes, or whole segments.
	uint64_t whole_pos;
	uint64_t unit_end; // segmented: end of the segment that whole_pos stands in front of
	bool segmented;
	bool blocked; // the kernel took less than it was offered; it will say when it takes more
	bool failed;  // the kernel refused for good
	bool secret;  // what was taken is wiped
	// What becomes of a committed envelope; PLAIN: it leaves as it is.
	enum mp_output_change { MP_OUTPUT_PLAIN, MP_OUTPUT_BODIES, MP_OUTPUT_LZ4_SEGMENTS } change;
	uint32_t calm;            // small flushes in a row with a large buffer
	enum mp_compression kind; // of bodies
	struct mp_pack pack;      // LZ4 segments; for bodies its buffer is scratch
	// Through TLS the kernel has what all of whose record it has; of those that wait, so many are in records, and so
	// many in one that left in part.
	struct mp_tls *tls;
	size_t sealed, begun;
};

#define MP_OUTPUT_NO_SEGMENT SIZE_MAX

void mp_output_init(struct mp_output *out);
void mp_output_deinit(struct mp_output *out);
void mp_output_use_segments(struct mp_output *out);     // what is appended from now on goes into segments,
void mp_output_use_lz4_segments(struct mp_output *out); // into compressed ones; nothing may have been begun
void mp_output_use_tls(struct mp_output *out, struct mp_tls *tls); // from the first byte on
// Up to v4; where that makes them smaller.
void mp_output_compress_bodies(struct mp_output *out, enum mp_compression kind);
void mp_output_set_secret(struct mp_output *out, bool secret); // off: wipes the buffer's memory first

// Where the next envelope begins: its offset in `buf`.
size_t mp_output_begin(struct mp_output *out);
// An envelope was encoded at `start`: its positions, or MP_ENOMEM (then it was cancelled). The end is that of
// the last byte the peer needs, as far as it is known.
int mp_output_commit(struct mp_output *out, size_t start, uint64_t *start_pos,
                     uint64_t *end_pos) MP_MUST_CHECK;
void mp_output_cancel(struct mp_output *out, size_t start); // as if nothing had been encoded

size_t mp_output_waiting(const struct mp_output *out); // bytes that the kernel has not taken
bool mp_output_is_due(const struct mp_output *out); // so much waits that it should leave before the turn ends
// Seal all that waits: what is to be written. 0, or MP_ELOST (also later: nothing more is offered). It stays where it
// is until mp_output_took() is told how many bytes of it the kernel took, or MP_ELOST; nothing comes in between.
int mp_output_offer(struct mp_output *out, struct mp_span *span) MP_MUST_CHECK;
int mp_output_took(struct mp_output *out, ptrdiff_t count) MP_MUST_CHECK;
// Both, in one system call.
int mp_output_flush(struct mp_output *out, struct mp_sock *sock) MP_MUST_CHECK;
void mp_output_end_tls(struct mp_output *out,
                       struct mp_sock *sock); // offer what says that nothing more comes
void mp_output_trim(struct mp_output *out);   // give a large buffer back if it is empty

// On the way to the node: the position behind all that was appended (where segments are compressed, the open one ends
// with this), and behind all that the kernel took.
uint64_t mp_output_end(struct mp_output *out);
uint64_t mp_output_taken_end(const struct mp_output *out);

// May the peer have the envelope that ends there? Has the kernel taken any of the one that starts there?
bool mp_output_took_all(const struct mp_output *out, uint64_t end_pos);
bool mp_output_took_any(const struct mp_output *out, uint64_t start_pos);
