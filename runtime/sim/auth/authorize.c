// SPDX-License-Identifier: Apache-2.0
// Who may do what: each statement's permissions, as CassandraAuthorizer asks for them, of roles and of those they are
// members of. Superusers may do anything, and who makes something is granted all of it. Where nobody logs in only the
// system's keyspaces are protected.
#include <string.h>

#include "base/err.h"
#include "sim/auth/resource.h"
#include "sim/coord.h"
#include "sim/cql/parse.h"

static bool is_super(const struct mp_sim_request *req, const struct mp_sim_role *role)
{
	return mp_sim_role_is_super(&req->conn->owner->cluster->roles, role);
}

// A role that was dropped since it logged in may nothing.
int mp_sim_authorize_on(struct mp_sim_request *req, enum mp_sim_permission permission, const char *path)
{
	char shown[MP_SIM_PATH_MAX];
	const struct mp_sim_role *self = mp_sim_role_of(req);
	if (self != NULL && (is_super(req, self) || mp_sim_role_granted(self, path) & 1u << permission))
		return 0;
	mp_sim_resource_show(path, shown);
	return mp_sim_fail(&req->err, MP_SE_UNAUTHORIZED,
	                   "User %s has no %s permission on %s or any of its parents", req->conn->user,
	                   mp_sim_permission_names[permission], shown);
}

// ---- the system's keyspaces -------------------------------------------------------------------------------

// What drivers cannot do without.
static bool is_read_by_all(const struct mp_sim_table *table)
{
	static const struct {
		const char *keyspace;
		const char *table; // NULL: all
	} readable[] = {{"system", "local"},     {"system", "peers"},     {"system", "peers_v2"},
	                {"system_schema", NULL}, {"system_traces", NULL}, {"system_virtual_schema", NULL}};
	for (size_t i = 0; i < MP_ARRAY_LEN(readable); i++) {
		if (mp_str_is(table->keyspace, readable[i].keyspace) &&
		    (readable[i].table == NULL || mp_str_is(table->name, readable[i].table)))
			return true;
	}
	return false;
}

static bool is_replicated_system(struct mp_str keyspace)
{
	return mp_str_is(keyspace, "system_auth") || mp_str_is(keyspace, "system_distributed") ||
	       mp_str_is(keyspace, "system_traces");
}

static int protect(struct mp_sim_request *req, struct mp_str keyspace, enum mp_sim_permission permission,
                   const char *path)
{
	char shown[MP_SIM_PATH_MAX];
	if (!mp_sim_is_system(keyspace))
		return 0;
	if (!is_replicated_system(keyspace))
		return mp_sim_fail(&req->err, MP_SE_UNAUTHORIZED, "%.*s keyspace is not user-modifiable.",
		                   MP_SIM_S(keyspace));
	mp_sim_resource_show(path, shown);
	return mp_sim_fail(&req->err, MP_SE_UNAUTHORIZED, "Cannot %s %s", mp_sim_permission_names[permission],
	                   shown);
}

// ---- statements -------------------------------------------------------------------------------------------

static int on_table(struct mp_sim_request *req, const struct mp_sim_table *table,
                    enum mp_sim_permission permission)
{
	char path[MP_SIM_PATH_MAX];
	if (permission == MP_SIM_MAY_SELECT && is_read_by_all(table))
		return 0;
	mp_sim_resource_path(MP_SIM_ON_TABLE, table->keyspace, table->name, path);
	return mp_sim_authorize_on(req, permission, path);
}

