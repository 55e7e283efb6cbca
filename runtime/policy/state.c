// SPDX-License-Identifier: Apache-2.0
// Makes and frees policy states. Nothing outside of a protected call may raise.
#include "policy/state.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "policy/cover.h"
#include "policy/kinds.h"
#include "policy/words.h"

#define DRIVER  MP_POLICY_STATE_DRIVER
#define HANDLER MP_POLICY_STATE_HANDLER
#define LOADER  3 // in the registry only

// What the protected constructor works on.
struct making {
	struct mp_policy_state *state;
	const struct mp_policy_setup *setup;
	struct mp_policy_texts texts;
};

static void push_bridge(lua_State *L, struct making *making)
{
	const struct mp_policy_setup *setup = making->setup;
	lua_newtable(L);
	mp_words_push(L, making->state);
	making->state->ops->push(L, making->state);
	lua_pushstring(L, mp_policy_question(making->state->ops));
	lua_setfield(L, -2, "kind");
	lua_pushstring(L, setup->order->choice->policy);
	lua_setfield(L, -2, "policy");
	lua_pushstring(L, setup->order->choice->options);
	lua_setfield(L, -2, "options");
	lua_pushstring(L,
	               setup->order->choice->key != NULL ? setup->order->choice->key : making->state->ops->key);
	lua_setfield(L, -2, "key");
	lua_pushstring(L, setup->order->where);
	lua_setfield(L, -2, "where");
	mp_policy_push_texts(L, &making->texts);
}

static char *copy_field(lua_State *L, int index, const char *key)
{
	lua_getfield(L, index, key);
	char *copy = mp_strdup(lua_isstring(L, -1) ? lua_tostring(L, -1) : "");
	lua_pop(L, 1);
	if (copy == NULL)
		luaL_error(L, "out of memory");
	return copy;
}

static int give_ffi(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, MP_VM_FFI);
	return 1;
}

static void open_libraries(lua_State *L)
{
	static const struct {
		const char *name;
		lua_CFunction open;
	} libraries[] = {
		{"", luaopen_base},
		{LUA_LOADLIBNAME, luaopen_package},
		{LUA_TABLIBNAME, luaopen_table},
		{LUA_STRLIBNAME, luaopen_string},
		{LUA_MATHLIBNAME, luaopen_math},
		{LUA_DBLIBNAME, luaopen_debug},
		{LUA_BITLIBNAME, luaopen_bit},
		{LUA_JITLIBNAME, luaopen_jit},
	};
	for (size_t i = 0; i < MP_ARRAY_LEN(libraries); i++) {
		lua_pushcfunction(L, libraries[i].open);
		lua_pushstring(L, libraries[i].name);
		lua_call(L, 1, 0);
	}
	lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
	lua_pushcfunction(L, give_ffi);
	lua_setfield(L, -2, LUA_FFILIBNAME);
	lua_pop(L, 1);
}

// The trusted half without the policy: libraries and modules. The loader is left in the registry.
static int open_trusted(lua_State *L)
{
	const struct mp_policy_modules *modules = lua_touserdata(L, 1);
	open_libraries(L);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "ffi");
	lua_call(L, 1, 0);
	// What runs once is not worth compiling, and what is made here stays.
	luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
	lua_gc(L, LUA_GCSTOP, 0);
	lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
	for (size_t i = 0; i + 1 < modules->count; i++) {
		mp_policy_module_push(L, &modules->of[i]);
		lua_setfield(L, -2, modules->of[i].name);
	}
	mp_policy_module_push(L, &modules->of[modules->count - 1]);
	lua_call(L, 0, 1);
	lua_rawseti(L, LUA_REGISTRYINDEX, -LOADER);
	return 0;
}

