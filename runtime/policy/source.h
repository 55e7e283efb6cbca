// SPDX-License-Identifier: Apache-2.0
// Policy files: which file a name means, and its text. A file may be anything while somebody edits it: gone,
// a directory, a pipe, a gigabyte. All of that is an ordinary error here and never blocks the loop.
#pragma once

#include "base/buf.h"
#include "base/defs.h"

#define MP_SOURCE_MAX_BYTES  ((size_t)256 << 10) // of a module of our own
#define MP_SOURCE_POLICY_MAX ((size_t)32 << 10)

struct mp_source_path {
	const char *home; // built-ins are in home/policies/<folder>/
	char **paths;     // searched before
	size_t path_count;
	// Whose signature a file needs, that is none of the built-in ones (policy/signed.h): public keys, end to end.
	uint8_t *keys;
	size_t key_count; // 0: anybody may change them
	bool (*is_good)(const uint8_t *key, const void *text, size_t len, const uint8_t *signature);
};

// The text of a regular file, NUL-terminated behind its length. Refused: more than `max_bytes`, bytecode, NUL
// bytes. 0, MP_ENOTFOUND, MP_ETOOBIG, MP_EINVAL, MP_ENOMEM, with `message` ("PATH: what is wrong").
int mp_source_read(const char *path, size_t max_bytes, struct mp_buf *text, char *message,
                   size_t message_size) MP_MUST_CHECK;

// The file of the policy `name` that answers `folder` ("balance"): a path when there is a slash or ".lua" in it;
// otherwise "DCAwareRoundRobinPolicy" is dc_aware_round_robin.lua, DCAwareRoundRobinPolicy.lua or any file that says
// name = "DCAwareRoundRobinPolicy", in each path (and its folder/), then in home. A last word that repeats the folder,
// or is `tail` ("load_balancing"; NULL: none), may be left out: "DefaultRetryPolicy" is retry/default.lua. 0, or
// MP_ENOTFOUND with `message`.
int mp_source_find(const struct mp_source_path *where, const char *folder, const char *tail, const char *name,
                   char *path, size_t path_size, char *message, size_t message_size) MP_MUST_CHECK;

// "DCAwareRoundRobinPolicy" -> "dc_aware_round_robin"; characters that are no letter or digit become "_".
void mp_source_snake(const char *name, char *snake, size_t size);
