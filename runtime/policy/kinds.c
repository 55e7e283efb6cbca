// SPDX-License-Identifier: Apache-2.0
// The questions that policies answer.
#include "policy/kinds.h"

#define X(NAME, name) extern const struct mp_policy_ops mp_policy_##name;
MP_POLICY_KIND_LIST(X)
#undef X

const struct mp_policy_ops *mp_policy_ops(enum mp_policy_kind kind)
{
	static const struct mp_policy_ops *const all[MP_POLICY_KINDS] = {
#define X(NAME, name) [MP_POLICY_##NAME] = &mp_policy_##name,
		MP_POLICY_KIND_LIST(X)
#undef X
	};
	return all[kind];
}

const char *mp_policy_kind_name(enum mp_policy_kind kind)
{
	return mp_policy_ops(kind)->name;
}

const char *mp_policy_question(const struct mp_policy_ops *ops)
{
	return ops->answers != NULL ? ops->answers->name : ops->name;
}

const char *mp_policy_kind_question(enum mp_policy_kind kind)
{
	return mp_policy_question(mp_policy_ops(kind));
}

const char *mp_policy_kind_key(enum mp_policy_kind kind)
{
	return mp_policy_ops(kind)->key;
}