// Loads the policy, and leaves driver and handler in the registry.
static int make(lua_State *L)
{
	struct making *making = lua_touserdata(L, 1);
	struct mp_policy_state *state = making->state;
	const struct mp_policy_setup *setup = making->setup;
	lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
	mp_policy_module_push(L, setup->driver);
	lua_setfield(L, -2, setup->driver->name);
	lua_rawgeti(L, LUA_REGISTRYINDEX, -LOADER);
	push_bridge(L, making);
	lua_gc(L, LUA_GCRESTART, -1); // when there is twice as much
	lua_call(L, 1, 4);
	state->again_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	int about = lua_gettop(L);
	state->name = copy_field(L, about, "name");
	state->context.policy_name = state->name;
	state->child = copy_field(L, about, "child");
	state->loop_at = copy_field(L, about, "loop");
	lua_getfield(L, about, "compiled");
	state->compiled_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_getfield(L, about, "facts");
	state->facts_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pushvalue(L, about - 2);
	lua_rawseti(L, LUA_REGISTRYINDEX, -DRIVER);
	lua_pushvalue(L, about - 1);
	lua_rawseti(L, LUA_REGISTRYINDEX, -HANDLER);
	return 0;
}

// Leaves another driver in the registry.
static int run_again(lua_State *L)
{
	struct mp_policy_state *state = lua_touserdata(L, 1);
	luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
	lua_rawgeti(L, LUA_REGISTRYINDEX, -HANDLER);
	lua_rawgeti(L, LUA_REGISTRYINDEX, state->again_ref);
	lua_pushlightuserdata(L, (void *)(uintptr_t)state->context.slots);
	int status = lua_pcall(L, 1, 1, -3);
	if (status != 0)
		return lua_error(L);
	lua_rawseti(L, LUA_REGISTRYINDEX, -DRIVER);
	if (!mp_cover_is_on())
		luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_ON);
	return 0;
}

// An error text for readers; an error that is no text, or that has none left for want of memory, gets one.
static void take_error(struct mp_policy_state *state, int status, char *text, size_t size)
{
	lua_State *L = state->vm.L;
	const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error without text";
	const char *file = state->file_count > 0 ? state->files[0] : "?";
	if (status == LUA_ERRMEM)
		snprintf(text, size, "%s: not enough memory: the policy may use %zu KiB", file,
		         state->vm.cap_bytes / 1024);
	else if (status == LUA_ERRERR) // nobody could say where: the handler of errors had no room left
		snprintf(text, size, "%s: stack overflow", file);
	else
		snprintf(text, size, "%s", message);
	state->was_fuel = strstr(text, "out of fuel") != NULL || strstr(text, "not enough memory") != NULL ||
	                  strstr(text, "stack overflow") != NULL;
	lua_settop(L, 0);
}

static bool settle(struct mp_policy_state *state)
{
	lua_State *L = state->vm.L;
	lua_settop(L, 0);
	if (!lua_checkstack(L, 8))
		return false;
	lua_rawgeti(L, LUA_REGISTRYINDEX, -HANDLER);
	lua_rawgeti(L, LUA_REGISTRYINDEX, -DRIVER);
	return true;
}

struct mp_policy_state *mp_policy_state_new(const struct mp_policy_modules *modules, size_t memory_bytes,
                                            char *message, size_t message_size)
{
	struct mp_policy_state *state = mp_calloc(1, sizeof(*state));
	if (state == NULL || mp_vm_init(&state->vm, memory_bytes) != 0 || mp_vm_open_ffi(&state->vm) != 0) {
		snprintf(message, message_size, "out of memory");
		if (state != NULL)
			mp_vm_deinit(&state->vm);
		mp_free(state);
		return NULL;
	}
	int status = lua_cpcall(state->vm.L, open_trusted, (void *)(uintptr_t)modules);
	if (status == 0)
		return state;
	take_error(state, status, message, message_size);
	mp_policy_state_free(state);
	return NULL;
}

