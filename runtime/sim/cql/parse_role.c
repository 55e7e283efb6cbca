// SPDX-License-Identifier: Apache-2.0
// Roles and permissions: CREATE, ALTER, DROP ROLE (or USER), GRANT, REVOKE, LIST.
#include "sim/cql/parse.h"

#include "base/err.h"

static int parse_role_name(struct mp_sim_parser *p, struct mp_str *name)
{
	if (p->tok.kind != MP_SIM_TOK_STRING)
		return mp_sim_parse_name(p, name);
	*name = p->tok.text;
	return mp_sim_parser_step(p);
}

// ---- options ----------------------------------------------------------------------------------------------

static int parse_password(struct mp_sim_parser *p)
{
	if (p->tok.kind != MP_SIM_TOK_STRING)
		return mp_sim_expected(p, "a password in quotes");
	p->stmt->role.has_password = MP_SIM_SAID_TRUE;
	p->stmt->role.password = p->tok.text;
	return mp_sim_parser_step(p);
}

static int parse_boolean(struct mp_sim_parser *p, enum mp_sim_said *said)
{
	if (!mp_sim_at_word(p, "true") && !mp_sim_at_word(p, "false"))
		return mp_sim_expected(p, "true or false");
	*said = mp_sim_at_word(p, "true") ? MP_SIM_SAID_TRUE : MP_SIM_SAID_FALSE;
	return mp_sim_parser_step(p);
}

static int parse_option(struct mp_sim_parser *p)
{
	static const char *const words[] = {"PASSWORD", "LOGIN", "SUPERUSER"};
	struct mp_sim_role_def *role = &p->stmt->role;
	enum mp_sim_said *said[] = {&role->has_password, &role->login, &role->superuser};
	if (mp_sim_at_word(p, "OPTIONS"))
		return mp_sim_fail(p->err, MP_SE_INVALID,
		                   "org.apache.cassandra.auth.CassandraRoleManager doesn't support OPTIONS");
	for (size_t i = 0; i < MP_ARRAY_LEN(words); i++) {
		if (!mp_sim_at_word(p, words[i]))
			continue;
		if (*said[i] != MP_SIM_NOT_SAID)
			return mp_sim_fail(p->err, MP_SE_SYNTAX_ERROR, "Multiple definition for property '%s'", words[i]);
		MP_SIM_TRY(mp_sim_parser_step(p));
		MP_SIM_TRY(mp_sim_expect_mark(p, "="));
		return i == 0 ? parse_password(p) : parse_boolean(p, said[i]);
	}
	return mp_sim_expected(p, "PASSWORD, LOGIN or SUPERUSER");
}

static int parse_role_options(struct mp_sim_parser *p)
{
	int more = mp_sim_accept_word(p, "WITH");
	while (more > 0) {
		MP_SIM_TRY(parse_option(p));
		more = mp_sim_accept_word(p, "AND");
	}
	return more;
}

// [WITH PASSWORD 'x'] [SUPERUSER | NOSUPERUSER]: a user may log in.
static int parse_user_options(struct mp_sim_parser *p)
{
	struct mp_sim_role_def *role = &p->stmt->role;
	int taken = mp_sim_accept_word(p, "WITH");
	MP_SIM_TRY(taken);
	if (taken > 0) {
		MP_SIM_TRY(mp_sim_expect_word(p, "PASSWORD"));
		MP_SIM_TRY(parse_password(p));
	}
	if (p->stmt->kind == MP_SIM_CREATE_ROLE)
		role->login = MP_SIM_SAID_TRUE;
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "SUPERUSER"));
	if (taken > 0)
		role->superuser = MP_SIM_SAID_TRUE;
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "NOSUPERUSER"));
	if (taken > 0)
		role->superuser = MP_SIM_SAID_FALSE;
	return 0;
}

