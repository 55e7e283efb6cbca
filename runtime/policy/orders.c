// SPDX-License-Identifier: Apache-2.0
#include "policy/orders.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "policy/kinds.h"
#include "policy/signed.h"

// NULL stays NULL and is fine.
static bool copy_text(char **to, const char *from)
{
	*to = from == NULL ? NULL : mp_strdup(from);
	return from == NULL || *to != NULL;
}

static bool copy_choice(struct mp_policy_choice *to, const struct mp_policy_choice *from,
                        const char *fallback)
{
	char *policy, *options, *key;
	bool ok = copy_text(&policy, from->policy != NULL ? from->policy : fallback);
	ok = copy_text(&options, from->options) && ok;
	ok = copy_text(&key, from->key) && ok;
	*to = (struct mp_policy_choice){.policy = policy, .options = options, .key = key, .canary = from->canary};
	return ok;
}

static void free_choice(struct mp_policy_choice *choice)
{
	mp_free((void *)(uintptr_t)choice->policy);
	mp_free((void *)(uintptr_t)choice->options);
	mp_free((void *)(uintptr_t)choice->key);
}

static bool copy_keys(struct mp_source_path *to, const struct mp_policies_config *from)
{
	size_t bytes = from->key_count * MP_POLICY_KEY_BYTES;
	to->keys = bytes > 0 ? mp_alloc(bytes) : NULL;
	if (bytes > 0 && to->keys == NULL)
		return false;
	if (bytes > 0)
		memcpy(to->keys, from->keys, bytes);
	to->key_count = from->key_count;
	to->is_good = from->is_good;
	return true;
}

int mp_policy_orders_init(struct mp_policy_orders *orders, const struct mp_policies_config *config,
                          const char *home)
{
	char where[PATH_MAX] = "";
	memset(orders, 0, sizeof(*orders));
	if (config->where != NULL)
		snprintf(where, sizeof(where), "%s: ", config->where);
	bool ok = copy_text(&orders->where, where);
	orders->source.home = home;
	orders->source.paths = mp_calloc(config->path_count + 1, sizeof(char *));
	ok = orders->source.paths != NULL && ok;
	for (size_t i = 0; i < config->path_count && ok; i++) {
		ok = copy_text(&orders->source.paths[i], config->paths[i]);
		orders->source.path_count = i + 1;
	}
	ok = copy_keys(&orders->source, config) && ok;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		ok = copy_choice(&orders->choices[kind], &config->choices[kind],
		                 mp_policy_ops((enum mp_policy_kind)kind)->fallback) &&
		     ok;
	return ok ? 0 : MP_ENOMEM;
}

void mp_policy_orders_deinit(struct mp_policy_orders *orders)
{
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		free_choice(&orders->choices[kind]);
	for (size_t i = 0; i < orders->source.path_count; i++)
		mp_free(orders->source.paths[i]);
	mp_free(orders->source.paths);
	mp_free(orders->source.keys);
	mp_free(orders->where);
}

struct mp_policy_order mp_policy_orders_of(const struct mp_policy_orders *orders, enum mp_policy_kind kind)
{
	return (struct mp_policy_order){
		.choice = &orders->choices[kind],
		.source = &orders->source,
		.where = orders->where,
	};
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool mp_policy_orders_same_choice(const struct mp_policy_orders *a, const struct mp_policy_orders *b,
                                  enum mp_policy_kind kind)
{
	return same_text(a->choices[kind].policy, b->choices[kind].policy) &&
	       same_text(a->choices[kind].options, b->choices[kind].options);
}

bool mp_policy_orders_same_paths(const struct mp_policy_orders *a, const struct mp_policy_orders *b)
{
	bool same = a->source.path_count == b->source.path_count && a->source.key_count == b->source.key_count;
	if (same && a->source.key_count > 0)
		same = memcmp(a->source.keys, b->source.keys, a->source.key_count * MP_POLICY_KEY_BYTES) == 0;
	for (size_t i = 0; same && i < a->source.path_count; i++)
		same = strcmp(a->source.paths[i], b->source.paths[i]) == 0;
	return same;
}
