// SPDX-License-Identifier: Apache-2.0
// The roles of a simulated cluster, one set for all nodes: who may log in, who is a member of whom, and what each was
// granted.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sim/cql/ast.h"

#define MP_SIM_ROLE_MAX 127 // bytes of a role's name

struct mp_sim_grant { // on one resource
	struct mp_sim_grant *next;
	uint32_t permissions;
	char resource[]; // as system_auth has it: "data/ks/t"
};

struct mp_sim_role {
	struct mp_sim_role *next; // by name
	char *password;           // NULL: none
	bool super;
	bool login;
	struct mp_sim_role **of; // what it is a member of, by itself
	size_t of_count;
	struct mp_sim_grant *grants; // by resource
	char name[];
};

struct mp_sim_roles {
	struct mp_sim_role *first;
};

void mp_sim_roles_clear(struct mp_sim_roles *roles);
struct mp_sim_role *mp_sim_role_find(const struct mp_sim_roles *roles, struct mp_str name); // NULL: none
struct mp_sim_role *mp_sim_role_add(struct mp_sim_roles *roles,
                                    struct mp_str name) MP_MUST_CHECK; // NULL: no memory
void mp_sim_role_drop(struct mp_sim_roles *roles, struct mp_sim_role *role);
int mp_sim_role_set_password(struct mp_sim_role *role, struct mp_str password) MP_MUST_CHECK; // MP_ENOMEM
// By itself or by roles between; each is one of its own.
bool mp_sim_role_is(const struct mp_sim_role *role, const struct mp_sim_role *other);
int mp_sim_role_join(struct mp_sim_role *role, struct mp_sim_role *other) MP_MUST_CHECK; // MP_ENOMEM
bool mp_sim_role_is_super(const struct mp_sim_roles *roles, const struct mp_sim_role *role);
bool mp_sim_role_leave(struct mp_sim_role *role, const struct mp_sim_role *other); // false: it was no member
int mp_sim_role_permit(struct mp_sim_role *role, const char *resource,
                       uint32_t permissions) MP_MUST_CHECK; // MP_ENOMEM
void mp_sim_role_forbid(struct mp_sim_role *role, const char *resource, uint32_t permissions);
// Is what is granted on `resource` granted on `path`: is it the same, or above it?
bool mp_sim_role_covers(const char *resource, const char *path);
// What it, and all that it is a member of, was granted on the resource and on what is above it.
uint32_t mp_sim_role_granted(const struct mp_sim_role *role, const char *path);
// The resource is gone, and all that is below it.
void mp_sim_roles_forget(struct mp_sim_roles *roles, const char *path);
extern const char *const mp_sim_permission_names[MP_SIM_PERMISSIONS];
