// SPDX-License-Identifier: Apache-2.0
// moonpool: a connection pool for Apache Cassandra whose policies and configuration are Lua files. This is the C
// API, the only header to include (it brings moonpool_session.h, what a session tells and how it is steered); link with
// -lmoonpool.
//
//   struct moonpool_loop *loop = moonpool_loop_new(NULL);
//   struct moonpool_session *session = moonpool_session_from_file(loop, "pool.lua", message, sizeof(message));
//   moonpool_session_connect(session, on_connected, app);
//   moonpool_loop_run(loop);
//
//   on_connected:  moonpool_prepare(session, "SELECT name FROM users WHERE id = ?", -1, on_prepared, app);
//   on_prepared:   struct moonpool_request *request = moonpool_request_new(statement);
//                  moonpool_bind_int64(request, 7);
//                  moonpool_execute(request, on_rows, app);
//   on_rows:       while (moonpool_result_next(result) > 0)
//                      moonpool_get_text(result, 0, &text, &len);
//
// Threads: a loop, its sessions and everything made from them belong to one thread. Several loops in several threads
// share nothing. What another thread calls while the loop is in moonpool_loop_run() or _turn() is refused, where it
// would change something; between turns, and with the program's own uv_loop_t, nobody sees which thread it is.
// Callbacks come from the loop, never from inside a call of this API. A call that takes a callback either returns an
// error and never calls it, or returns 0 and calls it exactly once. Inside a callback every call is allowed, also
// moonpool_session_close(), but those that turn the loop or free it.
// Results: 0 or a positive number is success, a negative number one of enum moonpool_code.
//
// Mistakes: what is called wrongly (NULL, twice, too late, in the wrong order, out of range, with a handle of something
// that is gone) does nothing and returns a negative code, or NULL, false or 0 where no code can be returned;
// moonpool_last_message() says why, and the first mistake of each kind is written to the standard error. Handles are
// looked at, not followed: one that was good once is known for ever (until 128 others had its place). Undefined are
// pointers that are not from here or to memory that is not there, calls from another thread that are not seen (above),
// and uv_run() of the program's own loop, or its end, inside of a callback. A call that is refused for where it comes
// from (another thread, the callback of the log, a child of fork()) takes nothing away: what it was given stays as it
// was.
//
// fork(): what was made before belongs to the parent. In the child every call on it returns MOONPOOL_FORKED and none of
// its callbacks comes; the parent notices nothing. The child makes a loop and sessions of its own; it may give the
// descriptors of its copies back by moonpool_loop_free(), also with open sessions. Its random numbers are its own.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOONPOOL_API __attribute__((visibility("default")))

struct moonpool_loop;
struct moonpool_session;
struct moonpool_statement;
struct moonpool_request;
struct moonpool_result;
struct moonpool_error;

MOONPOOL_API const char *moonpool_version(void); // "0.1.0"

// ---- errors -----------------------------------------------------------------------------------------------
enum moonpool_code {
	MOONPOOL_OK = 0,
	MOONPOOL_NO_MEMORY = -1,
	MOONPOOL_INVALID_ARGUMENT = -2,
	MOONPOOL_CLOSED = -4,
	MOONPOOL_TIMEOUT = -5,
	MOONPOOL_POOL_BUSY = -6, // all connections and queues are full: submit less or later
	MOONPOOL_NO_HOST_AVAILABLE = -7,
	MOONPOOL_CONNECT_FAILED = -8,
	MOONPOOL_CONNECTION_LOST = -9,
	MOONPOOL_PROTOCOL_ERROR = -10,
	MOONPOOL_TOO_BIG = -11,
	MOONPOOL_AUTH_FAILED = -12,
	MOONPOOL_RESOLVE_FAILED = -13,
	MOONPOOL_LOCAL_ERROR = -14,
	MOONPOOL_SERVER_ERROR = -15, // see moonpool_error_server_code()
	MOONPOOL_UNSUPPORTED = -16,
	MOONPOOL_NOT_FOUND = -17,
	MOONPOOL_POLICY_ERROR = -18,
	MOONPOOL_CONFIG_ERROR = -19,
	MOONPOOL_TYPE_MISMATCH = -20,
	MOONPOOL_WRONG_CLUSTER = -21,
	MOONPOOL_SCRIPT_ERROR = -22,
	MOONPOOL_CONNECTION_REFUSED = -23,
	MOONPOOL_END_OF_STREAM = -24,
	MOONPOOL_FORKED = -25,            // it was made before fork(): this process has to make its own
	MOONPOOL_STATEMENT_CHANGED = -26, // bound by what the server says otherwise now: ask again
	MOONPOOL_CANCELLED = -27,         // by moonpool_request_cancel()
};
MOONPOOL_API const char *moonpool_code_name(int code); // "TIMEOUT", as err.code in Lua
MOONPOOL_API const char *moonpool_code_text(int code); // "no answer before the deadline"
// Of the last call of this thread that failed, also by NULL, false or 0: its code (MOONPOOL_OK: none did), and a
// sentence that is valid until the next one fails: "moonpool_execute: the session is not connected".
MOONPOOL_API int moonpool_last_code(void);
MOONPOOL_API const char *moonpool_last_message(void);

