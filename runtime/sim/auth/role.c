// SPDX-License-Identifier: Apache-2.0
#include "sim/auth/role.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "sim/store/schema.h"

#define NAME(word) #word,
const char *const mp_sim_permission_names[] = {MP_SIM_PERMISSION_LIST(NAME)};
#undef NAME

static void free_role(struct mp_sim_role *role)
{
	while (role->grants != NULL) {
		struct mp_sim_grant *grant = role->grants;
		role->grants = grant->next;
		mp_free(grant);
	}
	mp_free(role->of);
	mp_free(role->password);
	mp_free(role);
}

void mp_sim_roles_clear(struct mp_sim_roles *roles)
{
	while (roles->first != NULL) {
		struct mp_sim_role *role = roles->first;
		roles->first = role->next;
		free_role(role);
	}
}

struct mp_sim_role *mp_sim_role_find(const struct mp_sim_roles *roles, struct mp_str name)
{
	struct mp_sim_role *role = roles->first;
	while (role != NULL && !mp_str_is(name, role->name))
		role = role->next;
	return role;
}

struct mp_sim_role *mp_sim_role_add(struct mp_sim_roles *roles, struct mp_str name)
{
	struct mp_sim_role *role = mp_calloc(1, sizeof(*role) + name.len + 1);
	if (role == NULL)
		return NULL;
	memcpy(role->name, name.data, name.len);
	struct mp_sim_role **link = &roles->first;
	while (*link != NULL && strcmp((*link)->name, role->name) < 0)
		link = &(*link)->next;
	role->next = *link;
	*link = role;
	return role;
}

void mp_sim_role_drop(struct mp_sim_roles *roles, struct mp_sim_role *role)
{
	for (struct mp_sim_role *other = roles->first; other != NULL; other = other->next)
		(void)mp_sim_role_leave(other, role);
	struct mp_sim_role **link = &roles->first;
	while (*link != role)
		link = &(*link)->next;
	*link = role->next;
	free_role(role);
}

int mp_sim_role_set_password(struct mp_sim_role *role, struct mp_str password)
{
	char *copy = mp_calloc(1, password.len + 1);
	if (copy == NULL)
		return MP_ENOMEM;
	if (password.len > 0)
		memcpy(copy, password.data, password.len);
	mp_free(role->password);
	role->password = copy;
	return 0;
}

// ---- members ----------------------------------------------------------------------------------------------

// There are no rings: join() is only asked for what is no member of the role already.
bool mp_sim_role_is(const struct mp_sim_role *role, const struct mp_sim_role *other)
{
	bool is = role == other;
	for (size_t i = 0; !is && i < role->of_count; i++)
		is = mp_sim_role_is(role->of[i], other);
	return is;
}

bool mp_sim_role_is_super(const struct mp_sim_roles *roles, const struct mp_sim_role *role)
{
	for (const struct mp_sim_role *other = roles->first; other != NULL; other = other->next) {
		if (other->super && mp_sim_role_is(role, other))
			return true;
	}
	return false;
}

int mp_sim_role_join(struct mp_sim_role *role, struct mp_sim_role *other)
{
	struct mp_sim_role **of = mp_realloc(role->of, (role->of_count + 1) * sizeof(struct mp_sim_role *));
	if (of == NULL)
		return MP_ENOMEM;
	role->of = of;
	size_t at = role->of_count++;
	for (; at > 0 && strcmp(of[at - 1]->name, other->name) > 0; at--)
		of[at] = of[at - 1];
	of[at] = other;
	return 0;
}

bool mp_sim_role_leave(struct mp_sim_role *role, const struct mp_sim_role *other)
{
	size_t kept = 0;
	for (size_t i = 0; i < role->of_count; i++) {
		if (role->of[i] != other)
			role->of[kept++] = role->of[i];
	}
	bool was = kept < role->of_count;
	role->of_count = kept;
	return was;
}

// ---- permissions ------------------------------------------------------------------------------------------

int mp_sim_role_permit(struct mp_sim_role *role, const char *resource, uint32_t permissions)
{
	struct mp_sim_grant **link = &role->grants;
	while (*link != NULL && strcmp((*link)->resource, resource) < 0)
		link = &(*link)->next;
	if (*link == NULL || strcmp((*link)->resource, resource) != 0) {
		size_t len = strlen(resource);
		struct mp_sim_grant *grant = mp_calloc(1, sizeof(*grant) + len + 1);
		if (grant == NULL)
			return MP_ENOMEM;
		memcpy(grant->resource, resource, len);
		grant->next = *link;
		*link = grant;
	}
	(*link)->permissions |= permissions;
	return 0;
}

void mp_sim_role_forbid(struct mp_sim_role *role, const char *resource, uint32_t permissions)
{
	for (struct mp_sim_grant **link = &role->grants; *link != NULL; link = &(*link)->next) {
		struct mp_sim_grant *grant = *link;
		if (strcmp(grant->resource, resource) != 0)
			continue;
		grant->permissions &= ~permissions;
		if (grant->permissions == 0) {
			*link = grant->next;
			mp_free(grant);
		}
		return;
	}
}

// A role's name may hold anything; the names of keyspaces and tables hold no slash.
bool mp_sim_role_covers(const char *resource, const char *path)
{
	size_t len = strlen(resource);
	if (strcmp(resource, path) == 0)
		return true;
	if (strncmp(path, "roles/", 6) == 0)
		return strcmp(resource, "roles") == 0;
	if (len > 2 && strcmp(resource + len - 2, "/*") == 0)
		len -= 2; // all tables: each of them, and not the keyspace
	return strncmp(resource, path, len) == 0 && path[len] == '/';
}

// What is granted on all keyspaces is not granted on the system's.
static bool reaches(const char *resource, const char *path)
{
	const char *keyspace = path + strlen("data/");
	bool system = strncmp(path, "data/", strlen("data/")) == 0 &&
	              mp_sim_is_system((struct mp_str){keyspace, strcspn(keyspace, "/")});
	return mp_sim_role_covers(resource, path) && !(system && strcmp(resource, "data") == 0);
}

uint32_t mp_sim_role_granted(const struct mp_sim_role *role, const char *path)
{
	uint32_t granted = 0;
	for (const struct mp_sim_grant *grant = role->grants; grant != NULL; grant = grant->next)
		granted |= reaches(grant->resource, path) ? grant->permissions : 0;
	for (size_t i = 0; i < role->of_count; i++)
		granted |= mp_sim_role_granted(role->of[i], path);
	return granted;
}

void mp_sim_roles_forget(struct mp_sim_roles *roles, const char *path)
{
	for (struct mp_sim_role *role = roles->first; role != NULL; role = role->next) {
		struct mp_sim_grant **link = &role->grants;
		while (*link != NULL) {
			struct mp_sim_grant *grant = *link;
			if (!mp_sim_role_covers(path, grant->resource)) {
				link = &grant->next;
				continue;
			}
			*link = grant->next;
			mp_free(grant);
		}
	}
}