int mp_sim_parse_role(struct mp_sim_parser *p, enum mp_sim_stmt_kind kind, bool user)
{
	struct mp_sim_role_def *role = &p->stmt->role;
	p->stmt->kind = kind;
	role->user = user;
	MP_SIM_TRY(mp_sim_parser_step(p));
	MP_SIM_TRY(mp_sim_parse_if_exists(p, kind == MP_SIM_CREATE_ROLE));
	MP_SIM_TRY(parse_role_name(p, &role->role));
	if (role->role.len == 0)
		return mp_sim_fail(p->err, MP_SE_INVALID, "Role name can't be an empty string");
	if (kind == MP_SIM_DROP_ROLE)
		return 0;
	MP_SIM_TRY(user ? parse_user_options(p) : parse_role_options(p));
	bool says = role->login != MP_SIM_NOT_SAID || role->superuser != MP_SIM_NOT_SAID ||
	            role->has_password != MP_SIM_NOT_SAID;
	if (kind == MP_SIM_ALTER_ROLE && !says)
		return mp_sim_fail(p->err, MP_SE_INVALID, "ALTER [ROLE|USER] can't be empty");
	return 0;
}

// ---- resources --------------------------------------------------------------------------------------------

static int parse_all(struct mp_sim_parser *p)
{
	static const struct {
		const char *word;
		enum mp_sim_resource all, of_keyspace;
	} kinds[] = {{"KEYSPACES", MP_SIM_ON_ALL_KEYSPACES, MP_SIM_ON_ANYTHING},
	             {"TABLES", MP_SIM_ON_ANYTHING, MP_SIM_ON_ALL_TABLES},
	             {"ROLES", MP_SIM_ON_ALL_ROLES, MP_SIM_ON_ANYTHING},
	             {"FUNCTIONS", MP_SIM_ON_ALL_FUNCTIONS, MP_SIM_ON_FUNCTIONS}};
	struct mp_sim_role_def *role = &p->stmt->role;
	for (size_t i = 0; i < MP_ARRAY_LEN(kinds); i++) {
		int taken = mp_sim_accept_word(p, kinds[i].word);
		MP_SIM_TRY(taken);
		if (taken == 0)
			continue;
		role->resource = kinds[i].all;
		int in = kinds[i].of_keyspace != MP_SIM_ON_ANYTHING ? mp_sim_accept_word(p, "IN") : 0;
		MP_SIM_TRY(in);
		if (in == 0)
			return kinds[i].all == MP_SIM_ON_ANYTHING ? mp_sim_expected(p, "IN KEYSPACE") : 0;
		role->resource = kinds[i].of_keyspace;
		MP_SIM_TRY(mp_sim_expect_word(p, "KEYSPACE"));
		return mp_sim_parse_name(p, &role->keyspace);
	}
	return mp_sim_expected(p, "KEYSPACES, TABLES, ROLES or FUNCTIONS");
}

static int parse_resource(struct mp_sim_parser *p)
{
	struct mp_sim_role_def *role = &p->stmt->role;
	int taken = mp_sim_accept_word(p, "ALL");
	MP_SIM_TRY(taken);
	if (taken > 0)
		return parse_all(p);
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "KEYSPACE"));
	if (taken > 0) {
		role->resource = MP_SIM_ON_KEYSPACE;
		return mp_sim_parse_name(p, &role->keyspace);
	}
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "ROLE"));
	if (taken > 0) {
		role->resource = MP_SIM_ON_ROLE;
		return parse_role_name(p, &role->name);
	}
	MP_SIM_TRY(mp_sim_accept_word(p, "TABLE"));
	role->resource = MP_SIM_ON_TABLE;
	MP_SIM_TRY(mp_sim_parse_table(p));
	role->keyspace = p->stmt->keyspace;
	role->name = p->stmt->table;
	p->stmt->keyspace = (struct mp_str){"", 0}; // that of the resource is no keyspace in force
	return 0;
}

// ---- permissions ------------------------------------------------------------------------------------------

#define WORD(word) #word,
static const char *const permission_words[] = {MP_SIM_PERMISSION_LIST(WORD)};
#undef WORD

