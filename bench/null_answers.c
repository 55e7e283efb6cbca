// SPDX-License-Identifier: Apache-2.0
// A system table is a list of columns; a column knows how to write its value for a row. Conditions are not looked at:
// system.local and system.peers mean the node that was asked and all the others, whatever WHERE says.
#include "null_answers.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "wire/value.h"

#define CLUSTER_NAME "moonpool null cluster"
#define DATACENTRE   "datacenter1"
#define RELEASE      "5.0.0"
#define METADATA_ID  "fedcba9876543210"
#define COLUMNS_MAX  16
#define REPLICAS_MAX 3

struct row {
	const struct null_cluster *cluster;
	uint32_t node;       // whose row it is; in system_schema.keyspaces the keyspace
	uint8_t host_id[16]; // scratch
};

struct column {
	const char *name;
	const char *type;
	void (*write)(struct mp_buf *out, const struct row *row);
};

struct table {
	const char *name;
	struct column columns[COLUMNS_MAX];
	enum { ROWS_ASKED, ROWS_OTHERS, ROWS_KEYSPACES } rows;
};

struct mp_addr null_addr(const struct null_cluster *cluster, uint32_t node)
{
	return mp_addr_v4(127, 0, (uint8_t)(node / 250), (uint8_t)(1 + node % 250), cluster->port);
}

// ---- values
// ---------------------------------------------------------------------------------------------------------

static void text(struct mp_buf *out, const char *value)
{
	size_t begin = mp_write_value_begin(out);
	mp_buf_text(out, value);
	mp_write_value_end(out, begin);
}

static void write_key(struct mp_buf *out, const struct row *row)
{
	(void)row;
	text(out, "local");
}

static void write_cluster(struct mp_buf *out, const struct row *row)
{
	(void)row;
	text(out, CLUSTER_NAME);
}

static void write_dc(struct mp_buf *out, const struct row *row)
{
	(void)row;
	text(out, DATACENTRE);
}

static void write_rack(struct mp_buf *out, const struct row *row)
{
	char name[16];
	snprintf(name, sizeof(name), "rack%u", 1 + row->node % REPLICAS_MAX);
	text(out, name);
}

static void write_release(struct mp_buf *out, const struct row *row)
{
	(void)row;
	text(out, RELEASE);
}

static void write_partitioner(struct mp_buf *out, const struct row *row)
{
	(void)row;
	text(out, "org.apache.cassandra.dht.Murmur3Partitioner");
}

static void write_protocol(struct mp_buf *out, const struct row *row)
{
	(void)row;
	text(out, "5");
}

static void write_addr(struct mp_buf *out, const struct row *row)
{
	struct mp_addr addr = null_addr(row->cluster, row->node);
	mp_buf_i32(out, addr.ip_len);
	mp_buf_bytes(out, addr.ip, addr.ip_len);
}

static void write_port(struct mp_buf *out, const struct row *row)
{
	mp_buf_i32(out, 4);
	mp_buf_i32(out, row->cluster->port);
}

static void write_uuid(struct mp_buf *out, uint32_t number)
{
	uint8_t bytes[16] = {0x6d, 0x6f, 0x6f, 0x6e, 0x70, 0x6f, 0x4f, 0x6c, 0x80};
	bytes[12] = (uint8_t)(number >> 24);
	bytes[13] = (uint8_t)(number >> 16);
	bytes[14] = (uint8_t)(number >> 8);
	bytes[15] = (uint8_t)number;
	mp_buf_i32(out, (int32_t)sizeof(bytes));
	mp_buf_bytes(out, bytes, sizeof(bytes));
}

static void write_host_id(struct mp_buf *out, const struct row *row)
{
	write_uuid(out, 1 + row->node);
}

static void write_schema_version(struct mp_buf *out, const struct row *row)
{
	(void)row;
	write_uuid(out, 0);
}

