// SPDX-License-Identifier: Apache-2.0
#include "cluster/health.h"

#include "cluster/session_internal.h"

#define LEAST_MS 10u // between two turns; more hosts than that allows are asked several in a turn

// Between two hosts.
static uint32_t pace_ms(const struct mp_session *session)
{
	uint32_t hosts = session->hosts.live_count > 0 ? session->hosts.live_count : 1;
	uint32_t pace = session->config.health.interval_ms / hosts;
	return pace < LEAST_MS ? LEAST_MS : pace;
}

static void ask_next(struct mp_health *health)
{
	struct mp_session *session = health->session;
	const struct mp_health_rules *rules = &session->config.health;
	uint32_t count = session->hosts.live_count;
	if (count == 0)
		return;
	health->next = health->next < count ? health->next : 0;
	struct mp_host *host = session->hosts.live[health->next++];
	mp_probe_ask(&host->probe, host, rules->query, rules->timeout_ms);
}

static void on_timer(void *data)
{
	struct mp_health *health = data;
	const struct mp_session *session = health->session;
	uint32_t interval_ms = session->config.health.interval_ms;
	uint64_t due = (uint64_t)session->hosts.live_count * pace_ms(session);
	uint64_t times = due > interval_ms && interval_ms > 0 ? due / interval_ms : 1;
	for (uint64_t i = 0; i < times; i++)
		ask_next(health);
	mp_health_start(health);
}

void mp_health_init(struct mp_health *health, struct mp_session *session)
{
	*health = (struct mp_health){.session = session};
	mp_timer_init(&health->timer, session->loop, on_timer, health);
}

void mp_health_start(struct mp_health *health)
{
	struct mp_session *session = health->session;
	if (!session->config.health.enabled)
		mp_timer_stop(&health->timer);
	else if (mp_timer_start_ms(&health->timer, pace_ms(session)) != 0)
		mp_log_write(&session->log, MP_LOG_ERROR,
		             "out of memory for the timer of health checks: they stand still");
}

void mp_health_stop(struct mp_health *health)
{
	mp_timer_stop(&health->timer);
}
