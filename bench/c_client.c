// SPDX-License-Identifier: Apache-2.0
// moonpool through its C API, as a program would use it: a closed loop of requests, each answer read and followed by
// the next request from inside its callback. Keys vary, so every request is hashed and routed, by the Lua
// TokenAwarePolicy. With --policies and --swap-ms it replaces that policy's file again and again meanwhile.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "moonpool.h"
#include "moonpool_session.h"

#define LOOK_EVERY 256 // answers between two looks at the clock

// Types by their numbers on the wire.
enum { TYPE_BIGINT = 0x02, TYPE_DOUBLE = 0x07, TYPE_UUID = 0x0c };

struct client {
	struct bench_options options;
	struct bench_window window;
	struct moonpool_loop *loop;
	struct moonpool_session *session;
	struct moonpool_statement *statement;
	struct mp_hist latency_ns;
	uint64_t answered;
	uint64_t read; // a sum of what was read, so that it is
	uint64_t next_key;
	unsigned in_flight;
	bool over; // answers are no longer followed by requests
	char *policy_text;
	size_t policy_bytes;
	uint64_t policy_version;
	uint64_t swap_due_ns;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "c_client: %s: %s\n", what, why);
	exit(1);
}

// Another version of the policy's file under its name, as an editor puts it there. Versions differ in a comment.
static void swap_policy(struct client *client)
{
	char path[512], next[520];
	snprintf(path, sizeof(path), "%s/token_aware.lua", client->options.policies);
	snprintf(next, sizeof(next), "%s.new", path);
	FILE *file = fopen(next, "w");
	if (file == NULL)
		die(next, "cannot be written");
	fprintf(file, "%.*s-- version %llu\n", (int)client->policy_bytes, client->policy_text,
	        (unsigned long long)++client->policy_version);
	if (fclose(file) != 0 || rename(next, path) != 0)
		die(next, "cannot be put in its place");
}

static void read_policy(struct client *client)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/token_aware.lua", client->options.policies);
	FILE *file = fopen(path, "r");
	client->policy_text = calloc(1, 1 << 16);
	if (file == NULL || client->policy_text == NULL)
		die(path, "cannot be read");
	client->policy_bytes = fread(client->policy_text, 1, 1 << 16, file);
	fclose(file);
}

static void on_closed(void *data)
{
	struct client *client = data;
	moonpool_loop_stop(client->loop);
}

static void on_rows(void *data, const struct moonpool_result *result, const struct moonpool_error *error);

static void submit(struct client *client)
{
	struct moonpool_request *request = moonpool_request_new(client->statement);
	if (request == NULL)
		die("a request", "out of memory");
	// A wrong value is refused by moonpool_execute().
	(void)moonpool_bind_int64(request, (int64_t)client->next_key++);
	int rc = moonpool_execute(request, on_rows, client);
	if (rc != 0)
		die("moonpool_execute", moonpool_code_text(rc));
	client->in_flight++;
}

static void look(struct client *client)
{
	if (!bench_window_is_due(&client->window))
		return;
	struct moonpool_stats stats;
	moonpool_session_stats(client->session, &stats);
	uint64_t busy_polls = 0;
	if (moonpool_session_figure(client->session, "busyPolls", &busy_polls) != 0)
		die("busyPolls", "no such figure");
	struct bench_counts counts = {
		.requests = client->answered,
		.allocations = moonpool_allocations(),
		.policy_calls = stats.policy_calls,
		.policy_fallbacks = stats.policy_fallbacks,
		.swaps = stats.policy_reloads,
		.busy_polls = busy_polls,
	};
	bench_window_next(&client->window, &counts);
	client->over = client->window.phase == BENCH_OVER;
}

static void read_value(struct client *client, const struct moonpool_result *result, uint32_t column)
{
	const char *text;
	size_t len = 0;
	int64_t whole = 0;
	double number = 0;
	uint8_t uuid[16] = {0};
	int rc;
	switch (moonpool_result_column_type(result, column)) {
	case TYPE_BIGINT: rc = moonpool_get_int64(result, column, &whole); break;
	case TYPE_DOUBLE: rc = moonpool_get_double(result, column, &number); break;
	case TYPE_UUID: rc = moonpool_get_uuid(result, column, uuid); break;
	default: rc = moonpool_get_text(result, column, &text, &len); break;
	}
	if (rc != 0)
		die("a value", moonpool_code_text(rc));
	client->read += (uint64_t)whole + (uint64_t)number + uuid[15] + len;
}

