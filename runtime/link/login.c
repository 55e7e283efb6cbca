// SPDX-License-Identifier: Apache-2.0
// Who we are, told to a node that asks: tokens go to and fro between STARTUP and the rest of the handshake.
//
//   begin --token--> answer(challenge) --token--> ... answer(success) --> end
//
// What makes the tokens (struct mp_auth) may be the user's code, so anything may have happened when it comes back: who
// made the first token goes on, whatever was configured since, and a connection that was closed inside of it ends the
// exchange behind it. Rounds and bytes are bounded here, whoever makes them.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "link/conn_internal.h"
#include "link/handshake_internal.h"
#include "wire/message.h"

struct mp_login {
	struct mp_auth auth;
	struct mp_auth_exchange exchange;
	bool asked; // something of it is on the stack
	char authenticator[128];
};

static void end_now(struct mp_conn *conn)
{
	struct mp_login *login = conn->handshake.login;
	conn->handshake.login = NULL;
	if (login->auth.end != NULL && login->exchange.round > 0)
		login->auth.end(login->auth.data, &login->exchange);
	mp_free(login);
}

void mp_login_end(struct mp_conn *conn)
{
	if (conn->handshake.login != NULL && !conn->handshake.login->asked)
		end_now(conn);
}

// Behind something of the user's. Whether the connection still wants to know what came of it.
static bool came_back(struct mp_conn *conn)
{
	conn->handshake.login->asked = false;
	if (conn->state == MP_CONN_CLOSED)
		end_now(conn);
	return conn->state != MP_CONN_CLOSED;
}

static int send_token(struct mp_conn *conn, const struct mp_buf *token)
{
	if (token->len <= MP_AUTH_TOKEN_MAX)
		return mp_handshake_send_token(conn, token);
	mp_conn_fail(conn, MP_CLOSE_AUTH, "a token of %zu bytes is over the limit of %u", token->len,
	             MP_AUTH_TOKEN_MAX);
	return MP_EAUTH;
}

static int give_up(struct mp_conn *conn, int rc)
{
	const struct mp_login *login = conn->handshake.login;
	const char *why = login->exchange.why;
	if (rc == MP_ENOMEM)
		mp_conn_fail(conn, MP_CLOSE_LOCAL, "out of memory in the handshake");
	else if (why[0] != '\0')
		mp_conn_fail(conn, MP_CLOSE_AUTH, "%s", why);
	else
		mp_conn_fail(conn, MP_CLOSE_AUTH, "no answer to %s: %s",
		             login->exchange.round == 1 ? login->authenticator : "the challenge", mp_err_text(rc));
	return rc;
}

static int respond(struct mp_conn *conn, const struct mp_bytes *challenge)
{
	struct mp_login *login = conn->handshake.login;
	if (login->exchange.round == MP_AUTH_ROUNDS_MAX) {
		mp_conn_fail(conn, MP_CLOSE_AUTH, "more than %u rounds", MP_AUTH_ROUNDS_MAX);
		return MP_EAUTH;
	}
	login->exchange.round++;
	struct mp_buf token;
	mp_buf_init(&token);
	login->asked = true;
	int rc = login->auth.respond(login->auth.data, &login->exchange, challenge, &token);
	if (rc == 0)
		rc = mp_buf_status(&token);
	if (!came_back(conn))
		rc = MP_ECLOSED;
	else
		rc = rc == 0 ? send_token(conn, &token) : give_up(conn, rc);
	if (token.data != NULL)
		explicit_bzero(token.data, token.cap);
	mp_buf_deinit(&token);
	return rc;
}

int mp_login_begin(struct mp_conn *conn, struct mp_str authenticator)
{
	if (conn->settings.auth == NULL || conn->settings.auth->respond == NULL) {
		mp_conn_fail(conn, MP_CLOSE_AUTH, "the node asks for credentials (%.*s) and none are configured",
		             mp_handshake_shown(authenticator.len), authenticator.data);
		return MP_EAUTH;
	}
	struct mp_login *login = mp_calloc(1, sizeof(*login));
	if (login == NULL) {
		mp_conn_fail(conn, MP_CLOSE_LOCAL, "out of memory in the handshake");
		return MP_ENOMEM;
	}
	login->auth = *conn->settings.auth;
	snprintf(login->authenticator, sizeof(login->authenticator), "%.*s",
	         mp_handshake_shown(authenticator.len), authenticator.data);
	login->exchange = (struct mp_auth_exchange){.addr = &conn->addr, .authenticator = login->authenticator};
	conn->handshake.login = login;
	return respond(conn, NULL);
}

int mp_login_challenge(struct mp_conn *conn, const struct mp_bytes *challenge)
{
	if (challenge->len <= (int32_t)MP_AUTH_TOKEN_MAX)
		return respond(conn, challenge);
	mp_conn_fail(conn, MP_CLOSE_AUTH, "a challenge of %d bytes is over the limit of %u", challenge->len,
	             MP_AUTH_TOKEN_MAX);
	return MP_EAUTH;
}

int mp_login_success(struct mp_conn *conn, const struct mp_bytes *token)
{
	struct mp_login *login = conn->handshake.login;
	int rc = 0;
	if (login->auth.accept != NULL) {
		login->asked = true;
		rc = login->auth.accept(login->auth.data, &login->exchange, token);
		if (!came_back(conn))
			return MP_ECLOSED;
	}
	if (rc != 0)
		mp_conn_fail(conn, MP_CLOSE_AUTH, "the node's proof is not taken: %.110s",
		             login->exchange.why[0] != '\0' ? login->exchange.why : mp_err_text(rc));
	mp_login_end(conn);
	return rc;
}