int mp_policy_state_load(struct mp_policy_state *state, const struct mp_policy_setup *setup, char *message,
                         size_t message_size)
{
	state->ops = mp_policy_ops(setup->kind);
	state->context.scratch = mp_calloc(1, state->ops->scratch_bytes);
	if (state->context.scratch == NULL) {
		snprintf(message, message_size, "out of memory");
		return MP_ESCRIPT;
	}
	state->context.slots = setup->slots;
	state->context.vm = &state->vm;
	state->context.loop = setup->loop;
	state->context.log = setup->log;
	state->context.names = setup->names;
	state->beat = mp_loop_beat(setup->loop);
	state->watched = (struct mp_watched){.what = state->label, .calls = &state->context.call};
	state->idle_view.local_dc = MP_NO_HOST;
	// From a copy: making a state, also one that is only tried, changes nothing for others.
	struct mp_rand rand = *mp_loop_rand(setup->loop);
	uint64_t chance = mp_rand_u64(&rand) + (uint64_t)setup->kind;
	mp_plan_init(&state->idle_plan, &state->idle_view, NULL, false, 0, chance);
	state->context.plan = &state->idle_plan;
	state->context.call = 1;
	state->content_hash = UINT64_C(14695981039346656037); // FNV-1a
	struct making making = {.state = state, .setup = setup};
	mp_policy_texts_init(&making.texts, state, setup->order->source);
	if (MP_UNLIKELY(mp_cover_is_on()))
		mp_cover_begin(state);
	int status = lua_cpcall(state->vm.L, make, &making);
	mp_policy_texts_deinit(&making.texts);
	if (status == 0 && settle(state)) {
		snprintf(state->label, sizeof(state->label), "policy %s (%s)", state->name, state->files[0]);
		return 0;
	}
	if (status == 0)
		snprintf(message, message_size, "out of memory");
	else
		take_error(state, status, message, message_size);
	return MP_ESCRIPT;
}

int mp_policy_state_begin(struct mp_policy_state *state, const struct mp_host_view *slots,
                          const struct mp_policy_names *names, char *message, size_t message_size)
{
	state->context.plan = &state->idle_plan;
	state->context.slots = slots;
	state->context.names = names;
	state->context.dc_name_count = 0;
	mp_words_free_sets(&state->context);
	lua_settop(state->vm.L, 0);
	int status = lua_cpcall(state->vm.L, run_again, state);
	if (status != 0)
		take_error(state, status, message, message_size);
	bool settled = settle(state);
	mp_assert(settled); // the stack was this big before
	return status == 0 ? 0 : MP_ESCRIPT;
}

void mp_policy_state_free(struct mp_policy_state *state)
{
	if (state == NULL)
		return;
	mp_vm_deinit(&state->vm);
	mp_words_free_sets(&state->context);
	mp_free(state->context.scratch);
	mp_free(state->name);
	mp_free(state->child);
	mp_free(state->loop_at);
	for (uint32_t i = 0; i < state->file_count; i++)
		mp_free(state->files[i]);
	mp_free(state);
}

// ---- warming up -------------------------------------------------------------------------------------------

#define COMMON_CALLS 96u // most calls until it is machine code
#define LOOK_EVERY   8u
#define ROUNDS       6u // of all requests, so that what they have not in common is machine code, too
#define WINDOWS      6u
#define MEASURED     16u

static bool ask_one(struct mp_policy_state *state, struct mp_view *view, uint32_t request, uint64_t chance)
{
	struct mp_policy_question question = {
		.view = view,
		.request = request,
		.token = MP_SAMPLE_TOKEN,
		.chance = chance,
	};
	return state->ops->ask(state, &question);
}

