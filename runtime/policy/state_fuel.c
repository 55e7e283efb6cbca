// SPDX-License-Identifier: Apache-2.0
// The fuel of a decision: its ticks (policy/gauge/fuel.h) come here for the next slice of them, a few times in a long
// decision and once in several short ones. A decision ends here that has had too many ticks, too much time or too much
// memory.
//
// Between two looks there are at most FUEL_FIRST ticks, each for a few operations, and one operation is short: a text
// that makes it long is weighed, which is a look at once and makes every tick one from then on.

#include "policy/state.h"
#include "policy/words.h"

#define FUEL_FIRST   16               // ticks that short decisions share without a look at a clock
#define FUEL_SLICE   16               // ticks between two looks of a long one
#define FUEL_SLICES  61440            // about a million ticks in one decision
#define FUEL_LOOK_NS UINT64_C(100000) // slices get shorter when they take longer than this
#define FUEL_CPU_MAX UINT64_C(250000000)
// Slices between two looks at the processor's clock in a world whose time stands still.
#define FUEL_CPU_ASK 64u
#define WEIGHT_BYTES 1024u // of a text for one slice

// The processor's clock is a system call, so it is looked at a few times in a load.
#define LOAD_LOOK_EVERY 8u
#define LOAD_LOOK_NS    UINT64_C(2000000)

enum { FULL = -1, EMPTY = 0, MORE = 1 };

// Has this decision used up its time? Half of it on the loop's clock, which stands still in a simulated world; then the
// other half on the processor's, which does not count while others run, so that a busy machine stops no honest loop.
// Where time stands still the ticks end nearly everything first, and always at the same place.
static bool is_out_of_time(struct mp_policy_fuel *fuel, uint64_t now_ns)
{
	if (fuel->since_ns == 0)
		fuel->since_ns = now_ns;
	if (now_ns - fuel->since_ns < fuel->limit_ns / 2) {
		if (fuel->given % FUEL_CPU_ASK != 0)
			return false;
		uint64_t still_ns = mp_vm_cpu_ns();
		if (fuel->still_ns == 0)
			fuel->still_ns = still_ns;
		return still_ns - fuel->still_ns > FUEL_CPU_MAX;
	}
	uint64_t cpu_ns = mp_vm_cpu_ns();
	if (fuel->cpu_ns == 0)
		fuel->cpu_ns = cpu_ns;
	return cpu_ns - fuel->cpu_ns > fuel->limit_ns / 2;
}

// ---- a load -----------------------------------------------------------------------------------------------

// A policy that is slow each time, and never slow enough to be stopped, would hold up the loop for all that it is asked
// before it serves.
bool mp_policy_load_is_over(struct mp_policy_fuel *fuel)
{
	return fuel->is_loading && fuel->load_ns + mp_vm_cpu_ns() - fuel->load_from_ns > MP_POLICY_LOAD_ALL_NS;
}

void mp_policy_load_begins(struct mp_policy_fuel *fuel)
{
	fuel->is_loading = true;
	fuel->limit_ns = MP_POLICY_LOAD_NS;
	fuel->load_from_ns = mp_vm_cpu_ns();
}

void mp_policy_load_ends(struct mp_policy_fuel *fuel)
{
	fuel->is_loading = false;
	fuel->load_ns += mp_vm_cpu_ns() - fuel->load_from_ns;
}

static bool is_out_of_load_time(struct mp_policy_fuel *fuel, uint64_t now_ns)
{
	if (!fuel->is_loading)
		return false;
	if (++fuel->load_looks % LOAD_LOOK_EVERY != 0 && now_ns - fuel->load_look_ns < LOAD_LOOK_NS)
		return false;
	fuel->load_look_ns = now_ns;
	return mp_policy_load_is_over(fuel);
}

// ---- slices -----------------------------------------------------------------------------------------------

static void begin(struct mp_policy_context *context)
{
	struct mp_policy_fuel *fuel = &context->fuel;
	fuel->call = context->call;
	fuel->given = 0;
	fuel->slice = FUEL_FIRST;
	fuel->since_ns = 0;
	fuel->cpu_ns = 0;
	fuel->still_ns = 0;
	fuel->last_ns = 0;
}

static int grant(struct mp_policy_context *context, uint64_t now_ns, uint32_t slices)
{
	struct mp_policy_fuel *fuel = &context->fuel;
	fuel->given += slices;
	if (fuel->given > FUEL_SLICES || is_out_of_time(fuel, now_ns) || is_out_of_load_time(fuel, now_ns))
		return EMPTY;
	return MORE;
}

// As many ticks as fit between two looks, going by the slice before: one tick may stand for a lot of work.
static uint32_t next_slice(struct mp_policy_fuel *fuel, uint64_t now_ns)
{
	uint64_t spent_ns = fuel->last_ns == 0 ? 0 : now_ns - fuel->last_ns;
	uint64_t fit = spent_ns == 0 ? FUEL_SLICE : FUEL_LOOK_NS * fuel->slice / spent_ns;
	fuel->last_ns = now_ns;
	fuel->slice = fit >= FUEL_SLICE ? FUEL_SLICE : fit == 0 ? 1 : (uint32_t)fit;
	return fuel->slice;
}

// The next slice of ticks, 0 when this decision had enough, -1 when the state is over its memory. Short decisions share
// slices and never see a clock; a long one is stopped by its time or by its number of ticks.
static int give(struct mp_policy_context *context)
{
	struct mp_policy_fuel *fuel = &context->fuel;
	if (mp_vm_is_full(context->vm))
		return FULL;
	if (MP_LIKELY(fuel->call != context->call)) {
		begin(context);
		if (MP_LIKELY(!fuel->is_heavy && !fuel->is_loading))
			return FUEL_FIRST;
	}
	uint64_t now_ns = mp_loop_clock_ns(context->loop);
	int found = grant(context, now_ns, 1);
	if (found != MORE)
		return found;
	uint32_t slice = next_slice(fuel, now_ns);
	return fuel->is_heavy ? 1 : (int)slice;
}

static int call_fuel(struct mp_policy_context *context)
{
	int ticks = give(context);
	context->fuel.ticks += ticks > 0 ? (uint64_t)ticks : 0;
	return ticks;
}

void mp_policy_state_count_fuel(struct mp_policy_state *state)
{
	state->context.fuel.ticks = 0;
	state->context.fuel.ticks_from = state->context.call;
}

double mp_policy_state_fuel_per_call(const struct mp_policy_state *state)
{
	const struct mp_policy_context *context = &state->context;
	uint64_t calls = context->call - context->fuel.ticks_from;
	return calls == 0 ? 0 : (double)context->fuel.ticks / (double)calls;
}

// A text of so many bytes is worked on: 1, or 0 or -1 as of call_fuel.
static int call_weigh(struct mp_policy_context *context, double bytes)
{
	struct mp_policy_fuel *fuel = &context->fuel;
	fuel->is_heavy = true;
	if (mp_vm_is_full(context->vm))
		return FULL;
	if (fuel->call != context->call)
		begin(context);
	double slices = bytes / WEIGHT_BYTES;
	return grant(context, mp_loop_clock_ns(context->loop),
	             slices < FUEL_SLICES ? 1 + (uint32_t)slices : FUEL_SLICES);
}

void mp_policy_push_fuel(lua_State *L)
{
	mp_policy_push_call(L, "fuel", (uintptr_t)call_fuel);
	mp_policy_push_call(L, "weigh", (uintptr_t)call_weigh);
}