// An error of a request, valid during the callback that brings it. NULL is no error: MOONPOOL_OK, "OK", "no error".
// Its texts are NUL-terminated and live as long as it does.
MOONPOOL_API int moonpool_error_code(const struct moonpool_error *error);         // of enum moonpool_code
MOONPOOL_API const char *moonpool_error_name(const struct moonpool_error *error); // "UNAVAILABLE", "TIMEOUT"
MOONPOOL_API int32_t moonpool_error_server_code(const struct moonpool_error *error); // 0x1000 ..., -1: none
// A sentence, with what the server said.
MOONPOOL_API const char *moonpool_error_message(const struct moonpool_error *error);
MOONPOOL_API const char *
moonpool_error_host(const struct moonpool_error *error); // of the last attempt, "": none
// False: the statement was certainly not applied. True: nobody knows.
MOONPOOL_API bool moonpool_error_maybe_applied(const struct moonpool_error *error);
// What was tried: how many attempts are kept, 8 at most, the last ones; and each from 0, the oldest first, with how
// long it took in milliseconds. The places may be NULL.
MOONPOOL_API uint32_t moonpool_error_attempts(const struct moonpool_error *error);
MOONPOOL_API int moonpool_error_attempt(const struct moonpool_error *error, uint32_t i, const char **host,
                                        const char **message, uint32_t *ms);
// What its error is called, as moonpool_error_name(); NULL: there are fewer attempts.
MOONPOOL_API const char *moonpool_error_attempt_name(const struct moonpool_error *error, uint32_t i);

// ---- the loop ---------------------------------------------------------------------------------------------
// `uv_loop`: the program's own uv_loop_t *, which the program runs by uv_run(), and nothing else: run, turn, stop,
// moonpool_fd() and moonpool_timeout_ms() refuse it. NULL: a loop that moonpool_loop_run() runs.
// NULL: no memory or descriptors are left. Those of 0, 1 and 2 that are closed are opened on /dev/null.
MOONPOOL_API struct moonpool_loop *moonpool_loop_new(void *uv_loop);
// Until moonpool_loop_stop(), or until nothing is left that could happen: an open session keeps it running.
MOONPOOL_API int moonpool_loop_run(struct moonpool_loop *loop);
// One turn, waiting at most `wait_ms` for something to happen (0: not at all, -1: for ever). 1: something ran, 0: no.
MOONPOOL_API int moonpool_loop_turn(struct moonpool_loop *loop, int wait_ms);
// moonpool_loop_run() returns at the end of this turn. What is open stays so.
MOONPOOL_API int moonpool_loop_stop(struct moonpool_loop *loop);
// With the program's own uv_loop_t: send what was submitted outside of a callback now, not when its loop turns next.
MOONPOOL_API int moonpool_loop_flush(struct moonpool_loop *loop);
// For a program whose own event loop is no libuv (epoll, glib, an engine's frames): it turns the loop, by
// moonpool_loop_turn(loop, 0), when the descriptor is readable (level triggered, for reading only) and when the time is
// over. The time is asked for before every wait, because any call may make it shorter: milliseconds, 0: turn it now,
// -1: nothing is waited for but the descriptor. Not for a loop over the program's own uv_loop_t. Neither fails but by a
// mistake: then moonpool_fd() gives a negative code and moonpool_timeout_ms() 0.
MOONPOOL_API int moonpool_fd(struct moonpool_loop *loop);
MOONPOOL_API int moonpool_timeout_ms(struct moonpool_loop *loop);
// When all sessions on it are closed, not inside a callback; otherwise it stays. NULL is fine. With the program's own
// uv_loop_t, run that once more before closing it.
MOONPOOL_API int moonpool_loop_free(struct moonpool_loop *loop);

