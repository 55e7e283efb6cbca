// SPDX-License-Identifier: Apache-2.0
// The options of a keyspace: its replication read and judged as Cassandra does.
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "sim/cql/parse.h"
#include "sim/store/schema.h"

static int find_dc(const struct mp_sim_schema *schema, struct mp_str name)
{
	for (size_t i = 0; i < schema->dc_count; i++) {
		if (mp_str_is(name, schema->dc_names[i]))
			return (int)i;
	}
	return -1;
}

static int read_factor(const struct mp_sim_term *term, uint16_t *rf, struct mp_sim_error *err)
{
	long value = -1;
	if ((term->kind == MP_SIM_TERM_STRING || term->kind == MP_SIM_TERM_INT) && term->text.len > 0 &&
	    term->text.len < 6) {
		char text[8] = {0};
		memcpy(text, term->text.data, term->text.len);
		char *end;
		value = strtol(text, &end, 10);
		if (*end != '\0')
			value = -1;
	}
	if (value < 0)
		return mp_sim_fail(err, MP_SE_CONFIG_ERROR, "Replication factor must be numeric; found %.*s",
		                   MP_SIM_S(term->text));
	if (value > MP_SIM_RF_MAX)
		return mp_sim_fail(err, MP_SE_CONFIG_ERROR,
		                   "Replication factor %ld is over the simulated cluster's limit of %d", value,
		                   MP_SIM_RF_MAX);
	*rf = (uint16_t)value;
	return 0;
}

static int read_class(const struct mp_sim_term *map, struct mp_sim_strategy *strategy,
                      struct mp_sim_error *err)
{
	for (const struct mp_sim_term *key = map->items; key != NULL; key = key->next->next) {
		if (!mp_str_is(key->text, "class"))
			continue;
		struct mp_str name = key->next->text;
		for (size_t i = name.len; i > 0; i--) {
			if (name.data[i - 1] == '.') {
				name = (struct mp_str){name.data + i, name.len - i};
				break;
			}
		}
		if (mp_str_is(name, "SimpleStrategy"))
			strategy->kind = MP_SIM_SIMPLE_STRATEGY;
		else if (mp_str_is(name, "NetworkTopologyStrategy"))
			strategy->kind = MP_SIM_NETWORK_STRATEGY;
		else
			return mp_sim_fail(err, MP_SE_CONFIG_ERROR, "Unable to find replication strategy class '%.*s'",
			                   MP_SIM_S(key->next->text));
		return 0;
	}
	return mp_sim_fail(err, MP_SE_CONFIG_ERROR, "Missing replication strategy class");
}

static int read_network_option(const struct mp_sim_schema *schema, struct mp_str keyspace,
                               const struct mp_sim_term *key, struct mp_sim_strategy *strategy, bool *set,
                               struct mp_sim_error *err)
{
	uint16_t rf;
	MP_SIM_TRY(read_factor(key->next, &rf, err));
	if (mp_str_is(key->text, "replication_factor")) {
		for (size_t i = 0; i < schema->dc_count; i++) {
			if (!set[i])
				strategy->dc_rf[i] = rf;
		}
		return 0;
	}
	int dc = find_dc(schema, key->text);
	if (dc < 0)
		return mp_sim_fail(
			err, MP_SE_CONFIG_ERROR,
			"Unrecognized strategy option {%.*s} passed to NetworkTopologyStrategy for keyspace %.*s",
			MP_SIM_S(key->text), MP_SIM_S(keyspace));
	strategy->dc_rf[dc] = rf;
	set[dc] = true;
	return 0;
}

static int read_replication(const struct mp_sim_schema *schema, struct mp_str keyspace,
                            const struct mp_sim_term *map, struct mp_sim_strategy *strategy,
                            struct mp_sim_error *err)
{
	bool set[MP_SIM_DCS_MAX] = {false};
	memset(strategy, 0, sizeof(*strategy));
	if (map->kind != MP_SIM_TERM_MAP)
		return mp_sim_fail(err, MP_SE_SYNTAX_ERROR,
		                   "Invalid value for property 'replication'. It should be a map.");
	MP_SIM_TRY(read_class(map, strategy, err));
	for (const struct mp_sim_term *key = map->items; key != NULL; key = key->next->next) {
		if (mp_str_is(key->text, "class"))
			continue;
		if (strategy->kind == MP_SIM_NETWORK_STRATEGY)
			MP_SIM_TRY(read_network_option(schema, keyspace, key, strategy, set, err));
		else if (mp_str_is(key->text, "replication_factor"))
			MP_SIM_TRY(read_factor(key->next, &strategy->rf, err));
		else
			return mp_sim_fail(
				err, MP_SE_CONFIG_ERROR,
				"Unrecognized strategy option {%.*s} passed to SimpleStrategy for keyspace %.*s",
				MP_SIM_S(key->text), MP_SIM_S(keyspace));
	}
	if (strategy->kind == MP_SIM_NETWORK_STRATEGY) {
		for (size_t i = 0; i < MP_SIM_DCS_MAX; i++)
			strategy->rf = (uint16_t)(strategy->rf + strategy->dc_rf[i]);
	}
	if (strategy->rf == 0)
		return mp_sim_fail(err, MP_SE_CONFIG_ERROR,
		                   strategy->kind == MP_SIM_SIMPLE_STRATEGY
		                       ? "SimpleStrategy requires a replication_factor strategy option."
		                       : "Configuration for at least one datacenter must be present");
	if (strategy->rf > MP_SIM_RF_MAX)
		return mp_sim_fail(err, MP_SE_CONFIG_ERROR,
		                   "Replication factor %u is over the simulated cluster's limit of %d", strategy->rf,
		                   MP_SIM_RF_MAX);
	return 0;
}

int mp_sim_keyspace_options(const struct mp_sim_schema *schema, const struct mp_sim_stmt *stmt,
                            struct mp_sim_strategy *strategy, bool *has_replication, bool *durable,
                            struct mp_sim_error *err)
{
	for (const struct mp_sim_property *p = stmt->properties; p != NULL; p = p->next) {
		if (mp_str_is(p->name, "replication")) {
			*has_replication = true;
			MP_SIM_TRY(read_replication(schema, stmt->keyspace, p->value, strategy, err));
		} else if (mp_str_is(p->name, "durable_writes")) {
			*durable = mp_str_is_nocase(p->value->text, "true");
		} else {
			return mp_sim_fail(err, MP_SE_SYNTAX_ERROR, "Unknown property '%.*s'", MP_SIM_S(p->name));
		}
	}
	return 0;
}
