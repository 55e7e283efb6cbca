// SPDX-License-Identifier: Apache-2.0
// The allocator counts what LuaJIT holds and gives it what it asks for. Shrinking always succeeds, as LuaJIT demands.
//
// The stack of L grows inside an address range that was taken for its largest size when the state began, so that it
// grows also when the machine has no memory left: where LuaJIT tells of an error it looks at frames that it has counted
// on, and they would stand behind the old stack. Its end is LuaJIT's own limit, an ordinary error ("stack overflow").
// Pages that it has not reached cost nothing. Which block is the stack is seen when lua_checkstack() asks for more of
// it.
#include "policy/vm.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"

// LuaJIT's stack has 65500 slots at most, and while it tells of an overflow what was asked for on top of that, which
// is no more than what stood on it.
#define HOME_BYTES  (sizeof(uint64_t) * (2 * 65500 + 1024))
#define LEARN_SLOTS 200 // more than a new state has

static void account(struct mp_vm *vm, size_t old_size, size_t size)
{
	vm->used_bytes += size - old_size;
	vm->big_blocks -= old_size > MP_VM_BLOCK_MAX;
	vm->big_blocks += size > MP_VM_BLOCK_MAX;
	if (size > old_size)
		vm->given_bytes += size - old_size;
}

static void *resize_stack(struct mp_vm *vm, size_t old_size, size_t size)
{
	mp_assert(size <= HOME_BYTES);
	vm->used_bytes += size - old_size;
	return vm->stack;
}

// From now on the stack is at home.
static void *bring_home(struct mp_vm *vm, void *ptr, size_t old_size, size_t size)
{
	vm->is_learning = false;
	vm->stack = memcpy(vm->home, ptr, old_size);
	mp_free(ptr);
	return resize_stack(vm, old_size, size);
}

static void *vm_alloc(void *data, void *ptr, size_t old_size, size_t size)
{
	struct mp_vm *vm = data;
	if (ptr != NULL && ptr == vm->stack)
		return resize_stack(vm, old_size, size);
	if (size == 0) {
		account(vm, old_size, 0);
		mp_free(ptr);
		return NULL;
	}
	if (ptr != NULL && size > old_size && vm->is_learning)
		return bring_home(vm, ptr, old_size, size);
	size_t most = vm->cap_bytes < SIZE_MAX - MP_VM_BACKSTOP ? vm->cap_bytes + MP_VM_BACKSTOP : SIZE_MAX;
	bool is_more = size > old_size;
	if (is_more && size - old_size + vm->used_bytes > most)
		return NULL;
	void *block = mp_realloc(ptr, size);
	if (block == NULL)
		return is_more ? NULL : ptr;
	account(vm, old_size, size);
	vm->allocs++;
	return block;
}

// ---- beginning --------------------------------------------------------------------------------------------

// LuaJIT dies when memory runs out before a new state has its stack, and when one is closed whose ffi was opened by
// halves. So what these two are refused they get from a block that was there before, and such a state is closed at
// once.
struct beginning {
	struct mp_vm *vm;
	uint8_t *spare;
	size_t spare_used;
};

#define SPARE_BYTES ((size_t)128 << 10)

static void *from_spare(struct beginning *beginning, const void *old, size_t old_size, size_t size)
{
	size_t rounded = (size + 15) & ~(size_t)15;
	if (rounded > SPARE_BYTES - beginning->spare_used)
		return NULL;
	void *block = beginning->spare + beginning->spare_used;
	beginning->spare_used += rounded;
	if (old != NULL)
		memcpy(block, old, old_size < size ? old_size : size);
	return block;
}

static void *begin_alloc(void *data, void *ptr, size_t old_size, size_t size)
{
	struct beginning *beginning = data;
	const uint8_t *at = ptr;
	bool is_spare = at >= beginning->spare && at < beginning->spare + SPARE_BYTES;
	if (is_spare)
		return size == 0 ? NULL : from_spare(beginning, ptr, old_size, size);
	void *block = vm_alloc(beginning->vm, ptr, old_size, size);
	if (block != NULL || size == 0)
		return block;
	block = from_spare(beginning, ptr, old_size, size);
	if (block != NULL && ptr != NULL)
		vm_alloc(beginning->vm, ptr, old_size, 0);
	return block;
}

static lua_State *begin_state(struct mp_vm *vm)
{
	struct beginning beginning = {.vm = vm, .spare = mp_alloc(SPARE_BYTES)};
	if (beginning.spare == NULL)
		return NULL;
	lua_State *L = lua_newstate(begin_alloc, &beginning);
	if (L != NULL && beginning.spare_used > 0) {
		lua_close(L);
		L = NULL;
	}
	if (L != NULL)
		lua_setallocf(L, vm_alloc, vm);
	mp_free(beginning.spare);
	return L;
}

static int open_ffi(lua_State *L)
{
	lua_pushcfunction(L, luaopen_ffi);
	lua_call(L, 0, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, MP_VM_FFI);
	return 0;
}

int mp_vm_open_ffi(struct mp_vm *vm)
{
	struct beginning beginning = {.vm = vm, .spare = mp_alloc(SPARE_BYTES)};
	if (beginning.spare == NULL)
		return MP_ENOMEM;
	lua_setallocf(vm->L, begin_alloc, &beginning);
	int status = lua_cpcall(vm->L, open_ffi, NULL);
	mp_assert(status == 0); // the spare is many times what it takes
	if (beginning.spare_used > 0) {
		lua_close(vm->L);
		vm->L = NULL;
	} else {
		lua_setallocf(vm->L, vm_alloc, vm);
	}
	mp_free(beginning.spare);
	return vm->L != NULL ? 0 : MP_ENOMEM;
}

static void *take_home(void)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *home = mmap(NULL, HOME_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
	return home == MAP_FAILED ? NULL : home;
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
	vm->home = take_home();
	vm->L = vm->home != NULL ? begin_state(vm) : NULL;
	if (vm->L == NULL) {
		mp_vm_deinit(vm);
		return MP_ENOMEM;
	}
	lua_atpanic(vm->L, on_panic);
	vm->is_learning = true;
	bool fits = lua_checkstack(vm->L, LEARN_SLOTS) != 0;
	vm->is_learning = false;
	mp_assert(fits);
	return 0;
}

void mp_vm_deinit(struct mp_vm *vm)
{
	if (vm->L != NULL)
		lua_close(vm->L);
	if (vm->home != NULL)
		munmap(vm->home, HOME_BYTES);
	vm->L = NULL;
	vm->home = vm->stack = NULL;
}

uint64_t mp_vm_cpu_ns(void)
{
	struct timespec time;
	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0)
		return 0;
	return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}
