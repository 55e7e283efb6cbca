// SPDX-License-Identifier: Apache-2.0
// What TLS and compression add to a request, on the client's side alone: both sides are in this process and nothing
// goes over a socket, but only what the client does is timed. Medians over many rounds, so a moment of another
// program's counts little; to be held against a request's whole cost (c_client).
//
// usage: wire_cost FOLDER     with ca.pem, node.pem (for 127.0.0.1) and node.key
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "client.h"
#include "link/tls.h"
#include "sim/tls.h"
#include "wire/compress.h"

#define REQUEST_BYTES 60u  // an EXECUTE with one key
#define ANSWER_BYTES  150u // a row of 100 bytes and what stands around it
#define HANDSHAKES    200
#define TURNS         2000
#define ROUNDS        400

static void die(const char *what)
{
	fprintf(stderr, "wire_cost: %s\n", what);
	exit(1);
}

static double now_us(void)
{
	return (double)bench_now_ns() / 1000;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), ascending);
	return values[count / 2];
}

// ---- TLS --------------------------------------------------------------------------------------------------

struct pair {
	struct mp_tls *client;
	struct mp_sim_tls *node;
	struct mp_buf to_client, plain;
	double client_us; // what the client did since this was 0
};

static bool ignore(void *data, const uint8_t *bytes, size_t len)
{
	(void)data, (void)bytes, (void)len;
	return true;
}

static void feed_client(struct pair *pair)
{
	double began = now_us();
	int rc = mp_tls_feed(pair->client, pair->to_client.data, pair->to_client.len, ignore, NULL);
	pair->client_us += now_us() - began;
	if (rc != 0)
		die(mp_tls_why(pair->client));
	mp_buf_clear(&pair->to_client);
}

static void feed_node(struct pair *pair)
{
	struct mp_pack *records = mp_tls_records(pair->client);
	const uint8_t *bytes = records->wire.data + records->taken;
	size_t len = mp_pack_waiting(records);
	mp_buf_clear(&pair->plain);
	if (mp_sim_tls_feed(pair->node, bytes, len, &pair->plain, &pair->to_client) != 0)
		die("the node refuses");
	double began = now_us();
	mp_pack_took(records, len, 0);
	mp_pack_drop(records, 0);
	pair->client_us += now_us() - began;
}

static void open_pair(struct pair *pair, struct mp_tls_context *client, struct mp_sim_tls_context *node)
{
	struct mp_addr addr = mp_addr_v4(127, 0, 0, 1, 9042);
	struct mp_uuid nobody = {{0}};
	*pair = (struct pair){.client_us = 0};
	double began = now_us();
	pair->client = mp_tls_new(client, NULL, &addr, &nobody);
	pair->client_us += now_us() - began;
	pair->node = mp_sim_tls_new(node);
	if (pair->client == NULL || pair->node == NULL)
		die("out of memory");
	while (!mp_tls_is_open(pair->client) || !mp_sim_tls_is_open(pair->node)) {
		feed_client(pair);
		feed_node(pair);
	}
	feed_client(pair);
}

static void close_pair(struct pair *pair)
{
	mp_tls_free(pair->client);
	mp_sim_tls_free(pair->node);
	mp_buf_deinit(&pair->to_client);
	mp_buf_deinit(&pair->plain);
}

static void measure_handshakes(struct mp_tls_options *options, struct mp_sim_tls_context *node)
{
	static double full[HANDSHAKES], resumed[HANDSHAKES];
	char why[256];
	int err = 0;
	for (int i = 0; i < HANDSHAKES; i++) {
		struct mp_tls_context *client = mp_tls_context_new(options, why, sizeof(why), &err);
		if (client == NULL)
			die(why);
		struct pair pair;
		open_pair(&pair, client, node);
		full[i] = pair.client_us;
		close_pair(&pair);
		open_pair(&pair, client, node);
		if (!mp_tls_resumed(pair.client))
			die("no session was resumed");
		resumed[i] = pair.client_us;
		close_pair(&pair);
		mp_tls_context_unref(client);
	}
	printf(
		"TLS 1.3, handshake (ECDSA P-256): %.0f us of the client's; with a session that is resumed %.0f us\n",
		median(full, HANDSHAKES), median(resumed, HANDSHAKES));
}

