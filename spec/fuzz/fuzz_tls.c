// SPDX-License-Identifier: Apache-2.0
// The client's TLS against a node whose records are changed on their way: bytes turned round, left out, put in.
// Whatever happens, what the client takes for the node's words is a beginning of what the node said.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "fuzz.h"
#include "link/tls.h"
#include "sim/tls.h"

#define ROUNDS 12
#define SAID   3000u

static char path[64]; // of a file in memory that holds the node's certificate and key

static void make_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	mp_assert(key != NULL && cert != NULL);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const uint8_t *)"node", -1,
	                           -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	mp_assert(X509_sign(cert, key, EVP_sha256()) > 0);
	int fd = memfd_create("fuzz", 0);
	FILE *file = fdopen(dup(fd), "w");
	mp_assert(fd >= 0 && file != NULL && PEM_write_X509(file, cert) == 1 &&
	          PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
	fclose(file);
	X509_free(cert);
	EVP_PKEY_free(key);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
}

struct talk {
	const uint8_t *data; // what happens to the node's records
	size_t size;
	struct mp_tls *client;
	struct mp_sim_tls *node;
	struct mp_buf heard; // by the client
	struct mp_buf plain; // by the node
	struct mp_buf wire;  // from the node
	bool over;
};

static bool on_plain(void *data, const uint8_t *bytes, size_t len)
{
	struct talk *talk = data;
	mp_assert(mp_tls_is_open(talk->client));
	mp_buf_bytes(&talk->heard, bytes, len);
	return true;
}

static void feed_client(struct talk *talk, const uint8_t *bytes, size_t len)
{
	if (talk->over)
		return;
	int rc = mp_tls_feed(talk->client, bytes, len, on_plain, talk);
	mp_assert(rc == 0 || (strlen(mp_tls_why(talk->client)) > 0 || rc == MP_ENOMEM));
	talk->over = rc != 0 || mp_tls_is_ended(talk->client);
}

static void feed_node(struct talk *talk)
{
	struct mp_pack *records = mp_tls_records(talk->client);
	size_t waiting = mp_pack_waiting(records);
	if (waiting == 0)
		return;
	talk->over = mp_sim_tls_feed(talk->node, records->wire.data + records->taken, waiting, &talk->plain,
	                             &talk->wire) != 0 ||
	             talk->over;
	mp_pack_took(records, waiting, 0);
	(void)mp_pack_drop(records, 0);
}

// One change: a byte, a cut, bytes of the input's own, or nothing.
static void spoil(struct talk *talk)
{
	uint8_t what = fuzz_choice(&talk->data, &talk->size);
	size_t at = fuzz_choice(&talk->data, &talk->size) | (size_t)(what >> 4) << 8;
	if (talk->wire.len == 0)
		return;
	at %= talk->wire.len;
	if ((what & 3) == 1) {
		talk->wire.data[at] ^= fuzz_choice(&talk->data, &talk->size);
	} else if ((what & 3) == 2) {
		talk->wire.len = at;
	} else if ((what & 3) == 3) {
		size_t len = fuzz_choice(&talk->data, &talk->size);
		len = len < talk->size ? len : talk->size;
		mp_buf_bytes(&talk->wire, talk->data, len);
		talk->data += len;
		talk->size -= len;
	}
}

static uint8_t said(size_t at)
{
	return (uint8_t)(at * 7 + at / 251);
}

static void node_speaks(struct talk *talk)
{
	uint8_t words[SAID];
	for (size_t i = 0; i < SAID; i++)
		words[i] = said(i);
	if (mp_sim_tls_is_open(talk->node) && mp_sim_tls_write(talk->node, words, SAID, &talk->wire) == 0 &&
	    talk->size % 2 == 1)
		mp_assert(mp_sim_tls_end(talk->node, &talk->wire) == 0);
}

static void converse(struct talk *talk, unsigned speaks, size_t piece)
{
	feed_client(talk, NULL, 0);
	for (unsigned round = 0; round < ROUNDS && !talk->over; round++) {
		feed_node(talk);
		if (round == speaks && !talk->over)
			node_speaks(talk);
		if (talk->size > 0)
			spoil(talk);
		for (size_t at = 0; at < talk->wire.len; at += piece) {
			size_t left = talk->wire.len - at;
			feed_client(talk, talk->wire.data + at, left < piece ? left : piece);
		}
		mp_buf_clear(&talk->wire);
	}
	mp_assert(talk->heard.len <= SAID);
	for (size_t i = 0; i < talk->heard.len; i++)
		mp_assert(talk->heard.data[i] == said(i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mp_tls_context *context;
	static struct mp_sim_tls_context *contexts[2];
	char why[200];
	int err = 0;
	if (context == NULL) { // for all inputs
		make_certificate();
		const struct mp_tls_options options = {.unverified = true};
		context = mp_tls_context_new(&options, why, sizeof(why), &err);
		for (int i = 0; i < 2; i++)
			contexts[i] = mp_sim_tls_context_new(path, path, NULL, 2 + i, why, sizeof(why));
		mp_assert(context != NULL && contexts[0] != NULL && contexts[1] != NULL);
	}
	uint8_t choice = fuzz_choice(&data, &size);
	size_t piece = (size_t)fuzz_choice(&data, &size) + 1;
	struct mp_addr addr = mp_addr_v4(127, 0, 0, 1, 9042);
	struct mp_uuid nobody = {{0}};
	struct talk talk = {.data = data, .size = size};
	talk.client = mp_tls_new(context, NULL, &addr, &nobody);
	talk.node = mp_sim_tls_new(contexts[choice & 1]);
	mp_assert(talk.client != NULL && talk.node != NULL);
	mp_buf_init(&talk.heard);
	mp_buf_init(&talk.plain);
	mp_buf_init(&talk.wire);
	converse(&talk, 1 + (choice >> 1 & 3), piece);
	mp_buf_deinit(&talk.heard);
	mp_buf_deinit(&talk.plain);
	mp_buf_deinit(&talk.wire);
	mp_sim_tls_free(talk.node);
	mp_tls_free(talk.client);
	return 0;
}
