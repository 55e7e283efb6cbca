// SPDX-License-Identifier: Apache-2.0
// Statements about roles and permissions, with Cassandra's checks and its words: who was granted nothing may change his
// own password and look at what is his own.
#include <string.h>

#include "base/err.h"
#include "sim/auth/resource.h"
#include "sim/coord.h"
#include "sim/cql/parse.h"
#include "sim/cql/term.h"

struct role_request {
	struct mp_sim_request *req;
	struct mp_sim_error *err;
	const struct mp_sim_stmt *stmt;
	const struct mp_sim_role_def *def;
	struct mp_sim_cluster *cluster;
	struct mp_sim_roles *roles;
	struct mp_sim_role *self; // who asks
	bool super;
	struct mp_str keyspace; // in force
	struct mp_buf rows;
	uint32_t count;
};

struct mp_sim_role *mp_sim_role_of(const struct mp_sim_request *req)
{
	return mp_sim_role_find(&req->conn->owner->cluster->roles, mp_str_of(req->conn->user));
}

static bool may(const struct role_request *r, enum mp_sim_permission permission, struct mp_str role)
{
	char path[MP_SIM_PATH_MAX];
	mp_sim_resource_path(role.len > 0 ? MP_SIM_ON_ROLE : MP_SIM_ON_ALL_ROLES, (struct mp_str){"", 0}, role,
	                     path);
	return r->super || mp_sim_role_granted(r->self, path) & 1u << permission;
}

static bool is_super_role(const struct role_request *r, const struct mp_sim_role *role)
{
	return role != NULL && mp_sim_role_is_super(r->roles, role);
}

static int not_allowed(struct role_request *r)
{
	return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED,
	                   "User %s does not have sufficient privileges to perform the requested operation",
	                   r->self->name);
}

// "Role alice doesn't exist", or whatever the two words are.
static int no_role(struct role_request *r, const char *before, struct mp_str name, const char *behind)
{
	return mp_sim_fail(r->err, MP_SE_INVALID, "%s%.*s%s", before, MP_SIM_S(name), behind);
}

// ---- CREATE, ALTER, DROP ----------------------------------------------------------------------------------

static int apply_options(struct role_request *r, struct mp_sim_role *role)
{
	const struct mp_sim_role_def *def = r->def;
	if (def->login != MP_SIM_NOT_SAID)
		role->login = def->login == MP_SIM_SAID_TRUE;
	if (def->superuser != MP_SIM_NOT_SAID)
		role->super = def->superuser == MP_SIM_SAID_TRUE;
	int rc = def->has_password != MP_SIM_NOT_SAID ? mp_sim_role_set_password(role, def->password) : 0;
	return rc < 0 ? mp_sim_fail_nomem(r->err) : 0;
}

static int create_role(struct role_request *r)
{
	struct mp_str name = r->def->role;
	if (!may(r, MP_SIM_MAY_CREATE, (struct mp_str){"", 0}))
		return not_allowed(r);
	if (!r->super && r->def->superuser == MP_SIM_SAID_TRUE)
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED,
		                   "Only superusers can create a role with superuser status");
	if (mp_sim_role_find(r->roles, name) != NULL)
		return r->stmt->if_not_exists ? 0 : no_role(r, "", name, " already exists");
	if (name.len > MP_SIM_ROLE_MAX || memchr(name.data, '\0', name.len) != NULL)
		return mp_sim_fail(r->err, MP_SE_INVALID,
		                   "Role names of more than %d bytes are not supported by the simulated cluster",
		                   MP_SIM_ROLE_MAX);
	struct mp_sim_role *role = mp_sim_role_add(r->roles, name);
	if (role == NULL)
		return mp_sim_fail_nomem(r->err);
	MP_SIM_TRY(apply_options(r, role));
	return mp_sim_authorize_maker(r->req, MP_SIM_ON_ROLE, (struct mp_str){"", 0}, name);
}

