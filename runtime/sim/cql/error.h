// SPDX-License-Identifier: Apache-2.0
// What goes wrong inside the simulated cluster, as the ERROR message that the client will see. The texts lie in the
// struct itself; mp_sim_error_body() makes the borrowed form that the encoder takes.
#pragma once

#include "base/defs.h"
#include "wire/message.h"

#define MP_SIM_NAME_MAX 48 // longest name of a keyspace, table or column, as in Cassandra

struct mp_sim_error {
	struct mp_error_body
		body; // code, consistency, counts, write type; its texts are filled by mp_sim_error_body()
	bool set;
	char text[512];
	char keyspace[MP_SIM_NAME_MAX + 1];
	char table[MP_SIM_NAME_MAX + 1];
	uint8_t id[16]; // UNPREPARED
};

// Set code and text; keeps the first error that was set. Always returns MP_ESERVER, for `return mp_sim_fail(...)`.
int mp_sim_fail(struct mp_sim_error *err, int32_t code, const char *format, ...) MP_PRINTF(3, 4);
int mp_sim_fail_nomem(struct mp_sim_error *err);
// Printable argument of "%.*s".
#define MP_SIM_S(str) (int)((str).len > 200 ? 200 : (str).len), (str).data
const struct mp_error_body *mp_sim_error_body(struct mp_sim_error *err);
