// SPDX-License-Identifier: Apache-2.0
// Tables that are not stored but told from the live state: system.local, system.peers, system_schema.*, traces.
#pragma once

#include "sim/world.h"

// One row being told; columns are set by name, the others are null.
struct mp_sim_teller {
	struct mp_sim_node *node; // who is asked
	const struct mp_sim_table *table;
	struct mp_arena *arena;
	struct mp_bytes *values;
	bool failed; // out of memory
	int (*row)(void *data, const struct mp_bytes *values);
	void *data;
};

struct mp_sim_virtual {
	const char *keyspace;
	const char *columns; // of CREATE TABLE, without the brackets
	const char *name;
	uint8_t since_version;                     // nodes with a lower protocol version do not have it
	int (*tell)(struct mp_sim_teller *teller); // NULL: always empty
};

void mp_sim_tell_text(struct mp_sim_teller *t, const char *column, struct mp_str text);
void mp_sim_tell_bytes(struct mp_sim_teller *t, const char *column, const void *bytes, size_t len);
void mp_sim_tell_int(struct mp_sim_teller *t, const char *column, int32_t value);
void mp_sim_tell_bool(struct mp_sim_teller *t, const char *column, bool value);
void mp_sim_tell_double(struct mp_sim_teller *t, const char *column, double value);
// A set of texts, or a map when the count of texts is given as pairs: the elements one behind the other.
void mp_sim_tell_texts(struct mp_sim_teller *t, const char *column, const struct mp_str *texts, size_t count,
                       bool map);
int mp_sim_tell_row(struct mp_sim_teller *t) MP_MUST_CHECK; // gives the row away and begins the next

extern const struct mp_sim_virtual mp_sim_schema_tables[]; // ends with a NULL keyspace
extern const struct mp_sim_virtual mp_sim_auth_tables[];   // the same
