// SPDX-License-Identifier: Apache-2.0
// A statement as the log may show it: its words, with a question mark for each constant, because those are somebody's
// data. What stands behind PASSWORD is left out whatever it is.
#pragma once

#include "base/cursor.h"

#define MP_OUTLINE_MAX 240

// The beginning of it, if it is long; never more than MP_OUTLINE_MAX bytes with its end.
void mp_outline(struct mp_str cql, char out[MP_OUTLINE_MAX]);
