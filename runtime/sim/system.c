// SPDX-License-Identifier: Apache-2.0
// The system keyspaces: how they come into the schema, and system.local, system.peers, system_traces.
#include "sim/system.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "sim/cql/parse.h"

// ---- telling ----------------------------------------------------------------------------------------------

void mp_sim_tell_bytes(struct mp_sim_teller *t, const char *column, const void *bytes, size_t len)
{
	const struct mp_sim_column *found = mp_sim_table_column(t->table, mp_str_of(column));
	mp_assert(found != NULL);
	uint8_t *copy = mp_arena_alloc(t->arena, len + 1);
	if (copy == NULL) {
		t->failed = true;
		return;
	}
	if (len > 0)
		memcpy(copy, bytes, len);
	t->values[found->index] = (struct mp_bytes){copy, (int32_t)len};
}

void mp_sim_tell_text(struct mp_sim_teller *t, const char *column, struct mp_str text)
{
	mp_sim_tell_bytes(t, column, text.data, text.len);
}

void mp_sim_tell_int(struct mp_sim_teller *t, const char *column, int32_t value)
{
	uint32_t swapped = __builtin_bswap32((uint32_t)value);
	mp_sim_tell_bytes(t, column, &swapped, 4);
}

void mp_sim_tell_bool(struct mp_sim_teller *t, const char *column, bool value)
{
	uint8_t byte = value;
	mp_sim_tell_bytes(t, column, &byte, 1);
}

void mp_sim_tell_double(struct mp_sim_teller *t, const char *column, double value)
{
	uint64_t bits;
	memcpy(&bits, &value, 8);
	bits = __builtin_bswap64(bits);
	mp_sim_tell_bytes(t, column, &bits, 8);
}

void mp_sim_tell_texts(struct mp_sim_teller *t, const char *column, const struct mp_str *texts, size_t count,
                       bool map)
{
	struct mp_buf buf;
	mp_buf_init(&buf);
	mp_buf_u32(&buf, (uint32_t)(map ? count / 2 : count));
	for (size_t i = 0; i < count; i++) {
		mp_buf_i32(&buf, (int32_t)texts[i].len);
		mp_buf_bytes(&buf, texts[i].data, texts[i].len);
	}
	t->failed = t->failed || buf.failed;
	if (!buf.failed)
		mp_sim_tell_bytes(t, column, buf.data, buf.len);
	mp_buf_deinit(&buf);
}

static void begin_row(struct mp_sim_teller *t)
{
	for (uint16_t i = 0; i < t->table->column_count; i++)
		t->values[i] = (struct mp_bytes){NULL, -1};
}

int mp_sim_tell_row(struct mp_sim_teller *t)
{
	if (t->failed)
		return MP_ENOMEM;
	int rc = t->row(t->data, t->values);
	begin_row(t);
	return rc;
}

static void tell_ip(struct mp_sim_teller *t, const char *column, const struct mp_addr *addr)
{
	mp_sim_tell_bytes(t, column, addr->ip, addr->ip_len);
}

// ---- nodes ------------------------------------------------------------------------------------------------

static const char *release_of(const struct mp_sim_node *node)
{
	return node->max_version >= 5 ? "5.0.9" : node->max_version == 4 ? "3.11.19" : "2.1.22";
}

struct mp_uuid mp_sim_schema_version(struct mp_sim_cluster *cluster)
{
	if (cluster->schema_seen != cluster->schema.version) {
		uint64_t source[2] = {cluster->options.seed, cluster->schema.version};
		cluster->schema_seen = cluster->schema.version;
		mp_sim_hash_id(cluster->schema_version.bytes, source, sizeof(source), "schema", 6);
		cluster->schema_version.bytes[6] = (uint8_t)((cluster->schema_version.bytes[6] & 0x0f) | 0x30);
		cluster->schema_version.bytes[8] = (uint8_t)((cluster->schema_version.bytes[8] & 0x3f) | 0x80);
	}
	return cluster->schema_version;
}

