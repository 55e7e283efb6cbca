// SPDX-License-Identifier: Apache-2.0
// system_auth: the roles told in Cassandra's tables. A hash of a password is made up of the role's name alone.
#include "sim/system.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

static void tell_hash(struct mp_sim_teller *t, const struct mp_sim_role *role)
{
	static const char letters[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	char text[61] = "$2a$10$";
	uint8_t id[16];
	mp_sim_hash_id(id, role->name, strlen(role->name), "salt", 4);
	for (size_t i = 7; i < 60; i++)
		text[i] = letters[(id[i % 16] + i * 7) % 64];
	mp_sim_tell_text(t, "salted_hash", mp_str_of(text));
}

static int tell_roles(struct mp_sim_teller *t)
{
	const struct mp_sim_role *role = t->node->cluster->roles.first;
	for (; role != NULL; role = role->next) {
		struct mp_str *of = mp_arena_alloc(t->arena, (role->of_count + 1) * sizeof(*of));
		if (of == NULL)
			return MP_ENOMEM;
		for (size_t i = 0; i < role->of_count; i++)
			of[i] = mp_str_of(role->of[i]->name);
		mp_sim_tell_text(t, "role", mp_str_of(role->name));
		mp_sim_tell_bool(t, "can_login", role->login);
		mp_sim_tell_bool(t, "is_superuser", role->super);
		if (role->of_count > 0)
			mp_sim_tell_texts(t, "member_of", of, role->of_count, false);
		if (role->password != NULL)
			tell_hash(t, role);
		int rc = mp_sim_tell_row(t);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int tell_members(struct mp_sim_teller *t)
{
	const struct mp_sim_roles *roles = &t->node->cluster->roles;
	for (const struct mp_sim_role *role = roles->first; role != NULL; role = role->next) {
		for (const struct mp_sim_role *member = roles->first; member != NULL; member = member->next) {
			bool is = false;
			for (size_t i = 0; i < member->of_count; i++)
				is = is || member->of[i] == role;
			if (!is)
				continue;
			mp_sim_tell_text(t, "role", mp_str_of(role->name));
			mp_sim_tell_text(t, "member", mp_str_of(member->name));
			int rc = mp_sim_tell_row(t);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

// A set of texts is in the order of its texts.
static void tell_names(struct mp_sim_teller *t, uint32_t permissions)
{
	struct mp_str names[MP_SIM_PERMISSIONS];
	size_t count = 0;
	for (uint32_t i = 0; i < MP_SIM_PERMISSIONS; i++) {
		if (!(permissions & 1u << i))
			continue;
		size_t at = count++;
		for (; at > 0 && strcmp(names[at - 1].data, mp_sim_permission_names[i]) > 0; at--)
			names[at] = names[at - 1];
		names[at] = mp_str_of(mp_sim_permission_names[i]);
	}
	mp_sim_tell_texts(t, "permissions", names, count, false);
}

static int tell_permissions(struct mp_sim_teller *t)
{
	const struct mp_sim_role *role = t->node->cluster->roles.first;
	for (; role != NULL; role = role->next) {
		for (const struct mp_sim_grant *grant = role->grants; grant != NULL; grant = grant->next) {
			mp_sim_tell_text(t, "role", mp_str_of(role->name));
			mp_sim_tell_text(t, "resource", mp_str_of(grant->resource));
			tell_names(t, grant->permissions);
			int rc = mp_sim_tell_row(t);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

const struct mp_sim_virtual mp_sim_auth_tables[] = {
	{"system_auth",
     "role text PRIMARY KEY, can_login boolean, is_superuser boolean, member_of set<text>, salted_hash text",
     "roles", 0, tell_roles},
	{"system_auth", "role text, member text, PRIMARY KEY (role, member)", "role_members", 0, tell_members},
	{"system_auth", "role text, resource text, permissions set<text>, PRIMARY KEY (role, resource)",
     "role_permissions", 0, tell_permissions},
	{NULL, NULL, NULL, 0, NULL},
};
