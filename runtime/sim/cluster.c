// SPDX-License-Identifier: Apache-2.0
// The cluster as a whole: making it, its members and their tokens, its rules.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "sim/coord.h"
#include "sim/tls.h"
#include "wire/murmur3.h"

static void fill_defaults(struct mp_sim_options *o)
{
	struct mp_sim_options defaults = {.seed = 1,
	                                  .nodes = 3,
	                                  .dcs = 1,
	                                  .racks = 1,
	                                  .vnodes = 1,
	                                  .first = mp_addr_v4(127, 0, 0, 1, 0),
	                                  .port = 9042,
	                                  .max_version = 5,
	                                  .cluster_name = "moonpool",
	                                  .password = "",
	                                  .read_timeout_ms = 5000,
	                                  .write_timeout_ms = 2000,
	                                  .detect_ms = 2000,
	                                  .up_ms = 300,
	                                  .prepared_limit = 10000,
	                                  .output_limit = 1 << 20,
	                                  .op_prefix = "op-"};
#define DEFAULT(field) o->field = o->field ? o->field : defaults.field
	DEFAULT(seed), DEFAULT(nodes), DEFAULT(dcs), DEFAULT(racks), DEFAULT(vnodes), DEFAULT(port);
	DEFAULT(max_version), DEFAULT(cluster_name), DEFAULT(password), DEFAULT(read_timeout_ms);
	DEFAULT(write_timeout_ms), DEFAULT(detect_ms), DEFAULT(up_ms), DEFAULT(prepared_limit);
	DEFAULT(output_limit), DEFAULT(op_prefix);
#undef DEFAULT
	if (o->first.ip_len == 0)
		o->first = defaults.first;
}

static bool options_fit(const struct mp_sim_options *o)
{
	uint32_t placed = 0;
	for (size_t i = 0; i < MP_ARRAY_LEN(o->nodes_of_dc); i++)
		placed += o->nodes_of_dc[i];
	return (placed == 0 || placed == o->nodes) && o->nodes <= MP_SIM_CLUSTER_NODES_MAX &&
	       o->dcs <= MP_SIM_DCS_MAX && o->dcs <= o->nodes && o->racks <= MP_SIM_RACKS_MAX &&
	       o->vnodes <= 1024 && o->max_version >= MP_PROTOCOL_MIN && o->max_version <= MP_PROTOCOL_MAX &&
	       (o->first.ip_len == 4 || o->first.ip_len == 16);
}

static struct mp_addr address_after(const struct mp_sim_options *o, uint32_t steps)
{
	struct mp_addr addr = o->first;
	if (addr.port == 0)
		addr.port = o->port;
	uint32_t carry = steps;
	for (size_t i = addr.ip_len; i > 0 && carry > 0; i--) {
		carry += addr.ip[i - 1];
		addr.ip[i - 1] = (uint8_t)carry;
		carry >>= 8;
	}
	return addr;
}

// ---- members ----------------------------------------------------------------------------------------------

static int reserve_node(struct mp_sim_cluster *cluster)
{
	if (cluster->node_count >= MP_SIM_CLUSTER_NODES_MAX)
		return MP_EINVAL;
	struct mp_sim_node **nodes =
		mp_realloc(cluster->nodes, (cluster->node_count + 1) * sizeof(struct mp_sim_node *));
	if (nodes == NULL)
		return MP_ENOMEM;
	cluster->nodes = nodes;
	return 0;
}

// A node that stands nowhere yet. `dc` and `rack` count from 0.
static struct mp_sim_node *make_node(struct mp_sim_cluster *cluster, uint8_t dc, uint8_t rack,
                                     const struct mp_addr *addr, int *err)
{
	*err = reserve_node(cluster);
	if (*err < 0)
		return NULL;
	struct mp_sim_node *node = mp_sim_node_new(cluster, (uint16_t)cluster->node_count);
	if (node == NULL) {
		*err = MP_ENOMEM;
		return NULL;
	}
	node->dc = dc;
	node->rack = rack;
	node->addr = *addr;
	snprintf(node->rack_name, sizeof(node->rack_name), "rack%u", rack + 1u);
	cluster->nodes[cluster->node_count++] = node;
	while (cluster->dc_count <= dc) {
		size_t n = cluster->dc_count;
		const char *given = n < MP_ARRAY_LEN(cluster->options.dc_names) ? cluster->options.dc_names[n] : NULL;
		if (given != NULL)
			snprintf(cluster->dc_names[n], sizeof(cluster->dc_names[0]), "%s", given);
		else
			snprintf(cluster->dc_names[n], sizeof(cluster->dc_names[0]), "datacenter%zu", n + 1);
		cluster->dc_count++;
	}
	cluster->schema.dc_names = cluster->dc_names;
	cluster->schema.dc_count = cluster->dc_count;
	return node;
}