static void tell_tokens(struct mp_sim_teller *t, const struct mp_sim_node *node)
{
	struct mp_str *texts = mp_arena_alloc(t->arena, (node->token_count + 1) * sizeof(*texts));
	for (size_t i = 0; texts != NULL && i < node->token_count; i++) {
		char text[24];
		snprintf(text, sizeof(text), "%lld", (long long)node->tokens[i]);
		texts[i] = mp_arena_str(t->arena, mp_str_of(text));
		if (texts[i].data == NULL)
			texts = NULL;
	}
	if (texts == NULL)
		t->failed = true;
	else
		mp_sim_tell_texts(t, "tokens", texts, node->token_count, false);
}

static void tell_common(struct mp_sim_teller *t, const struct mp_sim_node *node)
{
	struct mp_uuid version = mp_sim_schema_version(node->cluster);
	mp_sim_tell_text(t, "data_center", mp_str_of(node->cluster->dc_names[node->dc]));
	mp_sim_tell_text(t, "rack", mp_str_of(node->rack_name));
	mp_sim_tell_bytes(t, "host_id", node->host_id.bytes, sizeof(node->host_id.bytes));
	mp_sim_tell_text(t, "release_version", mp_str_of(release_of(node)));
	mp_sim_tell_bytes(t, "schema_version", version.bytes, sizeof(version.bytes));
	tell_tokens(t, node);
}

static int tell_local(struct mp_sim_teller *t)
{
	const struct mp_sim_node *node = t->node;
	char version[4];
	snprintf(version, sizeof(version), "%u", node->max_version);
	tell_common(t, node);
	mp_sim_tell_text(t, "key", mp_str_of("local"));
	mp_sim_tell_text(t, "bootstrapped", mp_str_of("COMPLETED"));
	mp_sim_tell_text(t, "cluster_name", mp_str_of(node->cluster->name));
	mp_sim_tell_text(t, "cql_version", mp_str_of("3.4.7"));
	mp_sim_tell_text(t, "native_protocol_version", mp_str_of(version));
	mp_sim_tell_text(t, "partitioner", mp_str_of("org.apache.cassandra.dht.Murmur3Partitioner"));
	tell_ip(t, "broadcast_address", mp_sim_node_shown(node));
	tell_ip(t, "listen_address", mp_sim_node_shown(node));
	tell_ip(t, "rpc_address", mp_sim_node_shown(node));
	mp_sim_tell_int(t, "broadcast_port", 7000);
	mp_sim_tell_int(t, "listen_port", 7000);
	mp_sim_tell_int(t, "rpc_port", mp_sim_node_shown(node)->port);
	mp_sim_tell_int(t, "gossip_generation", 1700000000);
	return mp_sim_tell_row(t);
}

