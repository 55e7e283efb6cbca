// SPDX-License-Identifier: Apache-2.0
// The bridge: the table from which lua/moonpool/policy makes the words of a policy. Filled when a state loads a policy:
// the words of all kinds here, those of one kind in its kind_NAME.c. Everything is put into the table at the top of the
// stack, and every number that Lua shares with C comes from there.
#pragma once

#include <lua.h>

#include "base/defs.h"

struct mp_policy_context;
struct mp_policy_state;

// Numbers of words of several sorts lie apart, so that one in the place of another is noticed.
enum {
	MP_WORD_SCOPE = 0x100,
	MP_WORD_DC = 0x180,
	MP_WORD_ORDER = 0x200,
	MP_WORD_VERDICT = 0x300,
	MP_WORD_SET = 0x400,
};

void mp_policy_push_number(lua_State *L, const char *key, double number);
void mp_policy_push_code(lua_State *L, const char *key,
                         double number); // into bridge.codes: between Lua and C only
void mp_policy_push_constant(lua_State *L, const char *key,
                             double number); // into bridge.constants: a word of policies
void mp_policy_push_call(lua_State *L, const char *key,
                         uintptr_t address); // a C function, or where a struct is
// A table of fields into bridge.layout: struct mp_script_NAME must have the size and these offsets.
struct mp_word_field {
	const char *name;
	size_t offset;
};
void mp_policy_push_layout(lua_State *L, const char *name, size_t size, const struct mp_word_field *fields,
                           size_t count);

void mp_words_push(lua_State *L, struct mp_policy_state *state); // all that every policy may say
void mp_words_free_sets(struct mp_policy_context *context);

// For the functions of a kind. A scope that is not one of the plain ones. 0: *scope and *arg are set; *known false: its
// datacentre has no hosts.
enum { MP_WORDS_BAD_SCOPE = 1 };
int mp_words_scope(struct mp_policy_context *context, uint32_t *scope, uint32_t *arg, bool *known);
// The bit of set `number`, less than set_count, among the marks of the plan's hosts, or a negative number.
int mp_words_set_bit(struct mp_policy_context *context, uint32_t number);
