// SPDX-License-Identifier: Apache-2.0
// SASL PLAIN, as PasswordAuthenticator and the classes that copy it want it: one token, no challenge.
#include <string.h>

#include "link/conn.h"

int mp_auth_plain_respond(void *data, struct mp_auth_exchange *exchange, const struct mp_bytes *challenge,
                          struct mp_buf *out)
{
	(void)exchange;
	const struct mp_auth_plain *plain = data;
	// The first token says everything; a server that asks on speaks another mechanism.
	if (challenge != NULL)
		return MP_EAUTH;
	if (plain->username == NULL || plain->password == NULL) // taken away while this connection opened
		return MP_EAUTH;
	size_t username_len = strlen(plain->username);
	size_t password_len = strlen(plain->password);
	// Whole room at once: a buffer that grows would leave copies of the password behind.
	if (mp_buf_reserve(out, 2 + username_len + password_len) == NULL)
		return MP_ENOMEM;
	mp_buf_u8(out, 0);
	mp_buf_bytes(out, plain->username, username_len);
	mp_buf_u8(out, 0);
	mp_buf_bytes(out, plain->password, password_len);
	return 0;
}
