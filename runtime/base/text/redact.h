// SPDX-License-Identifier: Apache-2.0
// The shape of a secret in a text that somebody will read. Every line that leaves passes here: the log, errors,
// what the commands print, what the control socket answers. What is known to be secret is not put into messages in
// the first place (lua/moonpool/secrets.lua); this is for the texts of others.
//
//   cassandra://ana:s3cret@10.0.0.1        ->  cassandra://ana:***@10.0.0.1
//   password = "s3cret", secret: got 5     ->  password = "***", secret: got ***
#pragma once

#include <stddef.h>

// In place; the text gets no longer. Returns its length.
size_t mp_redact(char *text, size_t len);
void mp_redact_line(char *text); // the same for a text that ends with a zero
