// SPDX-License-Identifier: Apache-2.0
// Who a client is. One of two authenticators: Cassandra's own, a name and a password in one token; or, so that clients
// can be seen to answer challenges, one of ours in `auth_rounds` rounds:
//
//   client: name      node: challenge      client: challenge ^ password      ...      node: challenge ^ drowssap
//
// A challenge is 16 random bytes, and the password is repeated as often as it takes; what the node says at last is of
// its last challenge, and proves that it knows the password, too.
#include "sim/coord.h"

#include <string.h>

#define PASSWORD_AUTHENTICATOR "org.apache.cassandra.auth.PasswordAuthenticator"
#define ROUNDS_AUTHENTICATOR   "moonpool.sim.RoundsAuthenticator"

struct mp_str mp_sim_authenticator(const struct mp_sim_cluster *cluster)
{
	return mp_str_of(cluster->options.auth_rounds > 0 ? ROUNDS_AUTHENTICATOR : PASSWORD_AUTHENTICATOR);
}

static int refuse(struct mp_sim_request *req)
{
	return mp_sim_fail(&req->err, MP_SE_BAD_CREDENTIALS, "Provided username %s and/or password are incorrect",
	                   req->conn->user);
}

// NULL: nobody, or somebody without a password.
static const struct mp_sim_role *claimed(const struct mp_sim_link *conn)
{
	const struct mp_sim_role *role = mp_sim_role_find(&conn->owner->cluster->roles, mp_str_of(conn->user));
	return role != NULL && role->password != NULL ? role : NULL;
}

static void claim(struct mp_sim_link *conn, struct mp_str name)
{
	size_t len = name.len <= MP_SIM_ROLE_MAX ? name.len : MP_SIM_ROLE_MAX;
	memcpy(conn->user, name.data, len);
	conn->user[len] = '\0';
}

static int succeed(struct mp_sim_request *req, struct mp_str token)
{
	if (!claimed(req->conn)->login)
		return mp_sim_fail(&req->err, MP_SE_BAD_CREDENTIALS, "%s is not permitted to log in",
		                   req->conn->user);
	req->conn->ready = true;
	struct mp_buf *buf = mp_sim_answer_begin(req);
	mp_encode_auth_success(buf, req->envelope.version, req->envelope.stream, token);
	mp_sim_answer_end(req);
	return 0;
}

// \0 user \0 password
static int serve_plain(struct mp_sim_request *req)
{
	const char *token = req->body.token.data, *end = token + req->body.token.len;
	const char *user = token < end && *token == '\0' ? token + 1 : end;
	const char *middle = user < end ? memchr(user, '\0', (size_t)(end - user)) : NULL;
	claim(req->conn, (struct mp_str){user, middle == NULL ? 0 : (size_t)(middle - user)});
	const struct mp_sim_role *role = claimed(req->conn);
	if (middle == NULL || role == NULL ||
	    !mp_str_is((struct mp_str){middle + 1, (size_t)(end - middle - 1)}, role->password))
		return refuse(req);
	return succeed(req, (struct mp_str){"", 0});
}

// out = challenge ^ password, which is read from its end for the node's own proof
static void mix(const struct mp_sim_link *conn, bool backwards, uint8_t out[MP_SIM_CHALLENGE])
{
	const char *password = claimed(conn)->password;
	size_t len = strlen(password);
	for (size_t i = 0; i < MP_SIM_CHALLENGE; i++) {
		size_t at = len > 0 ? i % len : 0;
		uint8_t letter = len > 0 ? (uint8_t)password[backwards ? len - 1 - at : at] : 0;
		out[i] = conn->challenge[i] ^ letter;
	}
}

static void challenge(struct mp_sim_request *req)
{
	struct mp_sim_link *conn = req->conn;
	for (size_t i = 0; i < MP_SIM_CHALLENGE; i++)
		conn->challenge[i] = (uint8_t)mp_rand_below(&conn->owner->cluster->rand, 256);
	conn->auth_round++;
	struct mp_buf *buf = mp_sim_answer_begin(req);
	mp_encode_auth_challenge(buf, req->envelope.version, req->envelope.stream,
	                         (struct mp_str){(const char *)conn->challenge, MP_SIM_CHALLENGE});
	mp_sim_answer_end(req);
}

static int serve_round(struct mp_sim_request *req)
{
	struct mp_sim_link *conn = req->conn;
	struct mp_str token = req->body.token;
	uint8_t proof[MP_SIM_CHALLENGE];
	if (conn->auth_round == 0)
		claim(conn, token);
	if (claimed(conn) == NULL)
		return refuse(req);
	mix(conn, false, proof);
	if (conn->auth_round > 0 && (token.len != sizeof(proof) || memcmp(token.data, proof, sizeof(proof)) != 0))
		return refuse(req);
	if (conn->auth_round < conn->owner->cluster->options.auth_rounds) {
		challenge(req);
		return 0;
	}
	mix(conn, true, proof);
	return succeed(req, (struct mp_str){(const char *)proof, sizeof(proof)});
}

int mp_sim_login(struct mp_sim_request *req)
{
	const struct mp_sim_link *conn = req->conn;
	if (!conn->started || conn->ready)
		return mp_sim_fail(&req->err, MP_SE_PROTOCOL_ERROR, "Unexpected message AUTH_RESPONSE");
	return conn->owner->cluster->options.auth_rounds > 0 ? serve_round(req) : serve_plain(req);
}
