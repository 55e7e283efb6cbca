// SPDX-License-Identifier: Apache-2.0
// Columns are found by name, once for all rows, and read by length, so versions that have more or fewer of them are all
// the same here.
#include "cluster/topology/node_row.h"

#include <string.h>

#include "base/err.h"
#include "cluster/plan/view.h"
#include "wire/value.h"

// clang-format off
#define COLUMNS(X)                                                                              \
	X(HOST_ID, "host_id") X(NATIVE_ADDRESS, "native_address") X(RPC_ADDRESS, "rpc_address")     \
	X(PEER, "peer") X(NATIVE_PORT, "native_port") X(RPC_PORT, "rpc_port")                       \
	X(DC, "data_center") X(RACK, "rack") X(VERSION, "release_version") X(TOKENS, "tokens")      \
	X(CLUSTER_NAME, "cluster_name") X(PARTITIONER, "partitioner")                               \
	X(SCHEMA_VERSION, "schema_version")
// clang-format on
enum column {
#define X(symbol, name) COLUMN_##symbol,
	COLUMNS(X)
#undef X
		COLUMN_COUNT
};

static const char *const column_names[] = {
#define X(symbol, name) name,
	COLUMNS(X)
#undef X
};

// ---- columns ----------------------------------------------------------------------------------------------

static struct mp_bytes column(const struct mp_node_reader *reader, enum column which)
{
	int16_t at = reader->columns[which];
	return at < 0 ? (struct mp_bytes){NULL, -1} : reader->values[at];
}

static bool is_name(struct mp_bytes value)
{
	if (value.len <= 0 || value.len > MP_NODE_NAME_MAX)
		return false;
	for (int32_t i = 0; i < value.len; i++)
		if (value.data[i] < ' ' || value.data[i] == 0x7f)
			return false;
	return true;
}

// A copy of a text column, or NULL when it is null, empty, too long, or holds what no name has.
static const char *text_column(const struct mp_node_reader *reader, enum column which, int *err)
{
	struct mp_bytes value = column(reader, which);
	if (!is_name(value))
		return NULL;
	struct mp_str text = {(const char *)value.data, (size_t)value.len};
	struct mp_str copy = mp_arena_str(reader->arena, text);
	if (copy.data == NULL)
		*err = MP_ENOMEM;
	return copy.data;
}

static bool addr_column(const struct mp_node_reader *reader, enum column which, struct mp_addr *addr)
{
	size_t ip_len;
	memset(addr, 0, sizeof(*addr));
	if (mp_value_inet(column(reader, which), addr->ip, &ip_len) != 0)
		return false;
	addr->ip_len = (uint8_t)ip_len;
	return !mp_addr_is_any(addr);
}

static struct mp_uuid uuid_column(const struct mp_node_reader *reader, enum column which)
{
	struct mp_bytes value = column(reader, which);
	struct mp_uuid uuid = {{0}};
	if (value.len == (int32_t)sizeof(uuid.bytes))
		memcpy(uuid.bytes, value.data, sizeof(uuid.bytes));
	return uuid;
}

static uint16_t port_column(const struct mp_node_reader *reader, enum column which, uint16_t otherwise)
{
	int32_t port;
	if (mp_value_i32(column(reader, which), &port) != 0 || port < 1 || port > UINT16_MAX)
		return otherwise;
	return (uint16_t)port;
}

// ---- tokens -----------------------------------------------------------------------------------------------

static bool parse_token(struct mp_bytes text, int64_t *token)
{
	bool negative = text.len > 0 && text.data[0] == '-';
	int32_t i = negative ? 1 : 0;
	if (text.len - i < 1 || text.len - i > 19)
		return false;
	uint64_t value = 0;
	for (; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text.data[i] - '0'); // 19 digits cannot overflow
	}
	uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
	if (value > most)
		return false;
	*token = negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

static int read_tokens(const struct mp_node_reader *reader, struct mp_node_row *node)
{
	struct mp_cursor elements;
	uint32_t count;
	struct mp_bytes value = column(reader, COLUMN_TOKENS);
	if (value.len < 0)
		return 0;
	node->odd_tokens = mp_value_elements(value, &elements, &count) != 0 || count > MP_NODE_TOKENS_MAX;
	if (node->odd_tokens || count == 0)
		return 0;
	node->tokens = mp_arena_alloc(reader->arena, count * sizeof(*node->tokens));
	if (node->tokens == NULL)
		return MP_ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		if (parse_token(mp_cursor_bytes(&elements), &node->tokens[node->token_count]))
			node->token_count++;
		else
			node->odd_tokens = true;
	}
	return 0;
}

// ---- rows -------------------------------------------------------------------------------------------------