// ---- sessions ---------------------------------------------------------------------------------------------
// The configuration is the one of moonpool.ConnectionPool: a Lua file that returns a table, or the text of one. NULL:
// `message` (may be NULL) says why ("pool.lua:3: ..."), cut to `message_size`. Warnings go to the standard error;
// keys that only a pool of Lua's has (handlers, playbooks, metrics.listen, http.listen) are among them.
// Relative paths in a file begin in its folder, in a text in the working folder of this call.
MOONPOOL_API struct moonpool_session *moonpool_session_from_file(struct moonpool_loop *loop, const char *path,
                                                                 char *message, size_t message_size);
// `text`: "return { contactPoints = { ... } }"; `name` stands for the file's name in messages.
MOONPOOL_API struct moonpool_session *moonpool_session_from_text(struct moonpool_loop *loop, const char *text,
                                                                 const char *name, char *message,
                                                                 size_t message_size);
// `error` NULL: connected. Otherwise it may be called again, or the session closed.
MOONPOOL_API int moonpool_session_connect(struct moonpool_session *session,
                                          void (*on_done)(void *data, const struct moonpool_error *error),
                                          void *data);
// Lets requests in flight finish (for a bounded time), closes everything, calls `on_closed` (may be NULL) and frees the
// session with its statements. Valid at any time; a second call gets MOONPOOL_CLOSED, and so does every other call from
// now on. Requests that were not executed are void.
MOONPOOL_API int moonpool_session_close(struct moonpool_session *session, void (*on_closed)(void *data),
                                        void *data);

// How often moonpool asked for memory in this thread so far: flat while requests run.
MOONPOOL_API uint64_t moonpool_allocations(void);

// ---- statements -------------------------------------------------------------------------------------------
// Exactly one of statement and error. `len` -1: up to the NUL. The same text is prepared once. The statement is the
// caller's; it may be used for any number of requests at the same time.
MOONPOOL_API int moonpool_prepare(struct moonpool_session *session, const char *cql, ptrdiff_t len,
                                  void (*on_done)(void *data, struct moonpool_statement *statement,
                                                  const struct moonpool_error *error),
                                  void *data);
// The same in another keyspace than the session's (NUL-terminated). That needs protocol v5: below it it fails with
// MOONPOOL_UNSUPPORTED.
MOONPOOL_API int moonpool_prepare_in(struct moonpool_session *session, const char *keyspace, const char *cql,
                                     ptrdiff_t len,
                                     void (*on_done)(void *data, struct moonpool_statement *statement,
                                                     const struct moonpool_error *error),
                                     void *data);
MOONPOOL_API int moonpool_statement_free(struct moonpool_statement *statement); // NULL is fine
// Its parameters, from 0, as the server says them: how many; the name (NUL-terminated, valid until the loop turns;
// NULL: no such parameter); the first of that name, or MOONPOOL_NOT_FOUND; the number of its type, as
// moonpool_result_column_type(); and its type as CQL says it, as moonpool_value_type_text().
MOONPOOL_API uint32_t moonpool_statement_parameters(const struct moonpool_statement *statement);
MOONPOOL_API const char *moonpool_statement_parameter_name(const struct moonpool_statement *statement,
                                                           uint32_t parameter);
MOONPOOL_API int moonpool_statement_parameter(const struct moonpool_statement *statement, const char *name);
MOONPOOL_API uint16_t moonpool_statement_parameter_type(const struct moonpool_statement *statement,
                                                        uint32_t parameter);
MOONPOOL_API int moonpool_statement_parameter_type_text(const struct moonpool_statement *statement,
                                                        uint32_t parameter, char *text, size_t size);
// The columns of its rows, in the same way; 0 of a statement that gives none. A result has its own, which are others
// when the table has changed since.
MOONPOOL_API uint32_t moonpool_statement_columns(const struct moonpool_statement *statement);
MOONPOOL_API const char *moonpool_statement_column_name(const struct moonpool_statement *statement,
                                                        uint32_t column);
