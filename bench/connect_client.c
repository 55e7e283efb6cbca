// SPDX-License-Identifier: Apache-2.0
// How long a session takes to connect to all nodes of a cluster: from moonpool_session_connect() until it is connected
// and every host is up. Before each, what the sockets alone cost: as many connections, a STARTUP and a READY on each.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "moonpool.h"

#define ROUNDS     5
#define EVENTS_MAX 64
#define READY_MS   30000 // a SYN that is lost is sent again after 1, 3, 7 and 15 s

struct run {
	struct bench_options options;
	struct moonpool_loop *loop;
	struct moonpool_session *session;
	uint64_t began_ns, began_cpu_ns;
	double ms, cpu_ms;
	uint32_t hosts;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "connect_client: %s: %s\n", what, why);
	exit(1);
}

// ---- the sockets alone ------------------------------------------------------------------------------------

// Addresses as null_server has them.
static int begin(const struct bench_options *options, int epoll, uint32_t node)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
	to.sin_addr.s_addr = htonl(0x7f000001u + node / 250 * 256 + node % 250);
	struct epoll_event wanted = {.events = EPOLLOUT, .data.fd = fd};
	if (fd < 0 || (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted) != 0)
		die("a socket", strerror(errno));
	return fd;
}

static void send_startup(int epoll, int fd)
{
	static const uint8_t startup[] = "\x04\0\0\0\1\0\0\0\x16\0\1\0\x0b"
									 "CQL_VERSION\0\x05"
									 "3.0.0";
	struct epoll_event wanted = {.events = EPOLLIN, .data.fd = fd};
	if (write(fd, startup, sizeof(startup) - 1) != (ssize_t)sizeof(startup) - 1 ||
	    epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &wanted) != 0)
		die("STARTUP", strerror(errno));
}

static void connect_raw(const struct bench_options *options, uint32_t nodes)
{
	int *fds = calloc(nodes, sizeof(*fds)), epoll = epoll_create1(EPOLL_CLOEXEC);
	if (fds == NULL || epoll < 0)
		die("start", "out of memory");
	uint64_t ns = bench_now_ns(), cpu_ns = bench_cpu_ns();
	for (uint32_t node = 0; node < nodes; node++)
		fds[node] = begin(options, epoll, node);
	for (uint32_t ready = 0; ready < nodes;) {
		struct epoll_event events[EVENTS_MAX];
		uint8_t answer[64];
		int count = epoll_wait(epoll, events, EVENTS_MAX, READY_MS);
		if (count < 0 && errno == EINTR) // it was stopped and goes on
			continue;
		if (count <= 0)
			die("READY", count == 0 ? "it does not come" : strerror(errno));
		for (int i = 0; i < count; i++) {
			if (events[i].events & EPOLLOUT)
				send_startup(epoll, events[i].data.fd);
			else if (read(events[i].data.fd, answer, sizeof(answer)) <= 0)
				die("READY", strerror(errno));
			else
				ready++;
		}
	}
	printf("connect=raw nodes=%u ms=%.3f cpu_ms=%.3f\n", nodes, (double)(bench_now_ns() - ns) / 1e6,
	       (double)(bench_cpu_ns() - cpu_ns) / 1e6);
	for (uint32_t node = 0; node < nodes; node++)
		close(fds[node]);
	close(epoll);
	free(fds);
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
	run->ms = (double)(bench_now_ns() - run->began_ns) / 1e6;
	run->cpu_ms = (double)(bench_cpu_ns() - run->began_cpu_ns) / 1e6;
	struct moonpool_stats stats;
	moonpool_session_stats(run->session, &stats);
	run->hosts = stats.hosts_up;
	if (stats.hosts_up != stats.hosts_total)
		die("connected", "not every host is up");
	moonpool_session_close(run->session, on_closed, run);
}

static void connect_session(struct run *run)
{
	char config[512], message[512];
	snprintf(config, sizeof(config),
	         "return { contactPoints = { '127.0.0.1' }, port = %u, localDataCenter = 'datacenter1',"
	         " keyspace = 'bench', protocolVersion = %u, logging = { level = 'warn' },"
	         " pooling = { coreConnectionsPerHost = { ['0'] = 1 } } }",
	         run->options.port, run->options.version);
	run->session = moonpool_session_from_text(run->loop, config, "connect_client", message, sizeof(message));
	if (run->session == NULL)
		die("the configuration", message);
	run->began_ns = bench_now_ns();
	run->began_cpu_ns = bench_cpu_ns();
	if (moonpool_session_connect(run->session, on_connected, run) != 0)
		die("moonpool_session_connect", moonpool_last_message());
	moonpool_loop_run(run->loop);
}

int main(int argc, char **argv)
{
	struct run run = {0};
	bench_options_read(&run.options, argc, argv);
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (int round = 0; round < ROUNDS; round++) {
		run.loop = moonpool_loop_new(NULL);
		if (run.loop == NULL)
			die("moonpool_loop_new", "out of memory");
		connect_session(&run);
		moonpool_loop_free(run.loop);
		printf("connect=session nodes=%u ms=%.3f cpu_ms=%.3f\n", run.hosts, run.ms, run.cpu_ms);
		connect_raw(&run.options, run.hosts);
	}
	return 0;
}
