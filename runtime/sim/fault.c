// SPDX-License-Identifier: Apache-2.0
#include "sim/fault.h"

#include <string.h>

#include "base/mem.h"
#include "base/rand.h"

void mp_sim_rule_ref(struct mp_sim_rule *rule)
{
	rule->refs++;
}

void mp_sim_rule_unref(struct mp_sim_rule *rule)
{
	if (rule == NULL || --rule->refs > 0)
		return;
	mp_free((void *)(uintptr_t)rule->spec.statement.data);
	mp_free((void *)(uintptr_t)rule->spec.raw.data);
	mp_free(rule);
}

static bool own(struct mp_str *text)
{
	text->data = mp_strndup(text->data, text->len);
	return text->data != NULL;
}

struct mp_sim_rule *mp_sim_rules_add(struct mp_sim_rules *rules, const struct mp_sim_rule_spec *spec)
{
	struct mp_sim_rule *rule = mp_calloc(1, sizeof(*rule));
	if (rule == NULL)
		return NULL;
	rule->refs = 1;
	rule->spec = *spec;
	rule->spec.raw.data = NULL;
	if (own(&rule->spec.statement))
		rule->spec.raw = spec->raw;
	if (rule->spec.statement.data == NULL || !own(&rule->spec.raw)) {
		mp_sim_rule_unref(rule);
		return NULL;
	}
	rule->number = ++rules->last_number;
	struct mp_sim_rule **link = &rules->first;
	while (*link != NULL)
		link = &(*link)->next;
	*link = rule;
	return rule;
}

struct mp_sim_rule *mp_sim_rules_find(const struct mp_sim_rules *rules, uint32_t number)
{
	struct mp_sim_rule *rule = rules->first;
	while (rule != NULL && rule->number != number)
		rule = rule->next;
	return rule;
}

void mp_sim_rules_remove(struct mp_sim_rules *rules, uint32_t number)
{
	struct mp_sim_rule **link = &rules->first;
	while (*link != NULL && (*link)->number != number)
		link = &(*link)->next;
	struct mp_sim_rule *rule = *link;
	if (rule == NULL)
		return;
	*link = rule->next;
	rule->removed = true;
	mp_sim_rule_unref(rule);
}

void mp_sim_rules_clear(struct mp_sim_rules *rules)
{
	while (rules->first != NULL)
		mp_sim_rules_remove(rules, rules->first->number);
}

static bool fits(const struct mp_sim_rule_spec *spec, uint16_t node, uint8_t opcode, struct mp_str statement,
                 uint64_t connection)
{
	if (spec->node >= 0 && spec->node != node)
		return false;
	if (spec->opcode >= 0 && spec->opcode != opcode)
		return false;
	if (spec->connection != 0 && (uint64_t)spec->connection != connection)
		return false;
	return spec->statement.len == 0 ||
	       (statement.len > 0 &&
	        memmem(statement.data, statement.len, spec->statement.data, spec->statement.len) != NULL);
}

struct mp_sim_rule *mp_sim_rules_match(struct mp_sim_rules *rules, struct mp_rand *rand, uint16_t node,
                                       uint8_t opcode, struct mp_str statement, uint64_t connection)
{
	for (struct mp_sim_rule *rule = rules->first; rule != NULL; rule = rule->next) {
		const struct mp_sim_rule_spec *spec = &rule->spec;
		if ((spec->times > 0 && rule->hits >= spec->times) ||
		    !fits(spec, node, opcode, statement, connection))
			continue;
		if (rule->seen++ < spec->skip)
			continue;
		if (spec->probability > 0 && spec->probability < 1 && mp_rand_unit(rand) >= spec->probability)
			continue;
		rule->hits++;
		return rule;
	}
	return NULL;
}
