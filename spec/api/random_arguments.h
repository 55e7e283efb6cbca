// SPDX-License-Identifier: Apache-2.0
// What a random program gives to its calls: handles that it once got, texts, lengths, and chance.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { LOOPS, SESSIONS, STATEMENTS, REQUESTS, RESULTS, ERRORS, KINDS };
enum { KEPT = 24 };

struct handle {
	void *at;
	int row; // of a request: what it asks for, -1: no row in particular
};

extern struct handle handles[KINDS][KEPT];
extern int made[KINDS]; // so far; the last KEPT are known

void seed(uint64_t number);
uint32_t below(uint32_t bound);                // 0 to bound - 1
void *keep(int kind, const void *at, int row); // its address
struct handle pick(int kind);          // one of those, whatever became of it; or NULL, or one of another kind
ptrdiff_t length_of(const char *text); // mostly its length, or -1
const char *cql(void);                 // or NULL
const char *odd_text(void); // NULL, nothing, no UTF-8, 70,000 bytes, what a format or a path would be

int got(const char *what, int rc); // random_calls.c: the code of a call, which must be told if it is one
void random_request_call(void);    // random_requests.c: one that fills a request, or cancels it
// Others that look at something, or steer it: random_loops.c, random_session.c, random_results.c.
struct moonpool_loop;
struct moonpool_session;
struct moonpool_statement;
struct moonpool_result;
struct moonpool_error;
void random_loop_call(struct moonpool_loop *loop);
void random_session_call(struct moonpool_session *session);
void random_statement_call(struct moonpool_statement *statement);
void random_result_call(const struct moonpool_result *result);
void random_error_call(const struct moonpool_error *error);
