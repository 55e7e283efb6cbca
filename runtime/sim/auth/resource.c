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

int mp_sim_resource_make(const struct mp_sim_cluster *cluster, const struct mp_sim_role_def *def,
                         struct mp_str keyspace, struct mp_sim_resource_path *out, struct mp_sim_error *err)
{
	const struct kind *kind = &kinds[def->resource];
	if (def->keyspace.len > 0)
		keyspace = def->keyspace;
	*out = (struct mp_sim_resource_path){.type = kind->type, .permissions = kind->permissions};
	int len = snprintf(out->path, sizeof(out->path), "%s", kind->root);
	if (kind->keyspace)
		len += snprintf(out->path + len, sizeof(out->path) - (size_t)len, "/%.*s%s",
		                (int)(keyspace.len < MP_SIM_NAME_MAX ? keyspace.len : MP_SIM_NAME_MAX), keyspace.data,
		                kind->tables ? "/*" : "");
	if (kind->name)
		snprintf(out->path + len, sizeof(out->path) - (size_t)len, "/%.*s",
		         (int)(def->name.len < MP_SIM_ROLE_MAX ? def->name.len : MP_SIM_ROLE_MAX), def->name.data);
	if (def->resource != MP_SIM_ON_ANYTHING)
		mp_sim_resource_show(out->path, out->shown);
	return exists(cluster, def, keyspace)
	           ? 0
	           : mp_sim_fail(err, MP_SE_INVALID, "Resource %s doesn't exist", out->shown);
}
