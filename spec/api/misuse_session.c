// SPDX-License-Identifier: Apache-2.0
// What a session tells, shows and is told, with every mistake.
#include "misuse.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static void on_event(void *data, const struct moonpool_event *event)
{
	(void)data, (void)event;
}

static void never_traced(void *data, const struct moonpool_trace *trace, const struct moonpool_error *error)
{
	(void)trace;
	never_told(data, error);
}

// ---- on handles that are none, or of a session that is closed ---------------------------------------------

void session_calls(struct moonpool_session *bad, int code, const char *why)
{
	uint64_t value = 7;
	char text[16] = "untouched";
	IS(moonpool_session_on_event(bad, on_event, NULL), code, why);
	IS(moonpool_session_hosts(bad), 0, why);
	NONE(moonpool_session_host(bad, 0), code, why);
	IS(moonpool_session_connections(bad), code, why);
	struct moonpool_question question = {.consistency = MOONPOOL_ONE};
	NONE(moonpool_session_explain(bad, &question), code, why);
	NONE(moonpool_session_connection(bad, 0), code, why);
	NONE(moonpool_session_metrics(bad), code, why);
	NONE(moonpool_session_policy(bad, MOONPOOL_POLICY_BALANCE), code, why);
	NONE(moonpool_session_shadow(bad), code, why);
	NONE(moonpool_session_shadow_example(bad, 0), code, why);
	NONE(moonpool_session_health(bad), code, why);
	NONE(moonpool_session_performance(bad), code, why);
	IS(moonpool_session_figure(bad, "requests", &value), code, why);
	IS(moonpool_session_openmetrics(bad, text, sizeof(text)), code, why);
	IS(moonpool_session_decisions(bad, 1, text, sizeof(text)), code, why);
	IS(moonpool_session_use_policy(bad, MOONPOOL_POLICY_BALANCE, "RoundRobinPolicy", NULL, text, 16), code,
	   why);
	IS(moonpool_session_rollback(bad, MOONPOOL_POLICY_BALANCE), code, why);
	NONE(moonpool_session_canary(bad, MOONPOOL_POLICY_BALANCE), code, why);
	IS(moonpool_session_end_canary(bad, MOONPOOL_POLICY_BALANCE, true), code, why);
	IS(moonpool_session_trace(bad, (const uint8_t *)text, never_traced, NULL), code, why);
	IS(moonpool_session_reload(bad, text, sizeof(text)), code, why);
	IS(moonpool_session_serve_from(bad, "dc"), code, why);
	IS(moonpool_host_set_weight(bad, "127.0.0.1", 1), code, why);
	IS(moonpool_host_set_tags(bad, "127.0.0.1", NULL, 0), code, why);
	IS(moonpool_host_pause(bad, "127.0.0.1"), code, why);
	IS(moonpool_host_drain(bad, "127.0.0.1"), code, why);
	IS(moonpool_host_kill(bad, "127.0.0.1"), code, why);
	IS(moonpool_host_drain_within(bad, "127.0.0.1", 1, never_told, NULL), code, why);
	IS(moonpool_host_recover(bad, "127.0.0.1", 1, 1, never_told, NULL), code, why);
	IS(moonpool_session_switch_datacenter(bad, "dc", 1, never_told, NULL), code, why);
	IS(moonpool_session_warmup(bad, never_told, NULL), code, why);
	IS(moonpool_host_preallocate(bad, "127.0.0.1", 1, never_told, NULL), code, why);
	IS(moonpool_session_add_node(bad, "127.0.0.1", 1, never_told, NULL), code, why);
	IS(moonpool_session_remove_node(bad, "127.0.0.1", 1, never_told, NULL), code, why);
	IS(moonpool_host_resume(bad, "127.0.0.1", 1), code, why);
	IS(moonpool_host_reconnect(bad, "127.0.0.1"), code, why);
	IS(moonpool_host_resize(bad, "127.0.0.1", 1, 1), code, why);
	NONE(moonpool_request_new_schema(bad, NULL, NULL), code, why);
	NONE(moonpool_request_new_schema(bad, NULL, "t"), code, why);
	NONE(moonpool_request_new_schema_part(bad, MOONPOOL_SCHEMA_TYPES, NULL), code, why);
	check(__LINE__, "the places", value == 7 && strcmp(text, "untouched") == 0, 1, NULL);
}

void log_calls(struct moonpool_loop *bad, const char *why)
{
	IS(moonpool_loop_on_log(bad, NULL, NULL), INVALID, why);
	IS(moonpool_loop_on_slow(bad, 1, NULL, NULL), INVALID, why);
}

