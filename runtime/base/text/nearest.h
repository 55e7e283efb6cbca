// SPDX-License-Identifier: Apache-2.0
// The name somebody meant, for messages: as lua/moonpool/nearest.lua, which policy states have, finds it.
#pragma once

#include "base/cursor.h"

// The closest of the names, case aside, if it is close enough to be worth asking; of equals the first in the alphabet.
// NULL: none is.
const char *mp_nearest(struct mp_str given, const char *const *names, size_t count);
// Appends ", did you mean timeout? There are: consistency, timeout" to a message about `given`, cut to `size`.
void mp_nearest_tell(char *message, size_t size, struct mp_str given, const char *const *names, size_t count);
