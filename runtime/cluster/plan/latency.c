// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/latency.h"

#define SHARE  8      // a new measurement's weight in the moving mean is 1/8
#define OLD_MS 5000.0 // after so long without one it is the mean: it tells about now

void mp_latency_answered(struct mp_host_view *host, uint64_t us, uint64_t now_ms)
{
	bool is_old = (double)now_ms - host->latencyAtMs > OLD_MS;
	host->latencyAtMs = (double)now_ms;
	uint32_t sample = us > UINT32_MAX / 2 ? UINT32_MAX / 2 : us == 0 ? 1 : (uint32_t)us;
	uint32_t mean = host->latencyUs;
	if (mean == 0 || is_old)
		host->latencyUs = sample;
	else
		host->latencyUs = (uint32_t)((int64_t)mean + ((int64_t)sample - (int64_t)mean) / SHARE);
}

void mp_latency_silent(struct mp_host_view *host, uint64_t us, uint64_t now_ms)
{
	if (us > host->latencyUs)
		mp_latency_answered(host, us, now_ms);
	else
		host->latencyAtMs = (double)now_ms;
}