MOONPOOL_API int moonpool_statement_column(const struct moonpool_statement *statement, const char *name);
MOONPOOL_API uint16_t moonpool_statement_column_type(const struct moonpool_statement *statement,
                                                     uint32_t column);
MOONPOOL_API int moonpool_statement_column_type_text(const struct moonpool_statement *statement,
                                                     uint32_t column, char *text, size_t size);

// ---- requests ---------------------------------------------------------------------------------------------
// The values are bound by what the server said about the statement when the request was made. If that has changed when
// it is executed (its table was made again with other types), it fails with MOONPOOL_STATEMENT_CHANGED and nothing is
// sent: a new request has learned.
// A request is made, gets one value for each parameter, in order, and is executed, which takes it away from the caller.
// No memory is asked for once as many requests have been in flight before. NULL: moonpool_last_code() says why
// (MOONPOOL_CLOSED while the session is closing); a call with that NULL returns the same code.
MOONPOOL_API struct moonpool_request *moonpool_request_new(struct moonpool_statement *statement);
// A statement that is not prepared (CREATE TABLE ...). The text is copied. What runs often is better prepared.
MOONPOOL_API struct moonpool_request *moonpool_request_new_query(struct moonpool_session *session,
                                                                 const char *cql, ptrdiff_t len);
// The types of its parameters, in order, as CQL says them: "int, map<text, int>". Then its values are bound as those
// of a prepared statement, and as many. Users' types have no names here, but that of Cassandra's class in single
// quotes: "'org.apache.cassandra.db.marshal.UserType(ks,61646472,...)'". Once, before the first value;
// MOONPOOL_INVALID_ARGUMENT for a text that is none such, which spoils the request. Memory is asked for.
// Without it each value is sent as what its C type is, unchecked: an int, bigint, double, boolean, text, uuid,
// duration, or bytes as they are; those with parts need their types. The server refuses what is of another width than
// its column, and takes what is not (an int32 for a float) for something else.
MOONPOOL_API int moonpool_request_set_types(struct moonpool_request *request, const char *types);
MOONPOOL_API int
moonpool_request_free(struct moonpool_request *request); // instead of executing it; NULL is fine

// The next parameter's value. It is converted to the parameter's type if that loses nothing; MOONPOOL_TYPE_MISMATCH
// otherwise, MOONPOOL_INVALID_ARGUMENT when there are no more parameters. A request that had such an error refuses to
// be executed, so it is enough to look there.
MOONPOOL_API int moonpool_bind_int32(struct moonpool_request *request, int32_t value);
MOONPOOL_API int moonpool_bind_int64(struct moonpool_request *request,
                                     int64_t value); // also timestamp, time (of a day), counter
MOONPOOL_API int moonpool_bind_double(struct moonpool_request *request, double value); // double, float
MOONPOOL_API int moonpool_bind_bool(struct moonpool_request *request, bool value);
// ascii, text (UTF-8); or the text of a uuid, inet, date, varint or decimal. `len` -1: up to the NUL.
MOONPOOL_API int moonpool_bind_text(struct moonpool_request *request, const char *text, ptrdiff_t len);
// The bytes of the value as the protocol has them, of any type: nothing is checked.
MOONPOOL_API int moonpool_bind_bytes(struct moonpool_request *request, const void *bytes, size_t len);
MOONPOOL_API int moonpool_bind_uuid(struct moonpool_request *request,
                                    const uint8_t uuid[16]); // a timeuuid is of version 1
// Of one sign, all three.
MOONPOOL_API int moonpool_bind_duration(struct moonpool_request *request, int32_t months, int32_t days,
                                        int64_t nanoseconds);
// Stores a null, which deletes what is there.
MOONPOOL_API int moonpool_bind_null(struct moonpool_request *request);
// Leaves the column as it is. On protocol v3, which cannot say that, the request fails with MOONPOOL_UNSUPPORTED.
MOONPOOL_API int moonpool_bind_unset(struct moonpool_request *request);

// The first parameter whose value did not fit, from 0; MOONPOOL_NOT_FOUND: all of them fitted so far. The message of
// the call that was refused names it, too: "moonpool_bind_text: parameter 2 (age, int): got a text".
MOONPOOL_API int moonpool_request_misfit(const struct moonpool_request *request);

