// SPDX-License-Identifier: Apache-2.0
#include "policy/cover.h"

#include <lauxlib.h>
#include <luajit.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/state.h"

#define LINES_MAX     65535u
#define FUNCTIONS     512u // whose last line is remembered, by a hash
#define STATES_MAX    4096u
#define PATHS_MAX     1024u
#define EDGES_AT_LAST 65536u

struct edge {
	uint16_t path; // its number + 1; 0: free
	uint16_t from, to;
	uint64_t count;
};

struct tracked {
	const lua_State *L;
	const struct mp_policy_state *state;
	uint16_t files[MP_POLICY_FILES]; // numbers of paths + 1; 0: not looked up yet
};

struct last_line {
	uint16_t path, function, line; // function: where it begins
};

static _Thread_local struct {
	bool on;
	char *paths[PATHS_MAX];
	uint32_t path_count;
	struct tracked *states;
	uint32_t state_count;
	struct edge *edges; // open addressing
	uint32_t edge_count;
	struct last_line last[FUNCTIONS];
} cover;

bool mp_cover_is_on(void)
{
	return cover.on;
}

void mp_cover_set(bool on)
{
	for (uint32_t i = 0; i < cover.path_count; i++)
		mp_free(cover.paths[i]);
	mp_free(cover.states);
	mp_free(cover.edges);
	memset(&cover, 0, sizeof(cover));
	if (!on)
		return;
	cover.states = mp_calloc(STATES_MAX, sizeof(*cover.states));
	cover.edges = mp_calloc(EDGES_AT_LAST, sizeof(*cover.edges));
	cover.on = cover.states != NULL && cover.edges != NULL;
}

// The number + 1 of a path, made on first sight; 0: there is no room.
static uint16_t number_of(const char *path)
{
	uint32_t number = 0;
	while (number < cover.path_count && strcmp(cover.paths[number], path) != 0)
		number++;
	if (number < cover.path_count)
		return (uint16_t)(number + 1);
	char *copy = number < PATHS_MAX ? mp_strdup(path) : NULL;
	if (copy == NULL)
		return 0;
	cover.paths[cover.path_count++] = copy;
	return (uint16_t)(number + 1);
}

static struct tracked *tracked_of(const lua_State *L)
{
	for (uint32_t i = cover.state_count; i > 0; i--)
		if (cover.states[i - 1].L == L)
			return &cover.states[i - 1];
	return NULL;
}

// ---- counting ---------------------------------------------------------------------------------------------

static void count_edge(uint16_t path, uint16_t from, uint16_t to)
{
	uint32_t at = ((uint32_t)path * 31u + from) * 2654435761u + to * 40503u;
	for (uint32_t i = 0; i < EDGES_AT_LAST; i++) {
		struct edge *edge = &cover.edges[(at + i) % EDGES_AT_LAST];
		if (edge->path == 0 && cover.edge_count < EDGES_AT_LAST / 2) {
			*edge = (struct edge){.path = path, .from = from, .to = to};
			cover.edge_count++;
		}
		if (edge->path == path && edge->from == from && edge->to == to) {
			edge->count++;
			return;
		}
		if (edge->path == 0)
			return; // very many: the rest is not told apart
	}
}

static void on_event(lua_State *L, lua_Debug *ar)
{
	struct tracked *tracked = cover.on ? tracked_of(L) : NULL;
	if (tracked == NULL || lua_getinfo(L, "S", ar) == 0 || strncmp(ar->source, "=#", 2) != 0)
		return;
	unsigned long file = strtoul(ar->source + 2, NULL, 10);
	bool is_file = ar->linedefined == 0; // its own lines, which run when it is loaded
	if (file == 0 || file > tracked->state->file_count ||
	    (!is_file && tracked->state->context.fuel.limit_ns != MP_POLICY_SERVE_NS))
		return;
	uint16_t *known = &tracked->files[file - 1];
	uint16_t path = *known != 0 ? *known : (*known = number_of(tracked->state->files[file - 1]));
	if (path == 0)
		return;
	uint16_t function = (uint16_t)ar->linedefined;
	struct last_line *last = &cover.last[(path * 131u + function) % FUNCTIONS];
	if (ar->event == LUA_HOOKCALL || last->path != path || last->function != function)
		*last = (struct last_line){.path = path, .function = function};
	if (ar->event != LUA_HOOKLINE || ar->currentline <= 0 || ar->currentline > (int)LINES_MAX)
		return;
	if (last->line == ar->currentline)
		return; // back in it, from a call
	count_edge(path, last->line, (uint16_t)ar->currentline);
	last->line = (uint16_t)ar->currentline;
}

// ---- whose ------------------------------------------------------------------------------------------------

void mp_cover_begin(const struct mp_policy_state *state)
{
	lua_State *L = state->vm.L;
	struct tracked *tracked = tracked_of(L); // the memory of one that is gone, perhaps
	if (tracked == NULL && cover.state_count < STATES_MAX)
		tracked = &cover.states[cover.state_count++];
	if (tracked == NULL)
		return;
	*tracked = (struct tracked){.L = L, .state = state};
	luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
	lua_sethook(L, on_event, LUA_MASKLINE | LUA_MASKCALL, 0);
}

void mp_cover_each(void (*fn)(void *data, const char *path, uint32_t from, uint32_t to, uint64_t count),
                   void *data)
{
	for (uint32_t i = 0; cover.on && i < EDGES_AT_LAST; i++) {
		const struct edge *edge = &cover.edges[i];
		if (edge->path != 0)
			fn(data, cover.paths[edge->path - 1], edge->from, edge->to, edge->count);
	}
}
