// SPDX-License-Identifier: Apache-2.0
// A lua_State that knows how much memory it holds: what every policy state is made of. It is given what it asks for,
// also beyond its cap, because LuaJIT bears it badly when memory is refused: to its stack, which it then writes past,
// and in compiled code. Whoever runs a script in it asks mp_vm_is_full() now and then, and bounds what the script can
// take in between (policy/gauge/fuel.h).
#pragma once

#include <lua.h>

#include "base/defs.h"

// A table's part, or a text: a state that holds a larger one is full. What LuaJIT's compiler makes for itself is
// smaller.
#define MP_VM_BLOCK_MAX ((size_t)256 << 10)

// Beyond the cap no more than this is given. Out of reach: many times what a script can take between two looks.
#define MP_VM_BACKSTOP ((size_t)256 << 20)

struct mp_vm {
	lua_State *L;
	size_t used_bytes;
	size_t cap_bytes;
	uint32_t big_blocks; // held now, larger than MP_VM_BLOCK_MAX
	uint64_t allocs; // times memory was given: two equal readings prove that nothing was allocated in between
	uint64_t given_bytes; // together, whatever was given back

	void *home;  // room for L's stack at its largest, so that it grows whatever happens
	void *stack; // where it is: home, or NULL as long as it is not known which block it is
	bool is_learning;
};

// The state has no library yet. 0 or MP_ENOMEM. The struct must not move afterwards.
int mp_vm_init(struct mp_vm *vm, size_t cap_bytes) MP_MUST_CHECK;
// LuaJIT's ffi, for who asks the registry for MP_VM_FFI. MP_ENOMEM: there is no state any more.
#define MP_VM_FFI "moonpool.ffi"
int mp_vm_open_ffi(struct mp_vm *vm) MP_MUST_CHECK;
static inline bool mp_vm_is_full(const struct mp_vm *vm)
{
	return vm->used_bytes > vm->cap_bytes || vm->big_blocks > 0;
}
// Processor time of this thread: what a script costs whatever else the machine does. Only ever for stopping a runaway;
// everything that a world decides goes by its loop's clock.
uint64_t mp_vm_cpu_ns(void);
void mp_vm_deinit(struct mp_vm *vm); // also after a failed init, also twice
