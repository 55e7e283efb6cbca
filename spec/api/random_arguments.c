// SPDX-License-Identifier: Apache-2.0
#include "random_arguments.h"

#include <string.h>

struct handle handles[KINDS][KEPT];
int made[KINDS];
static uint64_t chance;

uint32_t below(uint32_t bound)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (uint32_t)(chance >> 32) % bound;
}

void seed(uint64_t number)
{
	chance = number * 0x9e3779b97f4a7c15u + 1;
	for (int i = 0; i < 8; i++)
		(void)below(2);
}

void *keep(int kind, const void *at, int row)
{
	if (at == NULL)
		return NULL;
	union {
		const void *given;
		void *at;
	} plain = {at};
	handles[kind][made[kind]++ % KEPT] = (struct handle){plain.at, row};
	return plain.at;
}

struct handle pick(int kind)
{
	if (below(16) == 0)
		return (struct handle){NULL, -1};
	if (below(40) == 0)
		kind = (int)below(KINDS);
	int known = made[kind] < KEPT ? made[kind] : KEPT;
	if (known == 0)
		return (struct handle){NULL, -1};
	// Mostly one of the last few.
	int back = (int)below(below(3) == 0 ? (uint32_t)known : known < 3 ? (uint32_t)known : 3);
	return handles[kind][(made[kind] - 1 - back) % KEPT];
}

ptrdiff_t length_of(const char *text)
{
	static const ptrdiff_t odd[] = {-2, PTRDIFF_MIN, PTRDIFF_MAX, 0, (ptrdiff_t)1 << 40};
	return below(12) == 0 ? odd[below(5)] : below(2) == 0 ? -1 : text == NULL ? 3 : (ptrdiff_t)strlen(text);
}

const char *cql(void)
{
	static const char *const texts[] = {
		"SELECT id FROM app.r WHERE id = ?",
		"SELECT id FROM app.r WHERE id = ?",
		"SELECT id FROM app.r",
		"SELECT key FROM system.local",
		"SELEC",
		"",
		"USE app",
		"INSERT INTO app.r (id) VALUES (?)",
		"SELECT * FROM app.nothing",
		"SELECT * FROM system.local",
		"SELECT * FROM system_schema.tables",
		"SELECT \xff\xfe FROM app.r",
	};
	return below(20) == 0 ? NULL : texts[below(12)];
}

const char *odd_text(void)
{
	static char large[70001];
	static const char *const texts[] = {NULL, "", "\xff\xfe", "%s%n", "/", "127.0.0.1", "id", large};
	memset(large, 'x', sizeof(large) - 1);
	return texts[below(8)];
}