// A value with parts: a list, set, map, tuple, user's type or vector. From begin to end the calls above bind its parts,
// in order: the elements; of a map a key, then its value; the fields. They nest. A part of a tuple or user's type may
// be null, of the others not; unset is none. At the end a tuple and a vector have all of their parts; the fields of a
// user's type that were not bound are null. That no element of a set and no key of a map comes twice is not checked.
//     moonpool_bind_begin(request);
//     moonpool_bind_field(request, "zip");
//     moonpool_bind_int32(request, 12345);
//     moonpool_bind_end(request);
MOONPOOL_API int moonpool_bind_begin(struct moonpool_request *request);
// The next part is this field of the user's type (NUL-terminated, its stored case); those between stay null. Fields are
// bound in the order of their type.
MOONPOOL_API int moonpool_bind_field(struct moonpool_request *request, const char *name);
// The value that was begun last is whole; MOONPOOL_TYPE_MISMATCH: a tuple or a vector lacks parts.
MOONPOOL_API int moonpool_bind_end(struct moonpool_request *request);

enum moonpool_consistency {
	MOONPOOL_ANY,
	MOONPOOL_ONE,
	MOONPOOL_TWO,
	MOONPOOL_THREE,
	MOONPOOL_QUORUM,
	MOONPOOL_ALL,
	MOONPOOL_LOCAL_QUORUM,
	MOONPOOL_EACH_QUORUM,
	MOONPOOL_SERIAL,
	MOONPOOL_LOCAL_SERIAL,
	MOONPOOL_LOCAL_ONE,
};
// A value that is refused spoils the request, as one of a parameter does.
MOONPOOL_API int moonpool_request_set_consistency(struct moonpool_request *request,
                                                  enum moonpool_consistency value);
// Of the condition of a lightweight transaction: MOONPOOL_SERIAL or MOONPOOL_LOCAL_SERIAL.
MOONPOOL_API int moonpool_request_set_serial_consistency(struct moonpool_request *request,
                                                         enum moonpool_consistency value);
MOONPOOL_API int moonpool_request_set_timeout(struct moonpool_request *request,
                                              uint32_t ms); // 0: the session's
// Applying it twice does no harm, so it may be sent again after a failure that leaves its fate open.
MOONPOOL_API int moonpool_request_set_idempotent(struct moonpool_request *request, bool value);
// 0, the default: all rows at once, in one answer.
MOONPOOL_API int moonpool_request_set_page_size(struct moonpool_request *request, int32_t rows);
// Go on behind a page; the bytes are copied. Once.
MOONPOOL_API int moonpool_request_set_paging_state(struct moonpool_request *request, const void *bytes,
                                                   size_t len);
// What this profile of the configuration says goes before what was set so far. MOONPOOL_NOT_FOUND: there is none of
// that name; that does not spoil the request.
MOONPOOL_API int moonpool_request_set_profile(struct moonpool_request *request, const char *name);
// Of a write: microseconds since 1970, any but INT64_MIN. Without it the time of moonpool_execute()
// (`clientTimestamps`).
MOONPOOL_API int moonpool_request_set_timestamp(struct moonpool_request *request, int64_t us);
// Ask this host ("10.0.0.1", "10.0.0.1:9042") and no other. MOONPOOL_NOT_FOUND: the cluster has none there.
MOONPOOL_API int moonpool_request_set_host(struct moonpool_request *request, const char *address);
// The partition key's bytes, where the statement does not tell it: of one column its value, of several each with its
// length (two bytes, big-endian) in front and a zero behind. They are hashed, not kept.
MOONPOOL_API int moonpool_request_set_routing_key(struct moonpool_request *request, const void *bytes,
                                                  size_t len);
// The same of values that were bound: the parameters of the partition key, from 0, in its order. None of them is null.
MOONPOOL_API int moonpool_request_set_routing_parameters(struct moonpool_request *request,
                                                         const uint32_t *parameters, size_t count);
// A text for balance policies to look at. NUL-terminated, copied; "": none.
MOONPOOL_API int moonpool_request_set_tag(struct moonpool_request *request, const char *tag);
// Of a query or a batch: another keyspace than the session's, copied. It needs protocol v5: below it the request fails
// with MOONPOOL_UNSUPPORTED. A prepared statement has that of moonpool_prepare_in().
MOONPOOL_API int moonpool_request_set_keyspace(struct moonpool_request *request, const char *name);
// Something under a name for what the node has in front of its statements (a custom payload of the protocol); both are
// copied. It needs protocol v4: below it the request fails with MOONPOOL_UNSUPPORTED.
MOONPOOL_API int moonpool_request_add_payload(struct moonpool_request *request, const char *name,
                                              const void *bytes, size_t len);
