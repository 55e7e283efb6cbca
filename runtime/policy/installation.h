// SPDX-License-Identifier: Apache-2.0
// Where moonpool's own Lua files are: the folder that holds lua/ and policies/.
#pragma once

#include "base/defs.h"

// MOONPOOL_HOME if set; otherwise found from the file this code was loaded from: the source tree around a
// build directory, or ../share/moonpool of an installation. 0, or MP_ENOTFOUND with `path` empty.
int mp_installation_find(char *path, size_t size) MP_MUST_CHECK;