static int tell_peers_of(struct mp_sim_teller *t, bool v2)
{
	const struct mp_sim_cluster *cluster = t->node->cluster;
	for (size_t i = 0; i < cluster->node_count; i++) {
		const struct mp_sim_node *node = cluster->nodes[i];
		if (node == t->node || !node->member)
			continue;
		tell_common(t, node);
		tell_ip(t, "peer", mp_sim_node_shown(node));
		tell_ip(t, v2 ? "native_address" : "rpc_address", mp_sim_node_shown(node));
		if (v2) {
			mp_sim_tell_int(t, "peer_port", 7000);
			mp_sim_tell_int(t, "native_port", mp_sim_node_shown(node)->port);
		}
		int rc = mp_sim_tell_row(t);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int tell_peers(struct mp_sim_teller *t)
{
	return tell_peers_of(t, false);
}

static int tell_peers_v2(struct mp_sim_teller *t)
{
	return tell_peers_of(t, true);
}

static int tell_sessions(struct mp_sim_teller *t)
{
	const struct mp_sim_cluster *cluster = t->node->cluster;
	for (uint64_t i = 0; cluster->traces != NULL && i < cluster->trace_count && i < MP_SIM_TRACES; i++) {
		const struct mp_sim_trace *trace = &cluster->traces[i];
		const struct mp_sim_node *node = cluster->nodes[trace->node];
		struct mp_str parameters[2] = {mp_str_of("query"), mp_str_of(trace->statement)};
		uint64_t started = __builtin_bswap64((uint64_t)(trace->started_us / 1000));
		mp_sim_tell_bytes(t, "session_id", trace->id.bytes, sizeof(trace->id.bytes));
		mp_sim_tell_text(t, "command", mp_str_of("QUERY"));
		tell_ip(t, "coordinator", &node->addr);
		mp_sim_tell_int(t, "coordinator_port", 7000);
		mp_sim_tell_int(t, "duration", 100);
		mp_sim_tell_texts(t, "parameters", parameters, 2, true);
		mp_sim_tell_text(t, "request",
		                 mp_str_of(trace->opcode == MP_OP_PREPARE   ? "Preparing CQL3 query"
		                           : trace->opcode == MP_OP_EXECUTE ? "Execute CQL3 prepared query"
		                           : trace->opcode == MP_OP_BATCH   ? "Execute batch of CQL3 queries"
		                                                            : "Execute CQL3 query"));
		mp_sim_tell_bytes(t, "started_at", &started, 8);
		int rc = mp_sim_tell_row(t);
		if (rc != 0)
			return rc;
	}
	return 0;
}

// What a coordinator does, step by step; the times are made up.
static int tell_events(struct mp_sim_teller *t)
{
	static const char *const steps[] = {"Parsing ", "Preparing statement", "Executing on the replicas",
	                                    "Request complete"};
	const struct mp_sim_cluster *cluster = t->node->cluster;
	for (uint64_t i = 0; cluster->traces != NULL && i < cluster->trace_count && i < MP_SIM_TRACES; i++) {
		const struct mp_sim_trace *trace = &cluster->traces[i];
		for (size_t step = 0; step < MP_ARRAY_LEN(steps); step++) {
			char activity[256];
			struct mp_uuid id = trace->id;
			id.bytes[15] = (uint8_t)(id.bytes[15] + step); // of the same time
			snprintf(activity, sizeof(activity), "%s%.200s", steps[step], step == 0 ? trace->statement : "");
			mp_sim_tell_bytes(t, "session_id", trace->id.bytes, sizeof(trace->id.bytes));
			mp_sim_tell_bytes(t, "event_id", id.bytes, sizeof(id.bytes));
			mp_sim_tell_text(t, "activity", mp_str_of(activity));
			tell_ip(t, "source", &cluster->nodes[trace->node]->addr);
			mp_sim_tell_int(t, "source_elapsed", (int32_t)(25 * (step + 1)));
			mp_sim_tell_int(t, "source_port", 7000);
			mp_sim_tell_text(t, "thread", mp_str_of("Native-Transport-Requests-1"));
			int rc = mp_sim_tell_row(t);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

static const struct mp_sim_virtual node_tables[] = {
	{"system",
     "key text PRIMARY KEY, bootstrapped text, broadcast_address inet, broadcast_port int, cluster_name "
     "text, "
     "cql_version text, data_center text, gossip_generation int, host_id uuid, listen_address inet, "
     "listen_port int, "
     "native_protocol_version text, partitioner text, rack text, release_version text, rpc_address inet, "
     "rpc_port int, "
     "schema_version uuid, tokens set<text>, truncated_at map<uuid, blob>",
     "local", 0, tell_local},
	{"system",
     "peer inet PRIMARY KEY, data_center text, host_id uuid, preferred_ip inet, rack text, release_version "
     "text, "
     "rpc_address inet, schema_version uuid, tokens set<text>",
     "peers", 0, tell_peers},
	{"system",
     "peer inet, peer_port int, data_center text, host_id uuid, native_address inet, native_port int, "
     "preferred_ip inet, "
     "preferred_port int, rack text, release_version text, schema_version uuid, tokens set<text>, "
     "PRIMARY KEY (peer, peer_port)",
     "peers_v2", 5, tell_peers_v2},
	{"system_traces",
     "session_id uuid PRIMARY KEY, client inet, command text, coordinator inet, coordinator_port int, "
     "duration int, "
     "parameters map<text, text>, request text, started_at timestamp",
     "sessions", 0, tell_sessions},
	{"system_traces",
     "session_id uuid, event_id timeuuid, activity text, source inet, source_elapsed int, source_port int, "
     "thread text, "
     "PRIMARY KEY (session_id, event_id)",
     "events", 0, tell_events},
	{NULL, NULL, NULL, 0, NULL},
};

// ---- into the schema --------------------------------------------------------------------------------------

static struct mp_sim_keyspace *keyspace_for(struct mp_sim_cluster *cluster, const char *name)
{
	struct mp_sim_keyspace *ks = mp_sim_schema_keyspace(&cluster->schema, mp_str_of(name));
	struct mp_sim_strategy strategy = {.kind = MP_SIM_LOCAL_STRATEGY, .rf = 1};
	if (ks == NULL)
		ks = mp_sim_schema_add_keyspace(&cluster->schema, mp_str_of(name), &strategy);
	if (ks != NULL)
		ks->is_virtual = strcmp(name, "system_virtual_schema") == 0;
	return ks;
}

static int add_table(struct mp_sim_cluster *cluster, const struct mp_sim_virtual *source)
{
	struct mp_sim_keyspace *ks = keyspace_for(cluster, source->keyspace);
	if (ks == NULL)
		return MP_ENOMEM;
	struct mp_arena arena;
	struct mp_buf cql;
	struct mp_sim_error err = {.set = false};
	struct mp_sim_table *table = NULL;
	mp_arena_init(&arena);
	mp_buf_init(&cql);
	mp_buf_printf(&cql, "CREATE TABLE \"%s\" (%s)", source->name, source->columns);
	struct mp_sim_stmt *stmt =
		cql.failed ? NULL : mp_sim_parse((struct mp_str){(const char *)cql.data, cql.len}, &arena, &err);
	if (stmt != NULL)
		table = mp_sim_schema_add_table(&cluster->schema, ks, stmt, &err);
	if (table != NULL)
		table->source = source;
	mp_assert(table != NULL || err.body.code == MP_SE_SERVER_ERROR || cql.failed);
	mp_buf_deinit(&cql);
	mp_arena_deinit(&arena);
	return table == NULL ? MP_ENOMEM : 0;
}

int mp_sim_system_init(struct mp_sim_cluster *cluster)
{
	const struct mp_sim_virtual *const lists[] = {node_tables, mp_sim_schema_tables, mp_sim_auth_tables};
	for (size_t i = 0; i < MP_ARRAY_LEN(lists); i++) {
		for (const struct mp_sim_virtual *source = lists[i]; source->keyspace != NULL; source++) {
			int rc = add_table(cluster, source);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

bool mp_sim_system_has(const struct mp_sim_node *node, const struct mp_sim_table *table)
{
	return table->source == NULL || node->max_version >= table->source->since_version;
}

int mp_sim_system_rows(struct mp_sim_node *node, const struct mp_sim_table *table, struct mp_arena *arena,
                       int (*row)(void *data, const struct mp_bytes *values), void *data)
{
	struct mp_sim_teller teller = {.node = node, .table = table, .arena = arena, .row = row, .data = data};
	teller.values = mp_arena_alloc(arena, table->column_count * sizeof(*teller.values));
	if (teller.values == NULL)
		return MP_ENOMEM;
	begin_row(&teller);
	return table->source->tell == NULL ? 0 : table->source->tell(&teller);
}