// The server keeps a trace of it, under moonpool_result_trace_id(): moonpool_session_trace() reads it.
MOONPOOL_API int moonpool_request_set_trace(struct moonpool_request *request, bool value);

// What every request of a statement has from now on unless it says otherwise: the consistencies, timeout, idempotence,
// page size, profile's options, tag and tracing that `model` was told. That is a request of the same session without
// values, which was not executed and is gone afterwards, as by moonpool_execute(); NULL: none any more. What it was not
// told stays as the configuration has it. MOONPOOL_INVALID_ARGUMENT: it is a batch, or was told what is for one request
// only (a routing key, timestamp, host, payload, paging state, keyspace). Then, and with the code of an option of it
// that was refused, nothing changes.
//     struct moonpool_request *model = moonpool_request_new(statement);
//     moonpool_request_set_idempotent(model, true);
//     moonpool_statement_set_defaults(statement, model);
MOONPOOL_API int moonpool_statement_set_defaults(struct moonpool_statement *statement,
                                                 struct moonpool_request *model);

// A batch is a request, too: its options are set and it is executed like any other, as one BATCH. It goes to a replica
// of the first statement that tells its partition key, and may be sent again only if all of it may.
enum moonpool_batch_type {
	MOONPOOL_BATCH_LOGGED, // all of it will be stored, or nothing
	MOONPOOL_BATCH_UNLOGGED,
	MOONPOOL_BATCH_COUNTER,
};
// The program's until it is executed or freed, as moonpool_request_new(); NULL: moonpool_last_code() says why.
MOONPOOL_API struct moonpool_request *moonpool_batch_new(struct moonpool_session *session,
                                                         enum moonpool_batch_type type);
// The next statement of a batch (65,535 at most): a request that could be executed, which is gone afterwards whatever
// comes of it (but as moonpool_execute() says). Of its options only moonpool_request_set_idempotent() counts here. An
// error spoils the batch.
MOONPOOL_API int moonpool_batch_add(struct moonpool_request *batch, struct moonpool_request *statement);
MOONPOOL_API uint32_t
moonpool_batch_count(const struct moonpool_request *batch); // its statements; 0: it is no batch

// Exactly one of result and error is given to `on_done`. When execute returns an error the request is gone all the
// same, unless the call comes from where none may (the beginning of this file): then it stays the program's.
MOONPOOL_API int moonpool_execute(struct moonpool_request *request,
                                  void (*on_done)(void *data, const struct moonpool_result *result,
                                                  const struct moonpool_error *error),
                                  void *data);

// Nobody wants the answer of a request that was executed any more. 0: its callback comes all the same, once, later in
// this turn of the loop, with the error MOONPOOL_CANCELLED. What was not sent yet (it waits for a connection, for a
// retry, for its statement to be prepared again) is not sent; what was sent runs on its host and may be applied, as
// moonpool_error_maybe_applied() says, and its stream stays taken until the answer comes, which is thrown away.
// From execute until the callback the handle is good for this and nothing else. MOONPOOL_NOT_FOUND: the request is
// over. Before execute it is MOONPOOL_INVALID_ARGUMENT: moonpool_request_free() is for that.
MOONPOOL_API int moonpool_request_cancel(struct moonpool_request *request);

// ---- uuids ------------------------------------------------------------------------------------------------
// Into the program's own 16 bytes, which moonpool_bind_uuid() takes. A random one (version 4), not for secrets; and one
// of this time (version 1, a timeuuid): later than each one before it from this loop.
MOONPOOL_API int moonpool_uuid_random(struct moonpool_loop *loop, uint8_t uuid[16]);
MOONPOOL_API int moonpool_uuid_of_now(struct moonpool_loop *loop, uint8_t uuid[16]);
// These need no loop and may be called from every thread. When a timeuuid was made, in microseconds since 1970;
// MOONPOOL_TYPE_MISMATCH: it is no timeuuid.
MOONPOOL_API int moonpool_uuid_time(const uint8_t uuid[16], int64_t *us);
// Its text, 36 characters in small letters and a NUL; and the other way round, of either case. `len` -1: up to the NUL.
// MOONPOOL_TYPE_MISMATCH: the text is no uuid.
MOONPOOL_API int moonpool_uuid_text(const uint8_t uuid[16], char text[37]);
MOONPOOL_API int moonpool_uuid_from_text(const char *text, ptrdiff_t len, uint8_t uuid[16]);

