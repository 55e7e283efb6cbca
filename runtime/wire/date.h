// SPDX-License-Identifier: Apache-2.0
// CQL dates as text, over all 2^32 days that one can name. A date counts days; 2^31 is 1970-01-01.
#pragma once

#include "base/defs.h"

#define MP_DATE_TEXT 40
void mp_date_format(uint32_t date, char text[MP_DATE_TEXT]); // "2024-02-29", "-5877641-06-23"
int mp_date_parse(const char *text, size_t len, uint32_t *date) MP_MUST_CHECK; // MP_ETYPE