// ---- on a good one ----------------------------------------------------------------------------------------

static void hosts(void)
{
	const char *host = "127.0.0.1";
	const char *tags[33] = {"a"};
	IS(moonpool_host_pause(session, NULL), INVALID, "the address is NULL");
	IS(moonpool_host_drain(session, ""), MOONPOOL_NOT_FOUND, "no such host");
	IS(moonpool_host_reconnect(session, "10.9.9.9"), MOONPOOL_NOT_FOUND, "no such host");
	IS(moonpool_host_kill(session, NULL), INVALID, "the address is NULL");
	IS(moonpool_host_kill(session, "10.9.9.9"), MOONPOOL_NOT_FOUND, "no such host");
	IS(moonpool_host_set_weight(session, host, -1), INVALID, "a weight");
	IS(moonpool_host_set_weight(session, host, 1e7), INVALID, "a weight");
	IS(moonpool_host_set_weight(session, host, NAN), INVALID, "a weight");
	IS(moonpool_host_resume(session, host, 1.5), INVALID, "a share");
	IS(moonpool_host_resume(session, host, NAN), INVALID, "a share");
	IS(moonpool_host_resize(session, host, 2, 1), INVALID, "core <= most");
	IS(moonpool_host_resize(session, host, 0, 1), INVALID, "core <= most");
	IS(moonpool_host_resize(session, host, 1, UINT32_MAX), INVALID, "core <= most");
	IS(moonpool_host_set_tags(session, host, NULL, 1), INVALID, "not NULL");
	IS(moonpool_host_set_tags(session, host, tags, 33), INVALID, "32 tags");
	IS(moonpool_host_set_tags(session, host, tags, HUGE), INVALID, "32 tags");
	IS(moonpool_host_set_tags(session, host, tags, 2), INVALID, "a tag is NULL");
	NONE(moonpool_session_host(session, UINT32_MAX), MOONPOOL_NOT_FOUND, "fewer hosts");
	NONE(moonpool_session_connection(session, 0), MOONPOOL_NOT_FOUND, "counted fewer"); // not at all yet
	NONE(moonpool_session_connection(session, (uint32_t)moonpool_session_connections(session)),
	     MOONPOOL_NOT_FOUND, "counted fewer");
	IS(moonpool_session_serve_from(session, "nowhere"), MOONPOOL_NOT_FOUND,
	   "no host is in a datacentre 'nowhere'");
}

static void waits(void)
{
	const char *host = "127.0.0.1";
	IS(moonpool_host_drain_within(session, host, 1, NULL, NULL), INVALID, "the callback is NULL");
	IS(moonpool_host_drain_within(session, NULL, 1, never_told, NULL), INVALID, "the address is NULL");
	IS(moonpool_host_drain_within(session, "10.9.9.9", 1, never_told, NULL), MOONPOOL_NOT_FOUND,
	   "no such host");
	IS(moonpool_host_recover(session, host, 1, 1, NULL, NULL), INVALID, "the callback is NULL");
	IS(moonpool_host_recover(session, NULL, 1, 1, never_told, NULL), INVALID, "the address is NULL");
	IS(moonpool_host_recover(session, host, 0, 1, never_told, NULL), INVALID, "an attempt or more");
	IS(moonpool_host_recover(session, "nowhere", 1, 1, never_told, NULL), MOONPOOL_NOT_FOUND, "no such host");
	IS(moonpool_session_switch_datacenter(session, "datacenter1", 1, NULL, NULL), INVALID,
	   "the callback is NULL");
	IS(moonpool_session_switch_datacenter(session, "nowhere", 1, never_told, NULL), MOONPOOL_NOT_FOUND,
	   "no host is in a datacentre 'nowhere'");
	IS(moonpool_session_warmup(session, NULL, NULL), INVALID, "the callback is NULL");
	IS(moonpool_host_preallocate(session, host, 1, NULL, NULL), INVALID, "the callback is NULL");
	IS(moonpool_host_preallocate(session, host, 0, never_told, NULL), INVALID, "1 to 4096");
	IS(moonpool_host_preallocate(session, host, UINT32_MAX, never_told, NULL), INVALID, "1 to 4096");
	IS(moonpool_host_preallocate(session, "nowhere", 1, never_told, NULL), MOONPOOL_NOT_FOUND,
	   "no such host");
	IS(moonpool_session_add_node(session, host, 1, NULL, NULL), INVALID, "the callback is NULL");
	IS(moonpool_session_add_node(session, NULL, 1, never_told, NULL), INVALID, "the address is NULL");
	IS(moonpool_session_add_node(session, "10.0.0.1:x", 1, never_told, NULL), INVALID, "the port");
	IS(moonpool_session_remove_node(session, host, 1, NULL, NULL), INVALID, "the callback is NULL");
	IS(moonpool_session_remove_node(session, NULL, 1, never_told, NULL), INVALID, "the address is NULL");
	IS(moonpool_session_remove_node(session, "", 1, never_told, NULL), INVALID, "missing");
}