// ---- results ----------------------------------------------------------------------------------------------
// A result and all that it points to are valid during the callback only. Without rows it has no columns.
MOONPOOL_API uint32_t moonpool_result_columns(const struct moonpool_result *result);
// NUL-terminated; NULL: no such column.
MOONPOOL_API const char *moonpool_result_column_name(const struct moonpool_result *result, uint32_t column);
MOONPOOL_API int moonpool_result_column(const struct moonpool_result *result,
                                        const char *name); // its index, or NOT_FOUND
// The protocol's number: 0x0009 is int, 0x0000 a class that is not known (its values are bytes); or MOONPOOL_VECTOR.
MOONPOOL_API uint16_t moonpool_result_column_type(const struct moonpool_result *result, uint32_t column);
#define MOONPOOL_VECTOR 0xff00 // vectors have no number in the protocol
// Its type as CQL says it, as moonpool_value_type_text().
MOONPOOL_API int moonpool_result_column_type_text(const struct moonpool_result *result, uint32_t column,
                                                  char *text, size_t size);
// How many rows this page has; 0 of a statement that gives none.
MOONPOOL_API uint32_t moonpool_result_rows(const struct moonpool_result *result);
// More pages: where the next one begins. False: this is the last one.
MOONPOOL_API bool moonpool_result_paging_state(const struct moonpool_result *result, const void **bytes,
                                               size_t *len);
MOONPOOL_API const char *
moonpool_result_host(const struct moonpool_result *result); // who answered: "127.0.0.1:9042"
// From moonpool_execute() to the answer, in nanoseconds, all attempts and waits included.
MOONPOOL_API uint64_t moonpool_result_latency_ns(const struct moonpool_result *result);
MOONPOOL_API uint32_t
moonpool_result_attempts(const struct moonpool_result *result); // messages sent, 1 or more
// False: the condition of a lightweight transaction did not hold, and the row has what is there instead.
MOONPOOL_API bool moonpool_result_was_applied(const struct moonpool_result *result);
// False: a schema statement, and some host that is up did not know the change in time; it will.
MOONPOOL_API bool moonpool_result_schema_agrees(const struct moonpool_result *result);
// 0, or MOONPOOL_NOT_FOUND: it was not traced.
MOONPOOL_API int moonpool_result_trace_id(const struct moonpool_result *result, uint8_t id[16]);
// What the server warns of: how many, and each from 0, in place and not NUL-terminated.
MOONPOOL_API uint32_t moonpool_result_warnings(const struct moonpool_result *result);
MOONPOOL_API int moonpool_result_warning(const struct moonpool_result *result, uint32_t i, const char **text,
                                         size_t *len);
// What the node says beside its answer (a custom payload): how many, and each from 0, in place and not NUL-terminated.
MOONPOOL_API uint32_t moonpool_result_payloads(const struct moonpool_result *result);
MOONPOOL_API int moonpool_result_payload(const struct moonpool_result *result, uint32_t i, const char **name,
                                         size_t *name_len, const void **bytes, size_t *len);
// Go to the next row. 1: there is one; 0: no more; negative: the node sent less than it said.
MOONPOOL_API int moonpool_result_next(const struct moonpool_result *result);

// The values of the current row. 0, or MOONPOOL_NOT_FOUND for null, or MOONPOOL_TYPE_MISMATCH when the value does not
// fit the C type without loss, or MOONPOOL_INVALID_ARGUMENT when there is no such column or no row. A NaN has the bits
// that the node sent: who keeps values of other types in a NaN's bits (LuaJIT, for one) takes his own NaN instead.
MOONPOOL_API int moonpool_get_int32(const struct moonpool_result *result, uint32_t column, int32_t *value);
MOONPOOL_API int moonpool_get_int64(const struct moonpool_result *result, uint32_t column, int64_t *value);
MOONPOOL_API int moonpool_get_double(const struct moonpool_result *result, uint32_t column, double *value);
MOONPOOL_API int moonpool_get_bool(const struct moonpool_result *result, uint32_t column, bool *value);
MOONPOOL_API int moonpool_get_uuid(const struct moonpool_result *result, uint32_t column, uint8_t value[16]);
// ascii and text, in place and not NUL-terminated.
MOONPOOL_API int moonpool_get_text(const struct moonpool_result *result, uint32_t column, const char **text,
                                   size_t *len);
