// SPDX-License-Identifier: Apache-2.0
// Columns are found by name and read by length, so versions that have more or fewer of them are all the same here.
#include "cluster/node_row.h"

#include <string.h>

#include "base/err.h"
#include "wire/value.h"

// A row under the reader: its columns' names and its values.
struct row {
	const struct mp_metadata *metadata;
	struct mp_bytes *values;
};

static struct mp_bytes column(const struct row *row, const char *name)
{
	int index = mp_metadata_find(row->metadata, mp_str_of(name));
	return index < 0 ? (struct mp_bytes){NULL, -1} : row->values[index];
}

// A copy of a text column, or NULL when it is null, empty, or holds a NUL.
static const char *text_column(const struct row *row, const char *name, struct mp_arena *arena, int *err)
{
	struct mp_bytes value = column(row, name);
	if (value.len <= 0 || memchr(value.data, '\0', (size_t)value.len) != NULL)
		return NULL;
	struct mp_str copy = mp_arena_str(arena, (struct mp_str){(const char *)value.data, (size_t)value.len});
	if (copy.data == NULL)
		*err = MP_ENOMEM;
	return copy.data;
}

static bool addr_column(const struct row *row, const char *name, struct mp_addr *addr)
{
	size_t ip_len;
	memset(addr, 0, sizeof(*addr));
	if (mp_value_inet(column(row, name), addr->ip, &ip_len) != 0)
		return false;
	addr->ip_len = (uint8_t)ip_len;
	return !mp_addr_is_any(addr);
}

static uint16_t port_column(const struct row *row, const char *name, uint16_t otherwise)
{
	int32_t port;
	if (mp_value_i32(column(row, name), &port) != 0 || port < 1 || port > UINT16_MAX)
		return otherwise;
	return (uint16_t)port;
}

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

static int read_tokens(const struct row *row, struct mp_arena *arena, struct mp_node_row *node)
{
	struct mp_cursor elements;
	uint32_t count;
	struct mp_bytes value = column(row, "tokens");
	if (value.len < 0 || mp_value_elements(value, &elements, &count) != 0 || count == 0)
		return 0;
	node->tokens = mp_arena_alloc(arena, count * sizeof(*node->tokens));
	if (node->tokens == NULL)
		return MP_ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		if (parse_token(mp_cursor_bytes(&elements), &node->tokens[node->token_count]))
			node->token_count++;
	return 0;
}

// Where clients reach the node: what it advertises, unless that is no address; then how its neighbours call it; for the
// node that was asked, the address that was used to ask it.
static void read_addr(const struct row *row, const struct mp_addr *asked, struct mp_node_row *node)
{
	bool advertised =
		addr_column(row, "native_address", &node->addr) || addr_column(row, "rpc_address", &node->addr);
	bool has_peer = addr_column(row, "peer", &node->peer);
	if (node->is_local) {
		if (!advertised)
			node->addr = *asked;
		else
			node->addr.port = port_column(row, "rpc_port", asked->port);
		return;
	}
	if (!advertised && has_peer)
		node->addr = node->peer;
	node->addr.port = port_column(row, "native_port", asked->port);
}

static int read_node(const struct row *row, struct mp_arena *arena, const struct mp_addr *asked,
                     struct mp_node_row *node)
{
	int rc = 0;
	struct mp_bytes id = column(row, "host_id");
	if (id.len == (int32_t)sizeof(node->host_id.bytes))
		memcpy(node->host_id.bytes, id.data, sizeof(node->host_id.bytes));
	read_addr(row, asked, node);
	node->dc = text_column(row, "data_center", arena, &rc);
	node->rack = text_column(row, "rack", arena, &rc);
	node->release_version = text_column(row, "release_version", arena, &rc);
	if (rc == 0)
		rc = read_tokens(row, arena, node);
	node->complete = !mp_uuid_is_nil(&node->host_id) && !mp_addr_is_any(&node->addr) && node->dc != NULL &&
	                 node->rack != NULL && (node->is_local || node->token_count > 0);
	return rc;
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

int mp_node_rows_read(struct mp_node_rows *nodes, struct mp_arena *arena, const struct mp_result_body *result,
                      const struct mp_addr *asked, struct mp_cluster_row *cluster)
{
	if (result->kind != MP_RESULT_ROWS || result->metadata == NULL)
		return MP_EPROTO;
	struct mp_cursor rows = result->rows;
	struct row row = {result->metadata,
	                  mp_arena_alloc(arena, (result->column_count + 1) * sizeof(*row.values))};
	if (row.values == NULL)
		return MP_ENOMEM;
	for (uint32_t i = 0; i < result->row_count; i++) {
		int rc = mp_row_read(&rows, row.values, result->column_count);
		if (rc != 0)
			return rc;
		struct mp_node_row *node = append(nodes, arena);
		if (node == NULL)
			return MP_ENOMEM;
		node->is_local = cluster != NULL;
		rc = read_node(&row, arena, asked, node);
		if (rc == 0 && cluster != NULL) {
			cluster->cluster_name = text_column(&row, "cluster_name", arena, &rc);
			cluster->partitioner = text_column(&row, "partitioner", arena, &rc);
		}
		if (rc != 0)
			return rc;
	}
	return 0;
}

static void read_options(struct mp_bytes map, struct mp_keyspace_row *out)
{
	struct mp_cursor elements;
	uint32_t count;
	if (map.len < 0 || mp_value_elements(map, &elements, &count) != 0)
		return;
	for (uint32_t i = 0; i < count && out->option_count < MP_KEYSPACE_OPTIONS_MAX; i++) {
		struct mp_bytes key = mp_cursor_bytes(&elements);
		struct mp_bytes value = mp_cursor_bytes(&elements);
		if (elements.failed)
			return;
		if (key.len <= 0 || value.len < 0)
			continue;
		out->keys[out->option_count] = (struct mp_str){(const char *)key.data, (size_t)key.len};
		out->values[out->option_count++] = (struct mp_str){(const char *)value.data, (size_t)value.len};
	}
}

int mp_keyspace_rows_read(const struct mp_result_body *result,
                          void (*on_row)(void *data, const struct mp_keyspace_row *row), void *data)
{
	if (result->kind != MP_RESULT_ROWS || result->metadata == NULL)
		return MP_EPROTO;
	int name_at = mp_metadata_find(result->metadata, mp_str_of("keyspace_name"));
	int replication_at = mp_metadata_find(result->metadata, mp_str_of("replication"));
	struct mp_bytes values[64];
	if (name_at < 0 || replication_at < 0 || result->column_count > MP_ARRAY_LEN(values))
		return MP_EPROTO;
	struct mp_cursor rows = result->rows;
	for (uint32_t i = 0; i < result->row_count; i++) {
		int rc = mp_row_read(&rows, values, result->column_count);
		if (rc != 0)
			return rc;
		struct mp_bytes name = values[name_at];
		if (name.len <= 0)
			continue;
		struct mp_keyspace_row row = {.name = {(const char *)name.data, (size_t)name.len}};
		read_options(values[replication_at], &row);
		on_row(data, &row);
	}
	return 0;
}