static bool token_taken(const struct mp_sim_cluster *cluster, int64_t token)
{
	for (size_t i = 0; i < cluster->node_count; i++) {
		const struct mp_sim_node *node = cluster->nodes[i];
		for (size_t k = 0; k < node->token_count; k++) {
			if (node->tokens[k] == token)
				return true;
		}
	}
	return false;
}

static int compare_tokens(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

// One token: `position` of `of`, evenly over the ring, a little aside for each further datacentre. More: random ones.
static int give_tokens(struct mp_sim_node *node, uint64_t position, uint64_t of)
{
	struct mp_sim_cluster *cluster = node->cluster;
	size_t count = cluster->options.vnodes;
	node->tokens = mp_calloc(count, sizeof(*node->tokens));
	if (node->tokens == NULL)
		return MP_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint64_t step = UINT64_MAX / of;
		int64_t token = (int64_t)((UINT64_C(1) << 63) + position * step + node->dc * UINT64_C(1000));
		if (count > 1 || of == 1)
			token =
				count == 1 && of == 1 && node->index == 0 ? INT64_MIN : (int64_t)mp_rand_u64(&cluster->rand);
		while (token_taken(cluster, token))
			token++;
		node->tokens[i] = token;
		node->token_count = i + 1;
	}
	qsort(node->tokens, count, sizeof(*node->tokens), compare_tokens);
	return 0;
}

static int rebuild_ring(struct mp_sim_cluster *cluster)
{
	size_t count = 0, at = 0;
	for (size_t i = 0; i < cluster->node_count; i++)
		count += cluster->nodes[i]->member ? cluster->nodes[i]->token_count : 0;
	struct mp_sim_ring_entry *entries = mp_calloc(count + 1, sizeof(*entries));
	struct mp_sim_ring_place *places = mp_calloc(cluster->node_count + 1, sizeof(*places));
	int rc = entries == NULL || places == NULL ? MP_ENOMEM : 0;
	for (size_t i = 0; rc == 0 && i < cluster->node_count; i++) {
		const struct mp_sim_node *node = cluster->nodes[i];
		places[i] = (struct mp_sim_ring_place){node->member, node->dc, node->rack};
		for (size_t k = 0; node->member && k < node->token_count; k++)
			entries[at++] = (struct mp_sim_ring_entry){node->tokens[k], node->index};
	}
	if (rc == 0)
		rc = mp_sim_ring_set(&cluster->ring, entries, count, places, cluster->node_count);
	mp_free(entries);
	mp_free(places);
	return rc;
}

// Every replica gets what it owns now and does not have: streaming, done at once.
static int stream_table(struct mp_sim_cluster *cluster, struct mp_sim_keyspace *ks,
                        struct mp_sim_table *table)
{
	struct mp_bytes empty = {(const uint8_t *)"", 0};
	for (size_t i = 0; i < cluster->node_count; i++) {
		const struct mp_sim_partition *at =
			mp_sim_store_seek(&cluster->nodes[i]->store, table, INT64_MIN, empty, false);
		for (; at != NULL; at = mp_sim_partition_next(at)) {
			size_t count, entry = mp_sim_ring_owner(&cluster->ring, at->token);
			const uint16_t *owners =
				mp_sim_placement_of(&ks->placement, &cluster->ring, &ks->strategy, entry, &count);
			if (owners == NULL)
				return MP_ENOMEM;
			for (size_t k = 0; k < count; k++) {
				if (owners[k] == i)
					continue;
				int rc = mp_sim_stream_partition(&cluster->nodes[owners[k]]->store, table, at);
				if (rc < 0)
					return rc;
			}
		}
	}
	return 0;
}

