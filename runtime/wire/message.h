// SPDX-License-Identifier: Apache-2.0
// Messages, both directions: a client encodes requests and decodes responses, a simulated node does the reverse.
// Encoders append one whole envelope. Decoders borrow from the body; what must outlive it is copied by the caller.
// native_protocol_v3/v4/v5.spec section 4.
#pragma once

#include "base/addr.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/uuid.h"
#include "wire/frame.h"
#include "wire/type.h"

// ---- vocabulary -------------------------------------------------------------------------------------------
// clang-format off
#define MP_CONSISTENCIES(X)                                                                            \
	X(ANY, 0x00) X(ONE, 0x01) X(TWO, 0x02) X(THREE, 0x03) X(QUORUM, 0x04) X(ALL, 0x05)                 \
	X(LOCAL_QUORUM, 0x06) X(EACH_QUORUM, 0x07) X(SERIAL, 0x08) X(LOCAL_SERIAL, 0x09) X(LOCAL_ONE, 0x0a)
// clang-format on
enum mp_consistency {
#define X(name, value) MP_CL_##name = value,
	MP_CONSISTENCIES(X)
#undef X
};
const char *mp_consistency_name(uint16_t consistency);      // "LOCAL_QUORUM"; "?" when unknown
int mp_consistency_parse(struct mp_str text) MP_MUST_CHECK; // any case, "_" optional; MP_EINVAL
inline bool mp_consistency_is_local(uint16_t consistency)
{
	return consistency == MP_CL_LOCAL_ONE || consistency == MP_CL_LOCAL_QUORUM ||
	       consistency == MP_CL_LOCAL_SERIAL;
}

// X(symbol, code, "NAME")
// clang-format off
#define MP_SERVER_ERRORS(X)                                                                            \
	X(SERVER_ERROR, 0x0000) X(PROTOCOL_ERROR, 0x000a) X(BAD_CREDENTIALS, 0x0100)                       \
	X(UNAVAILABLE, 0x1000) X(OVERLOADED, 0x1001) X(IS_BOOTSTRAPPING, 0x1002) X(TRUNCATE_ERROR, 0x1003) \
	X(WRITE_TIMEOUT, 0x1100) X(READ_TIMEOUT, 0x1200) X(READ_FAILURE, 0x1300)                           \
	X(FUNCTION_FAILURE, 0x1400) X(WRITE_FAILURE, 0x1500) X(CDC_WRITE_FAILURE, 0x1600)                  \
	X(CAS_WRITE_UNKNOWN, 0x1700) X(SYNTAX_ERROR, 0x2000) X(UNAUTHORIZED, 0x2100) X(INVALID, 0x2200)    \
	X(CONFIG_ERROR, 0x2300) X(ALREADY_EXISTS, 0x2400) X(UNPREPARED, 0x2500)
// clang-format on
enum mp_server_error {
#define X(name, value) MP_SE_##name = value,
	MP_SERVER_ERRORS(X)
#undef X
};
const char *
mp_server_error_name(int32_t code); // "UNAVAILABLE"; "SERVER_ERROR_0x...": static "UNKNOWN_SERVER_ERROR"

enum mp_write_type {
	MP_WRITE_SIMPLE,
	MP_WRITE_BATCH,
	MP_WRITE_UNLOGGED_BATCH,
	MP_WRITE_COUNTER,
	MP_WRITE_BATCH_LOG,
	MP_WRITE_CAS,
	MP_WRITE_VIEW,
	MP_WRITE_CDC,
	MP_WRITE_UNKNOWN,
};
const char *mp_write_type_name(enum mp_write_type type); // "SIMPLE"
enum mp_write_type mp_write_type_parse(struct mp_str text);

// ---- requests: encoding (client) --------------------------------------------------------------------------
// One key and value of a [string map].
struct mp_pair {
	struct mp_str key;
	struct mp_str value;
};

// A text, the values or the paging state of a request are no longer, so that an envelope's length never overflows.
#define MP_REQUEST_PART_MAX (INT32_MAX / 4)

// <query_parameters> of QUERY and EXECUTE. Zero is a usable default except for consistency.
struct mp_query_params {
	uint16_t consistency;
	uint16_t serial_consistency; // 0: not sent
	bool skip_metadata;
	bool named_values;            // each value in `values` is preceded by its [string] name
	uint32_t value_count;         // at most 65535
	struct mp_str values;         // value_count encoded [value]s
	int32_t page_size;            // 0: not sent
	struct mp_bytes paging_state; // data NULL: not sent
	bool has_timestamp;
	int64_t timestamp;      // microseconds
	struct mp_str keyspace; // v5 only; len 0: not sent
};

