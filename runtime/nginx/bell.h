// SPDX-License-Identifier: Apache-2.0
// Where a coroutine of nginx's waits: a semaphore of lua-nginx-module's, owned by C, with the functions that its own
// ngx.semaphore calls. They are found by name, for the two modules are loaded in any order.
//
// A Lua-owned semaphore is not rung from C: it may be collected. A coroutine that was killed while it waited is not
// there any more (the semaphore's count says so). One that is killed between the ring and its turn leaves a ring
// behind, which is taken before the bell is waited at again.
#pragma once

#include "base/defs.h"

struct mp_bell;

const char *mp_bell_find(void); // NULL: all functions are there; otherwise the name of one that is not
struct mp_bell *mp_bell_new(void);
void mp_bell_free(struct mp_bell *bell);
// The coroutine of the request `r` that runs waits from now on.
void mp_bell_wait(struct mp_bell *bell, void *r);
bool mp_bell_ring(struct mp_bell *bell); // false: nobody waits
bool mp_bell_is_waited_at(struct mp_bell *bell);