// The nodes take turns around the ring, in equal steps.
static void write_tokens(struct mp_buf *out, const struct row *row)
{
	uint64_t all = (uint64_t)row->cluster->nodes * NULL_TOKENS;
	uint64_t step = UINT64_MAX / all;
	size_t begin = mp_write_value_begin(out);
	mp_buf_i32(out, NULL_TOKENS);
	for (uint32_t i = 0; i < NULL_TOKENS; i++) {
		uint64_t place = (uint64_t)i * row->cluster->nodes + row->node;
		char token[24];
		snprintf(token, sizeof(token), "%lld", (long long)(INT64_MIN + 1 + (int64_t)(place * step)));
		text(out, token);
	}
	mp_write_value_end(out, begin);
}

static void write_keyspace(struct mp_buf *out, const struct row *row)
{
	text(out, row->node == 0 ? NULL_KEYSPACE : "system");
}

static void write_durable(struct mp_buf *out, const struct row *row)
{
	(void)row;
	mp_buf_i32(out, 1);
	mp_buf_u8(out, 1);
}

static void write_replication(struct mp_buf *out, const struct row *row)
{
	bool placed = row->node == 0;
	uint32_t replicas = row->cluster->nodes < REPLICAS_MAX ? row->cluster->nodes : REPLICAS_MAX;
	char number[8];
	snprintf(number, sizeof(number), "%u", replicas);
	size_t begin = mp_write_value_begin(out);
	mp_buf_i32(out, placed ? 2 : 1);
	text(out, "class");
	text(out, placed ? "org.apache.cassandra.locator.NetworkTopologyStrategy"
	                 : "org.apache.cassandra.locator.LocalStrategy");
	if (placed) {
		text(out, DATACENTRE);
		text(out, number);
	}
	mp_write_value_end(out, begin);
}

// ---- tables
// ---------------------------------------------------------------------------------------------------------

static const struct table tables[] = {
	{
		"system.local",
		{
			{"key", "text", write_key},
			{"cluster_name", "text", write_cluster},
			{"data_center", "text", write_dc},
			{"host_id", "uuid", write_host_id},
			{"broadcast_address", "inet", write_addr},
			{"listen_address", "inet", write_addr},
			{"native_protocol_version", "text", write_protocol},
			{"partitioner", "text", write_partitioner},
			{"rack", "text", write_rack},
			{"release_version", "text", write_release},
			{"rpc_address", "inet", write_addr},
			{"rpc_port", "int", write_port},
			{"schema_version", "uuid", write_schema_version},
			{"tokens", "set<text>", write_tokens},
		},
		ROWS_ASKED,
	},
	{
		"system.peers_v2",
		{
			{"peer", "inet", write_addr},
			{"peer_port", "int", write_port},
			{"data_center", "text", write_dc},
			{"host_id", "uuid", write_host_id},
			{"native_address", "inet", write_addr},
			{"native_port", "int", write_port},
			{"rack", "text", write_rack},
			{"release_version", "text", write_release},
			{"schema_version", "uuid", write_schema_version},
			{"tokens", "set<text>", write_tokens},
		},
		ROWS_OTHERS,
	},
	{
		"system_schema.keyspaces",
		{
			{"keyspace_name", "text", write_keyspace},
			{"durable_writes", "boolean", write_durable},
			{"replication", "map<text, text>", write_replication},
		},
		ROWS_KEYSPACES,
	},
};

static struct mp_metadata *metadata_of(const struct mp_str keyspace, const struct mp_str table,
                                       const struct column *const *columns, uint32_t count)
{
	struct mp_metadata *metadata = mp_metadata_new(count);
	if (metadata == NULL)
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		metadata->columns[i] = (struct mp_column){
			.keyspace = keyspace,
			.table = table,
			.name = mp_str_of(columns[i]->name),
			.type = mp_type_parse(mp_str_of(columns[i]->type), &metadata->arena),
		};
		mp_assert(metadata->columns[i].type != NULL);
	}
	return metadata;
}

