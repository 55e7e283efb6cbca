// SPDX-License-Identifier: Apache-2.0
// The decoder, bare and segmented, as client and as node: the same bytes fed whole, byte by byte and in cuts that the
// input chooses must give the same envelopes and the same end. With `seal`, the input is a list of payloads that get
// correct CRCs, so that what lies behind them is reached too.
#include <string.h>

#include "base/err.h"
#include "fuzz.h"
#include "wire/decoder.h"
#include "wire/segment.h"

#define MAX_BODY 4096u

struct log {
	uint64_t digest;
	uint32_t count;
	uint32_t stop_at;   // 0: never
	uint32_t switch_at; // 0: never
	struct mp_decoder *dec;
};

static void mix(struct log *log, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < len; i++)
		log->digest = (log->digest ^ at[i]) * 0x100000001b3u;
}

static int on_envelope(void *data, const struct mp_envelope *env)
{
	struct log *log = data;
	log->count++;
	const int32_t head[] = {env->version, env->response, env->flags,
	                        env->stream,  env->opcode,   (int32_t)env->body_len};
	mix(log, head, sizeof(head));
	mix(log, env->body, env->body_len);
	mp_assert(env->body_len <= MAX_BODY);
	if (log->count == log->switch_at)
		mp_decoder_use_segments(log->dec);
	return log->count == log->stop_at ? 77 : 0;
}

struct setting {
	bool server;
	bool segmented;
	uint8_t version;
	uint32_t stop_at;
	uint32_t switch_at;
};

// Feed `bytes` in chunks: all at once when `cuts` is empty, otherwise its bytes are the lengths, in turn.
static int run(const struct setting *setting, const uint8_t *bytes, size_t len, const uint8_t *cuts,
               size_t cut_count, struct log *log)
{
	struct mp_decoder dec;
	mp_decoder_init(&dec, !setting->server, MAX_BODY);
	dec.version = setting->version;
	if (setting->segmented)
		mp_decoder_use_segments(&dec);
	*log = (struct log){.stop_at = setting->stop_at, .switch_at = setting->switch_at, .dec = &dec};
	int rc = 0;
	size_t turn = 0;
	for (size_t at = 0; at < len && rc == 0;) {
		size_t chunk = cut_count == 0 ? len : (size_t)cuts[turn++ % cut_count] + 1;
		if (chunk > len - at)
			chunk = len - at;
		rc = mp_decoder_feed(&dec, bytes + at, chunk, on_envelope, log);
		at += chunk;
		mp_assert(dec.rest.cap <= 4 * (at + 256) && dec.whole.cap <= 4 * (at + 256));
	}
	mix(log, dec.why, strlen(dec.why));
	mix(log, &dec.seen_version, sizeof(dec.seen_version));
	mix(log, &dec.seen_stream, sizeof(dec.seen_stream));
	mp_decoder_deinit(&dec);
	return rc;
}

// Payloads with a length byte each become segments; the highest bit of the length says "not self-contained".
static void seal(struct mp_buf *out, const uint8_t *data, size_t size)
{
	while (size > 0) {
		uint8_t choice = fuzz_choice(&data, &size);
		size_t len = choice & 0x7f;
		if (len > size)
			len = size;
		size_t begin = mp_segment_begin(out);
		mp_buf_bytes(out, data, len);
		mp_segment_end(out, begin);
		if ((choice & 0x80) != 0 && len > 0) { // clear the bit and seal the header again
			uint8_t *header = out->data + begin;
			header[2] = 0;
			uint32_t crc = mp_crc24(header, 3);
			header[3] = (uint8_t)crc;
			header[4] = (uint8_t)(crc >> 8);
			header[5] = (uint8_t)(crc >> 16);
		}
		data += len;
		size -= len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t kind = fuzz_choice(&data, &size);
	uint8_t more = fuzz_choice(&data, &size);
	const struct setting setting = {
		.server = (kind & 1) != 0,
		.segmented = (kind & 2) != 0,
		.version = (kind & 8) != 0 ? 5 : 0,
		.stop_at = (kind & 16) != 0 ? more & 7u : 0,
		.switch_at = (kind & 32) != 0 ? more >> 5 : 0,
	};
	size_t cut_count = size / 8 < 16 ? size / 8 : 16;
	const uint8_t *cuts = data;
	struct mp_buf sealed;
	mp_buf_init(&sealed);
	if ((kind & 4) != 0) {
		seal(&sealed, data, size);
		data = sealed.data;
		size = sealed.len;
	}
	struct log whole;
	struct log cut;
	int rc = run(&setting, data, size, NULL, 0, &whole);
	static const uint8_t single = 0;
	mp_assert(run(&setting, data, size, &single, 1, &cut) == rc);
	mp_assert(cut.digest == whole.digest && cut.count == whole.count);
	if (cut_count > 0) {
		mp_assert(run(&setting, data, size, cuts, cut_count, &cut) == rc);
		mp_assert(cut.digest == whole.digest && cut.count == whole.count);
	}
	mp_buf_deinit(&sealed);
	return 0;
}
