// SPDX-License-Identifier: Apache-2.0
// A removed node is known by its id, which stays when its address changes; an added one by the address that was given.
#include "cluster/topology/choices.h"

#include "base/err.h"
#include "base/mem.h"

struct mp_choice {
	bool removed;
	struct mp_uuid host_id;
	struct mp_addr addr, named;
};

static struct mp_choice *grow(struct mp_choices *choices)
{
	if (choices->count == choices->capacity) {
		uint32_t capacity = choices->capacity == 0 ? 8 : choices->capacity * 2;
		struct mp_choice *all = mp_realloc(choices->all, capacity * sizeof(*all));
		if (all == NULL)
			return NULL;
		choices->all = all;
		choices->capacity = capacity;
	}
	return &choices->all[choices->count++];
}

static bool is_at(const struct mp_addr *addr, const struct mp_addr *wanted)
{
	return mp_addr_same_ip(addr, wanted) && (wanted->port == 0 || addr->port == wanted->port);
}

static void forget(struct mp_choices *choices, uint32_t at)
{
	choices->all[at] = choices->all[--choices->count];
}

int mp_choices_remove(struct mp_choices *choices, const struct mp_uuid *host_id, const struct mp_addr *addr,
                      const struct mp_addr *named)
{
	for (uint32_t i = choices->count; i-- > 0;) {
		const struct mp_choice *choice = &choices->all[i];
		if (choice->removed ? mp_uuid_eq(&choice->host_id, host_id)
		                    : is_at(addr, &choice->addr) || is_at(named, &choice->addr))
			forget(choices, i);
	}
	struct mp_choice *choice = grow(choices);
	if (choice == NULL)
		return MP_ENOMEM;
	*choice = (struct mp_choice){.removed = true, .host_id = *host_id, .addr = *addr, .named = *named};
	return 0;
}

int mp_choices_add(struct mp_choices *choices, const struct mp_addr *addr)
{
	for (uint32_t i = choices->count; i-- > 0;) {
		const struct mp_choice *choice = &choices->all[i];
		if (choice->removed && (is_at(&choice->addr, addr) || is_at(&choice->named, addr)))
			forget(choices, i);
	}
	if (mp_choices_added(choices, addr))
		return 0;
	struct mp_choice *choice = grow(choices);
	if (choice == NULL)
		return MP_ENOMEM;
	*choice = (struct mp_choice){.addr = *addr};
	return 0;
}

bool mp_choices_removed(const struct mp_choices *choices, const struct mp_uuid *host_id)
{
	for (uint32_t i = 0; i < choices->count; i++)
		if (choices->all[i].removed && mp_uuid_eq(&choices->all[i].host_id, host_id))
			return true;
	return false;
}

bool mp_choices_added(const struct mp_choices *choices, const struct mp_addr *addr)
{
	for (uint32_t i = 0; i < choices->count; i++)
		if (!choices->all[i].removed && is_at(addr, &choices->all[i].addr))
			return true;
	return false;
}

void mp_choices_deinit(struct mp_choices *choices)
{
	mp_free(choices->all);
	*choices = (struct mp_choices){.all = NULL};
}
