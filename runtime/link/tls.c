// SPDX-License-Identifier: Apache-2.0
// Invariant: OpenSSL sees memory only. What it writes stands in `records` before a call of this file returns.
#include "link/tls_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

#ifdef MP_WITH_TLS

#include "base/mem.h"

#define RECORD_MAX 16384u
#define OWN_MAX    256u // units of OpenSSL's own: a server asks for a new key in millions of records
// Of a handshake, whose certificates have 100 kB at most, and of tickets and keys behind it.
#define VAIN_MAX  (256u << 10)
#define OUTWEIGHS 32u // as a byte of data in a record of its own does: 23 with what stands around it

// ---- one connection ---------------------------------------------------------------------------------------

static bool start(struct mp_tls *tls)
{
	tls->ssl = mp_tls_context_begin(tls->context);
	if (tls->ssl == NULL)
		return false;
	tls->in = BIO_new(BIO_s_mem());
	tls->out = BIO_new(BIO_s_mem());
	if (tls->in == NULL || tls->out == NULL) {
		BIO_free(tls->in);
		BIO_free(tls->out);
		return false;
	}
	SSL_set_bio(tls->ssl, tls->in, tls->out);
	SSL_set_connect_state(tls->ssl);
	// Without it a certificate would be judged without regard to whose it is to be.
	return SSL_set_app_data(tls->ssl, tls) == 1 && mp_tls_expect(tls);
}

struct mp_tls *mp_tls_new(struct mp_tls_context *context, const char *name, const struct mp_addr *addr,
                          const struct mp_uuid *host_id)
{
	struct mp_tls *tls = mp_calloc(1, sizeof(*tls));
	if (tls == NULL)
		return NULL;
	tls->context = mp_tls_context_ref(context);
	tls->addr = *addr;
	if (mp_tls_wants_host_id(tls)) // elsewhere sessions of one node would differ by it
		tls->host_id = *host_id;
	mp_pack_init(&tls->records);
	if (name != NULL)
		snprintf(tls->name, sizeof(tls->name), "%s", name);
	if (!start(tls)) {
		mp_tls_free(tls);
		return NULL;
	}
	mp_tls_context_resume(tls);
	return tls;
}

void mp_tls_free(struct mp_tls *tls)
{
	if (tls == NULL)
		return;
	// OpenSSL forgets the session of a connection that ends without a word, as the oldest versions wanted. Whoever is
	// lost comes back, though; only one that broke the rules has none to go on with.
	if (tls->ssl != NULL && tls->open && tls->why[0] == '\0')
		SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(tls->ssl);
	mp_pack_deinit(&tls->records);
	mp_tls_context_unref(tls->context);
	mp_free(tls);
}

bool mp_tls_is_open(const struct mp_tls *tls)
{
	return tls->open;
}

bool mp_tls_is_ended(const struct mp_tls *tls)
{
	return tls->ended;
}

bool mp_tls_resumed(const struct mp_tls *tls)
{
	return SSL_session_reused(tls->ssl) == 1;
}

const char *mp_tls_why(const struct mp_tls *tls)
{
	return tls->why;
}

struct mp_pack *mp_tls_records(struct mp_tls *tls)
{
	return &tls->records;
}

// ---- records ----------------------------------------------------------------------------------------------

static int no_memory(struct mp_tls *tls)
{
	snprintf(tls->why, sizeof(tls->why), "out of memory");
	return MP_ENOMEM;
}

// A node may make OpenSSL answer (a new key, no new negotiation) as often as it likes, and read none of it.
static bool is_flooded(struct mp_tls *tls)
{
	if (mp_pack_waiting(&tls->records) == 0)
		tls->own = 0;
	tls->own += tls->plain == tls->packed;
	tls->packed = tls->plain;
	return tls->own > OWN_MAX;
}

// What OpenSSL wrote becomes a unit, of no plain bytes if it is its own.
static int collect(struct mp_tls *tls)
{
	size_t len = BIO_ctrl_pending(tls->out);
	if (len == 0)
		return 0;
	if (is_flooded(tls)) {
		snprintf(tls->why, sizeof(tls->why),
		         "TLS: the node asks for new keys all the time, and reads none of them");
		return MP_EPROTO;
	}
	struct mp_buf *wire = &tls->records.wire;
	uint8_t *room = mp_buf_reserve(wire, len);
	wire->failed = false;
	if (room == NULL || mp_pack_reserve_unit(&tls->records) != 0)
		return no_memory(tls);
	int got = BIO_read(tls->out, room, (int)len);
	mp_assert(got == (int)len);
	wire->len += len;
	mp_pack_add_unit(&tls->records, tls->plain);
	return 0;
}

