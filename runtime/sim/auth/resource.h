// SPDX-License-Identifier: Apache-2.0
// What permissions are for: keyspaces, tables, roles, functions, by the paths under which system_auth keeps them, and
// as Cassandra shows them ("data/ks/t" is <table ks.t>).
#pragma once

#include "sim/world.h"

#define MP_SIM_PATH_MAX (2 * MP_SIM_NAME_MAX + MP_SIM_ROLE_MAX + 48)

struct mp_sim_resource_path {
	char path[MP_SIM_PATH_MAX]; // empty: anything
	char shown[MP_SIM_PATH_MAX];
	const char *type;
	uint32_t permissions; // that there are for it,
	uint32_t grantable;   // and which of them may be granted
};

// The path of a thing; of what it does not need nothing is taken.
void mp_sim_resource_path(enum mp_sim_resource resource, struct mp_str keyspace, struct mp_str name,
                          char out[MP_SIM_PATH_MAX]);
uint32_t mp_sim_resource_permissions(enum mp_sim_resource resource); // that there are for it
// Of a statement about permissions. INVALID: there is no such thing.
int mp_sim_resource_make(const struct mp_sim_cluster *cluster, const struct mp_sim_role_def *def,
                         struct mp_str keyspace, struct mp_sim_resource_path *out,
                         struct mp_sim_error *err) MP_MUST_CHECK;
void mp_sim_resource_show(const char *path, char out[MP_SIM_PATH_MAX]);