static void write_table(const struct null_cluster *cluster, uint32_t node, const struct table *table,
                        const struct column *const *columns, uint32_t count, uint8_t version, int16_t stream,
                        struct mp_buf *out)
{
	const char *dot = strchr(table->name, '.');
	struct mp_str keyspace = {table->name, (size_t)(dot - table->name)};
	struct mp_metadata *metadata = metadata_of(keyspace, mp_str_of(dot + 1), columns, count);
	mp_assert(metadata != NULL);
	struct mp_rows_head head = {.metadata = metadata};
	struct mp_rows_mark mark = mp_encode_rows_begin(out, version, stream, &head);
	uint32_t rows = table->rows == ROWS_KEYSPACES ? 2 : cluster->nodes;
	uint32_t written = 0;
	for (uint32_t i = 0; i < rows; i++) {
		if ((table->rows == ROWS_ASKED && i != node) || (table->rows == ROWS_OTHERS && i == node))
			continue;
		struct row row = {.cluster = cluster, .node = i};
		for (uint32_t k = 0; k < count; k++)
			columns[k]->write(out, &row);
		written++;
	}
	mp_encode_rows_end(out, mark, written);
	mp_metadata_unref(metadata);
}

// ---- SELECT
// ---------------------------------------------------------------------------------------------------------

static void refuse(struct mp_buf *out, const struct mp_envelope *envelope, int32_t code, const char *what,
                   struct mp_str cql)
{
	char message[256];
	int shown = cql.len < 160 ? (int)cql.len : 160;
	snprintf(message, sizeof(message), "the null server %s: %.*s", what, shown, cql.data);
	struct mp_error_body error = {.code = code, .message = mp_str_of(message)};
	mp_encode_error(out, envelope->version, envelope->stream, &error);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct mp_str next_word(struct mp_str *rest, const char *also_ends)
{
	while (rest->len > 0 && is_space(rest->data[0])) {
		rest->data++;
		rest->len--;
	}
	struct mp_str word = {rest->data, 0};
	while (word.len < rest->len && !is_space(word.data[word.len]) &&
	       strchr(also_ends, word.data[word.len]) == NULL)
		word.len++;
	rest->data += word.len;
	rest->len -= word.len;
	return word;
}

static const struct column *find_column(const struct table *table, struct mp_str name)
{
	for (uint32_t i = 0; i < COLUMNS_MAX && table->columns[i].name != NULL; i++) {
		if (mp_str_is_nocase(name, table->columns[i].name))
			return &table->columns[i];
	}
	return NULL;
}

static const struct table *find_table(struct mp_str name)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(tables); i++) {
		if (mp_str_is_nocase(name, tables[i].name))
			return &tables[i];
	}
	return NULL;
}

// The names between SELECT and FROM; `*` is one of them. Returns how many, 0 when it is no such statement.
static uint32_t parse_select(struct mp_str cql, struct mp_str names[COLUMNS_MAX], struct mp_str *table)
{
	uint32_t count = 0;
	if (!mp_str_is_nocase(next_word(&cql, ""), "SELECT"))
		return 0;
	for (;;) {
		struct mp_str word = next_word(&cql, ",");
		if (word.len == 0 || count == COLUMNS_MAX)
			return 0;
		names[count++] = word;
		struct mp_str rest = cql;
		if (mp_str_is_nocase(next_word(&rest, ","), "FROM")) {
			*table = next_word(&rest, ";");
			return count;
		}
		while (cql.len > 0 && (is_space(cql.data[0]) || cql.data[0] == ',')) {
			cql.data++;
			cql.len--;
		}
	}
}

