// SPDX-License-Identifier: Apache-2.0
// Descriptors 0, 1 and 2 are where a process reads and prints. When one of them is closed, as some supervisors leave
// them and a program may, the next thing that is opened gets its number: what is printed would go to a node, and libuv
// ends the process when it closes it.
#pragma once

#include "base/defs.h"

// Those of 0, 1 and 2 that are closed are open on /dev/null afterwards.
void mp_descriptor_fill_standard(void);
// Whether anything could be opened now.
bool mp_descriptor_is_free(void);
// A descriptor that was just opened, or another one of the same above 2; -1 with errno set: there is none, and it is
// closed. Anything below 0 stays what it is.
int mp_descriptor_raise(int fd) MP_MUST_CHECK;