static int alter_role(struct role_request *r)
{
	struct mp_sim_role *role = mp_sim_role_find(r->roles, r->def->role);
	if (r->def->superuser != MP_SIM_NOT_SAID && role != NULL && mp_sim_role_is(r->self, role))
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED,
		                   "You aren't allowed to alter your own superuser status or that of a role granted "
		                   "to you");
	if (!r->super && r->def->superuser != MP_SIM_NOT_SAID)
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED,
		                   "Only superusers are allowed to alter superuser status");
	if (role != r->self && !may(r, MP_SIM_MAY_ALTER, r->def->role))
		return not_allowed(r);
	if (role == r->self && !r->super && r->def->login != MP_SIM_NOT_SAID)
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED, "You aren't allowed to alter LOGIN");
	if (role == NULL)
		return r->stmt->if_exists ? 0 : no_role(r, "Role ", r->def->role, " doesn't exist");
	return apply_options(r, role);
}

static int drop_role(struct role_request *r)
{
	struct mp_sim_role *role = mp_sim_role_find(r->roles, r->def->role);
	char path[MP_SIM_PATH_MAX];
	if (!may(r, MP_SIM_MAY_DROP, r->def->role))
		return not_allowed(r);
	if (!r->super && is_super_role(r, role))
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED,
		                   "Only superusers can drop a role with superuser status");
	if (role == r->self)
		return mp_sim_fail(r->err, MP_SE_INVALID, "Cannot DROP primary role for current login");
	if (role == NULL)
		return r->stmt->if_exists ? 0 : no_role(r, "", r->def->role, " doesn't exist");
	mp_sim_role_drop(r->roles, role);
	mp_sim_resource_path(MP_SIM_ON_ROLE, (struct mp_str){"", 0}, r->def->role, path);
	mp_sim_roles_forget(r->roles, path);
	return 0;
}

// ---- members ----------------------------------------------------------------------------------------------

static int change_member(struct role_request *r)
{
	bool grants = r->stmt->kind == MP_SIM_GRANT_ROLE;
	struct mp_sim_role *role = mp_sim_role_find(r->roles, r->def->role);
	struct mp_sim_role *other = mp_sim_role_find(r->roles, r->def->other);
	if (!may(r, MP_SIM_MAY_AUTHORIZE, r->def->role))
		return not_allowed(r);
	if (role == NULL || other == NULL)
		return no_role(r, "", role == NULL ? r->def->role : r->def->other, " doesn't exist");
	if (!grants)
		return mp_sim_role_leave(other, role)
		           ? 0
		           : mp_sim_fail(r->err, MP_SE_INVALID, "%s is not a member of %s", other->name, role->name);
	bool is = mp_sim_role_is(other, role), ring = mp_sim_role_is(role, other);
	if (is || ring)
		return mp_sim_fail(r->err, MP_SE_INVALID, "%s is a member of %s", is ? other->name : role->name,
		                   is ? role->name : other->name);
	return mp_sim_role_join(other, role) < 0 ? mp_sim_fail_nomem(r->err) : 0;
}

// ---- permissions ------------------------------------------------------------------------------------------

static int change_permissions(struct role_request *r)
{
	struct mp_sim_resource_path on;
	struct mp_sim_role *role = mp_sim_role_find(r->roles, r->def->role);
	MP_SIM_TRY(mp_sim_resource_make(r->cluster, r->def, r->keyspace, &on, r->err));
	if (strcmp(on.path, "functions/system") == 0)
		return mp_sim_fail(r->err, MP_SE_INVALID,
		                   "Altering permissions on builtin functions is not supported");
	uint32_t permissions = r->def->permissions & on.permissions;
	if (permissions == 0)
		return mp_sim_fail(r->err, MP_SE_SYNTAX_ERROR,
		                   "Resource type %s does not support any of the requested permissions", on.type);
	MP_SIM_TRY(mp_sim_authorize_on(r->req, MP_SIM_MAY_AUTHORIZE, on.path));
	for (uint32_t i = 0; i < MP_SIM_PERMISSIONS; i++) {
		if (permissions & 1u << i)
			MP_SIM_TRY(mp_sim_authorize_on(r->req, (enum mp_sim_permission)i, on.path));
	}
	if (role == NULL)
		return no_role(r, "Role ", r->def->role, " doesn't exist");
	if (r->stmt->kind == MP_SIM_GRANT && permissions & ~on.grantable)
		return mp_sim_fail(
			r->err, MP_SE_UNAUTHORIZED,
			"Granting permissions on system keyspaces is strictly limited, this operation is not "
			"permitted");
	if (r->stmt->kind == MP_SIM_REVOKE) {
		mp_sim_role_forbid(role, on.path, permissions);
		return 0;
	}
	return mp_sim_role_permit(role, on.path, permissions) < 0 ? mp_sim_fail_nomem(r->err) : 0;
}

