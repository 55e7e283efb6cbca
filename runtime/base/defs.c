// SPDX-License-Identifier: Apache-2.0
#include "base/defs.h"

#include <stdio.h>
#include <stdlib.h>

void mp_assert_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "moonpool: %s:%d: broken invariant: %s\n", file, line, cond);
	abort();
}