// Where clients reach the node: what it advertises, unless that is no address; then how its neighbours call it; for the
// node that was asked, the address that was used to ask it.
static void read_addr(const struct mp_node_reader *reader, struct mp_node_row *node)
{
	uint16_t port = reader->asked.port;
	bool advertised = addr_column(reader, COLUMN_NATIVE_ADDRESS, &node->addr) ||
	                  addr_column(reader, COLUMN_RPC_ADDRESS, &node->addr);
	bool has_peer = addr_column(reader, COLUMN_PEER, &node->peer);
	if (node->is_local) {
		node->reached = reader->asked;
		if (!advertised)
			node->addr = reader->asked;
		else
			node->addr.port = port_column(reader, COLUMN_RPC_PORT, port);
		return;
	}
	if (!advertised && has_peer)
		node->addr = node->peer;
	node->addr.port = port_column(reader, COLUMN_NATIVE_PORT, port);
}

static int read_node(const struct mp_node_reader *reader, struct mp_node_row *node)
{
	int rc = 0;
	struct mp_bytes id = column(reader, COLUMN_HOST_ID);
	if (id.len == (int32_t)sizeof(node->host_id.bytes))
		memcpy(node->host_id.bytes, id.data, sizeof(node->host_id.bytes));
	read_addr(reader, node);
	node->translated = node->addr;
	node->dc = text_column(reader, COLUMN_DC, &rc);
	node->rack = text_column(reader, COLUMN_RACK, &rc);
	node->release_version = text_column(reader, COLUMN_VERSION, &rc);
	node->complete = !mp_uuid_is_nil(&node->host_id) && !mp_addr_is_any(&node->addr);
	return rc == 0 ? read_tokens(reader, node) : rc;
}

static struct mp_node_row *append(struct mp_node_rows *nodes, struct mp_arena *arena)
{
	if (nodes->count == nodes->capacity) {
		size_t capacity = nodes->capacity == 0 ? 16 : nodes->capacity * 2;
		struct mp_node_row *rows = mp_arena_alloc(arena, capacity * sizeof(*rows));
		if (rows == NULL)
			return NULL;
		if (nodes->count > 0)
			memcpy(rows, nodes->rows, nodes->count * sizeof(*rows));
		nodes->rows = rows;
		nodes->capacity = capacity;
	}
	return &nodes->rows[nodes->count++];
}

static int read_row(struct mp_node_reader *reader, int64_t *work)
{
	struct mp_node_rows *nodes = reader->nodes;
	int rc = mp_row_read(&reader->rows, reader->values, reader->column_count);
	if (rc != 0)
		return rc;
	struct mp_node_row *node = append(nodes, reader->arena);
	if (node == NULL)
		return MP_ENOMEM;
	node->is_local = reader->cluster != NULL;
	rc = read_node(reader, node);
	nodes->complete_count += node->complete ? 1 : 0;
	if (rc == 0 && reader->cluster != NULL) {
		reader->cluster->cluster_name = text_column(reader, COLUMN_CLUSTER_NAME, &rc);
		reader->cluster->partitioner = text_column(reader, COLUMN_PARTITIONER, &rc);
		reader->cluster->schema_version = uuid_column(reader, COLUMN_SCHEMA_VERSION);
	}
	*work -= 10 + reader->column_count / 4 + node->token_count;
	return rc;
}

static void find_columns(struct mp_node_reader *reader, const struct mp_metadata *metadata)
{
	for (int i = 0; i < COLUMN_COUNT; i++) {
		int at = mp_metadata_find(metadata, mp_str_of(column_names[i]));
		reader->columns[i] = (int16_t)(at <= INT16_MAX ? at : -1);
	}
}

int mp_node_reader_begin(struct mp_node_reader *reader, struct mp_node_rows *nodes, struct mp_arena *arena,
                         const struct mp_result_body *result, const struct mp_addr *asked,
                         struct mp_cluster_row *cluster)
{
	if (result->kind != MP_RESULT_ROWS || result->metadata == NULL)
		return MP_EPROTO;
	*reader = (struct mp_node_reader){
		.nodes = nodes,
		.arena = arena,
		.asked = *asked,
		.cluster = cluster,
		.rows = result->rows,
		.left = result->row_count,
		.column_count = result->column_count,
		.values = mp_arena_alloc(arena, (result->column_count + 1) * sizeof(*reader->values)),
		.columns = mp_arena_alloc(arena, COLUMN_COUNT * sizeof(*reader->columns)),
	};
	if (reader->values == NULL || reader->columns == NULL)
		return MP_ENOMEM;
	find_columns(reader, result->metadata);
	return 0;
}

int mp_node_reader_step(struct mp_node_reader *reader, size_t most, int64_t *work)
{
	const struct mp_node_rows *nodes = reader->nodes;
	while (reader->left > 0 && nodes->complete_count < most && nodes->count < 2 * most) {
		if (*work <= 0)
			return MP_EAGAIN;
		int rc = read_row(reader, work);
		if (rc != 0)
			return rc;
		reader->left--;
	}
	return 0;
}