// OpenSSL's words where they do not say what the node does.
static const char *cause_of(int reason)
{
	switch (reason) {
	case SSL_R_EXCESSIVE_MESSAGE_SIZE:
		return "a message of the node's is too long; its certificates may have 100 kB";
	case SSL_R_RECORD_TOO_SMALL: return "the node sends one empty record after the other";
	case SSL_R_TOO_MANY_WARN_ALERTS: return "the node sends one warning after the other";
	default: return mp_tls_cause();
	}
}

static int explain(struct mp_tls *tls)
{
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_REASON(code);
	long result = SSL_get_verify_result(tls->ssl);
	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && result != X509_V_OK)
		mp_tls_explain_certificate(tls, result);
	else if (reason == SSL_R_WRONG_VERSION_NUMBER && !tls->open)
		snprintf(tls->why, sizeof(tls->why), "the node does not speak TLS there");
	else if (reason == ERR_R_MALLOC_FAILURE)
		return no_memory(tls);
	else
		snprintf(tls->why, sizeof(tls->why), "TLS: %.140s", cause_of(reason));
	return MP_EPROTO;
}

// The result of an operation on `ssl` that was not a success: 0 when it waits for more bytes.
static int judge(struct mp_tls *tls, int result)
{
	int error = SSL_get_error(tls->ssl, result);
	int rc = 0;
	if (error == SSL_ERROR_ZERO_RETURN)
		tls->ended = true;
	else if (error != SSL_ERROR_WANT_READ)
		rc = explain(tls);
	int collected = collect(tls); // an alert, a key
	return rc != 0 ? rc : collected;
}

static int shake_hands(struct mp_tls *tls)
{
	ERR_clear_error();
	int result = SSL_do_handshake(tls->ssl);
	if (result != 1)
		return judge(tls, result);
	tls->open = true;
	return collect(tls);
}

// Tickets and keys take no answer, and OpenSSL takes them for ever.
static int judge_vain(struct mp_tls *tls)
{
	if (tls->vain <= VAIN_MAX)
		return 0;
	snprintf(tls->why, sizeof(tls->why),
	         "TLS: the node sends messages of TLS's own all the time, and no data");
	return MP_EPROTO;
}

static void outweigh(struct mp_tls *tls, size_t count)
{
	tls->vain -= tls->vain < count * OUTWEIGHS ? tls->vain : count * OUTWEIGHS;
}

int mp_tls_feed(struct mp_tls *tls, const uint8_t *bytes, size_t len,
                bool (*on_plain)(void *data, const uint8_t *bytes, size_t len), void *data)
{
	mp_assert(len <= INT32_MAX);
	if (len > 0 && BIO_write(tls->in, bytes, (int)len) != (int)len)
		return no_memory(tls);
	tls->vain += len;
	if (!tls->open) {
		int rc = shake_hands(tls);
		if (rc != 0 || !tls->open)
			return rc != 0 ? rc : judge_vain(tls);
		tls->vain = 0;
	}
	uint8_t plain[RECORD_MAX];
	for (;;) { // bounded by what was fed: each round takes a record
		ERR_clear_error();
		int count = SSL_read(tls->ssl, plain, (int)sizeof(plain));
		if (count <= 0) {
			int rc = judge(tls, count);
			return rc != 0 || tls->ended ? rc : judge_vain(tls);
		}
		outweigh(tls, (size_t)count);
		if (!on_plain(data, plain, (size_t)count))
			return 0;
	}
}

int mp_tls_write(struct mp_tls *tls, const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t count = len - at < RECORD_MAX ? len - at : RECORD_MAX;
		ERR_clear_error();
		int result = SSL_write(tls->ssl, bytes + at, (int)count);
		if (result <= 0)
			return explain(tls);
		at += (size_t)result;
		tls->plain += (uint64_t)result;
		int rc = collect(tls);
		if (rc != 0)
			return rc;
	}
	return 0;
}

void mp_tls_end(struct mp_tls *tls)
{
	if (!tls->open)
		return;
	ERR_clear_error();
	SSL_shutdown(tls->ssl);
	if (collect(tls) != 0)
		BIO_reset(tls->out); // without memory it ends as a cut does
}

#endif
