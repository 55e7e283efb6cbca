// SPDX-License-Identifier: Apache-2.0
// Random calls of what a session tells, shows and is told.
#include <math.h>
#include <moonpool.h>
#include <stdlib.h>
#include <string.h>

#include "random_arguments.h"

static void on_event(void *data, const struct moonpool_event *event)
{
	(void)data;
	(void)(strlen(event->name) + strlen(event->host) + strlen(event->from) + strlen(event->to) +
	       strlen(event->reason) + strlen(event->keyspace) + strlen(event->table) + strlen(event->policy) +
	       strlen(event->file));
}

static const char *a_host(void)
{
	return below(3) == 0 ? odd_text() : below(4) == 0 ? "127.0.0.2" : "127.0.0.1";
}

static void findings(const struct moonpool_finding *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)(strlen(list[i].kind) + strlen(list[i].host) + strlen(list[i].measurement) +
		       strlen(list[i].key) + strlen(list[i].message) + strlen(list[i].advice));
}

static void judge(struct moonpool_session *session)
{
	const struct moonpool_health *health = moonpool_session_health(session);
	const struct moonpool_performance *performance = moonpool_session_performance(session);
	if (health == NULL || performance == NULL)
		return;
	findings(health->findings, health->finding_count);
	findings(performance->bottlenecks, performance->bottleneck_count);
	for (size_t i = 0; i < health->host_count; i++)
		(void)(strlen(health->hosts[i].address) + strlen(health->hosts[i].status) +
		       strlen(health->hosts[i].breaker) + strlen(health->hosts[i].probe_error));
	if (strlen(health->overall) < 7)
		abort();
}

static void look(struct moonpool_session *session)
{
	char text[64];
	uint64_t value;
	const struct moonpool_host *host =
		moonpool_session_host(session, below(moonpool_session_hosts(session) + 2));
	if (host != NULL)
		(void)(strlen(host->address) + strlen(host->datacenter) + strlen(host->status) +
		       strlen(host->reason));
	for (size_t i = 0; host != NULL && i < host->tag_count; i++)
		(void)strlen(host->tags[i]);
	struct moonpool_question question = {
		.keyspace = below(2) == 0 ? "app" : odd_text(),
		.tag = odd_text(),
		.routing_key = below(2) == 0 ? NULL : "key",
		.routing_key_len = below(4),
		.consistency = (enum moonpool_consistency)((int)below(13) - 1),
	};
	const struct moonpool_plan *plan = moonpool_session_explain(session, &question);
	for (size_t i = 0; plan != NULL && i < plan->host_count; i++)
		(void)(strlen(plan->hosts[i].address) + strlen(plan->hosts[i].why));
	const struct moonpool_connection *connection = NULL;
	if (below(2) == 0 || got("connections", moonpool_session_connections(session)) >= 0)
		connection = moonpool_session_connection(session, below(4));
	if (connection != NULL)
		(void)(strlen(connection->host) + strlen(connection->state));
	const struct moonpool_policy *policy =
		moonpool_session_policy(session, (enum moonpool_policy_kind)((int)below(8) - 1));
	if (policy != NULL)
		(void)(strlen(policy->name) + strlen(policy->file) + strlen(policy->last_error));
	const struct moonpool_canary *canary =
		moonpool_session_canary(session, (enum moonpool_policy_kind)((int)below(8) - 1));
	if (canary != NULL)
		(void)(strlen(canary->state) + strlen(canary->reason));
	const struct moonpool_shadow *shadow = moonpool_session_shadow(session);
	if (shadow != NULL && shadow->same_first > shadow->asked)
		abort();
	const struct moonpool_shadow_example *example = moonpool_session_shadow_example(session, below(3));
	if (example != NULL)
		(void)(strlen(example->difference) + strlen(example->kind) + strlen(example->keyspace) +
		       strlen(example->serving) + strlen(example->serving_step) + strlen(example->shadow) +
		       strlen(example->shadow_step));
	const struct moonpool_metrics *metrics = moonpool_session_metrics(session);
	if (metrics != NULL)
		(void)strlen(metrics->serving_datacenter);
	if (below(8) == 0)
		judge(session);
	got("figure", moonpool_session_figure(session, below(2) == 0 ? "requests" : odd_text(), &value));
	got("openmetrics", moonpool_session_openmetrics(session, text, below(64)));
	got("decisions",
	    moonpool_session_decisions(session, below(2) == 0 ? UINT32_MAX : below(4), text, below(64)));
}

static void steer(struct moonpool_session *session)
{
	const char *tags[] = {"a", below(4) == 0 ? odd_text() : "b"};
	switch (below(9)) {
	case 6:
		if (below(4) == 0)
			got("drain", moonpool_host_drain(session, a_host()));
		else if (below(4) == 0)
			got("kill", moonpool_host_kill(session, a_host()));
		break;
	case 0:
		got("set_weight",
		    moonpool_host_set_weight(session, a_host(), below(8) == 0 ? (double)NAN : (double)below(4) - 1));
		break;
	case 1: got("set_tags", moonpool_host_set_tags(session, a_host(), tags, below(3))); break;
	case 2: got("pause", moonpool_host_pause(session, a_host())); break;
	case 3: got("reconnect", moonpool_host_reconnect(session, a_host())); break;
	case 4: got("resize", moonpool_host_resize(session, a_host(), below(3), below(4))); break;
	case 5: got("serve_from", moonpool_session_serve_from(session, below(2) == 0 ? NULL : odd_text())); break;
	// What was held is let go more often, so that requests find somebody.
	default: got("resume", moonpool_host_resume(session, "127.0.0.1", 1)); break;
	}
}

static void change(struct moonpool_session *session)
{
	static const char *const names[] = {"RoundRobinPolicy", "TokenAwarePolicy", "Nonsense", "\xff", NULL};
	enum moonpool_policy_kind kind = (enum moonpool_policy_kind)((int)below(4) - 1);
	if (below(4) == 0)
		kind = MOONPOOL_POLICY_SHADOW;
	char message[64];
	switch (below(5)) {
	case 4: got("end_canary", moonpool_session_end_canary(session, kind, below(2) == 0)); break;
	case 0: got("reload", moonpool_session_reload(session, message, below(64))); break;
	case 1: got("rollback", moonpool_session_rollback(session, kind)); break;
	case 2: got("on_event", moonpool_session_on_event(session, below(2) == 0 ? NULL : on_event, NULL)); break;
	default:
		got("use_policy", moonpool_session_use_policy(session, kind, names[below(5)],
		                                              below(2) == 0   ? NULL
		                                              : below(2) == 0 ? "{}"
		                                                              : odd_text(),
		                                              message, sizeof(message)));
	}
}

static void schema(struct moonpool_session *session)
{
	struct moonpool_request *request =
		below(2) == 0 ? moonpool_request_new_schema(session, odd_text(), odd_text())
					  : moonpool_request_new_schema_part(
							session, (enum moonpool_schema_part)((int)below(9) - 1), odd_text());
	got("schema", request != NULL ? 0 : moonpool_last_code());
	keep(REQUESTS, request, -1);
}

void random_session_call(struct moonpool_session *session)
{
	switch (below(7)) {
	case 5: schema(session); break;
	case 0: change(session); break;
	case 1:
	case 2: steer(session); break;
	default: look(session); break;
	}
}
