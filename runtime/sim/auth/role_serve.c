// SPDX-License-Identifier: Apache-2.0
// Statements about roles and permissions, with Cassandra's checks and its words: who is no superuser may change his own
// password and look at what is his own.
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

static bool is_super(const struct role_request *r, const struct mp_sim_role *role)
{
	for (const struct mp_sim_role *other = r->roles->first; other != NULL; other = other->next) {
		if (other->super && mp_sim_role_is(role, other))
			return true;
	}
	return false;
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
	if (!r->super)
		return not_allowed(r);
	if (mp_sim_role_find(r->roles, name) != NULL)
		return r->stmt->if_not_exists ? 0 : no_role(r, "", name, " already exists");
	if (name.len > MP_SIM_ROLE_MAX || memchr(name.data, '\0', name.len) != NULL)
		return mp_sim_fail(r->err, MP_SE_INVALID,
		                   "Role names of more than %d bytes are not supported by the simulated cluster",
		                   MP_SIM_ROLE_MAX);
	struct mp_sim_role *role = mp_sim_role_add(r->roles, name);
	return role == NULL ? mp_sim_fail_nomem(r->err) : apply_options(r, role);
}

static int alter_role(struct role_request *r)
{
	struct mp_sim_role *role = mp_sim_role_find(r->roles, r->def->role);
	if (role == NULL)
		return r->stmt->if_exists ? 0 : no_role(r, "Role ", r->def->role, " doesn't exist");
	if (r->def->superuser != MP_SIM_NOT_SAID && mp_sim_role_is(r->self, role))
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED,
		                   "You aren't allowed to alter your own superuser status or that of a role granted "
		                   "to you");
	if (!r->super && r->def->superuser != MP_SIM_NOT_SAID)
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED,
		                   "Only superusers are allowed to alter superuser status");
	if (!r->super && role != r->self)
		return not_allowed(r);
	if (!r->super && r->def->login != MP_SIM_NOT_SAID)
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED, "You aren't allowed to alter LOGIN");
	return apply_options(r, role);
}

static int drop_role(struct role_request *r)
{
	struct mp_sim_role *role = mp_sim_role_find(r->roles, r->def->role);
	if (!r->super)
		return not_allowed(r);
	if (role == r->self)
		return mp_sim_fail(r->err, MP_SE_INVALID, "Cannot DROP primary role for current login");
	if (role == NULL)
		return r->stmt->if_exists ? 0 : no_role(r, "", r->def->role, " doesn't exist");
	mp_sim_role_drop(r->roles, role);
	return 0;
}

// ---- members ----------------------------------------------------------------------------------------------

static int change_member(struct role_request *r)
{
	bool grants = r->stmt->kind == MP_SIM_GRANT_ROLE;
	struct mp_sim_role *role = mp_sim_role_find(r->roles, r->def->role);
	struct mp_sim_role *other = mp_sim_role_find(r->roles, r->def->other);
	if (!r->super)
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
	uint32_t permissions = r->def->permissions & on.permissions;
	if (permissions == 0)
		return mp_sim_fail(r->err, MP_SE_SYNTAX_ERROR,
		                   "Resource type %s does not support any of the requested permissions", on.type);
	if (role == NULL)
		return no_role(r, "Role ", r->def->role, " doesn't exist");
	if (!r->super)
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED,
		                   "User %s has no AUTHORIZE permission on %s or any of its parents", r->self->name,
		                   on.shown);
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
	put_bool(r, r->def->user ? is_super(r, role) : role->super);
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
	if (!r->super && of != NULL && !mp_sim_role_is(r->self, of))
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED, "You are not authorized to view roles granted to %s ",
		                   of->name);
	of = of == NULL && !r->super ? r->self : of;
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
	size_t len = strlen(path);
	if (on->path[0] == '\0' || strcmp(on->path, path) == 0)
		return true;
	return !r->def->without_others && strncmp(on->path, path, len) == 0 && on->path[len] == '/';
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
	if (!r->super && of == NULL)
		return mp_sim_fail(r->err, MP_SE_UNAUTHORIZED,
		                   "You are not authorized to view everyone's permissions");
	if (!r->super && !mp_sim_role_is(r->self, of))
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
	r->super = is_super(r, r->self);
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
	                         .self = mp_sim_role_find(&cluster->roles, mp_str_of(req->conn->user)),
	                         .keyspace = plan->keyspace};
	mp_buf_init(&r.rows);
	int rc = run(&r);
	mp_buf_deinit(&r.rows);
	return rc;
}
