// SPDX-License-Identifier: Apache-2.0
// Who may change a policy: where keys are given, a file comes into force only with a signature of its text by one of
// them beside it, "mine.lua.sig". Built-in policies are part of the program.
//
// Invariant: what is judged is the text that was read and will run, not what the file says by then.
#pragma once

#include "policy/source.h"

#define MP_POLICY_KEY_BYTES       32
#define MP_POLICY_SIGNATURE_BYTES 64

typedef bool (*mp_policy_is_good)(const uint8_t key[MP_POLICY_KEY_BYTES], const void *text, size_t len,
                                  const uint8_t signature[MP_POLICY_SIGNATURE_BYTES]);

// 0: nobody is asked for a signature, or it has one. MP_EAUTH with `message` ("PATH: why").
int mp_policy_check_signature(const struct mp_source_path *where, const char *path, const struct mp_buf *text,
                              char *message, size_t message_size) MP_MUST_CHECK;
// Does the file need one?
bool mp_policy_wants_signature(const struct mp_source_path *where, const char *path);
