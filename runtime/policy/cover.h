// SPDX-License-Identifier: Apache-2.0
// Which lines of policies ran while they served, and from which line of the same function they were reached: for
// `moonpool test --coverage`. Off unless somebody switches it on, and nothing is asked of it then but that. While it is
// on, policy states that are made run without machine code, with a hook at each line.
//
// One for each thread. Of what a policy is asked when it is tried on made-up clusters nothing is counted, but that its
// file was run.
#pragma once

#include "base/defs.h"

struct mp_policy_state;

bool mp_cover_is_on(void);
void mp_cover_set(bool on); // either way what was counted is forgotten
// A state into which a policy is loaded now. Its texts are called "#1", "#2" by their numbers in state->files.
void mp_cover_begin(const struct mp_policy_state *state);
// from 0: it is the function's first line of a call.
void mp_cover_each(void (*fn)(void *data, const char *path, uint32_t from, uint32_t to, uint64_t count),
                   void *data);
