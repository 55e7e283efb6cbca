// SPDX-License-Identifier: Apache-2.0
#include "policy/signed.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/text/hex.h"

#define SIGNATURES_BYTES ((size_t)16 << 10) // of the file beside
#define WORD             "ed25519 "

// Is it below home/policies/, whatever way its path takes?
static bool is_built_in(const struct mp_source_path *where, const char *path)
{
	char home[PATH_MAX], folder[PATH_MAX], file[PATH_MAX];
	int len = snprintf(folder, sizeof(folder), "%s/policies", where->home);
	if (len < 0 || (size_t)len >= sizeof(folder) || realpath(folder, home) == NULL ||
	    realpath(path, file) == NULL)
		return false;
	size_t at = strlen(home);
	return strncmp(file, home, at) == 0 && file[at] == '/';
}

bool mp_policy_wants_signature(const struct mp_source_path *where, const char *path)
{
	return where->key_count > 0 && !is_built_in(where, path);
}

// A line "ed25519 HEX" of the file, and whatever stands behind it.
static bool is_good(const struct mp_source_path *where, const char *line, const struct mp_buf *text)
{
	uint8_t signature[MP_POLICY_SIGNATURE_BYTES];
	if (strncmp(line, WORD, strlen(WORD)) != 0 ||
	    !mp_hex_read(line + strlen(WORD), signature, sizeof(signature)))
		return false;
	for (size_t i = 0; i < where->key_count; i++)
		if (where->is_good(where->keys + i * MP_POLICY_KEY_BYTES, text->data, text->len, signature))
			return true;
	return false;
}

int mp_policy_check_signature(const struct mp_source_path *where, const char *path, const struct mp_buf *text,
                              char *message, size_t message_size)
{
	if (!mp_policy_wants_signature(where, path))
		return 0;
	char beside[PATH_MAX];
	char why[256] = "its name is too long";
	struct mp_buf lines;
	mp_buf_init(&lines);
	int len = snprintf(beside, sizeof(beside), "%s.sig", path);
	int rc = len > 0 && (size_t)len < sizeof(beside)
	             ? mp_source_read(beside, SIGNATURES_BYTES, &lines, why, sizeof(why))
	             : MP_ETOOBIG;
	bool good = false;
	for (const char *line = rc == 0 ? (const char *)lines.data : NULL; line != NULL && !good;) {
		good = is_good(where, line, text);
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	mp_buf_deinit(&lines);
	if (good)
		return 0;
	if (rc != 0)
		snprintf(message, message_size, "%s: it is not signed, as policyKeys wants it: %s", path, why);
	else
		snprintf(message, message_size,
		         "%s: its signature (%s.sig) is not of this text by one of policyKeys: sign it again", path,
		         path);
	return MP_EAUTH;
}