// ---- LIST -------------------------------------------------------------------------------------------------

static void put_text(struct role_request *r, const char *text)
{
	mp_buf_i32(&r->rows, (int32_t)strlen(text));
	mp_buf_text(&r->rows, text);
}

static void put_bool(struct role_request *r, bool value)
{
	mp_buf_i32(&r->rows, 1);
	mp_buf_u8(&r->rows, value);
}

static int answer(struct role_request *r, const char *table, const struct mp_sim_listed *columns,
                  uint32_t count)
{
	return mp_sim_answer_list(r->req, "system_auth", table, columns, count, &r->rows, r->count);
}

// Of whom the list is: NULL: of all.
static int listed_role(struct role_request *r, struct mp_sim_role **of)
{
	*of = NULL;
	if (r->def->role.len == 0)
		return 0;
	*of = mp_sim_role_find(r->roles, r->def->role);
	return *of == NULL ? no_role(r, "<role ", r->def->role, "> doesn't exist") : 0;
}

static bool is_direct(const struct mp_sim_role *role, const struct mp_sim_role *other)
{
	bool direct = role == other;
	for (size_t i = 0; i < role->of_count; i++)
		direct = direct || role->of[i] == other;
	return direct;
}

static void put_role(struct role_request *r, const struct mp_sim_role *role)
{
	put_text(r, role->name);
	put_bool(r, r->def->user ? is_super_role(r, role) : role->super);
	if (!r->def->user) {
		put_bool(r, role->login);
		mp_buf_i32(&r->rows, 4); // no options
		mp_buf_i32(&r->rows, 0);
	}
	put_text(r, "ALL"); // datacentres
	r->count++;
}

static int list_roles(struct role_request *r)
{
	static const struct mp_type text = {.id = MP_TYPE_VARCHAR}, boolean = {.id = MP_TYPE_BOOLEAN};
	static const struct mp_type *const of_map[] = {&text, &text};
	struct mp_type map = {
		.id = MP_TYPE_MAP, .child_count = 2, .children = (struct mp_type **)(uintptr_t)of_map};
	struct mp_sim_role *of;
	MP_SIM_TRY(listed_role(r, &of));
	bool all = may(r, MP_SIM_MAY_DESCRIBE, (struct mp_str){"", 0});
	if (!all && of != NULL && !mp_sim_role_is(r->self, of))
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED, "You are not authorized to view roles granted to %s ",
		                   of->name);
	of = of == NULL && !all ? r->self : of;
	for (const struct mp_sim_role *role = r->roles->first; role != NULL; role = role->next) {
		bool listed = of == NULL || (r->def->without_others ? is_direct(of, role) : mp_sim_role_is(of, role));
		if (listed && (role->login || !r->def->user))
			put_role(r, role);
	}
	struct mp_sim_listed roles[] = {
		{"role", &text}, {"super", &boolean}, {"login", &boolean}, {"options", &map}, {"datacenters", &text}};
	struct mp_sim_listed users[] = {{"name", &text}, {"super", &boolean}, {"datacenters", &text}};
	return r->def->user ? answer(r, "users", users, 3) : answer(r, "roles", roles, 5);
}