// `batch` requests leave in one turn and their answers come in one.
static double measure_turns(struct mp_tls_context *client, struct mp_sim_tls_context *node, size_t batch)
{
	static double turns[TURNS];
	static uint8_t bytes[256 * ANSWER_BYTES];
	struct pair pair;
	open_pair(&pair, client, node);
	for (int i = 0; i < TURNS; i++) {
		pair.client_us = 0;
		double began = now_us();
		if (mp_tls_write(pair.client, bytes, batch * REQUEST_BYTES) != 0)
			die("out of memory");
		pair.client_us += now_us() - began;
		feed_node(&pair);
		if (mp_sim_tls_write(pair.node, bytes, batch * ANSWER_BYTES, &pair.to_client) != 0)
			die("out of memory");
		feed_client(&pair);
		turns[i] = pair.client_us / (double)batch;
	}
	close_pair(&pair);
	return median(turns, TURNS);
}

static void measure_tls(const char *folder)
{
	char ca[1024], cert[1024], key[1024], why[256];
	snprintf(ca, sizeof(ca), "%s/ca.pem", folder);
	snprintf(cert, sizeof(cert), "%s/node.pem", folder);
	snprintf(key, sizeof(key), "%s/node.key", folder);
	struct mp_tls_options options = {.ca = ca};
	int err = 0;
	struct mp_tls_context *client = mp_tls_context_new(&options, why, sizeof(why), &err);
	struct mp_sim_tls_context *node = mp_sim_tls_context_new(cert, key, NULL, 3, why, sizeof(why));
	if (client == NULL || node == NULL)
		die(why);
	measure_handshakes(&options, node);
	printf("TLS 1.3, a request of %u bytes and its answer of %u, by how many share a turn of the loop:\n",
	       REQUEST_BYTES, ANSWER_BYTES);
	static const size_t batches[] = {1, 4, 16, 64, 256};
	for (size_t i = 0; i < MP_ARRAY_LEN(batches); i++)
		printf("  %3zu: %.3f us\n", batches[i], measure_turns(client, node, batches[i]));
	mp_tls_context_unref(client);
	mp_sim_tls_context_free(node);
}

// ---- compression ------------------------------------------------------------------------------------------

// Words and numbers, as texts in tables are: not random, not one letter.
static void fill(uint8_t *bytes, size_t len, struct mp_rand *rand)
{
	static const char *const words[] = {"{\"user\":", "\"name\":",   "\"status\":\"active\",",
	                                    "order ",     "2026-01-",    "the ",
	                                    "customer ",  "\"amount\":", "EUR ",
	                                    "null,"};
	for (size_t at = 0; at < len;) {
		char text[48];
		snprintf(text, sizeof(text), "%s%u", words[mp_rand_below(rand, MP_ARRAY_LEN(words))],
		         mp_rand_below(rand, 100000));
		size_t count = strlen(text) < len - at ? strlen(text) : len - at;
		memcpy(bytes + at, text, count);
		at += count;
	}
}

static void measure_body(enum mp_compression kind, size_t size, struct mp_rand *rand)
{
	static uint8_t bytes[100000];
	static double packing[ROUNDS], unpacking[ROUNDS];
	struct mp_buf packed, back;
	mp_buf_init(&packed);
	mp_buf_init(&back);
	size_t total = 0;
	for (int i = 0; i < ROUNDS; i++) {
		fill(bytes, size, rand);
		mp_buf_clear(&packed);
		mp_buf_clear(&back);
		double began = now_us();
		int rc = mp_compress_body(kind, bytes, size, &packed);
		double between = now_us();
		if (rc != 0 || mp_decompress_body(kind, packed.data, packed.len, UINT32_MAX, &back) != 0)
			die("it does not compress");
		packing[i] = between - began;
		unpacking[i] = now_us() - between;
		total += packed.len;
	}
	printf("  %-6s %6zu bytes: %7.2f us to compress, %7.2f us back, %3.0f %% of the size%s\n",
	       mp_compression_name(kind), size, median(packing, ROUNDS), median(unpacking, ROUNDS),
	       100.0 * (double)total / (double)(size * ROUNDS),
	       size < MP_COMPRESS_LEAST ? " (requests of this size leave as they are)" : "");
	mp_buf_deinit(&packed);
	mp_buf_deinit(&back);
}

static void measure_compression(void)
{
	struct mp_rand rand;
	mp_rand_seed(&rand, 1);
	printf("compression of texts, one message by itself:\n");
	static const size_t sizes[] = {100, 1000, 100000};
	for (int kind = MP_COMPRESSION_LZ4; kind < MP_COMPRESSION_COUNT; kind++)
		for (size_t i = 0; mp_compression_is_built((enum mp_compression)kind) && i < MP_ARRAY_LEN(sizes); i++)
			measure_body((enum mp_compression)kind, sizes[i], &rand);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: wire_cost FOLDER");
	if (mp_tls_is_built())
		measure_tls(argv[1]);
	measure_compression();
	return 0;
}
