// SPDX-License-Identifier: Apache-2.0
// Bytes in, envelopes out. Pure and resumable: the envelopes depend on the bytes alone, not on how they were cut.
// Whole envelopes that lie in the fed bytes are given in place, without a copy; only a rest is kept.
//
//   legacy:     [envelope][envelope]...                      v3, v4, and v5 until the handshake is over
//   segmented:  [segment [envelope]... ][segment ...]        v5 afterwards; an envelope may span segments
#pragma once

#include "base/buf.h"
#include "base/defs.h"
#include "wire/compress.h"
#include "wire/frame.h"

struct mp_decoder {
	bool segmented;
	bool want_response;     // direction accepted: true on a client, false on a server
	uint8_t version;        // the only version accepted once known; 0: any of 3 .. 5
	uint32_t max_body;      // a larger body is MP_ETOOBIG before any memory is taken
	struct mp_buf rest;     // an incomplete header, envelope or segment
	struct mp_buf whole;    // segmented: an envelope being put together from several segments
	struct mp_buf inflated; // the body or payload that is being handed over, if it came compressed
	enum mp_compression compression;
	uint8_t seen_version; // the version byte (without direction) of the last header, also of a refused one
	int16_t
		seen_stream; // of a node: the stream id of the last header, also of a refused one; the answer goes there
	int error;       // why nothing more is taken: the first error, or MP_ECLOSED after on_envelope said stop
	char why[96];    // after an error: what was wrong, for the close reason
};

void mp_decoder_init(struct mp_decoder *dec, bool want_response, uint32_t max_body);
void mp_decoder_deinit(struct mp_decoder *dec);
// From now on the bytes are segments. Allowed inside on_envelope: the fed bytes behind that envelope are segments.
void mp_decoder_use_segments(struct mp_decoder *dec);
// What was agreed on in STARTUP: bodies with the flag are compressed so (v3, v4), or all segments (v5, LZ4). Without it
// the flag is an error. Before the first segment.
void mp_decoder_use_compression(struct mp_decoder *dec, enum mp_compression kind);

// The envelope that has come in part: how many bytes of it lie here (of a segment that is cut, all of its bytes), and
// what its header says.
struct mp_decoder_pending {
	size_t bytes;
	bool known; // the header is there, as far as that can be seen: the fields below are set
	uint8_t opcode;
	int16_t stream;
};
struct mp_decoder_pending mp_decoder_pending(const struct mp_decoder *dec);

// Feed bytes. `on_envelope` is called for each whole envelope; it returns 0, or non-zero to stop (that value is
// returned and the rest of the bytes is forgotten). The envelope's body is valid during the call. Errors: MP_EPROTO
// (bad version, direction, opcode, CRC), MP_ETOOBIG, MP_ENOMEM; after one the decoder takes nothing more.
int mp_decoder_feed(struct mp_decoder *dec, const uint8_t *bytes, size_t len,
                    int (*on_envelope)(void *data, const struct mp_envelope *envelope),
                    void *data) MP_MUST_CHECK;
