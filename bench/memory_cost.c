// SPDX-License-Identifier: Apache-2.0
// What a session holds of memory, by the runtime's own counter, as lines of figures for lines.lua: all of a session
// with one connection to each node, a further connection, a prepared statement; each beside the least that it could be:
//
//   connection   a socket of the loop, without anything on it
//   host         the same, and what its node said of itself: identity, address, tokens
//   statement    its text, and what came in the answer to PREPARE
//
// A host is the difference between two runs, beside servers with few nodes and with many.
#include <stdio.h>
#include <stdlib.h>

#include "api/internal.h"
#include "base/mem.h"
#include "client.h"
#include "loop/loop_uv.h"
#include "null_answers.h"

#define MORE         8 // connections to each node beyond the first
#define SOCKETS      32
#define FIRST        100 // statements before those that are counted, for what a session takes once
#define COUNTED      400
#define SETTLE_TURNS 150
#define TURN_MS      10

struct run {
	struct bench_options options;
	struct moonpool_loop *loop;
	struct moonpool_session *session;
	struct moonpool_statement *statements[FIRST + COUNTED];
	unsigned prepared;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "memory_cost: %s: %s\n", what, why);
	exit(1);
}

static double held(void)
{
	return (double)mp_mem_stats().bytes;
}

// ---- the least --------------------------------------------------------------------------------------------

static void on_connect(void *data, int rc)
{
	if (rc != 0)
		die("a socket", mp_err_text(rc));
	++*(unsigned *)data;
}

static void on_read(void *data, const uint8_t *bytes, size_t len)
{
	(void)data, (void)bytes, (void)len;
}

static void on_end(void *data, int rc)
{
	(void)data, (void)rc;
}

static double socket_bytes(const struct bench_options *options)
{
	static const struct mp_sock_events events = {
		.on_connect = on_connect, .on_read = on_read, .on_end = on_end};
	const struct null_cluster cluster = {.nodes = 1, .port = (uint16_t)options->port};
	struct mp_loop *loop = mp_loop_uv_new(NULL, 1);
	struct mp_addr addr = null_addr(&cluster, 0);
	struct mp_sock *socks[2 * SOCKETS];
	unsigned connected = 0;
	double before = 0;
	if (loop == NULL)
		die("a loop", "out of memory");
	for (unsigned i = 0; i < 2 * SOCKETS; i++) {
		int err;
		if (i == SOCKETS) // the loop has what it takes once
			before = held();
		socks[i] = mp_loop_connect(loop, &addr, NULL, &events, &connected, &err);
		if (socks[i] == NULL)
			die("a socket", mp_err_text(err));
		while (connected <= i)
			mp_loop_turn(loop, TURN_MS);
	}
	double bytes = (held() - before) / SOCKETS;
	for (unsigned i = 0; i < 2 * SOCKETS; i++)
		mp_sock_close(socks[i], false);
	mp_loop_turn(loop, 0);
	mp_loop_free(loop);
	return bytes;
}

// ---- a session --------------------------------------------------------------------------------------------

static void on_closed(void *data)
{
	struct run *run = data;
	moonpool_loop_stop(run->loop);
}

static void on_connected(void *data, const struct moonpool_error *error)
{
	struct run *run = data;
	if (error != NULL)
		die("moonpool_session_connect", moonpool_error_message(error));
	moonpool_loop_stop(run->loop);
}

static void on_prepared(void *data, struct moonpool_statement *statement, const struct moonpool_error *error)
{
	struct run *run = data;
	if (error != NULL)
		die("moonpool_prepare", moonpool_error_message(error));
	run->statements[run->prepared++] = statement;
	moonpool_loop_stop(run->loop);
}

static void begin(struct run *run, unsigned connections)
{
	char config[512], message[512];
	snprintf(
		config, sizeof(config),
		"return { contactPoints = { '127.0.0.1' }, port = %u, localDataCenter = 'datacenter1',"
		" keyspace = 'bench', protocolVersion = %u, logging = { level = 'warn' },"
		" pooling = { coreConnectionsPerHost = { ['0'] = %u }, maxConnectionsPerHost = { ['0'] = %u } } }",
		run->options.port, run->options.version, connections, connections);
	run->loop = moonpool_loop_new(NULL);
	if (run->loop == NULL)
		die("moonpool_loop_new", "out of memory");
	run->session = moonpool_session_from_text(run->loop, config, "memory_cost", message, sizeof(message));
	if (run->session == NULL)
		die("the configuration", message);
	if (moonpool_session_connect(run->session, on_connected, run) != 0)
		die("moonpool_session_connect", moonpool_last_message());
	moonpool_loop_run(run->loop);
	for (int turn = 0; turn < SETTLE_TURNS; turn++) // it reads the topology once more a second later
		moonpool_loop_turn(run->loop, TURN_MS);
}

static void end(struct run *run)
{
	for (; run->prepared > 0; run->prepared--)
		moonpool_statement_free(run->statements[run->prepared - 1]);
	moonpool_session_close(run->session, on_closed, run);
	moonpool_loop_run(run->loop);
	moonpool_loop_free(run->loop);
}

static void prepare(struct run *run)
{
	char cql[80];
	snprintf(cql, sizeof(cql), "SELECT value FROM bench.kv WHERE key = ? /* %03u */", run->prepared);
	if (moonpool_prepare(run->session, cql, -1, on_prepared, run) != 0)
		die("moonpool_prepare", moonpool_last_message());
	moonpool_loop_run(run->loop);
}

static void measure_statements(struct run *run)
{
	double before = 0;
	while (run->prepared < FIRST + COUNTED) {
		if (run->prepared == FIRST)
			before = held();
		prepare(run);
	}
	double bytes = (held() - before) / COUNTED;
	const struct mp_prepared *one = mp_api_statement_of(run->statements[0], __func__)->prepared;
	size_t least = one->cql.len + one->id.len + one->result_metadata_id.len + one->params->wire.len +
	               one->result->wire.len;
	printf("memory=statement bytes=%.0f least=%zu\n", bytes, least);
}

int main(int argc, char **argv)
{
	struct run run = {0};
	bench_options_read(&run.options, argc, argv);
	double socket = socket_bytes(&run.options);
	begin(&run, 1); // what a process takes once
	end(&run);
	double before = held();
	begin(&run, 1);
	struct moonpool_stats stats;
	moonpool_session_stats(run.session, &stats);
	double one = held() - before;
	printf("memory=session nodes=%u bytes=%.0f least=%.0f\n", stats.hosts_up, one,
	       stats.hosts_up * (socket + sizeof(struct mp_addr) + 16 + NULL_TOKENS * sizeof(int64_t)));
	measure_statements(&run);
	end(&run);
	before = held();
	begin(&run, 1 + MORE);
	double more = held() - before;
	moonpool_session_stats(run.session, &stats);
	printf("memory=connection bytes=%.0f least=%.0f\n", (more - one) / (MORE * stats.hosts_up), socket);
	end(&run);
	return 0;
}