// Every value; how many rows there were.
static uint64_t read_rows(struct client *client, const struct moonpool_result *result)
{
	uint64_t rows = 0;
	uint32_t columns = moonpool_result_columns(result);
	for (; moonpool_result_next(result) == 1; rows++)
		for (uint32_t column = 0; column < columns; column++)
			read_value(client, result, column);
	return rows;
}

static void on_rows(void *data, const struct moonpool_result *result, const struct moonpool_error *error)
{
	struct client *client = data;
	if (error != NULL)
		die("a request failed", moonpool_error_message(error));
	if (read_rows(client, result) == 0)
		die("a request", "not the rows that were expected");
	if (client->window.phase == BENCH_MEASURE)
		mp_hist_add(&client->latency_ns, moonpool_result_latency_ns(result));
	client->in_flight--;
	if (++client->answered % LOOK_EVERY == 0 || client->options.outstanding < LOOK_EVERY / 16) {
		look(client);
		if (client->options.swap_ms > 0 && bench_now_ns() >= client->swap_due_ns) {
			client->swap_due_ns = bench_now_ns() + (uint64_t)(client->options.swap_ms * 1e6);
			swap_policy(client);
		}
	}
	if (!client->over)
		submit(client);
	else if (client->in_flight == 0)
		moonpool_session_close(client->session, on_closed, client);
}

static void on_prepared(void *data, struct moonpool_statement *statement, const struct moonpool_error *error)
{
	struct client *client = data;
	if (error != NULL)
		die("moonpool_prepare", moonpool_error_message(error));
	client->statement = statement;
	bench_window_init(&client->window, &client->options);
	for (unsigned i = 0; i < client->options.outstanding; i++)
		submit(client);
}

static void on_connected(void *data, const struct moonpool_error *error)
{
	struct client *client = data;
	if (error != NULL)
		die("moonpool_session_connect", moonpool_error_message(error));
	int rc = moonpool_prepare(client->session, client->options.rows->cql, -1, on_prepared, client);
	if (rc != 0)
		die("moonpool_prepare", moonpool_code_text(rc));
}

static void open_session(struct client *client)
{
	char config[2048], paths[640] = "", tls[640] = "", message[512];
	const char *policies = client->options.policies, *ca = client->options.tls;
	if (policies != NULL && strpbrk(policies, "'\\\n") == NULL)
		snprintf(paths, sizeof(paths), ", policyPath = { '%s' }", policies);
	if (ca != NULL && strpbrk(ca, "'\\\n") == NULL)
		snprintf(tls, sizeof(tls), ", tls = { ca = '%s' }", ca);
	// All of them in flight: none waits for room.
	unsigned room = client->options.outstanding > 2048 ? client->options.outstanding : 2048;
	snprintf(config, sizeof(config),
	         "return { contactPoints = { '127.0.0.1' }, port = %u, localDataCenter = 'datacenter1',"
	         " keyspace = 'bench', protocolVersion = %u,"
	         " pooling = { coreConnectionsPerHost = { ['0'] = 1 }, maxConnectionsPerHost = { ['0'] = 1 },"
	         " maxRequestsPerConnection = %u },"
	         " loadBalancing = { policy = 'TokenAwarePolicy' }, logging = { level = 'warn' },"
	         " busyPollUs = %u%s%s }",
	         client->options.port, client->options.version, room, client->options.busy_poll_us, paths, tls);
	client->session = moonpool_session_from_text(client->loop, config, "c_client", message, sizeof(message));
	if (client->session == NULL)
		die("the configuration", message);
	int rc = moonpool_session_connect(client->session, on_connected, client);
	if (rc != 0)
		die("moonpool_session_connect", moonpool_code_text(rc));
}

int main(int argc, char **argv)
{
	struct client *client = calloc(1, sizeof(*client));
	if (client == NULL)
		die("start", "out of memory");
	bench_options_read(&client->options, argc, argv);
	client->loop = moonpool_loop_new(NULL);
	if (client->loop == NULL)
		die("moonpool_loop_new", "out of memory");
	if (client->options.policies != NULL)
		read_policy(client);
	open_session(client);
	moonpool_loop_run(client->loop);
	moonpool_loop_free(client->loop);
	bench_report("c", &client->options, &client->window, &client->latency_ns, true);
	free(client->policy_text);
	free(client);
	return 0;
}
