// SPDX-License-Identifier: Apache-2.0
// What the files of the program that misuses moonpool.h share.
#pragma once

#include <moonpool.h>
#include <stddef.h>

#define INVALID MOONPOOL_INVALID_ARGUMENT
#define HUGE    ((size_t)1 << 62)

// The call gives this code, and the last message has this in it.
#define IS(call, code, sentence) check(__LINE__, #call, (long)(call), (long)(code), sentence)
// The call gives no handle (or no text), for this code.
#define NONE(call, code, sentence)                                    \
	do {                                                              \
		check(__LINE__, #call, (call) == NULL, 1, sentence);          \
		check(__LINE__, #call, moonpool_last_code(), code, sentence); \
	} while (0)

void check(int line, const char *what, long got, long expected, const char *sentence);

// A new request for "INSERT (id, name)" in which something was refused: it is not executed either.
#define REFUSED(call, code, sentence)                                                     \
	do {                                                                                  \
		struct moonpool_request *request = moonpool_request_new(statement);               \
		IS(call, code, sentence);                                                         \
		(void)moonpool_bind_int32(request, 1), (void)moonpool_bind_null(request);         \
		IS(moonpool_execute(request, never, NULL), code, "was refused");                  \
		IS(moonpool_execute(request, never, NULL), INVALID, "executed or freed already"); \
	} while (0)

extern int failures;
extern struct moonpool_session *session;
extern struct moonpool_statement *statement; // INSERT (id, name)
struct moonpool_request *query(const char *cql);
// A callback of a call that failed.
void never(void *data, const struct moonpool_result *result, const struct moonpool_error *error);

void turn_until(const int *done, int count);

void batches(void);                           // misuse_batch.c
void cancels(void);                           // misuse_cancel.c
void loop_misuse(struct moonpool_loop *loop); // misuse_loops.c
void never_told(void *data, const struct moonpool_error *error);
// misuse_session.c
void session_calls(struct moonpool_session *bad, int code, const char *why);
void log_calls(struct moonpool_loop *bad, const char *why);
void session_misuse(void);
// misuse_values.c
void values(void);
void option_calls(struct moonpool_request *bad, const char *why);
void parameter_calls(struct moonpool_statement *bad, const char *why);
void told(const struct moonpool_result *bad, const char *why);
void told_of_key(const struct moonpool_result *result);
// misuse_parts.c
void part_binds(struct moonpool_request *bad, const char *why);
void parts_of_result(const struct moonpool_result *result, uint32_t column);
void parts(const struct moonpool_result *old_result);