static int accept_permission(struct mp_sim_parser *p, uint32_t *permissions)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(permission_words); i++) {
		int taken = mp_sim_accept_word(p, permission_words[i]);
		if (taken != 0) {
			*permissions |= 1u << i;
			return taken;
		}
	}
	return 0;
}

// ALL [PERMISSIONS], or some of them.
static int parse_permissions(struct mp_sim_parser *p)
{
	uint32_t *permissions = &p->stmt->role.permissions;
	int taken = mp_sim_accept_word(p, "ALL"), more = taken == 0;
	MP_SIM_TRY(taken);
	if (taken > 0)
		*permissions = MP_SIM_ALL_PERMISSIONS;
	while (more > 0) {
		MP_SIM_TRY(taken = accept_permission(p, permissions));
		if (taken == 0)
			return mp_sim_expected(p, "a permission");
		MP_SIM_TRY(more = mp_sim_accept_mark(p, ","));
	}
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "PERMISSIONS"));
	return taken > 0 ? 0 : mp_sim_accept_word(p, "PERMISSION");
}

// ---- statements -------------------------------------------------------------------------------------------

static int parse_of(struct mp_sim_parser *p)
{
	struct mp_sim_role_def *role = &p->stmt->role;
	int taken = mp_sim_accept_word(p, "OF");
	MP_SIM_TRY(taken);
	if (taken > 0)
		MP_SIM_TRY(parse_role_name(p, &role->role));
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "NORECURSIVE"));
	role->without_others = taken > 0;
	return 0;
}

static int parse_list(struct mp_sim_parser *p)
{
	struct mp_sim_stmt *stmt = p->stmt;
	stmt->kind = MP_SIM_LIST_ROLES;
	int taken = mp_sim_accept_word(p, "ROLES");
	if (taken != 0)
		return taken < 0 ? taken : parse_of(p);
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "USERS"));
	stmt->role.user = taken > 0;
	if (taken > 0)
		return 0;
	stmt->kind = MP_SIM_LIST_PERMISSIONS;
	MP_SIM_TRY(parse_permissions(p));
	MP_SIM_TRY(taken = mp_sim_accept_word(p, "ON"));
	if (taken > 0)
		MP_SIM_TRY(parse_resource(p));
	return parse_of(p);
}

// Does TO or FROM stand behind the next word? Then that is a role.
static int gives_role(const struct mp_sim_parser *p, const char *word)
{
	struct mp_sim_lexer ahead = p->lex;
	struct mp_sim_token next = {0};
	MP_SIM_TRY(mp_sim_lexer_next(&ahead, &next));
	return next.kind == MP_SIM_TOK_WORD && mp_str_is_nocase(next.text, word);
}

int mp_sim_parse_grant(struct mp_sim_parser *p)
{
	struct mp_sim_stmt *stmt = p->stmt;
	bool grant = mp_sim_at_word(p, "GRANT"), list = mp_sim_at_word(p, "LIST");
	const char *word = grant ? "TO" : "FROM";
	MP_SIM_TRY(mp_sim_parser_step(p));
	if (list)
		return parse_list(p);
	int role = gives_role(p, word);
	MP_SIM_TRY(role);
	if (role > 0) {
		stmt->kind = grant ? MP_SIM_GRANT_ROLE : MP_SIM_REVOKE_ROLE;
		MP_SIM_TRY(parse_role_name(p, &stmt->role.role));
		MP_SIM_TRY(mp_sim_expect_word(p, word));
		return parse_role_name(p, &stmt->role.other);
	}
	stmt->kind = grant ? MP_SIM_GRANT : MP_SIM_REVOKE;
	MP_SIM_TRY(parse_permissions(p));
	MP_SIM_TRY(mp_sim_expect_word(p, "ON"));
	MP_SIM_TRY(parse_resource(p));
	MP_SIM_TRY(mp_sim_expect_word(p, word));
	return parse_role_name(p, &stmt->role.role);
}
