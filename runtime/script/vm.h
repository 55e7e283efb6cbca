// SPDX-License-Identifier: Apache-2.0
// A lua_State that cannot take more memory than it was given: what every decision state is made of.
#pragma once

#include <lua.h>

#include "base/defs.h"

#define MP_VM_BLOCK_MAX \
	((size_t)160 << 10) // one string or table part; bounds what a single operation can cost

// Beyond the cap this much is still given, so that memory hardly ever runs out inside of LuaJIT, which bears that badly
// in compiled code. Whoever runs a script asks mp_vm_is_full() now and then, nearly always before this much is gone.
#define MP_VM_RESERVE ((size_t)64 << 20)

struct mp_vm {
	lua_State *L;
	size_t used_bytes;
	size_t cap_bytes;
	uint64_t allocs; // times memory was given: two equal readings prove that nothing was allocated in between
	uint64_t given_bytes; // together, whatever was given back
	uint64_t refused;     // times it was not

	// Where L keeps `base` and `stack`, in words, and the type tags of what may stand below `base`; 0: not known.
	uint32_t base_word, stack_word;
	uint64_t thread_tag, function_tag;
};

// The state has no library yet. 0 or MP_ENOMEM. The struct must not move afterwards.
int mp_vm_init(struct mp_vm *vm, size_t cap_bytes) MP_MUST_CHECK;
// To be called once from a C function that runs in the state, before anything is compiled there.
void mp_vm_learn(struct mp_vm *vm);
static inline bool mp_vm_is_full(const struct mp_vm *vm)
{
	return vm->used_bytes > vm->cap_bytes;
}
// Processor time of this thread: what a script costs whatever else the machine does. Only ever for stopping a runaway;
// everything that a world decides goes by its loop's clock.
uint64_t mp_vm_cpu_ns(void);
void mp_vm_deinit(struct mp_vm *vm); // also after a failed init, also twice