// Is it what was asked for, or above it?
static bool is_asked(const struct role_request *r, const struct mp_sim_resource_path *on, const char *path)
{
	if (on->path[0] == '\0' || strcmp(on->path, path) == 0)
		return true;
	return !r->def->without_others && mp_sim_role_covers(path, on->path);
}

static void put_grants(struct role_request *r, const struct mp_sim_role *role,
                       const struct mp_sim_resource_path *on)
{
	for (const struct mp_sim_grant *grant = role->grants; grant != NULL; grant = grant->next) {
		char shown[MP_SIM_PATH_MAX];
		if (!is_asked(r, on, grant->resource))
			continue;
		mp_sim_resource_show(grant->resource, shown);
		for (uint32_t i = 0; i < MP_SIM_PERMISSIONS; i++) {
			if (!(grant->permissions & r->def->permissions & 1u << i))
				continue;
			put_text(r, role->name);
			put_text(r, role->name);
			put_text(r, shown);
			put_text(r, mp_sim_permission_names[i]);
			r->count++;
		}
	}
}

static int list_permissions(struct role_request *r)
{
	struct mp_sim_resource_path on;
	struct mp_sim_role *of;
	MP_SIM_TRY(mp_sim_resource_make(r->cluster, r->def, r->keyspace, &on, r->err));
	MP_SIM_TRY(listed_role(r, &of));
	bool seen = may(r, MP_SIM_MAY_DESCRIBE, of != NULL ? mp_str_of(of->name) : (struct mp_str){"", 0});
	if (!seen && of == NULL)
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED,
		                   "You are not authorized to view everyone's permissions");
	if (!seen && !mp_sim_role_is(r->self, of))
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED, "You are not authorized to view %s's permissions",
		                   of->name);
	for (const struct mp_sim_role *role = r->roles->first; role != NULL; role = role->next) {
		if (of == NULL || mp_sim_role_is(of, role)) // NORECURSIVE or not
			put_grants(r, role, &on);
	}
	if (r->count == 0) {
		mp_sim_answer_void(r->req); // no rows are none at all
		return 0;
	}
	const struct mp_type *text = mp_sim_scalar_type(MP_TYPE_VARCHAR);
	struct mp_sim_listed columns[] = {
		{"role", text}, {"username", text}, {"resource", text}, {"permission", text}};
	return answer(r, "permissions", columns, 4);
}

// ---- all --------------------------------------------------------------------------------------------------

static int change(struct role_request *r)
{
	switch (r->stmt->kind) {
	case MP_SIM_CREATE_ROLE: return create_role(r);
	case MP_SIM_ALTER_ROLE: return alter_role(r);
	case MP_SIM_DROP_ROLE: return drop_role(r);
	case MP_SIM_GRANT_ROLE:
	case MP_SIM_REVOKE_ROLE: return change_member(r);
	default: return change_permissions(r);
	}
}

static int run(struct role_request *r)
{
	if (r->self == NULL)
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED,
		                   "You have to be logged in and not anonymous to perform this request");
	r->super = mp_sim_role_is_super(r->roles, r->self);
	if (r->stmt->kind == MP_SIM_LIST_ROLES)
		return list_roles(r);
	if (r->stmt->kind == MP_SIM_LIST_PERMISSIONS)
		return list_permissions(r);
	MP_SIM_TRY(change(r));
	r->req->executed = true;
	mp_sim_answer_void(r->req);
	return 0;
}

int mp_sim_serve_role(struct mp_sim_request *req, const struct mp_sim_plan *plan)
{
	struct mp_sim_cluster *cluster = req->conn->owner->cluster;
	struct role_request r = {.req = req,
	                         .err = &req->err,
	                         .stmt = plan->stmt,
	                         .def = &plan->stmt->role,
	                         .cluster = cluster,
	                         .roles = &cluster->roles,
	                         .self = mp_sim_role_of(req),
	                         .keyspace = plan->keyspace};
	mp_buf_init(&r.rows);
	int rc = run(&r);
	mp_buf_deinit(&r.rows);
	return rc;
}
