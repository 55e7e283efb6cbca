// SPDX-License-Identifier: Apache-2.0
// Allocations of OpenSSL that fail when a spec says so: it is given these functions before it takes any memory. Off,
// they only pass on. Per thread, as what is counted is the loop's.
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

void spec_openssl_fail_at(uint64_t nth);
void spec_openssl_spare(bool on);
uint64_t spec_openssl_count(void);

static _Thread_local uint64_t count; // since the last fail_at
static _Thread_local uint64_t fail_in;
static _Thread_local bool spared;

// The n-th from now fails; 0: none. Counts anew.
void spec_openssl_fail_at(uint64_t nth)
{
	count = 0;
	fail_in = nth;
}

// What is taken between true and false neither fails nor is counted.
void spec_openssl_spare(bool on)
{
	spared = on;
}

uint64_t spec_openssl_count(void)
{
	return count;
}

#ifdef MP_WITH_TLS

#include <openssl/crypto.h>

static int fails(void)
{
	if (spared)
		return 0;
	count++;
	return fail_in > 0 && --fail_in == 0;
}

static void *take(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return fails() ? NULL : malloc(size);
}

static void *grow(void *ptr, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return fails() ? NULL : realloc(ptr, size);
}

static void give_back(void *ptr, const char *file, int line)
{
	(void)file, (void)line;
	free(ptr);
}

__attribute__((constructor)) static void begin(void)
{
	CRYPTO_set_mem_functions(take, grow, give_back);
}

#endif