void mp_encode_startup(struct mp_buf *buf, uint8_t version, int16_t stream, const struct mp_pair *options,
                       size_t count);
void mp_encode_options(struct mp_buf *buf, uint8_t version, int16_t stream);
void mp_encode_auth_response(struct mp_buf *buf, uint8_t version, int16_t stream, const void *token,
                             size_t len);
void mp_encode_register(struct mp_buf *buf, uint8_t version, int16_t stream, const struct mp_str *types,
                        size_t count);
void mp_encode_query(struct mp_buf *buf, uint8_t version, uint8_t flags, int16_t stream, struct mp_str cql,
                     const struct mp_query_params *params);
// `keyspace` v5 only, len 0: not sent.
void mp_encode_prepare(struct mp_buf *buf, uint8_t version, uint8_t flags, int16_t stream, struct mp_str cql,
                       struct mp_str keyspace);
// `result_metadata_id` v5 only (there it is required).
void mp_encode_execute(struct mp_buf *buf, uint8_t version, uint8_t flags, int16_t stream, struct mp_str id,
                       struct mp_str result_metadata_id, const struct mp_query_params *params);

// ---- BATCH (section 4.1.7) --------------------------------------------------------------------------------
enum mp_batch_type { MP_BATCH_LOGGED, MP_BATCH_UNLOGGED, MP_BATCH_COUNTER, MP_BATCH_TYPES };
#define MP_BATCH_STATEMENTS_MAX 65535u

// Statements are the same bytes in every version, so they are written once, one after the other, into a buffer of
// their own. Exactly one of `cql` and `id`. Values have no names: the protocol's flag for them stands behind the
// values, where no node can use it.
struct mp_batch_statement {
	struct mp_str cql;    // data NULL: prepared
	struct mp_str id;     // data NULL: a text
	uint32_t value_count; // at most 65535
	struct mp_str values; // value_count encoded [value]s
};
void mp_batch_put(struct mp_buf *buf, const struct mp_batch_statement *statement);
// The next one of a body that mp_decode_request() took, or of what mp_batch_put() wrote. False: there is none.
bool mp_batch_next(struct mp_cursor *statements, struct mp_batch_statement *out);

// `params`: consistency, serial consistency, timestamp, keyspace; the others are not BATCH's.
struct mp_batch_body {
	uint8_t type;             // enum mp_batch_type
	uint32_t count;           // at most MP_BATCH_STATEMENTS_MAX
	struct mp_str statements; // so many
};
void mp_encode_batch(struct mp_buf *buf, uint8_t version, uint8_t flags, int16_t stream,
                     const struct mp_batch_body *batch, const struct mp_query_params *params);

// ---- requests: decoding (simulated node) ------------------------------------------------------------------
struct mp_request_body {
	uint8_t opcode;
	struct mp_str cql;                // QUERY, PREPARE
	struct mp_str id;                 // EXECUTE
	struct mp_str result_metadata_id; // EXECUTE, v5
	struct mp_query_params params;    // QUERY, EXECUTE, BATCH
	struct mp_batch_body batch;       // BATCH
	struct mp_str keyspace;           // PREPARE, v5
	struct mp_str token;              // AUTH_RESPONSE
	struct mp_str payload;            // a [bytes map]; len 0: none
	struct mp_cursor list;            // STARTUP: a [string map]; REGISTER: a [string list]
};
int mp_decode_request(const struct mp_envelope *envelope,
                      struct mp_request_body *out) MP_MUST_CHECK; // MP_EPROTO

// ---- responses: what stands before the body ---------------------------------------------------------------
struct mp_response_prefix {
	bool has_trace_id;
	struct mp_uuid trace_id; // if it has one; and so for the others
	uint16_t warning_count;
	struct mp_cursor warnings; // warning_count [string]s
	uint16_t payload_count;
	struct mp_cursor payload; // payload_count pairs of [string] and [bytes]
	struct mp_cursor body;    // what follows
};
// Order of the spec: tracing id, warnings, custom payload. Refuses MP_FLAG_COMPRESSED (never negotiated).
int mp_decode_prefix(const struct mp_envelope *envelope, struct mp_response_prefix *out) MP_MUST_CHECK;

