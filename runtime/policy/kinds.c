// SPDX-License-Identifier: Apache-2.0
// The questions that policies answer, and what each needs beside what all have in common. A new one is a line here, a
// file kind_NAME.c, a driver lua/moonpool/policy/NAME.lua and a folder policies/NAME/.
#include "policy/policies_internal.h"

static const struct mp_policy_ops balance = {
	.name = "balance",
	.key = "loadBalancing",
	.fallback = "TokenAwarePolicy",
	.is_hot = true,
	.ask = mp_policy_ask_plans,
	.serve = mp_policy_serve_balance,
};

static const struct mp_policy_ops retry = {
	.name = "retry",
	.key = "retry",
	.push = mp_policy_push_retry,
	.ask = mp_policy_ask_verdicts,
	.serve = mp_policy_serve_retry,
};

const struct mp_policy_ops *mp_policy_ops(enum mp_policy_kind kind)
{
	static const struct mp_policy_ops *const all[MP_POLICY_KINDS] = {
		[MP_POLICY_BALANCE] = &balance,
		[MP_POLICY_RETRY] = &retry,
		[MP_POLICY_RECONNECT] = &mp_policy_reconnect,
		[MP_POLICY_SPECULATE] = &mp_policy_speculate,
		[MP_POLICY_FAILOVER] = &mp_policy_failover,
	};
	return all[kind];
}

const char *mp_policy_kind_name(enum mp_policy_kind kind)
{
	return mp_policy_ops(kind)->name;
}

const char *mp_policy_kind_key(enum mp_policy_kind kind)
{
	return mp_policy_ops(kind)->key;
}