static int on_schema(struct mp_sim_request *req, const struct mp_sim_plan *plan)
{
	static const struct need {
		enum mp_sim_permission permission;
		enum mp_sim_resource resource;
	} needs[] = {
		[MP_SIM_CREATE_KEYSPACE] = {MP_SIM_MAY_CREATE, MP_SIM_ON_ALL_KEYSPACES},
		[MP_SIM_ALTER_KEYSPACE] = {MP_SIM_MAY_ALTER, MP_SIM_ON_KEYSPACE},
		[MP_SIM_DROP_KEYSPACE] = {MP_SIM_MAY_DROP, MP_SIM_ON_KEYSPACE},
		[MP_SIM_CREATE_TABLE] = {MP_SIM_MAY_CREATE, MP_SIM_ON_ALL_TABLES},
		[MP_SIM_ALTER_TABLE] = {MP_SIM_MAY_ALTER, MP_SIM_ON_TABLE},
		[MP_SIM_DROP_TABLE] = {MP_SIM_MAY_DROP, MP_SIM_ON_TABLE},
		[MP_SIM_CREATE_TYPE] = {MP_SIM_MAY_CREATE, MP_SIM_ON_ALL_TABLES},
		[MP_SIM_ALTER_TYPE] = {MP_SIM_MAY_ALTER, MP_SIM_ON_ALL_TABLES},
		[MP_SIM_DROP_TYPE] = {MP_SIM_MAY_DROP, MP_SIM_ON_ALL_TABLES},
		[MP_SIM_CREATE_INDEX] = {MP_SIM_MAY_ALTER, MP_SIM_ON_TABLE},
		[MP_SIM_DROP_INDEX] = {MP_SIM_MAY_ALTER, MP_SIM_ON_TABLE},
	};
	const struct mp_sim_schema *schema = &req->conn->owner->cluster->schema;
	const struct need *need = &needs[plan->stmt->kind];
	struct mp_str keyspace = plan->keyspace, name = plan->stmt->table;
	char path[MP_SIM_PATH_MAX];
	if (keyspace.len == 0)
		return 0; // which is what is wrong with it
	if (plan->stmt->kind == MP_SIM_DROP_INDEX) {
		struct mp_sim_table *table = NULL;
		const struct mp_sim_keyspace *ks = mp_sim_schema_keyspace(schema, keyspace);
		if (ks == NULL || mp_sim_index_find(ks, name, &table) == NULL)
			return 0; // nobody's
		name = table->name;
	}
	mp_sim_resource_path(need->resource, keyspace, name, path);
	MP_SIM_TRY(protect(req, keyspace, need->permission, path));
	return req->conn->owner->cluster->user == NULL ? 0 : mp_sim_authorize_on(req, need->permission, path);
}

int mp_sim_authorize(struct mp_sim_request *req, const struct mp_sim_plan *plan)
{
	enum mp_sim_stmt_kind kind = plan->stmt->kind;
	if (kind >= MP_SIM_CREATE_KEYSPACE)
		return on_schema(req, plan);
	if (req->conn->owner->cluster->user == NULL || plan->table == NULL)
		return 0;
	if (kind == MP_SIM_SELECT)
		return on_table(req, plan->table, MP_SIM_MAY_SELECT);
	MP_SIM_TRY(on_table(req, plan->table, MP_SIM_MAY_MODIFY));
	return plan->conditional ? on_table(req, plan->table, MP_SIM_MAY_SELECT) : 0;
}

// ---- what is made and dropped -----------------------------------------------------------------------------

int mp_sim_authorize_maker(struct mp_sim_request *req, enum mp_sim_resource resource, struct mp_str keyspace,
                           struct mp_str name)
{
	char path[MP_SIM_PATH_MAX];
	struct mp_sim_role *self = mp_sim_role_of(req);
	if (self == NULL)
		return 0;
	mp_sim_resource_path(resource, keyspace, name, path);
	return mp_sim_role_permit(self, path, mp_sim_resource_permissions(resource)) < 0
	           ? mp_sim_fail_nomem(&req->err)
	           : 0;
}

int mp_sim_authorize_made(struct mp_sim_request *req, const struct mp_sim_change *change)
{
	if (change->change == NULL || strcmp(change->change, "CREATED") != 0)
		return 0;
	if (strcmp(change->target, "TABLE") == 0)
		return mp_sim_authorize_maker(req, MP_SIM_ON_TABLE, change->keyspace, change->name);
	if (strcmp(change->target, "KEYSPACE") != 0)
		return 0;
	MP_SIM_TRY(mp_sim_authorize_maker(req, MP_SIM_ON_KEYSPACE, change->keyspace, change->name));
	return mp_sim_authorize_maker(req, MP_SIM_ON_FUNCTIONS, change->keyspace, change->name);
}

void mp_sim_authorize_dropped(struct mp_sim_cluster *cluster, const struct mp_sim_change *change)
{
	bool table = strcmp(change->target, "TABLE") == 0;
	char path[MP_SIM_PATH_MAX];
	if (!table && strcmp(change->target, "KEYSPACE") != 0)
		return;
	mp_sim_resource_path(table ? MP_SIM_ON_TABLE : MP_SIM_ON_KEYSPACE, change->keyspace, change->name, path);
	mp_sim_roles_forget(&cluster->roles, path);
	if (table)
		return;
	mp_sim_resource_path(MP_SIM_ON_FUNCTIONS, change->keyspace, change->name, path);
	mp_sim_roles_forget(&cluster->roles, path);
}