// Enough calls that the ways through the policy are compiled before the first request takes them, the usual one first:
// what the compiler sees first is the trunk, everything else a branch. The copy of the view keeps the session's own
// turn where it is.
void mp_policy_state_warm_up(struct mp_policy_state *state, const struct mp_view *cluster)
{
	struct mp_view view = *cluster;
	bool ok = true;
	for (uint32_t i = 0; i < COMMON_CALLS && ok; i++) {
		if (i % LOOK_EVERY == 0 && mp_policy_state_is_compiled(state))
			break;
		ok = ask_one(state, &view, MP_SAMPLE_COMMON, i);
	}
	for (uint32_t i = 0; i < ROUNDS * MP_SAMPLE_REQUESTS && ok; i++)
		ok = ask_one(state, &view, i % MP_SAMPLE_REQUESTS, i);
	state->bytes_per_call = UINT32_MAX;
	for (uint32_t window = 0; window < WINDOWS && ok; window++) {
		uint64_t given_bytes = state->vm.given_bytes;
		for (uint32_t i = 0; i < MEASURED && ok; i++)
			ok = ask_one(state, &view, MP_SAMPLE_COMMON, i);
		// The compiler takes memory, too, but not all the time.
		uint32_t bytes = (uint32_t)((state->vm.given_bytes - given_bytes) / MEASURED);
		if (bytes < state->bytes_per_call)
			state->bytes_per_call = bytes;
	}
	if (!ok)
		state->bytes_per_call = 0; // not known
	state->context.plan = &state->idle_plan;
}

bool mp_policy_state_is_slow(struct mp_policy_state *state, char *why, size_t size)
{
	const char *file = state->files[0];
	// What is asked seldom is not worth compiling, and what is covered is not compiled on purpose.
	bool is_hot = state->ops->is_hot && !mp_cover_is_on();
	if (state->runs_dry)
		snprintf(why, size, "%s: this policy takes too long on a cluster of a thousand nodes", file);
	else if (state->loop_at[0] != '\0')
		snprintf(why, size, "%s: this policy loops", state->loop_at);
	else if (is_hot && !mp_policy_state_is_compiled(state))
		snprintf(why, size, "%s: this policy does not become machine code", file);
	else if (is_hot && state->bytes_per_call > 0)
		snprintf(why, size, "%s: this policy takes %u bytes of memory for each request", file,
		         state->bytes_per_call);
	else
		return false;
	return true;
}

// ---- the way of every request -----------------------------------------------------------------------------

bool mp_policy_state_failed(struct mp_policy_state *state, int status)
{
	take_error(state, status, state->error, sizeof(state->error));
	bool settled = settle(state);
	mp_assert(settled); // the stack was this big before
	return false;
}

// ---- beside the requests ----------------------------------------------------------------------------------

bool mp_policy_state_is_compiled(struct mp_policy_state *state)
{
	lua_State *L = state->vm.L;
	lua_rawgeti(L, LUA_REGISTRYINDEX, state->compiled_ref);
	bool compiled = lua_pcall(L, 0, 1, HANDLER) == 0 && lua_toboolean(L, -1);
	lua_settop(L, DRIVER);
	return compiled;
}

int mp_policy_state_facts(struct mp_policy_state *state, struct mp_buf *facts)
{
	lua_State *L = state->vm.L;
	lua_rawgeti(L, LUA_REGISTRYINDEX, state->facts_ref);
	bool ok = lua_pcall(L, 0, 1, HANDLER) == 0 && lua_isstring(L, -1);
	size_t len = 0;
	const char *text = ok ? lua_tolstring(L, -1, &len) : "";
	mp_buf_clear(facts);
	mp_buf_bytes(facts, text, len);
	lua_settop(L, DRIVER);
	return ok ? mp_buf_status(facts) : MP_ESCRIPT;
}

static int collect(lua_State *L)
{
	lua_gc(L, LUA_GCCOLLECT, 0);
	return 0;
}

void mp_policy_state_collect(struct mp_policy_state *state)
{
	int status = lua_cpcall(state->vm.L, collect, NULL);
	(void)status; // a full collection fails only in a finaliser, and the sandbox can make none
	lua_settop(state->vm.L, DRIVER);
}
