// SPDX-License-Identifier: Apache-2.0
// Reconnect policies: how long a host that is not reached is left alone. What they say is a wish: the pool keeps a
// least time, the long pause after refused credentials, and the limit of connections a second.
#include <stddef.h>

#include "base/err.h"
#include "policy/policies_internal.h"
#include "policy/words.h"

#define DELAY_MAX_MS 86400000.0 // a day

struct scratch {
	struct mp_reconnect_view view;
	uint32_t delay_ms;
};

static int call_delay(struct mp_policy_context *context, double delay_ms)
{
	if (!(delay_ms >= 0 && delay_ms <= DELAY_MAX_MS))
		return MP_EINVAL;
	((struct scratch *)context->scratch)->delay_ms = (uint32_t)delay_ms;
	return 0;
}

static void push(lua_State *L, struct mp_policy_state *state)
{
	static const struct mp_word_field fields[] = {
		{"attempt", offsetof(struct mp_reconnect_view, attempt)},
		{"why", offsetof(struct mp_reconnect_view, why)},
		{"isLocal", offsetof(struct mp_reconnect_view, isLocal)},
	};
	mp_policy_push_layout(L, "try", sizeof(struct mp_reconnect_view), fields, MP_ARRAY_LEN(fields));
	mp_policy_push_call(L, "try", (uintptr_t) & ((struct scratch *)state->context.scratch)->view);
	mp_policy_push_call(L, "delay", (uintptr_t)call_delay);
	mp_policy_push_code(L, "DELAY_MAX", DELAY_MAX_MS);
#define X(name) mp_policy_push_constant(L, #name, MP_RECONNECT_##name);
	MP_RECONNECT_REASONS(X)
#undef X
}

static bool decide(struct mp_policy_state *state, const struct mp_reconnect_view *view, uint64_t *delay_ms)
{
	struct scratch *scratch = state->context.scratch;
	scratch->view = *view;
	int status = mp_policy_state_enter(state);
	if (status != 0)
		return mp_policy_state_failed(state, status);
	*delay_ms = scratch->delay_ms;
	return true;
}

static bool check(struct mp_policy_state *state, struct mp_sample *sample)
{
	(void)sample;
	static const uint32_t attempts[] = {1, 2, 10, 100, 1000};
	for (uint32_t i = 0; i < MP_ARRAY_LEN(attempts); i++) {
		for (int why = MP_RECONNECT_UNREACHABLE; why <= MP_RECONNECT_LOCAL_FAILURE; why++) {
			struct mp_reconnect_view view = {
				.attempt = attempts[i], .why = (uint8_t)why, .isLocal = (why & 1) != 0};
			uint64_t delay_ms;
			if (!decide(state, &view, &delay_ms))
				return false;
		}
	}
	return true;
}

static bool serve_delay(void *self, const struct mp_reconnect_view *view, uint64_t *delay_ms)
{
	struct mp_policy_slot *slot = self;
	if (!mp_policy_may_ask(slot))
		return false;
	uint64_t from_ns = mp_policy_called(slot);
	return mp_policy_ended(slot, from_ns, decide(slot->current->state, view, delay_ms));
}

static void serve(struct mp_policy_slot *slot, struct mp_policy_calls *policies)
{
	policies->reconnect = (struct mp_reconnect_policy){.self = slot, .delay = serve_delay};
}

const struct mp_policy_ops mp_policy_reconnect = {
	.name = "reconnect",
	.key = "reconnection",
	.tail = "reconnection",
	.push = push,
	.scratch_bytes = sizeof(struct scratch),
	.check = check,
	.serve = serve,
};