// Any type: the bytes as the protocol has them, in place.
MOONPOOL_API int moonpool_get_bytes(const struct moonpool_result *result, uint32_t column, const void **bytes,
                                    size_t *len);

// ---- values with parts ------------------------------------------------------------------------------------
// A value of a column, or a part of another value. It is the program's own and may be copied; it is valid as long as
// its result, and later every call refuses it. What stands in it is not for use.
struct moonpool_value {
	const struct moonpool_result *result;
	const void *type, *bytes;
	int32_t size;
	uint32_t check;
};
// Of the current row. 0, or MOONPOOL_NOT_FOUND: it is null (and may be asked for its type).
MOONPOOL_API int moonpool_get_value(const struct moonpool_result *result, uint32_t column,
                                    struct moonpool_value *value);
// The number of its type, as moonpool_result_column_type(); or a negative code.
MOONPOOL_API int moonpool_value_type(const struct moonpool_value *value);
// Its type as CQL says it, "map<text, frozen<list<int>>>", cut to `size` with its NUL. How long it is, or a negative
// code.
MOONPOOL_API int moonpool_value_type_text(const struct moonpool_value *value, char *text, size_t size);
// False also for a value that is refused: moonpool_last_code() says so.
MOONPOOL_API bool moonpool_value_is_null(const struct moonpool_value *value);
// How many parts: elements; keys and values of a map together; the fields of a user's type or tuple, those that are
// null, too. 0 of a null; MOONPOOL_TYPE_MISMATCH: it is a scalar, or its bytes do not fit its type.
MOONPOOL_API int moonpool_value_parts(const struct moonpool_value *value);
// NUL-terminated; NULL: no user's type, or no such field.
MOONPOOL_API const char *moonpool_value_field_name(const struct moonpool_value *value, uint32_t field);
// 0, MOONPOOL_NOT_FOUND: the field is null; MOONPOOL_INVALID_ARGUMENT: there is none of this name.
MOONPOOL_API int moonpool_value_field(const struct moonpool_value *value, const char *name,
                                      struct moonpool_value *part);

// The parts one after the other, of a map a key, then its value, then the next key. The cursor is the program's own,
// too.
struct moonpool_cursor {
	struct moonpool_value value;
	const void *at;
	uint32_t place, left;
	uint32_t check;
};
// 0: before its first part (a null has none); MOONPOOL_TYPE_MISMATCH: it is a scalar, or its bytes do not fit its type.
MOONPOOL_API int moonpool_cursor_begin(const struct moonpool_value *value, struct moonpool_cursor *cursor);
// 1: there is a next part, which may be null; 0: no more; negative: the bytes do not fit the type.
MOONPOOL_API int moonpool_cursor_next(struct moonpool_cursor *cursor, struct moonpool_value *part);

// As moonpool_get_...() of a column: 0, MOONPOOL_NOT_FOUND for null, MOONPOOL_TYPE_MISMATCH.
MOONPOOL_API int moonpool_value_int32(const struct moonpool_value *value, int32_t *number);
MOONPOOL_API int moonpool_value_int64(const struct moonpool_value *value, int64_t *number);
MOONPOOL_API int moonpool_value_double(const struct moonpool_value *value, double *number);
MOONPOOL_API int moonpool_value_bool(const struct moonpool_value *value, bool *flag);
MOONPOOL_API int moonpool_value_uuid(const struct moonpool_value *value, uint8_t uuid[16]);
MOONPOOL_API int moonpool_value_duration(const struct moonpool_value *value, int32_t *months, int32_t *days,
                                         int64_t *nanoseconds);
MOONPOOL_API int moonpool_value_text(const struct moonpool_value *value, const char **text, size_t *len);
MOONPOOL_API int moonpool_value_bytes(const struct moonpool_value *value, const void **bytes, size_t *len);
// A uuid, inet, date, varint or decimal as its text, cut to `size` with its NUL: what moonpool_bind_text() takes. How
// long it is, or a negative code as of the others.
MOONPOOL_API int moonpool_value_format(const struct moonpool_value *value, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#include "moonpool_session.h"
