// SPDX-License-Identifier: Apache-2.0
// The allocator counts what LuaJIT holds. Far beyond the cap, and to a block that is too big, it says no, which
// LuaJIT turns into an ordinary error of the script that asked. Shrinking always succeeds, as LuaJIT demands.
//
// When memory runs out in compiled code, LuaJIT before August 2023 (its issues 906 and 1034, and Debian 12's is older)
// looks at the function below L->base and writes its message to L->top, and compiled code keeps neither up to date: the
// one may stand on any number, the other on a frame that is in use, and the process dies of it. So before memory is
// refused the top is led to the end of the stack, and a base with no function below it back to the bottom. Nothing but
// that look uses them there: leaving compiled code sets them anew, and interpreted code has a good base and bears
// any top. Where the fields are and what a function looks like is learnt from the state itself, by what the API does to
// it; a LuaJIT with another layout is let alone. Above all it is seldom: see MP_VM_RESERVE.
#include "script/vm.h"

#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"

#define TAG_SHIFT   47 // of a 64-bit Lua value
#define FRAME_WORDS 2  // what a call puts below its base: the function, and where it returns to
#define LOOK_WORDS  16 // the fields are among the first of a lua_State

#define STACK_MAX_BYTES ((size_t)1 << 20)

static void mend(struct mp_vm *vm)
{
	if (vm->function_tag == 0)
		return;
	uint64_t *words = (uint64_t *)(void *)vm->L;
	const uint64_t *base = (const uint64_t *)(uintptr_t)words[vm->base_word];
	if (base[-FRAME_WORDS] >> TAG_SHIFT != vm->function_tag)
		words[vm->base_word] = words[vm->stack_word] + FRAME_WORDS * sizeof(uint64_t);
	words[vm->base_word + 1] = words[vm->base_word + 2];
}

static void *refuse(struct mp_vm *vm)
{
	vm->refused++;
	mend(vm);
	return NULL;
}

static bool is_too_much(const struct mp_vm *vm, size_t more_bytes, size_t size)
{
	size_t most = vm->cap_bytes < SIZE_MAX - MP_VM_RESERVE ? vm->cap_bytes + MP_VM_RESERVE : SIZE_MAX;
	return size > MP_VM_BLOCK_MAX || more_bytes + vm->used_bytes > most;
}

static void *vm_alloc(void *data, void *ptr, size_t old_size, size_t size)
{
	struct mp_vm *vm = data;
	if (size == 0) {
		vm->used_bytes -= old_size;
		mp_free(ptr);
		return NULL;
	}
	if (size > old_size && is_too_much(vm, size - old_size, size))
		return refuse(vm);
	void *block = mp_realloc(ptr, size);
	if (block == NULL)
		return size <= old_size ? ptr : refuse(vm);
	vm->used_bytes += size - old_size;
	vm->given_bytes += size > old_size ? size - old_size : 0;
	vm->allocs++;
	return block;
}

// ---- beginning ----------------------------------------------------------------------------------------------------

// LuaJIT dies when memory runs out before a new state has its stack. So what lua_newstate() is refused it gets from a
// block that was there before, and such a state is closed at once.
struct beginning {
	struct mp_vm *vm;
	uint8_t *spare;
	size_t spare_used;
};

#define SPARE_BYTES ((size_t)32 << 10)

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

// Every entry into the state is protected, so this is a bug of ours.
static int on_panic(lua_State *L)
{
	(void)L;
	mp_assert(!"a Lua error outside of a protected call");
	return 0;
}

// Two fields that are equal while the stack is empty and one value apart when it holds one are `base` and `top`; then
// come the end of the stack, and `stack`, a frame below `base`.
static void find_fields(struct mp_vm *vm)
{
	if (sizeof(void *) != sizeof(uint64_t))
		return;
	const volatile uint64_t *words = (const volatile uint64_t *)(void *)vm->L;
	for (uint32_t i = 2; i + 3 < LOOK_WORDS && vm->base_word == 0; i++) {
		uint64_t base = words[i];
		if (base == 0 || base % sizeof(uint64_t) != 0 || words[i + 1] != base)
			continue;
		lua_pushthread(vm->L);
		bool moved = words[i] == base && words[i + 1] == base + sizeof(uint64_t);
		uint64_t tag = moved ? *(const uint64_t *)(uintptr_t)base >> TAG_SHIFT : 0;
		lua_settop(vm->L, 0);
		if (!moved || words[i + 2] <= base || words[i + 2] - base > STACK_MAX_BYTES ||
		    words[i + 3] != base - FRAME_WORDS * sizeof(uint64_t))
			continue;
		vm->base_word = i;
		vm->stack_word = i + 3;
		vm->thread_tag = tag;
	}
}

void mp_vm_learn(struct mp_vm *vm)
{
	if (vm->base_word == 0)
		return;
	const uint64_t *words = (const uint64_t *)(void *)vm->L;
	const uint64_t *base = (const uint64_t *)(uintptr_t)words[vm->base_word];
	const uint64_t *bottom = (const uint64_t *)(uintptr_t)words[vm->stack_word] + FRAME_WORDS;
	if (bottom[-FRAME_WORDS] >> TAG_SHIFT == vm->thread_tag)
		vm->function_tag = base[-FRAME_WORDS] >> TAG_SHIFT;
}

int mp_vm_init(struct mp_vm *vm, size_t cap_bytes)
{
	memset(vm, 0, sizeof(*vm));
	vm->cap_bytes = cap_bytes;
	vm->L = begin_state(vm);
	if (vm->L == NULL)
		return MP_ENOMEM;
	lua_atpanic(vm->L, on_panic);
	find_fields(vm);
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
