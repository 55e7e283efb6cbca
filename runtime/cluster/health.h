// SPDX-License-Identifier: Apache-2.0
// When hosts are asked whether they are well (topology/probe.h): each once in the configuration's interval, one after
// the other, so that a thousand of them are not asked at once.
#pragma once

#include "loop/loop.h"

struct mp_session;

struct mp_health {
	struct mp_session *session;
	struct mp_timer timer;
	uint32_t next; // place among the living hosts
};

void mp_health_init(struct mp_health *health, struct mp_session *session);
void mp_health_start(struct mp_health *health); // if the configuration says so; also: as it says now
void mp_health_stop(struct mp_health *health);