static void answer_select(const struct null_cluster *cluster, uint32_t node,
                          const struct mp_envelope *envelope, struct mp_str cql, struct mp_buf *out)
{
	struct mp_str names[COLUMNS_MAX], table_name = {NULL, 0};
	uint32_t count = parse_select(cql, names, &table_name);
	const struct table *table = count > 0 ? find_table(table_name) : NULL;
	if (table == NULL) {
		refuse(out, envelope, MP_SE_INVALID, "does not know this statement", cql);
		return;
	}
	const struct column *columns[COLUMNS_MAX];
	uint32_t wanted = 0;
	if (count == 1 && mp_str_is(names[0], "*")) {
		for (; wanted < COLUMNS_MAX && table->columns[wanted].name != NULL; wanted++)
			columns[wanted] = &table->columns[wanted];
	} else {
		for (; wanted < count; wanted++) {
			columns[wanted] = find_column(table, names[wanted]);
			if (columns[wanted] == NULL) {
				refuse(out, envelope, MP_SE_INVALID, "does not know this column", names[wanted]);
				return;
			}
		}
	}
	write_table(cluster, node, table, columns, wanted, envelope->version, envelope->stream, out);
}

// ---- the statement
// --------------------------------------------------------------------------------------------------

static void answer_prepare(const struct mp_envelope *envelope, struct mp_str cql, struct mp_buf *out)
{
	struct mp_str names[COLUMNS_MAX], table = {NULL, 0};
	uint32_t count = parse_select(cql, names, &table);
	enum null_rows_kind kind = count == 1 ? null_rows_kind_of(table, names[0]) : NULL_ROWS_KINDS;
	if (kind == NULL_ROWS_KINDS) {
		refuse(out, envelope, MP_SE_INVALID, "prepares SELECT value FROM bench.kv WHERE key = ?, not", cql);
		return;
	}
	struct mp_metadata *params = null_rows_params(), *result = null_rows_metadata(kind);
	mp_encode_result_prepared(out, envelope->version, envelope->stream, null_rows_id(kind),
	                          mp_str_of(METADATA_ID), params, result);
	mp_metadata_unref(params);
	mp_metadata_unref(result);
}

// ---- all of them
// ----------------------------------------------------------------------------------------------------

static void answer_options(const struct mp_envelope *envelope, struct mp_buf *out)
{
	const struct mp_str cql[] = {mp_str_of("3.4.7")};
	const struct mp_str versions[] = {mp_str_of("3/v3"), mp_str_of("4/v4"), mp_str_of("5/v5")};
	const struct mp_multi map[] = {
		{mp_str_of("CQL_VERSION"), cql, MP_ARRAY_LEN(cql)},
		{mp_str_of("PROTOCOL_VERSIONS"), versions, MP_ARRAY_LEN(versions)},
		{mp_str_of("COMPRESSION"), NULL, 0},
	};
	mp_encode_supported(out, envelope->version, envelope->stream, map, MP_ARRAY_LEN(map));
}

static void answer_query(const struct null_cluster *cluster, uint32_t node,
                         const struct mp_envelope *envelope, struct mp_str cql, struct mp_buf *out)
{
	struct mp_str rest = cql;
	if (!mp_str_is_nocase(next_word(&rest, ""), "USE")) {
		answer_select(cluster, node, envelope, cql, out);
		return;
	}
	mp_encode_result_keyspace(out, envelope->version, envelope->stream, mp_str_of(NULL_KEYSPACE));
}

int null_answer(const struct null_cluster *cluster, uint32_t node, const struct mp_envelope *envelope,
                struct mp_buf *out)
{
	struct mp_request_body request;
	int rc = mp_decode_request(envelope, &request);
	if (rc != 0)
		return rc;
	switch (envelope->opcode) {
	case MP_OP_OPTIONS: answer_options(envelope, out); break;
	case MP_OP_STARTUP:
	case MP_OP_REGISTER: mp_encode_ready(out, envelope->version, envelope->stream); break;
	case MP_OP_QUERY: answer_query(cluster, node, envelope, request.cql, out); break;
	case MP_OP_PREPARE: answer_prepare(envelope, request.cql, out); break;
	default:
		refuse(out, envelope, MP_SE_PROTOCOL_ERROR, "does not serve",
		       mp_str_of(mp_opcode_name(envelope->opcode)));
		break;
	}
	return mp_buf_status(out);
}