// ---- ERROR ------------------------------------------------------------------------------------------------
struct mp_error_body {
	int32_t code;
	struct mp_str message;
	uint16_t consistency;          // UNAVAILABLE, *_TIMEOUT, *_FAILURE, CAS_WRITE_UNKNOWN
	int32_t required;              // UNAVAILABLE: required; others: blockfor
	int32_t received;              // UNAVAILABLE: alive; others: received
	int32_t failures;              // *_FAILURE: number of failures (v5: size of the reason map)
	bool data_present;             // READ_*
	enum mp_write_type write_type; // WRITE_*
	struct mp_str keyspace;        // ALREADY_EXISTS, FUNCTION_FAILURE
	struct mp_str table;           // ALREADY_EXISTS (table), FUNCTION_FAILURE (function)
	struct mp_str id;              // UNPREPARED
};
int mp_decode_error(struct mp_cursor body, uint8_t version, struct mp_error_body *out) MP_MUST_CHECK;
// Server side. Fields as above.
void mp_encode_error(struct mp_buf *buf, uint8_t version, int16_t stream, const struct mp_error_body *error);

// ---- RESULT -----------------------------------------------------------------------------------------------
enum mp_result_kind {
	MP_RESULT_VOID = 1,
	MP_RESULT_ROWS = 2,
	MP_RESULT_SET_KEYSPACE = 3,
	MP_RESULT_PREPARED = 4,
	MP_RESULT_SCHEMA = 5,
};

struct mp_column {
	struct mp_str keyspace;
	struct mp_str table;
	struct mp_str name;
	struct mp_type *type;
};

// Columns of a result or the bind markers of a prepared statement, deep-copied in one arena, shared by reference count.
struct mp_metadata {
	uint32_t refs;
	uint32_t column_count;
	struct mp_column *columns;
	uint16_t pk_count;    // bind markers, v4+: how many indexes name the partition key
	uint16_t *pk_indexes; // positions in `columns` of the partition key's components, in key order
	struct mp_str wire;   // the columns as they came, to know them again; data NULL: they did not come
	bool wire_global;     // keyspace and table stand in front of them
	struct mp_arena arena;
};
struct mp_metadata *mp_metadata_ref(struct mp_metadata *metadata); // NULL passes through
void mp_metadata_unref(struct mp_metadata *metadata);              // NULL is fine
// The same in no more memory than it needs, for one that is kept: takes a reference and gives one. Without memory, or
// of columns that did not come from the wire, what it was given. NULL passes through.
struct mp_metadata *mp_metadata_packed(struct mp_metadata *metadata) MP_MUST_CHECK;
int mp_metadata_find(const struct mp_metadata *metadata,
                     struct mp_str name) MP_MUST_CHECK; // index or MP_ENOTFOUND
// The same columns: names and types in their order, whatever table they belong to. NULL is like none.
bool mp_metadata_same_columns(const struct mp_metadata *a, const struct mp_metadata *b);
bool mp_metadata_same_key(const struct mp_metadata *a, const struct mp_metadata *b); // of the partition
// For encoders and specs: an empty one with room for `count` columns, to be filled (strings into its arena).
struct mp_metadata *mp_metadata_new(uint32_t count) MP_MUST_CHECK;

struct mp_result_body {
	enum mp_result_kind kind;
	const char *why;              // MP_EPROTO: what is wrong with it
	struct mp_metadata *metadata; // ROWS: owned by the receiver (unref); NULL when the server skipped it
	union {                       // by kind
		struct {                  // ROWS
			uint32_t column_count;
			uint32_t row_count;
			bool has_more_pages;
			struct mp_bytes paging_state;  // data NULL: none
			struct mp_str new_metadata_id; // v5: the result's metadata changed; len 0: not
			struct mp_cursor rows;         // row_count * column_count [bytes]
		};
		struct mp_str keyspace; // SET_KEYSPACE
		struct {                // PREPARED
			struct mp_str prepared_id;
			struct mp_str result_metadata_id; // v5
			struct mp_metadata *params;       // owned by the receiver
			struct mp_metadata *result;       // owned by the receiver; may have 0 columns
		};
		struct { // SCHEMA
			struct mp_str change, target, change_keyspace, change_name;
		};
	};
};
// MP_EPROTO with `why`, or MP_ENOMEM; then nothing is owned. Counts are checked against the bytes that are left, rows
// without columns are refused beyond 65,536, and columns beyond 16 MiB, so that a short body cannot ask for long work
// or much memory.
int mp_decode_result(struct mp_cursor body, uint8_t version, struct mp_result_body *out) MP_MUST_CHECK;
// The same; rows that come with the very columns of `known` (may be NULL) get it as their metadata: nothing is
// allocated.
int mp_decode_result_like(struct mp_cursor body, uint8_t version, struct mp_metadata *known,
                          struct mp_result_body *out) MP_MUST_CHECK;
