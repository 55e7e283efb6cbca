// SPDX-License-Identifier: Apache-2.0
// The allocator counts what LuaJIT holds and says no at the cap, which LuaJIT turns into an ordinary error of
// the script that asked. Shrinking always succeeds, as LuaJIT demands.
#include "script/vm.h"

#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"

static void *vm_alloc(void *data, void *ptr, size_t old_size, size_t size)
{
	struct mp_vm *vm = data;
	if (size == 0) {
		vm->used_bytes -= old_size;
		mp_free(ptr);
		return NULL;
	}
	if (size > old_size && (size > MP_VM_BLOCK_MAX || size - old_size + vm->used_bytes > vm->cap_bytes)) {
		vm->refused++;
		return NULL;
	}
	void *block = mp_realloc(ptr, size);
	if (block == NULL)
		return size <= old_size ? ptr : NULL;
	vm->used_bytes += size - old_size;
	vm->allocs++;
	return block;
}

// Every entry into the state is protected, so this is a bug of ours.
static int on_panic(lua_State *L)
{
	(void)L;
	mp_assert(!"a Lua error outside of a protected call");
	return 0;
}

int mp_vm_init(struct mp_vm *vm, size_t cap_bytes)
{
	memset(vm, 0, sizeof(*vm));
	vm->cap_bytes = cap_bytes;
	vm->L = lua_newstate(vm_alloc, vm);
	if (vm->L == NULL)
		return MP_ENOMEM;
	lua_atpanic(vm->L, on_panic);
	return 0;
}

void mp_vm_deinit(struct mp_vm *vm)
{
	if (vm->L != NULL)
		lua_close(vm->L);
	vm->L = NULL;
}

uint64_t mp_vm_cpu_ns(void)
{
	struct timespec time;
	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0)
		return 0;
	return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}