static int stream_all(struct mp_sim_cluster *cluster)
{
	for (struct mp_sim_keyspace *ks = cluster->schema.keyspaces; ks != NULL; ks = ks->next) {
		for (struct mp_sim_table *table = ks->tables; table != NULL; table = table->next) {
			int rc = table->source != NULL ? 0 : stream_table(cluster, ks, table);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int mp_sim_add_node(struct mp_sim_cluster *cluster, uint16_t dc, uint16_t rack, const struct mp_addr *addr,
                    uint16_t *index)
{
	if (dc < 1 || dc > MP_SIM_DCS_MAX || dc > cluster->dc_count + 1 || rack < 1 || rack > MP_SIM_RACKS_MAX)
		return MP_EINVAL;
	struct mp_addr place = address_after(&cluster->options, (uint32_t)cluster->node_count);
	if (addr != NULL && addr->ip_len > 0)
		place = *addr;
	if (place.port == 0)
		place.port = cluster->options.port;
	int err;
	struct mp_sim_node *node = make_node(cluster, (uint8_t)(dc - 1), (uint8_t)(rack - 1), &place, &err);
	if (node == NULL)
		return err;
	*index = node->index;
	int rc = give_tokens(node, 0, 1);
	if (rc == 0)
		rc = mp_sim_node_open(node);
	if (rc < 0)
		return rc;
	node->member = true;
	node->believed_up = node->belief_next = true;
	rc = rebuild_ring(cluster);
	if (rc == 0)
		rc = stream_all(cluster);
	mp_sim_event_topology(node, "NEW_NODE");
	mp_sim_event_status(node, "UP");
	return rc;
}

int mp_sim_remove_node(struct mp_sim_cluster *cluster, uint16_t index)
{
	size_t members = 0;
	for (size_t i = 0; i < cluster->node_count; i++)
		members += cluster->nodes[i]->member;
	if (index >= cluster->node_count || !cluster->nodes[index]->member || members < 2)
		return MP_EINVAL;
	struct mp_sim_node *node = cluster->nodes[index];
	node->member = false;
	int rc = rebuild_ring(cluster);
	if (rc == 0)
		rc = stream_all(cluster);
	node->running = false;
	node->paused = false;
	mp_sim_node_shut(node, false);
	mp_timer_stop(&node->belief);
	node->believed_up = node->belief_next = false;
	mp_sim_deliver_drop(node, true);
	mp_sim_event_topology(node, "REMOVED_NODE");
	return rc;
}

// ---- making -----------------------------------------------------------------------------------------------

static int first_role(struct mp_sim_cluster *cluster)
{
	struct mp_sim_role *role = mp_sim_role_add(&cluster->roles, mp_str_of(cluster->user));
	if (role == NULL)
		return MP_ENOMEM;
	role->super = role->login = true;
	return mp_sim_role_set_password(role, mp_str_of(cluster->options.password));
}

static int own_texts(struct mp_sim_cluster *cluster)
{
	struct mp_sim_options *o = &cluster->options;
	cluster->name = mp_strdup(o->cluster_name);
	cluster->op_prefix = mp_strdup(o->op_prefix);
	cluster->user = o->user != NULL ? mp_strdup(o->user) : NULL;
	if (cluster->name == NULL || cluster->op_prefix == NULL || (o->user != NULL && cluster->user == NULL))
		return MP_ENOMEM;
	int rc = cluster->user != NULL ? first_role(cluster) : 0;
	o->cluster_name = cluster->name;
	o->op_prefix = cluster->op_prefix;
	o->password = NULL; // the role has it
	o->user = cluster->user;
	return rc;
}

static uint32_t dc_of(const struct mp_sim_options *o, uint32_t node)
{
	uint32_t sum = 0;
	for (uint32_t dc = 0; dc < o->dcs; dc++) {
		sum += o->nodes_of_dc[dc];
		if (node < sum)
			return dc;
	}
	return node * o->dcs / o->nodes;
}

static int make_members(struct mp_sim_cluster *cluster)
{
	const struct mp_sim_options *o = &cluster->options;
	uint32_t in_dc[MP_SIM_DCS_MAX] = {0}, at[MP_SIM_DCS_MAX] = {0};
	for (uint32_t i = 0; i < o->nodes; i++)
		in_dc[dc_of(o, i)]++;
	for (uint32_t i = 0; i < o->nodes; i++) {
		int err;
		uint32_t dc = dc_of(o, i), position = at[dc]++;
		struct mp_addr addr = address_after(o, i);
		struct mp_sim_node *node =
			make_node(cluster, (uint8_t)dc, (uint8_t)(position % o->racks), &addr, &err);
		if (node == NULL)
			return err;
		err = give_tokens(node, position, in_dc[dc]);
		if (err < 0)
			return err;
		node->member = node->believed_up = node->belief_next = true;
	}
	memset(cluster->options.dc_names, 0, sizeof(cluster->options.dc_names)); // the caller's texts
	return rebuild_ring(cluster);
}

static int use_tls(struct mp_sim_cluster *cluster)
{
	const struct mp_sim_options *options = &cluster->options;
	char why[256];
	if (options->tls_cert == NULL)
		return 0;
	cluster->tls =
		mp_sim_tls_context_new(options->tls_cert, options->tls_key, options->tls_ca, 0, why, sizeof(why));
	if (cluster->tls == NULL)
		mp_log_write(mp_loop_log(cluster->loop), MP_LOG_ERROR, "the simulated cluster: %s", why);
	return cluster->tls != NULL ? 0 : MP_EINVAL;
}

struct mp_sim_cluster *mp_sim_cluster_new(struct mp_loop *loop, const struct mp_sim_options *options,
                                          int *err)
{
	struct mp_sim_cluster *cluster = mp_calloc(1, sizeof(*cluster));
	*err = MP_ENOMEM;
	if (cluster == NULL)
		return NULL;
	cluster->loop = loop;
	cluster->options = *options;
	fill_defaults(&cluster->options);
	mp_list_init(&cluster->waits);
	mp_rand_seed(&cluster->rand, cluster->options.seed);
	mp_sim_ring_init(&cluster->ring);
	mp_sim_schema_init(&cluster->schema, cluster->options.seed);
	*err = options_fit(&cluster->options) ? own_texts(cluster) : MP_EINVAL;
	if (*err == 0)
		*err = use_tls(cluster);
	if (*err == 0)
		*err = make_members(cluster);
	if (*err == 0)
		*err = mp_sim_system_init(cluster);
	for (size_t i = 0; *err == 0 && i < cluster->node_count; i++)
		*err = mp_sim_node_open(cluster->nodes[i]);
	if (*err == 0)
		return cluster;
	mp_sim_cluster_free(cluster);
	return NULL;
}

void mp_sim_cluster_free(struct mp_sim_cluster *cluster)
{
	if (cluster == NULL)
		return;
	for (size_t i = 0; i < cluster->node_count; i++)
		mp_sim_node_shut(cluster->nodes[i], false);
	for (size_t i = 0; i < cluster->node_count; i++)
		mp_sim_node_free(cluster->nodes[i]);
	mp_free(cluster->nodes);
	mp_sim_rules_clear(&cluster->rules);
	mp_sim_schema_deinit(&cluster->schema);
	mp_sim_ring_deinit(&cluster->ring);
	mp_free(cluster->traces);
	mp_free(cluster->name);
	mp_free(cluster->user);
	mp_sim_roles_clear(&cluster->roles);
	mp_free(cluster->op_prefix);
	mp_sim_tls_context_free(cluster->tls);
	mp_free(cluster);
}

// ---- looking at it, rules ---------------------------------------------------------------------------------

size_t mp_sim_cluster_size(const struct mp_sim_cluster *cluster)
{
	return cluster->node_count;
}

struct mp_sim_trace *mp_sim_traces_new(void)
{
	return mp_calloc(MP_SIM_TRACES, sizeof(struct mp_sim_trace));
}

int mp_sim_set_password(struct mp_sim_cluster *cluster, const char *password)
{
	struct mp_str user = mp_str_of(cluster->user != NULL ? cluster->user : "");
	struct mp_sim_role *role = mp_sim_role_find(&cluster->roles, user);
	return role == NULL ? MP_EINVAL : mp_sim_role_set_password(role, mp_str_of(password));
}

int mp_sim_set_prepared_limit(struct mp_sim_cluster *cluster, uint32_t limit)
{
	if (limit == 0)
		return MP_EINVAL;
	cluster->options.prepared_limit = limit;
	return 0;
}

uint64_t mp_sim_received(const struct mp_sim_cluster *cluster, int32_t node, struct mp_str text,
                         bool executed)
{
	uint64_t count = 0;
	for (size_t i = 0; i < cluster->node_count; i++) {
		if (node < 0 || (size_t)node == i)
			count += mp_sim_oplog_count(cluster->nodes[i], text, executed);
	}
	return count;
}

size_t mp_sim_replicas_of(struct mp_sim_cluster *cluster, struct mp_str keyspace, struct mp_bytes key,
                          uint16_t *out, size_t max)
{
	struct mp_sim_keyspace *ks = mp_sim_schema_keyspace(&cluster->schema, keyspace);
	if (ks == NULL || cluster->ring.count == 0)
		return 0;
	uint16_t list[MP_SIM_RF_MAX];
	size_t entry = mp_sim_ring_owner(&cluster->ring, mp_murmur3_token(key.data, (size_t)key.len));
	size_t count = mp_sim_ring_replicas(&cluster->ring, &ks->strategy, entry, list);
	count = count < max ? count : max;
	memcpy(out, list, count * sizeof(*out));
	return count;
}

uint32_t mp_sim_add_rule(struct mp_sim_cluster *cluster, const struct mp_sim_rule_spec *spec)
{
	struct mp_sim_rule *rule = mp_sim_rules_add(&cluster->rules, spec);
	return rule == NULL ? 0 : rule->number;
}

void mp_sim_remove_rule(struct mp_sim_cluster *cluster, uint32_t rule)
{
	mp_sim_rules_remove(&cluster->rules, rule);
}

void mp_sim_clear_rules(struct mp_sim_cluster *cluster)
{
	mp_sim_rules_clear(&cluster->rules);
}

uint64_t mp_sim_rule_hits(const struct mp_sim_cluster *cluster, uint32_t number)
{
	const struct mp_sim_rule *rule = mp_sim_rules_find(&cluster->rules, number);
	return rule == NULL ? 0 : rule->hits;
}
