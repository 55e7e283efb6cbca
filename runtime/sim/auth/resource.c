// SPDX-License-Identifier: Apache-2.0
#include "sim/auth/resource.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

#define BIT(word)    (1u << MP_SIM_MAY_##word)
#define CHANGES      (BIT(ALTER) | BIT(DROP) | BIT(AUTHORIZE))
#define OF_TABLES    (CHANGES | BIT(SELECT) | BIT(MODIFY) | BIT(UNMASK) | BIT(SELECT_MASKED))
#define OF_ROLES     (CHANGES | BIT(DESCRIBE))
#define OF_FUNCTIONS (CHANGES | BIT(CREATE) | BIT(EXECUTE))

static const struct kind {
	const char *type;
	const char *root;
	bool keyspace; // behind the root,
	bool tables;   // and behind that
	bool name;
	uint32_t permissions;
} kinds[] = {
	[MP_SIM_ON_ANYTHING] = {"", "", false, false, false, 0},
	[MP_SIM_ON_ALL_KEYSPACES] = {"DataResource", "data", false, false, false, OF_TABLES | BIT(CREATE)},
	[MP_SIM_ON_KEYSPACE] = {"DataResource", "data", true, false, false, OF_TABLES | BIT(CREATE)},
	[MP_SIM_ON_ALL_TABLES] = {"DataResource", "data", true, true, false, OF_TABLES | BIT(CREATE)},
	[MP_SIM_ON_TABLE] = {"DataResource", "data", true, false, true, OF_TABLES},
	[MP_SIM_ON_ALL_ROLES] = {"RoleResource", "roles", false, false, false, OF_ROLES | BIT(CREATE)},
	[MP_SIM_ON_ROLE] = {"RoleResource", "roles", false, false, true, OF_ROLES},
	[MP_SIM_ON_ALL_FUNCTIONS] = {"FunctionResource", "functions", false, false, false, OF_FUNCTIONS},
	[MP_SIM_ON_FUNCTIONS] = {"FunctionResource", "functions", true, false, false, OF_FUNCTIONS},
};

void mp_sim_resource_show(const char *path, char out[MP_SIM_PATH_MAX])
{
	size_t size = MP_SIM_PATH_MAX;
	const char *slash = strchr(path, '/'), *last = strrchr(path, '/');
	int len = slash == NULL ? 0 : (int)(last - slash - 1);
	if (slash == NULL)
		snprintf(out, size, "<all %s>", strcmp(path, "data") == 0 ? "keyspaces" : path);
	else if (strncmp(path, "roles", 5) == 0)
		snprintf(out, size, "<role %s>", slash + 1);
	else if (strncmp(path, "functions", 9) == 0)
		snprintf(out, size, "<all functions in %s>", slash + 1);
	else if (slash == last)
		snprintf(out, size, "<keyspace %s>", slash + 1);
	else if (strcmp(last, "/*") == 0)
		snprintf(out, size, "<all tables in %.*s>", len, slash + 1);
	else
		snprintf(out, size, "<table %.*s.%s>", len, slash + 1, last + 1);
}

static bool exists(const struct mp_sim_cluster *cluster, const struct mp_sim_role_def *def,
                   struct mp_str keyspace)
{
	if (def->resource == MP_SIM_ON_ROLE)
		return mp_sim_role_find(&cluster->roles, def->name) != NULL;
	if (def->resource == MP_SIM_ON_TABLE)
		return mp_sim_schema_table(&cluster->schema, keyspace, def->name) != NULL;
	return !kinds[def->resource].keyspace || mp_sim_schema_keyspace(&cluster->schema, keyspace) != NULL;
}

static int shorter(size_t len, size_t max)
{
	return (int)(len < max ? len : max);
}

void mp_sim_resource_path(enum mp_sim_resource resource, struct mp_str keyspace, struct mp_str name,
                          char out[MP_SIM_PATH_MAX])
{
	const struct kind *kind = &kinds[resource];
	size_t size = MP_SIM_PATH_MAX, len = (size_t)snprintf(out, size, "%s", kind->root);
	if (kind->keyspace)
		len += (size_t)snprintf(out + len, size - len, "/%.*s%s", shorter(keyspace.len, MP_SIM_NAME_MAX),
		                        keyspace.data, kind->tables ? "/*" : "");
	if (kind->name)
		snprintf(out + len, size - len, "/%.*s", shorter(name.len, MP_SIM_ROLE_MAX), name.data);
}

uint32_t mp_sim_resource_permissions(enum mp_sim_resource resource)
{
	return kinds[resource].permissions;
}

int mp_sim_resource_make(const struct mp_sim_cluster *cluster, const struct mp_sim_role_def *def,
                         struct mp_str keyspace, struct mp_sim_resource_path *out, struct mp_sim_error *err)
{
	const struct kind *kind = &kinds[def->resource];
	if (def->keyspace.len > 0)
		keyspace = def->keyspace;
	bool limited = kind->keyspace && mp_sim_is_system(keyspace) &&
	               !mp_str_is(keyspace, "system_virtual_schema") && !mp_str_is(keyspace, "system_views");
	*out = (struct mp_sim_resource_path){.type = kind->type,
	                                     .permissions = kind->permissions,
	                                     .grantable = limited ? BIT(SELECT) | BIT(ALTER) : kind->permissions};
	mp_sim_resource_path(def->resource, keyspace, def->name, out->path);
	if (def->resource != MP_SIM_ON_ANYTHING)
		mp_sim_resource_show(out->path, out->shown);
	return exists(cluster, def, keyspace)
	           ? 0
	           : mp_sim_fail(err, MP_SE_INVALID, "Resource %s doesn't exist", out->shown);
}