// Gives back what the receiver of a decoded result owns. One of zeroes is fine.
void mp_result_drop(const struct mp_result_body *result);
// One row: column_count values borrowed from the cursor.
int mp_row_read(struct mp_cursor *rows, struct mp_bytes *values, uint32_t column_count) MP_MUST_CHECK;
// Does a ROWS result of a conditional statement say [applied]? 1 yes, 0 no, -1 not a conditional result.
int mp_result_applied(const struct mp_result_body *result, const struct mp_metadata *metadata);

// Server side. Rows: begin, then column_count mp_write_value_* per row, then end with the count.
void mp_encode_result_void(struct mp_buf *buf, uint8_t version, int16_t stream);
void mp_encode_result_keyspace(struct mp_buf *buf, uint8_t version, int16_t stream, struct mp_str keyspace);
void mp_encode_result_schema(struct mp_buf *buf, uint8_t version, int16_t stream, const char *change,
                             const char *target, struct mp_str keyspace, struct mp_str name);
struct mp_rows_head {
	const struct mp_metadata *metadata;
	bool skip_metadata;
	struct mp_bytes paging_state;  // data NULL: last page
	struct mp_str new_metadata_id; // v5, len 0: unchanged
};
struct mp_rows_mark {
	size_t envelope;
	size_t count;
};
struct mp_rows_mark mp_encode_rows_begin(struct mp_buf *buf, uint8_t version, int16_t stream,
                                         const struct mp_rows_head *head);
void mp_encode_rows_end(struct mp_buf *buf, struct mp_rows_mark mark, uint32_t row_count);
void mp_encode_result_prepared(struct mp_buf *buf, uint8_t version, int16_t stream, struct mp_str id,
                               struct mp_str result_metadata_id, const struct mp_metadata *params,
                               const struct mp_metadata *result);

// ---- the small ones ---------------------------------------------------------------------------------------
void mp_encode_ready(struct mp_buf *buf, uint8_t version, int16_t stream);
void mp_encode_authenticate(struct mp_buf *buf, uint8_t version, int16_t stream, struct mp_str authenticator);
void mp_encode_auth_challenge(struct mp_buf *buf, uint8_t version, int16_t stream, struct mp_str token);
void mp_encode_auth_success(struct mp_buf *buf, uint8_t version, int16_t stream, struct mp_str token);
struct mp_multi { // one entry of a [string multimap]
	struct mp_str key;
	const struct mp_str *values;
	size_t count;
};
void mp_encode_supported(struct mp_buf *buf, uint8_t version, int16_t stream, const struct mp_multi *map,
                         size_t count);
int mp_decode_authenticate(struct mp_cursor body, struct mp_str *authenticator) MP_MUST_CHECK;
int mp_decode_auth_token(struct mp_cursor body, struct mp_bytes *token) MP_MUST_CHECK; // CHALLENGE, SUCCESS
// Walk SUPPORTED: calls `on_value` for each key and value.
int mp_decode_supported(struct mp_cursor body,
                        void (*on_value)(void *data, struct mp_str key, struct mp_str value),
                        void *data) MP_MUST_CHECK;

// ---- EVENT ------------------------------------------------------------------------------------------------
enum mp_event_kind { MP_EVENT_UNKNOWN, MP_EVENT_TOPOLOGY, MP_EVENT_STATUS, MP_EVENT_SCHEMA };
struct mp_event_body {
	enum mp_event_kind kind;
	struct mp_str type; // "STATUS_CHANGE"
	struct mp_str
		change; // "NEW_NODE", "REMOVED_NODE", "MOVED_NODE"; "UP", "DOWN"; "CREATED", "UPDATED", "DROPPED"
	struct mp_addr addr;                  // TOPOLOGY, STATUS
	struct mp_str target, keyspace, name; // SCHEMA: "KEYSPACE", "TABLE", ...; name of the object
};
int mp_decode_event(struct mp_cursor body, uint8_t version, struct mp_event_body *out) MP_MUST_CHECK;
void mp_encode_event_addr(struct mp_buf *buf, uint8_t version, const char *type, const char *change,
                          const struct mp_addr *addr);
void mp_encode_event_schema(struct mp_buf *buf, uint8_t version, const char *change, const char *target,
                            struct mp_str keyspace, struct mp_str name);