static void figures(void)
{
	uint64_t value;
	char text[4];
	uint8_t id[16] = {0};
	IS(moonpool_session_trace(session, NULL, never_traced, NULL), INVALID, "NULL");
	IS(moonpool_session_trace(session, id, NULL, NULL), INVALID, "NULL");
	IS(moonpool_session_figure(session, NULL, &value), INVALID, "NULL");
	IS(moonpool_session_figure(session, "requests", NULL), INVALID, "NULL");
	IS(moonpool_session_figure(session, "nonsense", &value), MOONPOOL_NOT_FOUND, "no figure");
	IS(moonpool_session_openmetrics(session, NULL, 4), INVALID, "no place");
	IS(moonpool_session_openmetrics(session, text, 0), INVALID, "no place");
	IS(moonpool_session_decisions(session, 1, text, sizeof(text)), MOONPOOL_NOT_FOUND, "no decisionLog");
	NONE(moonpool_request_new_schema(session, NULL, "t"), INVALID, "a table of no keyspace");
	NONE(moonpool_request_new_schema_part(session, (enum moonpool_schema_part)7, NULL), INVALID,
	     "schema_part");
	NONE(moonpool_request_new_schema_part(session, (enum moonpool_schema_part) - 1, "ks"), INVALID,
	     "schema_part");
}

static void questions(void)
{
	struct moonpool_question question = {.consistency = (enum moonpool_consistency)11};
	NONE(moonpool_session_explain(session, NULL), INVALID, "the question is NULL");
	NONE(moonpool_session_explain(session, &question), INVALID, "enum moonpool_consistency");
	question.consistency = (enum moonpool_consistency) - 1;
	NONE(moonpool_session_explain(session, &question), INVALID, "enum moonpool_consistency");
	question = (struct moonpool_question){.routing_key_len = 1};
	NONE(moonpool_session_explain(session, &question), INVALID, "a routing key");
}

static void policies(void)
{
	enum moonpool_policy_kind none = (enum moonpool_policy_kind)6, less = (enum moonpool_policy_kind) - 1;
	NONE(moonpool_session_policy(session, none), INVALID, "enum moonpool_policy_kind");
	IS(moonpool_session_rollback(session, less), INVALID, "enum moonpool_policy_kind");
	NONE(moonpool_session_policy(session, MOONPOOL_POLICY_SHADOW), MOONPOOL_NOT_FOUND,
	     "no policy of this kind");
	NONE(moonpool_session_shadow(session), MOONPOOL_NOT_FOUND, "no shadow");
	NONE(moonpool_session_shadow_example(session, 0), MOONPOOL_NOT_FOUND, "fewer examples");
	IS(moonpool_session_rollback(session, MOONPOOL_POLICY_RETRY), MOONPOOL_NOT_FOUND,
	   "no earlier generation");
	NONE(moonpool_session_canary(session, none), INVALID, "enum moonpool_policy_kind");
	NONE(moonpool_session_canary(session, MOONPOOL_POLICY_RETRY), MOONPOOL_NOT_FOUND, "there was no canary");
	IS(moonpool_session_end_canary(session, less, false), INVALID, "enum moonpool_policy_kind");
	IS(moonpool_session_end_canary(session, MOONPOOL_POLICY_RETRY, true), MOONPOOL_NOT_FOUND,
	   "no canary of this kind");
	IS(moonpool_session_use_policy(session, none, "X", NULL, NULL, 0), INVALID, "enum moonpool_policy_kind");
	IS(moonpool_session_use_policy(session, MOONPOOL_POLICY_RETRY, NULL, "{}", NULL, 0), INVALID,
	   "options of no policy");
	IS(moonpool_session_use_policy(session, MOONPOOL_POLICY_RETRY, "Nonsense", NULL, NULL, 9),
	   MOONPOOL_POLICY_ERROR, "Nonsense");
	IS(moonpool_session_use_policy(session, MOONPOOL_POLICY_RETRY, "", "} x {", NULL, 0),
	   MOONPOOL_POLICY_ERROR, "options");
}

void session_misuse(void)
{
	hosts();
	waits();
	figures();
	policies();
	questions();
}
