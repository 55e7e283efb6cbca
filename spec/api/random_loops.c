// SPDX-License-Identifier: Apache-2.0
// Random calls of what a loop tells and is told; and uuids, which are the same after they were a text.
#include <moonpool.h>
#include <stdlib.h>
#include <string.h>

#include "random_arguments.h"

// What a log may do: nothing. It is tried.
static void on_line(void *data, enum moonpool_log_level level, const char *line)
{
	(void)data;
	if (level > MOONPOOL_LOG_DEBUG || line[strlen(line)] != '\0' ||
	    moonpool_loop_stop(handles[LOOPS][0].at) >= 0)
		abort();
}

static void on_slow(void *data, const struct moonpool_slow *slow)
{
	(void)data;
	if (strlen(slow->of) < 3 || slow->ms == 0)
		abort();
}

static void uuids(struct moonpool_loop *loop)
{
	uint8_t uuid[16], again[16];
	char text[37];
	int64_t us;
	if (got("uuid", below(2) == 0 ? moonpool_uuid_random(loop, uuid) : moonpool_uuid_of_now(loop, uuid)) != 0)
		return;
	got("uuid_time", moonpool_uuid_time(uuid, &us));
	if (moonpool_uuid_text(uuid, text) != 0 || moonpool_uuid_from_text(text, -1, again) != 0 ||
	    memcmp(uuid, again, sizeof(uuid)) != 0)
		abort();
	const char *odd = odd_text();
	got("uuid_from_text", moonpool_uuid_from_text(odd, length_of(odd), uuid));
}

void random_loop_call(struct moonpool_loop *loop)
{
	switch (below(7)) {
	case 4: uuids(loop); break;
	case 5:
		got("on_slow", moonpool_loop_on_slow(loop, below(3), below(2) == 0 ? NULL : on_slow, NULL));
		break;
	case 0: got("stop", moonpool_loop_stop(loop)); break;
	case 1: got("flush", moonpool_loop_flush(loop)); break;
	case 2: got("fd", moonpool_fd(loop)); break;
	case 3:
		if (moonpool_timeout_ms(loop) < -1)
			abort();
		break;
	default: got("on_log", moonpool_loop_on_log(loop, below(3) == 0 ? NULL : on_line, NULL));
	}
}
